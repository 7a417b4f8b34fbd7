"""The commands that make a bundle: surrogate patches, preparation, fitting."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from landslide_core.bundle import load_bundle
from landslide_core.devices import resolve_device
from landslide_core.export import export_onnx
from landslide_core.network import NetworkOptions
from landslide_core.plan import DEFAULT_BUNDLE
from landslide_core.terminal import (
    BundleFolder,
    Device,
    DeviceName,
    Json,
    app,
    progress_bars,
    say,
    show,
)
from landslide_core.training.compare import (
    Comparison,
    compare_networks,
    comparison_table,
    summary,
)
from landslide_core.training.crossvalidate import Plan
from landslide_core.training.filter_folds import FilterPlan, train_filter
from landslide_core.training.options import FilterOptions, TrainOptions
from landslide_core.training.prepare import PrepareInputs, is_prepared, load_prepared, prepare
from landslide_core.training.search import SearchOptions
from landslide_core.training.search import tune as tune_options
from landslide_core.training.ship import headline, train_bundle
from landslide_core.training.surrogate import write_surrogates
from landslide_core.training.table import features_of_table
from landslide_core.training.train import TrainInputs, load_sources
from landslide_core.training.tuned import read_options, write_options

_PANEL = "Training"

Patches = Annotated[
    Path, typer.Argument(help="Folder of raw patches, or what `landslide prepare` made of them.")
]
Labels = Annotated[
    Path | None, typer.Option(help="CSV with ID and label; default: labels.csv beside the patches.")
]
Table = Annotated[
    Path | None,
    typer.Option(help="Band statistics of surrogate patches, the real thing, for the filter."),
]

Prepared = Annotated[Path, typer.Argument(help="Folder that `landslide prepare` wrote.")]
Chips = Annotated[Path | None, typer.Option(help="Landslide4Sense chips to train on beside.")]
Scenes = Annotated[int, typer.Option(help="Simulated scenes to train on beside.")]
Options = Annotated[Path | None, typer.Option(help="Options that `landslide tune` found best.")]


@app.command(rich_help_panel=_PANEL)
def surrogate(
    table: Annotated[Path, typer.Argument(help="CSV in the format of band_statistics.csv.")],
    out: Annotated[Path, typer.Option(help="New folder for the patches.")],
    seed: int = 7,
    workers: int = 2,
) -> None:
    """Write patches that reproduce each row's statistics; labels are never looked at."""
    with progress_bars() as progress:
        write_surrogates(table, out, seed, workers, lambda d, n: progress("surrogate", d, n))
    show({"patches": str(out)}, False)


@app.command("prepare", rich_help_panel=_PANEL)
def prepare_command(
    patches: Annotated[Path, typer.Argument(help="Folder of raw patches, ID.npy each.")],
    labels: Annotated[Path, typer.Option(help="CSV with columns ID and label.")],
    out: Annotated[Path, typer.Option(help="Folder to write; rerun to go on where it was cut.")],
    as_json: Json = False,
) -> None:
    """Turn raw patches into what both stages are fitted on, once, for any number of trainings."""
    with progress_bars() as progress:
        prepared = prepare(PrepareInputs(patches, labels), out, progress)
    if not prepared.fresh:
        say(f"{out} was prepared from these files before; nothing was left to do")
    found = {"patches": prepared.patches, "positives": prepared.positives}
    show({"prepared": str(out), **found}, as_json)


@app.command("train-filter", rich_help_panel=_PANEL)
def train_filter_command(
    prepared: Prepared,
    out: Annotated[Path, typer.Option(help="JSON file to write: trees and thresholds.")],
    table: Table = None,
    folds: Annotated[int, typer.Option(help="Outer folds that the figures are from.")] = 10,
    work: Annotated[
        Path | None, typer.Option(help="Folder for the scores of finished folds; rerun to resume.")
    ] = None,
    seed: int = 0,
    as_json: Json = False,
) -> None:
    """Fit stage 1 alone on all rows; its figures come from folds that it never saw."""
    plan = FilterPlan(FilterOptions(seed=seed), folds, work)
    patches = load_prepared(prepared)
    if table is not None:
        patches = replace(patches, features=features_of_table(table, patches))
    show({"filter": str(out), **train_filter(patches, plan, out, say)}, as_json)


@app.command(rich_help_panel=_PANEL)
def train(
    patches: Patches,
    out: Annotated[Path, typer.Option(help="Bundle folder to write.")],
    work: Annotated[Path, typer.Option(help="Folder for checkpoints; rerun to resume.")],
    labels: Labels = None,
    table: Table = None,
    chips: Chips = None,
    scenes: Scenes = TrainInputs.scenes,
    members: Annotated[int, typer.Option(help="Folds, and members of the ensemble.")] = 10,
    epochs: int = TrainOptions.epochs,
    voice_epochs: int = TrainOptions.voice_epochs,
    options: Options = None,
    workers: Annotated[int, typer.Option(help="Folds fitted at once; results are the same.")] = 1,
    seed: int = 0,
    device: DeviceName = Device.auto,
    as_json: Json = False,
) -> None:
    """Fit filter and ensemble by cross-validation; write a bundle with its measured card."""
    inputs = TrainInputs(_prepared(patches, labels, work), table, scenes, chips)
    plan = _plan(members, epochs, voice_epochs, seed)
    plan, tuning = read_options(options, plan) if options else (plan, None)
    bundle = train_bundle(inputs, plan, out, work, resolve_device(device), say, workers, tuning)
    show({"bundle": str(out), "sha256": bundle.sha256, **headline(bundle.card)}, as_json)


@app.command(rich_help_panel=_PANEL)
def tune(
    prepared: Prepared,
    out: Annotated[Path, typer.Option(help="JSON file to write, for `landslide train --options`.")],
    storage: Annotated[Path, typer.Option(help="SQLite file of the study; rerun to go on.")],
    trials: Annotated[
        int, typer.Option(min=1, help="Trials in all, those of earlier runs among them.")
    ] = SearchOptions.trials,
    chips: Chips = None,
    scenes: Scenes = TrainInputs.scenes,
    share: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Of the rows, kept for tuning alone.")
    ] = SearchOptions.share,
    folds: Annotated[int, typer.Option(min=2)] = SearchOptions.folds,
    epochs: int = TrainOptions.epochs,
    voice_epochs: int = TrainOptions.voice_epochs,
    seed: int = 0,
    device: DeviceName = Device.auto,
    as_json: Json = False,
) -> None:
    """Choose the ensemble's options on a fixed share of the rows, kept out of every figure."""
    sources = load_sources(TrainInputs(prepared, None, scenes, chips))
    plan = _plan(2, epochs, voice_epochs, seed)
    search = SearchOptions(trials, share, folds, seed=seed)
    chosen, tuning = tune_options(sources, plan, search, storage, resolve_device(device), say)
    write_options(out, chosen, tuning)
    show({"options": str(out), **asdict(tuning), **chosen}, as_json)


@app.command(rich_help_panel=_PANEL)
def compare(
    prepared: Prepared,
    work: Annotated[Path, typer.Option(help="--work of the training to compare with.")],
    out: Annotated[Path, typer.Option(help="Folder for each fold's figures; rerun to resume.")],
    folds: Annotated[str, typer.Option(help="Folds to compare, from 0 on: 0,1,2")] = "0",
    table: Table = None,
    chips: Chips = None,
    scenes: Scenes = TrainInputs.scenes,
    members: Annotated[int, typer.Option(help="Folds of the training.")] = TrainOptions.members,
    epochs: int = TrainOptions.epochs,
    voice_epochs: int = TrainOptions.voice_epochs,
    options: Options = None,
    seed: int = 0,
    device: DeviceName = Device.auto,
    as_json: Json = False,
) -> None:
    """Fit the reference network in a training's folds and set it beside ours: scores and cost.

    Data and options must be those that `landslide train` had.
    """
    plan = _plan(members, epochs, voice_epochs, seed)
    plan = read_options(options, plan)[0] if options else plan
    inputs = TrainInputs(prepared, table, scenes, chips)
    asked = Comparison(_numbers(folds), work, out)
    found = compare_networks(inputs, plan, asked, resolve_device(device), say)
    if as_json:
        show(summary(found), as_json)
    else:
        typer.echo(comparison_table(found))


def _plan(members: int, epochs: int, voice_epochs: int, seed: int) -> Plan:
    return Plan(
        NetworkOptions(),
        TrainOptions(members=members, epochs=epochs, voice_epochs=voice_epochs, seed=seed),
        FilterOptions(seed=seed),
    )


def _numbers(text: str) -> tuple[int, ...]:
    """Whole numbers between commas. Raises BadParameter."""
    try:
        return tuple(int(word) for word in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no list of folds; numbers such as 0,1,2 are needed."
        ) from error


def _prepared(patches: Path, labels: Path | None, work: Path) -> Path:
    """The folder itself where it was prepared; raw patches are prepared under `work` first."""
    if is_prepared(patches):
        return patches
    found = labels or patches / "labels.csv"  # where `landslide surrogate` puts them
    with progress_bars() as progress:
        prepare(PrepareInputs(patches, found), work / "prepared", progress)
    return work / "prepared"


@app.command(rich_help_panel=_PANEL)
def export(
    out: Annotated[Path, typer.Option(help="ONNX file to write.")],
    raster: Annotated[
        bool, typer.Option(help="Take reflectance and dB instead of prepared model inputs.")
    ] = False,
    bundle: BundleFolder = DEFAULT_BUNDLE,
) -> None:
    """Write the ensemble as one ONNX file, checked against the networks it came from."""
    path = export_onnx(load_bundle(bundle), out, raster=raster)
    show({"onnx": str(path), "megabytes": path.stat().st_size / 1e6}, False)
