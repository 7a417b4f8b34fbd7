"""The commands that judge: a scene, or patches, and a run that goes on."""

from pathlib import Path
from typing import Annotated

import typer

from landslide_core.bundle import load_bundle
from landslide_core.cli_scene import takes_scene
from landslide_core.devices import resolve_device
from landslide_core.errors import CannotWrite, DatasetError
from landslide_core.folder import refuse_existing
from landslide_core.judgement import VERDICTS
from landslide_core.outputs import write_predictions
from landslide_core.plan import DEFAULT_BUNDLE, RunOptions
from landslide_core.readers.given import ROLES, SceneInputs
from landslide_core.runs import predict_scene, resume_run
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
    progress_bars,
    say,
    show,
)
from landslide_core.training.evaluate import judge_folder


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
def resume(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    memory: MemoryLimit = None,
    workers: Workers = None,
    device: DeviceName = Device.auto,
    as_json: Json = False,
) -> None:
    """Go on with a run that was interrupted, or make a damaged one whole again."""
    with progress_bars() as progress:
        made = resume_run(run, progress, None, bytes_of(memory), workers, device)
    show(made.meta if as_json else {"run": str(run), **made.meta["counts"]}, as_json)
