"""Scores of yes/no answers and probabilities against labels."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    precision_recall_curve,
    precision_recall_fscore_support,
    roc_auc_score,
)

from landslide_core.judgement import VERDICTS
from landslide_core.training.intervals import wilson

Labels = NDArray[np.int_]
Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]

_BINS: Final = 10
_COVERAGES: Final = tuple(percent / 100 for percent in range(100, 45, -5))


def expected_calibration_error(labels: Labels, probability: Floats) -> float:
    """Mean |observed − predicted| over ten equal-width bins, weighted by their counts.

    Naeini et al. 2015, on the probability of the positive class.
    """
    gaps = [
        abs(found["observed"] - found["predicted"]) * found["count"]
        for found in reliability(labels, probability)
    ]
    return float(sum(gaps) / len(labels))


def reliability(
    labels: Labels, probability: Floats, bins: int = _BINS, *, adaptive: bool = False
) -> list[dict[str, float]]:
    """Predicted against observed share of landslides, bin by bin, with Wilson's 95 % interval.

    Bins are equally wide, or with `adaptive` hold equally many tiles; equal probabilities never
    part, and empty bins are left out. Intervals: Wilson 1927.
    """
    labels, probability = np.asarray(labels, float), np.asarray(probability, float)
    if adaptive:
        edges = np.unique(np.quantile(probability, np.linspace(0, 1, bins + 1)))
        edges = edges if len(edges) > 1 else np.repeat(edges, 2)
        bin_of = np.searchsorted(edges, probability, side="right") - 1
    else:
        edges = np.arange(bins + 1) / bins
        bin_of = (probability * bins).astype(int)
    bin_of = np.minimum(bin_of, len(edges) - 2)
    found = []
    for b in np.unique(bin_of):
        inside = bin_of == b
        low95, high95 = wilson(float(labels[inside].sum()), int(inside.sum()))
        found.append(
            {
                "low": float(edges[b]),
                "high": float(edges[b + 1]),
                "count": int(inside.sum()),
                "predicted": float(probability[inside].mean()),
                "observed": float(labels[inside].mean()),
                "low95": low95,
                "high95": high95,
            }
        )
    return found


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


def confusion(labels: Labels, says: Flags) -> list[list[int]]:
    """[[true negatives, false positives], [false negatives, true positives]]."""
    truth, said = np.asarray(labels) == 1, np.asarray(says, bool)
    return [[int((truth == t)[said == s].sum()) for s in (False, True)] for t in (False, True)]


def risk_coverage(
    labels: Labels, says: Flags, uncertainty: Floats
) -> list[dict[str, float | None]]:
    """F1 and share of wrong answers as the most uncertain tiles are set aside.

    Of equally uncertain tiles each is as likely to stay: the figures are those expected over
    all orders, so they do not hang on the order of the rows. A tile without an uncertainty
    (NaN: the filter dropped it, nobody voted) counts as certain. F1 is None where no landslide
    is left, known or called.
    """
    truth, said = np.asarray(labels) == 1, np.asarray(says, bool)
    right, wrong_yes, wrong_no = (
        _expected_counts(flags, uncertainty)
        for flags in (truth & said, ~truth & said, truth & ~said)
    )
    rows: list[dict[str, float | None]] = []
    for coverage in _COVERAGES:
        last = max(round(coverage * len(truth)), 1) - 1
        wrong = wrong_yes[last] + wrong_no[last]
        calls = 2 * right[last] + wrong
        rows.append(
            {
                "coverage": coverage,
                "f1": float(2 * right[last] / calls) if calls > 0 else None,
                "error": float(wrong / (last + 1)),
            }
        )
    return rows


def risk_coverage_area(labels: Labels, says: Flags, uncertainty: Floats) -> float:
    """Area under the curve of error against coverage (AURC), 0..1, less is better.

    The mean error over all coverages 1/n, 2/n … 1 (Geifman et al. 2019), ties as above.
    """
    wrong = (np.asarray(labels) == 1) != np.asarray(says, bool)
    errors = _expected_counts(wrong, uncertainty)
    return float((errors / np.arange(1, len(errors) + 1)).mean())


def _expected_counts(flags: Flags, uncertainty: Floats) -> NDArray[np.float64]:
    """(N,) how many flags are expected among the k most certain tiles, k = 1..N."""
    known = np.nan_to_num(np.asarray(uncertainty, float), nan=-np.inf, neginf=-np.inf)
    level = np.unique(known, return_inverse=True)[1]
    share = np.bincount(level, weights=flags) / np.bincount(level)
    return np.cumsum(share[np.sort(level)])


def verdict_table(labels: Labels, verdict: Sequence[str] | NDArray[Any]) -> dict[str, Any]:
    """Tiles and landslides per verdict, and the verdict's measured error rates.

    `verdict` holds names or indices into VERDICTS. Rates are shares of the judged tiles of their
    class (no_data is no judgement), None where there is none.
    """
    codes = np.asarray(verdict)
    names = np.asarray(VERDICTS)[codes] if np.issubdtype(codes.dtype, np.integer) else codes
    truth = np.asarray(labels) == 1
    judged = names != "no_data"
    missed = np.isin(names, ("stable", "filtered_out"))
    return {
        "verdicts": {
            name: {
                "tiles": int((names == name).sum()),
                "landslides": int(truth[names == name].sum()),
            }
            for name in VERDICTS
        },
        "missed": _share(missed, truth & judged),
        "false_alarm": _share(names == "landslide", ~truth & judged),
        "uncertain": _share(names == "uncertain", judged),
    }


def _share(flags: Flags, among: Flags) -> float | None:
    return float(flags[among].mean()) if among.any() else None
