"""How filter and ensemble are trained: every option, and the course of the learning rate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landslide_core.voices import VoiceShape

# Rows to fit on and rows held out, fold by fold.
Splits = list[tuple[NDArray[np.int_], NDArray[np.int_]]]


@dataclass(frozen=True)
class VoiceOptions:
    """How small networks on statistics are trained."""

    epochs: int
    batch: int
    rate: float
    weight_decay: float
    warmup: float  # share of all steps
    noise: float  # deviations, on evenly spread statistics
    incomplete: float  # share of tiles with whole inputs missing


@dataclass(frozen=True)
class FilterOptions:
    """How the filter is fitted: trees and voices on the same features."""

    target_recall: float = 0.995  # share of landslide tiles that must pass, on inner folds
    rounds: int = 600
    learning_rate: float = 0.04
    max_depth: int = 5
    subsample: float = 0.7
    columns_per_tree: float = 0.1
    blanked_copies: int = 1  # of every row, with whole input groups missing
    blanked_weight: float = 0.3  # of such a copy beside its complete row
    voices: int = 4  # small networks beside the trees
    voice: int = 128  # their width
    voice_dropout: float = 0.3
    voice_epochs: int = 40
    voice_batch: int = 256
    voice_rate: float = 5e-3
    voice_decay: float = 5e-2
    voice_noise: float = 0.1  # deviations, on evenly spread features
    voice_incomplete: float = 0.3  # share of rows with whole inputs missing
    inner_folds: int = 8
    repeats: int = 2  # of the inner folds; one split's luck should not set the threshold
    threads: int = 1  # of the trees
    seed: int = 0

    @property
    def voice_shape(self) -> VoiceShape:
        """Number and size of the small networks."""
        return VoiceShape(self.voices, self.voice, self.voice_dropout)

    @property
    def of_voices(self) -> VoiceOptions:
        """How they are trained."""
        return VoiceOptions(
            epochs=self.voice_epochs,
            batch=self.voice_batch,
            rate=self.voice_rate,
            weight_decay=self.voice_decay,
            warmup=0.1,
            noise=self.voice_noise,
            incomplete=self.voice_incomplete,
        )


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

    @property
    def of_voices(self) -> VoiceOptions:
        """Those of a member's voices."""
        return VoiceOptions(
            epochs=self.voice_epochs,
            batch=self.voice_batch,
            rate=self.voice_rate,
            weight_decay=self.weight_decay,
            warmup=self.warmup,
            noise=self.voice_noise,
            incomplete=self.voice_incomplete,
        )


def annealed(step: int, steps: int, peak: float, warmup: float) -> float:
    """Learning rate: linear warm-up from peak/warm steps to the peak, then cosine towards 0."""
    warm = max(1, round(warmup * steps))
    if step < warm:
        return peak * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return float(peak * 0.5 * (1 + np.cos(np.pi * done)))
