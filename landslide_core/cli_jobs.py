"""The commands of the job runner: `landslide jobs add`, `list`, `work` and so on."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, Any

import typer

from landslide_core.cli_scene import takes_scene
from landslide_core.job_log import in_words
from landslide_core.jobs import DEFAULT_QUEUE, Job, Queue
from landslide_core.launch import command, start_worker
from landslide_core.plan import DEFAULT_BUNDLE, RunOptions
from landslide_core.readers.given import SceneInputs
from landslide_core.terminal import (
    BackendKind,
    BackendName,
    BundleFolder,
    Device,
    DeviceName,
    Json,
    LeastSlope,
    MemoryLimit,
    Stride,
    StrideName,
    Workers,
    app,
    bytes_of,
    say,
    show,
)

jobs_app = typer.Typer(no_args_is_help=True, help="Queue runs, watch them, cancel them.")
app.add_typer(jobs_app, name="jobs")

Folder = Annotated[Path, typer.Option("--queue", help="Folder of the queue.")]
Number = Annotated[int, typer.Argument(metavar="ID", help="Number of the job.")]


@jobs_app.command()
@takes_scene
def add(
    out: Annotated[Path, typer.Option(help="New run folder.")],
    inputs: SceneInputs,
    stride: StrideName = Stride.whole,
    bundle: BundleFolder = DEFAULT_BUNDLE,
    device: DeviceName = Device.auto,
    backend: BackendName = BackendKind.auto,
    memory: MemoryLimit = None,
    workers: Workers = None,
    least_slope: LeastSlope = 0.0,
    start: Annotated[
        bool, typer.Option("--start", help="Start a worker in the background where there is none.")
    ] = False,
    queue: Folder = DEFAULT_QUEUE,
    as_json: Json = False,
) -> None:
    """Queue a run, with the options of `landslide predict`; a worker makes it."""
    limit = bytes_of(memory)
    options = RunOptions(
        bundle, int(stride), str(device), str(backend), limit, workers, least_slope
    )
    job = Queue(queue).add(inputs, options, out)
    if start:
        start_worker(queue, str(device))
    show({"job": job.id, "run": str(job.out), "state": job.state}, as_json)


@jobs_app.command("list")
def list_command(queue: Folder = DEFAULT_QUEUE, as_json: Json = False) -> None:
    """One line a job, oldest first: number, state, how far it is, its run."""
    found = _recovered(queue).jobs()
    if as_json:
        show({"jobs": [_record(job) for job in found]}, True)
        return
    for job in found:
        typer.echo(f"{job.id:>4}  {job.state:9}  {_far(job):44}  {job.out}")
    if not found:
        say(f"There are no jobs in {queue}")


@jobs_app.command("show")
def show_command(job: Number, queue: Folder = DEFAULT_QUEUE, as_json: Json = False) -> None:
    """Everything known of a job."""
    show(_record(_recovered(queue).get(job)), as_json)


@jobs_app.command()
def cancel(job: Number, queue: Folder = DEFAULT_QUEUE) -> None:
    """Stop a job, waiting or running; what is done is kept for `landslide jobs retry`."""
    jobs = _recovered(queue)
    found = jobs.cancel(job)
    end = monotonic() + 3
    while not found.over and monotonic() < end:
        sleep(0.1)
        found = jobs.get(job)
    _tell(found)


@jobs_app.command()
def retry(job: Number, queue: Folder = DEFAULT_QUEUE) -> None:
    """Queue a failed or cancelled job again; it goes on with what is done."""
    _tell(Queue(queue).retry(job))


@jobs_app.command()
def log(
    job: Number,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job is over.")] = False,
    queue: Folder = DEFAULT_QUEUE,
) -> None:
    """Print what a job's worker told."""
    jobs = _recovered(queue)
    read = 0
    while True:
        over = jobs.get(job).over  # asked first: what is told before the end is still printed
        if (path := jobs.log(job)).is_file():
            with path.open("rb") as file:
                file.seek(read)
                told = file.read()
            read += len(told)
            typer.echo(told.decode(errors="replace"), nl=False)
        if over or not follow:
            return
        sleep(0.5)
        jobs.recover()


@jobs_app.command("work")
def work_command(
    device: DeviceName = Device.auto,
    once: Annotated[bool, typer.Option("--once", help="Leave after one job.")] = False,
    idle: Annotated[
        float | None, typer.Option(min=0, help="Leave after as many seconds without a job.")
    ] = None,
    queue: Folder = DEFAULT_QUEUE,
) -> None:
    """Make the runs of the queue, one after the other, until stopped: one worker a device."""
    from landslide_core.worker import work  # torch, which the queue's other commands don't need

    again = command(queue, str(device), idle)
    work(queue, str(device), once, idle, again=again)


def _recovered(folder: Path) -> Queue:
    """The queue, jobs of dead workers waiting again."""
    queue = Queue(folder)
    queue.recover()
    return queue


def _tell(job: Job) -> None:
    show({"job": job.id, "run": str(job.out), "state": job.state}, False)


def _far(job: Job) -> str:
    """How far a job is, or why it is no further."""
    if job.state == "failed":
        return "see `landslide jobs show`"
    if job.state == "running" and job.stage != "detect":
        return job.stage or "reading the files"
    text = f"{job.done:,} of {job.total:,} tiles" if job.total else ""
    if job.state == "running" and job.left is not None:
        text += f", {job.rate:.1f}/s, {in_words(job.left)} left"
    return text


def _record(job: Job) -> dict[str, Any]:
    """A job as JSON: times in ISO format, paths as text, what is unknown left out."""
    record = asdict(job) | {"left": job.left}
    for name in ("created", "started", "finished", "heartbeat"):
        if record[name] is not None:
            then = datetime.fromtimestamp(record[name]).astimezone()
            record[name] = then.isoformat(timespec="seconds")
    del record["inputs"]
    record |= job.inputs.record()  # addresses without their signatures
    record |= record.pop("options")
    record = {name: str(v) if isinstance(v, Path) else v for name, v in record.items()}
    return {name: value for name, value in record.items() if value not in (None, [], "")}
