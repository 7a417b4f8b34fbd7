"""The `landslide` command: parse, call the core, print; every decision lies in the core."""

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Final

import typer

from landslide_core.errors import LandslideError
from landslide_core.terminal import app, say

# Where each command lives, in the order of `landslide --help`. Only the module of the command
# that is called is imported: torch, XGBoost and the training's libraries take seconds.
HOMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("predict", "resume"), "cli_detect"),
    **dict.fromkeys(("report", "export-run"), "cli_deliver"),
    "estimate": "cli_estimate",
    "search": "cli_search",
    "look": "cli_look",
    "runs": "cli_runs",
    "review": "cli_review",
    "jobs": "cli_jobs",
    **dict.fromkeys(("evaluate", "score-table", "score-run"), "cli_score"),
    **dict.fromkeys(
        ("surrogate", "prepare", "train-filter", "train", "tune", "compare", "export"),
        "cli_training",
    ),
    "sample": "cli_sample",
    "doctor": "cli_doctor",
}


def application(command: str = "") -> typer.Typer:
    """The application with a command; with all of them where there is none of that name."""
    homes = [HOMES[command]] if command in HOMES else dict.fromkeys(HOMES.values())
    for home in homes:
        import_module(f"landslide_core.{home}")
    return app


def main() -> None:
    """Run the command; what a user can mend is one line on standard error and exit code 2."""
    try:
        application(sys.argv[1] if len(sys.argv) > 1 else "")()
    except LandslideError as error:
        line = " ".join(str(error).split())  # libraries' own messages may hold line breaks
        say(f"landslide: {line}")
        sys.exit(2)
