"""What the commands share: the application, its options, how it prints."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from math import isnan
from pathlib import Path
from re import fullmatch
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from landslide_core.errors import NoMemory

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
err = Console(stderr=True)


@app.callback()
def landslide() -> None:
    """Detect landslides in Sentinel-2 and Sentinel-1 scenes."""
    # Where one command alone is imported, typer would else take it for the whole application.


class Device(StrEnum):
    """Where the networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class Stride(StrEnum):
    """Pixels from one tile to the next."""

    whole = "64"
    half = "32"


class BackendKind(StrEnum):
    """What computes the networks; auto is the fastest that is installed."""

    auto = "auto"
    torch = "torch"
    onnx = "onnx"
    openvino = "openvino"


StrideName = Annotated[Stride, typer.Option(help="Pixels from tile to tile.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
BundleFolder = Annotated[Path, typer.Option("--bundle", help="Folder of the model bundle.")]
DeviceName = Annotated[Device, typer.Option(help="Where the networks run.")]
BackendName = Annotated[BackendKind, typer.Option("--backend", help="What computes the votes.")]
MemoryLimit = Annotated[
    str | None, typer.Option("--memory", help="Memory the run may take: 1500M, 4G.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Parts under way at once; as many as cores by itself.")
]
LeastSlope = Annotated[
    float,
    typer.Option("--least-slope", min=0, max=45, help="Degrees; flatter tiles raise no alarm."),
]


def bytes_of(size: str | None) -> int | None:
    """The number of bytes in a size like 1500M or 4G. Raises NoMemory for anything else."""
    if size is None:
        return None
    match = fullmatch(r"(\d+(?:\.\d+)?)([MG])B?", size.strip().upper())
    if not match:
        raise NoMemory(f"{size!r} is no size; one like 1500M or 4G is needed. Correct --memory.")
    return int(float(match[1]) * {"M": 1e6, "G": 1e9}[match[2]])


def say(line: str) -> None:
    """Print one line to standard error, as it is."""
    err.print(line, markup=False, highlight=False, soft_wrap=True)


def show(result: Mapping[str, Any], as_json: bool) -> None:
    """Print a result to standard output, as JSON or as one line a figure."""
    if as_json:
        typer.echo(json.dumps(_plain(result), indent=1, allow_nan=False))
        return
    flat = dict(_flattened(result))
    width = max(map(len, flat))
    for name, value in flat.items():
        typer.echo(
            f"{name:{width}}  {value:.4f}"
            if isinstance(value, float)
            else f"{name:{width}}  {value}"
        )


def _plain(value: Any) -> Any:
    """A result without NaN, an undefined score, which is no JSON."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and isnan(value) else value


def _flattened(result: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure of a nested result, named by the way to it."""
    for name, value in result.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{under}{name} ")
        else:
            yield f"{under}{name}", value


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error for the stage under way."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        tasks = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield advance
