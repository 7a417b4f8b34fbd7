"""Fold by fold, in one process or several, each finished one kept: a training that goes on."""

import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch

from landslide_core.errors import BundleError, DatasetError
from landslide_core.training.chips import quarters, read_chips
from landslide_core.training.crossvalidate import (
    Fold,
    Plan,
    Sources,
    fit_fold,
    load_fold,
    save_fold,
    split,
)
from landslide_core.training.dataset import simulated_tiles
from landslide_core.training.energy import measured
from landslide_core.training.evidence import judgement_scores
from landslide_core.training.fit import Report
from landslide_core.training.prepare import load_prepared
from landslide_core.training.table import features_of_table

# Simulated scenes to train on and to test on never share a seed; the sample scene has its own.
_TRAIN_SEED: Final = 1000
TEST_SEEDS: Final = (9000, 9001, 9002, 9003)
SCENE_SIZE: Final = 512  # pixels a side
SCENE_SCARS: Final = 16


@dataclass(frozen=True)
class TrainInputs:
    """Where the data lie."""

    prepared: Path  # what `landslide prepare` wrote
    table: Path | None = None  # band statistics of the same IDs, to fit the filter on
    scenes: int = 32  # simulated scenes to train on beside
    chips: Path | None = None  # folder of real optical chips with masks


@dataclass(frozen=True)
class Training:
    """A finished cross-validation."""

    sources: Sources
    folds: list[Fold]
    folder: Path  # of its checkpoints, under --work


def load_sources(inputs: TrainInputs) -> Sources:
    """Everything a training learns from. Raises DatasetError."""
    patches = load_prepared(inputs.prepared)
    seeds = range(_TRAIN_SEED, _TRAIN_SEED + inputs.scenes)
    return Sources(
        patches,
        features_of_table(inputs.table, patches) if inputs.table else None,
        simulated_tiles(seeds, SCENE_SIZE, SCENE_SCARS, stride=64) if inputs.scenes else None,
        quarters(read_chips(inputs.chips), stride=32) if inputs.chips else None,
    )


def cross_validate(
    inputs: TrainInputs, plan: Plan, work: Path, device: torch.device, report: Report, workers: int
) -> Training:
    """Fit and score every fold; folds found done under `work` are taken up, not fitted again.

    One worker runs in this process; more run in processes of their own, a fold each at a time,
    and end in the same bytes.
    """
    sources = load_sources(inputs)
    positives = int(sources.patches.labels.sum())
    if min(positives, len(sources.patches) - positives) < plan.train.members:
        raise DatasetError(
            f"{positives} of {len(sources.patches)} patches are positive; each class needs at "
            f"least one for each of {plan.train.members} folds. Add patches or lower --members."
        )
    work = work / plan.fingerprint(sources)
    todo = [k for k in range(plan.train.members) if not _finished(_folder(work, k))]
    if taken := plan.train.members - len(todo):
        report(f"{taken} of {plan.train.members} folds were done before")
    if workers <= 1:
        for k in todo:
            _fit_and_save(sources, k, plan, work, device, report)
    elif todo:
        _in_processes(inputs, todo, plan, work, device, report, workers)
    folds = [load_fold(_folder(work, k)) for k in range(plan.train.members)]
    for k, fold in enumerate(folds):
        scores = judgement_scores(fold.judgement, sources.patches.labels[fold.rows])
        report(f"fold {k + 1}: " + ", ".join(f"{n} {scores[n]:.3f}" for n in ("f1", "auc")))
    return Training(sources, folds, work)


def _folder(work: Path, k: int) -> Path:
    return work / f"fold_{k:02d}"


def _finished(folder: Path) -> bool:
    try:
        load_fold(folder)
    except BundleError:
        return False
    return True


def _fit_and_save(
    sources: Sources, k: int, plan: Plan, work: Path, device: torch.device, report: Report
) -> None:
    fitted, held = split(sources.patches.labels, plan.train)[k]

    def named(line: str) -> None:
        report(f"fold {k + 1} of {plan.train.members}: {line}")

    with measured(f"fold {k + 1}", work):
        save_fold(_folder(work, k), fit_fold(sources, fitted, held, k, plan, device, named))


def _in_processes(
    inputs: TrainInputs,
    todo: list[int],
    plan: Plan,
    work: Path,
    device: torch.device,
    report: Report,
    workers: int,
) -> None:
    """Fit folds in processes that read the data for themselves and write their checkpoints."""
    spawn = multiprocessing.get_context("spawn")
    lines = spawn.SimpleQueue()
    listener = threading.Thread(target=_listen, args=(lines, report), daemon=True)
    listener.start()
    with ProcessPoolExecutor(
        workers, mp_context=spawn, initializer=_start, initargs=(inputs, lines)
    ) as pool:
        jobs = [pool.submit(_work, k, plan, work, device) for k in todo]
        for job in as_completed(jobs):
            job.result()
    lines.put(None)
    listener.join()


def _listen(lines: "multiprocessing.SimpleQueue[str | None]", report: Report) -> None:
    while (line := lines.get()) is not None:
        report(line)


@dataclass
class _Worker:
    """What a worker process holds between folds."""

    sources: Sources
    report: Report


_worker: list[_Worker] = []  # one in a worker process, none elsewhere


def _start(inputs: TrainInputs, lines: "multiprocessing.SimpleQueue[str | None]") -> None:
    """Set a worker process up; it ends when the process that started it does, however that was."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def end_with_it() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end_with_it, daemon=True).start()
    _worker[:] = [_Worker(load_sources(inputs), lines.put)]


def _work(k: int, plan: Plan, work: Path, device: torch.device) -> None:
    (here,) = _worker
    _fit_and_save(here.sources, k, plan, work, device, here.report)
