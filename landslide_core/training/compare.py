"""The reference network beside ours: same folds, rows, filter and stacking; only the net differs.

A fold takes up the filter and the member that a finished training left; the reference network is
fitted on the same split by the same loop. The filter's inner scores are computed again for it,
since its calibration, too, may only see scores out of fold.
"""

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray

from landslide_core.combinations import COMPLETE
from landslide_core.ensemble import Member, cast_votes
from landslide_core.errors import DatasetError
from landslide_core.network import LandslideFPN
from landslide_core.threads import one_thread
from landslide_core.training.calibrate import fit_calibration
from landslide_core.training.crossvalidate import (
    Fold,
    Plan,
    Sources,
    gather,
    load_fold,
    split,
)
from landslide_core.training.dataset import PatchSet
from landslide_core.training.energy import measured
from landslide_core.training.examples import Examples, inner_split, join
from landslide_core.training.fit import Pupil, Report, fit_network, fit_picture
from landslide_core.training.intervals import fold_spread, paired_difference
from landslide_core.training.metrics import f1_threshold, system_scores
from landslide_core.training.options import TrainOptions
from landslide_core.training.prefilter import fit_with_scores
from landslide_core.training.reference import ReferenceFPN, ReferenceOptions
from landslide_core.training.ship import mmac
from landslide_core.training.train import TrainInputs, load_sources

Flags = NDArray[np.bool_]
Figures = dict[str, dict[str, float]]  # of each network

NETWORKS: Final = ("ours", "reference")
_BATCH: Final = 32  # tiles, for the clock
_ROUNDS: Final = 9
# Of `system_scores`, what a network says alone and what both stages say together.
_ALONE: Final = ("f1", "auc", "average_precision")
_STAGES: Final = ("f1", "auc", "average_precision", "dropped_fraction")


@dataclass(frozen=True)
class _Split:
    """One fold's rows, as its training had them."""

    examples: Examples  # to fit on and to set aside; the patches come first
    patches: PatchSet  # the patches among them
    rows: NDArray[np.int_]  # of the examples, fitted
    aside: NDArray[np.int_]  # of the examples, set aside
    held: PatchSet  # patches that the figures are of
    options: TrainOptions  # with the fold's own seed

    def scored_aside(self) -> NDArray[np.int_]:
        """Patches set aside, on which thresholds and calibration are fitted."""
        return self.aside[self.aside < len(self.patches)]


@dataclass(frozen=True)
class Comparison:
    """Which folds to compare, and where."""

    folds: tuple[int, ...]  # 0, 1 …
    work: Path  # of the training, as `landslide train` had it
    out: Path  # folder for a fold_KK.json each
    reference: ReferenceOptions | None = None  # None: as stated


def compare_networks(
    inputs: TrainInputs, plan: Plan, asked: Comparison, device: torch.device, report: Report
) -> list[Figures]:
    """Figures of both networks for each asked fold of a training that has finished it.

    A fold compared before is taken up from its file. Raises DatasetError where the training has
    other options or data, BundleError where it has not finished the fold.
    """
    reference = asked.reference or ReferenceOptions()
    work, folds, out = asked.work, asked.folds, asked.out
    sources = load_sources(inputs)
    known_as = plan.fingerprint(sources)
    if not (work / known_as).is_dir():
        raise DatasetError(
            f"{work} holds no training of these data with these options (no folder {known_as}); "
            "both networks need the same. Name data and options as `landslide train` had them."
        )
    if wrong := [k for k in folds if not 0 <= k < plan.train.members]:
        raise DatasetError(
            f"There is no fold {wrong[0]}; the training has folds 0 to {plan.train.members - 1}. "
            "Correct --folds."
        )
    wanted = hashlib.sha256(f"{known_as} {asdict(reference)}".encode()).hexdigest()[:16]
    found = []
    for k in folds:
        path = out / f"fold_{k:02d}.json"
        if (taken := _taken_up(path, wanted)) is None:
            fold = load_fold(work / known_as / f"fold_{k:02d}")
            with measured(f"reference, fold {k + 1}", out), one_thread(device):
                taken = _fold_figures(sources, k, plan, fold, reference, device, report)
            path.write_text(json.dumps({"of": wanted, "fold": k, **taken}, indent=1) + "\n")
        else:
            report(f"fold {k + 1} was compared before")
        found.append(taken)
    return found


def _taken_up(path: Path, wanted: str) -> Figures | None:
    """What an earlier comparison found, or None where it was of something else or cut short."""
    try:
        said = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return {name: said[name] for name in NETWORKS} if said.get("of") == wanted else None


def _fold_figures(
    sources: Sources,
    k: int,
    plan: Plan,
    fold: Fold,
    reference: ReferenceOptions,
    device: torch.device,
    report: Report,
) -> Figures:
    def told(line: str) -> None:
        report(f"fold {k + 1}: {line}")

    parts = _split_of(sources, k, plan)
    measured_features = sources.patches.features if sources.table is None else sources.table
    fitted = split(sources.patches.labels, plan.train)[k][0]
    told("inner scores of the filter")
    features = measured_features.iloc[fitted].reset_index(drop=True)
    inner = fit_with_scores(features, parts.patches.labels, plan.filter)[1][COMPLETE]
    told("fitting the reference network")
    theirs, seconds = _fit_reference(parts, reference, device, told)
    told("one epoch of ours, for the clock")
    ours_seconds = _seconds_of_ours(parts, plan, device)
    networks: dict[str, tuple[torch.nn.Module, float]] = {
        "ours": (fold.system.members[0].network.to(device), ours_seconds),
        "reference": (theirs, seconds),
    }
    return {
        name: {
            **_scores(network, parts, fold, inner, device),
            **_cost(network, device),
            "training_seconds": spent,
        }
        for name, (network, spent) in networks.items()
    }


def _split_of(sources: Sources, k: int, plan: Plan) -> _Split:
    """The rows of a fold, split as `crossvalidate.fit_fold` splits them."""
    fitted, held = split(sources.patches.labels, plan.train)[k]
    out = sources.chips_of_fold(k, plan.train.members)
    chips = None if sources.chips is None else sources.chips.take(np.flatnonzero(~out))
    patches = sources.patches.take(fitted)
    examples = join(patches, sources.simulated, chips)
    options = replace(plan.train, seed=plan.train.seed + k)
    rows, aside = inner_split(examples, options.inner_share, options.seed)
    return _Split(examples, patches, rows, aside, sources.patches.take(held), options)


def _fit_reference(
    parts: _Split, reference: ReferenceOptions, device: torch.device, report: Report
) -> tuple[ReferenceFPN, float]:
    """The reference network, fitted, and the seconds that took."""
    # It has no heat map to teach.
    options = replace(parts.options, heat_weight=0.0)
    torch.manual_seed(options.seed)
    model = ReferenceFPN(reference).to(device)
    pupil = Pupil(model, model, model.answer, model.look, lambda tiles, _: model.look(tiles))
    fitted, held = parts.examples.take(parts.rows), parts.examples.take(parts.aside)
    start = _clock(device)
    fit_picture(pupil, fitted, held, options, report)
    return model, _clock(device) - start


def _seconds_of_ours(parts: _Split, plan: Plan, device: torch.device) -> float:
    """Seconds that a training of ours takes: its statistics whole, one epoch times their number."""
    marks = [_clock(device)]
    fitted, held = parts.examples.take(parts.rows), parts.examples.take(parts.aside)
    options = replace(parts.options, epochs=1)
    # The loop reports once when the statistics are fitted and once an epoch.
    fit_network(fitted, held, plan.network, options, device, lambda _: marks.append(_clock(device)))
    start, statistics, epoch = marks
    return statistics - start + plan.train.epochs * (epoch - statistics)


def _clock(device: torch.device) -> float:
    """Seconds of this process's processor time, which other work on the machine leaves alone."""
    return time.process_time() if device.type == "cpu" else time.perf_counter()


def _scores(
    network: torch.nn.Module,
    parts: _Split,
    fold: Fold,
    inner: NDArray[np.float64],
    device: torch.device,
) -> dict[str, float]:
    """One network alone, and behind the fold's filter with a calibration of its own."""
    # Votes are all that is asked of a member here, and both networks give them alike.
    members = (Member(cast(LandslideFPN, network), 0.5),)
    aside, held = parts.patches.take(parts.scored_aside()), parts.held
    odds = cast_votes(members, aside.inputs, device).log_odds
    threshold = f1_threshold(aside.labels, odds)
    votes = cast_votes(members, held.inputs, device).log_odds
    says, none = votes >= threshold, np.zeros(len(held), bool)
    alone = system_scores(held.labels, 1 / (1 + np.exp(-votes)), says, none)
    system = replace(fold.system, members=members)
    score = inner[parts.scored_aside()]
    dropped = score < system.prefilter.thresholds[COMPLETE]
    calibration = fit_calibration(aside.labels, score, odds, dropped)
    seen = gather(system, held, COMPLETE, device, dropped=None)
    both = seen.scores(calibration, held.labels)
    return {
        **{f"alone_{name}": alone[name] for name in _ALONE},
        **{f"two_stages_{name}": both[name] for name in _STAGES},
    }


@torch.inference_mode()
def _cost(network: torch.nn.Module, device: torch.device) -> dict[str, float]:
    """Weights, multiply–adds, and processor seconds for one view of one tile on one thread."""
    network.to("cpu").eval()
    cpu = torch.device("cpu")
    tiles = torch.rand(_BATCH, 13, 64, 64).contiguous(memory_format=torch.channels_last)
    spent = []
    with one_thread(cpu):
        for _ in range(_ROUNDS):
            start = _clock(cpu)
            network(tiles)
            spent.append((_clock(cpu) - start) / _BATCH)
    found = {
        "seconds_a_view": float(np.median(spent)),
        "parameters": float(sum(p.numel() for p in network.parameters())),
        "mmac": mmac(network),
    }
    network.to(device)
    return found


def summary(found: Sequence[Figures]) -> dict[str, dict[str, dict[str, float | None]]]:
    """Mean and sample deviation over the folds of either network's figures and their difference."""
    ours, theirs = ([fold[name] for fold in found] for name in NETWORKS)
    return {
        "ours": fold_spread(ours),
        "reference": fold_spread(theirs),
        "ours minus reference": paired_difference(ours, theirs),
    }


def comparison_table(found: Sequence[Figures]) -> str:
    """The summary as plain text, one row a figure."""
    columns: dict[str, Any] = summary(found)
    lines = [f"{'':28}" + "".join(f"{name:>24}" for name in columns)]
    for figure in columns["ours"]:
        said = [_words(column[figure]) for column in columns.values()]
        lines.append(f"{figure.replace('_', ' '):28}" + "".join(f"{words:>24}" for words in said))
    return "\n".join(lines)


def _words(figure: dict[str, float | None]) -> str:
    mean, deviation = figure["mean"], figure["std"]
    if mean is None:
        return "–"
    digits = 0 if abs(mean) >= 1000 else 4
    return f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")
