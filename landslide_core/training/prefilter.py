"""Fitting the filter: trees and voices on all rows, thresholds on rows they never saw."""

import numpy as np
import pandas as pd
import torch
import xgboost
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from landslide_core.combinations import COMBINATIONS, blank
from landslide_core.prefilter import Prefilter, known_features
from landslide_core.threads import one_thread
from landslide_core.training.options import FilterOptions
from landslide_core.training.voices import fit_voices
from landslide_core.voices import Voices

Labels = NDArray[np.int_]
Scores = dict[str, NDArray[np.float64]]  # (N,) by input combination


def fit_prefilter(features: pd.DataFrame, labels: Labels, options: FilterOptions) -> Prefilter:
    """Fit the filter on all rows given, its thresholds on inner out-of-fold scores of them."""
    return fit_with_scores(features, labels, options)[0]


def fit_with_scores(
    features: pd.DataFrame, labels: Labels, options: FilterOptions
) -> tuple[Prefilter, Scores]:
    """Fit a filter; also its inner out-of-fold scores (N,) under every input combination."""
    thresholds: dict[str, list[float]] = {name: [] for name in COMBINATIONS}
    scores: dict[str, list[NDArray[np.float64]]] = {name: [] for name in COMBINATIONS}
    for repeat in range(options.repeats):
        for name, column in _inner_scores(features, labels, options, options.seed + repeat).items():
            scores[name].append(column)
            thresholds[name].append(recall_threshold(column[labels == 1], options.target_recall))
    means = {name: _geometric_mean(values) for name, values in thresholds.items()}
    prefilter = _fit(features, labels, options, options.seed, means)
    return prefilter, {name: np.mean(columns, axis=0) for name, columns in scores.items()}


def _geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def recall_threshold(positives: NDArray[np.floating], target: float) -> float:
    """The largest threshold that keeps the target share of the positives' scores."""
    ranked = np.sort(positives)
    may_drop = int(np.floor((1 - target) * len(ranked) + 1e-9))
    return float(ranked[may_drop])


def _inner_scores(
    features: pd.DataFrame, labels: Labels, options: FilterOptions, seed: int
) -> Scores:
    """Out-of-fold scores of every row under every input combination."""
    scores = {name: np.zeros(len(labels)) for name in COMBINATIONS}
    folds = StratifiedKFold(options.inner_folds, shuffle=True, random_state=seed)
    for fitted, held in folds.split(features, labels):
        part = _fit(features.iloc[fitted], labels[fitted], options, seed, {})
        for name, column in scores.items():
            column[held] = part.score(blank(features.iloc[held], name))
    return scores


def _fit(
    features: pd.DataFrame,
    labels: Labels,
    options: FilterOptions,
    seed: int,
    thresholds: dict[str, float],
) -> Prefilter:
    return Prefilter(
        booster=_fit_trees(features, labels, options, seed),
        voices=_fit_voices(features, labels, options, seed),
        features=tuple(features.columns),
        thresholds=thresholds,
    )


def _fit_voices(
    features: pd.DataFrame, labels: Labels, options: FilterOptions, seed: int
) -> Voices:
    known = known_features(features.to_numpy(np.float32), torch.float32)
    row = pd.DataFrame(np.zeros((1, features.shape[1]), np.float32), columns=features.columns)
    missing = np.concatenate([np.isfinite(blank(row, name)) for name in COMBINATIONS])
    there = torch.from_numpy(missing.astype(np.float32))
    with one_thread(torch.device("cpu")):
        found = fit_voices(known, labels, options.voice_shape, there, options.of_voices, seed)
    return found.double()


def _fit_trees(
    features: pd.DataFrame, labels: Labels, options: FilterOptions, seed: int
) -> xgboost.Booster:
    rng = np.random.default_rng(seed)
    parts = [features]
    for _ in range(options.blanked_copies):
        chosen = rng.integers(1, len(COMBINATIONS), len(features))
        parts += [
            blank(features[chosen == i], name)
            for i, name in enumerate(COMBINATIONS)
            if (chosen == i).any()
        ]
    rows = pd.concat(parts)
    targets = pd.concat([pd.Series(labels, index=features.index).loc[part.index] for part in parts])
    weights = np.full(len(rows), options.blanked_weight)
    weights[: len(features)] = 1.0
    matrix = xgboost.DMatrix(rows.to_numpy(np.float32), targets.to_numpy(), weight=weights)
    settings = {
        "objective": "binary:logistic",
        "learning_rate": options.learning_rate,
        "max_depth": options.max_depth,
        "min_child_weight": 2,
        "subsample": options.subsample,
        "colsample_bytree": options.columns_per_tree,
        "tree_method": "hist",
        "nthread": options.threads,
        "seed": seed,
    }
    return xgboost.train(settings, matrix, options.rounds)
