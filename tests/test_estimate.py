"""What a run is said to take before it begins, and what its inputs are said to be worth."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from landslide_core.bands import BAND_NAMES, OPTICAL
from landslide_core.combinations import COMPLETE, PARTIAL, combination_of
from landslide_core.errors import NoMemory
from landslide_core.estimate import (
    START,
    USUAL,
    combination_of_bands,
    estimate,
    least_memory,
    measured,
    nearest,
    past_runs,
    unlike,
)
from landslide_core.features import table_features
from landslide_core.folder import Run
from landslide_core.grid import Grid, Window
from landslide_core.pace import DEFAULT_MEMORY, Pace
from landslide_core.plan import RunOptions
from landslide_core.readers.inputs import open_scene

CARD = {"energy": {"kwh": 0.01, "seconds": 3600.0}}  # 10 W


def grid(height: int, width: int) -> Grid:
    return Grid(GeoBox((height, width), Affine(10, 0, 500_000, 0, -10, 3_100_000), "EPSG:32645"))


def record(work: float, tiles: int, device: str = "cpu") -> dict[str, Any]:
    """A run's record: seconds of all workers on its tiles, after 2 s of opening."""
    return {
        "seconds": {"open": 2.0, "read": work / 2, "filter": 0.0, "ensemble": work / 2},
        "counts": {"stable": tiles - 1, "landslide": 1},
        "grid": {},
        "device": device,
    }


def options(**more: Any) -> RunOptions:
    return RunOptions(device="cpu", workers=2, **more)


def test_time_by_past_runs() -> None:
    # 640×1,280 pixels: 10×20 tiles; 30 s for 300 tiles in all are 0.1 s, for two workers half.
    found = estimate(grid(640, 1280), options(), [record(10, 100), record(20, 200)], CARD)
    assert found.tiles == 200
    assert found.seconds.likely == pytest.approx(2 + 200 * 0.1 / 2)
    assert (found.seconds.low, found.seconds.high) == (pytest.approx(8), pytest.approx(19))
    assert found.time_from == "the last 2 runs here"
    assert found.watt_hours.likely == pytest.approx(12 * 10 / 3600)
    assert found.power_from == (
        "10 W, the mean while the bundle was trained (measured, maybe on another machine)"
    )


def test_power_that_was_itself_estimated_is_called_so() -> None:
    card = {"energy": {**CARD["energy"], "method": "processor estimated: 8 W"}}
    found = estimate(grid(640, 1280), options(), [record(10, 100)], card)
    assert found.power_from.endswith("was trained (estimated, maybe on another machine)")


def test_half_overlap_has_almost_four_times_the_tiles() -> None:
    found = estimate(grid(640, 1280), options(stride=32), [record(10, 100)], CARD)
    assert found.tiles == 19 * 39
    assert found.seconds.likely == pytest.approx(2 + 19 * 39 * 0.1 / 2)


def test_the_range_holds_what_was_seen() -> None:
    found = estimate(grid(640, 1280), options(), [record(4, 100), record(90, 100)], CARD)
    assert found.seconds.low == pytest.approx(2 + 200 * 0.04 / 2)
    assert found.seconds.high == pytest.approx(2 + 200 * 0.9 / 2)


def test_small_runs_say_little_of_a_large_scene() -> None:
    found = estimate(grid(6400, 6400), options(), [record(10, 100)], CARD)
    assert found.seconds.low == pytest.approx(2 + 10_000 * USUAL["cpu"][1] / 2)
    assert "fewer tiles" in found.time_from


def test_without_runs_usual_figures_and_an_assumed_power() -> None:
    past = [record(10, 100, "cuda:0"), record(0, 0)]  # another device; nothing judged
    found = estimate(grid(640, 1280), options(), past, {})
    assert found.seconds.likely == pytest.approx(START[1] + USUAL["cpu"][1] * 200 / 2)
    assert "no run was made here" in found.time_from
    assert "assumed" in found.power_from
    assert found.watt_hours.likely == pytest.approx(found.seconds.likely * 2 * 10 / 3600)


@pytest.mark.parametrize("width", [1000, 10_980])
def test_memory_is_what_the_engine_plans(width: int) -> None:
    pace = Pace.of(DEFAULT_MEMORY, width, 2)
    least = least_memory(pace, DEFAULT_MEMORY, width)
    assert least <= DEFAULT_MEMORY
    assert Pace.of(least, width, 2) == pace
    with suppress(NoMemory):
        assert Pace.of(least - 1_000_000, width, 2) != pace
    assert estimate(grid(1000, width), options(), [], CARD).memory == least


def test_past_runs_newest_first_and_broken_ones_passed_over(made: Run, tmp_path: Path) -> None:
    for name, text in (("a", json.dumps(made.meta)), ("b", "{"), ("c", "[]"), ("d", "{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    assert past_runs(tmp_path) == [made.meta]
    found = estimate(made.grid(), options(), past_runs(tmp_path), {})
    assert found.tiles == sum(made.meta["counts"].values()) == 25
    assert found.time_from == "the one run made here"


def without(*gone: str) -> list[str]:
    return [name for name in BAND_NAMES if not name.startswith(gone)]


@pytest.mark.parametrize(
    "available",
    [
        list(BAND_NAMES),
        list(OPTICAL),
        without("asc"),
        without("red", "green", "blue", "nir"),
        without("desc_vv_pre", "desc_vh_pre"),
        without("asc", "desc_vv_pre", "desc_vh_pre"),
    ],
)
def test_combinations_are_those_of_the_tiles(available: list[str]) -> None:
    tiles = np.random.default_rng(0).normal(100, 5, (1, 12, 64, 64)).astype(np.float32)
    tiles[:, [i for i, name in enumerate(BAND_NAMES) if name not in available]] = np.nan
    assert [combination_of_bands(available)] == combination_of(table_features(tiles))


def test_broken_groups_and_images_that_tell_nothing() -> None:
    assert combination_of_bands(BAND_NAMES) == COMPLETE
    assert combination_of_bands(without("asc_vh_post")) == PARTIAL
    only_before = without("desc_vv_post", "desc_vh_post", "asc")
    assert combination_of_bands(only_before) == "visible+nir"
    assert combination_of_bands([]) == ""


def test_scores_of_a_combination() -> None:
    scores = {"auc": 0.9, "f1": 0.7, "recall": 0.8, "precision": 0.6, "n": 5}
    card = {"out_of_fold": {"combinations": {"visible+nir": scores}}}
    assert measured(card, "visible+nir") == {k: v for k, v in scores.items() if k != "n"}
    assert measured(card, COMPLETE) is None
    assert measured({}, COMPLETE) is None


def test_the_nearest_combination_with_scores_uses_nothing_that_is_not_there() -> None:
    def scored(auc: float) -> dict[str, float]:
        return {"auc": auc, "f1": 0.7, "recall": 0.8, "precision": 0.6}

    known = {
        "visible+nir": scored(0.92),
        "desc_post+desc_pre": scored(0.8),
        "visible+nir+desc_post+desc_pre": scored(0.97),
        COMPLETE: scored(0.99),
    }
    card = {"out_of_fold": {"combinations": known}}
    given = "visible+nir+desc_post+desc_pre+asc_post"
    assert nearest(card, given) == "visible+nir+desc_post+desc_pre"  # the most of it
    known.pop("visible+nir+desc_post+desc_pre")
    assert nearest(card, given) == "desc_post+desc_pre"  # of two, the one that does worse
    assert nearest(card, "asc_post") is None  # never one with more than is there
    assert nearest({}, COMPLETE) is None


def test_a_scene_unlike_what_was_learnt(made: Run) -> None:
    scene = open_scene(made.inputs())
    pixels = scene.read(Window(0, 0, scene.grid.height, scene.grid.width))
    shares = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
    own = {name: np.nanquantile(pixels[i], shares).tolist() for i, name in enumerate(BAND_NAMES)}
    assert unlike(scene, own) is None
    shifted = {**own, "red": [value + 5000 for value in own["red"]]}
    told = unlike(scene, shifted)
    assert told is not None
    assert "red is far lower" in told


def test_the_command(landslide: Any, made: Run) -> None:
    scene = made.folder.parents[1] / "scene"
    code, told, _ = landslide(
        *("estimate", "--s2", scene / "s2.tif", "--runs", made.folder.parent, "--json"),
        *("--bundle", made.bundle_path, "--device", "cpu", "--stride", "32"),
    )
    found = json.loads(told)
    assert (code, found["tiles"]) == (0, 81)  # 296 pixels: 9 tiles every 32
    assert found["time_from"] == "the one run made here"
    assert found["seconds"]["low"] < found["seconds"]["likely"] < found["seconds"]["high"]
