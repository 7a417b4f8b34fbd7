"""The `landslide` command: parse, call the core, print; every decision lies in the core."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from landslide_core import (  # noqa: F401  commands that join in
    cli_deliver,
    cli_estimate,
    cli_jobs,
    cli_look,
    cli_review,
    cli_runs,
    cli_search,
    cli_training,
)
from landslide_core.bundle import load_bundle
from landslide_core.cli_scene import takes_scene
from landslide_core.detect import VERDICTS
from landslide_core.doctor import examine
from landslide_core.errors import CannotWrite, DatasetError, LandslideError
from landslide_core.folder import open_run, refuse_existing
from landslide_core.outputs import write_predictions
from landslide_core.plan import DEFAULT_BUNDLE, RunOptions
from landslide_core.readers.given import ROLES, SceneInputs
from landslide_core.runs import predict_scene, resolve_device
from landslide_core.simulate import SimulationOptions, simulate, write_scene
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
    err,
    progress_bars,
    say,
    show,
)
from landslide_core.training.evaluate import (
    evaluate_ablated,
    evaluate_chips,
    evaluate_folds,
    evaluate_patches,
    judge_folder,
)
from landslide_core.training.score import score_run, score_table
from landslide_core.training.surrogate import read_table


def main() -> None:
    """Run the command; what a user can mend is one line on standard error and exit code 2."""
    try:
        app()
    except LandslideError as error:
        line = " ".join(str(error).split())  # libraries' own messages may hold line breaks
        say(f"landslide: {line}")
        sys.exit(2)


@app.command()
@takes_scene
def predict(
    out: Annotated[Path, typer.Option(help="New run folder; with --patches a CSV file.")],
    inputs: SceneInputs,
    patches: Annotated[
        Path | None, typer.Option(help="Folder of challenge patches, instead of a scene.")
    ] = None,
    stride: StrideName = Stride.whole,
    bundle: BundleFolder = DEFAULT_BUNDLE,
    device: DeviceName = Device.auto,
    backend: BackendName = BackendKind.auto,
    memory: MemoryLimit = None,
    workers: Workers = None,
    least_slope: LeastSlope = 0.0,
    as_json: Json = False,
) -> None:
    """Judge a scene tile by tile and write a run folder, or judge challenge patches."""
    if patches is not None:
        if any(map(inputs.given, ROLES)):
            raise DatasetError(
                "Both --patches and scene files were given; one of them is needed. Leave one out."
            )
        _predict_patches(patches, out, bundle, device, as_json)
        return
    options = RunOptions(
        bundle, int(stride), device, backend, bytes_of(memory), workers, least_slope
    )
    with progress_bars() as progress:
        run = predict_scene(inputs, options, out, progress)
    for warning in run.meta["warnings"]:
        say(f"warning: {warning}")
    told = {"run": str(out), **run.meta["counts"]}
    if least_slope:
        told["alarms"] = run.meta["slope_mask"]["alarms"]
    show(run.meta if as_json else told, as_json)


def _predict_patches(folder: Path, out: Path, bundle: Path, device: Device, as_json: bool) -> None:
    refuse_existing(out)
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise CannotWrite(
            f"{out} is a folder or lies in none; a CSV file in an existing folder is needed. "
            "Choose another --out."
        )
    loaded = load_bundle(bundle)
    with progress_bars() as progress:
        ids, judgement = judge_folder(folder, loaded, resolve_device(device), progress)
    write_predictions(out, ids, judgement)
    counts = {name: int((judgement.verdict == i).sum()) for i, name in enumerate(VERDICTS)}
    show({"predictions": str(out), "patches": len(ids), **counts}, as_json)


@app.command()
def evaluate(
    patches: Annotated[Path | None, typer.Option(help="Folder of patches, ID.npy each.")] = None,
    labels: Annotated[Path | None, typer.Option(help="CSV with columns ID and label.")] = None,
    ablation: Annotated[bool, typer.Option(help="With --patches: also with inputs missing.")] = (
        False
    ),
    chips: Annotated[
        Path | None, typer.Option(help="Folder of Landslide4Sense chips, img/ and mask/.")
    ] = None,
    folds: Annotated[
        Path | None, typer.Option(help="Folder of a finished training's folds, under its --work.")
    ] = None,
    prepared: Annotated[
        Path | None, typer.Option(help="With --folds: the patches it was trained on.")
    ] = None,
    bundle: BundleFolder = DEFAULT_BUNDLE,
    device: DeviceName = Device.auto,
    as_json: Json = False,
) -> None:
    """Score the two-stage system: a bundle on --patches or --chips, a training on its --folds.

    With --folds every fold's own filter, member and calibration judge the rows they never saw:
    the nested figures of the model card.
    """
    if [patches, chips, folds].count(None) != 2:
        raise DatasetError("One of --patches, --chips and --folds is needed. Give one of them.")
    where = resolve_device(device)
    with progress_bars() as progress:
        if folds is not None:
            if prepared is None:
                raise DatasetError(
                    "--folds was given alone; the patches are needed. Add --prepared."
                )
            found = evaluate_folds(folds, prepared, where, progress)
        elif chips is not None:
            found = evaluate_chips(chips, load_bundle(bundle), where)
        elif patches is not None:
            if labels is None:
                raise DatasetError("--patches was given alone; labels are needed. Add --labels.")
            score = evaluate_ablated if ablation else evaluate_patches
            found = score(patches, labels, load_bundle(bundle), where, progress)
    show(found, as_json)


@app.command("score-table")
def score_table_command(
    table: Annotated[Path, typer.Argument(help="CSV in the format of band_statistics.csv.")],
    bundle: BundleFolder = DEFAULT_BUNDLE,
    as_json: Json = False,
) -> None:
    """Score stage 1 alone on a labelled table of band statistics."""
    show(score_table(load_bundle(bundle).prefilter, read_table(table)), as_json)


@app.command("score-run")
def score_run_command(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    truth: Annotated[Path, typer.Option(help="Outlines of landslides, any vector format.")],
    as_json: Json = False,
) -> None:
    """Score a run's verdicts against known outlines of landslides."""
    show(score_run(open_run(run), truth), as_json)


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Folder for the scene.")] = Path("sample_data"),
    seed: int = 7,
) -> None:
    """Simulate the sample scene: terrain, Sentinel-2 and -1 images, landslides, outlines."""
    with err.status("simulating"):
        files = write_scene(simulate(SimulationOptions(seed=seed)), out, seed)
    show({file.name: f"{file.stat().st_size / 1e6:.2f} MB" for file in files}, False)


@app.command()
def doctor(bundle: BundleFolder = DEFAULT_BUNDLE) -> None:
    """Print versions, devices and drivers, and what is missing."""
    report = examine(bundle)
    show(report.facts, False)
    for line in report.missing:
        say(f"missing: {line}")
    raise typer.Exit(1 if report.missing else 0)
