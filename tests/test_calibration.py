"""Probability and verdicts: weights that are found again, limits whose error rates hold."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import EVEN

from landslide_core.calibration import Calibration, log_odds
from landslide_core.training.calibrate import expected_f1_threshold, fit_calibration
from landslide_core.training.metrics import expected_calibration_error, f1_threshold


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, float)))


def drawn(count, seed):
    """Rows of a known logistic model: labels, filter scores, votes; a third are landslides."""
    rng = np.random.default_rng(seed)
    filter_odds, votes = rng.normal(-1, 2, count), rng.normal(-1, 3, count)
    labels = (rng.random(count) < sigmoid(0.7 * filter_odds + 0.4 * votes + 0.2)).astype(int)
    return labels, sigmoid(filter_odds), votes


def fitted(count, seed, **options):
    labels, score, votes = drawn(count, seed)
    return fit_calibration(labels, score, votes, np.zeros(count, bool), **options)


def called(calibration, score, votes, dropped=False):
    """Which rows are called stable or filtered out, and which landslide."""
    probability = calibration.probability(score, votes)
    stable = dropped | (probability < calibration.lower)
    return stable, ~stable & (probability >= calibration.upper)


def test_log_odds_of_certain_scores_stay_finite():
    found = log_odds(np.array([0.0, 0.5, 1.0]))
    assert np.isfinite(found).all()
    assert found[1] == 0
    assert found[0] == pytest.approx(-found[2])
    assert found[0] < -10


def test_the_probability_by_hand():
    weights = Calibration(0.5, 2.0, -1.0, 0.5, 0.1, 0.9)
    found = weights.probability(np.array([0.2, 0.9]), np.array([1.0, -1.0]))
    expected = sigmoid([0.5 * np.log(0.2 / 0.8) + 2 - 1, 0.5 * np.log(0.9 / 0.1) - 2 - 1])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_weights_of_a_known_model_are_found_again():
    found = fitted(40_000, seed=0)
    weights = found.filter_weight, found.votes_weight, found.bias
    assert weights == pytest.approx((0.7, 0.4, 0.2), abs=0.05)


def test_the_probability_is_calibrated_on_new_rows():
    labels, score, votes = drawn(20_000, seed=1)
    assert expected_calibration_error(labels, fitted(2000, seed=0).probability(score, votes)) < 0.02
    # The same rows by the filter's score alone are not, so the figure can tell.
    assert expected_calibration_error(labels, score) > 0.05


def test_more_evidence_never_counts_against():
    """Votes that point the wrong way get no weight rather than a negative one."""
    labels, score, votes = drawn(5000, seed=0)
    found = fit_calibration(labels, score, -votes, np.zeros(5000, bool))
    assert found.votes_weight == 0
    assert found.filter_weight > 0.5
    grid = np.linspace(-5, 5, 50)
    for weights in (found, fitted(300, seed=2)):
        across = weights.probability(sigmoid(grid), np.zeros(50))
        along = weights.probability(np.full(50, 0.3), grid)
        assert (np.diff(across) >= 0).all()
        assert (np.diff(along) >= 0).all()


def test_dropped_rows_do_not_touch_the_weights():
    labels, score, votes = drawn(1000, seed=0)
    dropped = score < 0.1
    once = fit_calibration(labels, score, np.where(dropped, np.nan, votes), dropped)
    other = fit_calibration(
        labels, np.where(dropped, 0.05, score), np.where(dropped, 9, votes), dropped
    )
    assert once == other
    assert np.isfinite([once.filter_weight, once.votes_weight, once.bias, once.threshold]).all()


@pytest.mark.parametrize("drops", [False, True], ids=["none dropped", "some dropped"])
@pytest.mark.parametrize("alpha", [0.02, 0.1])
def test_error_rates_of_the_verdicts_hold_on_new_rows(alpha, drops):
    """Over 150 calibrations of 500 rows each, both rates stay at alpha, and not far under."""
    missed, false_alarms = [], []
    for seed in range(150):
        labels, score, votes = drawn(500, seed)
        dropped = score < (0.01 if drops else 0)
        found = fit_calibration(labels, score, votes, dropped, alpha)
        labels, score, votes = drawn(2000, 1000 + seed)
        stable, landslide = called(found, score, votes, score < (0.01 if drops else 0))
        missed.append(stable[labels == 1].mean())
        false_alarms.append(landslide[labels == 0].mean())
    for rates in (missed, false_alarms):
        slack = 3 * np.std(rates) / np.sqrt(len(rates))
        assert np.mean(rates) <= alpha + slack
        assert np.mean(rates) > alpha / 3


@pytest.mark.parametrize("positives", [1, 5, 48])
def test_with_too_few_landslides_nothing_is_called_stable(positives):
    """1/(n + 1) is more than alpha: any limit could let the next one through."""
    labels = np.r_[np.ones(positives, int), np.zeros(500, int)]
    votes = np.where(labels == 1, 4.0, -4.0) + np.random.default_rng(0).normal(0, 1, len(labels))
    found = fit_calibration(labels, np.full(len(labels), 0.5), votes, np.zeros(len(labels), bool))
    stable, landslide = called(found, np.full(3, 1e-9), np.array([-50.0, -5.0, 0.0]))
    assert not stable.any()
    assert called(found, np.full(1, 0.5), np.array([9.0]))[1].all()
    assert not landslide.any()


@pytest.mark.parametrize("negatives", [1, 48])
def test_with_too_few_stable_rows_nothing_is_called_landslide(negatives):
    labels = np.r_[np.zeros(negatives, int), np.ones(500, int)]
    votes = np.where(labels == 1, 4.0, -4.0) + np.random.default_rng(0).normal(0, 1, len(labels))
    found = fit_calibration(labels, np.full(len(labels), 0.5), votes, np.zeros(len(labels), bool))
    sure = np.array([5.0, 50.0, 5000.0])  # the last has a probability of exactly 1
    assert not called(found, np.full(3, 1.0), sure)[1].any()


def test_from_forty_nine_landslides_on_stable_is_possible():
    labels = np.r_[np.ones(49, int), np.zeros(500, int)]
    votes = np.where(labels == 1, 4.0, -4.0) + np.random.default_rng(0).normal(0, 1, len(labels))
    found = fit_calibration(labels, np.full(len(labels), 0.5), votes, np.zeros(len(labels), bool))
    assert called(found, np.full(1, 0.5), np.array([-5.0]))[0].all()


def test_equal_scores_are_not_all_called_landslide():
    """Stable rows that share the highest score: calling it a landslide would err on each."""
    labels = np.r_[np.ones(200, int), np.zeros(200, int)]
    votes = np.full(400, 1.0)  # tells nothing
    score = np.r_[np.full(200, 0.8), np.full(100, 0.8), np.full(100, 0.2)]
    found = fit_calibration(labels, score, votes, np.zeros(400, bool))
    _, landslide = called(found, score, votes)
    assert landslide[labels == 0].mean() <= 0.02


@pytest.mark.parametrize("seed", range(20))
def test_the_threshold_lies_between_the_limits(seed):
    rng = np.random.default_rng(seed)
    found = fitted(int(rng.integers(10, 400)), seed, alpha=float(rng.uniform(0.01, 0.6)))
    assert found.lower <= found.threshold <= found.upper
    assert found.filter_weight >= 0
    assert found.votes_weight >= 0


def test_without_rows_nothing_is_certain():
    nothing = np.zeros(0)
    found = fit_calibration(nothing.astype(int), nothing, nothing, nothing.astype(bool))
    stable, landslide = called(found, np.array([0.0, 0.5, 1.0]), np.array([-90.0, 0.0, 90.0]))
    assert not stable.any()
    assert not landslide.any()


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_of_greatest_expected_f1_by_trying_all(seed):
    rng = np.random.default_rng(seed)
    probability = rng.beta(0.5, 1.5, 60)

    def expected_f1(threshold):
        said = probability >= threshold
        return 2 * probability[said].sum() / (said.sum() + probability.sum())

    best = max(expected_f1(p) for p in probability)
    assert expected_f1(expected_f1_threshold(probability)) == pytest.approx(best, abs=1e-12)


def test_the_expected_threshold_is_as_good_as_the_labels_own():
    """On labels drawn from the probabilities, within sampling error of the best in hindsight."""
    rng = np.random.default_rng(0)
    probability = rng.beta(0.4, 1.6, 50_000)
    labels = (rng.random(len(probability)) < probability).astype(int)

    def f1(threshold):
        said = probability >= threshold
        return 2 * (said & (labels == 1)).sum() / (said.sum() + labels.sum())

    assert f1(expected_f1_threshold(probability)) > f1(f1_threshold(labels, probability)) - 0.002
    assert f1(0.5) < f1(expected_f1_threshold(probability)) - 0.01


def test_a_calibration_is_a_value():
    assert replace(EVEN, bias=0.0) == EVEN
    with pytest.raises(AttributeError):
        EVEN.bias = 1.0
