"""The `landslide` command: parse, call the core, print; every decision lies in the core."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from math import isnan
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from landslide_core.bundle import load_bundle
from landslide_core.detect import VERDICTS
from landslide_core.doctor import examine
from landslide_core.errors import CannotWrite, DatasetError, LandslideError
from landslide_core.outputs import write_predictions
from landslide_core.readers.inputs import SceneInputs
from landslide_core.readers.patches import list_patches
from landslide_core.runs import (
    DEFAULT_BUNDLE,
    RunOptions,
    open_run,
    predict_scene,
    refuse_existing,
    resolve_device,
)
from landslide_core.simulate import SimulationOptions, simulate, write_scene
from landslide_core.training.crossvalidate import judge_folder, judgement_scores
from landslide_core.training.dataset import labels_of
from landslide_core.training.fit import TrainOptions
from landslide_core.training.score import score_run, score_table
from landslide_core.training.ship import TrainInputs, plan_of, train_bundle
from landslide_core.training.surrogate import read_table, write_surrogates

app = typer.Typer(
    help="Detect landslides in Sentinel-2 and Sentinel-1 scenes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_err = Console(stderr=True)


class Stride(StrEnum):
    """Pixels from one tile to the next."""

    whole = "64"
    half = "32"


class Device(StrEnum):
    """Where the networks run."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


Files = Annotated[list[Path], typer.Option(help="Repeatable: one file a band or polarisation.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
BundleFolder = Annotated[Path, typer.Option("--bundle", help="Folder of the model bundle.")]
DeviceName = Annotated[Device, typer.Option(help="Where the networks run.")]


def main() -> None:
    """Run the command; what a user can mend is one line on standard error and exit code 2."""
    try:
        app()
    except LandslideError as error:
        line = " ".join(str(error).split())  # libraries' own messages may hold line breaks
        _err.print(f"landslide: {line}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


@app.command()
def predict(
    out: Annotated[Path, typer.Option(help="New run folder; with --patches a CSV file.")],
    s2: Files = [],  # noqa: B006  typer copies the default
    s1_desc_pre: Files = [],  # noqa: B006
    s1_desc_post: Files = [],  # noqa: B006
    s1_asc_pre: Files = [],  # noqa: B006
    s1_asc_post: Files = [],  # noqa: B006
    s2_bands: Annotated[
        str | None, typer.Option(help="Band names of an unnamed stack: B02,B03,B04,B08.")
    ] = None,
    s2_offset: Annotated[
        float | None, typer.Option(help="Number to add to optical values, e.g. -1000 or 0.")
    ] = None,
    patches: Annotated[
        Path | None, typer.Option(help="Folder of challenge patches, instead of a scene.")
    ] = None,
    stride: Annotated[Stride, typer.Option(help="Pixels from tile to tile.")] = Stride.whole,
    bundle: BundleFolder = DEFAULT_BUNDLE,
    device: DeviceName = Device.auto,
    as_json: Json = False,
) -> None:
    """Judge a scene tile by tile and write a run folder, or judge challenge patches."""
    if patches is not None:
        if s2 or s1_desc_pre or s1_desc_post or s1_asc_pre or s1_asc_post:
            raise DatasetError(
                "Both --patches and scene files were given; one of them is needed. Leave one out."
            )
        _predict_patches(patches, out, bundle, device, as_json)
        return
    inputs = SceneInputs(
        s2=tuple(s2),
        desc_pre=tuple(s1_desc_pre),
        desc_post=tuple(s1_desc_post),
        asc_pre=tuple(s1_asc_pre),
        asc_post=tuple(s1_asc_post),
        s2_bands=tuple(s2_bands.split(",")) if s2_bands else None,
        s2_offset=s2_offset,
    )
    with _progress() as progress:
        run = predict_scene(inputs, RunOptions(bundle, int(stride), device), out, progress)
    for warning in run.meta["warnings"]:
        _err.print(f"warning: {warning}", markup=False, highlight=False, soft_wrap=True)
    _show(run.meta if as_json else {"run": str(out), **run.meta["counts"]}, as_json)


def _predict_patches(folder: Path, out: Path, bundle: Path, device: Device, as_json: bool) -> None:
    refuse_existing(out)
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise CannotWrite(
            f"{out} is a folder or lies in none; a CSV file in an existing folder is needed. "
            "Choose another --out."
        )
    loaded = load_bundle(bundle)
    with _progress() as progress:
        ids, judgement = judge_folder(folder, loaded, resolve_device(device), progress)
    write_predictions(out, ids, judgement)
    counts = {name: int((judgement.verdict == i).sum()) for i, name in enumerate(VERDICTS)}
    _show({"predictions": str(out), "patches": len(ids), **counts}, as_json)


@app.command()
def evaluate(
    patches: Annotated[Path, typer.Option(help="Folder of patches, ID.npy each.")],
    labels: Annotated[Path, typer.Option(help="CSV with columns ID and label.")],
    bundle: BundleFolder = DEFAULT_BUNDLE,
    device: DeviceName = Device.auto,
    as_json: Json = False,
) -> None:
    """Score the whole two-stage system on labelled patches."""
    loaded = load_bundle(bundle)
    truth = labels_of([path.stem for path in list_patches(patches)], labels)
    with _progress() as progress:
        _, judgement = judge_folder(patches, loaded, resolve_device(device), progress)
    _show(judgement_scores(judgement, truth), as_json)


@app.command("score-table")
def score_table_command(
    table: Annotated[Path, typer.Argument(help="CSV in the format of band_statistics.csv.")],
    bundle: BundleFolder = DEFAULT_BUNDLE,
    as_json: Json = False,
) -> None:
    """Score stage 1 alone on a labelled table of band statistics."""
    _show(score_table(load_bundle(bundle).prefilter, read_table(table)), as_json)


@app.command("score-run")
def score_run_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    truth: Annotated[Path, typer.Option(help="Outlines of landslides, any vector format.")],
    as_json: Json = False,
) -> None:
    """Score a run's verdicts against known outlines of landslides."""
    _show(score_run(open_run(run), truth), as_json)


@app.command()
def surrogate(
    table: Annotated[Path, typer.Argument(help="CSV in the format of band_statistics.csv.")],
    out: Annotated[Path, typer.Option(help="New folder for the patches.")],
    seed: int = 7,
    workers: int = 2,
) -> None:
    """Write patches that reproduce each row's statistics; labels are never looked at."""
    with _progress() as progress:
        write_surrogates(table, out, seed, workers, lambda d, n: progress("surrogate", d, n))
    _show({"patches": str(out)}, False)


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Folder for the scene.")] = Path("sample_data"),
    seed: int = 7,
) -> None:
    """Simulate the sample scene: terrain, Sentinel-2 and -1 images, landslides, outlines."""
    with _err.status("simulating"):
        files = write_scene(simulate(SimulationOptions(seed=seed)), out, seed)
    _show({file.name: f"{file.stat().st_size / 1e6:.2f} MB" for file in files}, False)


@app.command()
def train(
    table: Annotated[Path, typer.Argument(help="Band statistics with labels, for the filter.")],
    patches: Annotated[Path, typer.Option(help="Patches of the same IDs, for the ensemble.")],
    out: Annotated[Path, typer.Option(help="Bundle folder to write.")],
    work: Annotated[Path, typer.Option(help="Folder for checkpoints; rerun to resume.")],
    members: Annotated[int, typer.Option(help="Folds, and members of the ensemble.")] = 10,
    epochs: int = TrainOptions.epochs,
    scenes: Annotated[int, typer.Option(help="Simulated scenes to train on beside.")] = 8,
    seed: int = 0,
    device: DeviceName = Device.auto,
) -> None:
    """Fit filter and ensemble by cross-validation; write a bundle with its measured card."""
    inputs = TrainInputs(table, patches, scenes)
    train_bundle(inputs, plan_of(members, epochs, seed), out, work, resolve_device(device), _say)


@app.command()
def doctor(bundle: BundleFolder = DEFAULT_BUNDLE) -> None:
    """Print versions, devices and drivers, and what is missing."""
    report = examine(bundle)
    _show(report.facts, False)
    for line in report.missing:
        _err.print(f"missing: {line}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(1 if report.missing else 0)


def _say(line: str) -> None:
    _err.print(line, markup=False, highlight=False, soft_wrap=True)


def _show(result: Mapping[str, Any], as_json: bool) -> None:
    """Print a result to standard output, as JSON or as one line a figure."""
    if as_json:
        # NaN, an undefined score, is no JSON.
        plain = {k: None if isinstance(v, float) and isnan(v) else v for k, v in result.items()}
        typer.echo(json.dumps(plain, indent=1, allow_nan=False))
        return
    flat = dict(_flattened(result))
    width = max(map(len, flat))
    for name, value in flat.items():
        typer.echo(
            f"{name:{width}}  {value:.4f}"
            if isinstance(value, float)
            else f"{name:{width}}  {value}"
        )


def _flattened(result: Mapping[str, Any], under: str = "") -> Iterator[tuple[str, Any]]:
    """Every figure of a nested result, named by the way to it."""
    for name, value in result.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{under}{name} ")
        else:
            yield f"{under}{name}", value


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error for the stage under way."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err, transient=True, disable=not _err.is_terminal) as bars:
        tasks = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total)
            bars.update(tasks[stage], completed=done)

        yield advance
