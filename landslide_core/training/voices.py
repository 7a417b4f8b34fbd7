"""Fitting voices, small networks on statistics, in seconds: a member's, and the filter's."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from torch import Tensor
from torch.nn import functional

from landslide_core.bands import TILE
from landslide_core.combinations import COMBINATIONS, blank_inputs
from landslide_core.moments import moments
from landslide_core.network import NetworkOptions
from landslide_core.training.options import TrainOptions, VoiceOptions, annealed
from landslide_core.voices import Voices, VoiceShape

Floats = NDArray[np.float32]
Labels = NDArray[np.int_]

_CHUNK = 256  # tiles whose statistics are computed at once


@torch.inference_mode()
def moments_of(inputs: Floats) -> tuple[Tensor, Tensor]:
    """`moments.moments` of many tiles (N, 13, h, w), on the CPU."""
    starts = range(0, len(inputs), _CHUNK)
    parts = [moments(torch.tensor(inputs[start : start + _CHUNK])) for start in starts]
    statistics, known = (torch.cat(column) for column in zip(*parts, strict=True))
    return statistics.clone(), known.clone()


def fit_voices(
    known: tuple[Tensor, Tensor],
    labels: Labels,
    shape: VoiceShape,
    missing: Tensor,
    options: VoiceOptions,
    seed: int,
) -> Voices:
    """Train voices on statistics (N, count) and which are known; the same seed, the same weights.

    Runs on the CPU. missing: 1 for every statistic that is there under a combination
    (combinations, count), the complete one first. Every voice sees the tiles in an order of its
    own, with noise, and a share of them as if whole input groups were missing.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    statistics, there = known
    model = Voices(statistics.shape[1], shape)
    model.spread.fit(statistics, there)
    target = torch.from_numpy(labels.astype(np.float32))
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=options.weight_decay)
    with torch.no_grad():
        scores = model.spread(statistics, there)
    batches = max(1, len(labels) // options.batch)
    steps = options.epochs * batches
    for epoch in range(options.epochs):
        orders = np.stack([rng.permutation(len(labels)) for _ in range(shape.number)])
        for i, order in enumerate(np.array_split(orders, batches, axis=1)):
            rate = annealed(epoch * batches + i, steps, options.rate, options.warmup)
            for group in optimiser.param_groups:
                group["lr"] = rate
            rows = torch.from_numpy(order)  # (voices, n)
            seen = scores[rows] + options.noise * torch.randn(*rows.shape, scores.shape[1])
            kept = there[rows] * _dropped(missing, order.shape, options.incomplete, rng)
            loss = functional.binary_cross_entropy_with_logits(
                model.each(seen * kept), target[rows]
            )
            optimiser.zero_grad(set_to_none=True)
            # Adam takes no notice of the size of the loss: each voice learns as if alone.
            loss.backward()
            optimiser.step()
    return model.eval()


def fit_statistics(
    known: tuple[Tensor, Tensor],
    labels: Labels,
    network: NetworkOptions,
    options: TrainOptions,
    seed: int,
) -> Voices:
    """The statistics part of a member, from `moments_of` its training tiles."""
    missing = _known_under_combinations()
    return fit_voices(known, labels, network.voice_shape, missing, options.of_voices, seed)


def _known_under_combinations() -> Tensor:
    """Which statistics are known under each input combination, (combinations, COUNT)."""
    tile = np.random.default_rng(0).uniform(1, 2, (1, 13, TILE, TILE)).astype(np.float32)
    return torch.cat([moments_of(blank_inputs(tile, name))[1] for name in COMBINATIONS])


def _dropped(
    missing: Tensor, shape: tuple[int, ...], share: float, rng: np.random.Generator
) -> Tensor:
    """1 for every statistic a tile keeps, (*shape, count): a share loses whole input groups."""
    chosen = rng.integers(1, len(missing), shape)
    chosen[rng.random(shape) >= share] = 0  # COMBINATIONS[0] is complete
    return missing[torch.from_numpy(chosen)]


def fit_crossed(
    known: tuple[Tensor, Tensor], labels: Labels, network: NetworkOptions, options: TrainOptions
) -> tuple[list[Voices], NDArray[np.int_]]:
    """Voices of inner folds, and for every tile the number of the one that never saw it."""
    unseen_by = np.zeros(len(labels), np.int_)
    folds = StratifiedKFold(options.crossed, shuffle=True, random_state=options.seed)
    fitted = []
    for k, (rows, held) in enumerate(folds.split(labels, labels)):
        part = known[0][rows], known[1][rows]
        seed = options.seed + 1000 * (k + 1)
        fitted.append(fit_statistics(part, labels[rows], network, options, seed))
        unseen_by[held] = k
    return fitted, unseen_by
