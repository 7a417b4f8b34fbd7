"""Runs under way, as the queue beside the run folders has them; a process of its own makes them."""

from contextlib import suppress
from pathlib import Path
from typing import Final

from landslide_core.devices import resolve_device
from landslide_core.errors import NoDevice, RunDamaged
from landslide_core.folder import RECORD, remove_run
from landslide_core.jobs import Job, Queue
from landslide_core.launch import start_worker
from landslide_core.plan import PLAN, RunOptions
from landslide_core.readers.given import SceneInputs

LOG_LINES: Final = 200


def queue_of(folder: Path) -> Queue:
    """The queue of a runs folder."""
    return Queue(folder / ".jobs")


def start(inputs: SceneInputs, options: RunOptions, out: Path) -> Job:
    """Queue a detection that writes the run folder `out`, and see to it that it is worked on.

    Raises NoDevice, RunBusy where the name is taken.
    """
    resolve_device(options.device)
    queue = queue_of(out.parent)
    job = queue.add(inputs, options, out)
    start_worker(queue.folder, options.device)
    return job


def listed(folder: Path) -> list[Job]:
    """Jobs of a runs folder whose run is not there: waiting, under way, failed or cancelled.

    Where their worker is gone, another is started: nobody else might.
    """
    queue = queue_of(folder)
    queue.recover()
    found = [job for job in queue.jobs() if job.state != "done"]
    for device in sorted({job.options.device for job in found if job.state == "queued"}):
        with suppress(NoDevice):  # a job for another machine's worker
            start_worker(queue.folder, device)
    return found


def cancel(job: Job) -> None:
    """Ask for the end of a job."""
    queue_of(job.out.parent).cancel(job.id)


def retry(job: Job) -> None:
    """Go on with a job that failed or was cancelled."""
    queue_of(job.out.parent).retry(job.id)
    listed(job.out.parent)


def forget(job: Job) -> None:
    """Drop a job that is over, and what it had done of its run."""
    if job.begun and (job.out / PLAN).is_file() and not (job.out / RECORD).is_file():
        with suppress(RunDamaged):  # removed by somebody else meanwhile
            remove_run(job.out)
    queue_of(job.out.parent).forget(job.id)


def log(job: Job) -> str:
    """The last lines that the job's worker told."""
    path = queue_of(job.out.parent).log(job.id)
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-LOG_LINES:])
    except OSError:
        return ""
