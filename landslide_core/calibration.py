"""From the filter's score and the ensemble's votes to one probability and a verdict's limits."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

_SURE = 1e-6  # a score nearer to 0 or 1 than this is read as this


def log_odds(probability: Floats) -> Floats:
    """Natural log-odds; scores of 0 and 1 stay finite."""
    held = np.clip(np.asarray(probability, np.float64), _SURE, 1 - _SURE)
    return np.log(held / (1 - held))


@dataclass(frozen=True)
class Calibration:
    """How one input combination's evidence adds up, fitted on scores out of fold.

    p = 1 / (1 + exp(−(filter_weight · log-odds of the filter's score
                       + votes_weight · mean log-odds of the votes + bias)))
    """

    filter_weight: float
    votes_weight: float
    bias: float
    threshold: float  # of p for a yes or no, where the expected F1 is greatest
    lower: float  # p under it is called stable
    upper: float  # p from it on is called landslide; lower ≤ threshold ≤ upper

    def probability(self, filter_score: Floats, votes: Floats) -> Floats:
        """Calibrated probability (N,) from filter scores (N,) and mean log-odds of votes (N,)."""
        evidence = self.filter_weight * log_odds(filter_score) + self.votes_weight * votes
        return np.asarray(1 / (1 + np.exp(-(evidence + self.bias))))
