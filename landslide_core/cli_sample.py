"""The command that simulates the sample scene."""

from pathlib import Path
from typing import Annotated

import typer

from landslide_core.simulate import SimulationOptions, simulate, write_scene
from landslide_core.terminal import (
    app,
    err,
    show,
)


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Folder for the scene.")] = Path("sample_data"),
    seed: int = 7,
) -> None:
    """Simulate the sample scene: terrain, Sentinel-2 and -1 images, landslides, outlines."""
    with err.status("simulating"):
        files = write_scene(simulate(SimulationOptions(seed=seed)), out, seed)
    show({file.name: f"{file.stat().st_size / 1e6:.2f} MB" for file in files}, False)
