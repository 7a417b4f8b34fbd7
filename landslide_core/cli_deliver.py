"""Commands that hand a run over: as a file of another format, as a report."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from landslide_core.deliver import export_run
from landslide_core.folder import open_run
from landslide_core.report.write import write_reports
from landslide_core.terminal import app, show

RunFolder = Annotated[Path, typer.Argument(help="Run folder.")]


class Form(StrEnum):
    """What a run is written as; zip is all of it."""

    geojson = "geojson"
    kml = "kml"
    csv = "csv"
    gpkg = "gpkg"
    parquet = "parquet"
    stac = "stac"
    zip = "zip"


@app.command("export-run")
def export_run_command(
    run: RunFolder,
    out: Annotated[Path, typer.Option(help="New file.")],
    form: Annotated[Form, typer.Option("--format", help="What to write; zip is all of it.")],
    alarms_only: Annotated[
        bool, typer.Option("--alarms-only", help="Leave out tiles that raise no alarm.")
    ] = False,
) -> None:
    """Write a run's tiles with what reviewers said, its STAC item, or all of it as a zip."""
    path = export_run(open_run(run), form, out, alarms_only)
    show({str(path): f"{path.stat().st_size / 1e6:.2f} MB"}, False)


@app.command()
def report(
    run: RunFolder,
    out: Annotated[
        list[Path], typer.Option(help="New file, .html or .pdf; may be given more than once.")
    ],
) -> None:
    """Write a report for people who decide: what was found, how sure, what it is not."""
    write_reports(open_run(run), tuple(out))
    show({str(path): f"{path.stat().st_size / 1e6:.2f} MB" for path in out}, False)
