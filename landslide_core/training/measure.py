"""From folds and the finished bundle to the figures of the card; nothing here fits anything."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from landslide_core.bundle import Bundle
from landslide_core.calibration import Calibration
from landslide_core.combinations import COMBINATIONS, USUAL
from landslide_core.ensemble import heat_map
from landslide_core.judgement import FILTERED_OUT, VERDICTS, Judgement
from landslide_core.training.calibrate import fit_calibration
from landslide_core.training.crossvalidate import Fold, Sources, is_quarter, judge_set
from landslide_core.training.curves import threshold_counts
from landslide_core.training.dataset import PatchSet
from landslide_core.training.evidence import Evidence, judgement_scores
from landslide_core.training.metrics import (
    confusion,
    filter_scores,
    reliability,
    risk_coverage,
    risk_coverage_area,
    system_scores,
    verdict_table,
)

Labels = NDArray[np.int_]
Flags = NDArray[np.bool_]

_POINTS: Final = 200  # of a curve over all rows
_FOLD_POINTS: Final = 50  # of a fold's


def out_of_fold(
    folds: Sequence[Fold], labels: Labels, reported: Flags | None = None
) -> dict[str, Any]:
    """Every figure on rows that the fold's own system never saw, pooled and fold by fold.

    `reported` (N,) leaves rows out that the options were chosen on.
    """
    if reported is not None:
        folds = [_of_rows(fold, reported[fold.rows]) for fold in folds]
    truth = labels[np.concatenate([fold.rows for fold in folds])]
    joined = Judgement.join([fold.judgement for fold in folds])
    return {
        "pooled": judgement_scores(joined, truth),
        "folds": [judgement_scores(fold.judgement, labels[fold.rows]) for fold in folds],
        "filter": filter_scores(truth, joined.filter_score, joined.verdict == FILTERED_OUT),
        "combinations": {name: _under(folds, labels, name) for name in USUAL},
        "thresholds": _thresholds(folds, labels, joined, truth),
        **trust(joined, truth, _margin(joined, folds)),
    }


def _thresholds(
    folds: Sequence[Fold], labels: Labels, joined: Judgement, truth: Labels
) -> dict[str, Any]:
    """Counts at every threshold: of the probability, pooled and by fold, and of the filter."""
    return {
        "probability": threshold_counts(truth, np.nan_to_num(joined.probability), _POINTS),
        "folds": [
            threshold_counts(
                labels[fold.rows], np.nan_to_num(fold.judgement.probability), _FOLD_POINTS
            )
            for fold in folds
        ],
        "filter": threshold_counts(truth, joined.filter_score, _POINTS),
    }


def _of_rows(fold: Fold, kept: Flags) -> Fold:
    """A fold as if it had held out only some of its rows."""
    return replace(
        fold,
        rows=fold.rows[kept],
        judgement=replace(fold.judgement, **_some(fold.judgement, kept)),
        evidence={name: replace(seen, **_some(seen, kept)) for name, seen in fold.evidence.items()},
    )


def _some(part: Judgement | Evidence, kept: Flags) -> dict[str, Any]:
    """Fields of what was said of some of the tiles."""
    return {field.name: getattr(part, field.name)[kept] for field in fields(part)}


def trust(judgement: Judgement, labels: Labels, margin: NDArray[np.float64]) -> dict[str, Any]:
    """Whether probability, spread and verdicts can be believed."""
    says, names = judgement.says_landslide, np.array(VERDICTS)[judgement.verdict]
    # A dropped tile has no spread: nobody doubted it.
    doubts: dict[str, NDArray[np.floating]] = {
        "margin": -margin,
        "spread": np.nan_to_num(judgement.spread),
    }
    return {
        "confusion": confusion(labels, says),
        "reliability": reliability(labels, np.nan_to_num(judgement.probability)),
        "risk_coverage": {n: risk_coverage(labels, says, doubt) for n, doubt in doubts.items()},
        "aurc": {n: risk_coverage_area(labels, says, doubt) for n, doubt in doubts.items()},
        "verdicts": verdict_table(labels, names),
    }


def _margin(joined: Judgement, folds: Sequence[Fold]) -> NDArray[np.float64]:
    """How far each probability is from its fold's threshold, (N,)."""
    thresholds = [
        np.full(len(fold.rows), fold.system.calibration_of(COMBINATIONS[0]).threshold)
        for fold in folds
    ]
    return np.asarray(np.abs(joined.probability - np.concatenate(thresholds)))


def _under(folds: Sequence[Fold], labels: Labels, combination: str) -> dict[str, float]:
    """Two-stage scores when only a combination's inputs are there, pooled over the folds."""
    parts = []
    for fold in folds:
        calibration, seen = fold.system.calibration_of(combination), fold.evidence[combination]
        parts.append(
            (seen.probability(calibration), seen.says_landslide(calibration), seen.dropped)
        )
    probability, says, dropped = (np.concatenate(column) for column in zip(*parts, strict=True))
    truth = labels[np.concatenate([fold.rows for fold in folds])]
    return system_scores(truth, probability, says, dropped)


def final_calibration(folds: Sequence[Fold], labels: Labels) -> dict[str, Calibration]:
    """What ships, by input combination: fitted on all rows' out-of-fold evidence."""
    truth = labels[np.concatenate([fold.rows for fold in folds])]
    calibration = {}
    for name in COMBINATIONS:
        parts = [fold.evidence[name] for fold in folds]
        seen = Evidence(
            *(
                np.concatenate([getattr(part, field) for part in parts])
                for field in ("filter_score", "votes", "dropped")
            )
        )
        calibration[name] = fit_calibration(truth, seen.filter_score, seen.votes, seen.dropped)
    return calibration


def chips_out_of_fold(
    folds: Sequence[Fold], sources: Sources, reported: Flags | None = None
) -> dict[str, Any]:
    """Figures on the quarters of real optical chips, each judged by a fold that never saw it.

    `reported` (chip tiles,) leaves chips out that the options were chosen on.
    """
    if sources.chips is None:
        return {}
    quarter = is_quarter(sources.chips)
    parts, truth = [], []
    for k, fold in enumerate(folds):
        if fold.chips is not None:
            held = sources.chips_of_fold(k, len(folds)) & quarter
            kept = np.ones(held.sum(), bool) if reported is None else reported[held]
            parts.append(replace(fold.chips, **_some(fold.chips, kept)))
            truth.append(sources.chips.labels[held][kept])
    joined, labels = Judgement.join(parts), np.concatenate(truth)
    return {
        "scores": judgement_scores(joined, labels),
        "confusion": confusion(labels, joined.says_landslide),
        "verdicts": verdict_table(labels, np.array(VERDICTS)[joined.verdict]),
    }


def on_unseen(bundle: Bundle, tiles: PatchSet, device: torch.device) -> dict[str, Any]:
    """Figures of the whole ensemble on tiles it never saw, with where in the tile."""
    judgement = judge_set(bundle, tiles, device)
    margin = np.abs(
        np.nan_to_num(judgement.probability) - bundle.calibration_of(COMBINATIONS[0]).threshold
    )
    return {
        "scores": judgement_scores(judgement, tiles.labels),
        **trust(judgement, tiles.labels, margin),
        "localisation": localisation(bundle, tiles, device),
    }


def localisation(bundle: Bundle, tiles: PatchSet, device: torch.device) -> dict[str, float]:
    """How well the heat map finds the landslide's cells in tiles that hold one."""
    if tiles.masks is None or not tiles.labels.any():
        return {}
    rows = np.flatnonzero(tiles.labels == 1)
    heat = np.concatenate(
        [
            heat_map(bundle.members, tiles.inputs[rows[start : start + 64]], device)
            for start in range(0, len(rows), 64)
        ]
    )
    count, cells = len(rows), heat.shape[-1]
    scar = tiles.masks[rows].reshape(count, cells, -1, cells, 64 // cells).mean(axis=(2, 4)) >= 0.5
    hottest = heat.reshape(count, -1).argmax(axis=1)
    return {
        "tiles": count,
        "cell_auc": float(roc_auc_score(scar.ravel(), heat.ravel())),
        "cell_average_precision": float(average_precision_score(scar.ravel(), heat.ravel())),
        "cell_share": float(scar.mean()),
        "hottest_cell_on_landslide": float(
            scar.reshape(count, -1)[np.arange(count), hottest].mean()
        ),
    }
