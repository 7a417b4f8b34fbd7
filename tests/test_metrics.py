"""Scores behind the model card, against values worked out by hand."""

import json

import numpy as np
import pytest

from landslide_core.training.intervals import fold_spread, paired_difference, wilson
from landslide_core.training.metrics import (
    confusion,
    expected_calibration_error,
    reliability,
    risk_coverage,
    risk_coverage_area,
    verdict_table,
)


def test_reliability_by_hand():
    labels = np.array([0, 0, 1, 1, 1])
    low, high = reliability(labels, np.array([0.05, 0.09, 0.02, 0.9, 1.0]))
    assert (low["low"], low["high"], low["count"]) == (0, 0.1, 3)
    assert (high["low"], high["high"], high["count"]) == (0.9, 1, 2)  # 1.0 has no bin of its own
    assert low["predicted"] == pytest.approx(0.16 / 3)
    assert low["observed"] == pytest.approx(1 / 3)
    assert (high["observed"], high["high95"]) == (1, 1)


def test_wilsons_interval_is_the_one_of_the_textbook():
    # Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29 (method 3).
    for hits, count, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        assert wilson(hits, count) == pytest.approx((low, high), abs=5e-5)
    assert wilson(20, 20) == pytest.approx((1 - 0.1611, 1.0), abs=5e-5)


def test_reliability_and_calibration_error_are_of_one_mind():
    rng = np.random.default_rng(0)
    probability = rng.random(500).round(1)  # on the bins' edges, where rounding bites
    labels = (rng.random(500) < probability**2).astype(int)
    bins = reliability(labels, probability)
    assert sum(found["count"] for found in bins) == 500
    assert [found["predicted"] for found in bins[:4]] == pytest.approx([0, 0.1, 0.2, 0.3])
    gap = sum(abs(b["observed"] - b["predicted"]) * b["count"] for b in bins) / 500
    assert expected_calibration_error(labels, probability) == pytest.approx(gap)


def test_adaptive_bins_hold_equally_many_tiles():
    probability = np.linspace(0, 1, 1000) ** 6  # most near 0
    labels = np.zeros(1000, int)
    adaptive = reliability(labels, probability, adaptive=True)
    assert [found["count"] for found in adaptive] == [100] * 10
    assert reliability(labels, probability)[0]["count"] > 600
    assert all(b["low"] <= b["predicted"] <= b["high"] for b in adaptive)


@pytest.mark.parametrize("probability", [[0.3] * 8, [0.1] * 6 + [0.9] * 2])
def test_adaptive_bins_never_part_equal_probabilities(probability):
    bins = reliability(np.ones(8, int), np.array(probability), adaptive=True)
    assert [b["count"] for b in bins] == [probability.count(p) for p in sorted(set(probability))]


def test_risk_coverage_by_hand():
    labels = np.array([1] * 5 + [0] * 5)
    says = np.array([1, 1, 1, 1, 0, 1, 0, 0, 0, 0], bool)  # rows 4 and 5 are wrong
    uncertainty = np.array([0.1, 0.2, 0.3, 0.4, 0.9, 0.8, 0.15, 0.25, 0.35, 0.45])
    curve = {row["coverage"]: row for row in risk_coverage(labels, says, uncertainty)}
    assert list(curve) == [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5]
    assert (curve[1]["f1"], curve[1]["error"]) == (0.8, 0.2)
    assert (curve[0.9]["f1"], curve[0.9]["error"]) == pytest.approx((8 / 9, 1 / 9))  # row 4 gone
    assert (curve[0.8]["f1"], curve[0.8]["error"]) == (1, 0)
    assert risk_coverage_area(labels, says, uncertainty) == pytest.approx((1 / 9 + 2 / 10) / 10)


def test_ties_do_not_hang_on_the_order_of_rows():
    rng = np.random.default_rng(1)
    labels, says = rng.integers(0, 2, 200), rng.integers(0, 2, 200) > 0
    uncertainty = rng.integers(0, 3, 200) / 2
    order = np.argsort(labels != says)  # the worst case: right answers first
    first = risk_coverage(labels, says, uncertainty)
    again = risk_coverage(labels[order], says[order], uncertainty[order])
    assert [list(row.values()) for row in first] == pytest.approx(
        np.array([list(row.values()) for row in again])
    )
    areas = [risk_coverage_area(labels[o], says[o], uncertainty[o]) for o in (order, order[::-1])]
    assert areas[0] == pytest.approx(areas[1])


def test_an_uninformative_uncertainty_buys_nothing():
    labels, says = np.array([1, 1, 0, 0]), np.array([True, False, True, False])
    for row in risk_coverage(labels, says, np.zeros(4)):
        assert (row["error"], row["f1"]) == pytest.approx((0.5, 0.5))
    assert risk_coverage_area(labels, says, np.zeros(4)) == pytest.approx(0.5)


def test_a_tile_nobody_voted_on_counts_as_certain():
    labels, says = np.array([0, 0, 1, 0]), np.array([False, False, True, True])
    curve = risk_coverage(labels, says, np.array([np.nan, np.nan, 0.1, 0.2]))
    assert curve[0]["error"] == 0.25
    assert curve[-1] == {"coverage": 0.5, "f1": None, "error": 0}  # only the dropped ones left


def test_confusion_by_hand():
    labels, says = np.array([0, 0, 0, 1, 1, 1]), np.array([1, 0, 0, 1, 1, 0], bool)
    assert confusion(labels, says) == [[2, 1], [1, 2]]


def test_verdict_table_by_hand():
    names = ["no_data", *["filtered_out"] * 3, "stable", "stable", "uncertain", *["landslide"] * 4]
    labels = np.array([1, 0, 0, 1, 1, 0, 1, 1, 1, 1, 0])
    found = verdict_table(labels, names)
    assert found["verdicts"] == {
        "no_data": {"tiles": 1, "landslides": 1},
        "filtered_out": {"tiles": 3, "landslides": 1},
        "stable": {"tiles": 2, "landslides": 1},
        "uncertain": {"tiles": 1, "landslides": 1},
        "landslide": {"tiles": 4, "landslides": 3},
    }
    assert found["missed"] == pytest.approx(2 / 6)  # the tile without data was not judged
    assert found["false_alarm"] == pytest.approx(1 / 4)
    assert found["uncertain"] == pytest.approx(1 / 10)


def test_verdicts_may_come_as_codes_and_a_class_may_be_absent():
    found = verdict_table(np.array([0, 0]), np.array([2, 4], np.uint8))
    assert found == verdict_table(np.array([0, 0]), ["stable", "landslide"])
    assert (found["missed"], found["false_alarm"]) == (None, 0.5)


def test_fold_spread_by_hand():
    folds = [{"f1": 0.8, "auc": 0.9}, {"f1": 0.9, "auc": float("nan")}, {"f1": 1.0, "auc": 0.7}]
    spread = fold_spread(folds)
    assert spread["f1"] == pytest.approx({"mean": 0.9, "std": 0.1})
    assert spread["auc"] == pytest.approx({"mean": 0.8, "std": 0.02**0.5})
    assert fold_spread(folds[:1])["f1"] == {"mean": 0.8, "std": None}


def test_paired_differences_take_out_what_folds_share():
    ours = [{"f1": 0.70, "mine": 1.0}, {"f1": 0.80, "mine": 1.0}, {"f1": 0.93, "mine": 1.0}]
    theirs = [{"f1": 0.69}, {"f1": 0.78}, {"f1": 0.90}]
    apart = paired_difference(ours, theirs)
    assert list(apart) == ["f1"]
    assert apart["f1"] == pytest.approx({"mean": 0.02, "std": 0.01})
    with pytest.raises(ValueError, match="shorter"):
        paired_difference(ours, theirs[:2])


def test_everything_can_be_written_as_strict_json():
    labels, says = np.array([0, 1, 1]), np.array([False, True, False])
    probability = np.array([0.1, 0.8, 0.2], np.float32)
    found = [
        reliability(labels, probability),
        reliability(labels, probability, adaptive=True),
        risk_coverage(labels, says, probability),
        confusion(labels, says),
        verdict_table(labels, np.array([1, 4, 3], np.uint8)),
        fold_spread([{"f1": float("nan")}]),
    ]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
