"""Training: schedule, augmentation, scores, and that a fold never sees its held-out rows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CPU, QUICK_FILTER, TINY, balanced, inputs_of, raw_patches, table_of
from sklearn import metrics as sklearn_metrics
from sklearn.model_selection import StratifiedKFold

from landslide_core.bands import ASCENDING_CHANNELS, DESCENDING_CHANNELS, OPTICAL_CHANNELS
from landslide_core.detect import FILTERED_OUT
from landslide_core.ensemble import VIEWS, view
from landslide_core.training import crossvalidate
from landslide_core.training.augment import drop_inputs, erase, turn
from landslide_core.training.crossvalidate import Plan, Sources, cross_validate, fit_fold
from landslide_core.training.dataset import PatchSet
from landslide_core.training.fit import TrainOptions, fit_member, fit_network, learning_rate
from landslide_core.training.metrics import (
    expected_calibration_error,
    f1_threshold,
    filter_scores,
    rank_scores,
    system_scores,
)

QUICK = TrainOptions(members=2, epochs=2, batch=8)
PLAN = Plan(TINY, QUICK, QUICK_FILTER)


def silent(line):
    """Report to nobody."""


def sources_of(count=48, seed=0):
    """Patches and the rows of their table."""
    labels = balanced(count)
    raw = raw_patches(labels, seed)
    pixels, cloud, _ = inputs_of(raw)
    ids = tuple(f"ID_{i:03d}" for i in range(count))
    return Sources(PatchSet(ids, pixels, cloud, labels), table_of(raw, labels), None)


@pytest.fixture(scope="module")
def sources():
    """48 patches, half of them positive."""
    return sources_of()


@pytest.fixture(scope="module")
def batch():
    """Six model inputs without a zero."""
    inputs = inputs_of(raw_patches(balanced(6)))[2]
    inputs[:, 0] = 1
    return torch.from_numpy(inputs)


def same_weights(one, other):
    """Whether two networks agree bit for bit."""
    states = one.state_dict(), other.state_dict()
    return all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


def test_the_learning_rate_warms_up_then_anneals():
    options = TrainOptions(learning_rate=0.01, warmup=0.1)
    rates = [learning_rate(step, 100, options) for step in range(100)]
    assert rates[0] == pytest.approx(0.001)  # a tenth of the peak, not 0
    assert rates[9] == pytest.approx(0.01)  # the last step of the warm-up
    assert rates[10] == pytest.approx(0.01)
    assert rates[55] == pytest.approx(0.005)  # half way down
    assert 0 < rates[99] < 1e-5
    assert all(np.diff(rates[:10]) > 0)
    assert all(np.diff(rates[10:]) < 0)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_learning_rate_of_a_short_training_is_positive(steps):
    rates = [learning_rate(step, steps, TrainOptions()) for step in range(steps)]
    assert all(0 < rate <= TrainOptions.learning_rate for rate in rates)


@pytest.mark.parametrize(
    "change",
    [
        turn,
        lambda tiles, rng: erase(tiles, 1.0, rng),
        lambda tiles, rng: drop_inputs(tiles, 1.0, rng),
    ],
    ids=["turn", "erase", "drop_inputs"],
)
def test_augmentation_returns_new_tensors_by_the_seed(batch, change):
    before = batch.clone()
    first, again, other = (change(batch, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(batch, before)
    assert first.data_ptr() != batch.data_ptr()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, before)


def test_turning_gives_each_tile_one_of_the_eight_views(batch):
    tiles = batch[:1].repeat(64, 1, 1, 1)
    turned = turn(tiles, np.random.default_rng(0))
    views = [view(tiles[:1], i)[0] for i in range(len(VIEWS))]
    chosen = [[i for i, v in enumerate(views) if torch.equal(tile, v)] for tile in turned]
    assert all(len(match) == 1 for match in chosen)
    assert {match[0] for match in chosen} == set(range(8))


def test_erasing_blanks_one_rectangle_in_all_channels(batch):
    for tile in erase(batch, 1.0, np.random.default_rng(0)):
        gone = (tile == 0).all(dim=0)
        assert torch.equal((tile == 0).any(dim=0), gone)
        rows, cols = (gone.any(dim=axis).nonzero().flatten() for axis in (1, 0))
        tall, wide = len(rows), len(cols)
        assert 8 <= tall <= 24
        assert 8 <= wide <= 24
        assert gone.sum() == tall * wide
        assert rows[-1] - rows[0] + 1 == tall
        assert cols[-1] - cols[0] + 1 == wide


def test_dropping_inputs_takes_whole_groups_and_leaves_a_post_event_source():
    tiles = torch.ones(2000, 13, 2, 2)
    kinds = set()
    for tile in drop_inputs(tiles, 1.0, np.random.default_rng(0)):
        gone = (tile == 0).all(dim=(1, 2))
        assert torch.equal((tile == 0).any(dim=2).any(dim=1), gone)  # channels go whole
        optical = gone[OPTICAL_CHANNELS]
        assert optical.all() or not optical.any()
        passes = [gone[channels].tolist() for channels in (DESCENDING_CHANNELS, ASCENDING_CHANNELS)]
        assert all(p in ([0] * 4, [0, 0, 1, 1], [1] * 4) for p in passes)
        assert not (optical.all() and all(all(p) for p in passes))
        kinds.add((bool(optical.all()), *(sum(p) for p in passes)))
    assert len(kinds) == 2 * 3 * 3 - 1


@pytest.mark.parametrize("change", [erase, drop_inputs])
def test_only_the_share_asked_for_is_changed(batch, change):
    tiles = batch.repeat(50, 1, 1, 1)
    changed = (change(tiles, 0.3, np.random.default_rng(0)) != tiles).any(dim=(1, 2, 3))
    assert torch.equal(change(tiles, 0.0, np.random.default_rng(0)), tiles)
    assert 0.15 < changed.float().mean() < 0.4


def test_expected_calibration_error_by_hand():
    labels = np.array([0, 1, 1, 1])
    probability = np.array([0.12, 0.18, 0.92, 1.0])  # bins 1 and 9
    expected = 0.5 * abs(0.5 - 0.15) + 0.5 * abs(1.0 - 0.96)
    assert expected_calibration_error(labels, probability) == pytest.approx(expected)
    assert expected_calibration_error(labels, labels.astype(float)) == 0


def test_the_f1_threshold_is_the_best_of_all():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200)
    probability = (0.3 * labels + rng.random(200)).round(2) / 1.3
    best = max(sklearn_metrics.f1_score(labels, probability >= t) for t in np.unique(probability))
    chosen = probability >= f1_threshold(labels, probability)
    assert sklearn_metrics.f1_score(labels, chosen) == pytest.approx(best)


def test_the_f1_threshold_by_hand():
    labels, probability = np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])
    assert f1_threshold(labels, probability) == 0.35  # F1 0.8 against 0.67


def test_system_scores_count_dropped_tiles_as_no():
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 0])
    dropped = np.array([1, 0, 0, 0, 1, 1, 1, 0], bool)
    says = np.array([0, 1, 0, 1, 0, 0, 0, 0], bool)
    probability = np.array([0.1, 0.9, 0.4, 0.7, 0.1, 0.0, 0.2, 0.3])
    scores = system_scores(labels, probability, says, dropped)
    assert (scores["n"], scores["positives"]) == (8, 3)
    assert scores["precision"] == pytest.approx(1 / 2)
    assert scores["recall"] == pytest.approx(1 / 3)  # the dropped landslide is a miss
    assert scores["f1"] == pytest.approx(2 / 5)
    assert scores["filter_recall"] == pytest.approx(2 / 3)
    assert scores["dropped_fraction"] == 1 / 2
    assert scores["brier"] == pytest.approx(((probability - labels) ** 2).mean())
    assert scores["auc"] == sklearn_metrics.roc_auc_score(labels, probability)
    wanted = sklearn_metrics.average_precision_score(labels, probability)
    assert scores["average_precision"] == wanted


def test_filter_scores_by_hand():
    labels, dropped = np.array([1, 1, 0, 0]), np.array([False, True, True, True])
    scores = filter_scores(labels, np.array([0.9, 0.2, 0.1, 0.3]), dropped)
    assert (scores["recall"], scores["dropped_fraction"], scores["auc"]) == (0.5, 0.75, 0.75)


def test_one_class_alone_has_no_ranking():
    for labels in (np.zeros(3, int), np.ones(3, int)):
        assert all(np.isnan(v) for v in rank_scores(labels, np.array([0.1, 0.2, 0.3])).values())


def test_the_same_seed_gives_the_same_network_and_another_seed_another():
    labels = balanced(40)
    inputs = inputs_of(raw_patches(labels))[2]
    inputs.flags.writeable = False
    before = inputs.copy()
    first, again, other = (
        fit_network(inputs, labels, TINY, replace(QUICK, seed=seed), CPU, silent)
        for seed in (0, 0, 1)
    )
    assert same_weights(first, again)
    assert not same_weights(first, other)
    np.testing.assert_array_equal(inputs, before)  # nothing written into the shared data
    assert not first.training


def test_every_epoch_is_reported_with_its_loss():
    labels, told = balanced(16), []
    fit_network(inputs_of(raw_patches(labels))[2], labels, TINY, QUICK, CPU, told.append)
    assert [line.split(" loss ")[0] for line in told] == ["epoch 1/2", "epoch 2/2"]
    assert all(float(line.split()[-1]) > 0 for line in told)


def test_the_member_s_threshold_is_chosen_on_scored_rows_left_aside(monkeypatch):
    """Of 40 patches and 20 simulated tiles only patches are left aside, and never fitted."""
    labels = balanced(60)
    inputs = inputs_of(raw_patches(labels))[2]
    scored = np.arange(60) < 40
    fitted = []

    def spy(rows, *rest):
        fitted.append(rows)
        return fit_network(rows, *rest)

    monkeypatch.setattr("landslide_core.training.fit.fit_network", spy)
    fit_member(inputs, labels, scored, TINY, replace(QUICK, epochs=1), CPU, silent)
    keys = {row[1].tobytes() for row in fitted[0]}
    kept = np.array([row[1].tobytes() in keys for row in inputs])
    assert kept[40:].all()
    assert (~kept[:40]).sum() == 6  # 15 % of the 40


class FixedSplit:
    """The split of the true labels, whatever labels it is asked for."""

    def __init__(self, labels):
        splitter = StratifiedKFold(QUICK.members, shuffle=True, random_state=QUICK.seed)
        self.parts = list(splitter.split(labels, labels))

    def __call__(self, *_, **__):
        return self

    def split(self, *_):
        return self.parts


def fit_watched(sources, split, monkeypatch):
    """Fold 0 by a given split, and the filter it was judged with."""
    judged_with = []
    judge_all = crossvalidate.judge_all

    def spy(bundle, *rest):
        judged_with.append(bundle.prefilter)
        return judge_all(bundle, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(crossvalidate, "StratifiedKFold", split)
        patch.setattr(crossvalidate, "judge_all", spy)
        fold = fit_fold(sources, PLAN, 0, CPU, silent)
    return fold, judged_with[0]


def changed_rows(sources, rows, seed=1):
    """The sources with other labels, pixels and statistics in some rows."""
    old, other = sources.patches, sources_of(len(sources.patches), seed=99)
    labels, pixels, cloud = old.labels.copy(), old.pixels.copy(), old.cloud.copy()
    labels[rows] = 1 - labels[rows]
    pixels[rows], cloud[rows] = other.patches.pixels[rows], other.patches.cloud[rows]
    table = sources.table.copy()
    table.iloc[rows] = other.table.iloc[rows]
    table["label"] = labels
    return Sources(PatchSet(old.ids, pixels, cloud, labels), table, None)


def test_a_fold_sees_nothing_of_its_held_out_rows(sources, monkeypatch):
    """Other labels, pixels and statistics there leave member, filter and thresholds unchanged.

    The split is kept as it was: it is stratified, so it may depend on all labels.
    """
    split = FixedSplit(sources.patches.labels)
    fitted, held = split.parts[0]
    fold, kept_filter = fit_watched(sources, split, monkeypatch)
    np.testing.assert_array_equal(fold.rows, held)

    other, other_filter = fit_watched(changed_rows(sources, held), split, monkeypatch)
    assert same_weights(fold.member.network, other.member.network)
    assert fold.member.threshold == other.member.threshold
    assert kept_filter.thresholds == other_filter.thresholds
    assert kept_filter.booster.save_raw() == other_filter.booster.save_raw()

    seen, seen_filter = fit_watched(changed_rows(sources, fitted[:4]), split, monkeypatch)
    assert not same_weights(fold.member.network, seen.member.network)
    assert kept_filter.booster.save_raw() != seen_filter.booster.save_raw()


def test_each_row_is_held_out_once_and_judged(sources, tmp_path):
    folds = cross_validate(sources, PLAN, tmp_path, CPU, silent)
    rows = np.concatenate([fold.rows for fold in folds])
    assert sorted(rows) == list(range(len(sources.patches)))
    found = crossvalidate.out_of_fold(folds, sources.patches.labels)
    assert found["pooled"]["n"] == found["filter"]["n"] == 48
    assert len(found["folds"]) == 2
    assert found["filter"]["auc"] > 0.9  # radar tells these patches apart
    dropped = np.concatenate([fold.judgement.verdict for fold in folds]) == FILTERED_OUT
    assert found["pooled"]["dropped_fraction"] == dropped.mean() > 0


def test_a_finished_fold_is_taken_up_and_another_plan_is_not(sources, tmp_path, monkeypatch):
    fits = []

    def spy(given, plan, k, *rest):
        fits.append(k)
        return fit_fold(given, plan, k, *rest)

    monkeypatch.setattr(crossvalidate, "fit_fold", spy)
    first = cross_validate(sources, PLAN, tmp_path, CPU, silent)
    assert fits == [0, 1]
    again = cross_validate(sources, PLAN, tmp_path, CPU, silent)
    assert fits == [0, 1]
    for one, other in zip(first, again, strict=True):
        assert same_weights(one.member.network, other.member.network)
        assert one.member.threshold == other.member.threshold
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.judgement.votes, other.judgement.votes)

    done = next(tmp_path.rglob("fold_01/done"))
    done.unlink()  # cut short
    cross_validate(sources, PLAN, tmp_path, CPU, silent)
    assert fits == [0, 1, 1]

    faster = replace(PLAN, train=replace(QUICK, epochs=1))
    cross_validate(sources, faster, tmp_path, CPU, silent)
    assert fits == [0, 1, 1, 0, 1]


@pytest.mark.parametrize("part", ["labels", "pixels", "table"])
def test_a_checkpoint_of_other_data_is_not_taken_up(sources, part):
    labels, pixels = sources.patches.labels.copy(), sources.patches.pixels.copy()
    table = sources.table.copy()
    if part == "labels":
        labels[:2] = labels[1::-1]
    elif part == "pixels":
        pixels += 1
    else:
        table["band1_mean"] += 1
    other = Sources(replace(sources.patches, labels=labels, pixels=pixels), table, None)
    assert PLAN.fingerprint(other) != PLAN.fingerprint(sources)
