"""Gradient boosting alone, in the same folds: the bar that the two stages must clear."""

from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from landslide_core.training.metrics import f1_threshold, system_scores
from landslide_core.training.options import Splits

Labels = NDArray[np.int_]

_INNER: Final = 3  # folds whose scores the threshold is chosen on


def boosting_alone(
    features: pd.DataFrame,
    labels: Labels,
    splits: Splits,
    reported: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Scores of boosting on the filter features, fold by fold and pooled.

    Its threshold has the greatest F1 on inner out-of-fold scores of the fold's fitted rows.
    `reported` (N,) leaves rows out of the scores, though not out of the fits.
    """
    counted = np.ones(len(labels), bool) if reported is None else reported
    probability, says = np.zeros(len(labels)), np.zeros(len(labels), bool)
    folds = []
    for k, (fitted, held) in enumerate(splits):
        rows, truth = features.iloc[fitted], labels[fitted]
        inner = StratifiedKFold(_INNER, shuffle=True, random_state=k)
        guessed = cross_val_predict(_model(k), rows, truth, cv=inner, method="predict_proba")
        threshold = f1_threshold(truth, guessed[:, 1])
        probability[held] = _model(k).fit(rows, truth).predict_proba(features.iloc[held])[:, 1]
        says[held] = probability[held] >= threshold
        seen = held[counted[held]]
        folds.append(_scores(labels[seen], probability[seen], says[seen]))
    pooled = _scores(labels[counted], probability[counted], says[counted])
    return {"pooled": pooled, "folds": folds}


def _model(seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=400,
        learning_rate=0.05,
        max_features=0.3,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=seed,
    )


def _scores(
    labels: Labels, probability: NDArray[np.float64], says: NDArray[np.bool_]
) -> dict[str, float]:
    return system_scores(labels, probability, says, np.zeros(len(labels), bool))
