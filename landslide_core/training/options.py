"""How the ensemble is trained: every option, and the course of the learning rate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Rows to fit on and rows held out, fold by fold.
Splits = list[tuple[NDArray[np.int_], NDArray[np.int_]]]


@dataclass(frozen=True)
class TrainOptions:
    """How the ensemble is trained."""

    members: int = 10  # as many folds
    epochs: int = 6  # of the picture; the best one by the inner split is kept
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.1  # share of all steps
    positive_weight: float = 1.5  # of a landslide tile in the loss
    negatives: float = 2.0  # negatives drawn an epoch for every positive
    erased: float = 0.05  # share of tiles with a rectangle blanked
    incomplete: float = 0.15  # share of tiles with whole inputs missing
    clouded: float = 0.05  # share of tiles with clouds painted over
    heat_weight: float = 0.5  # of the heat map's loss beside the tile's
    voice_epochs: int = 40  # of the voices on statistics
    voice_batch: int = 64
    voice_rate: float = 3e-3
    voice_noise: float = 0.1  # deviations, on evenly spread statistics
    voice_incomplete: float = 0.15  # share of tiles with whole inputs missing
    crossed: int = 3  # inner folds whose voices the picture is fitted beside
    inner_share: float = 0.15  # of a fold's training rows, set aside for stopping and calibration
    seed: int = 0


def annealed(step: int, steps: int, peak: float, warmup: float) -> float:
    """Learning rate: linear warm-up from peak/warm steps to the peak, then cosine towards 0."""
    warm = max(1, round(warmup * steps))
    if step < warm:
        return peak * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return float(peak * 0.5 * (1 + np.cos(np.pi * done)))
