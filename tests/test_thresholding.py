"""Another threshold: what it calls, by hand and against the run's own scores; its panel."""

import json
import shutil
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from paging import open_page, quiet, texts
from shapely.geometry import box
from streamlit.testing.v1 import AppTest

from landslide_core.bands import BAND_NAMES
from landslide_core.errors import DatasetError
from landslide_core.folder import Run, open_run
from landslide_core.review.review import Review
from landslide_core.threshold import called, confusion, judged_probability, limits_of
from landslide_core.training.score import score_run, tiles_of_truth
from pages.parts import wording
from pages.parts.why import thresholding
from pages.parts.why.thresholding import REVIEWERS, truths

NAN = float("nan")


def judged(run: Run, verdict: str = "stable", probability: object = 0.0) -> Run:
    """The run with other verdicts and probabilities, in memory."""
    tiles = run.tiles.assign(verdict=verdict, probability=probability)
    other = Run(run.folder, run.meta)
    other.__dict__["tiles"] = tiles  # where a cached property is kept
    return other


def test_answers_against_labels_by_hand():
    chosen = np.array([True, True, True, False, False, True])
    found = confusion(chosen, np.array([1.0, 1, 0, 1, 0, NAN]))
    assert (found.hits, found.false_alarms, found.missed, found.rightly_no) == (2, 1, 1, 1)
    assert found.count == 5
    assert found.precision == found.recall == found.f1 == pytest.approx(2 / 3)
    nothing = confusion(np.zeros(2, bool), np.array([0.0, 0.0]))
    assert np.isnan([nothing.precision, nothing.recall, nothing.f1]).all()


def test_what_the_filter_dropped_is_never_called(run: Run):
    other = judged(run, probability=0.9)
    assert (judged_probability(other) == 0.9).all()
    assert (judged_probability(judged(run, "filtered_out", 0.9)) < 0).all()
    assert (judged_probability(judged(run, "no_data", NAN)) < 0).all()


def test_ground_ends_where_the_scene_does(run: Run, run_32: Run):
    """160 × 200 pixels of 10 m are 3.2 km², however many tiles hang over the edge or overlap."""
    for one in (run, run_32):
        everything = called(one, np.full(len(one.tiles), True))
        assert everything.km2 == pytest.approx(3.2)
        assert everything.groups == 1
        assert everything.tiles == len(one.tiles)
        assert called(one, np.full(len(one.tiles), False)).groups == 0


def test_tiles_that_touch_are_one_group(run: Run):
    chosen = np.zeros(len(run.tiles), bool)  # 3 × 4 tiles
    chosen[[0, 5]] = True  # corner to corner
    assert called(run, chosen).groups == 1
    chosen[3] = True  # two columns further
    found = called(run, chosen)
    assert found.groups == 2
    assert found.km2 == pytest.approx(2 * 0.4096 + 0.64 * 0.08)  # the last column is 8 px wide


def test_limits_are_those_of_the_inputs_that_are_there(run: Run):
    gone = [band for band in BAND_NAMES if "_" in band]
    fitted = {"filter_weight": 1.0, "lower": 0.1, "threshold": 0.2, "upper": 0.3}
    meta = {
        "missing_bands": gone,
        "calibration": {**run.meta["calibration"], "visible+nir": fitted},
    }
    assert limits_of(meta) == {"lower": 0.1, "threshold": 0.2, "upper": 0.3}
    assert limits_of({"missing_bands": []}) == {}


@pytest.fixture
def outlines(run: Run, tmp_path: Path) -> Path:
    """Outlines over the left half of the scene."""
    west, south, _, north = run.tiles.to_crs(run.grid().crs).total_bounds
    path = tmp_path / "truth.geojson"
    half = geopandas.GeoSeries([box(west, south, west + 1000, north)], crs=run.grid().crs)
    half.to_crs("EPSG:4326").to_file(path)
    return path


def test_truth_is_that_of_the_score(run: Run, outlines: Path):
    labels = tiles_of_truth(run, outlines)
    columns = run.tiles["col"].to_numpy()
    known = np.isfinite(labels)
    assert (known == (run.tiles["verdict"] != "no_data")).all()
    assert (labels[known] == (columns[known] <= 1)).all()  # 1,000 m: tiles 0 and 1 of 640 m
    scores = score_run(run, outlines)
    said = run.tiles["says_landslide"].to_numpy(bool)
    found = confusion(said, labels)
    assert found.count == scores["n"]
    assert found.hits + found.missed == scores["positives"]
    if said.any():
        assert found.precision == pytest.approx(scores["precision"])


@pytest.mark.parametrize(
    "content", [b"not a map", b'{"type": "FeatureCollection", "features": []}']
)
def test_a_file_without_outlines_is_refused(run: Run, tmp_path: Path, content: bytes):
    path = tmp_path / "truth.geojson"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="outlines of landslides are needed"):
        tiles_of_truth(run, path)


def threshold_of(page: AppTest) -> Any:
    return next(found for found in page.slider if found.label.startswith("Threshold"))


def against(page: AppTest) -> Any:
    return next(found for found in page.selectbox if found.label == "Score against")


def metrics(page: AppTest) -> dict[str, str]:
    return {found.label: found.value for found in quiet(page).metric}


class TestPanel:
    def test_it_starts_at_the_bundle_s_threshold_and_the_truth_beside_the_scene(
        self, with_run: Path
    ) -> None:
        page = quiet(open_page("decisions", run="tiny"))
        run = open_run(with_run / "tiny")
        slider = threshold_of(page)
        assert slider.value == pytest.approx(limits_of(run.meta)["threshold"])
        over = judged_probability(run) >= slider.value
        assert metrics(page)["Tiles called"] == str(int(over.sum()))
        assert against(page).value.endswith("/truth.geojson")
        scores = score_run(run, next(iter(truths(run).values())))
        assert f"n = {scores['n']:,}" in texts(page)
        assert metrics(page)["Recall"] == wording.number(scores["recall"])
        assert "honest figure only" in texts(page)
        slider.set_value(0.0).run()
        passed = ~run.tiles["verdict"].isin(("filtered_out", "no_data"))
        assert metrics(page)["Tiles called"] == str(int(passed.sum()))

    def test_without_truth_it_says_how_to_bring_some(
        self, with_run: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(thresholding, "truths", lambda run: {})
        page = quiet(open_page("decisions", run="tiny"))
        assert "no truth to score against" in texts(page)
        assert "Precision" not in metrics(page)

    def test_it_scores_against_what_reviewers_said(self, with_run: Path) -> None:
        run = open_run(with_run / "tiny")
        review = Review.of(run)
        passed = run.tiles["tile_id"][~run.tiles["verdict"].isin(("filtered_out", "no_data"))]
        for tile, label in zip(passed, ("landslide", "stable", "unsure"), strict=False):
            review.relabel(int(tile), "Ada", label)
        page = quiet(open_page("decisions", run="tiny"))
        against(page).set_value(REVIEWERS).run()
        threshold_of(page).set_value(0.0).run()
        assert metrics(page)["Precision"] == "0.50"
        assert metrics(page)["Recall"] == "1.00"
        assert "n = 2" in texts(page)
        assert "Partial truth: the 2 tiles" in texts(page)

    def test_outlines_of_the_data_folder_and_what_is_none(
        self, with_run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        run, data = open_run(with_run / "tiny"), tmp_path / "data"
        shutil.copytree(run.folder, data / "a run")  # its tiles are no truth
        run.tiles[["geometry"]].dissolve().to_file(data / "scars.geojson")
        (data / "broken.geojson").write_text("{")
        monkeypatch.setenv("LANDSLIDE_DATA", str(data))
        names = list(truths(run))
        assert [Path(n).name for n in names] == ["truth.geojson", "broken.geojson", "scars.geojson"]
        page = quiet(open_page("decisions", run="tiny"))
        against(page).set_value(names[1]).run()
        assert "does not read as" in quiet(page).error[0].value
        against(page).set_value(names[2]).run()
        assert metrics(page)["Precision"] in ("1.00", "–")
        assert not page.error

    def test_a_run_of_which_nothing_was_calibrated(self, with_run: Path) -> None:
        record = with_run / "tiny" / "run.json"
        meta = json.loads(record.read_text())
        del meta["calibration"]
        record.write_text(json.dumps(meta))
        assert threshold_of(quiet(open_page("decisions", run="tiny"))).value == 0.5
