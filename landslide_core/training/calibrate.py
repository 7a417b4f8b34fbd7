"""Fitting the calibration: weights by maximum likelihood, limits by split conformal prediction."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from landslide_core.calibration import Calibration, log_odds

Floats = NDArray[np.floating]
Labels = NDArray[np.int_]
Flags = NDArray[np.bool_]

ALPHA = 0.02  # error rate that the verdicts landslide and stable are held to, each
_HOLD = 1.0  # strength of the pull towards half and half, in rows


def fit_calibration(
    labels: Labels, filter_score: Floats, votes: Floats, dropped: Flags, alpha: float = ALPHA
) -> Calibration:
    """Fit on scores of N tiles that neither stage was fitted on; dropped ones stay a "no".

    votes: mean log-odds of each tile's votes, (N,); not read where the filter dropped the tile.
    Limits are those of split conformal prediction by class (Vovk 2012): a new tile like these is
    a landslide called stable, or filtered out, with probability ≤ alpha given that it is a
    landslide, and stable but called landslide with probability ≤ alpha given that it is stable.
    """
    kept = ~dropped
    weights = _weights(labels[kept], log_odds(filter_score[kept]), votes[kept])
    blend = Calibration(*weights, threshold=0.5, lower=0.5, upper=0.5)
    probability = np.zeros(len(labels))
    probability[kept] = blend.probability(filter_score[kept], votes[kept])
    threshold = expected_f1_threshold(probability[kept])
    lower = _quantile_under(probability[labels == 1], alpha, least=0.0)
    # "From upper on" is over the quantile: many tiles may share the one value that lies on it.
    upper = np.nextafter(-_quantile_under(-probability[labels == 0], alpha, least=-1.0), 2)
    return Calibration(
        *weights,
        threshold=threshold,
        lower=min(lower, threshold),
        upper=max(float(upper), threshold),
    )


def _weights(labels: Labels, filter_odds: Floats, votes: Floats) -> tuple[float, float, float]:
    """Non-negative weights and bias of greatest likelihood: more evidence never counts against."""
    evidence = np.column_stack([filter_odds, votes, np.ones(len(labels))])
    start = np.array([0.5, 0.5, 0.0])

    def loss(weights: Floats) -> tuple[float, Floats]:
        z = evidence @ weights
        away = weights - start
        miss = 1 / (1 + np.exp(-z)) - labels
        value = np.logaddexp(0, z).sum() - (labels * z).sum() + 0.5 * _HOLD * away @ away
        return float(value), evidence.T @ miss + _HOLD * away

    bounds = [(0, None), (0, None), (None, None)]
    found = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(found[0]), float(found[1]), float(found[2])


def expected_f1_threshold(probability: Floats) -> float:
    """The threshold of greatest expected F1 where the probabilities hold (Lipton et al. 2014).

    Read from the probabilities, not from the labels: it does not follow the luck of a few rows.
    """
    if not len(probability):
        return 0.5
    ranked = np.sort(probability)[::-1]
    f1 = 2 * np.cumsum(ranked) / (np.arange(1, len(ranked) + 1) + ranked.sum())
    best = int(np.argmax(f1))
    below = ranked[best + 1] if best + 1 < len(ranked) else 0.0
    return float((ranked[best] + below) / 2)


def _quantile_under(scores: Floats, alpha: float, least: float) -> float:
    """The greatest limit such that a new score falls under it with probability ≤ alpha.

    Where there are too few scores for any, the least value they can have: none falls under that.
    """
    rank = int(np.floor(alpha * (len(scores) + 1)))  # of n + 1 equally likely places
    return float(np.sort(scores)[rank - 1]) if rank >= 1 else least
