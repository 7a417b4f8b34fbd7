"""Ten folds in, a bundle and its honest figures out.

Fold k's filter, member and thresholds see nothing of fold k's rows; its out-of-fold scores
come from them. The members of all folds make the ensemble; the filter that ships is fitted on
all rows of the table, by the same code.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import safetensors.torch
import torch
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from landslide_core.bundle import Bundle
from landslide_core.detect import FILTERED_OUT, Judgement, Progress, judge
from landslide_core.ensemble import Member
from landslide_core.features import features_from_table, filter_features
from landslide_core.network import LandslideFPN, NetworkOptions
from landslide_core.prefilter import FilterOptions, Prefilter, fit_prefilter
from landslide_core.preprocess import cloud_by_brightness, model_input
from landslide_core.readers.patches import list_patches, read_patches
from landslide_core.training.dataset import PatchSet
from landslide_core.training.fit import Report, TrainOptions, fit_member
from landslide_core.training.metrics import filter_scores, system_scores

_CHUNK: Final = 256  # tiles judged at once


@dataclass(frozen=True)
class Sources:
    """What there is to learn from."""

    patches: PatchSet  # surrogate or real patches, scored
    table: pd.DataFrame  # their rows of band statistics, in the same order
    simulated: PatchSet | None  # added to every fold's training rows, never scored here


@dataclass(frozen=True)
class Plan:
    """Every option of a training, handed down whole."""

    network: NetworkOptions
    train: TrainOptions
    filter: FilterOptions

    def fingerprint(self, sources: Sources) -> str:
        """Hash of the options and the data: a checkpoint of another plan is not taken up."""
        digest = hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode())
        for part in (sources.patches, sources.simulated):
            if part is not None:
                digest.update("\n".join(part.ids).encode())
                digest.update(part.labels.tobytes())
                digest.update(part.pixels[:, :, ::8, ::8].tobytes())
        digest.update(pd.util.hash_pandas_object(sources.table).to_numpy().tobytes())
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Fold:
    """One fold's member and what it said of the rows it never saw."""

    member: Member
    rows: NDArray[np.int_]
    judgement: Judgement


def judge_all(bundle: Bundle, patches: PatchSet, device: torch.device) -> Judgement:
    """Both stages on a patch set, in chunks."""
    bundle.to(device)
    starts = range(0, len(patches), _CHUNK)
    return Judgement.join(
        [
            judge(patches.pixels[s : s + _CHUNK], patches.cloud[s : s + _CHUNK], bundle, device)
            for s in starts
        ]
    )


def judge_folder(
    folder: Path, bundle: Bundle, device: torch.device, progress: Progress | None = None
) -> tuple[list[str], Judgement]:
    """Both stages on a folder of patch files, a chunk in memory at a time; IDs and judgement.

    Raises BadPatch, DatasetError.
    """
    paths = list_patches(folder)
    bundle.to(device)
    parts = []
    for start in range(0, len(paths), _CHUNK):
        pixels = read_patches(paths[start : start + _CHUNK])
        parts.append(judge(pixels, cloud_by_brightness(pixels), bundle, device))
        if progress:
            progress("patches", start + len(pixels), len(paths))
    return [path.stem for path in paths], Judgement.join(parts)


def cross_validate(
    sources: Sources, plan: Plan, work: Path, device: torch.device, report: Report
) -> list[Fold]:
    """Fit and score every fold; folds found done under `work` are taken up, not fitted again."""
    work = work / plan.fingerprint(sources)
    work.mkdir(parents=True, exist_ok=True)
    done = []
    for k in range(plan.train.members):
        checkpoint = work / f"fold_{k:02d}"
        if not (checkpoint / "done").exists():
            report(f"fold {k + 1} of {plan.train.members}")
            _save_fold(checkpoint, fit_fold(sources, plan, k, device, report))
        fold = _load_fold(checkpoint, plan.network)
        scores = fold_scores(fold, sources.patches.labels)
        report(f"fold {k + 1}: " + ", ".join(f"{n} {scores[n]:.3f}" for n in ("f1", "auc")))
        done.append(fold)
    return done


def fit_fold(sources: Sources, plan: Plan, k: int, device: torch.device, report: Report) -> Fold:
    """Fit fold k's filter and member without its rows, then judge them."""
    labels = sources.patches.labels
    splitter = StratifiedKFold(plan.train.members, shuffle=True, random_state=plan.train.seed)
    fitted, held = list(splitter.split(labels, labels))[k]
    base = filter_features(features_from_table(sources.table))
    prefilter = fit_prefilter(base.iloc[fitted], labels[fitted], plan.filter)
    inputs, targets, scored = _training_rows(sources, fitted)
    seeded = replace(plan.train, seed=plan.train.seed + k)
    member = fit_member(inputs, targets, scored, plan.network, seeded, device, report)
    system = Bundle("fold", Path(), "", prefilter, (member,), plan.network, {})
    return Fold(member, held, judge_all(system, sources.patches.take(held), device))


def _training_rows(
    sources: Sources, fitted: NDArray[np.int_]
) -> tuple[NDArray[np.float32], NDArray[np.int_], NDArray[np.bool_]]:
    """Model inputs, labels and whether the row is a patch: a fold's patches, then simulated."""
    parts = [sources.patches.take(fitted)]
    if sources.simulated is not None:
        parts.append(sources.simulated)
    inputs = np.concatenate([model_input(part.pixels, part.cloud) for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    return inputs, labels, np.arange(len(labels)) < len(fitted)


def _save_fold(folder: Path, fold: Fold) -> None:
    folder.mkdir(exist_ok=True)
    weights = {k: v.contiguous().cpu() for k, v in fold.member.network.state_dict().items()}
    safetensors.torch.save_file(weights, folder / "member.safetensors")
    fields = {f"judgement_{k}": v for k, v in vars(fold.judgement).items()}
    threshold = np.array(fold.member.threshold)
    np.savez_compressed(folder / "scores.npz", rows=fold.rows, threshold=threshold, **fields)
    (folder / "done").touch()  # last: a fold cut short is fitted again


def _load_fold(folder: Path, network: NetworkOptions) -> Fold:
    model = LandslideFPN(network)
    model.load_state_dict(safetensors.torch.load_file(folder / "member.safetensors"))
    with np.load(folder / "scores.npz") as saved:
        fields = {k.removeprefix("judgement_"): saved[k] for k in saved if k.startswith("judge")}
        member = Member(model.eval(), float(saved["threshold"]))
        return Fold(member, saved["rows"], Judgement(**fields))


def fold_scores(fold: Fold, labels: NDArray[np.int_]) -> dict[str, float]:
    """Two-stage scores of one fold's held-out rows, by its own filter and member."""
    return judgement_scores(fold.judgement, labels[fold.rows])


def judgement_scores(judgement: Judgement, labels: NDArray[np.int_]) -> dict[str, float]:
    """Two-stage scores of a judgement; a tile that no stage could see counts as a "no"."""
    return system_scores(
        labels,
        np.nan_to_num(judgement.probability),
        judgement.says_landslide,
        judgement.verdict == FILTERED_OUT,
    )


def out_of_fold(folds: Sequence[Fold], labels: NDArray[np.int_]) -> dict[str, Any]:
    """Scores over all rows at once, fold by fold, and of the filter alone."""
    rows = np.concatenate([fold.rows for fold in folds])
    joined = Judgement.join([fold.judgement for fold in folds])
    return {
        "pooled": judgement_scores(joined, labels[rows]),
        "folds": [fold_scores(fold, labels) for fold in folds],
        "filter": filter_scores(labels[rows], joined.filter_score, joined.verdict == FILTERED_OUT),
    }


def fit_final_filter(sources: Sources, options: FilterOptions) -> Prefilter:
    """The filter that ships: on all rows, its thresholds on inner out-of-fold scores."""
    base = filter_features(features_from_table(sources.table))
    return fit_prefilter(base, sources.patches.labels, options)
