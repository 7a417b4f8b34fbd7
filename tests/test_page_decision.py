"""The Decision page: empty, loaded and failing; what it explains."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from paging import get, open_page, quiet, some_tile, texts
from streamlit.testing.v1 import AppTest

from landslide_core.bundle import load_bundle
from landslide_core.calibration import Calibration
from landslide_core.combinations import COMPLETE
from landslide_core.ensemble import cast_votes, heat_map
from landslide_core.errors import RunDamaged
from landslide_core.explain import explain_tile
from landslide_core.explanation import ErrorRates, TileExplanation, Weighing
from landslide_core.features import LAYERS, STATISTICS, filter_feature_names
from landslide_core.folder import Run, open_run
from landslide_core.grid import Tiling
from landslide_core.judgement import ORDER
from landslide_core.learnt import Learnt
from landslide_core.neighbours import Neighbour, Neighbourhood, neighbourhood
from landslide_core.preprocess import model_input
from landslide_core.readers.inputs import open_scene
from landslide_core.tiles import read_tiles
from pages.parts import wording
from pages.parts.why import neighbours, reasons
from pages.parts.why.filter_chart import filter_chart
from pages.parts.why.waterfall import waterfall

PASSES = ("Ascending minus descending, VV after: standard deviation", "−0.5 dB")
FIT = Calibration(0.5, 0.25, -1.0, threshold=0.43, lower=0.06, upper=0.61)
# 0.5 × 2 − 0.25 × 4 − 1 = −1 log-odds
WEIGHING = Weighing(COMPLETE, COMPLETE, FIT, filter_odds=2.0, votes_odds=-4.0)


class TestDecision:
    def test_empty(self, home: Path) -> None:
        page = quiet(open_page("decisions"))
        assert "no run yet" in texts(page)

    def test_loaded(self, with_run: Path) -> None:
        page = quiet(open_page("decisions", run="tiny", tile="7"))
        assert page.number_input[0].value == 7
        assert page.query_params["tile"] == "7"
        assert "Simulated data" in page.title[0].value
        shown = texts(page)
        for heading in (
            "What the satellites saw",
            "How the probability came about",
            "What the filter made of it",
            "Speaks against",
            "What the ensemble voted",
            "Where in the tile",
            "Which inputs moved it",
            "Without the optical bands",
            "What lies around it",
        ):
            assert heading in shown
        assert "2 members looked at the tile 8 ways each" in shown
        assert "a version that did not keep it" in shown  # the tiny bundle knows no rows

    def test_a_tile_that_is_not_there_is_said(self, with_run: Path) -> None:
        page = quiet(open_page("decisions", run="tiny", tile="999"))
        assert "has no tile 999" in page.warning[0].value
        assert page.query_params["tile"] != "999"

    def test_what_a_tile_lacks_and_what_the_scene_lacks(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        missing = [f"asc_{pol}_{time}" for pol in ("vv", "vh") for time in ("pre", "post")]

        def script() -> None:
            import json
            import os

            import numpy as np

            from pages.parts.look import previews

            nothing = np.full((12, 64, 64), np.nan, np.float32)
            missing = json.loads(os.environ["MISSING"])
            previews.bands_of_tile(nothing, np.zeros((64, 64), bool), missing, "brightness")

        monkeypatch.setenv("MISSING", json.dumps(missing))
        page = quiet(AppTest.from_function(script, default_timeout=60).run())
        said = [found.value for found in page.caption]
        assert said == ["No data in this tile."] * 2 + ["Not in this scene."]

    def test_moving_to_a_neighbour(self, with_run: Path) -> None:
        page = open_page("decisions", run="tiny", tile="7")  # 5 × 5 tiles
        near = {found.key: found for found in page.button if str(found.key).startswith("go-")}
        assert set(near) == {f"go-{i}" for i in (1, 2, 3, 6, 7, 8, 11, 12, 13)}
        assert near["go-7"].disabled
        near["go-13"].click().run()
        assert quiet(page).number_input[0].value == 13
        assert page.query_params["tile"] == "13"

    def test_a_tile_in_the_corner_has_three_neighbours(self, with_run: Path) -> None:
        page = quiet(open_page("decisions", run="tiny", tile="0"))
        assert "the 3 tiles that touch it" in texts(page).lower()
        assert texts(page).count("Beyond the scene") == 5

    def test_what_weighed_in_the_picture(self, with_run: Path) -> None:
        page = open_page("decisions", run="tiny", tile="7")
        shown = next(c for c in page.get("button_group") if "Heat map" in str(c.proto))
        shown.set_value("What weighed in the picture").run()
        assert "go to any tile" in texts(quiet(page))

    def test_stepping_through_tiles(self, with_run: Path) -> None:
        page = open_page("decisions", run="tiny")
        assert page.button[0].disabled  # nothing is more probable than the first
        first = page.number_input[0].value
        page.button[1].click().run()
        assert quiet(page).number_input[0].value != first
        page.button[0].click().run()
        assert quiet(page).number_input[0].value == first

    def test_a_tile_that_is_not_there(self, with_run: Path) -> None:
        quiet(open_page("decisions", run="tiny", tile="9" * 5000))  # more digits than int takes
        page = quiet(open_page("decisions", run="tiny", tile="9999"))
        assert page.number_input[0].value < 25

    def test_bundle_gone(self, with_run: Path) -> None:
        record = with_run / "tiny" / "run.json"
        record.write_text(record.read_text().replace("models/default", "models/away"))
        page = quiet(open_page("decisions", run="tiny"))
        assert "models/away" in page.error[0].value

    def test_changed_inputs(self, with_run: Path) -> None:
        record = with_run / "tiny" / "run.json"
        meta = json.loads(record.read_text())
        meta["inputs"][0]["bytes"] += 1
        record.write_text(json.dumps(meta))
        page = quiet(open_page("decisions", run="tiny"))
        assert "has changed since the run was made" in page.error[0].value
        page = quiet(open_page("detect", run="tiny"))
        assert "has changed since the run was made" in page.warning[0].value
        assert get("/overlay/tiny/true-colour.webp")[0] == 404


class TestExplanation:
    def test_inputs_gone(self, made: Run) -> None:
        gone = [{**made.meta["inputs"][0], "path": "/nowhere/s2.tif"}]
        with pytest.raises(RunDamaged, match="is not there any more"):
            explain_tile(Run(made.folder, {**made.meta, "inputs": gone}), 1)

    @pytest.mark.parametrize("verdict", ["judged", "filtered_out"])
    def test_its_parts_make_the_votes_of_the_ensemble(self, made: Run, verdict: str) -> None:
        """Also those that were never cast, as the filter dropped the tile."""
        tile = some_tile(made, verdict)
        why = explain_tile(made, tile)
        bundle, scene = load_bundle(made.bundle_path), open_scene(made.inputs())
        tiling = Tiling(scene.grid.height, scene.grid.width, made.meta["stride"])
        inputs = model_input(*read_tiles(scene, [tiling.window(*divmod(tile, tiling.cols))]))
        cpu = torch.device("cpu")
        np.testing.assert_allclose(
            why.votes, cast_votes(bundle.members, inputs, cpu).votes[0], atol=1e-5
        )
        np.testing.assert_allclose(why.heat, heat_map(bundle.members, inputs, cpu)[0], atol=1e-5)
        assert np.ptp(why.picture, axis=1).min() > 0  # views differ in the picture alone

    def test_it_adds_up_to_the_run_s_probability(self, made: Run) -> None:
        tile = some_tile(made, "judged")
        why, row = explain_tile(made, tile), made.tiles.set_index("tile_id").loc[tile]
        assert why.weighing is not None
        assert why.weighing.combination == why.weighing.calibrated_for == COMPLETE
        assert why.weighing.probability == pytest.approx(row["probability"], abs=1e-5)
        assert why.says_landslide == row["says_landslide"] == (row["probability"] >= 0.5)
        asked = list(ORDER[: row["votes_cast"] // len(why.votes)])
        assert why.votes[0, asked].mean() == pytest.approx(row["member_00"], abs=1e-5)

    def test_a_dropped_tile_keeps_the_filter_s_score(self, made: Run) -> None:
        why = explain_tile(made, some_tile(made, "filtered_out"))
        assert why.probability == pytest.approx(why.filter_score, abs=1e-6)
        assert why.filter_score < why.filter_threshold
        assert not why.says_landslide
        assert why.weighing is not None
        assert why.weighing.probability != pytest.approx(why.probability, abs=1e-4)

    def test_without_data_nothing_is_weighed(self, with_run: Path) -> None:
        table = with_run / "tiny" / "tiles.parquet"
        open_run(with_run / "tiny").tiles.assign(verdict="no_data").to_parquet(table)
        why = explain_tile(open_run(with_run / "tiny"), 3)
        assert why.weighing is None
        assert np.isnan(why.votes).all()
        assert np.isnan(why.heat).all()
        shown = texts(quiet(open_page("decisions", run="tiny", tile="3")))
        assert "What the satellites saw" in shown
        assert "How the probability came about" not in shown

    def test_a_run_of_an_earlier_version_is_refused(self, with_run: Path) -> None:
        table = with_run / "tiny" / "tiles.parquet"
        open_run(with_run / "tiny").tiles.drop(columns="votes_cast").to_parquet(table)
        with pytest.raises(RunDamaged, match="an earlier version wrote it"):
            explain_tile(open_run(with_run / "tiny"), 3)
        for name in ("detect", "decisions"):
            page = quiet(open_page(name, run="tiny"))
            assert "Run the detection again" in page.error[0].value
            assert not page.metric


def explanation(verdict: str, score: float = 0.4, threshold: float = 0.02) -> TileExplanation:
    statistics = np.full(10, 2, np.float32)
    statistics[8:] = -2
    return TileExplanation(
        votes_cast=80,
        pixels=np.zeros((12, 64, 64), np.float32),
        cloud=np.zeros((64, 64), np.bool_),
        features=pd.DataFrame(np.zeros((len(LAYERS), len(STATISTICS))), LAYERS, STATISTICS),
        contributions=[],
        bias=0.0,
        filter_score=score,
        filter_threshold=threshold,
        statistics=statistics,
        picture=np.full((10, 8), 0.5, np.float32),
        heat=np.zeros((32, 32), np.float32),
        member_thresholds=np.full(10, 0.5, np.float32),
        views=("0°",) * 8,
        weighing=None if verdict == "no_data" else WEIGHING,
        rates=ErrorRates(promised=0.02, missed=0.0143, false_alarm=0.0),
        learnt=None,
        verdict=verdict,
        says_landslide=verdict == "landslide",
        probability=0.76,
        spread=0.28,
    )


def test_measurements_in_words() -> None:
    table = wording.measurements(explanation("stable").features)
    assert table.shape == (len(LAYERS), len(STATISTICS))
    assert table.index.is_unique
    assert not [text for text in (*table.index, *table.columns) if "_" in text]
    assert {"10 % quantile", "NDVI", "Descending VV − VH before"} <= {*table.index, *table.columns}


def test_verdicts_in_words() -> None:
    said = reasons.verdict(explanation("landslide"))
    assert said.startswith("The probability is 0.76, at or over the limit of 0.61. Of stable tiles")
    assert "at most 2 % are called landslide" in said
    said = reasons.verdict(explanation("stable"))
    assert "under the limit of 0.06" in said
    assert said.endswith("at most 2 % are called stable or filtered out.")
    said = reasons.verdict(explanation("uncertain"))
    assert "between the limits of 0.06 and 0.61" in said
    assert said.endswith("parted at 0.43, would be no.")
    dropped = reasons.verdict(explanation("filtered_out", 0.0123))
    assert dropped.startswith("The negative filter gave 0.012, under its threshold of 0.02")
    assert "64 of 80 votes" in dropped
    assert dropped.endswith("the probability would be 0.27.")  # 1 / (1 + e)
    assert "Too few valid pixels" in reasons.verdict(explanation("no_data"))
    assert "drops nothing" in reasons.filter_sentence(explanation("stable", 0.4, -np.inf))


def test_votes_that_say_otherwise_are_reconciled() -> None:
    said = reasons.ensemble_sentence(explanation("stable"))  # 0.27, under 0.43
    assert "64 of 80 votes reach" in said
    assert "the votes' log-odds count 0.25 times, the filter's 0.50 times" in said
    sure = replace(WEIGHING, votes_odds=4.0)
    assert "count" not in reasons.ensemble_sentence(replace(explanation("stable"), weighing=sure))


def test_the_probability_s_parts_in_a_table() -> None:
    lines = reasons.weighing_table(explanation("stable"), WEIGHING).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    assert cells == [
        ["Filter, score 0.40", "+2.00", "0.50", "+1.00"],
        ["Mean of 80 votes", "−4.00", "0.25", "−1.00"],
        ["Bias", "", "", "−1.00"],
        ["**Probability 0.27**", "", "", "**−1.00**"],
    ]


def test_the_waterfall_ends_at_the_sum_and_marks_the_limits() -> None:
    figure = waterfall(WEIGHING)
    assert list(figure.data[0].x) == [1.0, -1.0, -1.0, -1.0]
    lines = [shape.x0 for shape in figure.layout.shapes if shape.type == "line"]
    assert lines == pytest.approx([-2.7515, -0.2819, 0.4473], abs=1e-4)  # ln(p / (1 − p))
    zones = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert [zone.x1 for zone in zones[:-1]] == pytest.approx([lines[0], lines[2]])
    assert len({zone.fillcolor for zone in zones}) == 3
    low, high = figure.layout.xaxis.range
    assert low < min(lines)
    assert high > 1.0


LEARNT = Learnt.of(
    pd.DataFrame({"red_mean": np.arange(101.0), "nir_mean": np.arange(101.0)}),
    (np.arange(101) > 60).astype(int),
)
REASONS = [("red_mean", 90.0, 1.5), ("nir_mean", 10.0, -0.5), ("blue_mean", 3.0, 0.25)]


def test_the_filter_s_way_ends_at_its_score() -> None:
    others = [(f"green_{i}", 0.0, 0.1) for i in range(20)]
    why = replace(
        explanation("stable", 0.7), bias=-1.0, learnt=LEARNT, contributions=[*REASONS, *others]
    )
    way = filter_chart(why).data[0]
    assert way.x[0] == -1.0
    assert way.x[-1] == pytest.approx(-1 + 1.5 - 0.5 + 0.25 + 2.0)
    assert sum(way.x[:-1]) == pytest.approx(way.x[-1])
    assert list(way.measure[:2]) == ["absolute", "relative"]
    assert way.measure[-1] == "total"
    labels = filter_chart(why).layout.yaxis.ticktext
    assert labels[1] == "Red: mean<br>0.009 reflectance, higher than 90 %"
    assert labels[-2] == "All other 15 features"
    limit = [shape.x0 for shape in filter_chart(why).layout.shapes]
    assert limit == pytest.approx([np.log(0.02 / 0.98)], abs=1e-3)


def test_each_value_lies_among_the_rows_of_either_label() -> None:
    figure = filter_chart(replace(explanation("stable"), learnt=LEARNT, contributions=REASONS))
    tile = figure.data[-1]
    assert tile.name == "This tile"
    assert list(tile.x) == pytest.approx([90, 10])  # of blue nothing is known
    assert list(tile.y) == [1, 2]
    thick = {one.name: one for one in figure.data[1:-1] if one.showlegend}
    assert list(thick["Landslide rows"].x[:2]) == pytest.approx([70.75, 90.25], abs=0.5)
    assert list(thick["Other rows"].x[:2]) == pytest.approx([15, 45], abs=0.5)
    assert len(filter_chart(replace(explanation("stable"), contributions=REASONS)).data) == 1


def test_the_strongest_reasons_each_way() -> None:
    why = replace(explanation("stable"), learnt=LEARNT, contributions=REASONS)
    speaks, against = reasons.strongest(why)
    assert speaks.splitlines() == [
        "- **Red: mean** 0.009 reflectance, higher than 90 % of the training rows (+1.50)",
        "- **Blue: mean** 0.000 reflectance (+0.25)",
    ]
    assert against == (
        "- **Near infrared: mean** 0.001 reflectance, lower than 90 % of the training rows (−0.50)"
    )
    assert reasons.strongest(explanation("stable")) == ("- nothing", "- nothing")


def test_by_how_much_the_filter_decided() -> None:
    kept = reasons.filter_sentence(explanation("stable", 0.5, 0.2))
    assert "is over the threshold 0.20 by 1.39 log-odds" in kept  # ln 4
    assert "**went on**" in kept
    assert "**dropped**" in reasons.filter_sentence(explanation("filtered_out", 0.1, 0.2))


def _around(verdicts: list[str], group: int) -> Neighbourhood:
    ones = [Neighbour(i, verdict, 0.5) for i, verdict in enumerate(verdicts)]
    return Neighbourhood((tuple(ones[:3]), tuple(ones[3:6]), tuple(ones[6:])), group)


def test_whether_a_tile_is_alone() -> None:
    lonely = ["stable"] * 9
    lonely[4] = "landslide"
    said = neighbours.alone(_around(lonely, 1))
    assert "stands alone" in said
    assert "Of the 8 tiles that touch it: 8 stable." in said
    lonely[0] = "uncertain"
    assert "one of 2 landslide or uncertain tiles" in neighbours.alone(_around(lonely, 2))
    assert "alone" not in neighbours.alone(_around(["stable"] * 9, 0))


def test_a_group_hangs_together_by_edges_and_corners(made: Run) -> None:
    verdicts = np.full(25, "stable", object)  # 5 × 5 tiles
    verdicts[[0, 6, 7, 24]] = "landslide"
    run = Run(made.folder, made.meta)
    run.__dict__["tiles"] = made.tiles.assign(verdict=verdicts)
    assert neighbourhood(run, 7).group == 3
    assert neighbourhood(run, 24).group == 1
    assert neighbourhood(run, 12).group == 0
    wide = neighbourhood(run, 7, reach=2)
    assert [one.tile if one else None for one in wide.rows[0]] == [None] * 5
    assert [one.tile if one else None for one in wide.rows[2]] == [5, 6, 7, 8, 9]
    assert [one.tile for one in wide.near] == [1, 2, 3, 6, 8, 11, 12, 13]


def test_a_limit_of_nought_draws_no_line() -> None:
    never = replace(WEIGHING, calibration=replace(FIT, lower=0.0))
    texts_drawn = [note.text for note in waterfall(never).layout.annotations]
    assert texts_drawn == ["yes from 0.43", "landslide from 0.61"]
    assert "Nothing is called stable" in reasons.limits(never)
    assert "up to the filter alone" in reasons.promise(explanation("stable"), never)


def test_only_what_was_promised_is_said() -> None:
    why = explanation("stable")
    said = reasons.promise(why, WEIGHING)
    assert said.endswith("Measured out of fold, with all inputs there: 1.4 % and 0 %.")
    nothing = ErrorRates(None, None, None)
    assert "does not say" in reasons.promise(replace(why, rates=nothing), WEIGHING)
    assert "at most" not in reasons.verdict(replace(why, rates=nothing))
    borrowed = replace(WEIGHING, combination="partial")
    assert "those of complete ones" in reasons.limits(borrowed)
    assert reasons.promise(why, borrowed) == "No error rates are promised for these inputs."
    assert "at most" not in reasons.verdict(replace(why, weighing=borrowed))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("red_mean", 512.0, ("Red: mean", "0.051 reflectance")),
        ("desc_vv_diff_std", 2.04, ("Descending VV change: standard deviation", "2.0 dB")),
        ("asc_ratio_post_mean", -6.5, ("Ascending VV − VH after: mean", "−6.5 dB")),
        ("passes_vh_diff_mean", 0.5, ("Ascending minus descending, VH change: mean", "0.5 dB")),
        ("red_nir_contrast", -0.3, ("Red to near infrared: contrast", "−0.30")),
        ("ndvi_max", 0.81, ("NDVI: highest value", "0.810")),
        ("new_thing_mean", 2.0, ("New thing: mean", "2.0")),
        ("desc_vh_change", 1.5, ("Descending VH: roughness of change ÷ roughness after", "1.50")),
        ("bndvi_dn_mean", 0.314, ("Blue NDVI (on digital numbers): mean", "0.314")),
        ("ndwi_dn_range", 0.2, ("NDWI (on digital numbers): range", "0.200")),
        ("nir_range", 1500.0, ("Near infrared: range", "0.150 reflectance")),
        ("passes_vv_post_std", -0.5, PASSES),
        ("nir_skew", float("nan"), ("Near infrared: skewness", "no data")),
    ],
)
def test_features_in_words(name: str, value: float, words: tuple[str, str]) -> None:
    assert (wording.feature(name), wording.feature_value(name, value)) == words


def test_every_filter_feature_has_words_of_its_own() -> None:
    names = filter_feature_names()
    words = [wording.feature(name) for name in names]
    assert len(set(words)) == len(names)
    assert not [text for text in words if "_" in text or not text[0].isupper()]
