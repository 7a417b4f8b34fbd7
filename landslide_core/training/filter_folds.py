"""Stage 1 alone: nested figures over outer folds, then the filter fitted on all rows, as JSON."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import ceil, isfinite
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from landslide_core.errors import CannotWrite, DatasetError
from landslide_core.folder import refuse_existing
from landslide_core.prefilter import Prefilter
from landslide_core.training.dataset import PatchSet
from landslide_core.training.metrics import filter_scores
from landslide_core.training.options import FilterOptions
from landslide_core.training.prefilter import fit_prefilter

Report = Callable[[str], None]

_FORMAT: Final = 2


@dataclass(frozen=True)
class FilterPlan:
    """How the filter is fitted, and how often without some of the rows for its figures."""

    options: FilterOptions
    folds: int = 10  # outer ones; each is scored by a filter and thresholds that never saw it
    work: Path | None = None  # where finished folds are kept

    def check(self, labels: NDArray[np.int_]) -> None:
        """Raise DatasetError where a fold, or an inner fold of the rest, would lack a class."""
        fewest = int(min((labels == 0).sum(), (labels == 1).sum()))
        rest = fewest - ceil(fewest / max(self.folds, 1))
        if self.folds < 2 or fewest < self.folds or rest < self.options.inner_folds:
            raise DatasetError(
                f"{fewest} rows of the rarer class for {self.folds} folds with "
                f"{self.options.inner_folds} inner ones; each needs one, and there must be two "
                "folds. Add patches or change --folds."
            )


@dataclass(frozen=True)
class FilterFold:
    """What one outer fold's filter said of the rows that it never saw."""

    rows: NDArray[np.int_]  # (n,) into the patch set
    score: NDArray[np.float32]  # (n,) 0..1
    dropped: NDArray[np.bool_]  # (n,)


def train_filter(patches: PatchSet, plan: FilterPlan, out: Path, report: Report) -> dict[str, Any]:
    """Score the plan over outer folds, fit it on all rows, write `out`; the pooled figures.

    Raises DatasetError for too few rows, RunBusy or CannotWrite for an unfit `out`.
    """
    refuse_existing(out)
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise CannotWrite(
            f"{out} is a folder or lies in none; a JSON file in an existing folder is needed. "
            "Choose another --out."
        )
    folds = nested_folds(patches.features, patches.labels, plan, report)
    figures = pooled_scores(folds, patches.labels)
    report("fitting on all rows")
    prefilter = fit_prefilter(patches.features, patches.labels, plan.options)
    by_fold = [filter_scores(patches.labels[f.rows], f.score, f.dropped) for f in folds]
    write_filter(out, prefilter, plan.options, {"pooled": figures, "folds": by_fold})
    return figures


def nested_folds(
    features: pd.DataFrame, labels: NDArray[np.int_], plan: FilterPlan, report: Report
) -> list[FilterFold]:
    """Every row scored by a filter, and held against thresholds, fitted without its fold.

    Raises DatasetError where there are too few rows.
    """
    plan.check(labels)
    work = plan.work and plan.work / _fingerprint(features, labels, plan)
    splitter = StratifiedKFold(plan.folds, shuffle=True, random_state=plan.options.seed)
    done = []
    for k, (fitted, held) in enumerate(splitter.split(features, labels)):
        path = work and work / f"fold_{k:02d}.npz"
        if path and path.exists():
            fold = _load(path)
        else:
            fold = _fold(features, labels, fitted, held, plan.options)
            if path:
                _save(path, fold)
        scores = filter_scores(labels[held], fold.score, fold.dropped)
        words = ", ".join(f"{name} {scores[name]:.3f}" for name in ("recall", "dropped_fraction"))
        report(f"fold {k + 1} of {plan.folds}: {words}")
        done.append(fold)
    return done


def pooled_scores(folds: list[FilterFold], labels: NDArray[np.int_]) -> dict[str, float]:
    """Recall, share dropped, AUC and average precision over the rows of all folds at once."""
    rows = np.concatenate([fold.rows for fold in folds])
    score = np.concatenate([fold.score for fold in folds])
    dropped = np.concatenate([fold.dropped for fold in folds])
    return filter_scores(labels[rows], score, dropped)


def write_filter(
    out: Path, prefilter: Prefilter, options: FilterOptions, scores: dict[str, Any]
) -> None:
    """Write trees, voices, thresholds, options and scores as one JSON file, at once."""
    voices = prefilter.voices.state_dict()
    said = {
        "format": _FORMAT,
        "features": list(prefilter.features),
        "thresholds": {name: float(limit) for name, limit in prefilter.thresholds.items()},
        "options": asdict(options),
        "out_of_fold": {
            "pooled": _plain(scores["pooled"]),
            "folds": list(map(_plain, scores["folds"])),
        },
        "voices": {name: value.tolist() for name, value in voices.items()},
        "booster": json.loads(bytes(prefilter.booster.save_raw("json"))),  # XGBoost's own format
    }
    beside = out.with_name(f".{out.name}.part")
    beside.write_text(json.dumps(said, allow_nan=False))
    beside.replace(out)


def _plain(scores: dict[str, float]) -> dict[str, float | None]:
    """Scores as JSON knows them: an undefined one is null."""
    return {name: value if isfinite(value) else None for name, value in scores.items()}


def _fold(
    features: pd.DataFrame,
    labels: NDArray[np.int_],
    fitted: NDArray[np.int_],
    held: NDArray[np.int_],
    options: FilterOptions,
) -> FilterFold:
    # A fresh index: the rows of a part count from 0.
    part = features.iloc[fitted].reset_index(drop=True)
    prefilter = fit_prefilter(part, labels[fitted], options)
    rows = features.iloc[held]
    score = prefilter.score(rows)
    return FilterFold(held, score, score < prefilter.threshold(rows))


def _fingerprint(features: pd.DataFrame, labels: NDArray[np.int_], plan: FilterPlan) -> str:
    """Hash of options and rows: folds of another plan are not taken up."""
    told = json.dumps([asdict(plan.options), plan.folds], sort_keys=True, default=str)
    digest = hashlib.sha256(told.encode())
    digest.update("\n".join(features.columns).encode())
    digest.update(features.to_numpy(np.float32).tobytes())
    digest.update(labels.astype(np.int64).tobytes())
    return digest.hexdigest()[:16]


def _save(path: Path, fold: FilterFold) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part.npz")
    np.savez_compressed(beside, rows=fold.rows, score=fold.score, dropped=fold.dropped)
    beside.replace(path)  # at once: a fold cut short is fitted again


def _load(path: Path) -> FilterFold:
    with np.load(path) as saved:
        return FilterFold(saved["rows"], saved["score"], saved["dropped"])
