"""Scores of answers and probabilities, by hand; what the filter dropped counts as a no."""

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from landslide_core.training.metrics import (
    expected_calibration_error,
    f1_threshold,
    filter_scores,
    rank_scores,
    system_scores,
)


def test_expected_calibration_error_by_hand():
    labels = np.array([0, 1, 1, 1])
    probability = np.array([0.12, 0.18, 0.92, 1.0])  # bins 1 and 9
    expected = 0.5 * abs(0.5 - 0.15) + 0.5 * abs(1.0 - 0.96)
    assert expected_calibration_error(labels, probability) == pytest.approx(expected)
    assert expected_calibration_error(labels, labels.astype(float)) == 0


def test_the_f1_threshold_is_the_best_of_all():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    probability = (0.3 * labels + rng.random(200)).round(2) / 1.3
    best = max(sklearn_metrics.f1_score(labels, probability >= t) for t in np.unique(probability))
    chosen = probability >= f1_threshold(labels, probability)
    assert sklearn_metrics.f1_score(labels, chosen) == pytest.approx(best)


def test_the_f1_threshold_by_hand():
    labels, probability = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    assert f1_threshold(labels, probability) == 0.35  # F1 0.8 against 0.67


def test_system_scores_count_dropped_tiles_as_no():
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    dropped = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    says = np.array([0, 1, 0, 1, 0, 0, 0, 0], bool)
    probability = np.array([0.1, 0.9, 0.4, 0.7, 0.1, 0.0, 0.2, 0.3])
    scores = system_scores(labels, probability, says, dropped)
    assert (scores["n"], scores["positives"]) == (8, 3)
    assert scores["precision"] == pytest.approx(1 / 2)
    assert scores["recall"] == pytest.approx(1 / 3)  # the dropped landslide is a miss
    assert scores["f1"] == pytest.approx(2 / 5)
    assert scores["filter_recall"] == pytest.approx(2 / 3)
    assert scores["dropped_fraction"] == 1 / 2
    assert scores["brier"] == pytest.approx(((probability - labels) ** 2).mean())
    assert scores["auc"] == sklearn_metrics.roc_auc_score(labels, probability)
    wanted = sklearn_metrics.average_precision_score(labels, probability)
    assert scores["average_precision"] == wanted


def test_filter_scores_by_hand():
    labels, dropped = np.array([1, 1, 0, 0]), np.array([False, True, True, True])
    scores = filter_scores(labels, np.array([0.9, 0.2, 0.1, 0.3]), dropped)
    assert (scores["recall"], scores["dropped_fraction"], scores["auc"]) == (0.5, 0.75, 0.75)


def test_one_class_alone_has_no_ranking():
    for labels in (np.zeros(3, int), np.ones(3, int)):
        assert all(np.isnan(v) for v in rank_scores(labels, np.array([0.1, 0.2, 0.3])).values())
