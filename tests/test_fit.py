"""Fitting one member: schedule, inner split, what is kept, the same seed the same weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CPU, QUICK, TINY, balanced, patches_of, same_weights, silent

from landslide_core.ensemble import Ballot
from landslide_core.training import fit, voices
from landslide_core.training.dataset import PatchSet
from landslide_core.training.examples import groups_of, inner_split, join
from landslide_core.training.fit import choose_threshold, fit_member, fit_network
from landslide_core.training.options import TrainOptions, annealed


def scenes_of(count, scenes, kind="simulated"):
    """Tiles of several scenes or chips, with masks where they are positive."""
    tiles = patches_of(count, seed=5)
    masks = np.zeros((count, 64, 64), bool)
    masks[tiles.labels == 1, :20, :20] = True
    end = "{:05d}" if kind == "simulated" else "0-{}"
    names = [f"{kind}-{1000 + i % scenes}-" + end.format(i) for i in range(count)]
    return replace(tiles, ids=tuple(names), masks=masks)


@pytest.fixture(scope="module")
def examples():
    """40 patches, 20 tiles of five scenes, 12 of four chips."""
    return join(patches_of(40), scenes_of(20, 5), scenes_of(12, 4, "chip"))


@pytest.fixture(scope="module")
def small():
    """24 patches alone."""
    return join(patches_of(24))


def test_the_learning_rate_warms_up_then_anneals():
    rates = [annealed(step, 100, 0.01, 0.1) for step in range(100)]
    assert rates[0] == pytest.approx(0.001)  # a tenth of the peak, not 0
    assert rates[4] == pytest.approx(0.005)
    assert rates[9] == pytest.approx(0.01)  # the last step of the warm-up
    assert rates[10] == pytest.approx(0.01)
    assert rates[55] == pytest.approx(0.005)  # half way down
    assert rates[77] == pytest.approx(0.005 * (1 + np.cos(np.pi * 67 / 90)))
    assert 0 < rates[99] < 1e-5
    assert all(np.diff(rates[:10]) > 0)
    assert all(np.diff(rates[10:]) < 0)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_learning_rate_of_a_short_training_is_positive(steps):
    rates = [annealed(step, steps, 2e-3, 0.1) for step in range(steps)]
    assert all(0 < rate <= 2e-3 for rate in rates)


def test_examples_know_what_their_tiles_are_for(examples):
    assert len(examples) == 72
    assert examples.scored.tolist() == [True] * 40 + [False] * 32
    assert examples.unscaled.tolist() == [False] * 60 + [True] * 12
    # Of a positive patch nobody knows where the landslide is; a negative one has an empty mask.
    assert examples.located[:40].tolist() == [label == 0 for label in balanced(40)]
    assert examples.located[40:].all()
    assert not examples.masks[:40].any()
    assert (
        examples.masks[40:].any(axis=(1, 2)).tolist()
        == balanced(20).tolist() + balanced(12).tolist()
    )
    assert len(set(examples.groups[:40])) == 40
    assert set(examples.groups[40:60]) == {f"simulated-{1000 + i}" for i in range(5)}
    assert len(set(examples.groups[60:])) == 4


def test_groups_are_scenes_and_chips_but_single_patches():
    names = ("simulated-1000-00003", "chip-38-64-0", "ID_7", "train-3")
    nothing = np.zeros((4, 0), np.float32)
    found = groups_of(PatchSet(names, nothing, None, np.zeros(4, int)))
    assert found == ["simulated-1000", "chip-38", "ID_7", "train-3"]


@pytest.mark.parametrize("seed", range(6))
def test_the_inner_split_is_stratified_and_never_parts_a_group(examples, seed):
    fitted, aside = inner_split(examples, 0.25, seed)
    assert sorted([*fitted, *aside]) == list(range(len(examples)))
    patches = aside[aside < 40]
    assert len(patches) == 10
    assert examples.labels[patches].sum() == 5
    assert not set(examples.groups[fitted]) & set(examples.groups[aside])
    assert len(set(examples.groups[aside[(aside >= 40) & (aside < 60)]])) == 1  # of five scenes
    assert len(set(examples.groups[aside[aside >= 60]])) == 1  # of four chips


def test_a_single_scene_is_fitted_on_whole():
    examples = join(patches_of(16), scenes_of(8, 1))
    fitted, aside = inner_split(examples, 0.25, 0)
    assert set(range(16, 24)) <= set(fitted)
    assert aside.max() < 16


def test_threshold_and_stopping_use_only_rows_set_aside(examples, monkeypatch):
    """The network is fitted without them; the threshold is chosen on the patches among them."""
    given, judged = [], []

    def spy(fitted, held, *rest):
        given.append((fitted, held))
        return fit_network(fitted, held, *rest)

    def chosen(model, inputs, labels, device):
        judged.append((inputs, labels))
        return choose_threshold(model, inputs, labels, device)

    monkeypatch.setattr(fit, "fit_network", spy)
    monkeypatch.setattr(fit, "choose_threshold", chosen)
    found = fit_member(examples, TINY, QUICK, CPU, silent)
    ((fitted, held),) = given
    ((inputs, labels),) = judged
    rest = np.setdiff1d(np.arange(len(examples)), found.aside)
    np.testing.assert_array_equal(fitted.inputs, examples.inputs[rest])
    np.testing.assert_array_equal(held.inputs, examples.inputs[found.aside])
    patches = found.aside[found.aside < 40]
    np.testing.assert_array_equal(inputs, examples.inputs[patches])
    np.testing.assert_array_equal(labels, examples.labels[patches])
    assert 0 < found.member.threshold < 1


def test_the_same_seed_gives_the_same_network_and_another_seed_another(small):
    held = small.take(np.arange(8))
    for name in ("inputs", "labels", "masks"):
        getattr(small, name).flags.writeable = False  # nothing is written into the shared data
    first, again, other = (
        fit_network(small, held, TINY, replace(QUICK, seed=seed), CPU, silent)[0]
        for seed in (0, 0, 1)
    )
    assert same_weights(first, again)
    assert not same_weights(first.picture, other.picture)
    assert not same_weights(first.statistics, other.statistics)
    assert not first.training


def test_every_epoch_is_reported_and_kept_in_the_curve(small):
    told = []
    held = small.take(np.arange(8))
    _, curve = fit_network(small, held, TINY, replace(QUICK, epochs=2), CPU, told.append)
    assert [line.split(" loss ")[0] for line in told[1:]] == ["epoch 1/2", "epoch 2/2"]
    assert [row["epoch"] for row in curve] == [1, 2]
    for row in curve:
        assert row["loss"] > 0
        assert row["inner_loss"] > 0
        assert row["statistics_loss"] == curve[0]["statistics_loss"]  # fitted before, not along
    assert curve[1]["rate"] < curve[0]["rate"]


def test_the_epoch_of_least_inner_loss_is_kept_and_its_odds_taken_back(small, monkeypatch):
    seen, losses = [], iter([0.9, 0.4, 0.7])

    def loss(model, *_):
        seen.append({k: v.clone() for k, v in model.picture.state_dict().items()})
        return {"inner_loss": next(losses), "statistics_loss": 1.0}

    monkeypatch.setattr(fit, "held_loss", loss)
    options = replace(QUICK, epochs=3, negatives=0.5, positive_weight=1.5)
    model, _ = fit_network(small, small, TINY, options, CPU, silent)
    found, best = model.picture.state_dict(), seen[1]
    assert not torch.equal(best["answer.weight"], seen[2]["answer.weight"])
    for name in found:
        if name != "answer.bias":
            assert torch.equal(found[name], best[name]), name
    # 12 negatives of which 6 are drawn, positives counted 1.5 times: threefold odds.
    taken = best["answer.bias"] - found["answer.bias"]
    assert taken.item() == pytest.approx(np.log(1.5 * 12 / 6), abs=1e-6)


def test_a_threshold_is_for_the_majority_of_the_eight_views(monkeypatch):
    """Four of eight views have to reach it: the fourth highest vote of each tile decides."""
    votes = np.tile(np.float32([0.9, 0.8, 0.7, 0.0, 0.0, 0.0, 0.0, 0.0]), (6, 1))
    votes[:3, 3] = 0.6, 0.5, 0.4  # the landslides
    votes[3:, 3] = 0.3, 0.2, 0.1

    def cast(members, inputs, device):
        return Ballot(votes[:, None], np.zeros(6, np.float32), np.float32([0.5]))

    monkeypatch.setattr(fit, "cast_votes", cast)
    labels = np.array([1, 1, 1, 0, 0, 0])
    assert choose_threshold(None, np.zeros((6, 0)), labels, CPU) == pytest.approx(0.4)


def test_voices_of_the_inner_folds_never_saw_the_tiles_they_speak_of(monkeypatch):
    """Each tile's first statistic is its number, so the fits tell which tiles they were given."""
    count = 30
    statistics = torch.arange(float(count))[:, None].repeat(1, 3)
    fitted_on = []

    def spy(known, labels, *_):
        rows = known[0][:, 0].long().numpy()
        np.testing.assert_array_equal(labels, balanced(count)[rows])
        fitted_on.append(set(rows.tolist()))
        return len(fitted_on) - 1

    monkeypatch.setattr(voices, "fit_statistics", spy)
    options = TrainOptions(crossed=3)
    known = statistics, torch.ones_like(statistics)
    found, unseen_by = voices.fit_crossed(known, balanced(count), TINY, options)
    assert found == [0, 1, 2]
    assert all(row not in fitted_on[voice] for row, voice in enumerate(unseen_by))
    assert all(len(rows) == 20 for rows in fitted_on)


def test_voices_learn_what_statistics_tell():
    patches = patches_of(60)
    known = voices.moments_of(patches.inputs)
    options = replace(QUICK, voice_epochs=15)
    part = voices.fit_statistics(known, patches.labels, TINY, options, seed=0)
    fresh = patches_of(40, seed=9)
    with torch.inference_mode():
        odds = part(*voices.moments_of(fresh.inputs)).numpy()
    assert odds[fresh.labels == 1].min() > odds[fresh.labels == 0].max()
    assert not part.training
