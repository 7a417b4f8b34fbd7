"""The queue on disk: who gets which job, what survives, and one line for whatever is wrong."""

import multiprocessing
import os
import socket
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path
from time import time

import pytest

from landslide_core.errors import CannotWrite, NoJob, NoSpace, QueueDamaged, RunBusy
from landslide_core.jobs import Queue, Worker, place_of
from landslide_core.lock import held
from landslide_core.plan import RunOptions
from landslide_core.readers.given import SceneInputs

HERE = Worker(socket.gethostname(), os.getpid(), "cpu")
ELSEWHERE = Worker("far", 1, "cpu")
INPUTS = SceneInputs(
    s2=(Path("/s2.tif"), Path("/scl.tif")), asc_pre=(Path("/a.tif"),), s2_bands=("B02", "B03")
)
OPTIONS = RunOptions(Path("/models/some"), 32, "cpu", memory=2_000_000_000)
FORK = multiprocessing.get_context("fork")  # no time spent on importing anew


@pytest.fixture
def queue(tmp_path):
    """An empty queue."""
    return Queue(tmp_path / "queue")


def add(queue, name="one", **changed):
    """Queue a run that nobody will make."""
    options = RunOptions(**{**vars(OPTIONS), **changed})
    return queue.add(INPUTS, options, queue.folder.parent / "runs" / name)


def set_by_hand(queue, job, **values):
    """Put a job into a state that takes long to come by."""
    sets = ", ".join(f"{name} = ?" for name in values)
    with closing(sqlite3.connect(queue.folder / "queue.sqlite")) as db, db:
        db.execute(f"UPDATE jobs SET {sets} WHERE id = ?", (*values.values(), job.id))


def test_a_job_comes_back_as_it_was_given(queue, tmp_path, monkeypatch):
    job = add(queue)
    assert (job.inputs, job.options, job.state) == (INPUTS, OPTIONS, "queued")
    assert Queue(queue.folder).get(job.id) == job
    assert queue.jobs() == [job]
    monkeypatch.chdir(tmp_path)
    relative = Queue(Path("queue")).add(
        SceneInputs(s2=(Path("s2.tif"),)), RunOptions(Path("models/b")), Path("runs/two")
    )
    assert relative.inputs.s2 == (tmp_path / "s2.tif",)
    assert relative.options.bundle == tmp_path / "models/b"
    assert relative.out == tmp_path / "runs/two"


def test_looking_leaves_nothing_behind(queue):
    queue.recover()
    assert queue.jobs() == []
    assert queue.claim(HERE) is None
    assert not queue.waiting("cpu")
    with pytest.raises(NoJob, match="no job 7"):
        queue.get(7)
    with pytest.raises(NoJob, match="no job 7"):
        queue.cancel(7)
    assert not queue.folder.exists()


def test_the_oldest_job_of_the_device_is_claimed(queue):
    card, either, plain = (add(queue, d, device=d) for d in ("cuda", "auto", "cpu"))
    assert queue.claim(HERE).id == either.id
    assert queue.waiting("cpu")
    claimed = queue.claim(HERE)
    assert (claimed.id, claimed.state, claimed.attempts) == (plain.id, "running", 1)
    assert (claimed.host, claimed.pid, claimed.worker) == (HERE.host, HERE.pid, "cpu")
    assert not queue.waiting("cpu")
    assert queue.claim(HERE) is None
    assert queue.claim(Worker("far", 1, "cuda")).id == card.id


def test_a_name_is_given_once(queue):
    job = add(queue)
    with pytest.raises(RunBusy, match=f"job {job.id}, which is queued"):
        add(queue)
    queue.cancel(job.id)
    queue.log(job.id).write_text("old")
    again = add(queue)  # nothing of the cancelled one is left on disk
    assert [other.id for other in queue.jobs()] == [again.id]
    assert not queue.log(job.id).exists()
    (queue.folder.parent / "runs" / "there").mkdir(parents=True)
    (queue.folder.parent / "runs" / "there" / "run.json").touch()
    with pytest.raises(RunBusy, match="exists already"):
        add(queue, "there")


def test_progress_and_time_left(queue):
    add(queue)
    job = queue.claim(HERE)
    job = queue.beat(job, ("detect", 20, 100), 4.0)
    assert (job.stage, job.done, job.total, job.rate) == ("detect", 20, 100, 4.0)
    assert job.left == 20.0
    assert queue.beat(job, ("detect", 20, 100), 0.0).left is None
    assert queue.beat(job, ("write", 20, 100), 4.0).left is None
    assert queue.finish(job, "done")
    assert queue.get(job.id).over
    assert not queue.finish(job, "failed", "late")  # it is over: the first word counts
    assert queue.beat(job, ("detect", 0, 0), 0.0) is None
    assert queue.get(job.id).state == "done"


def test_cancel_and_retry(queue):
    job = add(queue)
    assert queue.cancel(job.id).state == "cancelled"
    with pytest.raises(NoJob, match="is cancelled; only one queued or running"):
        queue.cancel(job.id)
    assert queue.retry(job.id).state == "queued"
    with pytest.raises(NoJob, match="is queued; only one failed or cancelled can be retried"):
        queue.retry(job.id)
    job = queue.claim(HERE)
    assert not job.cancelling
    asked = queue.cancel(job.id)
    assert (asked.state, asked.cancelling) == ("running", True)
    assert queue.beat(job, ("detect", 1, 2), 0.0).cancelling
    assert queue.finish(job, "cancelled")
    queue.retry(job.id)
    assert not queue.claim(HERE).cancelling
    with pytest.raises(NoJob, match="only one done, failed or cancelled can be forgotten"):
        queue.forget(job.id)


def test_forget(queue):
    job = add(queue)
    queue.cancel(job.id)
    queue.log(job.id).write_text("told")
    queue.forget(job.id)
    assert queue.jobs() == []
    assert not queue.log(job.id).exists()
    assert add(queue, "next").id > job.id  # numbers, and so logs, are never given twice


def test_a_worker_of_this_host_lives_as_long_as_its_lock(queue):
    add(queue)
    job = queue.claim(HERE)
    place = place_of(queue.folder, "cpu")
    place.mkdir()
    set_by_hand(queue, job, heartbeat=time() - 3600)  # this machine slept
    with held(place, "queue"):
        queue.recover()
        assert queue.get(job.id).state == "running"
        queue.recover("cpu")  # unless the caller holds it: then nobody else does
        assert queue.get(job.id).state == "queued"
        queue.claim(HERE)
    queue.recover()
    found = queue.get(job.id)
    assert (found.state, found.attempts) == ("queued", 2)


def test_a_worker_elsewhere_lives_as_long_as_its_heart(queue):
    add(queue)
    job = queue.claim(ELSEWHERE)
    set_by_hand(queue, job, heartbeat=time() - 20)
    queue.recover("cpu")
    assert queue.get(job.id).state == "running"
    set_by_hand(queue, job, heartbeat=time() - 31)
    queue.recover()
    assert queue.get(job.id).state == "queued"
    taken = queue.claim(HERE)
    assert queue.beat(job, ("detect", 1, 2), 1.0) is None  # back from the dead, but too late
    assert not queue.finish(job, "done")
    assert not queue.release(job)
    assert queue.get(job.id) == taken


def test_three_deaths_are_enough(queue):
    job = add(queue)
    for attempt in range(1, 4):
        assert queue.claim(HERE).attempts == attempt
        queue.recover()
    found = queue.get(job.id)
    assert found.state == "failed"
    assert found.error.startswith("The worker died 3 times")
    assert queue.retry(job.id).attempts == 0
    assert queue.claim(HERE).attempts == 1


def test_leaving_is_no_attempt(queue):
    add(queue)
    for _ in range(5):
        job = queue.claim(HERE)
        assert queue.release(job)
    assert queue.get(job.id).attempts == 0


@pytest.mark.parametrize("end", ["recover", "release"])
def test_a_cancelled_job_whose_worker_goes_is_not_begun_again(queue, end):
    add(queue)
    job = queue.claim(HERE)
    queue.cancel(job.id)
    queue.recover() if end == "recover" else queue.release(job)
    assert queue.get(job.id).state == "cancelled"


def test_a_folder_taken_meanwhile_is_left_alone(queue):
    job = add(queue)
    job.out.mkdir(parents=True)
    (job.out / "theirs").touch()
    job = queue.claim(HERE)
    with pytest.raises(RunBusy):
        queue.begin(job)
    assert not queue.get(job.id).begun
    (job.out / "theirs").unlink()
    queue.begin(job)
    assert queue.get(job.id).begun


def _race(folder, start, got):
    queue = Queue(folder)
    me = Worker("here", os.getpid(), "cpu")
    start.wait(30)
    while job := queue.claim(me):
        queue.beat(job, ("detect", 1, 2), 1.0)
        queue.finish(job, "done")
        got.put((job.id, me.pid))


def test_two_claim_each_job_once(queue):
    jobs = [add(queue, f"run-{i}").id for i in range(20)]
    start, got = FORK.Barrier(2), FORK.Queue()
    racers = [FORK.Process(target=_race, args=(queue.folder, start, got)) for _ in range(2)]
    for racer in racers:
        racer.start()
    found = [got.get(timeout=60) for _ in jobs]
    for racer in racers:
        racer.join(60)
    assert sorted(job for job, _ in found) == jobs
    assert {job.state for job in queue.jobs()} == {"done"}
    assert all(job.attempts == 1 for job in queue.jobs())
    assert got.empty()


def _add_many(folder, start, count):
    start.wait(30)
    for i in range(count):
        add(Queue(folder), f"{os.getpid()}-{i}")


def test_a_new_queue_is_made_once(queue):
    start = FORK.Barrier(3)
    adders = [FORK.Process(target=_add_many, args=(queue.folder, start, 5)) for _ in range(3)]
    for adder in adders:
        adder.start()
    for adder in adders:
        adder.join(60)
        assert adder.exitcode == 0
    assert len({job.id for job in queue.jobs()}) == 15


@pytest.mark.parametrize("harm", ["garbage", "cut", "version", "row"])
def test_a_damaged_queue_is_one_line(queue, harm):
    for i in range(40):
        job = add(queue, f"run-{i}")
    path = queue.folder / "queue.sqlite"
    if harm == "garbage":
        path.write_bytes(b"no database at all" * 1000)
    elif harm == "cut":
        path.write_bytes(path.read_bytes()[:8192])
    elif harm == "row":
        set_by_hand(queue, job, options='{"bundle": 3, "new": 1}')
    else:
        with closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA user_version = 9")
    for ask in (queue.jobs, queue.recover, lambda: queue.claim(HERE), lambda: queue.get(40)):
        if harm == "row" and ask not in (queue.jobs,):
            continue  # the other rows still read
        with pytest.raises(QueueDamaged, match="is no queue that can be read") as told:
            ask()
        assert "Move it away" in str(told.value)
        assert "\n" not in str(told.value)


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    queue = Queue(tmp_path / "file" / "queue")
    with pytest.raises(CannotWrite, match="cannot be written"):
        queue.add(INPUTS, OPTIONS, tmp_path / "run")


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except OSError:
        done = False
    if not done:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_one_line_and_the_queue_survives_it(small_disk, tmp_path):
    queue = Queue(small_disk / "queue")
    job = queue.add(INPUTS, OPTIONS, tmp_path / "one")
    filler = small_disk / "filler"
    with suppress(OSError):
        filler.write_bytes(bytes(300_000))
    with pytest.raises(NoSpace, match="is full") as told:
        queue.add(INPUTS, OPTIONS, tmp_path / "two")
    assert "\n" not in str(told.value)
    filler.unlink()
    assert job in queue.jobs()
    assert queue.claim(HERE).id == job.id
