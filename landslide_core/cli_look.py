"""The command that makes a look: a scene small enough for the map."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from landslide_core.cli_scene import takes_scene
from landslide_core.errors import SceneError
from landslide_core.looks import from_stdin, make_look
from landslide_core.readers.given import SceneInputs
from landslide_core.terminal import app, say, show


@app.command()
@takes_scene
def look(
    out: Annotated[Path, typer.Option(help="New GeoTIFF.")],
    inputs: SceneInputs,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin",
            help="Take the scene as JSON from standard input, as the app does: no list of processes"
            " then shows the signatures in addresses.",
        ),
    ] = False,
) -> None:
    """Write a scene's bands as one small tiled GeoTIFF to look at, at most 4,096 pixels a side."""
    if stdin:
        if inputs != SceneInputs():
            raise SceneError("The scene is given twice, by options too. Leave out --stdin or them.")
        inputs = from_stdin(sys.stdin.buffer.read())
    told = [-1]

    def tell(stage: str, done: int, total: int) -> None:
        if (share := 100 * done // total) > told[0]:
            told[0] = share
            say(f"{share} %")

    path = make_look(inputs, out, tell)
    show({str(path): f"{path.stat().st_size / 1e6:.2f} MB"}, False)
