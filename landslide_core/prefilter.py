"""Stage 1, the negative filter: drops obvious non-landslide tiles, keeps nearly every landslide.

XGBoost's trees and small networks judge the same hand-crafted features; they err differently, so
the mean of their log-odds ranks better than either. A tile is dropped when its score is under the
threshold of its *input combination*: which of the visible bands, near infrared, the two passes and
their pre-event dates it has. Others (half a band group missing, say) are never dropped: no recall
was measured there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import torch
import xgboost
from numpy.typing import NDArray
from torch import Tensor

from landslide_core.combinations import combination_of
from landslide_core.voices import Voices

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_CHUNK: Final = 512  # tiles whose features are spread at once: bounds memory
_STEPS: Final = 64  # of the path along which the networks' reasons are added up


@dataclass(frozen=True)
class Prefilter:
    """A fitted filter: trees and voices, their feature names, a threshold per combination."""

    booster: xgboost.Booster
    voices: Voices  # evaluation mode, double precision: a score is the same in any batch
    features: tuple[str, ...]
    thresholds: Mapping[str, float]

    def log_odds(self, features: pd.DataFrame) -> Doubles:
        """Log-odds of a landslide by the features alone, (N,): mean of trees and voices."""
        matrix = features[list(self.features)].to_numpy(np.float32)
        trees = self.booster.inplace_predict(matrix, predict_type="margin")
        return (trees.astype(np.float64) + self._heard(matrix)) / 2

    def score(self, features: pd.DataFrame) -> Floats:
        """Probability of a landslide by the features alone, (N,) in 0..1."""
        return np.asarray(1 / (1 + np.exp(-self.log_odds(features))), np.float32)

    def threshold(self, features: pd.DataFrame) -> Floats:
        """Threshold of each tile's input combination (N,); −inf where none was fitted."""
        limits = [self.thresholds.get(name, -np.inf) for name in combination_of(features)]
        return np.asarray(limits, np.float32)

    def contributions(self, features: pd.DataFrame) -> tuple[Floats, float]:
        """Each feature's share of the score's log-odds, (N, features), and the bias.

        Of the trees: XGBoost's own exact tree SHAP (Lundberg et al. 2018). Of the voices:
        integrated gradients from the median tile (Sundararajan et al. 2017). Shares and bias add
        up to the log-odds of the score.
        """
        matrix = features[list(self.features)].to_numpy(np.float32)
        trees = self.booster.predict(xgboost.DMatrix(matrix), pred_contribs=True)
        voices, start = self._reasons(matrix)
        shares = (trees[:, :-1] + voices) / 2
        return shares.astype(np.float32), (float(trees[0, -1]) + start) / 2

    @torch.inference_mode()
    def _heard(self, matrix: Floats) -> Doubles:
        """Mean log-odds of the voices, (N,)."""
        starts = range(0, len(matrix), _CHUNK)
        parts = [
            self.voices(*known_features(matrix[i : i + _CHUNK], torch.float64)) for i in starts
        ]
        return torch.cat(parts).numpy() if parts else np.zeros(0)

    def _reasons(self, matrix: Floats) -> tuple[Doubles, float]:
        """Each feature's share of the voices' log-odds, and theirs for the median tile."""
        with torch.no_grad():
            scores = self.voices.spread(*known_features(matrix, torch.float64))
            ends = self.voices.of_scores(torch.cat([torch.zeros_like(scores[:1]), scores]))
        slopes = torch.zeros_like(scores)
        for step in range(_STEPS):
            place = (scores * ((step + 0.5) / _STEPS)).requires_grad_()
            slopes += torch.autograd.grad(self.voices.of_scores(place).sum(), place)[0]
        shares = scores * slopes / _STEPS
        # What the steps miss of the whole way is given to the features by their weight.
        missed = ends[1:] - ends[0] - shares.sum(dim=1)
        weight = shares.abs() / shares.abs().sum(dim=1, keepdim=True).clamp(min=1e-12)
        return (shares + weight * missed[:, None]).numpy(), float(ends[0])


def known_features(matrix: Floats, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Features (N, features) with 0 for what is missing, and 1 where they are known."""
    known = np.isfinite(matrix)
    values = torch.from_numpy(np.where(known, matrix, np.float32(0)))
    return values.to(kind), torch.from_numpy(known).to(kind)
