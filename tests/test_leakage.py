"""What is held out leaves no trace in what is fitted, and what was dropped counts as missed."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CPU, EVEN, QUICK, QUICK_FILTER, TINY, patches_of, same_weights, silent

from landslide_core import moments
from landslide_core.combinations import COMPLETE, USUAL, blank, blank_inputs
from landslide_core.judgement import FILTERED_OUT, STABLE, Judgement
from landslide_core.training import crossvalidate, fit
from landslide_core.training.crossvalidate import Plan, Sources, fit_fold
from landslide_core.training.evidence import Evidence, judgement_scores
from landslide_core.training.voices import moments_of
from landslide_core.voices import Spread

COUNT = 32
PLAN = Plan(TINY, QUICK, replace(QUICK_FILTER, rounds=5))
FITTED = np.flatnonzero(np.arange(COUNT) % 4 < 2)  # both halves hold both classes
HELD = np.flatnonzero(np.arange(COUNT) % 4 >= 2)


def chips_of(count, seed):
    """Optical tiles of four chips, a quarter and one between quarters of each."""
    patches = patches_of(count, seed)
    names = [f"chip-{i % 4}-{64 * (i // 8)}-{32 * (i // 4 % 2)}" for i in range(count)]
    return replace(
        patches,
        ids=tuple(names),
        inputs=blank_inputs(patches.inputs, "visible+nir"),
        features=blank(patches.features, "visible+nir"),
        masks=np.zeros((count, 64, 64), bool),
    )


@pytest.fixture(scope="module")
def sources():
    """Patches, their table a little off, tiles of a scene, tiles of chips."""
    patches = patches_of(COUNT)
    scene = replace(patches_of(8, 3), ids=tuple(f"simulated-1-{i}" for i in range(8)))
    return Sources(patches, patches.features * np.float32(1.001), scene, chips_of(16, 4))


@pytest.fixture(scope="module", autouse=True)
def complete_alone():
    """Judging held-out rows under all 26 combinations takes time and fits nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossvalidate, "COMBINATIONS", (COMPLETE,))
        yield


def fitted_on(sources):
    """Fold 0 by the one split of these tests."""
    return fit_fold(sources, FITTED, HELD, 0, PLAN, CPU, silent)


@pytest.fixture(scope="module")
def fold(sources):
    """Fold 0 of the sources as they are."""
    return fitted_on(sources)


def traces(fold, other):
    """Which fitted parts of two folds differ."""
    (one,), (two,) = fold.system.members, other.system.members
    filters = fold.system.prefilter, other.system.prefilter
    same = {
        "weights": same_weights(one.network, two.network),
        "member threshold": one.threshold == two.threshold,
        "filter": filters[0].booster.save_raw() == filters[1].booster.save_raw(),
        "filter thresholds": filters[0].thresholds == filters[1].thresholds,
        "calibration": fold.system.calibration == other.system.calibration,
        "curve": fold.curve == other.curve,
    }
    return {part for part, unchanged in same.items() if not unchanged}


def relabelled(patches, rows):
    """The patches with labels of some rows turned over."""
    labels = patches.labels.copy()
    labels[rows] = 1 - labels[rows]
    return replace(patches, labels=labels)


def exchanged(patches, rows, seed=99):
    """The patches with pixels and features of others in some rows."""
    others = patches_of(len(patches), seed)
    inputs, features = patches.inputs.copy(), patches.features.copy()
    inputs[rows], features.iloc[rows] = others.inputs[rows], others.features.iloc[rows]
    return replace(patches, inputs=inputs, features=features)


def test_fitting_twice_gives_the_same(sources, fold):
    assert traces(fold, fitted_on(sources)) == set()


def test_labels_of_the_rows_held_out_leave_no_trace(sources, fold):
    """Member, thresholds, trees and calibration stay bit for bit."""
    shuffled = replace(sources, patches=relabelled(sources.patches, HELD))
    assert traces(fold, fitted_on(shuffled)) == set()


def test_pixels_and_statistics_of_the_rows_held_out_leave_no_trace(sources, fold):
    patches = exchanged(sources.patches, HELD)
    table = sources.table.copy()
    table.iloc[HELD] = patches.features.iloc[HELD]
    other = fitted_on(replace(sources, patches=patches, table=table))
    assert traces(fold, other) == set()
    votes = other.judgement.votes, fold.judgement.votes
    assert not np.array_equal(*votes, equal_nan=True)  # they are judged


def test_labels_of_the_rows_fitted_on_show_everywhere(sources, fold):
    turned = replace(sources, patches=relabelled(sources.patches, FITTED[::4]))
    expected = {"weights", "filter", "filter thresholds", "calibration", "curve"}
    assert traces(fold, fitted_on(turned)) >= expected


def test_pixels_of_the_rows_fitted_on_show(sources, fold):
    """The filter is fitted on the table, so other pixels alone leave it as it is."""
    other = fitted_on(replace(sources, patches=exchanged(sources.patches, FITTED[:6])))
    assert traces(fold, other) >= {"weights", "curve"}
    assert not traces(fold, other) & {"filter", "filter thresholds"}


def test_chips_of_the_fold_leave_no_trace_and_other_chips_do(sources, fold):
    out = sources.chips_of_fold(0, QUICK.members)
    assert out.any()
    assert not out.all()
    for rows, trace in ((np.flatnonzero(out), set()), (np.flatnonzero(~out)[:3], {"weights"})):
        chips = relabelled(exchanged(sources.chips, rows), rows)
        other = fitted_on(replace(sources, chips=chips))
        assert traces(fold, other) >= trace
        assert bool(traces(fold, other)) == bool(trace)


def test_a_chip_is_never_split_between_folds(sources):
    places = np.array([sources.chips_of_fold(k, 3) for k in range(3)])
    assert (places.sum(axis=0) == 1).all()
    chip = np.array([name.split("-")[1] for name in sources.chips.ids])
    for name in set(chip):
        assert (places[:, chip == name].all(axis=1)).sum() == 1


def test_examples_are_the_fitted_patches_the_scene_and_other_folds_chips(sources, monkeypatch):
    """Quarters of the fold's own chips are judged, overlapping tiles of them are not."""
    given = []

    def spy(examples, *rest):
        given.append(examples)
        return fit.fit_member(examples, *rest)

    monkeypatch.setattr(crossvalidate, "fit_member", spy)
    fold = fitted_on(sources)
    (examples,) = given
    out = sources.chips_of_fold(0, QUICK.members)
    expected = [
        *sources.patches.inputs[FITTED],
        *sources.simulated.inputs,
        *sources.chips.inputs[~out],
    ]
    np.testing.assert_array_equal(examples.inputs, expected)
    held = {sources.chips.ids[i].rsplit("-", 2)[0] for i in np.flatnonzero(out)}
    assert not held & set(examples.groups)
    assert not {sources.patches.ids[i] for i in HELD} & set(examples.groups)
    quarters = [i for i in np.flatnonzero(out) if sources.chips.ids[i].endswith(("-0", "-64"))]
    assert len(fold.chips.verdict) == len(quarters) < out.sum()


def test_calibration_is_on_rows_the_member_never_saw_by_scores_out_of_fold(sources, monkeypatch):
    """Rows set aside, and the filter's inner scores of them, by combination of inputs."""
    networks, inner, fits = [], [], []

    network_before, filter_before = fit.fit_network, crossvalidate.fit_with_scores
    calibrate_before = crossvalidate.fit_calibration

    def network(fitted, held, *rest):
        networks.append(fitted)
        return network_before(fitted, held, *rest)

    def filtered(*given):
        prefilter, scores = filter_before(*given)
        inner.append(scores)
        return prefilter, scores

    def calibrate(labels, score, votes, dropped):
        fits.append((labels, score, dropped))
        return calibrate_before(labels, score, votes, dropped)

    monkeypatch.setattr(fit, "fit_network", network)
    monkeypatch.setattr(crossvalidate, "fit_with_scores", filtered)
    monkeypatch.setattr(crossvalidate, "fit_calibration", calibrate)
    fold = fitted_on(sources)
    names = [sources.patches.ids[i] for i in FITTED]
    aside = [i for i, name in enumerate(names) if name not in set(networks[0].groups)]
    assert len(aside) == 4  # a quarter of sixteen
    assert len(fits) == len(USUAL)
    for name, (labels, score, dropped) in zip(USUAL, fits, strict=True):
        np.testing.assert_array_equal(labels, sources.patches.labels[FITTED][aside])
        np.testing.assert_array_equal(score, inner[0][name][aside])
        limit = fold.system.prefilter.thresholds[name]
        np.testing.assert_array_equal(dropped, score < limit)


def test_the_normaliser_is_fitted_on_the_training_tiles_alone(sources, fold, monkeypatch):
    """The quantiles that spread the statistics are those of the tiles the network was fitted on."""
    given = []
    before = fit.fit_network

    def spy(fitted, *rest):
        given.append(fitted)
        return before(fitted, *rest)

    monkeypatch.setattr(fit, "fit_network", spy)
    again = fitted_on(sources)
    expected = Spread(moments.COUNT)
    expected.fit(*moments_of(given[0].inputs))
    (member,) = again.system.members
    assert torch.equal(member.network.statistics.spread.knots, expected.knots)
    everything = Spread(moments.COUNT)
    everything.fit(*moments_of(sources.patches.inputs))
    assert not torch.equal(everything.knots, expected.knots)
    assert traces(fold, again) == set()


def test_a_dropped_tile_is_a_no_whatever_its_probability():
    """A filter that drops a landslide it scores at 0.9: a miss in F1 and recall all the same."""
    labels = np.array([1, 1, 0, 0])
    seen = Evidence(
        np.float32([0.9, 0.9, 0.9, 0.1]),
        np.float32([np.nan, 3.0, 3.0, np.nan]),
        np.array([True, False, False, True]),
    )
    assert seen.says_landslide(EVEN).tolist() == [False, True, True, False]
    probability = seen.probability(EVEN)
    assert probability[[0, 3]] == pytest.approx([0.9, 0.1])  # the filter's score is all there is
    expected = 1 / (1 + np.exp(-(0.5 * np.log(9) + 0.5 * 3)))
    assert probability[[1, 2]] == pytest.approx([expected] * 2)
    scores = seen.scores(EVEN, labels)
    assert (scores["recall"], scores["precision"], scores["f1"]) == (0.5, 0.5, 0.5)
    assert (scores["dropped_fraction"], scores["filter_recall"]) == (0.5, 0.5)


def test_dropped_and_unseen_tiles_of_a_judgement_count_as_no():
    judged = Judgement.room_for(3, 1)  # the last one had no data
    judged.verdict[:2] = FILTERED_OUT, STABLE
    judged.probability[:2] = 0.8, 0.9
    judged.says_landslide[:2] = False, True
    scores = judgement_scores(judged, np.array([1, 1, 1]))
    assert scores["recall"] == pytest.approx(1 / 3)
    assert scores["filter_recall"] == pytest.approx(2 / 3)
