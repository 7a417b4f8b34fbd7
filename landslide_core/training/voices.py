"""Fitting the statistics part of a member: small networks, trained in seconds."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold
from torch import Tensor
from torch.nn import functional

from landslide_core.bands import TILE
from landslide_core.combinations import COMBINATIONS, blank_inputs
from landslide_core.moments import moments
from landslide_core.network import NetworkOptions, Statistics
from landslide_core.training.options import TrainOptions, annealed

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


def fit_statistics(
    known: tuple[Tensor, Tensor],
    labels: Labels,
    network: NetworkOptions,
    options: TrainOptions,
    seed: int,
) -> Statistics:
    """Train the voices on statistics (N, COUNT) of tiles; runs on the CPU, same seed same weights.

    Every voice sees the tiles in an order of its own, with noise, and a share of them as if
    whole input groups were missing.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Statistics(network)
    statistics, there = known
    model.spread.fit(statistics, there)
    missing = _known_under_combinations()
    target = torch.from_numpy(labels.astype(np.float32))
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=options.weight_decay)
    with torch.no_grad():
        scores = model.spread(statistics, there)
    batches = max(1, len(labels) // options.voice_batch)
    steps = options.voice_epochs * batches
    for epoch in range(options.voice_epochs):
        orders = np.stack([rng.permutation(len(labels)) for _ in range(network.voices)])
        for i, order in enumerate(np.array_split(orders, batches, axis=1)):
            rate = annealed(epoch * batches + i, steps, options.voice_rate, options.warmup)
            for group in optimiser.param_groups:
                group["lr"] = rate
            rows = torch.from_numpy(order)  # (voices, n)
            seen = scores[rows] + options.voice_noise * torch.randn(*rows.shape, scores.shape[1])
            kept = there[rows] * _dropped(missing, order.shape, options, rng)
            loss = functional.binary_cross_entropy_with_logits(
                model.each(seen * kept), target[rows]
            )
            optimiser.zero_grad(set_to_none=True)
            # Adam takes no notice of the size of the loss: each voice learns as if alone.
            loss.backward()
            optimiser.step()
    return model.eval()


def _known_under_combinations() -> Tensor:
    """Which statistics are known under each input combination, (combinations, COUNT)."""
    tile = np.random.default_rng(0).uniform(1, 2, (1, 13, TILE, TILE)).astype(np.float32)
    return torch.cat([moments_of(blank_inputs(tile, name))[1] for name in COMBINATIONS])


def _dropped(
    missing: Tensor, shape: tuple[int, ...], options: TrainOptions, rng: np.random.Generator
) -> Tensor:
    """1 for every statistic a tile keeps, (*shape, COUNT): a share loses whole input groups."""
    chosen = rng.integers(1, len(missing), shape)
    chosen[rng.random(shape) >= options.voice_incomplete] = 0  # COMBINATIONS[0] is complete
    return missing[torch.from_numpy(chosen)]


def fit_crossed(
    known: tuple[Tensor, Tensor], labels: Labels, network: NetworkOptions, options: TrainOptions
) -> tuple[list[Statistics], NDArray[np.int_]]:
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
