"""The worker: a process of its own that makes the runs of a queue, one after the other.

It may die at any moment: what a run has done lies in its folder, and the next worker goes on.
"""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from landslide_core.devices import resolve_device
from landslide_core.engine import Stop
from landslide_core.errors import CannotWrite, LandslideError, RunBusy, RunError, RunStopped
from landslide_core.job_log import JobLog, Tally
from landslide_core.jobs import Job, Queue, Worker, place_of
from landslide_core.lock import held, owner
from landslide_core.plan import PLAN
from landslide_core.progress import Progress
from landslide_core.runs import predict_scene, resume_run

_TICK: Final = 0.25  # s between two looks at the queue
_PATIENCE: Final = 1.3  # s given to a run to stop; with a tick before and after, under two
_TELL: Final = 10.0  # s between two lines on the rate
_LOOK: Final = 5.0  # s between two looks for jobs of workers that died

Make = Callable[[Job, Progress, Stop], object]


def make_run(job: Job, progress: Progress, stop: Stop) -> None:
    """Make a job's run, or go on with it where it was begun."""
    options = job.options
    if (job.out / PLAN).is_file():
        limits = options.memory, options.workers
        resume_run(job.out, progress, stop, *limits, device=options.device)
    else:
        predict_scene(job.inputs, options, job.out, progress, stop)


@dataclass
class Shift:
    """One worker at its queue."""

    queue: Queue
    worker: Worker
    make: Make
    again: Sequence[str] | None  # the command that replaces this process by a fresh one
    leaving: bool = False


@dataclass
class Task:
    """The job in hand, and what is wanted of it."""

    job: Job
    log: JobLog
    tally: Tally
    over: threading.Event
    wanted: str | None = None  # cancel, leave; lost where it is another's by now
    since: float = 0.0

    def want(self, what: str) -> None:
        """Ask the run to stop; the first reason counts."""
        if self.wanted is None:
            self.wanted, self.since = what, monotonic()


def work(
    folder: Path,
    device: str = "auto",
    once: bool = False,
    idle: float | None = None,
    make: Make = make_run,
    again: Sequence[str] | None = None,
) -> None:
    """Make the runs of a queue until asked to leave, by SIGTERM or SIGINT.

    `once` leaves after one job, `idle` after as many seconds without any. Where a run that is
    cancelled doesn't stop in time, the process is replaced by the command `again`, else it ends.
    Raises RunBusy where the device has a worker, NoDevice, and what the queue raises.
    """
    worker = Worker(socket.gethostname(), os.getpid(), resolve_device(device).type)
    shift = Shift(Queue(folder), worker, make, None if once else again)
    with _asked_to_leave(shift):
        while True:
            with _only_one(shift.queue.folder, worker):
                shift.queue.recover(worker.device)
                _serve(shift, once, idle)
            # A job that came while the lock was still held saw a worker and started none.
            if once or shift.leaving or not shift.queue.waiting(worker.device):
                return


@contextmanager
def _asked_to_leave(shift: Shift) -> Iterator[None]:
    """Let signals end the shift in good order; only a process's main thread may."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(*_: object) -> None:
        shift.leaving = True

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _only_one(folder: Path, worker: Worker) -> Iterator[None]:
    """Hold the device's place. Raises RunBusy where another worker does."""
    place = place_of(folder, worker.device)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{folder} cannot be written ({error.strerror}). Choose another folder for the queue."
        ) from error
    with ExitStack() as stack:
        for patience in (0.1, 0.2, 0.4, None):  # who looks whether it is held holds it a moment
            try:
                stack.enter_context(held(place, f"The queue {folder}"))
                break
            except RunBusy as error:
                if patience is None:
                    who = (owner(place) or {}).get("pid", "unknown")
                    raise RunBusy(
                        f"Process {who} is the worker for {worker.device} of {folder}; a device "
                        "has one. Leave the work to it, or stop it."
                    ) from error
                sleep(patience)
        yield


def _serve(shift: Shift, once: bool, idle: float | None) -> None:
    """Take jobs until there is a reason to leave."""
    last = looked = monotonic()
    while not shift.leaving:
        if job := shift.queue.claim(shift.worker):
            _take(shift, job)
            if once:
                return
            last = monotonic()
            continue
        if idle is not None and monotonic() - last >= idle:
            return
        if monotonic() - looked >= _LOOK:
            looked = monotonic()
            shift.queue.recover(shift.worker.device)
        sleep(_TICK)


def _take(shift: Shift, job: Job) -> None:
    """Make one run, come what may; the queue knows how it ended."""
    if job.options.device == "auto":
        job = replace(job, options=replace(job.options, device=shift.worker.device))
    log = JobLog(shift.queue.log(job.id))
    task = Task(job, log, Tally(log, job.out), threading.Event())
    log.tell(
        f"Attempt {job.attempts} at run {job.out.name}, by process {job.pid} on {job.host}, "
        f"device {job.options.device}"
    )
    watch = threading.Thread(target=_watch, args=(shift, task), daemon=True)
    watch.start()
    try:
        end = _make(shift, task)
    finally:
        task.over.set()
        watch.join()  # it may be about to end this process: nothing new is begun before
    _settle(shift, task, *end)


def _make(shift: Shift, task: Task) -> tuple[str, str | None]:
    """Make the run: how it ended, and the line that says why."""
    try:
        if not task.job.begun:
            shift.queue.begin(task.job)
        shift.make(task.job, task.tally.tell, lambda: task.wanted is not None)
    except RunStopped:
        return task.wanted or "leave", None
    except LandslideError as error:
        return "failed", " ".join(str(error).split())
    except Exception as error:  # a bug, or a library's: the log has where, the worker goes on
        task.log.trace(error)
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return "failed", f"An error that nobody expected ended it: {what}. The log has more."
    return "done", None


def _settle(shift: Shift, task: Task, end: str, error: str | None) -> bool:
    """Write down how a job ended; False where it was no more this worker's."""
    match end:
        case "leave":
            mine = shift.queue.release(task.job)
            line = "Stopped: the worker was asked to leave; the next one goes on"
        case "cancel":
            mine = shift.queue.finish(task.job, "cancelled")
            line = "Cancelled; what is done is kept"
        case "lost":
            mine, line = False, ""
        case _:
            mine = shift.queue.finish(task.job, end, error)
            line = "Done" if error is None else f"Failed: {error}"
    if mine:
        task.log.tell(f"{line} (after {task.tally.elapsed})")
    return mine


def _watch(shift: Shift, task: Task) -> None:
    """Show that the worker lives, and hand on what is wanted of the job."""
    told = monotonic()
    while not task.over.wait(_TICK):
        try:
            job = shift.queue.beat(task.job, task.tally.now, task.tally.rate)
        except RunError:  # a full disk, say: the run itself will meet it, or the next beat is well
            continue
        if job is None:
            task.want("lost")
        elif job.cancelling:
            task.want("cancel")
        elif shift.leaving:
            task.want("leave")
        if monotonic() - told >= _TELL:
            told = monotonic()
            task.tally.tell_rate()
        if task.wanted and monotonic() - task.since >= _PATIENCE:
            _end_hard(shift, task)


def _end_hard(shift: Shift, task: Task) -> None:
    """End this process amid a run that doesn't stop: it is busy in a library."""
    wanted = str(task.wanted)
    try:
        mine = _settle(shift, task, wanted, None)
    except RunError:  # its next worker finds the job without one
        mine = True
    if not mine and wanted != "lost":
        return  # the run ended this very moment, and its end is written
    if shift.again and not shift.leaving:
        os.execv(shift.again[0], list(shift.again))  # locks are let go of, the next job is taken
    os._exit(0)
