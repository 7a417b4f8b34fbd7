"""`landslide jobs`: queue, make, look, cancel and go on from the command line."""

import json
import re
import sys
from threading import Thread
from time import sleep

import pytest
from tiny import write_tiny_bundle

from landslide_core import cli
from landslide_core.bands import RADAR_ROLES
from landslide_core.folder import open_run
from landslide_core.jobs import Queue, Worker


@pytest.fixture
def jobs(monkeypatch, capsys, tmp_path):
    """The command in this process: exit code, standard output, standard error."""

    def call(name, *arguments):
        words = ["landslide", "jobs", name, *map(str, arguments), "--queue", str(tmp_path / "q")]
        monkeypatch.setattr(sys, "argv", words)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return ended.value.code or 0, told.out, told.err

    return call


@pytest.fixture(scope="module")
def tiny_bundle(tmp_path_factory):
    """A bundle that nothing was fitted to."""
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny", members=1)


def options_of(inputs):
    """A scene's files as command line options."""
    words = [("--s2", path) for path in inputs.s2]
    words += [(f"--s1-{role.replace('_', '-')}", inputs.given(role)[0]) for role in RADAR_ROLES]
    return [str(word) for pair in words for word in pair]


def test_from_the_queue_to_a_run(jobs, scene_inputs, tiny_bundle, tmp_path):
    out = tmp_path / "run"
    assert jobs("list")[1:] == ("", f"There are no jobs in {tmp_path / 'q'}\n")
    words = [*options_of(scene_inputs), "--bundle", tiny_bundle, "--device", "cpu"]
    code, told, _ = jobs("add", "--out", out, *words, "--memory", "2G", "--json")
    assert (code, json.loads(told)) == (0, {"job": 1, "run": str(out), "state": "queued"})
    assert Queue(tmp_path / "q").get(1).options.memory == 2_000_000_000
    assert jobs("list")[1].split()[:2] == ["1", "queued"]
    code, _, error = jobs("add", "--out", out, *words)
    assert code == 2
    assert error.startswith("landslide: ")
    assert "is job 1, which is queued" in error
    assert jobs("work", "--once", "--device", "cpu")[0] == 0
    assert open_run(out)
    assert jobs("list")[1].split()[1] == "done"
    record = json.loads(jobs("show", 1, "--json")[1])
    assert (record["state"], record["attempts"], record["stride"]) == ("done", 1, 64)
    assert record["s2"] == [str(path) for path in scene_inputs.s2]
    assert "error" not in record
    code, told, _ = jobs("log", 1, "--follow")
    assert code == 0
    assert "Judging tiles: 0 of 12" in told
    assert re.search(r"Done \(after .*(s|second)\)$", told.strip())
    code, _, error = jobs("cancel", 1)
    assert (code, error) == (
        2,
        "landslide: Job 1 is done; only one queued or running can be cancelled.\n",
    )


def test_cancel_retry_and_refusals(jobs, scene_inputs, tmp_path):
    words = ["--s2", scene_inputs.s2[0], "--bundle", tmp_path / "gone", "--device", "cpu"]
    jobs("add", "--out", tmp_path / "run", *words)
    assert "cancelled" in jobs("cancel", 1)[1]
    assert "queued" in jobs("retry", 1)[1]
    assert jobs("work", "--idle", 0, "--device", "cpu")[0] == 0
    assert jobs("list")[1].split()[1] == "failed"
    assert "gone" in json.loads(jobs("show", 1, "--json")[1])["error"]
    for name in ("show", "log", "cancel", "retry"):
        code, _, error = jobs(name, 7)
        assert code == 2
        assert "There is no job 7" in error
    code, _, error = jobs("add", "--out", tmp_path / "x", *words, "--memory", "much")
    assert code == 2
    assert "Correct --memory" in error


def test_following_a_log_to_its_end(jobs, scene_inputs, tmp_path):
    jobs("add", "--out", tmp_path / "run", "--s2", scene_inputs.s2[0])
    queue = Queue(tmp_path / "q")
    job = queue.claim(Worker("far", 1, "cpu"))
    queue.beat(job, ("detect", 30, 120), 1.5)
    assert "30 of 120 tiles, 1.5/s, 60 s left" in jobs("list")[1]
    queue.log(1).write_text("first\n")

    def later():
        sleep(0.7)
        with queue.log(1).open("a") as file:
            file.write("second\n")
        queue.finish(job, "done")

    teller = Thread(target=later)
    teller.start()
    assert jobs("log", 1, "--follow")[1] == "first\nsecond\n"
    teller.join()


def test_signatures_of_addresses_are_never_shown_and_go_with_the_job(jobs, tmp_path):
    signed = "https://example.com/a.tif?sig=SECRET"
    assert jobs("add", "--out", tmp_path / "run", "--s2", signed)[0] == 0
    for words in (("list",), ("list", "--json"), ("show", "1"), ("show", "1", "--json")):
        code, told, error = jobs(*words)
        assert code == 0
        assert "SECRET" not in told + error
    assert "https://example.com/a.tif" in jobs("show", "1")[1]
    queue = Queue(tmp_path / "q")
    assert (tmp_path / "q" / "queue.sqlite").stat().st_mode & 0o077 == 0
    job = queue.claim(Worker("here", 1, "cpu"))
    assert job.inputs.s2 == (signed,)
    assert queue.finish(job, "done")
    assert queue.get(1).inputs.s2 == ("https://example.com/a.tif",)
