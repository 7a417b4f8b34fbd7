"""The negative filter: recall first, no look at rows it's scored on, its reasons add up."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xgboost
from conftest import QUICK_FILTER, balanced, raw_patches, table_of
from sklearn.metrics import roc_auc_score

from landslide_core.combinations import COMBINATIONS, COMPLETE, blank, combination_of
from landslide_core.features import features_from_table, filter_features
from landslide_core.prefilter import known_features
from landslide_core.training.prefilter import fit_prefilter, fit_with_scores, recall_threshold


@pytest.fixture(scope="module")
def unseen():
    """Features and labels of 60 rows that no filter here was fitted on."""
    labels = balanced(60)
    rows = table_of(raw_patches(labels, seed=5, side=16), labels)
    return filter_features(features_from_table(rows)), labels


@pytest.mark.parametrize("count", [1, 10, 199, 200, 201, 1000])
@pytest.mark.parametrize("target", [0.9, 0.995, 1.0])
def test_the_threshold_keeps_the_target_share_and_drops_what_it_may(count, target):
    scores = np.random.default_rng(count).random(count)
    threshold = recall_threshold(scores, target)
    assert (scores >= threshold).mean() >= target - 1e-9
    higher = scores[scores > threshold]
    if higher.size:
        assert (scores >= higher.min()).mean() < target


def test_tied_scores_are_kept_together():
    scores = np.array([0.1] * 5 + [0.7] * 95)
    assert recall_threshold(scores, 0.97) == 0.1
    assert recall_threshold(scores, 0.95) == 0.7


def test_partial_inputs_are_never_dropped(prefilter, features):
    rows = features.iloc[:40].copy()
    rows["red_mean"] = np.nan
    assert combination_of(rows) == ["partial"] * 40
    assert not (prefilter.score(rows) < prefilter.threshold(rows)).any()


def test_a_pre_event_date_alone_is_never_dropped(prefilter, features):
    rows = features.copy()
    rows[:] = np.nan
    assert set(combination_of(rows)) == {""}
    assert np.isneginf(prefilter.threshold(rows)).all()


def test_each_row_is_held_to_the_threshold_of_its_own_combination(prefilter, features):
    rows = pd.concat([features.iloc[:2], blank(features.iloc[2:4], "visible+nir+asc_post")])
    expected = [prefilter.thresholds[COMPLETE]] * 2 + [
        prefilter.thresholds["visible+nir+asc_post"]
    ] * 2
    np.testing.assert_array_equal(prefilter.threshold(rows), np.float32(expected))


def test_unseen_landslides_pass_and_most_others_are_dropped(prefilter, unseen):
    features, labels = unseen
    dropped = prefilter.score(features) < prefilter.threshold(features)
    assert not dropped[labels == 1].any()
    assert dropped[labels == 0].mean() > 0.9


def test_a_score_does_not_depend_on_the_rows_beside_it(prefilter, unseen):
    features, _ = unseen
    together = prefilter.score(features)
    assert ((together >= 0) & (together <= 1)).all()
    alone = [prefilter.score(features.iloc[i : i + 1])[0] for i in range(10)]
    np.testing.assert_array_equal(together[:10], alone)


def test_thresholds_come_from_scores_out_of_fold():
    """On pure noise, fitted rows score far too well; an honest threshold hardly drops any."""
    rng = np.random.default_rng(0)
    labels = rng.permutation(balanced(240))
    rows = filter_features(features_from_table(table_of(raw_patches(0 * labels, side=8), labels)))
    fitted, fresh = rows.iloc[:160], rows.iloc[160:]
    noise = fit_prefilter(fitted, labels[:160], replace(QUICK_FILTER, learning_rate=0.3))
    circular = recall_threshold(noise.score(fitted)[labels[:160] == 1], 0.995)
    honest = noise.thresholds[COMPLETE]
    scores = noise.score(fresh)
    assert (scores < circular).mean() > 0.3
    assert (scores < honest).mean() < 0.1


def test_contributions_and_bias_add_up_to_the_log_odds(prefilter, unseen):
    features, _ = unseen
    rows = pd.concat([features, blank(features, "visible+nir")])
    shares, bias = prefilter.contributions(rows)
    assert shares.shape == (len(rows), len(prefilter.features))
    score = prefilter.score(rows).astype(np.float64)
    np.testing.assert_allclose(shares.sum(axis=1) + bias, np.log(score / (1 - score)), atol=1e-4)


def test_the_same_seed_gives_the_same_filter_and_another_seed_another(table, features):
    labels = table["label"].to_numpy()
    options = replace(QUICK_FILTER, rounds=3)
    first, again, other = (
        fit_prefilter(features, labels, replace(options, seed=seed)) for seed in (0, 0, 1)
    )
    assert first.booster.save_raw() == again.booster.save_raw()
    assert first.thresholds == again.thresholds
    assert first.booster.save_raw() != other.booster.save_raw()


def test_repeats_meet_at_the_geometric_mean_of_their_thresholds(table, features):
    labels = table["label"].to_numpy()
    options = replace(QUICK_FILTER, rounds=3)
    singly = [
        fit_prefilter(features, labels, replace(options, seed=seed)).thresholds for seed in (0, 1)
    ]
    both = fit_prefilter(features, labels, replace(options, repeats=2)).thresholds
    for name in COMBINATIONS:
        assert both[name] == pytest.approx(np.sqrt(singly[0][name] * singly[1][name]))


def test_inner_scores_are_those_of_filters_that_never_saw_the_row(table, features):
    """On labels that nothing explains they rank no better than chance; the fitted trees do."""
    labels = np.random.default_rng(0).permutation(table["label"].to_numpy())
    fitted, inner = fit_with_scores(features, labels, replace(QUICK_FILTER, rounds=60))
    assert set(inner) == set(COMBINATIONS)
    assert 0.35 < roc_auc_score(labels, inner[COMPLETE]) < 0.65
    assert roc_auc_score(labels, fitted.score(features)) > 0.95


def test_thresholds_keep_the_promised_recall_of_every_combination(table, features):
    labels = table["label"].to_numpy()
    fitted, inner = fit_with_scores(features, labels, replace(QUICK_FILTER, target_recall=0.9))
    for name, scores in inner.items():
        passed = (scores[labels == 1] >= fitted.thresholds[name]).mean()
        assert passed >= 0.9, name  # more than 0.9 where scores are tied
    optical, radar = (
        ((inner[name] < fitted.thresholds[name])[labels == 0]).mean()
        for name in ("visible+nir", "desc_post+desc_pre")
    )
    assert radar > optical + 0.3  # only radar tells these rows apart


def test_trees_and_voices_have_half_a_say_each(prefilter, unseen):
    features, labels = unseen
    matrix = features[list(prefilter.features)].to_numpy(np.float32)
    trees = prefilter.booster.predict(xgboost.DMatrix(matrix), output_margin=True)
    with torch.no_grad():
        voices = prefilter.voices(*known_features(matrix, torch.float64)).numpy()
    np.testing.assert_allclose(prefilter.log_odds(features), (trees + voices) / 2, atol=1e-5)
    for half in (trees, voices):  # neither is idle
        assert roc_auc_score(labels, half) > 0.9
    assert np.corrcoef(trees, voices)[0, 1] < 0.999


def test_a_feature_that_is_missing_has_no_share_of_the_voices(prefilter, unseen):
    rows = blank(unseen[0].iloc[:4], "visible+nir")
    matrix = rows[list(prefilter.features)].to_numpy(np.float32)
    shares, _ = prefilter._reasons(matrix)
    assert (shares[np.isnan(matrix)] == 0).all()
    assert np.abs(shares[~np.isnan(matrix)]).max() > 0
