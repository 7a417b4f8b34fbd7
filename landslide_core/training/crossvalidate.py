"""Ten folds in; a filter, a member, its calibration and honest scores out of each.

Fold k's filter, member, thresholds and calibration see nothing of fold k's rows. The members of
all folds make the ensemble; what else ships is fitted on all rows by the same code (`ship`).
"""

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from landslide_core.bundle import Bundle, load_bundle, save_bundle
from landslide_core.calibration import Calibration
from landslide_core.combinations import COMBINATIONS, COMPLETE, USUAL, blank, blank_inputs
from landslide_core.detect import all_votes, judge_prepared
from landslide_core.ensemble import cast_votes
from landslide_core.judgement import Judgement
from landslide_core.network import NetworkOptions
from landslide_core.prefilter import Prefilter
from landslide_core.threads import one_thread
from landslide_core.training.calibrate import fit_calibration
from landslide_core.training.dataset import PatchSet
from landslide_core.training.evidence import Evidence
from landslide_core.training.examples import groups_of, join
from landslide_core.training.fit import Curve, Fitted, Report, fit_member
from landslide_core.training.options import FilterOptions, Splits, TrainOptions
from landslide_core.training.prefilter import fit_with_scores

_CHUNK: Final = 256  # tiles judged at once
_SCORES: Final = "scores.npz"
_CURVE: Final = "curve.json"


@dataclass(frozen=True)
class Sources:
    """What there is to learn from."""

    patches: PatchSet  # surrogate or real patches, scored
    table: pd.DataFrame | None = None  # their filter features measured exactly, to fit stage 1 on
    simulated: PatchSet | None = None  # added to every fold's training tiles, never scored here
    chips: PatchSet | None = None  # overlapping tiles of real optical chips, split by chip

    def chips_of_fold(self, k: int, folds: int) -> NDArray[np.bool_]:
        """Which chip tiles belong to fold k: every tile of a chip to the same one."""
        if self.chips is None:
            return np.zeros(0, bool)
        names = groups_of(self.chips)
        place = {name: i % folds for i, name in enumerate(sorted(set(names)))}
        return np.array([place[name] == k for name in names])


@dataclass(frozen=True)
class Plan:
    """Every option of a training, handed down whole."""

    network: NetworkOptions
    train: TrainOptions
    filter: FilterOptions

    def fingerprint(self, sources: Sources) -> str:
        """Hash of the options and the data: a checkpoint of another plan is not taken up."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        for part in (sources.patches, sources.simulated, sources.chips):
            if part is not None:
                digest.update("\n".join(part.ids).encode())
                digest.update(part.labels.tobytes())
                # Statistics of every band: other pixels would show here.
                digest.update(pd.util.hash_pandas_object(part.features).to_numpy().tobytes())
        if sources.table is not None:
            digest.update(pd.util.hash_pandas_object(sources.table).to_numpy().tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Fold:
    """One fold's system and what it said of tiles it never saw."""

    system: Bundle  # its filter, one member, its calibration
    rows: NDArray[np.int_]  # of the patches, held out
    judgement: Judgement  # of them, complete
    evidence: dict[str, Evidence]  # of them, by input combination
    chips: Judgement | None  # of the held-out chips' quarters
    curve: Curve


def split(labels: NDArray[np.int_], options: TrainOptions) -> Splits:
    """Class-balanced folds: rows to fit on and rows held out, fold by fold."""
    folds = StratifiedKFold(options.members, shuffle=True, random_state=options.seed)
    return list(folds.split(labels, labels))


def judge_set(bundle: Bundle, patches: PatchSet, device: torch.device) -> Judgement:
    """Both stages on prepared tiles, in chunks."""
    bundle.to(device)
    room = Judgement.room_for(len(patches), len(bundle.members))
    ask = all_votes(bundle, device)
    for start in range(0, len(patches), _CHUNK):
        part = slice(start, start + _CHUNK)
        features = patches.features[part]
        room.put(start, judge_prepared(patches.inputs[part], features, bundle, ask))
    return room


def fit_fold(
    sources: Sources,
    fitted: NDArray[np.int_],
    held: NDArray[np.int_],
    k: int,
    plan: Plan,
    device: torch.device,
    report: Report,
) -> Fold:
    """Fit fold k's filter, member and calibration on its fitted rows, then judge the others."""
    patches = sources.patches.take(fitted)
    measured = patches.features if sources.table is None else sources.table.iloc[fitted]
    measured = measured.reset_index(drop=True)
    prefilter, inner = fit_with_scores(measured, patches.labels, plan.filter)
    report("filter fitted")
    out = sources.chips_of_fold(k, plan.train.members)
    chips = None if sources.chips is None else sources.chips.take(np.flatnonzero(~out))
    examples = join(patches, sources.simulated, chips)
    options = replace(plan.train, seed=plan.train.seed + k)
    with one_thread(device):
        found = fit_member(examples, plan.network, options, device, report)
        calibration = _calibrate(found, patches, prefilter, inner, device)
        system = Bundle(
            name=f"fold_{k:02d}",
            path=Path(f"fold_{k:02d}"),
            sha256="",
            prefilter=prefilter,
            members=(found.member,),
            options=plan.network,
            calibration=calibration,
            quantiles={},
            card={},
        )
        report("judging the rows held out")
        rest = sources.patches.take(held)
        evidence = {name: gather(system, rest, name, device, dropped=None) for name in COMBINATIONS}
        quarters = _quarters(sources.chips, out)
        seen = None if quarters is None else judge_set(system, quarters, device)
        return Fold(system, held, judge_set(system, rest, device), evidence, seen, found.curve)


def _quarters(chips: PatchSet | None, out: NDArray[np.bool_]) -> PatchSet | None:
    """The held-out chips' tiles that do not overlap."""
    if chips is None or not out.any():
        return None
    return chips.take(np.flatnonzero(out & is_quarter(chips)))


def is_quarter(chips: PatchSet) -> NDArray[np.bool_]:
    """Which tiles start at a multiple of 64 pixels, by IDs "chip-NAME-ROW-COLUMN"."""
    starts = [name.rsplit("-", 2)[1:] for name in chips.ids]
    return np.array([int(row) % 64 == 0 and int(column) % 64 == 0 for row, column in starts])


def _calibrate(
    found: Fitted,
    patches: PatchSet,
    prefilter: Prefilter,
    inner: dict[str, NDArray[np.float64]],
    device: torch.device,
) -> dict[str, Calibration]:
    """Calibration by usual combination, on rows the member was not fitted on.

    The filter has seen them; its scores of them are inner out-of-fold ones.
    """
    aside = found.aside[found.aside < len(patches)]  # patches come first among the examples
    kept = patches.take(aside)
    system = Bundle("", Path(), "", prefilter, (found.member,), NetworkOptions(), {}, {}, {})
    calibration = {}
    for name in USUAL:
        score = inner[name][aside]
        dropped = score < prefilter.thresholds[name]
        seen = gather(system, kept, name, device, dropped)
        calibration[name] = fit_calibration(kept.labels, score, seen.votes, dropped)
    return calibration


def gather(
    system: Bundle,
    patches: PatchSet,
    combination: str,
    device: torch.device,
    dropped: NDArray[np.bool_] | None,
) -> Evidence:
    """Both stages' scores of patches under an input combination; the filter decides what drops."""
    features = blank(patches.features, combination)
    score = system.prefilter.score(features)
    if dropped is None:
        dropped = score < system.prefilter.threshold(features)
    votes = np.full(len(patches), np.nan, np.float32)
    kept = np.flatnonzero(~dropped)
    system.to(device)
    for start in range(0, len(kept), _CHUNK):
        rows = kept[start : start + _CHUNK]
        inputs = patches.inputs[rows]
        if combination != COMPLETE:
            inputs = blank_inputs(inputs, combination)
        votes[rows] = cast_votes(system.members, inputs, device).log_odds
    return Evidence(score, votes, dropped)


def save_fold(folder: Path, fold: Fold) -> None:
    """Write a fold's checkpoint; its manifest comes last, so one cut short is fitted again."""
    arrays: dict[str, Any] = {"rows": fold.rows}
    for prefix, part in (("judgement", fold.judgement), ("chips", fold.chips)):
        if part is not None:
            arrays |= {f"{prefix}:{f.name}": getattr(part, f.name) for f in fields(part)}
    for name, seen in fold.evidence.items():
        arrays |= {f"{name}:{f.name}": getattr(seen, f.name) for f in fields(seen)}
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / _SCORES, allow_pickle=False, **arrays)
    files = {_SCORES: (folder / _SCORES).read_bytes(), _CURVE: json.dumps(fold.curve).encode()}
    save_bundle(replace(fold.system, path=folder), files)


def load_fold(folder: Path) -> Fold:
    """Read a checkpoint and verify its hashes. Raises BundleError."""
    system = load_bundle(folder)
    curve = json.loads((folder / _CURVE).read_text())
    with np.load(folder / _SCORES) as saved:

        def part(prefix: str) -> dict[str, Any]:
            start = f"{prefix}:"
            return {k.removeprefix(start): saved[k] for k in saved if k.startswith(start)}

        chips = "chips:verdict" in saved
        return Fold(
            system,
            saved["rows"],
            _judgement(part("judgement")),
            {name: Evidence(**part(name)) for name in COMBINATIONS},
            _judgement(part("chips")) if chips else None,
            curve,
        )


def _judgement(saved: dict[str, Any]) -> Judgement:
    """A judgement as saved; what only a scene's tiles have may be missing in it."""
    members = saved["votes"].shape[1]
    return replace(Judgement.room_for(len(saved["verdict"]), members), **saved)
