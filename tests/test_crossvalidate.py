"""Folds as checkpoints: each row held out once, finished folds taken up, others fitted again."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import CPU, QUICK, QUICK_FILTER, TINY, balanced, raw_patches, same_weights, silent

from landslide_core.combinations import COMBINATIONS
from landslide_core.errors import DatasetError
from landslide_core.judgement import FILTERED_OUT
from landslide_core.training import crossvalidate, train
from landslide_core.training.crossvalidate import Plan, load_fold, save_fold, split
from landslide_core.training.measure import out_of_fold
from landslide_core.training.prepare import PrepareInputs, prepare
from landslide_core.training.train import TrainInputs, cross_validate, load_sources

COUNT = 32
PLAN = Plan(TINY, replace(QUICK, voice_epochs=8), QUICK_FILTER)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """32 prepared patches, half of them positive, and nothing beside."""
    folder = tmp_path_factory.mktemp("patches")
    labels, names = balanced(COUNT), [f"ID_{i:03d}" for i in range(COUNT)]
    for name, raw in zip(names, raw_patches(labels), strict=True):
        np.save(folder / f"{name}.npy", raw)
    pd.DataFrame({"ID": names, "label": labels}).to_csv(folder / "labels.csv", index=False)
    prepare(PrepareInputs(folder, folder / "labels.csv"), folder / "prepared")
    return TrainInputs(folder / "prepared", scenes=0)


@pytest.fixture(scope="module")
def training(inputs, tmp_path_factory):
    """A finished training of two folds. Its folder must stay as it is."""
    return cross_validate(inputs, PLAN, tmp_path_factory.mktemp("work"), CPU, silent, 1)


@pytest.fixture
def fits(monkeypatch):
    """Which folds are fitted; a stub takes a finished fold instead of fitting."""
    seen = []

    def spy(sources, fitted, held, k, *rest):
        seen.append(k)
        return spy.instead[k]

    monkeypatch.setattr(train, "fit_fold", spy)
    spy.seen = seen
    return spy


def assert_same(one, other):
    """Two folds agree in all they hold."""
    assert one.system.sha256 == other.system.sha256
    assert same_weights(one.system.members[0].network, other.system.members[0].network)
    assert one.curve == other.curve
    pairs = [(one.judgement, other.judgement)]
    pairs += [(one.evidence[name], other.evidence[name]) for name in COMBINATIONS]
    np.testing.assert_array_equal(one.rows, other.rows)
    for first, second in pairs:
        for name, values in vars(first).items():
            np.testing.assert_array_equal(values, getattr(second, name), err_msg=name)


def test_every_row_is_held_out_once_and_folds_are_balanced():
    labels = np.array([0] * 30 + [1] * 10)
    splits = split(labels, replace(QUICK, members=5))
    assert sorted(np.concatenate([held for _, held in splits])) == list(range(40))
    for fitted, held in splits:
        assert sorted([*fitted, *held]) == list(range(40))
        assert labels[held].sum() == 2


def test_figures_are_of_the_rows_each_fold_never_saw(training):
    labels = training.sources.patches.labels
    rows = np.concatenate([fold.rows for fold in training.folds])
    assert sorted(rows) == list(range(COUNT))
    found = out_of_fold(training.folds, labels)
    assert found["pooled"]["n"] == found["filter"]["n"] == COUNT
    assert len(found["folds"]) == 2
    assert found["filter"]["auc"] > 0.9  # radar tells these patches apart
    verdicts = np.concatenate([fold.judgement.verdict for fold in training.folds])
    assert found["pooled"]["dropped_fraction"] == (verdicts == FILTERED_OUT).mean() > 0
    (negatives, wrong_yes), (missed, right) = found["confusion"]
    assert (negatives + wrong_yes, missed + right) == (16, 16)
    assert found["pooled"]["recall"] == pytest.approx(right / 16)


def test_a_fold_comes_back_as_it_was_saved(training, tmp_path):
    for fold in training.folds:
        save_fold(tmp_path / fold.system.name, fold)
        assert_same(load_fold(tmp_path / fold.system.name), fold)


def test_evidence_of_everything_is_the_judgement(training):
    """Both ways of judging the rows held out agree, tile by tile."""
    for fold in training.folds:
        seen = fold.evidence[COMBINATIONS[0]]
        calibration = fold.system.calibration_of(COMBINATIONS[0])
        np.testing.assert_array_equal(seen.dropped, fold.judgement.verdict == FILTERED_OUT)
        np.testing.assert_allclose(
            seen.probability(calibration), fold.judgement.probability, atol=1e-6
        )
        says = seen.says_landslide(calibration)
        np.testing.assert_array_equal(says, fold.judgement.says_landslide)


def test_finished_folds_are_taken_up_and_one_cut_short_is_fitted_again(
    inputs, training, fits, tmp_path
):
    fits.instead = training.folds
    first = cross_validate(inputs, PLAN, tmp_path, CPU, silent, 1)
    assert fits.seen == [0, 1]
    told = []
    again = cross_validate(inputs, PLAN, tmp_path, CPU, told.append, 1)
    assert fits.seen == [0, 1]
    assert told[0] == "2 of 2 folds were done before"
    for one, other in zip(first.folds, again.folds, strict=True):
        assert_same(one, other)
    (first.folder / "fold_01" / "manifest.json").unlink()  # as a kill in the middle leaves it
    cross_validate(inputs, PLAN, tmp_path, CPU, silent, 1)
    assert fits.seen == [0, 1, 1]
    scores = first.folder / "fold_00" / "scores.npz"
    scores.write_bytes(scores.read_bytes()[:-1])  # or a disk that lost its end
    cross_validate(inputs, PLAN, tmp_path, CPU, silent, 1)
    assert fits.seen == [0, 1, 1, 0]


def test_another_plan_s_folds_are_not_taken_up(inputs, training, fits, tmp_path):
    fits.instead = training.folds
    one = cross_validate(inputs, PLAN, tmp_path, CPU, silent, 1)
    faster = replace(PLAN, train=replace(PLAN.train, epochs=2))
    other = cross_validate(inputs, faster, tmp_path, CPU, silent, 1)
    assert fits.seen == [0, 1, 0, 1]
    assert one.folder != other.folder


def test_what_changes_a_plan_or_its_data_changes_the_fingerprint(inputs):
    sources = load_sources(inputs)
    patches = sources.patches
    features = patches.features.copy()
    features.iloc[3, 5] += 1
    labels = patches.labels.copy()
    labels[:2] = labels[1::-1]
    others = [
        (PLAN, replace(sources, patches=replace(patches, labels=labels))),
        (PLAN, replace(sources, patches=replace(patches, features=features))),
        (PLAN, replace(sources, patches=replace(patches, ids=patches.ids[::-1]))),
        (PLAN, replace(sources, table=patches.features)),
        (PLAN, replace(sources, table=features)),
        (PLAN, replace(sources, simulated=patches.take(np.arange(4)))),
        (PLAN, replace(sources, simulated=patches.take(np.arange(5)))),
        (replace(PLAN, network=replace(TINY, hidden=9)), sources),
        (replace(PLAN, train=replace(PLAN.train, seed=1)), sources),
        (replace(PLAN, filter=replace(QUICK_FILTER, rounds=21)), sources),
    ]
    found = [plan.fingerprint(data) for plan, data in [(PLAN, sources), *others]]
    assert len(set(found)) == len(found)
    assert PLAN.fingerprint(load_sources(inputs)) == found[0]


def test_too_few_of_a_class_are_refused(inputs, tmp_path):
    many = replace(PLAN, train=replace(QUICK, members=17))
    with pytest.raises(DatasetError, match=r"16 of 32 patches are positive.*lower --members"):
        cross_validate(inputs, many, tmp_path, CPU, silent, 1)
    assert list(tmp_path.iterdir()) == []


def test_processes_end_in_the_same_bytes_as_one(inputs, training, tmp_path):
    """Two worker processes, a fold each; their reports arrive here."""
    told = []
    other = cross_validate(inputs, PLAN, tmp_path, CPU, told.append, 2)
    for one, two in zip(training.folds, other.folds, strict=True):
        assert_same(one, two)
    assert {line.split(":")[0] for line in told} >= {"fold 1 of 2", "fold 2 of 2"}
    for name in ("scores.npz", "manifest.json", "curve.json"):
        first, second = (t.folder / "fold_01" / name for t in (training, other))
        assert first.read_bytes() == second.read_bytes()


def test_the_curve_is_kept_with_the_fold(training):
    saved = json.loads((training.folder / "fold_00" / "curve.json").read_text())
    assert saved == training.folds[0].curve
    assert [row["epoch"] for row in saved] == [1]


def test_judging_a_set_in_parts_gives_the_same(training, monkeypatch):
    system, patches = training.folds[0].system, training.sources.patches
    whole = crossvalidate.judge_set(system, patches, CPU)
    monkeypatch.setattr(crossvalidate, "_CHUNK", 7)
    parts = crossvalidate.judge_set(system, patches, CPU)
    np.testing.assert_array_equal(parts.verdict, whole.verdict)
    np.testing.assert_allclose(parts.probability, whole.probability, atol=1e-5)
