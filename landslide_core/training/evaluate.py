"""Scoring what is finished: a bundle on labelled patches or chips, a training on its own folds."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from landslide_core.bundle import Bundle
from landslide_core.combinations import COMPLETE, USUAL, blank, blank_inputs
from landslide_core.detect import all_votes, judge
from landslide_core.errors import DatasetError
from landslide_core.judgement import VERDICTS, Judgement
from landslide_core.preprocess import cloud_by_brightness
from landslide_core.progress import Progress
from landslide_core.readers.patches import list_patches, read_patches
from landslide_core.training.chips import quarters, read_chips
from landslide_core.training.crossvalidate import Fold, gather, judge_set, load_fold
from landslide_core.training.dataset import PatchSet, labels_of, patch_set
from landslide_core.training.evidence import judgement_scores
from landslide_core.training.measure import out_of_fold
from landslide_core.training.metrics import verdict_table
from landslide_core.training.prepare import load_prepared
from landslide_core.training.tuned import reported_rows

_CHUNK: Final = 256  # patches read and judged at once


def judge_folder(
    folder: Path, bundle: Bundle, device: torch.device, progress: Progress | None = None
) -> tuple[list[str], Judgement]:
    """Both stages on a folder of patch files, a chunk in memory at a time; IDs and judgement.

    Raises BadPatch, DatasetError.
    """
    paths = list_patches(folder)
    bundle.to(device)
    room = Judgement.room_for(len(paths), len(bundle.members))
    ask = all_votes(bundle, device)
    for start in range(0, len(paths), _CHUNK):
        pixels = read_patches(paths[start : start + _CHUNK])
        room.put(start, judge(pixels, cloud_by_brightness(pixels), bundle, ask))
        if progress:
            progress("patches", start + len(pixels), len(paths))
    return [path.stem for path in paths], room


def evaluate_patches(
    folder: Path, labels: Path, bundle: Bundle, device: torch.device, progress: Progress | None
) -> dict[str, Any]:
    """Two-stage scores of a bundle on labelled patches, all inputs there."""
    truth = labels_of([path.stem for path in list_patches(folder)], labels)
    _, judgement = judge_folder(folder, bundle, device, progress)
    return _scored(judgement, truth)


def evaluate_ablated(
    folder: Path, labels: Path, bundle: Bundle, device: torch.device, progress: Progress | None
) -> dict[str, Any]:
    """Two-stage scores of a bundle on labelled patches, by usual combination of inputs."""
    paths = list_patches(folder)
    truth = labels_of([path.stem for path in paths], labels)
    bundle.to(device)
    parts: dict[str, list[Any]] = {name: [] for name in USUAL}
    for start in range(0, len(paths), _CHUNK):
        pixels = read_patches(paths[start : start + _CHUNK])
        some = patch_set(
            [path.stem for path in paths[start : start + _CHUNK]],
            pixels,
            cloud_by_brightness(pixels),
            truth[start : start + _CHUNK],
        )
        for name in USUAL:
            parts[name].append(judge_set(bundle, under(some, name), device))
        if progress:
            progress("patches", start + len(pixels), len(paths))
    return {
        words: judgement_scores(Judgement.join(parts[name]), truth) for name, words in USUAL.items()
    }


def evaluate_chips(folder: Path, bundle: Bundle, device: torch.device) -> dict[str, Any]:
    """Scores of a bundle on the 64×64 quarters of real optical chips."""
    tiles = quarters(read_chips(folder))
    return _scored(judge_set(bundle, tiles, device), tiles.labels)


def _scored(judgement: Judgement, truth: NDArray[np.int_]) -> dict[str, Any]:
    names = np.array(VERDICTS)[judgement.verdict]
    return {**judgement_scores(judgement, truth), **verdict_table(truth, names)}


def under(patches: PatchSet, combination: str) -> PatchSet:
    """Patches with only a combination's inputs there."""
    return replace(
        patches,
        inputs=blank_inputs(patches.inputs, combination),
        features=blank(patches.features, combination),
    )


def evaluate_folds(
    work: Path, prepared: Path, device: torch.device, progress: Progress | None
) -> dict[str, Any]:
    """Nested scores of a training: every fold's own system judges the rows it never saw again.

    Raises DatasetError where the folder holds no finished training on these patches.
    """
    patches = load_prepared(prepared)
    folders = sorted(work.glob("fold_??"))
    folds: list[Fold] = []
    for k, folder in enumerate(folders):
        folds.append(_judged_again(load_fold(folder), patches, device))
        if progress:
            progress("folds", k + 1, len(folders))
    rows = np.concatenate([fold.rows for fold in folds]) if folds else np.zeros(0, int)
    if not np.array_equal(np.sort(rows), np.arange(len(patches))):
        raise DatasetError(
            f"{work} holds {len(folds)} folds over {len(rows)} rows; those of a finished training "
            f"on the {len(patches)} patches of {prepared} are needed. Name the folder of the "
            "training under --work that holds fold_00, fold_01 …"
        )
    found = out_of_fold(folds, patches.labels, reported_rows(work, patches.ids))
    return {
        "two_stages": found["pooled"],
        "folds": _deviation(found["folds"]),
        "filter": found["filter"],
        "verdicts": found["verdicts"],
        "inputs": {USUAL[name]: scores for name, scores in found["combinations"].items()},
    }


def _judged_again(fold: Fold, patches: PatchSet, device: torch.device) -> Fold:
    held = patches.take(fold.rows)
    evidence = {
        name: gather(fold.system, held, name, device, dropped=None)
        for name in USUAL
        if name != COMPLETE
    }
    return replace(
        fold,
        judgement=judge_set(fold.system, held, device),
        evidence={**fold.evidence, **evidence},
    )


def _deviation(folds: Sequence[dict[str, float]]) -> dict[str, float]:
    """Sample deviation of F1 and AUC over the folds."""
    return {
        f"{name}_deviation": float(np.std([scores[name] for scores in folds], ddof=1))
        for name in ("f1", "auc")
    }
