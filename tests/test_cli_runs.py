"""`landslide resume` and `landslide runs`: what an operator asks at 3 a.m."""

import json
import shutil

import pytest

from landslide_core.errors import NoMemory, RunStopped
from landslide_core.plan import RunOptions
from landslide_core.runs import predict_scene
from landslide_core.terminal import bytes_of


@pytest.fixture
def done(run, tmp_path):
    """A finished run that may be damaged."""
    return shutil.copytree(run.folder, tmp_path / "runs" / "done")


@pytest.fixture
def begun(scene_inputs, bundle_path, tmp_path):
    """A run that was stopped at once."""
    out = tmp_path / "runs" / "begun"
    with pytest.raises(RunStopped):
        predict_scene(scene_inputs, RunOptions(bundle_path, device="cpu"), out, stop=lambda: True)
    return out


def test_runs_are_listed_with_how_far_they_are(landslide, done, begun):
    code, out, _ = landslide("runs", "list", done.parent, "--json")
    assert code == 0
    assert json.loads(out) == {"done": "finished", "begun": "0 of 2 parts done, interrupted"}


def test_an_empty_folder_has_no_runs(landslide, tmp_path):
    code, out, err = landslide("runs", "list", tmp_path)
    assert (code, out) == (0, "")
    assert "No run in" in err


def test_an_interrupted_run_is_resumed(landslide, run, begun):
    code, out, _ = landslide("resume", begun, "--memory", "4G", "--workers", 1, "--json")
    assert code == 0
    assert json.loads(out)["sha256"] == run.meta["sha256"]
    assert landslide("runs", "verify", begun)[0] == 0


def test_a_run_says_what_it_is_made_from(landslide, done, scene_inputs):
    code, out, _ = landslide("runs", "show", done, "--json")
    told = json.loads(out)
    assert code == 0
    assert told["state"] == "finished"
    assert told["grid"].endswith("160×200")
    assert str(scene_inputs.s2[0].resolve()) in told.values()
    assert sum(told["counts"].values()) == 12


def test_damage_is_named_and_resume_mends_it(landslide, done):
    part = done / "parts" / "part_00000.npz"
    part.write_bytes(part.read_bytes()[:-1] + b"!")
    code, out, err = landslide("runs", "verify", done)
    assert code == 2
    assert "its bytes have changed" in out
    assert f"landslide resume {done}" in err
    assert landslide("resume", done)[0] == 0
    assert landslide("runs", "verify", done)[0] == 0


def test_only_runs_are_deleted(landslide, done, tmp_path):
    (tmp_path / "holiday.jpg").touch()
    code, _, err = landslide("runs", "rm", tmp_path, "--yes")
    assert code == 2
    assert "is no plan" in err
    assert (tmp_path / "holiday.jpg").exists()
    assert landslide("runs", "rm", done, "--yes")[0] == 0
    assert not done.exists()


@pytest.mark.parametrize(
    ("text", "size"), [("1500M", 1_500_000_000), ("4G", 4_000_000_000), ("2.5gb", 2_500_000_000)]
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert bytes_of(text) == size


def test_what_is_no_size_is_said_in_one_line(landslide, scene_inputs, tmp_path):
    with pytest.raises(NoMemory, match="'lots' is no size"):
        bytes_of("lots")
    for asked in ("lots", "1M"):
        given = ("predict", "--s2", scene_inputs.s2[0], "--out", tmp_path / "o", "--memory", asked)
        code, _, err = landslide(*given)
        assert code == 2
        assert "--memory" in err
        assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "o").exists()
