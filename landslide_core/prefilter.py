"""Stage 1, the negative filter: drops obvious non-landslide tiles, keeps nearly every landslide.

A tile is dropped when its score is under the threshold of its *input combination*: which of
the visible bands, near infrared, the two passes and their pre-event dates it has. Others (half a
band group missing, say) are never dropped: no recall was measured there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from landslide_core.combinations import COMBINATIONS, blank, combination_of

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FilterOptions:
    """How the filter is fitted."""

    target_recall: float = 0.995  # share of landslide tiles that must pass, on inner folds
    rounds: int = 600
    learning_rate: float = 0.04
    max_depth: int = 5
    subsample: float = 0.7
    columns_per_tree: float = 0.1
    blanked_copies: int = 1  # of every row, with whole input groups missing
    blanked_weight: float = 0.3  # of such a copy beside its complete row
    inner_folds: int = 8
    repeats: int = 2  # of the inner folds; one split's luck should not set the threshold
    threads: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Prefilter:
    """A fitted filter: its trees, its feature names and a threshold per input combination."""

    booster: xgboost.Booster
    features: tuple[str, ...]
    thresholds: Mapping[str, float]

    def score(self, features: pd.DataFrame) -> Floats:
        """Probability of a landslide by the features alone, (N,) in 0..1."""
        matrix = features[list(self.features)].to_numpy(np.float32)
        return np.asarray(self.booster.inplace_predict(matrix), np.float32)

    def threshold(self, features: pd.DataFrame) -> Floats:
        """Threshold of each tile's input combination (N,); −inf where none was fitted."""
        limits = [self.thresholds.get(name, -np.inf) for name in combination_of(features)]
        return np.asarray(limits, np.float32)

    def contributions(self, features: pd.DataFrame) -> tuple[Floats, float]:
        """Each feature's share of the score's log-odds, (N, features), and the bias.

        XGBoost's own exact tree SHAP (Lundberg et al. 2018): shares and bias add up to the
        log-odds of the score.
        """
        matrix = xgboost.DMatrix(features[list(self.features)].to_numpy(np.float32))
        shares = self.booster.predict(matrix, pred_contribs=True)
        return shares[:, :-1], float(shares[0, -1])


def fit_prefilter(
    features: pd.DataFrame, labels: NDArray[np.int_], options: FilterOptions
) -> Prefilter:
    """Fit the trees on all rows given, the thresholds on inner out-of-fold scores of them."""
    return fit_with_scores(features, labels, options)[0]


def fit_with_scores(
    features: pd.DataFrame, labels: NDArray[np.int_], options: FilterOptions
) -> tuple[Prefilter, dict[str, NDArray[np.float64]]]:
    """Fit a filter; also its inner out-of-fold scores (N,) under every input combination."""
    thresholds: dict[str, list[float]] = {name: [] for name in COMBINATIONS}
    scores: dict[str, list[NDArray[np.float64]]] = {name: [] for name in COMBINATIONS}
    for repeat in range(options.repeats):
        for name, column in _inner_scores(features, labels, options, options.seed + repeat).items():
            scores[name].append(column)
            thresholds[name].append(recall_threshold(column[labels == 1], options.target_recall))
    prefilter = Prefilter(
        booster=_fit_trees(features, labels, options, options.seed),
        features=tuple(features.columns),
        thresholds={name: _geometric_mean(values) for name, values in thresholds.items()},
    )
    return prefilter, {name: np.mean(columns, axis=0) for name, columns in scores.items()}


def _geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def recall_threshold(positives: NDArray[np.floating], target: float) -> float:
    """The largest threshold that keeps the target share of the positives' scores."""
    ranked = np.sort(positives)
    may_drop = int(np.floor((1 - target) * len(ranked) + 1e-9))
    return float(ranked[may_drop])


def _inner_scores(
    features: pd.DataFrame, labels: NDArray[np.int_], options: FilterOptions, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Out-of-fold scores of every row under every input combination."""
    scores = {name: np.zeros(len(labels)) for name in COMBINATIONS}
    folds = StratifiedKFold(options.inner_folds, shuffle=True, random_state=seed)
    for fitted, held in folds.split(features, labels):
        booster = _fit_trees(features.iloc[fitted], labels[fitted], options, seed)
        for name, column in scores.items():
            rows = blank(features.iloc[held], name).to_numpy(np.float32)
            column[held] = booster.inplace_predict(rows)
    return scores


def _fit_trees(
    features: pd.DataFrame, labels: NDArray[np.int_], options: FilterOptions, seed: int
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
