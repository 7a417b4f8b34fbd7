"""Tuning: resumed as if never cut, pruned, and blind to every row that figures are of."""

import hashlib
import json
import subprocess
import sys
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pandas as pd
import pytest
from conftest import CPU, QUICK_FILTER, balanced, raw_patches
from typer.testing import CliRunner

from landslide_core.calibration import Calibration
from landslide_core.cli import application
from landslide_core.combinations import COMBINATIONS, COMPLETE
from landslide_core.errors import CannotWrite, DatasetError, RunBusy
from landslide_core.judgement import Judgement
from landslide_core.network import NetworkOptions
from landslide_core.preprocess import cloud_by_brightness
from landslide_core.readers.patches import to_bands
from landslide_core.training import search, ship, space
from landslide_core.training.boosting import boosting_alone
from landslide_core.training.crossvalidate import Fold, Plan, Sources
from landslide_core.training.dataset import patch_set
from landslide_core.training.evidence import Evidence
from landslide_core.training.measure import chips_out_of_fold, out_of_fold
from landslide_core.training.options import TrainOptions
from landslide_core.training.search import SearchOptions, tune
from landslide_core.training.space import Dial, Switch
from landslide_core.training.tuned import (
    Tuning,
    digest_of,
    read_options,
    reported_rows,
    tuning_rows,
    write_options,
)

NETWORK = NetworkOptions(stem=4, branch=4, trunk=(8, 8, 8), pyramid=8, hidden=8, voices=2, voice=16)
TRAIN = TrainOptions(members=2, epochs=2, batch=8, voice_epochs=3, voice_batch=16, crossed=2)
PLAN = Plan(NETWORK, TRAIN, QUICK_FILTER)
QUICK = SearchOptions(trials=2, share=0.5, folds=2, drawn=2, unpruned=1)
TINY_SPACE = {
    "learning_rate": Dial("train", 1e-4, 1e-1, log=True),
    "dropout": Dial("network", 0.0, 0.6),
    "size": Switch("network", {"thin": {"trunk": (8, 8, 8)}, "thick": {"trunk": (8, 8, 16)}}),
}


def silent(line):
    pass


def sources_of(count, seed=0):
    labels = balanced(count)
    pixels = to_bands(raw_patches(labels, seed))
    ids = [f"ID_{i:03d}" for i in range(count)]
    return Sources(patch_set(ids, pixels, cloud_by_brightness(pixels), labels))


@pytest.fixture(scope="module")
def sources():
    return sources_of(60)


@pytest.fixture
def small_space(monkeypatch):
    for module in (space, search):
        monkeypatch.setattr(module, "space", lambda: TINY_SPACE)


@pytest.fixture
def scored(monkeypatch, small_space):
    """Trials that cost nothing: the loss is least at a learning rate of 0.01; counts its calls."""
    calls = []

    def scores(part, plan, *rest):
        calls.append(plan)
        loss = abs(np.log10(plan.train.learning_rate) + 2) + plan.network.dropout
        return {"log_loss": loss, "average_precision": 0.5}

    monkeypatch.setattr(search, "held_out_scores", scores)
    return calls


def trials_of(storage):
    (summary,) = optuna.get_all_study_summaries(f"sqlite:///{storage}")
    study = optuna.load_study(study_name=summary.study_name, storage=f"sqlite:///{storage}")
    return [(trial.state.name, trial.params) for trial in study.get_trials()]


# --- which rows


def test_tuning_rows_are_those_whose_hash_lies_low():
    for name in ("ID_1", "ID_2", "chip-38", "é"):
        place = int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) / 16**16
        assert tuning_rows([name], place + 1e-9).all()
        assert not tuning_rows([name], place - 1e-9).any()
    names = [f"ID_{i}" for i in range(20_000)]
    seen = tuning_rows(names, 0.3)
    assert seen.mean() == pytest.approx(0.3, abs=0.01)
    np.testing.assert_array_equal(tuning_rows(names[::-1], 0.3), seen[::-1])
    assert tuning_rows(names, 0.4)[seen].all()
    digest = hashlib.sha256(b"a\nc").hexdigest()
    for order in ("abc", "cab"):
        assert digest_of(order, np.array([name != "b" for name in order])) == digest


def test_tuning_is_handed_the_tuning_rows_alone(sources):
    part = search.tuning_part(sources, 0.5)
    seen = tuning_rows(sources.patches.ids, 0.5)
    assert 10 < seen.sum() < 50
    assert set(part.patches.ids) == {
        name for name, here in zip(sources.patches.ids, seen, strict=True) if here
    }


def test_chips_are_kept_for_tuning_whole(sources):
    names = [f"chip-{i // 4}-{32 * (i % 2)}-{32 * (i // 2 % 2)}" for i in range(60)]
    chips = replace(sources.patches, ids=tuple(names))
    part = search.tuning_part(replace(sources, chips=chips), 0.5)
    kept = [name.rsplit("-", 2)[0] for name in part.chips.ids]
    assert 0 < len(kept) < 60
    assert {kept.count(name) for name in kept} == {4}


# --- the search itself


def test_a_study_goes_on_as_if_it_had_never_ended(sources, tmp_path, scored):
    told, longer = [], replace(QUICK, trials=5, drawn=4)
    for trials in (2, 5):
        tune(sources, PLAN, replace(longer, trials=trials), tmp_path / "a.db", CPU, told.append)
    assert len({plan.train.learning_rate for plan in scored}) == len(scored) == 5
    assert "2 of 5 trials were finished before" in told
    in_one, tuning = tune(sources, PLAN, longer, tmp_path / "b.db", CPU, silent)
    assert trials_of(tmp_path / "a.db") == trials_of(tmp_path / "b.db")
    again = tune(sources, PLAN, longer, tmp_path / "a.db", CPU, silent)
    assert len(scored) == 10  # nothing was left to do
    assert again[0] == in_one
    assert (tuning.trials, tuning.pruned) == (5, 0)
    losses = [abs(np.log10(p.train.learning_rate) + 2) + p.network.dropout for p in scored[5:]]
    assert tuning.log_loss == pytest.approx(min(losses))
    best = scored[5 + int(np.argmin(losses))]
    assert in_one["train"] == {"learning_rate": best.train.learning_rate}
    assert in_one["network"] == {"dropout": best.network.dropout, "trunk": best.network.trunk}


def test_the_first_trial_is_the_plan_as_it_is(sources, tmp_path, scored):
    tune(sources, PLAN, QUICK, tmp_path / "study.db", CPU, silent)
    assert scored[0] == PLAN
    assert scored[1] != PLAN


KILLED = """
import os, signal, sys
sys.path[:0] = {path!r}
import test_search as t
from landslide_core.training import search, space
search.space = space.space = lambda: t.TINY_SPACE
calls = []
def scores(part, plan, *rest):
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return {{"log_loss": 1.0, "average_precision": 0.5}}
search.held_out_scores = scores
from pathlib import Path
search.tune(t.sources_of(60), t.PLAN, t.QUICK, Path(sys.argv[1]), t.CPU, t.silent)
"""


def test_a_trial_cut_by_a_kill_has_failed_and_is_repeated(sources, tmp_path, scored):
    storage = tmp_path / "study.db"
    tests = Path(__file__).parent
    script = KILLED.format(path=[str(tests), str(tests.parent)])
    run = subprocess.run([sys.executable, "-c", script, str(storage)], capture_output=True)
    assert run.returncode == -9, run.stderr
    assert [state for state, _ in trials_of(storage)] == ["COMPLETE", "RUNNING"]
    tune(sources, PLAN, QUICK, storage, CPU, silent)
    (_, first), (failed, cut), (finished, repeated) = trials_of(storage)
    assert (failed, finished) == ("FAIL", "COMPLETE")
    assert repeated == cut != first
    assert len(scored) == 1


def test_a_trial_worse_than_the_median_is_pruned_by_epoch(
    sources, tmp_path, monkeypatch, small_space
):
    """The first trial, the plan as it is, is better than any other: those stop at once."""
    epochs = []

    def fit(fitted, held, network, options, device, report, watch):
        for epoch in (1, 2):
            epochs.append(epoch)
            watch({"epoch": epoch, "inner_loss": 0.3 if options == TRAIN else 0.5})
        return None, []

    def vote(members, inputs, device):
        return SimpleNamespace(log_odds=np.zeros(len(inputs), np.float32))

    monkeypatch.setattr(search, "fit_network", fit)
    monkeypatch.setattr(search, "cast_votes", vote)
    told = []
    _, tuning = tune(sources, PLAN, QUICK, tmp_path / "study.db", CPU, told.append)
    assert (tuning.trials, tuning.pruned) == (2, 1)
    assert epochs == [1, 2, 1, 2, 1]
    assert told[-1] == "trial 2 of 2: pruned"
    assert tuning.log_loss == pytest.approx(np.log(2))


def test_how_a_trial_stands_only_falls_and_a_fold_to_come_knows_nothing():
    said = []
    trial = SimpleNamespace(
        report=lambda value, step: said.append((step, value)), should_prune=lambda: False
    )
    watch = search._pruning(trial, np.array([0, 0, 0, 1]), epochs=2, folds=2)
    nothing = 0.5623351446188083  # −¼ ln ¼ − ¾ ln ¾
    for fold, epoch, loss in ((0, 1, 0.9), (0, 2, 0.4), (1, 1, 0.2), (1, 2, 0.3)):
        watch(fold, {"epoch": epoch, "inner_loss": loss})
    assert [step for step, _ in said] == [1, 2, 3, 4]
    np.testing.assert_allclose(
        [value for _, value in said], [nothing, (0.4 + nothing) / 2, 0.3, 0.3]
    )
    with pytest.raises(optuna.TrialPruned):
        watch(1, {"epoch": 3, "inner_loss": float("nan")})


def test_real_trials_see_nothing_of_the_other_rows(sources, tmp_path, small_space):
    """Other labels and pixels outside the tuning part: the same options; inside: another study."""
    seen = tuning_rows(sources.patches.ids, QUICK.share)
    studies = {}
    for name, changed in (("as is", seen & False), ("outside", ~seen), ("inside", seen)):
        labels = np.where(changed, 1 - sources.patches.labels, sources.patches.labels)
        inputs = np.where(changed[:, None, None, None], 0, sources.patches.inputs)
        patches = replace(sources.patches, labels=labels, inputs=inputs)
        storage = tmp_path / f"{name}.db"
        studies[name] = tune(Sources(patches), PLAN, QUICK, storage, CPU, silent)
    (chosen, tuning), (blind, blind_tuning), (_, other) = studies.values()
    assert blind == chosen
    assert replace(blind_tuning, energy=None) == replace(tuning, energy=None)
    assert tuning.energy["seconds"] > 0
    assert other.study != tuning.study
    assert other.log_loss != tuning.log_loss
    assert 0 < tuning.log_loss < 5


def test_a_storage_that_cannot_be_used_is_named_in_one_line(sources, tmp_path, scored):
    (tmp_path / "text.db").write_text("no study, but a text that is longer than a header " * 9)
    (tmp_path / "folder.db").mkdir()
    for name in ("none/study.db", "text.db", "folder.db"):
        with pytest.raises(CannotWrite) as caught:
            tune(sources, PLAN, QUICK, tmp_path / name, CPU, silent)
        said = str(caught.value)
        assert name in said
        assert "--storage" in said
        assert "\n" not in said
    assert scored == []


def test_two_searches_on_one_study_do_not_meet(sources, tmp_path, scored):
    with search._alone(tmp_path / "study.db"), pytest.raises(RunBusy, match="at work"):
        tune(sources, PLAN, QUICK, tmp_path / "study.db", CPU, silent)
    tune(sources, PLAN, QUICK, tmp_path / "study.db", CPU, silent)


def test_too_few_rows_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="--share"):
        tune(sources_of(12), PLAN, replace(QUICK, share=0.1), tmp_path / "a.db", CPU, silent)


def test_the_usual_options_lie_within_what_is_searched():
    plan = Plan(NetworkOptions(), TrainOptions(), QUICK_FILTER)
    usual = space.usual(plan)
    assert usual.keys() == space.space().keys()
    for name, dial in space.space().items():
        if isinstance(dial, Dial):
            assert dial.low <= usual[name] <= dial.high
    assert space.applied(plan, space.chosen_fields(usual)) == plan


# --- what comes of it


TUNING = Tuning("abc", 3, 1, 0.2, 0.5, 30, "digest", None)


def test_options_come_back_as_they_were_chosen(tmp_path):
    chosen = {"network": {"trunk": (8, 8, 16), "dropout": 0.25}, "train": {"learning_rate": 0.01}}
    write_options(tmp_path / "options.json", chosen, TUNING)
    plan, tuning = read_options(tmp_path / "options.json", PLAN)
    assert tuning == TUNING
    assert plan.network == replace(NETWORK, trunk=(8, 8, 16), dropout=0.25)
    assert plan.train == replace(TRAIN, learning_rate=0.01)
    assert plan.filter == PLAN.filter


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"format": 2, "tuning": asdict(TUNING)}),
        json.dumps({"format": 1, "tuning": asdict(TUNING), "network": {"depth": 3}}),
        json.dumps({"format": 1, "tuning": asdict(TUNING), "train": {"learning_rate": "fast"}}),
        json.dumps({"format": 1, "tuning": {"share": 0.3}}),
    ],
)
def test_a_file_that_holds_no_options_is_named(tmp_path, text):
    (tmp_path / "options.json").write_text(text)
    with pytest.raises(DatasetError, match="does not read as options"):
        read_options(tmp_path / "options.json", PLAN)


def made_up_fold(rows, seed):
    """A fold whose scores are random."""
    rng = np.random.default_rng(seed)
    calibration = Calibration(0.5, 0.5, 0.0, 0.5, 0.3, 0.7)
    judgement = Judgement.room_for(len(rows), 1)
    for part in (judgement.probability, judgement.filter_score, judgement.spread):
        part[:] = rng.random(len(rows))
    judgement.says_landslide[:] = judgement.probability >= 0.5
    judgement.verdict[:] = rng.integers(1, 5, len(rows))
    evidence = {
        name: Evidence(
            rng.random(len(rows)), rng.normal(0, 2, len(rows)), rng.random(len(rows)) < 0.3
        )
        for name in COMBINATIONS
    }
    system = SimpleNamespace(calibration_of=lambda _: calibration)
    return Fold(system, rows, judgement, evidence, None, [])


def test_no_figure_depends_on_a_row_that_tuning_saw():
    labels = np.random.default_rng(1).integers(0, 2, 200)
    ids = [f"ID_{i}" for i in range(200)]
    seen = tuning_rows(ids, 0.3)
    folds = [made_up_fold(np.arange(k, 200, 2), k) for k in (0, 1)]
    flipped = np.where(seen, 1 - labels, labels)
    found = out_of_fold(folds, labels, ~seen)
    assert found == out_of_fold(folds, flipped, ~seen)
    assert found["pooled"]["n"] == found["filter"]["n"] == (~seen).sum()
    assert {scores["n"] for scores in found["combinations"].values()} == {(~seen).sum()}
    assert [scores["n"] for scores in found["folds"]] == [(~seen)[k::2].sum() for k in (0, 1)]
    assert out_of_fold(folds, labels) != out_of_fold(folds, flipped)
    assert out_of_fold(folds, labels) == out_of_fold(folds, labels, seen | True)


def test_no_figure_of_the_chips_depends_on_a_chip_that_tuning_saw(sources):
    names = tuple(f"chip-{i:02d}-0-0" for i in range(60))
    chips = replace(sources.patches, ids=names)
    whole = Sources(sources.patches, chips=chips)
    folds = []
    for k in (0, 1):
        fold = made_up_fold(np.arange(30), k)
        folds.append(replace(fold, chips=fold.judgement))
    seen = tuning_rows([name.removesuffix("-0-0") for name in names], 0.5)
    flipped = replace(chips, labels=np.where(seen, 1 - chips.labels, chips.labels))
    found = chips_out_of_fold(folds, whole, ~seen)
    assert found == chips_out_of_fold(folds, replace(whole, chips=flipped), ~seen)
    assert found["scores"]["n"] == (~seen).sum()
    assert chips_out_of_fold(folds, whole)["scores"]["n"] == 60


def test_boosting_is_scored_on_the_same_rows():
    rng = np.random.default_rng(0)
    labels = balanced(80)
    features = pd.DataFrame({"a": labels + rng.normal(0, 1, 80), "b": rng.normal(0, 1, 80)})
    splits = [(np.arange(40, 80), np.arange(40)), (np.arange(40), np.arange(40, 80))]
    counted = np.arange(80) % 8 < 6
    found, whole = (boosting_alone(features, labels, splits, rows) for rows in (counted, None))
    assert found["pooled"]["n"] == 60
    assert [scores["n"] for scores in found["folds"]] == [30, 30]
    assert whole["pooled"]["n"] == 80


@pytest.fixture
def prepared(tmp_path):
    folder = tmp_path / "patches"
    folder.mkdir()
    labels = balanced(48)
    for i, patch in enumerate(raw_patches(labels)):
        np.save(folder / f"ID_{i:03d}.npy", patch)
    rows = "".join(f"ID_{i:03d},{label}\n" for i, label in enumerate(labels))
    (tmp_path / "labels.csv").write_text(f"ID,label\n{rows}")
    return folder


def test_from_tuning_to_a_card_that_owns_up_to_it(prepared, tmp_path, monkeypatch, small_space):
    """`landslide prepare`, `tune`, `train --options`: chosen options, and fewer rows reported."""
    monkeypatch.setattr(ship, "TEST_SEEDS", (9000,))
    monkeypatch.setattr(ship, "SCENE_SIZE", 256)
    monkeypatch.setattr(ship, "card_figures", lambda card: {})  # drawn in test_card
    monkeypatch.setattr("landslide_core.cli_training.NetworkOptions", lambda: NETWORK)
    monkeypatch.setattr("landslide_core.cli_training.TrainOptions", partial(replace, TRAIN))

    def run(*words):
        done = CliRunner().invoke(application(), [str(word) for word in words])
        assert done.exit_code == 0, (done.output, done.exception)
        return done

    at = tmp_path / "prepared"
    run("prepare", prepared, "--labels", tmp_path / "labels.csv", "--out", at)
    quick = ("--scenes", 0, "--epochs", 1, "--voice-epochs", 1)
    options = tmp_path / "options.json"
    run(
        *("tune", at, "--out", options, "--storage", tmp_path / "study.db", "--trials", 2),
        *("--share", 0.4, "--folds", 2, *quick),
    )
    monkeypatch.setattr(
        "landslide_core.cli_training.FilterOptions", lambda seed: replace(QUICK_FILTER, seed=seed)
    )
    work = tmp_path / "work"
    run(
        *("train", at, "--out", tmp_path / "bundle", "--work", work, "--members", 2),
        *("--options", options, *quick),
    )
    card = json.loads((tmp_path / "bundle" / "card.json").read_text())
    chosen = json.loads(options.read_text())
    assert card["plan"]["train"]["learning_rate"] == chosen["train"]["learning_rate"]
    assert card["plan"]["network"]["trunk"] == chosen["network"]["trunk"]
    names = [f"ID_{i:03d}" for i in range(48)]
    seen = tuning_rows(names, 0.4)
    assert chosen["tuning"]["rows"] == card["tuning"]["left_out"] == seen.sum()
    assert card["tuning"]["same_rows"]
    for scores in (card["out_of_fold"]["pooled"], card["out_of_fold"]["boosting"]["pooled"]):
        assert scores["n"] == (~seen).sum()
    text = (tmp_path / "bundle" / "card.md").read_text()
    assert f"Tuned on {seen.sum()} rows left out of the figures" in text
    (folder,) = {path.parent for path in work.glob("*/tuning.json")}
    np.testing.assert_array_equal(reported_rows(folder, names), ~seen)
    assert reported_rows(work, names) is None
    assert COMPLETE in card["calibration"]
