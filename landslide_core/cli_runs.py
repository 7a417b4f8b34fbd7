"""Commands about runs: go on with one, list, show, check and remove them."""

import json
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from landslide_core.errors import RunDamaged
from landslide_core.folder import PARTS, RECORD, begun_runs, damages, list_runs, remove_run
from landslide_core.lock import is_held, owner
from landslide_core.parts import PartStore
from landslide_core.plan import parts_in, read_plan
from landslide_core.terminal import (
    Json,
    app,
    say,
    show,
)

runs_app = typer.Typer(help="List, show, check and remove runs.", no_args_is_help=True)
app.add_typer(runs_app, name="runs")

Folder = Annotated[Path, typer.Argument(help="Run folder.")]
_RUNS: Final = Path("runs")


@runs_app.command("list")
def list_command(
    folder: Annotated[Path, typer.Argument(help="Folder that holds runs.")] = _RUNS,
    as_json: Json = False,
) -> None:
    """Runs of a folder, finished ones first, newest first."""
    found = {path.name: _state(path) for path in [*list_runs(folder), *begun_runs(folder)]}
    if not found:
        say(f"No run in {folder}.")
        return
    show(found, as_json)


@runs_app.command("show")
def show_command(run: Folder, as_json: Json = False) -> None:
    """What a run is made from and how far it is."""
    plan = read_plan(run)
    record = run / RECORD
    meta = json.loads(record.read_text()) if record.is_file() else {}
    found: dict[str, Any] = {
        "state": _state(run),
        "created": plan["created"],
        "bundle": plan["bundle"]["name"],
        "bundle sha256": plan["bundle"]["sha256"],
        "grid": f"{plan['grid']['crs']} {plan['grid']['height']}×{plan['grid']['width']}",
        "stride": plan["stride"],
        "backend": plan["backend"],
        **{f"input {i + 1}": entry["path"] for i, entry in enumerate(plan["inputs"])},
        **{f"warning {i + 1}": line for i, line in enumerate(plan["warnings"])},
        **{key: meta[key] for key in ("counts", "seconds") if key in meta},
    }
    show(found, as_json)


@runs_app.command()
def verify(run: Folder, as_json: Json = False) -> None:
    """Compare every part and file of a run with the hashes it was written with."""
    wrong = damages(run)
    if wrong:
        show(wrong, as_json)
        raise RunDamaged(
            f"{run}: {len(wrong)} of its parts and files are missing or damaged; all are needed. "
            f"`landslide resume {run}` judges them again."
        )
    show(
        {"run": str(run), "parts": len(parts_in(read_plan(run))), "state": "whole"},
        as_json,
    )


@runs_app.command()
def rm(
    run: Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a run, finished or not."""
    read_plan(run)  # whatever else the folder is, it is not deleted
    if not yes:
        typer.confirm(f"Delete {run}?", abort=True)
    remove_run(run)


def _state(run: Path) -> str:
    """How far a run is, in a few words."""
    if (run / RECORD).is_file():
        return "finished"
    parts = parts_in(read_plan(run))
    store = PartStore(run / PARTS)
    done = sum(store.damage(part) is None for part in parts)
    said = f"{done} of {len(parts)} parts done"
    if is_held(run / PARTS) and (who := owner(run / PARTS)):
        return f"{said}, process {who['pid']} on {who['host']} is at it"
    return f"{said}, interrupted"
