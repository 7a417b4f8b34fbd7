"""What both stages say of tiles before it is weighed, and the scores of what comes of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landslide_core.calibration import Calibration
from landslide_core.judgement import FILTERED_OUT, Judgement
from landslide_core.training.metrics import system_scores

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Labels = NDArray[np.int_]


@dataclass(frozen=True)
class Evidence:
    """Scores of N tiles under one input combination."""

    filter_score: Floats  # (N,)
    votes: Floats  # (N,) mean log-odds; NaN where the filter dropped the tile
    dropped: Flags  # (N,)

    def probability(self, calibration: Calibration) -> NDArray[np.float64]:
        """Calibrated probability (N,); the filter's score where it dropped the tile."""
        weighed = calibration.probability(self.filter_score, np.nan_to_num(self.votes))
        return np.where(self.dropped, self.filter_score, weighed)

    def says_landslide(self, calibration: Calibration) -> Flags:
        """The yes or no, (N,); a dropped tile is a "no"."""
        return ~self.dropped & (self.probability(calibration) >= calibration.threshold)

    def scores(self, calibration: Calibration, labels: Labels) -> dict[str, float]:
        """Two-stage scores under this combination."""
        return system_scores(
            labels, self.probability(calibration), self.says_landslide(calibration), self.dropped
        )


def judgement_scores(judgement: Judgement, labels: Labels) -> dict[str, float]:
    """Two-stage scores of a judgement; a tile that no stage could see counts as a "no"."""
    return system_scores(
        labels,
        np.nan_to_num(judgement.probability),
        judgement.says_landslide,
        judgement.verdict == FILTERED_OUT,
    )
