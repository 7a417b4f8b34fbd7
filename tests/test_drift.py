"""Drift: where a scene's pixels lie among the training's, and when that is worth a warning."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import patches_of, raw_patches, scene_numbers, write_scene_files

from landslide_core.bands import BAND_NAMES, INDEX, OPTICAL
from landslide_core.bundle import load_bundle
from landslide_core.drift import (
    BINS,
    EDGES,
    drift_of,
    outside,
    placed,
    record,
    warning_of,
)
from landslide_core.errors import RunStopped
from landslide_core.grid import Tiling
from landslide_core.manifest import QUANTILES
from landslide_core.plan import DEFAULT_BUNDLE, RunOptions
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.readers.patches import to_bands
from landslide_core.runs import predict_scene, resume_run
from landslide_core.training.ship import band_quantiles

SAMPLE = Path(__file__).parents[1] / "sample_data"
SCENES = Path(__file__).parents[1] / "../shared/data/scenes"
# A training set whose pixels are spread evenly: 0 to 10,000, and −25 to −5 and −31 to −11 dB.
LOWEST = {name: 0.0 if name in OPTICAL else -25.0 if "vv" in name else -31.0 for name in BAND_NAMES}
SPAN = {name: 1e4 if name in OPTICAL else 20.0 for name in BAND_NAMES}
EVEN = {name: [LOWEST[name] + share * SPAN[name] for share in QUANTILES] for name in BAND_NAMES}


def even_pixels(count=6, seed=0):
    """Tiles (N, 12, 64, 64) drawn from the even training set."""
    shares = np.random.default_rng(seed).random((count, 12, 64, 64))
    lowest, span = (np.array([*of.values()])[:, None, None] for of in (LOWEST, SPAN))
    return (lowest + shares * span).astype(np.float32)


def drift_in(pixels, learnt=EVEN):
    """The drift of a scene of these tiles."""
    return drift_of(placed(pixels, learnt).sum(axis=0, dtype=np.int64), learnt)


def with_band(name, values):
    """Even tiles, but for one band."""
    pixels = even_pixels()
    pixels[:, INDEX[name]] = values
    return pixels


@pytest.fixture(scope="module")
def shipped():
    """The quantiles of the bundle that ships."""
    return load_bundle(DEFAULT_BUNDLE).quantiles


def test_edges_are_the_quantiles_and_their_middles():
    assert BINS == len(EDGES) + 1 == 18
    assert EDGES[::2] == QUANTILES
    assert EDGES[7] == pytest.approx(0.375)


def test_pixels_are_counted_between_the_training_s_values():
    pixels = np.full((2, 12, 64, 64), np.nan, np.float32)
    red = pixels[:, INDEX["red"]]
    red[0] = 8000  # between 75 and 85 %
    red[1, :32] = -1  # lower than any
    red[1, 32:] = 10_001
    counts = placed(pixels, EVEN)
    assert counts.dtype == np.uint8
    assert counts.shape == (2, 12, BINS)
    assert dict(enumerate(counts[0, INDEX["red"]])) == {i: 169 * (i == 11) for i in range(BINS)}
    # Rows 2, 7, … 27 are six of thirteen.
    assert counts[1, INDEX["red"]].tolist() == [78, *[0] * 16, 91]
    assert counts.sum() == 2 * 169  # NaN is counted nowhere


def test_a_band_whose_quantiles_nobody_knows_is_left_out():
    learnt = {name: EVEN[name] for name in BAND_NAMES if name != "nir"}
    assert set(drift_in(even_pixels(), learnt)) == set(learnt)
    assert placed(even_pixels(), {}).sum() == 0
    assert drift_of(np.zeros((12, BINS), int), {}) == {}


def test_missing_bands_are_left_out():
    pixels = even_pixels()
    pixels[:, 4:] = np.nan
    assert set(drift_in(pixels)) == set(OPTICAL)
    assert drift_in(np.full((1, 12, 64, 64), np.nan, np.float32)) == {}


def test_pixels_like_the_training_s_are_usual():
    drift = drift_in(even_pixels(20))
    assert [band.likeness for band in drift.values()] == ["usual"] * 12
    for band in drift.values():
        assert band.outside == pytest.approx(0.02, abs=0.01)
        assert band.median_at == pytest.approx(0.5, abs=0.03)
        assert abs(band.shift) < 0.04
    assert warning_of(drift) is None
    assert drift["red"].learnt["p25"] == 2500
    for name, value in drift["red"].found.items():
        assert value == pytest.approx(100 * float(name[1:]), abs=300)


@pytest.mark.parametrize(
    ("value", "shift", "likeness"),
    [
        # All lies in one bin: the gap at the bin's nearer edge to the middle, either sign.
        (4400, 0.375, "usual"),  # 37.5 to 50 %
        (7000, 0.625, "unusual"),  # 62.5 to 75 %
        (8000, 0.75, "unusual"),  # 75 to 85 %
        (9000, 0.85, "unlike"),
        (2000, -0.75, "unusual"),  # 15 to 25 %
        (1000, -0.85, "unlike"),
    ],
)
def test_a_band_that_lies_to_one_side_is_shifted(value, shift, likeness):
    band = drift_in(with_band("nir", value))["nir"]
    if value != 4400:
        assert band.shift == pytest.approx(shift)
    assert band.likeness == likeness
    assert band.found["p50"] == pytest.approx(value, abs=630)  # within the bin
    assert band.outside == 0


@pytest.mark.parametrize(
    ("share", "likeness"), [(0.05, "usual"), (0.15, "unusual"), (0.3, "unlike")]
)
def test_a_band_with_much_beyond_both_ends_is_unlike(share, likeness):
    pixels = even_pixels(20)
    rng = np.random.default_rng(1)
    far = rng.random(pixels[:, 3].shape) < share
    pixels[:, 3][far] = rng.choice([-500, 15_000], int(far.sum()))
    band = drift_in(pixels)["nir"]
    assert band.likeness == likeness
    assert band.outside == pytest.approx(share + 0.02 * (1 - share), abs=0.02)
    told = warning_of(drift_in(pixels))
    assert (told is None) == (likeness != "unlike")
    assert told is None or "near infrared is far more widely spread" in told


def test_an_offset_left_in_shows_in_all_visible_bands_together():
    pixels = even_pixels()
    pixels[:, [INDEX["red"], INDEX["green"]]] = 8000
    drift = drift_in(pixels)
    assert {n for n, band in drift.items() if band.likeness != "usual"} == {"red", "green"}
    assert warning_of(drift) is None
    pixels[:, INDEX["blue"]] = 8000
    drift = drift_in(pixels)
    assert [n for n, band in drift.items() if band.likeness == "unlike"] == ["red", "green", "blue"]
    told = warning_of(drift)
    assert told is not None
    assert "unlike what the model learnt: red, green and blue are far higher" in told
    assert "offset" in told
    assert "Sentinel-1" not in told


def polarised(vv, vh):
    """Even tiles, but for the descending image after the event: medians as given, dB."""
    pixels = even_pixels()
    spread = np.linspace(-4, 4, 64 * 64, dtype=np.float32).reshape(64, 64)
    pixels[:, INDEX["desc_vv_post"]] = vv + spread
    pixels[:, INDEX["desc_vh_post"]] = vh + spread
    return drift_in(pixels)


@pytest.mark.parametrize(
    ("vv", "vh", "likeness"),
    [
        (-15, -21, "usual"),
        (-21, -15, "unlike"),  # swapped
        (-15, -18, "unlike"),  # amplitude read as power
    ],
)
def test_polarisations_too_close_are_unlike(vv, vh, likeness):
    drift = polarised(vv, vh)
    assert drift["desc_vv_post"].likeness == drift["desc_vh_post"].likeness == likeness
    assert drift["desc_vv_pre"].likeness == "usual"
    told = warning_of(drift)
    if likeness == "usual":
        assert told is None
        return
    assert told is not None
    said = told.split("VV − VH is ")[1].split(" dB (descending post-event)")[0]
    assert float(said.replace("−", "-")) == pytest.approx(vv - vh, abs=0.6)  # to a bin's part
    assert "not swapped" in told


def test_a_gap_is_not_read_from_medians_beyond_the_bins():
    """Numbers nobody calibrated, 50 dB too high: the bins don't tell by how much."""
    drift = polarised(35, 30)
    told = warning_of(drift)
    assert "VV − VH" not in told
    assert "VV descending post-event and VH descending post-event are far higher" in told
    assert drift["desc_vv_post"].median_at == 1


def test_whole_sensors_are_named_as_one():
    pixels = even_pixels()
    pixels[:, 4:] += 60
    told = warning_of(drift_in(pixels))
    assert "all radar bands are far higher" in told
    assert "check Sentinel-1's unit and calibration" in told


def test_the_record_is_json_of_a_few_digits():
    drift = drift_in(even_pixels())
    said = json.loads(json.dumps(record(drift)))
    assert list(said) == list(BAND_NAMES)
    assert set(said["red"]) == {"likeness", "outside", "median_at", "shift", "learnt", "found"}
    assert list(said["red"]["found"]) == ["p1", "p5", "p25", "p50", "p75", "p95", "p99"]
    assert said["desc_vv_post"]["learnt"]["p50"] == -15


def test_share_outside_is_of_known_pixels():
    learnt = {"p1": 100.0, "p99": 9900.0}
    values = np.array([50, 100, 5000, 9900, 9901, np.nan], np.float32)
    assert outside(values, learnt) == pytest.approx(2 / 5)
    assert outside(np.full(4, np.nan, np.float32), learnt) == 0


def test_tiles_like_those_fitted_on_hardly_ever_warn():
    """Scenes of tiles drawn from the same source as the training's."""
    learnt = band_quantiles(patches_of(60, seed=0).inputs)
    for seed in range(1, 6):
        pixels = to_bands(raw_patches(np.arange(20) % 2, seed))
        assert warning_of(drift_in(pixels, learnt)) is None


def sampled(inputs):
    """Every tile of a scene, (N, 12, 64, 64)."""
    scene = open_scene(inputs)
    return np.stack([scene.read(window) for window in Tiling(*scene.grid.shape).windows()])


def spoilt(pixels, how):
    """A scene read wrongly."""
    out = pixels.copy()
    radar = out[:, 4:]
    if how == "offset left in":
        out[:, :4] += 1000
    elif how == "offset twice":
        out[:, :4] -= 1000
    elif how == "a tenth":
        out[:, :4] /= 10
    elif how == "power as dB":
        radar[:] = 10 ** (radar / 10)
    elif how == "amplitude as power":
        radar /= 2
    elif how == "not calibrated":
        radar += 52
    elif how == "swapped":
        out[:, 4:] = pixels[:, [5, 4, 7, 6, 9, 8, 11, 10]]
    return out


WRONG = (
    *("offset left in", "offset twice", "a tenth"),
    *("power as dB", "amplitude as power", "not calibrated", "swapped"),
)


@pytest.fixture(scope="module")
def sample():
    """The tiles of the sample scene's upper left quarter."""
    radar = {
        role: (SAMPLE / f"s1_{role}.tif",)
        for role in ("desc_pre", "desc_post", "asc_pre", "asc_post")
    }
    scene = open_scene(SceneInputs(s2=(SAMPLE / "s2.tif",), **radar))
    tiling = Tiling(*scene.grid.shape)
    return np.stack([scene.read(tiling.window(row, col)) for row in range(8) for col in range(8)])


def test_the_sample_scene_is_usual(sample, shipped):
    drift = drift_in(sample, shipped)
    assert {band.likeness for band in drift.values()} == {"usual"}


@pytest.mark.parametrize("how", WRONG)
def test_the_sample_scene_read_wrongly_is_told(sample, shipped, how):
    told = warning_of(drift_in(spoilt(sample, how), shipped))
    sensor = "Sentinel-2's offset" if how in WRONG[:3] else "Sentinel-1's unit"
    assert sensor in told


@pytest.fixture(scope="module", params=["38D_378R_2_3", "433D_629L_3_1", "637U_59R_1_3"])
def real(request):
    """Tiles of a real scene."""
    folder = SCENES / "terramind"
    if not folder.is_dir():
        pytest.skip("no ../shared/data/scenes/terramind here")
    stack = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12")
    optical, radar = (folder / kind / f"{request.param}.tif" for kind in ("S2L2A", "S1RTC"))
    return sampled(SceneInputs(s2=(optical,), desc_post=(radar,), s2_bands=stack))


def test_real_scenes_are_not_unlike(real, shipped):
    drift = drift_in(real, shipped)
    assert len(drift) == 6
    assert "unlike" not in {band.likeness for band in drift.values()}


@pytest.mark.parametrize("how", WRONG)
def test_real_scenes_read_wrongly_are_told(real, shipped, how):
    assert warning_of(drift_in(spoilt(real, how), shipped)) is not None


def test_a_run_of_a_usual_scene_says_so(run, bundle):
    drift = run.meta["drift"]
    assert list(drift) == list(BAND_NAMES)
    assert {band["likeness"] for band in drift.values()} <= {"usual", "unusual"}
    assert run.meta["warnings"] == []
    assert drift["red"]["learnt"]["p50"] == pytest.approx(bundle.quantiles["red"][4], abs=1e-3)


@pytest.fixture(scope="module")
def bright(tmp_path_factory):
    """The small scene with an offset too little taken out, and no ascending pass."""
    raw = scene_numbers()
    raw[64:, :, :4] += 3000
    inputs = write_scene_files(tmp_path_factory.mktemp("bright"), raw)
    return replace(inputs, asc_pre=(), asc_post=())


def test_a_run_of_an_unlike_scene_warns_also_when_resumed(
    bright, bundle_path, tmp_path, monkeypatch
):
    for module in ("parts", "plan", "pace"):  # several parts
        monkeypatch.setattr(f"landslide_core.{module}.WIDTH", 128)
        monkeypatch.setattr(f"landslide_core.{module}.HEIGHT", 128)
    options = RunOptions(bundle_path, device="cpu", workers=1)
    whole = predict_scene(bright, options, tmp_path / "whole")
    drift = whole.meta["drift"]
    assert set(drift) == {name for name in BAND_NAMES if not name.startswith("asc")}
    assert [drift[name]["likeness"] for name in OPTICAL] == ["unlike"] * 4
    told = [line for line in whole.meta["warnings"] if "unlike what the model learnt" in line]
    assert len(told) == 1
    assert "all optical bands are far higher" in told[0]
    out = tmp_path / "run"
    with pytest.raises(RunStopped):
        predict_scene(
            bright, options, out, stop=lambda: len(list(out.glob("parts/part_*.json"))) > 0
        )
    again = resume_run(out)
    assert again.meta["drift"] == drift
    assert again.meta["warnings"] == whole.meta["warnings"]
    assert again.meta["sha256"] == whole.meta["sha256"]


def test_tiles_without_enough_data_do_not_count(run, scene_inputs, bundle):
    """The scene's drift is that of the eight tiles judged."""
    pixels = sampled(scene_inputs)
    judged = (run.tiles["verdict"] != "no_data").to_numpy()
    assert judged.sum() == 8
    assert record(drift_in(pixels[judged], bundle.quantiles)) == run.meta["drift"]
