"""Scores of yes/no answers and probabilities against labels."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    precision_recall_curve,
    precision_recall_fscore_support,
    roc_auc_score,
)

Labels = NDArray[np.int_]
Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]

_BINS: Final = 10


def expected_calibration_error(labels: Labels, probability: Floats) -> float:
    """Mean |observed − predicted| over ten equal-width bins, weighted by their counts.

    Naeini et al. 2015, on the probability of the positive class.
    """
    bins = np.minimum((probability * _BINS).astype(int), _BINS - 1)
    gaps = [
        abs(labels[bins == b].mean() - probability[bins == b].mean()) * (bins == b).mean()
        for b in range(_BINS)
        if (bins == b).any()
    ]
    return float(sum(gaps))


def f1_threshold(labels: Labels, probability: Floats) -> float:
    """The threshold whose answers "probability ≥ threshold" have the greatest F1."""
    precision, recall, thresholds = precision_recall_curve(labels, probability)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return float(thresholds[np.argmax(f1[:-1])])


def rank_scores(labels: Labels, probability: Floats) -> dict[str, float]:
    """AUC and average precision; NaN where only one class is there."""
    both = 0 < labels.sum() < len(labels)
    return {
        "auc": float(roc_auc_score(labels, probability)) if both else float("nan"),
        "average_precision": (
            float(average_precision_score(labels, probability)) if both else float("nan")
        ),
    }


def system_scores(
    labels: Labels, probability: Floats, says: Flags, dropped: Flags
) -> dict[str, float]:
    """Scores of the two-stage system; tiles the filter dropped count as negative answers."""
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, says, average="binary", zero_division=0.0
    )
    positives = labels == 1
    return {
        "n": len(labels),
        "positives": int(positives.sum()),
        "f1": float(f1),
        "precision": float(precision),
        "recall": float(recall),
        **rank_scores(labels, probability),
        "brier": float(brier_score_loss(labels, probability)),
        "ece": expected_calibration_error(labels, probability),
        "dropped_fraction": float(dropped.mean()),
        "filter_recall": float(1 - dropped[positives].mean()) if positives.any() else float("nan"),
    }


def filter_scores(labels: Labels, score: Floats, dropped: Flags) -> dict[str, float]:
    """Scores of stage 1 alone."""
    positives = labels == 1
    return {
        "n": len(labels),
        "positives": int(positives.sum()),
        **rank_scores(labels, score),
        "recall": float(1 - dropped[positives].mean()) if positives.any() else float("nan"),
        "dropped_fraction": float(dropped.mean()),
    }
