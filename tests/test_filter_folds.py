"""Stage 1's nested figures: rows held out are never fitted on; the file holds the whole filter."""

import json

import numpy as np
import pandas as pd
import pytest
import xgboost
from conftest import QUICK_FILTER

from landslide_core.errors import CannotWrite, DatasetError, RunBusy
from landslide_core.training import filter_folds as module
from landslide_core.training.dataset import PatchSet
from landslide_core.training.filter_folds import (
    FilterFold,
    FilterPlan,
    nested_folds,
    pooled_scores,
    train_filter,
)

PLAN = FilterPlan(QUICK_FILTER, folds=2)
VALUE = "desc_vv_post_mean"  # another number in every row


@pytest.fixture
def patches(table, features):
    """The session's table as a patch set; stage 1 needs no pixels."""
    labels = table["label"].to_numpy()
    inputs = np.zeros((len(labels), 0), np.float32)
    return PatchSet(tuple(table["ID"]), inputs, features, labels)


class Stub:
    """Stands for a filter: its score tells the row, its threshold which rows it was fitted on."""

    def __init__(self, features):
        self.fitted = features[VALUE].to_numpy()

    def score(self, features):
        return features[VALUE].to_numpy()

    def threshold(self, features):
        return np.full(len(features), self.fitted.mean())


@pytest.fixture
def fitted_on(monkeypatch):
    """Replaces the fit by a stub; the rows and labels that each was given."""
    seen = []

    def fit(features, labels, options):
        assert features.index.tolist() == list(range(len(labels)))
        seen.append((features[VALUE].tolist(), labels.tolist()))
        return Stub(features)

    monkeypatch.setattr(module, "fit_prefilter", fit)
    return seen


def quiet(line):
    """Nobody listens."""


def test_every_row_is_held_out_once_and_never_fitted_on(patches, fitted_on):
    plan = FilterPlan(QUICK_FILTER, folds=5)
    folds = nested_folds(patches.features, patches.labels, plan, quiet)
    values = patches.features[VALUE].to_numpy()
    assert sorted(np.concatenate([fold.rows for fold in folds])) == list(range(len(patches)))
    for fold, (fitted, labels) in zip(folds, fitted_on, strict=True):
        rest = np.setdiff1d(np.arange(len(patches)), fold.rows)
        assert fitted == values[rest].tolist()
        assert labels == patches.labels[rest].tolist()
        assert patches.labels[fold.rows].sum() == 20  # of 40: stratified
        assert fold.score.tolist() == values[fold.rows].tolist()
        assert fold.dropped.tolist() == (values[fold.rows] < values[rest].mean()).tolist()


def test_a_signal_is_found_and_chance_is_not_made_one(patches):
    folds = nested_folds(patches.features, patches.labels, PLAN, quiet)
    assert pooled_scores(folds, patches.labels)["auc"] > 0.99
    shuffled = np.random.default_rng(1).permutation(patches.labels)
    folds = nested_folds(patches.features, shuffled, PLAN, quiet)
    assert 0.35 < pooled_scores(folds, shuffled)["auc"] < 0.65


def test_pooled_figures_by_hand():
    """Four rows in two folds: one of two positives dropped, three of four rows dropped."""
    folds = [
        FilterFold(np.array([2, 0]), np.array([0.9, 0.2]), np.array([False, True])),
        FilterFold(np.array([1, 3]), np.array([0.3, 0.4]), np.array([True, True])),
    ]
    scores = pooled_scores(folds, np.array([0, 0, 1, 1]))
    assert scores == {
        **{"n": 4, "positives": 2, "auc": 1.0, "average_precision": 1.0},
        **{"recall": 0.5, "dropped_fraction": 0.75},
    }


def test_finished_folds_are_taken_up_and_another_plan_s_are_not(patches, fitted_on, tmp_path):
    plan = FilterPlan(QUICK_FILTER, folds=3, work=tmp_path)
    first = nested_folds(patches.features, patches.labels, plan, quiet)
    next(tmp_path.glob("*/fold_01.npz")).unlink()
    fitted_on.clear()
    again = nested_folds(patches.features, patches.labels, plan, quiet)
    assert len(fitted_on) == 1
    for one, other in zip(first, again, strict=True):
        for name in ("rows", "score", "dropped"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    fitted_on.clear()
    flipped = patches.labels.copy()
    flipped[:2] = 1 - flipped[:2]
    nested_folds(patches.features, flipped, plan, quiet)
    assert len(fitted_on) == 3


def test_the_file_is_the_whole_filter(patches, tmp_path):
    """Read with XGBoost alone: it separates the table's rows at the threshold that is told."""
    out = tmp_path / "filter.json"
    figures = train_filter(patches, PLAN, out, quiet)
    said = json.loads(out.read_text())
    booster = xgboost.Booster()
    booster.load_model(bytearray(json.dumps(said["booster"]).encode()))
    rows = patches.features[said["features"]].to_numpy(np.float32)
    score = booster.inplace_predict(rows)
    complete = max(said["thresholds"], key=len)
    assert set(np.flatnonzero(patches.labels)) <= set(
        np.flatnonzero(score >= said["thresholds"][complete])
    )
    assert score[patches.labels == 1].min() > score[patches.labels == 0].max()
    assert said["out_of_fold"]["pooled"] == figures
    assert [fold["n"] for fold in said["out_of_fold"]["folds"]] == [100, 100]
    assert said["options"]["target_recall"] == QUICK_FILTER.target_recall
    assert [path.name for path in tmp_path.iterdir()] == ["filter.json"]


def test_what_cannot_be_fitted_or_written_is_refused_at_once(patches, fitted_on, tmp_path):
    few = patches.take(np.arange(8))  # four positives: three folds leave two for two inner folds
    with pytest.raises(DatasetError, match=r"4 rows of the rarer class for 5 folds.*--folds"):
        train_filter(few, FilterPlan(QUICK_FILTER, folds=5), tmp_path / "f.json", quiet)
    with pytest.raises(DatasetError, match="for 1 folds"):
        train_filter(patches, FilterPlan(QUICK_FILTER, folds=1), tmp_path / "f.json", quiet)
    with pytest.raises(CannotWrite, match="Choose another --out"):
        train_filter(patches, PLAN, tmp_path / "none" / "f.json", quiet)
    (tmp_path / "mine.json").write_text("mine")
    with pytest.raises(RunBusy, match="Choose another --out"):
        train_filter(patches, PLAN, tmp_path / "mine.json", quiet)
    assert (tmp_path / "mine.json").read_text() == "mine"
    assert fitted_on == []
    assert pd.Series(list(tmp_path.iterdir())).map(lambda path: path.name).tolist() == ["mine.json"]
