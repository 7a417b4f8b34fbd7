"""The reference network as the issue states it, and its comparison with ours on tiny data."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CPU, QUICK_FILTER, balanced, raw_patches
from torch import nn

from landslide_core.combinations import COMPLETE
from landslide_core.errors import DatasetError
from landslide_core.network import NetworkOptions
from landslide_core.training import compare, crossvalidate
from landslide_core.training.compare import Comparison, compare_networks, comparison_table, summary
from landslide_core.training.crossvalidate import Plan, load_fold
from landslide_core.training.examples import Examples
from landslide_core.training.fit import Pupil, fit_picture
from landslide_core.training.options import TrainOptions
from landslide_core.training.prepare import PrepareInputs, prepare
from landslide_core.training.reference import ReferenceFPN, ReferenceOptions
from landslide_core.training.ship import mmac
from landslide_core.training.train import TrainInputs, cross_validate

SMALL = ReferenceOptions((4,), (4, 8, 8), 4)
NETWORK = NetworkOptions(stem=4, branch=4, trunk=(8, 8, 8), pyramid=8, hidden=8, voices=2, voice=16)
TRAIN = TrainOptions(
    members=2, epochs=2, batch=8, voice_epochs=3, voice_batch=16, crossed=2, inner_share=0.3
)
PLAN = Plan(NETWORK, TRAIN, QUICK_FILTER)


def silent(line):
    pass


# --- the network


def test_it_costs_what_the_issue_says():
    """By hand: branches 64.3 million, trunk 94.4, laterals 14.7, sum 173."""
    model = ReferenceFPN(ReferenceOptions()).eval()
    branches = 64 * 64 * 9 * (5 * 16 + 2 * 4 * 16 + 3 * 16 * 32)
    trunk = 9 * (32**2 * 96 * 64 + 16**2 * 64 * 128 + 8**2 * 128 * 256)
    laterals = 128 * (32**2 * 64 + 16**2 * 128 + 8**2 * 256)
    assert mmac(model) == pytest.approx((branches + trunk + laterals + 3 * 128) / 1e6)
    assert mmac(model) == pytest.approx(173, rel=0.01)
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(0.5e6, rel=0.01)


def test_it_has_the_stated_levels():
    model = ReferenceFPN(ReferenceOptions()).eval()
    sizes = []
    for part in (*model.branches, *model.trunk, *model.laterals):
        part.register_forward_hook(lambda _, __, out: sizes.append(tuple(out.shape[1:])))
    assert model(torch.rand(3, 13, 64, 64)).shape == (3,)
    assert sizes[:3] == [(32, 64, 64)] * 3
    assert sizes[3:6] == [(64, 32, 32), (128, 16, 16), (256, 8, 8)]
    assert sizes[6:] == [(128, 8, 8), (128, 16, 16), (128, 32, 32)]
    assert sum(isinstance(part, nn.Linear) for part in model.modules()) == 1


@pytest.mark.parametrize("channel", range(13))
def test_every_channel_reaches_the_answer(channel):
    torch.manual_seed(0)
    model = ReferenceFPN(SMALL).eval()
    tiles = torch.rand(2, 13, 64, 64)
    other = tiles.clone()
    other[0, channel] += 1
    before, after = model(tiles), model(other)
    assert before[0] != after[0]
    assert before[1] == after[1]


def test_our_loop_trains_it():
    """Bright radar in positive tiles is learnt; the odds of the drawing are taken back out."""
    rng = np.random.default_rng(0)
    labels = np.arange(64) % 4 // 3
    inputs = rng.normal(0, 1, (64, 13, 64, 64)).astype(np.float32)
    inputs[labels == 1, 5] += 2
    none = np.zeros(64, bool)
    examples = Examples(
        inputs,
        labels,
        np.zeros((64, 64, 64), bool),
        none,
        ~none,
        none,
        np.arange(64).astype(str),
    )
    torch.manual_seed(0)
    model = ReferenceFPN(replace(SMALL, dropout=0.0))
    pupil = Pupil(model, model, model.answer, model.look, lambda tiles, _: model.look(tiles))
    options = replace(TRAIN, epochs=6, learning_rate=2e-2, heat_weight=0.0, incomplete=0.0)
    curve = fit_picture(pupil, examples, examples, options, silent)
    assert len(curve) == 6
    assert min(point["inner_loss"] for point in curve) < 0.2
    with torch.no_grad():
        odds = model(torch.from_numpy(inputs)).numpy()
    assert odds[labels == 1].min() > odds[labels == 0].max()


# --- the comparison


@pytest.fixture(scope="module", autouse=True)
def complete_alone():
    """No comparison reads what was judged under the other 25 combinations."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crossvalidate, "COMBINATIONS", (COMPLETE,))
        yield


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """48 prepared patches and a finished training of two folds on them."""
    folder = tmp_path_factory.mktemp("compared")
    labels = balanced(48)
    labels[::5] = 1 - labels[::5]  # not to be learnt: scores that were all 1 would tell nothing
    (folder / "patches").mkdir()
    for i, patch in enumerate(raw_patches(balanced(48))):
        np.save(folder / "patches" / f"ID_{i:03d}.npy", patch)
    rows = "".join(f"ID_{i:03d},{label}\n" for i, label in enumerate(labels))
    (folder / "labels.csv").write_text(f"ID,label\n{rows}")
    prepare(PrepareInputs(folder / "patches", folder / "labels.csv"), folder / "prepared")
    inputs = TrainInputs(folder / "prepared", scenes=0)
    training = cross_validate(inputs, PLAN, folder / "work", CPU, silent, 1)
    return inputs, folder / "work", training


@pytest.fixture(scope="module")
def compared(trained, tmp_path_factory):
    inputs, work, _ = trained
    asked = Comparison((0, 1), work, tmp_path_factory.mktemp("compared") / "out", SMALL)
    return asked, compare_networks(inputs, PLAN, asked, CPU, silent)


def test_ours_keeps_the_figures_of_its_training(trained, compared):
    """What the comparison says of ours with both stages is what the fold's checkpoint says."""
    _, _, training = trained
    for fold, found in zip(training.folds, compared[1], strict=True):
        truth = training.sources.patches.labels[fold.rows]
        calibration = fold.system.calibration_of(COMPLETE)
        scores = fold.evidence[COMPLETE].scores(calibration, truth)
        for name in ("f1", "auc", "average_precision", "dropped_fraction"):
            assert found["ours"][f"two_stages_{name}"] == pytest.approx(scores[name])


def test_both_networks_are_told_their_cost(compared):
    for found in compared[1]:
        assert found["reference"]["mmac"] == pytest.approx(mmac(ReferenceFPN(SMALL)))
        assert found["reference"]["mmac"] != found["ours"]["mmac"]
        for network in found.values():
            assert network["training_seconds"] > 0
            assert 0 < network["seconds_a_view"] < 1
            assert 0 <= network["alone_f1"] <= 1
        assert found["ours"]["two_stages_dropped_fraction"] == pytest.approx(
            found["reference"]["two_stages_dropped_fraction"]
        )


def test_a_fold_compared_before_is_taken_up(trained, compared, monkeypatch):
    asked, found = compared
    told = []
    with monkeypatch.context() as patch:
        patch.setattr(compare, "_fold_figures", None)
        again = compare_networks(trained[0], PLAN, asked, CPU, told.append)
    assert again == found
    assert told == ["fold 1 was compared before", "fold 2 was compared before"]
    kept = json.loads((asked.out / "fold_01.json").read_text())
    assert kept["ours"] == found[1]["ours"]

    def stop(*_):
        raise InterruptedError

    monkeypatch.setattr(compare, "_fold_figures", stop)
    other = replace(asked, reference=replace(SMALL, pyramid=8))
    with pytest.raises(InterruptedError):  # another reference network is another comparison
        compare_networks(trained[0], PLAN, other, CPU, silent)


def test_the_reference_sees_nothing_of_the_rows_held_out(trained, monkeypatch):
    """Other labels and pixels there leave its weights as they are; others elsewhere do not."""
    _, _, training = trained
    sources = training.sources
    splits = compare.split(sources.patches.labels, TRAIN)
    monkeypatch.setattr(compare, "split", lambda *_: splits)

    def weights(changed):
        patches = sources.patches.take(np.arange(len(sources.patches)))
        patches.labels[changed] = 1 - patches.labels[changed]
        patches.inputs[changed] += 1
        parts = compare._split_of(replace(sources, patches=patches), 0, PLAN)
        model, _ = compare._fit_reference(parts, SMALL, CPU, silent)
        return torch.cat([value.flatten().float() for value in model.state_dict().values()])

    nothing = np.zeros(0, int)
    assert torch.equal(weights(nothing), weights(splits[0][1]))
    assert not torch.equal(weights(nothing), weights(splits[0][0][:4]))


@pytest.mark.parametrize(
    ("plan", "folds", "says"),
    [
        (replace(PLAN, train=replace(TRAIN, epochs=3)), (0,), "no training of these data"),
        (PLAN, (0, 2), "no fold 2"),
    ],
)
def test_what_does_not_fit_together_is_refused(trained, tmp_path, plan, folds, says):
    inputs, work, _ = trained
    with pytest.raises(DatasetError, match=says):
        compare_networks(inputs, plan, Comparison(folds, work, tmp_path), CPU, silent)
    assert not list(tmp_path.iterdir())


def test_the_table_gives_mean_and_deviation():
    folds = [
        {"ours": {"alone_f1": 0.8}, "reference": {"alone_f1": 0.7}},
        {"ours": {"alone_f1": 0.9}, "reference": {"alone_f1": 0.6}},
    ]
    lines = comparison_table(folds).splitlines()
    assert lines[0].split() == ["ours", "reference", "ours", "minus", "reference"]
    assert lines[1].split("  ")[0] == "alone f1"
    # Differences 0.1 and 0.3; the sample deviation of two is their distance over √2.
    for words in ("0.8500 ± 0.0707", "0.6500 ± 0.0707", "0.2000 ± 0.1414"):
        assert words in lines[1]
    assert summary(folds[:1])["ours"]["alone_f1"] == {"mean": 0.8, "std": None}


def test_the_folds_of_a_training_lie_where_the_comparison_looks(trained):
    _, work, training = trained
    folder = work / PLAN.fingerprint(training.sources)
    np.testing.assert_array_equal(load_fold(folder / "fold_00").rows, training.folds[0].rows)
