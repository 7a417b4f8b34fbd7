"""The benchmark suite measures what it says, on scenes that are what they say."""

import hashlib
import sys
from time import process_time, sleep

import numpy as np
import pandas as pd
import pytest
import rasterio
import torch
import xgboost
from rasterio.warp import transform
from torch import nn

from benchmarks import ours, reference, results
from benchmarks import scene as scenes
from benchmarks.blocks import Block, make_forest, make_hills
from benchmarks.floor import least_seconds, measure_peak, multiply_adds
from benchmarks.mosaic import Layout, lay_out
from benchmarks.report import report, table
from benchmarks.scene import SceneOptions, is_written, write_scene
from benchmarks.timing import Stage, Taken, Timing, alternate
from benchmarks.whole import RunFailed, Usage, figures_of, growth, measure, summary
from benchmarks.zones import CRS, RADAR_CRS, optical_position, radar_grid
from landslide_core.bands import BAND_NAMES, PIXEL, RADAR_ROLES
from landslide_core.ensemble import Member, cast_votes
from landslide_core.errors import SceneTooSmall
from landslide_core.grid import Tiling, cut
from landslide_core.prefilter import Prefilter
from landslide_core.readers.inputs import open_scene
from landslide_core.simulate import ORIGIN
from landslide_core.training.reference import ReferenceFPN, ReferenceOptions

SMALL = SceneOptions(size=512, seed=3, block=128)


@pytest.fixture
def noise(monkeypatch):
    """Blocks of seeded noise: how a scene is written does not hang on what is in it."""

    def make(seed, side):
        rng = np.random.default_rng(seed)
        pixels = rng.uniform(100, 3000, (12, side, side)).astype(np.float32)
        pixels[4:] = rng.normal(-12, 2, (8, side, side))
        return Block(pixels, rng.integers(3, 10, (side, side)).astype(np.uint8))

    monkeypatch.setattr(scenes, "make_hills", make)
    monkeypatch.setattr(scenes, "make_forest", make)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A small benchmark scene and its folder."""
    folder = tmp_path_factory.mktemp("benchmark")
    return folder, write_scene(folder, SMALL)


def digests(folder):
    """SHA-256 of every raster of a folder."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.tif"))
    }


def test_the_scene_opens_with_all_bands_and_says_that_it_is_simulated(written):
    scene = open_scene(written[1])
    assert scene.available == BAND_NAMES
    assert scene.grid.shape == (512, 512)
    assert scene.warnings == ()
    for _, path in scene.inputs:
        with rasterio.open(path) as file:
            assert file.tags()["SIMULATED"].startswith("yes")


def test_radar_lies_in_another_zone_and_covers_the_scene(written):
    for role in RADAR_ROLES:
        with rasterio.open(written[1].given(role)[0]) as file:
            assert file.crs.to_string() == RADAR_CRS != CRS
            assert file.profile["blockxsize"] == file.profile["blockysize"] == 512
    assert np.isfinite(ours.read(written[1])).all()


def test_values_are_of_the_landscape_and_the_radar(written):
    tiles = ours.read(written[1])
    optical, radar = tiles[:, :4], tiles[:, 4:]
    assert 100 < np.median(optical[:, 0]) < 1500  # red reflectance × 10⁴
    assert -15 < np.median(radar[:, 0]) < -5  # VV, dB
    assert -22 < np.median(radar[:, 1]) < -11  # VH


def test_the_same_seed_gives_the_same_bytes_whatever_the_strip(noise, tmp_path):
    assert radar_grid(SMALL.size)[1][0] > 512  # so that there are several strips
    write_scene(tmp_path / "one", SMALL)
    write_scene(tmp_path / "other", SMALL, strip=1024)
    assert len(digests(tmp_path / "one")) == 6
    assert digests(tmp_path / "one") == digests(tmp_path / "other")


def test_another_seed_gives_other_bytes(noise, tmp_path):
    for seed in (3, 4):
        write_scene(tmp_path / str(seed), SceneOptions(size=128, seed=seed, block=64))
    one, other = digests(tmp_path / "3"), digests(tmp_path / "4")
    assert all(one[name] != other[name] for name in one)


@pytest.mark.parametrize("make", [make_forest, make_hills])
def test_a_block_is_its_seeds(make):
    one, same, other = (make(seed, 64).pixels for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).mean() > 0.99


def test_a_written_scene_is_kept_and_a_damaged_or_other_one_written_again(noise, tmp_path):
    options = SceneOptions(size=128, seed=3, block=64)
    write_scene(tmp_path, options)
    before = (tmp_path / "s2.tif").stat().st_mtime_ns
    write_scene(tmp_path, options)
    assert (tmp_path / "s2.tif").stat().st_mtime_ns == before
    assert not is_written(tmp_path, SceneOptions(size=128, seed=5, block=64))
    whole = (tmp_path / "s2.tif").read_bytes()
    (tmp_path / "s2.tif").write_bytes(whole[:-100])
    write_scene(tmp_path, options)
    assert (tmp_path / "s2.tif").read_bytes() == whole


@pytest.mark.parametrize("options", [{"size": 32}, {"size": 255}, {"size": 256, "block": 100}])
def test_impossible_sizes_are_refused(options):
    with pytest.raises(SceneTooSmall):
        SceneOptions(**options)


def test_radar_pixels_are_those_under_them():
    grid, shape = radar_grid(1000)
    rows, cols = optical_position(grid, 512, (200, shape[1]))
    rng = np.random.default_rng(0)
    at = rng.integers(0, 200, 300), rng.integers(0, shape[1], 300)
    x, y = grid @ (at[1] + 0.5, 512 + at[0] + 0.5)
    x, y = transform(RADAR_CRS, CRS, x, y)
    wanted = [(ORIGIN[1] - np.array(y)) / PIXEL, (np.array(x) - ORIGIN[0]) / PIXEL]
    for found, exact in zip((rows[at], cols[at]), wanted, strict=True):
        assert np.abs(found + 0.5 - exact).max() < 0.5 + 2e-3


def test_a_layout_turns_mirrors_and_repeats_blocks():
    blocks = np.arange(2 * 16).reshape(2, 4, 4)
    layout = Layout(np.array([[0, 1], [1, 0]]), np.array([[0, 1], [4, 6]]))
    wanted = np.block(
        [
            [blocks[0], np.rot90(blocks[1])],
            [np.fliplr(blocks[1]), np.rot90(np.fliplr(blocks[0]), 2)],
        ]
    )
    found = layout.pixels(4, np.arange(8)[:, None], np.arange(8))
    np.testing.assert_array_equal(found, wanted)
    beyond = layout.pixels(4, np.arange(-8, 0)[:, None], np.arange(8, 16))
    np.testing.assert_array_equal(beyond, wanted)


def test_every_square_of_four_blocks_holds_two_of_either_kind():
    layout = lay_out(5, ((0, 1, 2, 3), (4, 5, 6, 7)), seed=1)
    assert layout.block.shape == (6, 6)
    for i, j in np.ndindex(3, 3):
        four = layout.block[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].ravel()
        assert (four < 4).sum() == 2
        assert len(set(four.tolist())) == 4
    assert len(set(layout.turn.ravel().tolist())) > 4


def test_forest_is_evener_than_hills():
    forest, hills = (
        cut(make(1, 256).pixels[:1], Tiling(256, 256)) for make in (make_forest, make_hills)
    )
    variation = [np.median(t.std(axis=(1, 2, 3)) / t.mean(axis=(1, 2, 3))) for t in (forest, hills)]
    assert variation[0] < 0.2 < 0.4 < variation[1]


def tiny_networks(count):
    """Small reference networks with random weights."""
    networks = []
    for seed in range(count):
        torch.manual_seed(seed)
        options = ReferenceOptions(branch=(4, 4), trunk=(8, 8, 8), pyramid=8)
        network = ReferenceFPN(options).eval()
        network.answer.weight.data *= 100  # votes far apart, so that no view passes for another
        networks.append(network)
    return networks


def test_the_references_votes_are_those_of_our_views_in_their_order():
    networks = tiny_networks(2)
    inputs = np.random.default_rng(0).normal(0, 1, (33, 13, 64, 64)).astype(np.float32)
    inputs.setflags(write=False)
    found = reference.cast_votes(networks, inputs)
    members = [Member(network, 0.5) for network in networks]
    wanted = cast_votes(members, inputs, torch.device("cpu")).votes
    assert found.shape == (33, 2, 8)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.abs(np.diff(found, axis=2)).max(axis=(0, 1)).min() > 1e-3  # the views do differ


def test_the_references_scores_are_ours_bit_for_bit():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(0, 1, (70, 5)).astype(np.float32), columns=list("abcde"))
    table.iloc[3, 2] = np.nan
    booster = xgboost.train(
        {"objective": "binary:logistic", "nthread": 1},
        xgboost.DMatrix(table.to_numpy(), rng.integers(0, 2, 70)),
        10,
    )
    names = tuple("abcde")
    theirs = reference.filter_scores(booster, table)
    found = ours.filter_scores(Prefilter(booster, None, names, {}), table)
    assert len(set(found.tolist())) > 10
    np.testing.assert_array_equal(found, theirs)


def test_the_reference_reads_the_same_scene(written):
    theirs, found = reference.read_tiles(written[1]), ours.read(written[1])
    np.testing.assert_allclose(found[:, :4], theirs[:, :4], atol=0.01)
    assert np.median(np.abs(found[:, 4:] - theirs[:, 4:])) < 0.2  # dB


def test_the_reference_network_costs_what_is_stated():
    assert multiply_adds(ReferenceFPN(ReferenceOptions()).eval()) / 1e6 == pytest.approx(173, abs=1)


def test_multiply_adds_are_those_of_hand():
    network = nn.Sequential(nn.Conv2d(13, 4, 3, 2, 1), nn.Flatten(), nn.Linear(4 * 32 * 32, 5))
    assert multiply_adds(network) == 32 * 32 * 4 * 13 * 9 + 4096 * 5


def test_the_floor_is_the_work_over_the_peak():
    assert least_seconds(3e9, 1.5e9) == 2
    peak = measure_peak((128, 256), seconds=0.05)
    assert list(peak) == ["128", "256"]
    assert 1e8 < min(peak.values()) < max(peak.values()) < 1e13


def test_both_ways_take_turns():
    calls = []
    stage = Stage(
        "x", 4, lambda: calls.append("theirs"), lambda: calls.append("ours"), lambda a, b: {}
    )
    timing = alternate(stage, 2)
    assert calls == ["theirs", "ours", "theirs", "ours"]
    assert len(timing.reference) == len(timing.ours) == 2


def test_ratios_are_of_the_least_of_all_rounds():
    stage = Stage("x", 10, list, list, lambda a, b: {}, multiply_adds=(2e9, 1e8))
    timing = Timing(
        stage,
        reference=(Taken(8.0, 9.0), Taken(6.0, 12.0)),
        ours=(Taken(0.5, 0.6), Taken(1.0, 1.0)),
        agreement={},
    )
    found = timing.figures(peak=1e10)
    assert found["cpu_ratio"] == 12
    assert found["cpu_ratio_rounds"] == [6, 16]
    assert found["wall_ratio"] == 15
    assert found["ours"]["cpu_ms_a_tile"] == 50
    assert found["ours"]["tiles_a_second"] == pytest.approx(10 / 0.6)
    assert found["reference"]["share_of_peak"] == pytest.approx(2 / 6)
    assert found["ours"]["floor_ms_a_tile"] == pytest.approx(10)


def test_time_of_this_process_is_what_is_counted():
    def busy():
        end = process_time() + 0.2
        while process_time() < end:
            pass

    timing = alternate(Stage("x", 1, busy, lambda: sleep(0.2), lambda a, b: {}), 1)
    assert timing.reference[0].cpu >= 0.2
    assert timing.ours[0].cpu < 0.1
    assert timing.ours[0].wall >= 0.2


@pytest.mark.parametrize("exponent", [0.9, 1.0, 1.3])
def test_growth_finds_the_exponent(exponent):
    tiles = [1024, 3969, 29584]
    assert growth(tiles, [0.02 * n**exponent for n in tiles]) == pytest.approx(exponent)


def row(size, seconds):
    """What a run on a made-up scene took."""
    tiles = (-(-size // 64)) ** 2
    counts = {"no_data": 0, "filtered_out": tiles // 2, "stable": tiles - tiles // 2}
    meta = {"counts": counts, "seconds": {"read": 1.0}, "device": "cpu"}
    return figures_of(size, Usage(seconds, 2 * seconds, 2e9, 1.5e9), meta)


def test_growth_leaves_the_smallest_scene_out():
    found = summary([row(1000, 100), row(2000, 10), row(4000, 10 * 3969 / 1024)])
    assert found["fitted_sizes"] == [2000, 4000]
    assert found["wall_exponent"] == pytest.approx(1)
    assert found["rows"][0]["tiles"] == 256
    assert found["rows"][0]["kept_share"] == 0.5
    assert "wall_exponent" not in summary([row(1000, 100), row(2000, 10)])


def test_a_process_and_its_children_are_accounted_for():
    child = "a = bytearray(150_000_000); import time; time.sleep(1.5)"
    parent = (
        "import subprocess, sys, time\n"
        "a = bytearray(100_000_000); end = time.process_time() + 0.3\n"
        "while time.process_time() < end: pass\n"
        f"subprocess.run([sys.executable, '-c', {child!r}])"
    )
    usage = measure([sys.executable, "-c", parent])
    assert usage.wall > 1.5
    assert 0.3 <= usage.cpu < usage.wall
    assert 250e6 < usage.peak_tree < 500e6
    assert 150e6 < usage.peak_process < 250e6


def test_a_failed_run_is_no_measurement():
    with pytest.raises(RunFailed, match="no such luck"):
        measure([sys.executable, "-c", "raise SystemExit('no such luck')"])


def test_the_report_holds_what_was_measured(tmp_path):
    stage = Stage("filter", 10, list, list, lambda a, b: {})
    timing = Timing(stage, (Taken(6.0, 6.0),), (Taken(0.5, 0.5),), {"identical_share": 1.0})
    stages = {"filter": timing.figures(1e9)}
    results.keep("stages", {"stages": stages, "threads": 1, "device": "cpu"}, tmp_path)
    results.keep("whole", summary([row(2000, 10), row(4000, 200)]), tmp_path)
    results.keep("floor", {"by_size": {"512": 5e10}, "peak": 5e10}, tmp_path)
    text = report(tmp_path)
    assert "| filter | 10 | 600 | 50 | **12.0×** | 12.0–12.0× |" in text
    assert "| 4,000² | 3,969 | 50% | 3 min 20 s | 6 min 40 s | 19.8 | 2.00 GB |" in text
    assert "| 512² | 100 |" in text
    assert text.count("python -m benchmarks") == 3
    assert f"torch {torch.__version__}".split("+")[0] in text


def test_a_report_of_nothing_says_what_to_do(tmp_path):
    with pytest.raises(results.ResultsMissing, match="stages"):
        report(tmp_path)


def test_a_table_is_markdown():
    assert table(("a", "b"), [("x", "1")]) == "| a | b |\n|---|---:|\n| x | 1 |"
