"""Fitting one member: the statistics first, then the picture on what they leave unexplained."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from landslide_core.ensemble import Member, cast_votes
from landslide_core.judgement import HEAT, VIEWS
from landslide_core.moments import moments
from landslide_core.network import LandslideFPN, Look, NetworkOptions
from landslide_core.training.augment import cloud_over, drop_inputs, erase, rescale, turn
from landslide_core.training.examples import Examples, inner_split
from landslide_core.training.metrics import f1_threshold
from landslide_core.training.options import TrainOptions, annealed
from landslide_core.training.voices import fit_crossed, fit_statistics, moments_of
from landslide_core.voices import Voices

Floats = NDArray[np.float32]
Labels = NDArray[np.int_]
Report = Callable[[str], None]
Curve = list[dict[str, float]]  # epoch by epoch
Watch = Callable[[dict[str, float]], None]  # is handed every epoch of the curve; may raise to stop

_LIKELIER = 5.0  # weight of a landslide cell in the heat map's loss: few cells are
_CHUNK = 64  # tiles looked at together outside training


@dataclass(frozen=True)
class Fitted:
    """A member, how its training went, and the rows it was calibrated on instead of fitted."""

    member: Member
    curve: Curve
    aside: NDArray[np.int_]  # rows of the examples


@dataclass(frozen=True)
class Pupil:
    """A network while its picture part is trained."""

    network: nn.Module
    picture: nn.Module  # the part that is trained
    answer: nn.Linear  # its last layer
    look: Callable[[Tensor], Look]  # at tiles set aside (n, 13, h, w)
    practise: Callable[[Tensor, NDArray[np.int_]], Look]  # at training tiles, given their rows


def fit_member(
    examples: Examples,
    network: NetworkOptions,
    options: TrainOptions,
    device: torch.device,
    report: Report,
) -> Fitted:
    """Train a network on most rows; stop it and choose its F1-optimal threshold on the others.

    The threshold is chosen on labelled patches alone. The same seed gives the same weights on
    the CPU.
    """
    rows, aside = inner_split(examples, options.inner_share, options.seed)
    fitted, held = examples.take(rows), examples.take(aside)
    model, curve = fit_network(fitted, held, network, options, device, report)
    judged = held.take(np.flatnonzero(held.scored))
    threshold = choose_threshold(model, judged.inputs, judged.labels, device)
    return Fitted(Member(model, threshold), curve, aside)


def fit_network(
    fitted: Examples,
    held: Examples,
    network: NetworkOptions,
    options: TrainOptions,
    device: torch.device,
    report: Report,
    watch: Watch | None = None,
) -> tuple[LandslideFPN, Curve]:
    """Train both parts of one network; the picture's epoch of least loss on `held` is kept."""
    known = moments_of(fitted.inputs)
    crossed, unseen_by = fit_crossed(known, fitted.labels, network, options)
    torch.manual_seed(options.seed)
    model = LandslideFPN(network)
    whole = fit_statistics(known, fitted.labels, network, options, options.seed)
    model.statistics.load_state_dict(whole.state_dict())
    report(f"statistics fitted on {len(fitted)} tiles")
    model.to(device)
    crossed = [part.to(device) for part in crossed]

    def practise(tiles: Tensor, rows: NDArray[np.int_]) -> Look:
        return Look(_beside(crossed, unseen_by[rows], tiles), *model.picture(tiles))

    with torch.no_grad():  # start from what the statistics say
        model.picture.answer.bias.fill_(sampling_odds(fitted.labels, options))
    # The picture is added to log-odds of voices that never saw the tile.
    pupil = Pupil(model, model.picture, model.picture.answer, model.look, practise)
    return model, fit_picture(pupil, fitted, held, options, report, watch)


def fit_picture(
    pupil: Pupil,
    fitted: Examples,
    held: Examples,
    options: TrainOptions,
    report: Report,
    watch: Watch | None = None,
) -> Curve:
    """Train the picture part in place; its epoch of least loss on `held` is kept.

    Drawing fewer negatives than there are and weighing positives up both raise the odds the
    picture learns by a known factor; its last bias takes that factor back out (Elkan 2001).
    """
    picture, device = pupil.picture, next(pupil.network.parameters()).device
    torch.manual_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    optimiser = torch.optim.AdamW(picture.parameters(), weight_decay=options.weight_decay)
    positives, negatives = (np.flatnonzero(fitted.labels == label) for label in (1, 0))
    drawn = _drawn(fitted.labels, options)
    per_epoch = -(-(len(positives) + drawn) // options.batch)
    steps = options.epochs * per_epoch
    odds = sampling_odds(fitted.labels, options)
    kept, least, curve = deepcopy(picture.state_dict()), float("inf"), []
    for epoch in range(options.epochs):
        picture.train()
        picked = rng.choice(negatives, drawn, replace=False)
        order = rng.permutation(np.concatenate([positives, picked]))
        losses = []
        for i, rows in enumerate(np.array_split(order, per_epoch)):
            rate = annealed(epoch * per_epoch + i, steps, options.learning_rate, options.warmup)
            for group in optimiser.param_groups:
                group["lr"] = rate
            tiles, masks = _augmented(fitted, rows, options, rng)
            tiles = tiles.to(device, memory_format=torch.channels_last)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                seen = pupil.practise(tiles, rows)
                loss = _loss(seen, fitted, rows, masks.to(device), options)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        inner = held_loss(pupil, held, odds, device)
        curve.append({"epoch": epoch + 1, "loss": float(np.mean(losses)), **inner, "rate": rate})
        report(
            f"epoch {epoch + 1}/{options.epochs} loss {curve[-1]['loss']:.4f} "
            f"inner {inner['inner_loss']:.4f}"
        )
        if inner["inner_loss"] < least:
            kept, least = deepcopy(picture.state_dict()), inner["inner_loss"]
        if watch:
            watch(curve[-1])
    picture.load_state_dict(kept)
    with torch.no_grad():
        pupil.answer.bias.sub_(odds)
    pupil.network.eval()
    return curve


def _drawn(labels: Labels, options: TrainOptions) -> int:
    """Negatives drawn an epoch."""
    positives = int(labels.sum())
    return min(len(labels) - positives, round(options.negatives * positives))


def sampling_odds(labels: Labels, options: TrainOptions) -> float:
    """Log of the factor by which drawing and weighing raise the odds of a landslide."""
    negatives = len(labels) - int(labels.sum())
    return float(np.log(options.positive_weight * negatives / _drawn(labels, options)))


def _augmented(
    examples: Examples, rows: NDArray[np.int_], options: TrainOptions, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A batch of changed copies (n, 13, h, w) and their masks (n, h, w)."""
    tiles, masks = turn(
        torch.from_numpy(examples.inputs[rows]), torch.from_numpy(examples.masks[rows]), rng
    )
    tiles = rescale(tiles, torch.from_numpy(examples.unscaled[rows]), rng)
    tiles = cloud_over(erase(tiles, options.erased, rng), options.clouded, rng)
    return drop_inputs(tiles, options.incomplete, rng), masks


@torch.no_grad()
def _beside(crossed: list[Voices], unseen_by: NDArray[np.int_], tiles: Tensor) -> Tensor:
    """Log-odds (n,) of each tile's statistics, from the voices that were not fitted on it."""
    known = moments(tiles.float())
    each = torch.stack([part(*known) for part in crossed])
    return each[torch.from_numpy(unseen_by), torch.arange(len(tiles))]


def _loss(
    seen: Look, examples: Examples, rows: NDArray[np.int_], masks: Tensor, options: TrainOptions
) -> Tensor:
    """Weighted cross-entropy of the tiles, and of the cells of those whose mask is known."""
    device = seen.picture.device
    target = torch.from_numpy(examples.labels[rows].astype(np.float32)).to(device)
    loss = functional.binary_cross_entropy_with_logits(
        (seen.statistics + seen.picture).float(),
        target,
        pos_weight=torch.tensor(options.positive_weight, device=device),
    )
    located = torch.from_numpy(examples.located[rows]).to(device)
    if options.heat_weight and located.any():
        cells = functional.adaptive_avg_pool2d(masks[located].float()[:, None], HEAT)[:, 0]
        loss = loss + options.heat_weight * functional.binary_cross_entropy_with_logits(
            seen.heat[located].float(),
            cells,
            pos_weight=torch.tensor(_LIKELIER, device=device),
        )
    return loss


@torch.inference_mode()
def held_loss(pupil: Pupil, held: Examples, odds: float, device: torch.device) -> dict[str, float]:
    """Log loss on tiles set aside, of both parts and of the statistics alone."""
    pupil.network.eval()
    looks = [
        pupil.look(torch.tensor(held.inputs[a:b], device=device))
        for a, b in pairwise([*range(0, len(held), _CHUNK), len(held)])
    ]
    statistics = torch.cat([look.statistics for look in looks]).float().cpu()
    picture = torch.cat([look.picture for look in looks]).float().cpu() - odds
    target = torch.from_numpy(held.labels.astype(np.float32))
    entropy = functional.binary_cross_entropy_with_logits
    return {
        "inner_loss": float(entropy(statistics + picture, target)),
        "statistics_loss": float(entropy(statistics, target)),
    }


def choose_threshold(
    model: LandslideFPN, inputs: Floats, labels: Labels, device: torch.device
) -> float:
    """The vote threshold whose majority over the eight views has the greatest F1."""
    votes = cast_votes([Member(model, 0.5)], inputs, device).votes[:, 0]  # (N, 8)
    # At least half of the views reach a threshold exactly if the fourth highest vote does.
    fourth = np.sort(votes, axis=1)[:, -(len(VIEWS) // 2)]
    return f1_threshold(labels, fourth)
