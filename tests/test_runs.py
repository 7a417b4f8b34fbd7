"""A run folder: whole or not there, true to its inputs, and open to a second look."""

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ORIGIN, SIZE, UTM

from landslide_core import runs
from landslide_core.bands import RADAR_ROLES
from landslide_core.devices import resolve_device
from landslide_core.errors import (
    BundleNotFound,
    LandslideError,
    NoSpace,
    RunBusy,
    RunDamaged,
    SceneError,
)
from landslide_core.explain import explain_tile
from landslide_core.folder import OUTPUTS, Run, list_runs, open_run
from landslide_core.judgement import ORDER, VERDICTS
from landslide_core.plan import RunOptions
from landslide_core.readers.given import SceneInputs
from landslide_core.runs import predict_scene, resume_run


@pytest.fixture
def options(bundle_path):
    """How these tests judge."""
    return RunOptions(bundle_path, device="cpu")


@pytest.fixture
def copied(run, tmp_path):
    """A copy of the run folder that may be damaged."""
    return shutil.copytree(run.folder, tmp_path / "copy")


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def test_a_run_folder_holds_every_output_and_nothing_else(run):
    assert {path.name for path in run.folder.iterdir()} == {*OUTPUTS, "plan.json", "parts"}
    assert not list(run.folder.glob("**/.*"))


def test_run_json_names_its_inputs_by_their_hashes(run, scene_inputs):
    files = {"s2": scene_inputs.s2, **{role: scene_inputs.given(role) for role in RADAR_ROLES}}
    expected = [
        {
            "role": role,
            "path": str(path.resolve()),
            "sha256": sha256(path),
            "bytes": path.stat().st_size,
        }
        for role, paths in files.items()
        for path in paths
    ]
    assert sorted(run.meta["inputs"], key=str) == sorted(expected, key=str)
    assert len(expected) == 5


def test_run_json_holds_the_grid_and_gives_it_back(run):
    assert run.meta["grid"] == {
        "crs": UTM,
        "transform": list(ORIGIN)[:6],
        "height": SIZE[0],
        "width": SIZE[1],
    }
    grid = run.grid()
    assert (grid.crs, grid.transform, grid.shape) == (UTM, ORIGIN, SIZE)


def test_run_json_tells_what_was_decided_on_reading(run):
    decisions = run.meta["decisions"]
    assert all(set(d) == {"role", "subject", "found", "decided"} for d in decisions)
    assert {d["role"] for d in decisions} == {"scene", "s2", *RADAR_ROLES}
    units = next(d for d in decisions if d["role"] == "s2" and "units" in d["subject"])
    assert "stored − 1000" in units["decided"]
    assert run.meta["warnings"] == []
    assert run.meta["missing_bands"] == []
    assert run.meta["simulated"] is False


def test_run_json_names_bundle_thresholds_and_versions(run, bundle, bundle_path):
    assert run.meta["bundle"]["sha256"] == bundle.sha256
    assert run.bundle_path == bundle_path.resolve()
    assert run.meta["thresholds"] == {
        "filter": bundle.prefilter.thresholds,
        "members": [member.threshold for member in bundle.members],
    }
    assert {"python", "gdal", "landslide", "torch", "rasterio"} <= set(run.meta["versions"])
    assert all(run.meta["versions"].values())


@pytest.mark.parametrize("stride", [64, 32])
def test_counts_are_the_table_s_and_sum_to_the_tiles(run, run_32, stride):
    made = {64: run, 32: run_32}[stride]
    assert made.meta["stride"] == stride
    assert set(made.meta["counts"]) == set(VERDICTS)
    found = made.tiles["verdict"].value_counts()
    assert made.meta["counts"] == {name: found.get(name, 0) for name in VERDICTS}
    assert sum(made.meta["counts"].values()) == len(made.tiles) == {64: 12, 32: 24}[stride]


def test_seconds_are_told_stage_by_stage(run):
    assert set(run.meta["seconds"]) == {"open", "read", "filter", "ensemble", "write"}
    assert all(value >= 0 for value in run.meta["seconds"].values())
    assert run.meta["seconds"]["write"] > 0


def test_a_run_opens_as_it_was_made(run, scene_inputs):
    again = open_run(run.folder)
    assert again.meta == run.meta == json.loads((run.folder / "run.json").read_text())
    resolved = {
        role: tuple(path.resolve() for path in getattr(scene_inputs, role))
        for role in ("s2", *RADAR_ROLES)
    }
    assert again.inputs() == SceneInputs(**resolved)


def test_missing_sources_are_told(scene_inputs, options, tmp_path):
    inputs = SceneInputs(s2=scene_inputs.s2, desc_post=scene_inputs.desc_post)
    made = predict_scene(inputs, options, tmp_path / "run")
    assert made.meta["missing_bands"] == [
        *("desc_vv_pre", "desc_vh_pre"),
        *("asc_vv_post", "asc_vh_post", "asc_vv_pre", "asc_vh_pre"),
    ]
    text = " ".join(made.meta["warnings"])
    assert "No ascending" in text
    assert "before the event" in text


def test_progress_covers_checksums_detection_and_writing(scene_inputs, options, tmp_path):
    told = []
    predict_scene(scene_inputs, options, tmp_path / "run", lambda *step: told.append(step))
    assert list(dict.fromkeys(stage for stage, _, _ in told)) == ["checksums", "detect", "write"]
    assert told[-1] == ("write", 12, 12)


def test_of_two_runs_under_one_name_the_second_is_refused(
    scene_inputs, options, tmp_path, monkeypatch
):
    """The second starts while the first is at work."""
    judged = runs.stream_parts

    def interrupted(*args):
        with pytest.raises(RunBusy, match="begun and not finished"):
            predict_scene(scene_inputs, options, tmp_path / "run")
        with pytest.raises(RunBusy, match=f"process {os.getpid()} on .*one writer"):
            resume_run(tmp_path / "run")
        return judged(*args)

    monkeypatch.setattr(runs, "stream_parts", interrupted)
    predict_scene(scene_inputs, options, tmp_path / "run")
    assert open_run(tmp_path / "run").meta["counts"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_there_already_is_left_untouched(scene_inputs, options, tmp_path, kind):
    out = tmp_path / "run"
    kept = out
    if kind == "folder":
        out.mkdir()
        kept = out / "notes.txt"
    kept.write_text("mine")
    with pytest.raises(RunBusy, match=r"exists already.*Choose another --out"):
        predict_scene(scene_inputs, options, out)
    assert kept.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [out]
    assert kind == "file" or list(out.iterdir()) == [kept]


def test_an_empty_folder_is_taken(scene_inputs, options, tmp_path):
    (tmp_path / "run").mkdir()
    predict_scene(scene_inputs, options, tmp_path / "run")
    assert open_run(tmp_path / "run").meta["counts"]["no_data"] == 4


def test_too_little_space_is_said_before_any_work(scene_inputs, options, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    monkeypatch.setattr(runs, "stream_parts", None)  # would fail if it were reached
    with pytest.raises(NoSpace, match=r"1 MB are free.*Free some"):
        predict_scene(scene_inputs, options, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_bundle_or_scene_is_said_and_leaves_nothing(scene_inputs, options, tmp_path):
    with pytest.raises(BundleNotFound):
        predict_scene(scene_inputs, replace(options, bundle=tmp_path / "no"), tmp_path / "run")
    with pytest.raises(SceneError, match="--s2"):
        predict_scene(SceneInputs(), options, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_run_that_lacks_a_file_is_damaged(copied, name):
    (copied / name).unlink()
    what = "begun and not finished" if name == "run.json" else f"{name} missing"
    with pytest.raises(RunDamaged, match=rf"{what}.*landslide resume"):
        open_run(copied)


def test_a_run_that_does_not_read_is_damaged(copied):
    (copied / "tiles.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(RunDamaged, match=r"tiles\.parquet does not read"):
        _ = open_run(copied).tiles
    (copied / "run.json").write_text('{"counts": ')
    with pytest.raises(RunDamaged, match=r"run\.json does not read"):
        open_run(copied)


def test_runs_are_listed_newest_first(copied, tmp_path):
    older = shutil.copytree(copied, tmp_path / "older")
    (tmp_path / "no run").mkdir()
    for age, folder in enumerate((copied, older)):
        stamp = 1_700_000_000 - 100 * age
        os.utime(folder / "run.json", (stamp, stamp))
    assert list_runs(tmp_path) == [copied, older]
    assert list_runs(tmp_path / "no run") == []


def test_the_processor_is_a_device():
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda")


@pytest.mark.parametrize("dropped", [True, False])
@pytest.mark.parametrize("made", ["run", "run_32"])
def test_a_tile_s_explanation_is_what_the_run_said(request, bundle, made, dropped):
    made = request.getfixturevalue(made)
    judged = made.tiles[made.tiles["verdict"] != "no_data"]
    tile = next(t for t in judged.itertuples() if (t.verdict == "filtered_out") == dropped)
    why = explain_tile(made, tile.tile_id)
    assert why.verdict == tile.verdict
    np.testing.assert_allclose(why.probability, tile.probability, atol=1e-5)
    np.testing.assert_allclose(why.spread, tile.spread, atol=1e-5)
    assert why.votes_cast == tile.votes_cast
    np.testing.assert_allclose(why.filter_score, tile.filter_score, atol=1e-6)
    assert (why.filter_score < why.filter_threshold) == dropped
    assert why.votes.shape == (len(bundle.members), 8)
    if not dropped:
        stored = (tile.member_00, tile.member_01)
        asked = list(ORDER[: tile.votes_cast // len(bundle.members)])
        np.testing.assert_allclose(why.votes[:, asked].mean(axis=1), stored, atol=1e-5)
        np.testing.assert_allclose(why.weighing.probability, tile.probability, atol=1e-5)
    odds = sum(share for _, _, share in why.contributions) + why.bias
    np.testing.assert_allclose(1 / (1 + np.exp(-odds)), why.filter_score, atol=1e-4)
    strength = [abs(share) for _, _, share in why.contributions]
    assert strength == sorted(strength, reverse=True)


def test_a_tile_without_data_is_explained_as_such(run):
    why = explain_tile(run, 0)
    assert why.verdict == "no_data"
    assert np.isnan(why.pixels).all()
    assert np.isnan(why.probability)


@pytest.mark.parametrize("tile_id", [-1, 12])
def test_there_is_no_such_tile(run, tile_id):
    with pytest.raises(RunDamaged, match="0 to 11"):
        explain_tile(run, tile_id)


def test_a_changed_bundle_cannot_explain_a_run(run, bundle_path, tmp_path):
    changed = shutil.copytree(bundle_path, tmp_path / "bundle")
    manifest = json.loads((changed / "manifest.json").read_text())
    manifest["member_thresholds"][0] += 0.01
    (changed / "manifest.json").write_text(json.dumps(manifest))
    record = {**run.meta["bundle"], "path": str(changed)}
    with pytest.raises(RunDamaged, match="has changed since"):
        explain_tile(Run(run.folder, {**run.meta, "bundle": record}), 1)


def test_inputs_that_moved_are_said(run):
    given = {**run.meta["given"], "s2": ["/nowhere/s2.tif"]}
    with pytest.raises(LandslideError, match=r"/nowhere/s2\.tif is not there"):
        explain_tile(Run(run.folder, {**run.meta, "given": given}), 1)
