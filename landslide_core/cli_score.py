"""The commands that score: a bundle, a training's folds, a run."""

from pathlib import Path
from typing import Annotated

import typer

from landslide_core.bundle import load_bundle
from landslide_core.devices import resolve_device
from landslide_core.errors import DatasetError
from landslide_core.folder import open_run
from landslide_core.plan import DEFAULT_BUNDLE
from landslide_core.terminal import (
    BundleFolder,
    Device,
    DeviceName,
    Json,
    app,
    progress_bars,
    show,
)
from landslide_core.training.evaluate import (
    evaluate_ablated,
    evaluate_chips,
    evaluate_folds,
    evaluate_patches,
)
from landslide_core.training.score import score_run, score_table
from landslide_core.training.surrogate import read_table


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
