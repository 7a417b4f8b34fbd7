"""Fitting one member: the whole training loop on one screen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split
from torch.nn import functional

from landslide_core.ensemble import VIEWS, Member, cast_votes
from landslide_core.network import LandslideFPN, NetworkOptions
from landslide_core.training.augment import drop_inputs, erase, turn
from landslide_core.training.metrics import f1_threshold

Floats = NDArray[np.float32]
Labels = NDArray[np.int_]
Report = Callable[[str], None]


@dataclass(frozen=True)
class TrainOptions:
    """How the ensemble is trained."""

    members: int = 10  # as many folds
    epochs: int = 9
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: float = 0.1  # share of all steps
    positive_weight: float = 1.5  # of a landslide tile in the loss
    negatives: float = 3.0  # negatives drawn an epoch for every positive
    erased: float = 0.05  # share of tiles with a rectangle blanked
    incomplete: float = 0.12  # share of tiles with whole inputs missing
    inner_share: float = 0.15  # of a fold's training rows, kept to choose the threshold on
    seed: int = 0


def learning_rate(step: int, steps: int, options: TrainOptions) -> float:
    """Linear warm-up from peak/warm steps to the peak, then cosine annealing towards 0."""
    warm = max(1, round(options.warmup * steps))
    if step < warm:
        return options.learning_rate * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return float(options.learning_rate * 0.5 * (1 + np.cos(np.pi * done)))


def fit_network(
    inputs: Floats,
    labels: Labels,
    network: NetworkOptions,
    options: TrainOptions,
    device: torch.device,
    report: Report,
) -> LandslideFPN:
    """Train one network on model inputs (N, 13, 64, 64); the same seed gives the same weights.

    Drawing fewer negatives than there are and weighing positives up both raise the odds the
    network learns by a known factor; its last bias takes that factor back out, so that the
    votes are probabilities under the labels' own rate (Elkan 2001).
    """
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    model = LandslideFPN(network).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=options.weight_decay)
    positives, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    drawn = min(len(negatives), round(options.negatives * len(positives)))
    per_epoch = -(-(len(positives) + drawn) // options.batch)
    weight = torch.tensor(options.positive_weight, device=device)
    for epoch in range(options.epochs):
        model.train()
        picked = rng.choice(negatives, drawn, replace=False)
        order = rng.permutation(np.concatenate([positives, picked]))
        losses = []
        for i, rows in enumerate(np.array_split(order, per_epoch)):
            rate = learning_rate(epoch * per_epoch + i, options.epochs * per_epoch, options)
            for group in optimiser.param_groups:
                group["lr"] = rate
            tiles = turn(torch.from_numpy(inputs[rows]), rng)
            tiles = drop_inputs(erase(tiles, options.erased, rng), options.incomplete, rng)
            tiles = tiles.to(device, memory_format=torch.channels_last)
            target = torch.from_numpy(labels[rows].astype(np.float32)).to(device)
            loss = functional.binary_cross_entropy_with_logits(
                model(tiles), target, pos_weight=weight
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        report(f"epoch {epoch + 1}/{options.epochs} loss {np.mean(losses):.4f}")
    odds = options.positive_weight * len(negatives) / drawn
    with torch.no_grad():
        model.answer.bias.sub_(float(np.log(odds)))
    model.eval()
    return model


def fit_member(
    inputs: Floats,
    labels: Labels,
    scored: NDArray[np.bool_],
    network: NetworkOptions,
    options: TrainOptions,
    device: torch.device,
    report: Report,
) -> Member:
    """Train a network on most rows, choose its F1-optimal threshold on those left aside.

    Only rows marked `scored` are set aside for the threshold, and no other row is used for it.
    """
    aside = rows_set_aside(labels, scored, options)
    fitted = np.setdiff1d(np.arange(len(labels)), aside)
    model = fit_network(inputs[fitted], labels[fitted], network, options, device, report)
    threshold = choose_threshold(model, inputs[aside], labels[aside], device)
    report(f"threshold {threshold:.3f} on {len(aside)} inner rows")
    return Member(model, threshold)


def rows_set_aside(
    labels: Labels, scored: NDArray[np.bool_], options: TrainOptions
) -> NDArray[np.int_]:
    """The inner split: rows the threshold is chosen on, with the labels' own rate."""
    candidates = np.flatnonzero(scored)
    _, aside = train_test_split(
        candidates,
        test_size=options.inner_share,
        stratify=labels[candidates],
        random_state=options.seed,
    )
    return np.asarray(aside)


def choose_threshold(
    model: LandslideFPN, inputs: Floats, labels: Labels, device: torch.device
) -> float:
    """The vote threshold whose majority over the eight views has the greatest F1."""
    votes = cast_votes([Member(model, 0.5)], inputs, device).votes[:, 0]  # (N, 8)
    # At least half of the views reach a threshold exactly if the fourth highest vote does.
    fourth = np.sort(votes, axis=1)[:, -(len(VIEWS) // 2)]
    return f1_threshold(labels, fourth)
