"""Figures, tables and sentences of the Model card page, of cards worked out by hand."""

import math

import plotly.graph_objects as go
import pytest
from test_card import bare_card, full_card

from landslide_core.training.curves import threshold_counts
from pages.parts import theme
from pages.parts.model import curves, phrases, plots, reliability, tables, worth


@pytest.fixture(autouse=True, params=[False, True], ids=["light", "dark"])
def dark(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Either theme; outside a page there is no browser to ask."""
    monkeypatch.setattr(theme, "is_dark", lambda: request.param)
    return bool(request.param)


def trace(figure: go.Figure, name: str) -> go.Scatter:
    """The last trace of a name: of a fold's and the whole's, the whole's."""
    return [found for found in figure.data if found.name == name][-1]


def rows(**other: object) -> dict:
    """Ten tiles, three with a landslide."""
    labels, scores = [1, 1, 0, 1, 0, 0, 0, 0, 0, 0], [x / 10 for x in range(10, 0, -1)]
    counts = threshold_counts(labels, scores, 100)
    return {
        "pooled": {"n": 10, "positives": 3, "auc": 0.95, "average_precision": 0.9},
        "thresholds": {"probability": counts, "folds": [counts, counts], "filter": counts},
        "confusion": [[6, 1], [1, 2]],
        "filter": {"recall": 1.0, "dropped_fraction": 0.6, "positives": 3, "n": 10},
        "verdicts": {
            "verdicts": {
                "landslide": {"tiles": 2, "landslides": 2},
                "uncertain": {"tiles": 2, "landslides": 1},
                "stable": {"tiles": 0, "landslides": 0},
                "filtered_out": {"tiles": 6, "landslides": 0},
                "no_data": {"tiles": 0, "landslides": 0},
            },
            "missed": 0.0,
            "false_alarm": 0.0,
            "uncertain": 0.2,
        },
        **other,
    }


class TestThresholds:
    def test_precision_over_recall(self):
        figure = curves.precision_recall(rows())
        whole = trace(figure, "All rows")
        assert list(whole.x)[:4] == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1])
        assert list(whole.y)[:4] == pytest.approx([1, 1, 2 / 3, 3 / 4])
        assert list(whole.customdata)[:2] == [1.0, 0.9]
        assert sum(found.name == "Each fold" for found in figure.data) == 2
        assert list(trace(figure, "Guessing").y) == [0.3, 0.3]

    def test_the_working_points(self):
        figure = curves.precision_recall(rows())
        for name, recall, precision in (
            ("Yes/no answer", 2 / 3, 2 / 3),
            ("Verdict landslide", 2 / 3, 1.0),
            ("Landslide or uncertain", 1.0, 3 / 4),
        ):
            point = trace(figure, name)
            assert (*point.x, *point.y) == pytest.approx((recall, precision)), name
        point = trace(curves.roc(rows()), "Landslide or uncertain")
        assert (*point.x, *point.y) == pytest.approx((1 / 7, 1.0))

    def test_the_filters_own_place(self):
        figure = curves.trade_off(rows())
        assert (*trace(figure, "As fitted").x, *trace(figure, "As fitted").y) == (0.6, 1.0)
        curve = trace(figure, "Any threshold")
        assert list(curve.x)[:4] == pytest.approx([0.9, 0.8, 0.7, 0.6])

    def test_a_card_without_verdicts_has_no_marks_of_them(self):
        found = rows()
        del found["verdicts"], found["confusion"]
        names = {found.name for found in curves.roc(found).data}
        assert names == {"Each fold", "All rows", "Guessing"}


class TestAnswers:
    def test_the_matrix_names_counts_and_shares_of_the_row(self):
        figure = plots.confusion([[6, 1], [1, 2]])
        (heat,) = figure.data
        assert [list(row) for row in heat.customdata] == [[2, 1], [1, 6]]
        assert heat.z[0] == pytest.approx([2 / 3, 1 / 3])
        assert [note.text for note in figure.layout.annotations][3] == "<b>6</b><br>85.7 %"

    def test_verdicts_without_a_tile_are_left_out(self):
        (heat,) = plots.verdicts(rows()["verdicts"]).data
        assert list(heat.x) == ["Landslide", "Uncertain", "Filtered out"]
        assert [list(row) for row in heat.customdata] == [[2, 1, 0], [0, 1, 6]]

    def test_letters_stand_out_from_their_cell(self, dark: bool):
        notes = plots.confusion([[100, 0], [50, 50]]).layout.annotations
        full = next(note for note in notes if ">100<" in note.text)
        empty = next(note for note in notes if ">0<" in note.text)
        assert full.font.color == ("#17242e" if dark else "#ffffff")
        assert empty.font.color == ("#e6edf2" if dark else "#17242e")


def test_folds_are_dots_with_their_mean():
    folds = [{"f1": 0.8, "auc": 0.9}, {"f1": 0.9, "auc": math.nan}]
    figure = plots.folds(folds)
    assert list(trace(figure, "One fold").x) == [0.8, 0.9, 0.9]
    assert list(trace(figure, "Mean ± standard deviation").x) == pytest.approx([0.85, 0.9])


def test_boosting_is_taken_off_fold_by_fold():
    figure = worth.differences([{"f1": 0.9}, {"f1": 0.7}], [{"f1": 0.8}, {"f1": 0.8}])
    assert list(trace(figure, "One fold").x) == pytest.approx([0.1, -0.1])
    assert list(trace(figure, "Mean ± standard deviation").x) == pytest.approx([0.0])


def test_combinations_are_ordered_and_named_for_people():
    parts = {"visible": {"f1": 0.5, "auc": 0.7}, "visible+nir": {"f1": 0.6, "auc": 0.8}}
    figure = worth.combinations(parts, {"f1": 0.55, "auc": 0.75})
    assert list(trace(figure, "F1").y) == [
        "Optical without NIR", "Everything, boosting alone", "Optical",
    ]  # fmt: skip
    assert list(trace(figure, "AUC").x) == [0.7, 0.75, 0.8]


def test_every_figure_of_a_whole_card_can_be_drawn():
    card = full_card()
    found = card["out_of_fold"]
    figures = [
        plots.folds(found["folds"]),
        reliability.reliability(found["reliability"]),
        reliability.risk_coverage(found["risk_coverage"]),
        worth.combinations(found["combinations"], found["boosting"]["pooled"]),
        worth.training(card["curves"]),
        worth.energy(phrases.everyday(card["energy"])),
    ]
    for figure in figures:
        assert figure.to_json()
        titles = [axis.title.text for axis in figure.select_xaxes() if axis.title.text]
        assert titles, figure.data[0].name  # no axis without its name
    bins = trace(figures[1], "Observed, 95 % interval")
    first = found["reliability"][0]
    assert bins.error_y.array[0] == pytest.approx(first["high95"] - first["observed"])
    assert list(trace(figures[4], "Training rows").y) == pytest.approx(
        [1 / epoch for epoch in range(1, 6)]
    )


class TestWords:
    def test_the_limits_come_first_where_pixels_are_invented(self):
        said = phrases.limits(full_card())
        assert said.startswith("**Nobody knows how well it does on real scenes.**")
        assert "5,717" in said
        assert "80 tiles of real optical pixels" in said
        assert "Nobody knows" not in phrases.limits(bare_card())

    def test_what_is_promised_stands_beside_what_was_measured(self):
        card = full_card()
        card["out_of_fold"]["verdicts"] |= {"missed": 0.034, "false_alarm": 0.015}
        said = phrases.strengths(card)
        assert "at most 2 % of landslide tiles" in said
        assert said.endswith("measured 3.4 % and 1.5 %.")
        assert "Promised" not in phrases.strengths(bare_card())

    def test_energy(self):
        said = phrases.energy(full_card()["energy"])
        assert said.startswith("0.314 kWh in 2.5 hours of two cores, or 105 g CO₂ equivalent")
        assert "0.334 kg a kWh (Norway)" in said


class TestTables:
    def test_folds_then_their_mean_then_all_rows(self):
        table = tables.folds(full_card()["out_of_fold"])
        assert table["Fold"].tolist() == ["1", "2", "3", "mean", "deviation", "all rows"]
        assert table["f1"][3] == pytest.approx(table["f1"][:3].mean())
        assert table["f1"][4] == pytest.approx(table["f1"][:3].std())

    def test_error_rates_have_intervals(self):
        table = tables.errors(rows()["verdicts"], 0.02)
        assert table["95 % interval"][0] == "0.0 % – 56.1 %"  # Wilson, 0 of 3
        assert table["Aimed at"].tolist() == ["at most 2.0 %", "at most 2.0 %", "–"]

    def test_models_side_by_side(self):
        table = tables.models({"a": full_card(), "b": {"name": "b"}})
        assert table["Model"].tolist() == ["a", "b"]
        assert table["kwh"][0] == 0.314
        assert math.isnan(table["f1"][1])
