"""Detections under way: a thread each, kept by the server process whatever the pages do."""

import logging
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from landslide_core.errors import RunBusy
from landslide_core.readers.inputs import SceneInputs
from landslide_core.runs import RunOptions, predict_scene


class Job:
    """One detection: how far it is, or why it failed."""

    def __init__(self, out: Path) -> None:
        self.out: Final = out
        self._lock = Lock()
        self._now = ("open", 0, 0)
        self._error: Exception | None = None

    @property
    def now(self) -> tuple[str, int, int]:
        """Stage, tiles done, tiles in all."""
        with self._lock:
            return self._now

    @property
    def error(self) -> Exception | None:
        """What ended it early."""
        with self._lock:
            return self._error

    def tell(self, stage: str, done: int, total: int) -> None:
        """Take note of progress."""
        with self._lock:
            self._now = (stage, done, total)

    def fail(self, error: Exception) -> None:
        """Take note of the end."""
        with self._lock:
            self._error = error


_lock: Final = Lock()
_jobs: Final[dict[Path, Job]] = {}  # by run folder; a finished job leaves, a failed one stays


def start(inputs: SceneInputs, options: RunOptions, out: Path) -> Job:
    """Start a detection that writes the run folder `out`.

    Raises RunBusy where one is under way (two would only slow each other down) or the name is
    taken.
    """
    with _lock:
        for other in _jobs.values():
            if other.error is None:
                raise RunBusy(
                    f"Run {other.out.name} is still being made, and this server makes one at a "
                    "time. Start the next one when it is done."
                )
        if out.exists():
            raise RunBusy(f"A run named {out.name} exists already. Choose another name.")
        job = _jobs[out] = Job(out)
    Thread(target=_work, args=(job, inputs, options), name=f"run {out.name}", daemon=True).start()
    return job


def _work(job: Job, inputs: SceneInputs, options: RunOptions) -> None:
    """Run to the end; the job leaves only after its run folder is there."""
    try:
        predict_scene(inputs, options, job.out, job.tell)
    except Exception as error:  # whatever it is, it is shown: nobody else hears of it
        logging.getLogger(__name__).exception("Run %s failed", job.out.name)
        job.fail(error)
    else:
        forget(job)


def listed(folder: Path) -> list[Job]:
    """Jobs of a runs folder, under way or failed."""
    with _lock:
        return [job for out, job in _jobs.items() if out.parent == folder]


def forget(job: Job) -> None:
    """Drop a job from the list."""
    with _lock:
        _jobs.pop(job.out, None)
