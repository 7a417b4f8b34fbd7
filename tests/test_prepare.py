"""Preparation: hand-computed inputs, resuming after a cut, and nothing half-written is read."""

import json
import shutil
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
from conftest import balanced, raw_patches

from landslide_core.errors import BadPatch, DatasetError, MissingLabels, NoSpace
from landslide_core.training import prepare as module
from landslide_core.training.prepare import PrepareInputs, load_prepared, prepare

COUNT = 150  # three chunks of at most 64
IDS = [f"ID_{i:03d}" for i in range(COUNT)]


@pytest.fixture(scope="module")
def raw():
    """Raw patches: the first under a bright cloud in a quarter, DN 0 in an eighth of the second."""
    raw = raw_patches(balanced(COUNT), seed=3)
    raw[0, :32, :32, 2] = 9000  # red: 9000 − 1000 offset is 10.8 standard deviations
    raw[1, :8, :, 0] = 0
    return raw


@pytest.fixture(scope="module")
def source(raw, tmp_path_factory):
    """The patches as files, and labels in another order. Copy before changing."""
    folder = tmp_path_factory.mktemp("source")
    (folder / "patches").mkdir()
    for name, patch in zip(IDS, raw, strict=True):
        np.save(folder / "patches" / f"{name}.npy", patch)
    labels = pd.DataFrame({"ID": IDS, "label": balanced(COUNT)})
    labels.iloc[::-1].to_csv(folder / "Train.csv", index=False)
    return folder


def inputs_of(folder):
    return PrepareInputs(folder / "patches", folder / "Train.csv")


@pytest.fixture(scope="module")
def whole(source, tmp_path_factory):
    """A preparation made in one go."""
    out = tmp_path_factory.mktemp("whole") / "prepared"
    prepare(inputs_of(source), out)
    return out


class Cut(Exception):
    """Stands for a kill between two chunks."""


def cut_after(chunks):
    """A progress that fails after some chunks, and counts all that were done."""
    done = []

    def progress(stage, count, total):
        done.append(count)
        if len(done) == chunks:
            raise Cut

    return progress, done


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_model_inputs_by_hand(whole, raw):
    patches = load_prepared(whole)
    assert (len(patches), patches.inputs.shape) == (COUNT, (COUNT, 13, 64, 64))
    assert patches.inputs.dtype == np.float32
    assert not patches.inputs.flags.writeable
    assert isinstance(patches.inputs, np.memmap)
    # Red is stored third; the offset of 1000 goes, then BigEarthNet's mean and deviation.
    red = (raw[7, 5, 6, 2] - 1000 - 588.4096) / 684.5686
    assert patches.inputs[7, 1, 5, 6] == pytest.approx(red, abs=1e-4)
    # Descending VV before the event is what is stored fifth less the difference stored seventh.
    pre = (raw[7, 5, 6, 4] - raw[7, 5, 6, 6] + 12.6439) / 5.1335
    assert patches.inputs[7, 7, 5, 6] == pytest.approx(pre, abs=1e-4)
    assert patches.inputs[0, 0].sum() == 32 * 32
    assert patches.inputs[1, 3, 0, 0] == 0  # blue DN 0 is no data


def test_what_is_kept_of_each_patch(whole, raw):
    patches = load_prepared(whole)
    assert patches.ids == tuple(IDS)
    assert patches.labels.tolist() == balanced(COUNT).tolist()
    assert patches.features.shape == (COUNT, 136)
    assert patches.features.index.tolist() == list(range(COUNT))
    assert set(patches.features.dtypes) == {np.dtype(np.float32)}
    assert patches.features["red_mean"][7] == pytest.approx(raw[7, ..., 2].mean() - 1000, rel=1e-5)
    table = pd.read_parquet(whole / "features.parquet")
    assert table["cloud_fraction"][:3].tolist() == [0.25, 0, 0]
    assert table["valid_fraction"][:3].tolist() == [1, 0.875, 1]
    said = json.loads((whole / "prepared.json").read_text())
    assert (said["positives"], said["finished"]) == (COUNT // 2, True)
    assert sorted(path.name for path in whole.iterdir()) == [
        *("features.parquet", "inputs.npy", "prepared.json")
    ]


@pytest.mark.parametrize("chunks", [1, 2, 3])
def test_a_cut_preparation_goes_on_and_ends_the_same(source, whole, tmp_path, chunks):
    inputs = inputs_of(source)
    out = tmp_path / "out"
    progress, _ = cut_after(chunks)
    with pytest.raises(Cut):
        prepare(inputs, out, progress)
    with pytest.raises(DatasetError, match=r"no finished preparation.*landslide prepare"):
        load_prepared(out)
    progress, done = cut_after(99)
    assert prepare(inputs, out, progress).fresh
    assert done == [64, 128, 150][chunks:]
    assert contents(out) == contents(whole)


def test_a_kill_before_the_first_chunk_or_after_the_last_leaves_a_way_on(source, whole, tmp_path):
    begun = tmp_path / "begun"
    begun.mkdir()
    (begun / "state.json.part").write_text('{"dig')
    prepare(inputs_of(source), begun)
    assert load_prepared(begun).ids == tuple(IDS)
    left = shutil.copytree(whole, tmp_path / "left")
    (left / "state.json").write_text("{}")
    (left / "rows.npy").write_bytes(b"")
    assert not prepare(inputs_of(source), left).fresh
    assert contents(left) == contents(whole)


def test_a_finished_one_is_not_done_again(source, whole, tmp_path, monkeypatch):
    before = {path.name: path.stat().st_mtime_ns for path in whole.iterdir()}
    monkeypatch.setattr(module, "read_patches", None)  # nothing may be read
    prepared = prepare(inputs_of(source), whole)
    assert (prepared.fresh, prepared.patches, prepared.positives) == (False, COUNT, COUNT // 2)
    assert {path.name: path.stat().st_mtime_ns for path in whole.iterdir()} == before


@pytest.mark.parametrize("change", ["patch", "labels", "fewer"])
@pytest.mark.parametrize("state", ["cut", "finished"])
def test_another_source_is_refused_and_the_folder_kept(source, raw, tmp_path, change, state):
    folder = shutil.copytree(source, tmp_path / "source")
    out = tmp_path / "out"
    if state == "cut":
        with pytest.raises(Cut):
            prepare(inputs_of(folder), out, cut_after(1)[0])
    else:
        prepare(inputs_of(folder), out)
    before = contents(out)
    if change == "patch":
        np.save(folder / "patches" / "ID_005.npy", raw[6])
    elif change == "labels":
        text = (folder / "Train.csv").read_text()
        (folder / "Train.csv").write_text(text.replace("ID_005,1", "ID_005,0"))
    else:
        (folder / "patches" / "ID_005.npy").unlink()
    with pytest.raises(DatasetError, match=r"prepared from other files.*Choose another --out"):
        prepare(inputs_of(folder), out)
    assert contents(out) == before


def test_a_folder_with_something_else_is_refused_and_kept(source, tmp_path):
    (tmp_path / "inputs.npy").write_text("mine")
    with pytest.raises(DatasetError, match=r"neither an empty folder.*Choose another --out"):
        prepare(inputs_of(source), tmp_path)
    assert contents(tmp_path) == {"inputs.npy": b"mine"}


def test_a_corrupt_patch_is_named_and_mended_it_goes_on(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "source")
    path = folder / "patches" / "ID_070.npy"  # in the second chunk
    good = path.read_bytes()
    path.write_bytes(good[:1000])
    with pytest.raises(BadPatch, match=r"ID_070\.npy"):
        prepare(inputs_of(folder), tmp_path / "out")
    with pytest.raises(DatasetError):
        load_prepared(tmp_path / "out")
    path.write_bytes(good)
    with pytest.raises(DatasetError, match="before they changed"):  # no mixture of two sources
        prepare(inputs_of(folder), tmp_path / "out")


def test_every_patch_needs_a_label(source, tmp_path):
    folder = shutil.copytree(source, tmp_path / "source")
    out = tmp_path / "out"
    (folder / "Train.csv").write_text("ID,label\nID_000,0\n")
    with pytest.raises(MissingLabels, match="149 of 150 patches have no label"):
        prepare(inputs_of(folder), out)
    (folder / "Train.csv").unlink()
    with pytest.raises(MissingLabels, match="Check the path"):
        prepare(inputs_of(folder), out)
    assert not out.exists()


def test_too_little_space_is_said_before_anything_is_written(source, tmp_path, monkeypatch):
    needed = COUNT * 13 * 64 * 64 * 4  # bytes of the inputs alone
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage(10**9, 0, needed))
    with pytest.raises(NoSpace, match="Free some or choose another disk"):
        prepare(inputs_of(source), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    # Of a cut preparation only the rest is still to come.
    monkeypatch.undo()
    with pytest.raises(Cut):
        prepare(inputs_of(source), tmp_path / "out", cut_after(2)[0])
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage(10**9, 0, needed // 4))
    assert prepare(inputs_of(source), tmp_path / "out").fresh


def truncate(folder):
    path = folder / "inputs.npy"
    path.write_bytes(path.read_bytes()[:-1])


def forget(folder):
    (folder / "features.parquet").unlink()


def mix(folder):
    path = folder / "features.parquet"
    pd.read_parquet(path).iloc[::-1].to_parquet(path, index=False)


def change(**fields):
    def damage(folder):
        path = folder / "prepared.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return damage


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (truncate, "no finished preparation"),
        (forget, "no finished preparation"),
        (mix, "disagree"),
        (change(format=99), "another version"),
        (change(normalisation={}), "another version"),
        (lambda folder: (folder / "prepared.json").unlink(), "no finished preparation"),
        (lambda folder: (folder / "prepared.json").write_text("[]"), "another version"),
    ],
    ids=["truncated", "lost", "mixed", "format", "normalisation", "unfinished", "no object"],
)
def test_what_is_no_finished_preparation_is_refused_with_the_remedy(whole, tmp_path, damage, found):
    folder = shutil.copytree(whole, tmp_path / "bad")
    damage(folder)
    with pytest.raises(DatasetError, match=rf"{found}.*`landslide prepare PATCHES"):
        load_prepared(folder)
