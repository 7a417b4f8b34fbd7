"""The worker, in processes of its own: killed, stopped, raced, started twice, and still done."""

import json
import multiprocessing
import os
import shutil
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import pytest
from conftest import scene_numbers, write_scene_files
from tiny import write_tiny_bundle

from landslide_core import worker
from landslide_core.errors import NoDevice, NoSpace, RunBusy, RunStopped
from landslide_core.folder import damages, open_run
from landslide_core.job_log import JobLog, Tally, in_words
from landslide_core.jobs import Queue, place_of
from landslide_core.launch import start_worker
from landslide_core.lock import is_held
from landslide_core.plan import RunOptions
from landslide_core.readers.given import SceneInputs
from landslide_core.worker import work

FORK = multiprocessing.get_context("fork")  # no time spent on importing anew
PATIENCE = 120.0  # s for what takes a second where nothing else is going on


@pytest.fixture
def queue(tmp_path):
    """An empty queue."""
    return Queue(tmp_path / "queue")


def add(queue, name="one"):
    """Queue a run that only a stand-in will make."""
    options = RunOptions(Path("/models/some"), device="cpu")
    return queue.add(SceneInputs(s2=(Path("/s2.tif"),)), options, queue.folder.parent / name)


def until(true, patience=PATIENCE):
    """Wait until something is so; what it said, and after how long."""
    begun = monotonic()
    while not (found := true()):
        assert monotonic() - begun < patience
        sleep(0.02)
    return found, monotonic() - begun


def state_of(queue, job):
    return queue.get(job.id).state


def ends(queue, job, state):
    """Wait for a job's state; after how long it came."""
    return until(lambda: state_of(queue, job) == state)[1]


@pytest.fixture
def forked():
    """Start functions in processes of their own; all are ended with the test."""
    begun = []

    def start(function, *arguments, **named):
        process = FORK.Process(target=function, args=arguments, kwargs=named)
        process.start()
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.join(10)


def obedient(job, progress, stop):
    """Judge tiles for ever, but stop when asked."""
    progress("detect", 1, 100)
    while not stop():
        sleep(0.02)
    raise RunStopped("The run was stopped.")


def deaf(job, progress, stop):
    """Busy in a library that never asks."""
    progress("detect", 1, 100)
    sleep(600)


def quick(job, progress, stop):
    """Done at once."""
    job.out.mkdir(exist_ok=True)
    (job.out / f"made-by-{os.getpid()}-{job.attempts}").touch()


def running(queue, job):
    """Wait until a job's run has told of its first tile."""
    until(lambda: queue.get(job.id).done == 1)


def race(folder, name):
    socket.gethostname = lambda: name  # a device of this host has one worker
    work(folder, "cpu", idle=0.5, make=quick)


def test_two_workers_make_each_of_twenty_runs_once(queue, forked):
    jobs = [add(queue, f"run-{i}") for i in range(20)]
    pair = [forked(race, queue.folder, name) for name in ("left", "right")]
    for process in pair:
        process.join(PATIENCE)
        assert process.exitcode == 0
    assert {job.state for job in queue.jobs()} == {"done"}
    made = [[path.name for path in job.out.iterdir()] for job in jobs]
    assert all(len(names) == 1 and names[0].endswith("-1") for names in made)


def test_a_device_has_one_worker(queue, forked):
    job = add(queue)
    forked(work, queue.folder, "cpu", make=obedient)
    running(queue, job)
    with pytest.raises(RunBusy, match="is the worker for cpu of") as told:
        work(queue.folder, "cpu", idle=0)
    assert str(queue.get(job.id).pid) in str(told.value)


def test_a_killed_worker_s_job_goes_on_with_the_next(queue, forked):
    job = add(queue)
    first = forked(work, queue.folder, "cpu", make=obedient)
    running(queue, job)
    first.kill()
    first.join()
    assert state_of(queue, job) == "running"  # nobody was left to say otherwise
    work(queue.folder, "cpu", idle=0, make=quick)
    found = queue.get(job.id)
    assert (found.state, found.attempts) == ("done", 2)
    told = queue.log(job.id).read_text()
    assert "Attempt 1" in told
    assert "Attempt 2" in told


@pytest.mark.parametrize("make", [obedient, deaf])
def test_cancelled_within_two_seconds(queue, forked, make):
    job, other = add(queue), add(queue, "other")
    process = forked(work, queue.folder, "cpu", make=make)
    running(queue, job)
    queue.cancel(job.id)
    assert ends(queue, job, "cancelled") < 2
    if make is obedient:  # and on with the next
        running(queue, other)
        assert process.is_alive()
    else:
        process.join(PATIENCE)
        assert process.exitcode == 0
        assert state_of(queue, other) == "queued"
        assert not is_held(place_of(queue.folder, "cpu"))
    assert "Cancelled; what is done is kept" in queue.log(job.id).read_text()


def test_a_worker_that_cannot_stop_is_replaced_by_a_fresh_one(queue, forked, tmp_path):
    job = add(queue)
    fresh = [sys.executable, "-c", f"open({str(tmp_path / 'fresh')!r}, 'w')"]
    forked(work, queue.folder, "cpu", make=deaf, again=fresh)
    running(queue, job)
    queue.cancel(job.id)
    until((tmp_path / "fresh").is_file)
    assert state_of(queue, job) == "cancelled"


@pytest.mark.parametrize("make", [obedient, deaf])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_leave_it_puts_its_job_back(queue, forked, make, number):
    job = add(queue)
    process = forked(work, queue.folder, "cpu", make=make, again=["/nowhere"])
    running(queue, job)
    os.kill(process.pid, number)
    process.join(PATIENCE)
    assert process.exitcode == 0
    found = queue.get(job.id)
    assert (found.state, found.attempts) == ("queued", 0)
    assert "the next one goes on" in queue.log(job.id).read_text()


def test_a_job_given_to_another_is_let_go_of(queue, forked):
    job = add(queue)
    process = forked(work, queue.folder, "cpu", once=True, make=obedient)
    running(queue, job)
    queue.recover("cpu")  # as if the heart had not beaten for too long
    process.join(PATIENCE)
    assert (process.exitcode, state_of(queue, job)) == (0, "queued")


def test_one_failure_does_not_keep_the_next_from_its_run(queue):
    def make(job, progress, stop):
        if job.out.name == "full":
            raise NoSpace("The disk is\nfull. Free some.")
        if job.out.name == "bug":
            raise ZeroDivisionError("by nought")

    full, bug, fine = (add(queue, name) for name in ("full", "bug", "fine"))
    work(queue.folder, "cpu", idle=0, make=make)
    assert [state_of(queue, job) for job in (full, bug, fine)] == ["failed", "failed", "done"]
    assert queue.get(full.id).error == "The disk is full. Free some."
    assert "Traceback" not in queue.log(full.id).read_text()
    assert "ZeroDivisionError: by nought" in queue.get(bug.id).error
    assert "Traceback" in queue.log(bug.id).read_text()


def test_once_means_one_job(queue):
    one, two = add(queue), add(queue, "two")
    work(queue.folder, "cpu", once=True, make=quick)
    assert (state_of(queue, one), state_of(queue, two)) == ("done", "queued")


def test_a_taken_folder_is_refused_again_and_again(queue):
    job = add(queue)
    quick(job, None, None)
    for _ in range(2):
        work(queue.folder, "cpu", idle=0, make=quick)
        assert state_of(queue, job) == "failed"
        assert "exists already" in queue.get(job.id).error
        queue.retry(job.id)
    assert [path.name for path in job.out.iterdir()] == [f"made-by-{os.getpid()}-0"]


def test_a_full_disk_under_the_queue_ends_no_run(queue, monkeypatch):
    def make(job, progress, stop):
        def full(*given):
            beats.append(given)
            raise NoSpace("The disk is full.")

        beats = []
        with monkeypatch.context() as patch:
            patch.setattr(Queue, "beat", full)
            until(lambda: len(beats) > 1)
        assert not stop()

    job = add(queue)
    work(queue.folder, "cpu", idle=0, make=make)
    assert state_of(queue, job) == "done"


@pytest.fixture(scope="module")
def tiny_bundle(tmp_path_factory):
    """A bundle that nothing was fitted to."""
    return write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny", members=1)


@pytest.fixture(scope="module")
def parts_inputs(tmp_path_factory):
    """A scene of nine parts."""
    folder = tmp_path_factory.mktemp("parts")
    return write_scene_files(folder, scene_numbers((2112, 512)))


@pytest.fixture
def real(queue):
    """Real workers; those still there are ended with the test."""
    begun = []

    def start():
        process = start_worker(queue.folder, "cpu", idle=600)
        if process:
            begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait(10)


def real_job(queue, inputs, bundle):
    options = RunOptions(bundle, stride=32, device="auto", workers=1)
    return queue.add(inputs, options, queue.folder.parent / "run")


def done_parts(job):
    """Parts done, and when their marks were made."""
    found = {path: path.stat().st_mtime_ns for path in (job.out / "parts").glob("part_*.json")}
    return {} if (job.out / "run.json").exists() else found


def test_a_real_run_killed_and_gone_on_with(queue, real, parts_inputs, tiny_bundle):
    job = real_job(queue, parts_inputs, tiny_bundle)
    first = real()
    assert real() is None  # it is on its way
    parts, _ = until(lambda: done_parts(job))
    first.kill()
    first.wait(10)
    assert not (job.out / "run.json").exists()
    until(real)  # its lock went with it
    ends(queue, job, "done")
    assert real() is None  # it waits for more
    assert damages(job.out) == {}
    assert {path: path.stat().st_mtime_ns for path in parts} == parts  # none was judged again
    told = queue.log(job.id).read_text()
    assert "Attempt 2" in told
    assert "Decision on" in told
    assert "Judging tiles: 0 of 975" in told  # 65 rows of 15
    assert "Done (after" in told
    record = json.loads((job.out / "run.json").read_text())
    assert sum(record["counts"].values()) == 975


def test_a_real_run_cancelled_and_retried(queue, real, parts_inputs, tiny_bundle):
    job = real_job(queue, parts_inputs, tiny_bundle)
    process = real()
    until(lambda: queue.get(job.id).stage == "detect" and done_parts(job))
    queue.cancel(job.id)
    assert ends(queue, job, "cancelled") < 2
    assert not (job.out / "run.json").exists()
    queue.retry(job.id)
    ends(queue, job, "done")
    assert damages(job.out) == {}
    assert process.poll() is None  # or its successor, which keeps its number
    process.terminate()
    assert process.wait(PATIENCE) == 0


def test_the_model_stays_in_memory(queue, scene_inputs, tiny_bundle, tmp_path):
    def make(job, progress, stop):
        worker.make_run(job, progress, stop)
        (bundle / "member_00.safetensors").unlink(missing_ok=True)  # read no second time

    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    options = RunOptions(bundle, device="cpu")
    jobs = [queue.add(scene_inputs, options, tmp_path / name) for name in ("one", "two")]
    work(queue.folder, "cpu", idle=0, make=make)
    assert [queue.get(job.id).error for job in jobs] == [None, None]
    counts = [open_run(job.out).meta["counts"] for job in jobs]
    assert counts[0] == counts[1]


def test_a_run_made_but_not_noted_is_found_whole(queue, scene_inputs, tiny_bundle, tmp_path):
    """The worker was killed between the run's last file and the note in the queue."""
    options = RunOptions(tiny_bundle, device="cpu")
    job = queue.add(scene_inputs, options, tmp_path / "made")

    def make(job, progress, stop):
        worker.make_run(job, progress, stop)
        before.append((job.out / "run.json").stat().st_mtime_ns)
        raise KeyboardInterrupt

    before = []
    with suppress(KeyboardInterrupt):
        work(queue.folder, "cpu", make=make)
    assert state_of(queue, job) == "running"
    work(queue.folder, "cpu", idle=0)
    assert state_of(queue, job) == "done"
    assert (job.out / "run.json").stat().st_mtime_ns == before[0]


def test_starting_is_refused_in_one_line(tmp_path):
    with pytest.raises(NoDevice):
        start_worker(tmp_path, "cuda")
    (tmp_path / "file").touch()
    with pytest.raises(Exception, match="worker") as told:
        start_worker(tmp_path / "file" / "queue", "cpu")
    assert type(told.value).__name__ == "CannotWrite"


def test_rate_over_the_last_ten_seconds(tmp_path, monkeypatch):
    log = JobLog(tmp_path / "log")
    tally = Tally(log, tmp_path)

    def at(second, done, stage="detect"):
        monkeypatch.setattr("landslide_core.job_log.monotonic", lambda: float(second))
        tally.tell(stage, done, 400)
        return tally.rate

    assert at(0, 100) == 0  # gone on with: what was done before is no pace
    assert at(2, 120) == 10
    assert at(4, 120) == 10  # tiles come in bursts
    assert at(10, 180) == 8
    assert at(30, 220) == 2  # 40 in 20 s: the window reaches back to the last but one
    tally.tell_rate()
    assert "220 of 400 tiles, 2.0 a second, 90 s left" not in log.path.read_text()
    assert log.path.read_text().endswith("220 of 400 tiles, 2.0 a second, 2 min left\n")
    assert at(31, 0, "write") == 0
    assert [line.split("  ")[1] for line in log.path.read_text().splitlines()] == [
        "Judging tiles: 100 of 400",
        "220 of 400 tiles, 2.0 a second, 2 min left",
        "Writing the results: 0 of 400",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "under a second"), (45.2, "45 s"), (170, "3 min"), (7500, "2 h 5 min")],
)
def test_time_in_words(seconds, words):
    assert in_words(seconds) == words
