"""A run handed over: one file of a format others read, or everything in one zip."""

import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from landslide_core.errors import BundleNotFound, CannotWrite, RunDamaged
from landslide_core.folder import RECORD, Run
from landslide_core.fresh import fresh
from landslide_core.manifest import CARD_TEXT, manifest_of
from landslide_core.plan import cloud_from_of
from landslide_core.report.write import write_reports
from landslide_core.review.export import PACKAGE, TABLE, export_review
from landslide_core.review.journal import JOURNAL
from landslide_core.review.review import Review
from landslide_core.stac_item import ASSETS, stac_item, write_item, write_stac
from landslide_core.tiles import CLOUD_NOTES
from landslide_core.vectors import (
    write_csv,
    write_geojson,
    write_gpkg,
    write_kml,
    write_parquet,
)

_VECTORS: Final = {"geojson": write_geojson, "kml": write_kml, "csv": write_csv}
_TABLES: Final = {**_VECTORS, "gpkg": write_gpkg, "parquet": write_parquet}
FORMATS: Final = (*_TABLES, "stac", "zip")
ITEM: Final = "item.json"
_PACKED: Final = (".tif", ".parquet", ".pdf")  # compressed already
_TOLD: Final[Mapping[str, str]] = {
    ITEM: "STAC item: where, when, by what model, with a checksum of every file",
    f"model/{CARD_TEXT}": "Model card: what the model was fitted on, figures and limits",
    "model/manifest.json": "What the model is made of, with hashes",
}


def export_run(run: Run, form: str, out: Path, alarms_only: bool = False) -> Path:
    """Write a run as one of FORMATS to a new file; its tables also with the alarms alone.

    A zip holds the run's files, all the others made from it, the review if there is one, and both
    reports. Raises CannotWrite, NoSpace, RunDamaged.
    """
    if form not in FORMATS:
        raise CannotWrite(
            f"There is no format {form!r}; one of {', '.join(FORMATS)} is needed. Correct --format."
        )
    with fresh(out) as beside:
        if form == "zip":
            _write_zip(run, beside, alarms_only)
        elif form == "stac":
            write_stac(run, beside)
        else:
            _TABLES[form](run, beside, alarms_only)
    return out


def _write_zip(run: Run, out: Path, alarms_only: bool) -> None:
    """Make all files in a folder beside `out`, then pack them; the same run, the same bytes."""
    with TemporaryDirectory(prefix=".partial-", dir=out.parent) as made:
        files = {name: run.folder / name for name in (*run.files, RECORD)}
        for form, write in _VECTORS.items():
            path = Path(made) / f"tiles.{form}"
            write(run, path, alarms_only)
            files[path.name] = path
        reports = (Path(made) / "report.html", Path(made) / "report.pdf")
        write_reports(run, reports)
        files |= {path.name: path for path in reports}
        if reviewed := (run.folder / JOURNAL).is_file():
            export_review(Review.of(run), Path(made) / "review")
            files |= {name: Path(made) / "review" / name for name in (PACKAGE, TABLE)}
            files[JOURNAL] = run.folder / JOURNAL
        extra = _model(run)
        address = "./model/manifest.json" if extra else f"urn:sha256:{run.meta['bundle']['sha256']}"
        item = stac_item(run, {name: (path, f"./{name}") for name, path in files.items()}, address)
        write_item(item, Path(made) / ITEM)
        files[ITEM] = Path(made) / ITEM
        when = datetime.fromisoformat(run.meta["created"]).astimezone(UTC)
        with ZipFile(out, "w") as packed:
            readme = _readme(run, [*files, *extra], alarms_only, reviewed)
            for name, content in {"README.txt": readme.encode(), **extra}.items():
                packed.writestr(_entry(name, when), content)
            for name, path in files.items():
                _pack(packed, _entry(name, when), path)


def _pack(packed: ZipFile, entry: ZipInfo, path: Path) -> None:
    """Copy a file into a zip, a piece at a time."""
    if not path.is_file():
        raise RunDamaged(
            f"{path} is missing; all files of the run are needed. `landslide resume` makes it anew."
        )
    entry.file_size = path.stat().st_size  # from here it knows whether 64-bit sizes are needed
    with path.open("rb") as source, packed.open(entry, "w") as into:
        shutil.copyfileobj(source, into)


def _entry(name: str, when: datetime) -> ZipInfo:
    year = max(when.year, 1980)  # zip knows no time before
    at = (year, when.month, when.day, when.hour, when.minute, when.second)
    entry = ZipInfo(name, at)
    entry.compress_type = ZIP_STORED if name.endswith(_PACKED) else ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _model(run: Run) -> dict[str, bytes]:
    """The bundle's manifest and card; nothing where it is gone."""
    try:
        found = {"model/manifest.json": manifest_of(run.bundle_path)}
    except BundleNotFound:
        return {}
    card = run.bundle_path / CARD_TEXT
    return found | ({f"model/{CARD_TEXT}": card.read_bytes()} if card.is_file() else {})


def _readme(run: Run, names: list[str], alarms_only: bool, reviewed: bool) -> str:
    """What each file of the zip is, in plain words."""
    wide = max(map(len, names))
    lines = [f"{name:{wide}}  {_TOLD.get(name) or ASSETS[name][2]}" for name in names]
    part = (
        "tiles.geojson, tiles.kml and tiles.csv hold the alarms alone; tiles.gpkg and\n"
        "tiles.parquet hold all tiles.\n"
        if alarms_only
        else "Every file of tiles holds the same rows.\n"
    )
    if reviewed:
        part += (
            "tiles.gpkg and tiles.parquet are as the model left them; tiles.geojson, tiles.kml\n"
            "and tiles.csv also have what people said of a tile, in the column corrected.\n"
        )
    part += "cloud_fraction is the cloudy share of a tile, empty where no optical sensor saw it."
    if note := CLOUD_NOTES[cloud_from_of(run.meta)]:
        part += f"\n{note}"
    part += "\n"
    checked = "checked by people on the images alone" if reviewed else "confirmed by nobody"
    simulated = (
        "SIMULATED SCENE: no satellite took these images.\n\n" if run.meta["simulated"] else ""
    )
    return (
        f"Landslide verdicts, run of {run.meta['created']}\n\n{simulated}"
        "Begin with report.html or report.pdf. Each tile is 640 m x 640 m; a verdict is a\n"
        f"model's, no outline of a landslide, and {checked}.\n\n"
        + "\n".join(lines)
        + f"\n\n{part}Outlines are in EPSG:4326, rasters in {run.meta['grid']['crs']}.\n"
    )
