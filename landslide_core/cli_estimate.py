"""The command that says what a run will take before it begins."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from landslide_core.cli_scene import takes_scene
from landslide_core.estimate import estimate, past_runs
from landslide_core.manifest import card_of
from landslide_core.plan import DEFAULT_BUNDLE, RunOptions
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.terminal import (
    BundleFolder,
    Device,
    DeviceName,
    Json,
    MemoryLimit,
    Stride,
    StrideName,
    Workers,
    app,
    bytes_of,
    show,
)


@app.command(name="estimate")
@takes_scene
def say_estimate(
    inputs: SceneInputs,
    runs: Annotated[Path, typer.Option(help="Folder of runs whose pace counts.")] = Path("runs"),
    stride: StrideName = Stride.whole,
    bundle: BundleFolder = DEFAULT_BUNDLE,
    device: DeviceName = Device.auto,
    memory: MemoryLimit = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Say what detection will take: tiles, seconds, memory, energy; nothing is judged."""
    options = RunOptions(bundle, int(stride), device, memory=bytes_of(memory), workers=workers)
    scene = open_scene(inputs)
    found = estimate(scene.grid, options, past_runs(runs), card_of(bundle))
    show(asdict(found), as_json)
