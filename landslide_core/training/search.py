"""Choosing options by Optuna, on a fixed share of the rows that no figure is ever reported of.

The study lies in an SQLite file and goes on wherever it was cut. Every trial draws from a sampler
seeded by how many trials are finished, so that a trial cut short is proposed again as it was and
an interrupted study ends like one that ran through.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import StratifiedKFold

from landslide_core.ensemble import Member, cast_votes
from landslide_core.errors import CannotWrite, DatasetError, RunBusy
from landslide_core.threads import one_thread
from landslide_core.training.crossvalidate import Plan, Sources
from landslide_core.training.energy import measured, total
from landslide_core.training.examples import groups_of, inner_split, join
from landslide_core.training.fit import Report, fit_network
from landslide_core.training.space import (
    Chosen,
    applied,
    chosen_fields,
    space,
    suggested,
    usual,
)
from landslide_core.training.tuned import Tuning, digest_of, tuning_rows

if TYPE_CHECKING:
    from optuna import Study, Trial

Labels = NDArray[np.int_]
Watch = Callable[[int, dict[str, float]], None]  # fold, epoch of the curve


@dataclass(frozen=True)
class SearchOptions:
    """How long and on what to search."""

    trials: int = 40  # finished ones in all, those of earlier runs among them
    share: float = 0.3  # of the rows and of the chips, kept for tuning alone
    folds: int = 3  # of the tuning rows
    drawn: int = 10  # trials drawn at random before the sampler learns
    unpruned: int = 5  # trials that run through before any is pruned
    seed: int = 0


def tuning_part(sources: Sources, share: float) -> Sources:
    """The rows and chips that tuning may see; simulated scenes are never reported on."""
    rows = np.flatnonzero(tuning_rows(sources.patches.ids, share))
    chips = sources.chips
    if chips is not None:
        chips = chips.take(np.flatnonzero(tuning_rows(groups_of(chips), share)))
    return Sources(sources.patches.take(rows), None, sources.simulated, chips)


def fingerprint(part: Sources, plan: Plan, search: SearchOptions) -> str:
    """Hash of the tuning rows, the space and the options: a study of others is not gone on with."""
    said = {name: asdict(dial) for name, dial in space().items()}
    options = asdict(replace(search, trials=0))
    text = json.dumps([plan.fingerprint(part), said, options], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def tune(
    sources: Sources,
    plan: Plan,
    search: SearchOptions,
    storage: Path,
    device: torch.device,
    report: Report,
) -> tuple[Chosen, Tuning]:
    """Search until `search.trials` trials are finished; the best one's fields.

    Raises DatasetError, RunBusy, CannotWrite.
    """
    part = tuning_part(sources, search.share)
    positives, folds = int(part.patches.labels.sum()), search.folds
    if min(positives, len(part.patches) - positives) < 2 * folds:
        raise DatasetError(
            f"{positives} of the {len(part.patches)} rows kept for tuning are positive; each class "
            f"needs at least {2 * folds} for {folds} folds. Add patches or raise --share."
        )
    name, meter = fingerprint(part, plan, search), storage.with_name(f"{storage.name}.energy")
    with _alone(storage):
        study = _open(storage, name, search)
        if before := len(_finished(study)):
            report(f"{before} of {search.trials} trials were finished before")
        with measured("tune", meter), one_thread(device):
            while len(_finished(study)) < search.trials:
                _run_trial(study, part, plan, search, device, report)
    finished = _finished(study)
    if not any(trial.state.name == "COMPLETE" for trial in finished):
        raise DatasetError(
            f"None of {len(finished)} trials ended with a finite loss; one is needed. Look for "
            "damaged patches, or raise --trials."
        )
    used, seen = total(meter), tuning_rows(sources.patches.ids, search.share)
    return chosen_fields(study.best_params), Tuning(
        study=name,
        trials=len(finished),
        pruned=sum(trial.state.name == "PRUNED" for trial in finished),
        log_loss=float(study.best_value),
        share=search.share,
        rows=len(part.patches),
        digest=digest_of(sources.patches.ids, seen),
        energy=None if used is None else asdict(used),
    )


@contextmanager
def _alone(storage: Path) -> Iterator[None]:
    """Hold a study against a second process; a killed one lets go of it. Raises RunBusy."""
    lock = storage.with_name(f"{storage.name}.lock")
    try:
        # An exclusive transaction, which ends with the process on every system.
        held = sqlite3.connect(lock, timeout=0, isolation_level=None)
        held.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise RunBusy(
                f"Another `landslide tune` is at work on {storage}; one at a time can be. Wait for "
                "it or choose another --storage."
            ) from error
        raise CannotWrite(
            f"{storage} cannot be written ({error}); a file in a folder that is there is needed. "
            "Check --storage."
        ) from error
    try:
        yield
    finally:
        held.close()


def _open(storage: Path, name: str, search: SearchOptions) -> "Study":
    """The study under this name, new or gone on with; what a kill left running has failed."""
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(
            storage=f"sqlite:///{storage}",
            study_name=name,
            load_if_exists=True,
            direction="minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=search.unpruned),
        )
        for trial in study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING]):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    except (SQLAlchemyError, optuna.exceptions.OptunaError) as error:
        first = str(error.__cause__ or error).splitlines()[0]
        raise CannotWrite(
            f"{storage} does not open as an Optuna study ({first}); an SQLite file, or none yet, "
            "is needed. Check --storage."
        ) from error
    return study


def _finished(study: "Study") -> list[Any]:
    return [t for t in study.get_trials(deepcopy=False) if t.state.name in ("COMPLETE", "PRUNED")]


def _run_trial(
    study: "Study",
    part: Sources,
    plan: Plan,
    search: SearchOptions,
    device: torch.device,
    report: Report,
) -> None:
    """One trial, run through or pruned."""
    import optuna

    done = len(_finished(study))
    study.sampler = optuna.samplers.TPESampler(
        seed=search.seed + done, n_startup_trials=search.drawn
    )
    waiting = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.WAITING])
    if not done and not waiting:
        study.enqueue_trial(usual(plan))  # the search can only improve on what there is
    trial = study.ask()
    tried = applied(plan, chosen_fields(suggested(trial)))
    named = f"trial {done + 1} of {search.trials}"
    try:
        watch = _pruning(trial, part.patches.labels, plan.train.epochs, search.folds)
        scores = held_out_scores(part, tried, search, device, watch)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        report(f"{named}: pruned")
        return
    trial.set_user_attr("average_precision", scores["average_precision"])
    study.tell(trial, scores["log_loss"])
    said = ", ".join(f"{name} {value:.4f}" for name, value in scores.items())
    report(f"{named}: {said}; best log_loss {study.best_value:.4f}")


def _pruning(trial: "Trial", labels: Labels, epochs: int, folds: int) -> Watch:
    """Tell Optuna after every epoch how the trial stands; raises TrialPruned where it should end.

    It stands at the mean over folds of the least inner loss so far, a fold still to come counting
    as one that knows the share of landslides alone. That only falls, as the pruner expects.
    """
    import optuna

    share = labels.mean()
    nothing = float(-share * np.log(share) - (1 - share) * np.log(1 - share))
    least = np.full(folds, nothing)

    def watch(fold: int, epoch: dict[str, float]) -> None:
        if not np.isfinite(epoch["inner_loss"]):
            raise optuna.TrialPruned
        least[fold] = min(least[fold], epoch["inner_loss"])
        trial.report(float(least.mean()), fold * epochs + int(epoch["epoch"]))
        if trial.should_prune():
            raise optuna.TrialPruned

    return watch


def held_out_scores(
    part: Sources, plan: Plan, search: SearchOptions, device: torch.device, watch: Watch
) -> dict[str, float]:
    """Log loss and average precision of votes, mean over folds of the tuning rows."""
    labels = part.patches.labels
    folds = StratifiedKFold(search.folds, shuffle=True, random_state=search.seed)
    found = []
    for k, (rows, held) in enumerate(folds.split(labels, labels)):
        chips = part.chips
        if chips is not None:
            chips = chips.take(np.flatnonzero(~part.chips_of_fold(k, search.folds)))
        examples = join(part.patches.take(rows), part.simulated, chips)
        fitted, aside = inner_split(examples, plan.train.inner_share, plan.train.seed)
        network, _ = fit_network(
            examples.take(fitted),
            examples.take(aside),
            plan.network,
            plan.train,
            device,
            lambda line: None,
            partial(watch, k),
        )
        odds = cast_votes((Member(network, 0.5),), part.patches.inputs[held], device).log_odds
        chance = 1 / (1 + np.exp(-odds.astype(np.float64)))
        found.append(
            {
                "log_loss": float(log_loss(labels[held], chance, labels=[0, 1])),
                "average_precision": float(average_precision_score(labels[held], chance)),
            }
        )
    return {name: float(np.mean([scores[name] for scores in found])) for name in found[0]}
