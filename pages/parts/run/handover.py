"""A run's files to take away: what there is, made when asked for, sent from disk."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from threading import BoundedSemaphore
from typing import Final
from urllib.parse import quote

import streamlit as st
from filelock import FileLock
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from landslide_core.errors import CannotWrite, LandslideError, RunDamaged
from landslide_core.folder import Run, open_run
from landslide_core.stac_item import write_portable
from pages.parts import cached, serving, state, theme

KEPT: Final = ".exports"  # beside the runs; a dot keeps it out of their list
_AT_WORK: Final = BoundedSemaphore(2)  # requests that make a file; others are to ask again


@dataclass(frozen=True)
class Kind:
    """One thing to take away."""

    title: str
    what: str  # who opens it, or what is in it
    file: str  # its name, after the run's
    media: str
    reviewed: bool = True  # whether it tells what reviewers said
    alarms: bool = False  # whether it can hold the alarms alone


GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "For people who decide": ("pdf", "html"),
    "For maps and tables": ("gpkg", "parquet", "geojson", "kml", "csv"),
    "Rasters (COG)": ("probability", "spread", "verdict", "localisation"),
    "For catalogues and archives": ("stac", "zip", "record"),
}
KINDS: Final[dict[str, Kind]] = {
    "pdf": Kind("Report, PDF", "Two minutes to read, to print or send", "report.pdf",
                "application/pdf"),
    "html": Kind("Report, HTML", "The same in a browser, one file", "report.html", "text/html"),
    "gpkg": Kind("GeoPackage", "QGIS, ArcGIS; tiles and drawn outlines", "tiles.gpkg",
                 "application/geopackage+sqlite3", alarms=True),
    "parquet": Kind("GeoParquet", "Python, R, DuckDB", "tiles.parquet",
                    "application/vnd.apache.parquet", alarms=True),
    "geojson": Kind("GeoJSON", "Web maps", "tiles.geojson", "application/geo+json", alarms=True),
    "kml": Kind("KML", "Google Earth", "tiles.kml", "application/vnd.google-earth.kml+xml",
                alarms=True),
    "csv": Kind("CSV", "Spreadsheets; a tile's middle", "tiles.csv", "text/csv", alarms=True),
    "probability": Kind("Probability", "0 to 1, a value a tile", "probability.tif", "image/tiff",
                        False),
    "spread": Kind("Spread", "Of the members' votes, 0 to 0.5", "spread.tif", "image/tiff", False),
    "verdict": Kind("Verdicts", "Codes with their colours", "verdict.tif", "image/tiff", False),
    "localisation": Kind("Localisation", "Where in the tiles, 20 m cells", "localisation.tif",
                         "image/tiff", False),
    "stac": Kind("STAC item", "With the model's description (MLM)", "item.json",
                 "application/geo+json", False),
    "zip": Kind("Everything, zip", "All of this, with the review and the model's card",
                "all.zip", "application/zip"),
    "record": Kind("Run record", "Inputs, decisions, versions, hashes", "run.json",
                   "application/json", False),
}  # fmt: skip


def routes(base: str = "") -> list[BaseRoute]:
    """The route that sends a run's files, under a base path such as "/slides"."""
    return [Route(f"{base}/download/{{run}}/{{kind}}", _send)]


def on_offer(run: Run) -> dict[str, tuple[str, ...]]:
    """What a run has, by group; an earlier version wrote no localisation."""
    there = {key for key, kind in KINDS.items() if key not in _RASTERS or kind.file in run.files}
    return {title: tuple(k for k in keys if k in there) for title, keys in GROUPS.items()}


def address(run: Run, kind: str, alarms_only: bool) -> str:
    """Where the browser gets a file, as seen from a page."""
    asked = f"?alarms={int(alarms_only)}&v={_stamp(run)}"
    return f"{serving.base_path()}/download/{quote(run.folder.name)}/{kind}{asked}"


def find(run: Run, kind: str, alarms_only: bool) -> Path | None:
    """The file if it lies there already."""
    kept = kind in _AS_THEY_ARE
    path = Path(run.folder) / KINDS[kind].file if kept else _place(run, kind, alarms_only)
    return path if path.is_file() else None


def make(run: Run, kind: str, alarms_only: bool) -> Path:
    """The file, made if it is not there. Raises CannotWrite, NoSpace, RunDamaged."""
    if path := find(run, kind, alarms_only):
        return path
    if kind in _AS_THEY_ARE:
        raise RunDamaged(
            f"{KINDS[kind].file} is not in {run.folder}; earlier versions did not write all files. "
            "Run the detection again."
        )
    path = _place(run, kind, alarms_only)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path.with_name(f".{path.name}.lock")).acquire()
    except OSError as error:
        raise CannotWrite(
            f"{path.parent} cannot be made ({error.strerror}). Make room there."
        ) from error
    with held:  # two who ask at once get one file
        if not path.is_file():
            _forget_older(run, path.parent.name)
            _make(run, kind, path, alarms_only)
    return path


def _make(run: Run, kind: str, path: Path, alarms_only: bool) -> None:
    if kind == "stac":
        write_portable(run, path)
    elif kind in ("pdf", "html"):
        from landslide_core.report.write import write_reports  # Matplotlib: only who draws pays

        write_reports(run, (path,))
    else:
        from landslide_core.deliver import export_run

        export_run(run, kind, path, alarms_only)


def _stamp(run: Run) -> str:
    """Changes when the run or its review does."""
    return hashlib.sha256(cached.review_stamp(Path(run.folder)).encode()).hexdigest()[:16]


def _place(run: Run, kind: str, alarms_only: bool) -> Path:
    alone = "alarms-" if alarms_only and KINDS[kind].alarms else ""
    home = Path(run.folder).parent / KEPT / Path(run.folder).name / _stamp(run)
    return home / f"{alone}{KINDS[kind].file}"


def _forget_older(run: Run, begun: str) -> None:
    """Remove what was made of the run before it or its review changed, and of runs that are gone.

    `begun` is the stamp that is being made, though somebody may review just now.
    """
    runs, name = Path(run.folder).parent, Path(run.folder).name
    older = [p for p in (runs / KEPT / name).iterdir() if p.name not in (begun, _stamp(run))]
    gone = [p for p in (runs / KEPT).iterdir() if not (runs / p.name).is_dir()]
    for folder in (*older, *gone):
        rmtree(folder, ignore_errors=True)


def _send(request: Request) -> Response:
    """A file of a run that is in the list of runs; made first where that was not done before."""
    found = {path.name: path for path in state.runs()}
    folder, kind = found.get(request.path_params["run"]), request.path_params["kind"]
    if folder is None or kind not in KINDS:
        return Response("There is no such file. Reload the page.", 404, media_type="text/plain")
    try:
        path = _asked_for(request, open_run(folder), kind)
    except LandslideError as error:
        return Response(" ".join(str(error).split()), 409, media_type="text/plain")
    if path is None:
        line = "The server is making other files. Ask again in a minute."
        return Response(line, 503, {"Retry-After": "60"}, media_type="text/plain")
    return FileResponse(
        path,
        media_type=KINDS[kind].media,
        filename=f"{folder.name}-{path.name}",
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"},
    )


def _asked_for(request: Request, run: Run, kind: str) -> Path | None:
    """The file; None where the server is at work. Raises LandslideError.

    Any page of the web can have a browser ask: for another site's page nothing is made.
    """
    alone = request.query_params.get("alarms") == "1"
    if path := find(run, kind, alone):
        return path
    if request.headers.get("sec-fetch-site", "none") == "cross-site":
        raise CannotWrite("The file is not made yet. Make it on the app's page Export.")
    if not _AT_WORK.acquire(blocking=False):
        return None
    try:
        return make(run, kind, alone)
    finally:
        _AT_WORK.release()


_RASTERS: Final = GROUPS["Rasters (COG)"]
_AS_THEY_ARE: Final = (*_RASTERS, "record")


def button(run: Run, kind: str, alarms_only: bool) -> None:
    """Make a file when asked for it, then offer it."""
    slot = st.empty()
    path = find(run, kind, alarms_only)
    key = f"take-{run.folder}-{kind}-{alarms_only}"
    if path is None:
        label = f"Make {KINDS[kind].file}"  # buttons that are all called alike tell nobody apart
        if not slot.button(label, key=key, icon=":material/build:", width="stretch"):
            return
        with slot, st.spinner("Making the file …"):
            path = make(run, kind, alarms_only)
    size = f"{KINDS[kind].file}, {theme.megabytes(path.stat().st_size)}"
    if not serving.are_routes_there():  # the page alone: through Streamlit's memory
        read: Callable[[], bytes] = path.read_bytes
        name = f"{Path(run.folder).name}-{path.name}"
        slot.download_button(
            size, read, name, KINDS[kind].media, key=f"{key}-get", on_click="ignore",
            icon=":material/download:", width="stretch",
        )  # fmt: skip
        return
    slot.link_button(
        size, address(run, kind, alarms_only), icon=":material/download:", width="stretch"
    )
