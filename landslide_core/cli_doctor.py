"""The command that says what is here and what is missing."""

import typer

from landslide_core.doctor import examine
from landslide_core.plan import DEFAULT_BUNDLE
from landslide_core.terminal import (
    BundleFolder,
    app,
    say,
    show,
)


@app.command()
def doctor(bundle: BundleFolder = DEFAULT_BUNDLE) -> None:
    """Print versions, devices and drivers, and what is missing."""
    report = examine(bundle)
    show(report.facts, False)
    for line in report.missing:
        say(f"missing: {line}")
    raise typer.Exit(1 if report.missing else 0)
