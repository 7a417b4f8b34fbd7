"""A run told to people who decide: one HTML file or one PDF, readable in two minutes."""

from datetime import datetime
from pathlib import Path
from typing import Final

from landslide_core.errors import CannotWrite
from landslide_core.folder import Run
from landslide_core.fresh import fresh
from landslide_core.report.figures import figures_of
from landslide_core.report.html import html_of
from landslide_core.report.pdf import pdf_of
from landslide_core.report.text import report_of

FORMS: Final = (".html", ".pdf")


def write_reports(run: Run, outs: tuple[Path, ...]) -> None:
    """Write a run's report to new files that end in .html or .pdf; its pictures are drawn once.

    Raises CannotWrite, NoSpace, and RunDamaged where the run does not read.
    """
    for out in outs:
        if out.suffix.lower() not in FORMS:
            raise CannotWrite(
                f"{out} ends in neither .html nor .pdf; one of them is needed. Correct --out."
            )
        if out.exists():
            raise CannotWrite(f"{out} exists already. Choose another --out or remove it first.")
    report = report_of(run)
    figures = figures_of(run, report.top)
    for out in outs:
        with fresh(out) as beside:
            if out.suffix.lower() == ".html":
                beside.write_text(html_of(report, figures), encoding="utf-8")
            else:
                made = datetime.fromisoformat(run.meta["created"])
                beside.write_bytes(pdf_of(report, figures, made))
