"""A run as a STAC item: its files with roles and checksums, what it was made from, by what."""

import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pystac
import shapely
from pystac.extensions.file import FileExtension
from pystac.extensions.mlm import (
    AssetGeneralMLMExtension,
    InputStructure,
    MLMExtension,
    ModelBand,
    ModelInput,
    ModelOutput,
    ResultStructure,
    TaskType,
)
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import DataType, NoDataStrings, RasterBand, RasterExtension

from landslide_core.bands import BANDS, TILE, Channel
from landslide_core.folder import RECORD, Run
from landslide_core.grid import lonlat
from landslide_core.hashes import sha256_of
from landslide_core.judgement import VERDICTS
from landslide_core.plan import cloud_from_of

_PROCESSING: Final = "https://stac-extensions.github.io/processing/v1.2.0/schema.json"
_EDGE: Final = 9  # points a side of the footprint, as a straight side of UTM is bent in degrees
# Of a run's files and of what may lie beside them: media type, roles, title.
ASSETS: Final[Mapping[str, tuple[str, tuple[str, ...], str]]] = {
    "tiles.parquet": (pystac.MediaType.PARQUET, ("data",), "Tiles with verdicts and scores"),
    "tiles.gpkg": (pystac.MediaType.GEOPACKAGE, ("data",), "Tiles with verdicts and scores"),
    "tiles.geojson": (pystac.MediaType.GEOJSON, ("data",), "Tiles with verdicts and scores"),
    "tiles.kml": (pystac.MediaType.KML, ("data", "visual"), "Tiles for Google Earth"),
    "tiles.csv": ("text/csv", ("data",), "Tiles as a table, by their middles"),
    "probability.tif": (pystac.MediaType.COG, ("data",), "Probability of a landslide"),
    "spread.tif": (pystac.MediaType.COG, ("data",), "Spread of the members' votes"),
    "localisation.tif": (pystac.MediaType.COG, ("data",), "Where in the tiles: members' heat maps"),
    "verdict.tif": (
        *(pystac.MediaType.COG, ("data",)),
        f"Verdicts: {', '.join(f'{i} {name}' for i, name in enumerate(VERDICTS))}",
    ),
    "review.gpkg": (pystac.MediaType.GEOPACKAGE, ("data",), "Tiles and outlines after review"),
    "review.csv": ("text/csv", ("data",), "Tiles after review, as a table"),
    "review.jsonl": ("application/jsonl", ("metadata",), "Who said what of which tile, and when"),
    "run.json": (pystac.MediaType.JSON, ("metadata",), "Record of the run"),
    "report.html": (pystac.MediaType.HTML, ("overview",), "Report for people who decide"),
    "report.pdf": (pystac.MediaType.PDF, ("overview",), "Report for people who decide"),
}


def write_stac(run: Run, out: Path) -> None:
    """Write a run's STAC item, which names the run's files from the folder of `out` on."""
    folder = out.absolute().parent
    files = {
        name: (run.folder / name, _relative(run.folder / name, folder))
        for name in (*run.files, RECORD)
    }
    item = stac_item(run, files, _relative(run.bundle_path, folder))
    write_item(item, out)


def write_portable(run: Run, out: Path) -> None:
    """Write a run's STAC item for a place where the run's files will lie beside it."""
    files = {name: (run.folder / name, f"./{name}") for name in (*run.files, RECORD)}
    write_item(stac_item(run, files, f"urn:sha256:{run.meta['bundle']['sha256']}"), out)


def write_item(item: pystac.Item, out: Path) -> None:
    """Write an item as JSON."""
    out.write_text(json.dumps(item.to_dict(include_self_link=False), indent=1) + "\n")


def stac_item(run: Run, files: Mapping[str, tuple[Path, str]], model: str) -> pystac.Item:
    """The item whose assets are files by name: where each lies now, and what to call it.

    `model` is the address of the bundle that judged.
    """
    first, last = acquired(run.meta)
    outline, bbox = footprint(run)
    item = pystac.Item(
        id=_identity(run),
        geometry=json.loads(shapely.to_geojson(outline)),
        bbox=bbox,
        datetime=last,
        start_datetime=first if first != last else None,
        end_datetime=last if first != last else None,
        properties={**_told(run), "created": _utc(run.meta["created"])},
        stac_extensions=[_PROCESSING],
    )
    for name, (path, href) in files.items():
        media, roles, title = ASSETS[name]
        asset = pystac.Asset(href, title=title, media_type=media, roles=list(roles))
        item.add_asset(name, asset)
        FileExtension.ext(asset, add_if_missing=True).apply(
            checksum=f"1220{sha256_of(path)}",  # a multihash: SHA-256, 32 bytes
            size=path.stat().st_size,
        )
    grid = run.grid()
    ProjectionExtension.ext(item, add_if_missing=True).apply(
        code=grid.crs, shape=list(grid.shape), transform=list(grid.transform)[:6]
    )
    _add_model(item, run, model)
    return item


def acquired(meta: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """When the first and the last image were taken; the run's own time where none tells."""
    said = [d["decided"] for d in meta["decisions"] if d["subject"] == "acquisition"]
    times = [time for line in said if (time := _time(line))]
    if not times:
        made = datetime.fromisoformat(meta["created"]).astimezone(UTC)
        return made, made
    return min(times), max(times)


def dates_by_role(meta: Mapping[str, Any]) -> dict[str, list[str]]:
    """What is known of each role's acquisitions, in words."""
    found: dict[str, list[str]] = {}
    for decision in meta["decisions"]:
        if decision["subject"] == "acquisition":
            found.setdefault(decision["role"], []).append(decision["decided"])
    return found


def footprint(run: Run) -> tuple[shapely.Geometry, list[float]]:
    """A scene's outline in EPSG:4326, cut at 180°, and west, south, east, north."""
    grid = run.grid()
    side = np.linspace(0, 1, _EDGE)[:-1]  # each corner once
    start, end = np.zeros_like(side), np.ones_like(side)
    cols = grid.width * np.concatenate([side, end, 1 - side, start])
    rows = grid.height * np.concatenate([start, side, end, 1 - side])
    longitude, latitude = (np.asarray(found) for found in lonlat(grid.geobox, cols, rows))
    across = bool(np.ptp(longitude) > 180)
    east = np.where(longitude < 0, longitude + 360, longitude) if across else longitude
    outline = shapely.Polygon(np.stack([east, latitude], axis=-1).round(7))
    if across:
        west_part = shapely.intersection(outline, shapely.box(0, -90, 180, 90))
        east_part = shapely.intersection(outline, shapely.box(180, -90, 360, 90))
        moved = shapely.transform(east_part, lambda points: points - (360, 0))
        outline = shapely.MultiPolygon([west_part, moved])
    ends = [float(value) for value in (east.min(), latitude.min(), east.max(), latitude.max())]
    if across:
        ends[2] -= 360  # as GeoJSON has it: west of 180° is the greater number
    return shapely.orient_polygons(outline), [round(value, 7) for value in ends]


def _told(run: Run) -> dict[str, Any]:
    """What no extension has a field for, under names of our own; no path of this machine."""
    meta = run.meta
    dates = dates_by_role(meta)
    simulated = "Simulated: no satellite took these images. " if meta["simulated"] else ""
    undated = "" if dates else "No image says when it was taken: datetime is that of the run. "
    return {
        "title": f"Landslide verdicts: {run.folder.name}",
        "description": f"{simulated}{undated}One verdict a tile of 640 m, none of them confirmed.",
        "processing:software": dict(meta["versions"]),
        "landslide:simulated": meta["simulated"],
        "landslide:event_date": meta["given"].get("event"),
        "landslide:bundle_sha256": meta["bundle"]["sha256"],
        "landslide:counts": meta["counts"],
        "landslide:alarms": meta.get("slope_mask", {}).get("alarms"),
        "landslide:warnings": meta["warnings"],
        "landslide:cloud_from": cloud_from_of(meta),
        "landslide:inputs": [
            {
                "role": entry["role"],
                "name": Path(entry["path"]).name,
                "sha256": entry["sha256"],
                "acquired": dates.get(entry["role"], []),
            }
            for entry in meta["inputs"]
        ],
    }


def _add_model(item: pystac.Item, run: Run, address: str) -> None:
    """Say which bundle judged, in the fields of the machine-learning-model extension."""
    bundle, meta = run.meta["bundle"], run.meta
    bands = [ModelBand.create(name=band.name) for band in BANDS]
    shape = InputStructure.create(
        shape=[-1, len(BANDS), TILE, TILE],
        dim_order=["batch", "channel", "height", "width"],
        data_type=DataType.FLOAT32,
    )
    answer = ResultStructure.create(shape=[-1], dim_order=["batch"], data_type=DataType.FLOAT32)
    MLMExtension.ext(item, add_if_missing=True).apply(
        name=f"landslide-{_plain(bundle['name'])}-{bundle['sha256'][:12]}",
        architecture="XGBoost and small networks as filter, ensemble of feature pyramid networks",
        tasks=[TaskType.CLASSIFICATION],
        input=[ModelInput.create(name="tile of a scene", bands=bands, input=shape)],
        output=[
            ModelOutput.create(
                name="probability of a landslide", tasks=[TaskType.CLASSIFICATION], result=answer
            )
        ],
        framework="PyTorch",
        framework_version=meta["versions"].get("torch"),
        pretrained=False,  # fitted from scratch; the source stays null, as the extension wants it
    )
    title = "Model bundle: manifest, weights and card"
    asset = pystac.Asset(address, title=title, roles=["mlm:model"])
    item.add_asset("model", asset)
    # The input's bands must be told by the raster extension in this asset, or in the item's own
    # `bands`, which would say them of the run's files.
    RasterExtension.ext(asset, add_if_missing=True).apply([_told_of(band) for band in BANDS])
    AssetGeneralMLMExtension.ext(asset).apply(artifact_type="safetensors")


def _told_of(band: Channel) -> RasterBand:
    """A band of the model's input; the raster extension has no `name`, but lets one be given."""
    told = RasterBand.create(NoDataStrings.NAN, data_type=DataType.FLOAT32, unit=band.unit)
    return RasterBand({"name": band.name, **told.to_dict()})


def _identity(run: Run) -> str:
    """An id safe in addresses: the folder's name and the hash of its tiles."""
    name = _plain(run.folder.absolute().name)
    return f"landslide-{name}-{run.meta['sha256']['tiles.parquet'][:12]}"


def _plain(name: str) -> str:
    """A name of letters, digits and hyphens alone."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")


def _time(said: str) -> datetime | None:
    """The time that an acquisition's words begin with; midnight where only the day is known."""
    match = re.match(r"(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d) UTC)?", said)
    if not match:
        return None
    return datetime.fromisoformat(f"{match[1]}T{match[2] or '00:00'}").replace(tzinfo=UTC)


def _utc(time: str) -> str:
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _relative(path: Path, folder: Path) -> str:
    """A file's address from a folder on."""
    relative = os.path.relpath(path.absolute(), folder)
    return Path(relative).as_posix() if relative.startswith(".") else f"./{relative}"
