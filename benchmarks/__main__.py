"""`python -m benchmarks`: parse, measure, keep the figures, print."""

import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.agreement import agree, sets_of
from benchmarks.crashes import Crashes, crash
from benchmarks.floor import measure_peak, threads
from benchmarks.report import report as report_of
from benchmarks.results import FOLDER, keep
from benchmarks.scene import SceneOptions, scene_inputs, write_scene
from benchmarks.stages import StageOptions, make_stages
from benchmarks.timing import alternate
from benchmarks.whole import SIZES, figures_of, predict, summary
from landslide_core.bundle import load_bundle
from landslide_core.errors import LandslideError
from landslide_core.plan import DEFAULT_BUNDLE, RunOptions
from landslide_core.readers.given import ROLES, SceneInputs
from landslide_core.terminal import (
    BackendKind,
    BackendName,
    BundleFolder,
    Device,
    DeviceName,
    err,
    say,
    show,
)

app = typer.Typer(
    help="Measure landslide against the reference's way, the machine's floor, and growth.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Scenes = Annotated[Path, typer.Option(help="Folder of benchmark scenes, one folder a size.")]
Results = Annotated[Path, typer.Option(help="Folder that figures are kept in.")]
SCENES = Path("benchmarks/scenes")


def main() -> None:
    """Run the command; what a user can mend is one line on standard error and exit code 2."""
    try:
        app()
    except LandslideError as error:
        say(f"benchmarks: {' '.join(str(error).split())}")
        sys.exit(2)


@app.command()
def scene(out: Path, size: int = 10_980, seed: int = 7) -> None:
    """Write a simulated scene of size × size pixels, unless it is there already."""
    with err.status("simulating"):
        inputs = write_scene(out, SceneOptions(size, seed))
    files = [Path(path) for role in ROLES for path in inputs.given(role)]
    show({file.name: f"{file.stat().st_size / 1e6:.1f} MB" for file in files}, False)


@app.command()
def floor(results: Results = FOLDER) -> None:
    """Measure the matrix product's peak on one thread."""
    by_size = measure_peak()
    figures = {"by_size": by_size, "peak": max(by_size.values())}
    keep("floor", figures, results)
    show({"GFLOP/s": {side: 2 * rate / 1e9 for side, rate in by_size.items()}}, False)


@app.command()
def stages(
    size: Annotated[int, typer.Option(help="Pixels a side of the scene.")] = 1000,
    rounds: Annotated[int, typer.Option(help="How often both ways take turns.")] = 3,
    tiles: Annotated[int, typer.Option(help="Tiles of the ensemble stage.")] = 32,
    only: Annotated[list[str], typer.Option(help="Repeatable: stages to time.")] = [],  # noqa: B006
    thread_count: Annotated[int, typer.Option("--threads", help="Of torch.")] = 1,
    bundle: BundleFolder = DEFAULT_BUNDLE,
    device: DeviceName = Device.cpu,
    scenes: Scenes = SCENES,
    results: Results = FOLDER,
) -> None:
    """Time every stage the reference's way and ours, in turns, in this process."""
    options = StageOptions(ensemble=tiles, device=device)
    with threads(thread_count), err.status("measuring") as status:
        peak = max(measure_peak().values())
        made = make_stages(_written(scenes, size), load_bundle(bundle), options)
        found = {}
        for stage in made:
            if only and stage.name not in only:
                continue
            status.update(stage.name)
            found[stage.name] = alternate(stage, rounds).figures(peak)
    figures = {"stages": found, "threads": thread_count, "device": device, "scene": size}
    keep("stages", figures | {"peak": peak, "options": asdict(options)}, results)
    show(
        {name: {"CPU ratio": one["cpu_ratio"], **one["ours"]} for name, one in found.items()}, False
    )


@app.command()
def whole(
    size: Annotated[list[int], typer.Option(help="Repeatable: pixels a side.")] = list(SIZES),  # noqa: B006
    extra: Annotated[
        list[str], typer.Option(help="Repeatable: passed to `landslide predict` as it is.")
    ] = [],  # noqa: B006
    bundle: BundleFolder = DEFAULT_BUNDLE,
    device: DeviceName = Device.cpu,
    scenes: Scenes = SCENES,
    results: Results = FOLDER,
) -> None:
    """Run `landslide predict` on scenes of growing size; wall, CPU seconds and peak memory."""
    rows = []
    for side in sorted(size):
        inputs = _written(scenes, side)
        usage, meta = predict(inputs, ["--bundle", str(bundle), "--device", device, *extra])
        rows.append(figures_of(side, usage, meta))
        keep("whole", summary(rows), results)  # after every size: the largest takes long
        show(rows[-1], False)


@app.command()
def agreement(
    prepared: Annotated[
        Path | None, typer.Option(help="Also on patches of `landslide prepare`.")
    ] = None,
    backend: BackendName = BackendKind.auto,
    bundle: BundleFolder = DEFAULT_BUNDLE,
    results: Results = FOLDER,
) -> None:
    """Hold votes in rounds against all votes by torch: verdicts, probabilities, spread."""
    sample = scene_inputs(Path("sample_data"))
    with err.status("judging"):
        found = agree(load_bundle(bundle), sets_of(sample, prepared), backend)
    keep("agreement", {"sets": found, "backend": backend}, results)
    show(found, False)


@app.command()
def crashes(
    kills: int = 30,
    seed: int = 0,
    bundle: BundleFolder = DEFAULT_BUNDLE,
    results: Results = FOLDER,
) -> None:
    """Kill runs of the sample scene at random moments, go on with each, compare the bytes."""
    options = RunOptions(bundle, device="cpu", workers=2)
    with TemporaryDirectory() as folder, err.status("killing"):
        asked = Crashes(scene_inputs(Path("sample_data")), options, Path(folder), kills, seed)
        found = crash(asked)
    keep("crashes", found, results)
    show(found, False)


@app.command()
def report(
    out: Annotated[Path | None, typer.Option(help="Markdown file; default: print it.")] = None,
    results: Results = FOLDER,
) -> None:
    """Write all figures kept as Markdown tables."""
    text = report_of(results)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text, encoding="utf-8")


def _written(scenes: Path, size: int) -> SceneInputs:
    """A scene of a size, written now if it is not there yet."""
    with err.status(f"scene of {size:,}²"):
        return write_scene(scenes / str(size), SceneOptions(size))


if __name__ == "__main__":
    main()
