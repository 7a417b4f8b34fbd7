"""Counts at thresholds, against scikit-learn's own curves and by hand."""

import numpy as np
import pytest
from sklearn.metrics import auc, precision_recall_curve, roc_auc_score

from landslide_core.training.curves import curve_of, marked, reaching, threshold_counts

LABELS = np.array([1, 0, 1, 1, 0, 0])
SCORES = np.array([0.9, 0.8, 0.8, 0.4, 0.3, 0.0])


def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    labels = (rng.random(count) < 0.2).astype(int)
    return labels, 1 / (1 + np.exp(-rng.normal(3.0 * labels - 2, 1.5)))


def test_counts_by_hand():
    assert threshold_counts(LABELS, SCORES, 100) == {
        "threshold": [0.9, 0.8, 0.4, 0.3, 0.0],  # equal scores are one threshold
        "hits": [1, 2, 3, 3, 3],
        "alarms": [0, 1, 1, 2, 3],
    }


def test_shares_by_hand():
    curve = curve_of(threshold_counts(LABELS, SCORES, 100))
    assert curve.recall == pytest.approx([1 / 3, 2 / 3, 1, 1, 1])
    assert curve.precision == pytest.approx([1, 2 / 3, 3 / 4, 3 / 5, 1 / 2])
    assert curve.alarms == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 1])
    assert curve.under == pytest.approx([5 / 6, 1 / 2, 1 / 3, 1 / 6, 0])
    assert [reaching(curve, recall) for recall in (0.3, 2 / 3, 0.7, 1.0)] == [0, 1, 2, 2]


def test_every_point_that_is_kept_is_one_of_the_whole_curve():
    labels, scores = drawn(3000)
    counts = threshold_counts(labels, scores, 200)
    assert 150 < len(counts["threshold"]) <= 200
    for threshold, hits, alarms in zip(*counts.values(), strict=True):
        called = scores >= threshold
        assert hits == (called & (labels == 1)).sum()
        assert alarms == (called & (labels == 0)).sum()
    assert counts["threshold"][0] == scores.max()
    assert counts["threshold"][-1] == scores.min()


@pytest.mark.parametrize("most", [200, 50])
def test_thinning_keeps_the_areas(most):
    labels, scores = drawn(3000)
    curve = curve_of(threshold_counts(labels, scores, most))
    whole = roc_auc_score(labels, scores)
    assert auc([0, *curve.alarms], [0, *curve.recall]) == pytest.approx(whole, abs=0.002)
    precision, recall, _ = precision_recall_curve(labels, scores)
    thinned = auc(curve.recall, curve.precision)
    assert thinned == pytest.approx(auc(recall, precision), abs=0.01)


def test_one_class_or_one_score_is_still_a_curve():
    alone = curve_of(threshold_counts(np.zeros(3), np.full(3, 0.5), 10))
    assert (alone.recall, alone.precision, alone.alarms, alone.under) == ([0], [0], [1], [0])


def test_a_verdict_is_a_point():
    verdicts = {
        "landslide": {"tiles": 10, "landslides": 8},
        "uncertain": {"tiles": 20, "landslides": 4},
        "stable": {"tiles": 70, "landslides": 4},
        "no_data": {"tiles": 900, "landslides": 9},
    }
    assert marked(verdicts, ["landslide"]) == pytest.approx((8 / 16, 8 / 10, 2 / 84))
    both = marked(verdicts, ["landslide", "uncertain"])
    assert both == pytest.approx((12 / 16, 12 / 30, 18 / 84))
