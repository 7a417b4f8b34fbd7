"""The queue: runs to be made, being made and made, in one SQLite file that outlives any process."""

import json
import socket
import sqlite3
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from time import time
from typing import Any, Final

from landslide_core.errors import NoJob, RunBusy
from landslide_core.folder import refuse_existing
from landslide_core.lock import is_held
from landslide_core.plan import RunOptions
from landslide_core.queue_file import QueueFile
from landslide_core.readers.given import SceneInputs, inputs_from

DEFAULT_QUEUE: Final = Path("runs/.jobs")
ATTEMPTS: Final = 3  # times that a job may end its worker
STALE: Final = 30.0  # s without a sign of life after which a worker elsewhere is given up
_BACK: Final = """
  state = CASE WHEN cancelling THEN 'cancelled' ELSE 'queued' END,
  finished = CASE WHEN cancelling THEN :now END, cancelling = 0, rate = 0"""
_HIS: Final = "id = :id AND state = 'running' AND host = :host AND pid = :pid"


@dataclass(frozen=True)
class Worker:
    """Who works: one process a device."""

    host: str
    pid: int
    device: str  # cpu or cuda


@dataclass(frozen=True)
class Job:
    """One run to make, and how far it is. Times are seconds since 1970."""

    id: int
    out: Path
    inputs: SceneInputs
    options: RunOptions
    state: str  # queued, running, done, failed or cancelled
    cancelling: bool
    begun: bool  # its folder was free when it began: what is there now is its own
    attempts: int
    stage: str
    done: int  # of the stage: tiles, or files
    total: int
    rate: float  # tiles a second, lately
    created: float
    started: float | None
    finished: float | None
    heartbeat: float | None
    host: str | None
    pid: int | None
    worker: str | None  # its device
    error: str | None  # one line

    @property
    def over(self) -> bool:
        """Whether nothing happens to it any more unless somebody asks."""
        return self.state not in ("queued", "running")

    @property
    def left(self) -> float | None:
        """Seconds until all tiles are judged at the rate of late; None where that is unknown."""
        known = self.state == "running" and self.stage == "detect" and self.rate > 0
        return (self.total - self.done) / self.rate if known else None


def place_of(folder: Path, device: str) -> Path:
    """Where the worker of one of this host's devices holds its lock."""
    return folder / f"worker-{socket.gethostname()}-{device}"


class Queue:
    """The jobs of a folder. Every call is one short transaction of its own.

    Raises QueueDamaged, NoSpace or CannotWrite where its file does not serve.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder.absolute()
        self._file: Final = QueueFile(self.folder)

    def log(self, job_id: int) -> Path:
        """The file in which a job's worker tells what it does."""
        return self.folder / f"{job_id}.log"

    def add(self, inputs: SceneInputs, options: RunOptions, out: Path) -> Job:
        """Queue a run. Raises RunBusy where its folder is there already or about to be."""
        refuse_existing(out)
        row = {
            "out": str(out.absolute()),
            "inputs": json.dumps(inputs.record(signed=True)),
            "options": json.dumps(asdict(options), default=_absolute),
            "device": options.device,
            "created": time(),
        }
        with self._file.transaction() as db:
            for other in db.execute("SELECT * FROM jobs WHERE out = :out", row):
                if other["state"] in ("queued", "running"):
                    raise RunBusy(
                        f"{out} is job {other['id']}, which is {other['state']}. Choose another "
                        "name, or cancel that job."
                    )
                self.log(other["id"]).unlink(missing_ok=True)  # its folder is gone: it is history
            db.execute("DELETE FROM jobs WHERE out = :out", row)
            names, values = ", ".join(row), ", ".join(f":{name}" for name in row)
            query = f"INSERT INTO jobs ({names}) VALUES ({values}) RETURNING *"
            return self._job(db.execute(query, row).fetchone())

    def jobs(self) -> list[Job]:
        """All jobs, oldest first."""
        return self._select("SELECT * FROM jobs ORDER BY id")

    def get(self, job_id: int) -> Job:
        """One job. Raises NoJob."""
        for job in self._select("SELECT * FROM jobs WHERE id = ?", job_id):
            return job
        raise NoJob(
            f"There is no job {job_id} in {self.folder}. See `landslide jobs list` for those "
            "that are there."
        )

    def waiting(self, device: str) -> bool:
        """Whether a worker of the device would find a job."""
        query = "SELECT * FROM jobs WHERE state = 'queued' AND device IN ('auto', ?) LIMIT 1"
        return bool(self._select(query, device))

    def claim(self, worker: Worker) -> Job | None:
        """Give the oldest waiting job to a worker; no two ever get the same."""
        return self._change(
            "state = 'running', cancelling = 0, attempts = attempts + 1, stage = '', rate = 0, "
            "error = NULL, finished = NULL, started = :now, heartbeat = :now, host = :host, "
            "pid = :pid, worker = :device",
            "id = (SELECT id FROM jobs WHERE state = 'queued' AND device IN ('auto', :device) "
            "ORDER BY id LIMIT 1)",
            **asdict(worker),
        )

    def begin(self, job: Job) -> None:
        """Note that what is in the job's folder from now on is its own. Raises RunBusy."""
        refuse_existing(job.out)
        self._change("begun = 1", _HIS, **_owner(job))

    def beat(self, job: Job, progress: tuple[str, int, int], rate: float) -> Job | None:
        """Say that the worker lives and how far it is; None where the job is no more its own."""
        stage, done, total = progress
        return self._change(
            "heartbeat = :now, stage = :stage, done = :done, total = :total, rate = :rate",
            _HIS,
            **_owner(job),
            stage=stage,
            done=done,
            total=total,
            rate=rate,
        )

    def finish(self, job: Job, state: str, error: str | None = None) -> bool:
        """End a job as its worker; False where it is no more its own."""
        change = "state = :state, cancelling = 0, rate = 0, finished = :now, error = :error"
        values = {"state": state, "error": error}
        if state == "done":  # signatures of addresses have served
            change += ", inputs = :inputs"
            values["inputs"] = json.dumps(job.inputs.record())
        return bool(self._change(change, _HIS, **_owner(job), **values))

    def release(self, job: Job) -> bool:
        """Put a job back as its worker, who leaves; that is no attempt of the job's."""
        return bool(self._change(f"{_BACK}, attempts = attempts - 1", _HIS, **_owner(job)))

    def cancel(self, job_id: int) -> Job:
        """Cancel a job: at once where it waits, by its worker where it runs. Raises NoJob."""
        found = self._change(
            "cancelling = (state = 'running'), "
            "finished = CASE state WHEN 'queued' THEN :now END, "
            "state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END",
            "id = :id AND state IN ('queued', 'running')",
            id=job_id,
        )
        return found or self._refuse(job_id, "queued or running", "cancelled")

    def retry(self, job_id: int) -> Job:
        """Queue a failed or cancelled job again; it goes on with what is done. Raises NoJob."""
        found = self._change(
            "state = 'queued', attempts = 0, error = NULL, finished = NULL",
            "id = :id AND state IN ('failed', 'cancelled')",
            id=job_id,
        )
        return found or self._refuse(job_id, "failed or cancelled", "retried")

    def forget(self, job_id: int) -> None:
        """Strike a job that is over from the list; its run folder stays. Raises NoJob."""
        if not self.get(job_id).over:
            self._refuse(job_id, "done, failed or cancelled", "forgotten")
        with self._file.transaction() as db:
            db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
        self.log(job_id).unlink(missing_ok=True)

    def recover(self, mine: str | None = None) -> None:
        """Queue jobs again whose worker died; `mine` is the device whose lock the caller holds.

        A worker of this host lives as long as the system keeps its lock (a process number may be
        somebody else's by now); one elsewhere as long as its heart beats.
        """
        for job in self._select("SELECT * FROM jobs WHERE state = 'running'"):
            if job.host != socket.gethostname():
                alive = time() - (job.heartbeat or 0) < STALE
            else:
                place = place_of(self.folder, job.worker or "")
                alive = job.worker != mine and is_held(place)
            if not alive:
                self._bury(job)

    def _bury(self, job: Job) -> None:
        if job.attempts < ATTEMPTS or job.cancelling:
            self._change(_BACK, _HIS, **_owner(job))
            return
        self.finish(
            job,
            "failed",
            f"The worker died {job.attempts} times over this run; no more attempts are made. What "
            "is done is kept: read the log, free some memory, then retry.",
        )

    def _refuse(self, job_id: int, wanted: str, what: str) -> Job:
        found = self.get(job_id)
        raise NoJob(f"Job {job_id} is {found.state}; only one {wanted} can be {what}.")

    def _select(self, query: str, *values: object) -> list[Job]:
        if not self._file.path.is_file():  # looking leaves nothing behind
            return []
        with self._file.transaction() as db:
            return [self._job(row) for row in db.execute(query, values)]

    def _change(self, change: str, where: str, **values: object) -> Job | None:
        if not self._file.path.is_file():
            return None
        with self._file.transaction() as db:
            query = f"UPDATE jobs SET {change} WHERE {where} RETURNING *"
            rows = db.execute(query, {**values, "now": time()}).fetchall()
        return self._job(rows[0]) if rows else None

    def _job(self, row: sqlite3.Row) -> Job:
        said: dict[str, Any] = {field.name: row[field.name] for field in fields(Job)}
        try:
            given, options = json.loads(said["inputs"]), json.loads(said["options"])
            said |= {
                "out": Path(said["out"]),
                "inputs": inputs_from(given),
                "options": RunOptions(**{**options, "bundle": Path(options["bundle"])}),
                "cancelling": bool(said["cancelling"]),
                "begun": bool(said["begun"]),
            }
        except (ValueError, KeyError, TypeError) as error:
            raise self._file.damaged(f"job {said['id']} does not read: {error}") from error
        return Job(**said)


def _owner(job: Job) -> dict[str, Any]:
    return {"id": job.id, "host": job.host, "pid": job.pid}


def _absolute(path: object) -> str:
    """A path for a process with another working folder; json's way to ask for a value."""
    if isinstance(path, Path):
        return str(path.absolute())
    raise TypeError(type(path).__name__)
