"""Synthetic patches, their table, a small scene on disk, and a bundle fitted in the session."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
from affine import Affine
from browsing import ARGUMENTS, CHROMIUM
from playwright.sync_api import Browser, sync_playwright
from tiny import write_tiny_run

from landslide_core import cli
from landslide_core.bands import RADAR_ROLES
from landslide_core.bundle import Bundle, load_bundle, save_bundle
from landslide_core.calibration import Calibration
from landslide_core.combinations import COMBINATIONS
from landslide_core.features import features_from_table, filter_features
from landslide_core.folder import Run
from landslide_core.launch import start_worker
from landslide_core.manifest import CARD_TEXT
from landslide_core.network import NetworkOptions
from landslide_core.plan import RunOptions
from landslide_core.prefilter import Prefilter
from landslide_core.preprocess import cloud_by_brightness, model_input
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.patches import to_bands
from landslide_core.runs import predict_scene
from landslide_core.training.dataset import PatchSet, patch_set
from landslide_core.training.examples import join
from landslide_core.training.fit import fit_member
from landslide_core.training.options import FilterOptions, TrainOptions
from landslide_core.training.prefilter import fit_prefilter
from landslide_core.training.ship import band_quantiles
from landslide_core.training.surrogate import statistics_of
from pages.parts import state
from pages.parts.run import jobs

TINY = NetworkOptions(
    stem=4, branch=4, trunk=(8, 8, 8), pyramid=8, hidden=8, dropout=0.0, voices=2, voice=16
)
QUICK = TrainOptions(
    members=2, epochs=1, batch=8, voice_epochs=4, voice_batch=16, crossed=2, inner_share=0.25
)
QUICK_FILTER = FilterOptions(
    rounds=20,
    voices=2,
    voice=16,
    voice_epochs=10,
    voice_batch=32,
    voice_rate=1e-2,
    inner_folds=2,
    repeats=1,
)
# Half the filter's say, half the votes'; with limits on both sides of the threshold.
EVEN = Calibration(filter_weight=0.5, votes_weight=0.5, bias=0, threshold=0.5, lower=0.3, upper=0.7)
CPU = torch.device("cpu")
UTM = "EPSG:32645"
ORIGIN = Affine(10, 0, 500_000, 0, -10, 3_100_000)
SIZE = (160, 200)  # 3×4 tiles: half of the last row and 8 columns of the last column are there
# By CPU time, browsers and servers among it; tests of one file stay in one process.
LONGEST = (
    *("test_train_end_to_end", "test_browser", "test_upload_browser", "test_whole_path_browser"),
    *("test_swipe_browser", "test_map_browser", "test_tour_browser", "test_review_browser"),
    *("test_find_browser", "test_page_detect", "test_worker", "test_resume", "test_fuzz"),
    *("test_search", "test_page_decision", "test_leakage", "test_ground_range", "test_cli"),
    *("test_crossvalidate", "test_card", "test_reference", "test_page_review", "test_page_scene"),
)
CHANGED = 128  # column of the scene from which radar has changed


def balanced(count):
    """Labels 0, 1, 0, 1, …"""
    return np.arange(count) % 2


def raw_patches(labels, seed=0, side=64):
    """Raw challenge patches (N, side, side, 12); in positive ones backscatter has dropped."""
    return _raw(np.broadcast_to(labels[:, None, None], (len(labels), side, side)), seed)


def _raw(changed, seed):
    """Challenge numbers (..., 12) for a mask of changed pixels: whole DN, dB, dB differences."""
    rng = np.random.default_rng(seed)
    light = rng.gamma(3, 60, (*changed.shape, 1))
    optical = 1010 + light * (1.0, 1.2, 1.3, 5.0) + rng.gamma(2, 20, (*changed.shape, 4))
    post = rng.normal(-11, 2, (*changed.shape, 4)) - (0, 7, 0, 7)
    diff = rng.normal(0, 1.5, (*changed.shape, 4)) - 4 * changed[..., None]
    return np.concatenate(
        [optical.round(), post[..., :2], diff[..., :2], post[..., 2:], diff[..., 2:]], axis=-1
    )


def table_of(raw, labels):
    """A labelled table in the challenge's format for raw patches."""
    table = statistics_of(raw)
    table.insert(0, "label", labels)
    table.insert(0, "ID", [f"ID_{i:03d}" for i in range(len(raw))])
    return table


def inputs_of(raw):
    """Physical pixels (N, 12, h, w), cloud and model inputs of raw patches."""
    pixels = to_bands(raw)
    cloud = cloud_by_brightness(pixels)
    return pixels, cloud, model_input(pixels, cloud)


def patches_of(count, seed=0) -> PatchSet:
    """Prepared patches, every other one positive."""
    labels = balanced(count)
    pixels, cloud, _ = inputs_of(raw_patches(labels, seed))
    return patch_set([f"ID_{i:03d}" for i in range(count)], pixels, cloud, labels)


def silent(line):
    """Report to nobody."""


def same_weights(one, other):
    """Whether two networks agree bit for bit, running averages and quantiles included."""
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


def write_raster(path, pixels, names=None, transform=ORIGIN, crs=UTM, **profile):
    """Write (bands, height, width) as a GeoTIFF with band names."""
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "crs": crs, "transform": transform, **profile}
    with rasterio.open(
        path, "w", count=count, height=height, width=width, dtype=pixels.dtype, **profile
    ) as file:
        file.write(pixels)
        if names:
            file.descriptions = names
    return path


def scene_numbers(size=SIZE):
    """The scene in challenge numbers (height, width, 12): change to the right, a hole top left."""
    changed = np.zeros(size, int)
    changed[:, CHANGED:] = 1
    raw = _raw(changed, seed=7)
    raw[:64, :64, :4] = 0
    raw[:64, :64, 4:] = np.nan
    return raw


def write_optical(path, raw, transform=ORIGIN, **profile):
    """Blue, green, red and near infrared as uint16, the offset in the tags."""
    pixels = np.moveaxis(raw[..., :4], -1, 0).astype(np.uint16)
    write_raster(path, pixels, ("B02", "B03", "B04", "B08"), transform, **profile)
    with rasterio.open(path, "r+") as file:
        file.update_tags(BOA_ADD_OFFSET="-1000")
    return path


def write_radar(path, raw, role, transform=ORIGIN, **profile):
    """VV and VH of a role as dB."""
    orbit_pass, time = role.split("_")
    first = {"desc": 4, "asc": 8}[orbit_pass]
    pixels = raw[..., first : first + 2]
    if time == "pre":
        pixels = pixels - raw[..., first + 2 : first + 4]
    pixels = np.moveaxis(pixels, -1, 0).astype(np.float32)
    return write_raster(path, pixels, ("VV", "VH"), transform, **profile)


def write_scene_files(folder, raw, transform=ORIGIN):
    """Write a scene's five files and name them by role."""
    folder.mkdir(parents=True, exist_ok=True)
    radar = {
        role: (write_radar(folder / f"s1_{role}.tif", raw, role, transform),)
        for role in RADAR_ROLES
    }
    return SceneInputs(s2=(write_optical(folder / "s2.tif", raw, transform),), **radar)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: no worker is left alone with one at the end."""
    place = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """A page leaves its script as `__main__`, and spawned processes would run that first."""
    own = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = own


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """200 labelled rows in the challenge's format."""
    labels = balanced(200)
    return table_of(raw_patches(labels, side=16), labels)


@pytest.fixture(scope="session")
def features(table) -> pd.DataFrame:
    """The table's filter features."""
    return filter_features(features_from_table(table))


@pytest.fixture(scope="session")
def prefilter(table, features) -> Prefilter:
    """A filter fitted on the table."""
    return fit_prefilter(features, table["label"].to_numpy(), QUICK_FILTER)


@pytest.fixture(scope="session")
def bundle_path(prefilter, tmp_path_factory) -> Path:
    """A bundle folder with two members, each fitted for a moment. Copy it before changing it."""
    patches = patches_of(40)
    options = replace(QUICK, epochs=2, learning_rate=1e-2, voice_epochs=20)
    members = [
        fit_member(join(patches), TINY, replace(options, seed=seed), CPU, silent).member
        for seed in range(2)
    ]
    path = tmp_path_factory.mktemp("bundle") / "small"
    bundle = Bundle(
        name="small",
        path=path,
        sha256="",
        prefilter=prefilter,
        members=tuple(members),
        options=TINY,
        calibration=dict.fromkeys(COMBINATIONS, EVEN),
        quantiles=band_quantiles(patches.inputs),
        card={"note": "for tests"},
    )
    return save_bundle(bundle, {CARD_TEXT: b"For tests.\n"})


@pytest.fixture(scope="session")
def bundle(bundle_path) -> Bundle:
    """The bundle, loaded."""
    return load_bundle(bundle_path)


@pytest.fixture(scope="session")
def scene_inputs(tmp_path_factory) -> SceneInputs:
    """The small scene's files."""
    return write_scene_files(tmp_path_factory.mktemp("scene"), scene_numbers())


@pytest.fixture(scope="session")
def run(scene_inputs, bundle_path, tmp_path_factory) -> Run:
    """The scene's run at stride 64. Copy the folder before changing it."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    return predict_scene(scene_inputs, RunOptions(bundle_path, device="cpu"), out)


@pytest.fixture(scope="session")
def run_32(scene_inputs, bundle_path, tmp_path_factory) -> Run:
    """The scene's run at stride 32."""
    out = tmp_path_factory.mktemp("runs") / "half"
    return predict_scene(scene_inputs, RunOptions(bundle_path, 32, "cpu"), out)


@pytest.fixture
def landslide(monkeypatch, capsys):
    """The command in this process: exit code, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["landslide", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return call


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A real run of a small simulated scene with an unfitted bundle."""
    return write_tiny_run(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for a module's pages: while it runs, so does a loop, and others cannot begin."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Queues for which a worker was wanted; none is started."""
    wanted: list[Path] = []
    monkeypatch.setattr(jobs, "start_worker", lambda folder, device: wanted.append(folder))
    monkeypatch.setattr("landslide_core.jobs.STALE", 3600.0)  # s that a claimed job's worker lives
    return wanted


@pytest.fixture
def real_workers(workers: list[Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workers are started; they end with the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, device: str) -> None:
        workers.append(folder)
        if process := start_worker(folder, device):
            begun.append(process)

    monkeypatch.setattr(jobs, "start_worker", start)
    yield
    for process in begun:
        process.kill()
        process.wait(20)


@pytest.fixture
def home(made: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: list[Path]) -> Path:
    """A server with the small scene as its sample and its data, a bundle, and no runs."""
    base = made.folder.parents[1]
    monkeypatch.setattr(state, "SAMPLE", base / "scene")
    monkeypatch.setenv("LANDSLIDE_DATA", str(base / "scene"))
    monkeypatch.setenv("LANDSLIDE_MODELS", str(base / "models"))
    monkeypatch.setenv("LANDSLIDE_RUNS", str(tmp_path))
    return tmp_path


@pytest.fixture
def with_run(home: Path, made: Run) -> Path:
    """The same server with one run."""
    shutil.copytree(made.folder, home / "tiny")
    return home
