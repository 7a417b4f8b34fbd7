"""What a file, a folder or an archive is: sensor, level, pass, date and place, and what says so."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely import Polygon, convex_hull
from shapely.geometry.base import BaseGeometry

from landslide_core.errors import LandslideError
from landslide_core.grid import lonlat
from landslide_core.places import Place
from landslide_core.readers.acquisition import Acquisition, acquisition_of, facts_in_properties
from landslide_core.readers.files import expand
from landslide_core.readers.ground.annotation import read_annotation
from landslide_core.readers.ground.product import Product, product_in
from landslide_core.readers.metadata import product_of
from landslide_core.readers.names import (
    Facts,
    day_of,
    facts_in_name,
    facts_in_path,
    relative_orbit,
)
from landslide_core.readers.raster import RasterFile, inspect
from landslide_core.readers.sentinel1 import DERIVED
from landslide_core.readers.sentinel1 import TOKEN as POLARISATION
from landslide_core.readers.sentinel2 import L1C_ORDER, L2A_ORDER, WANTED, band_of

VECTORS: Final = (".geojson", ".json", ".gpkg", ".shp", ".kml", ".kmz", ".parquet", ".csv")
EDGE: Final = 5  # points of an outline along each side of a raster

_NOT_INPUTS: Final = ("truth", "label", "mask", "verdict", "probability", "spread")
_HEIGHTS: Final = ("dem", "srtm", "elevation", "dsm", "dtm")
_SENSORS: Final = {
    "S2": ("s2", "sentinel2", "msi", "optical", "scl"),
    "S1": ("s1", "sentinel1", "sar", "radar", "grd", "rtc", "vv", "vh", "desc", "dsc", "asc"),
}
_LEVEL: Final = re.compile(r"(?<![a-z])(L1C|L2A|GRD|SLC|RTC)(?![a-z])", re.IGNORECASE)
_SENSOR: Final = re.compile(r"sentinel-?([12])", re.IGNORECASE)


@dataclass(frozen=True)
class Recognised:
    """One given thing; None, or nothing, where nobody says."""

    path: Path
    sensor: str | None = None  # "S1", "S2", "DEM"; "vector" or "result" for what is no input
    level: str | None = None  # "L1C", "L2A", "GRD", "RTC", "SLC"
    bands: tuple[str, ...] = ()  # "VV", "VH"; "B02", "SCL", …
    orbit_pass: str | None = None  # "desc" or "asc"
    day: date | None = None  # UTC
    time: datetime | None = None  # UTC
    orbit: int | None = None  # relative
    tile: str | None = None
    cloud: float | None = None  # %, as the product says
    outline: BaseGeometry | None = None  # longitude and latitude, in one turn of them
    said: str | None = None  # what its name says of the event: "pre" or "post"
    event: date | None = None  # that its tags name
    evidence: str = ""  # what said so
    problem: str = ""  # why it cannot be read, in one line


def recognise(path: Path, name: str = "") -> Recognised:
    """What a given file, folder or archive is; one raster of it is opened, and no more is read.

    `name` is what a user calls it, e.g. its path below the server's folder: words count there.
    Raises nothing: what cannot be read says why.
    """
    name = name or path.name
    words = words_of(name)
    known = Recognised(path, said=_time_in(words))
    if path.suffix.lower() in VECTORS:
        return replace(known, sensor="vector", evidence="kind from the file's ending")
    if _say(words, _NOT_INPUTS):
        return replace(known, sensor="result", evidence="kind from the name")
    try:
        product = product_in(path)
        if product is not None:
            return _of_product(known, product)
        return _of_rasters(known, expand([path]), words)
    except (LandslideError, OSError, ValueError) as error:
        return replace(
            known,
            sensor=_sensor_in(words),
            orbit_pass=_pass_in(words),
            evidence="kind from the name",
            problem=str(error),
        )


def words_of(name: str) -> tuple[str, ...]:
    """The words of a path, in small letters."""
    return tuple(filter(None, re.split(r"[^a-z0-9]+", name.lower())))


def _of_product(known: Recognised, product: Product) -> Recognised:
    """A Sentinel-1 product in slant or ground range, by its annotation."""
    named = facts_in_name(product.name) or Facts()
    known = replace(
        known,
        sensor="S1",
        level=product.kind,
        bands=tuple(sorted(name.upper() for name in product.channels)),
        day=named.day,
        time=named.time,
        orbit=named.relative_orbit,
        evidence="all from the product's name",
    )
    annotations = [c.annotation for c in product.channels.values() if c.annotation]
    if product.kind != "GRD" or not annotations:
        return replace(known, orbit_pass=_pass_in(words_of(product.name)))
    found = read_annotation(product, annotations[0])
    start = datetime.fromisoformat(str(found.start.astype("datetime64[s]"))).replace(tzinfo=UTC)
    places = np.column_stack([found.points.longitude.ravel(), found.points.latitude.ravel()])
    lacking = [name.upper() for name, c in product.channels.items() if not c.measurement]
    return replace(
        known,
        orbit_pass="asc" if found.orbit_pass.startswith("asc") else "desc",
        day=start.date(),
        time=start,
        orbit=known.orbit or relative_orbit(named.platform or "", found.orbit_number),
        outline=convex_hull(_in_one_turn(places)),
        evidence="all from the product's annotation and name",
        problem=f"{product.name} holds no measurement of {' and '.join(lacking)}; a GeoTIFF of "
        "each polarisation is needed. Fetch the whole product again."
        if lacking
        else "",
    )


def _of_rasters(known: Recognised, places: Sequence[Place], words: Sequence[str]) -> Recognised:
    """Rasters that GDAL opens: by tags and documents first, then bands, then names."""
    file = inspect(_leading(places))
    heights = file.count == 1 and _say((*words, *words_of(file.place.name)), _HEIGHTS)
    tags = facts_in_properties(file.tags) or Facts()
    acquired = acquisition_of(file)
    bands, banded = _bands(file, places)
    sensor, by = _sensor(file, acquired, bands, words)
    if heights:
        sensor, by, bands, acquired = "DEM", "the name", (), None
    product = product_of(file.place, file.tags) if sensor == "S2" else None
    level = (acquired and acquired.product) or (product and product.level) or _level(file)
    if sensor is None and level in ("GRD", "RTC", "SLC"):
        sensor, by = "S1", "its level"
    orbit_pass = (acquired and acquired.orbit_pass) or tags.orbit_pass or _pass_in(words)
    is_radar = sensor == "S1"
    stated = re.sub(r"\D", "", file.tags.get("EVENT_DATE", ""))
    return replace(
        known,
        sensor=sensor,
        level=None if heights else level,
        bands=bands,
        orbit_pass=orbit_pass if is_radar else None,
        day=acquired.day if acquired else None,
        time=acquired.time if acquired else None,
        orbit=acquired.relative_orbit if acquired else None,
        tile=acquired.tile if acquired else None,
        cloud=product.cloud if product else None,
        outline=outline_of(file.geobox),
        event=day_of(stated[:8]),
        evidence=_told(
            {
                "sensor": by if sensor else "",
                "bands": banded if bands else "",
                "date": acquired.evidence if acquired else "",
            }
        ),
    )


def _told(said: Mapping[str, str]) -> str:
    """What said what: "sensor and date from the file's tags; bands from band names"."""
    sources: dict[str, list[str]] = {}
    for what, source in said.items():
        if source:
            sources.setdefault(re.sub(r"\bname \S+?(?=,|;| |$)", "the name", source), []).append(
                what
            )
    return "; ".join(f"{' and '.join(whats)} from {source}" for source, whats in sources.items())


def _leading(places: Sequence[Place]) -> Place:
    """The raster to open: one of the bands that the model takes, else the first."""
    return next((p for p in places if band_of(p.stem) in WANTED), places[0])


def _sensor(
    file: RasterFile, acquired: Acquisition | None, bands: Sequence[str], words: Sequence[str]
) -> tuple[str | None, str]:
    """The sensor and what says so: tags, documents and names of products, bands, plain words."""
    if acquired is not None and acquired.sensor:
        return acquired.sensor, acquired.evidence
    for key in ("SENSOR", "PLATFORM", "MISSION", "INSTRUMENT"):
        if found := _SENSOR.search(file.tags.get(key, "")):
            return f"S{found[1]}", "the file's tags"
    for name, facts in facts_in_path(file.place.path):
        if facts.sensor:
            return facts.sensor, f"name {name}"
    if bands:
        return ("S1" if bands[0] in ("VV", "VH", "HH", "HV") else "S2"), "its bands"
    said = _sensor_in(words)
    return said, "the name" if said else ""


def _bands(file: RasterFile, places: Sequence[Place]) -> tuple[tuple[str, ...], str]:
    """Polarisations, or bands of Sentinel-2, and what says so."""
    stems = [place.stem for place in places]
    tags = " ".join(file.tags.get(key, "") for key in ("POLARIZATION", "POLARISATION"))
    for names, by in ((file.names, "band names"), (stems, "file names"), ([tags], "tags")):
        polarisations = [
            found.upper()
            for name in names
            if not DERIVED.search(name.replace("_", " "))
            for found in POLARISATION.findall(name)
        ]
        if polarisations:
            return tuple(dict.fromkeys(polarisations)), by
        if optical := [band for name in names if (band := band_of(name))]:
            return tuple(dict.fromkeys(optical)), by
    usual = {len(order): order for order in (L1C_ORDER, L2A_ORDER)}
    return tuple(usual.get(file.count, ())), f"{file.count} bands in the usual order"


def _level(file: RasterFile) -> str | None:
    """The level that tags, or names of the file and two folders, say."""
    said = (*file.tags.values(), *reversed(file.place.path.parts[-3:]))
    spaced = (text.replace("_", " ").replace("S2L", "L").replace("S1R", "R") for text in said)
    return next((found[1].upper() for text in spaced if (found := _LEVEL.search(text))), None)


def outline_of(geobox: GeoBox) -> BaseGeometry:
    """A raster's outline in longitude and latitude, on past 180° where it lies across that."""
    height, width = geobox.shape
    along = np.linspace(0, 1, EDGE)[:-1]
    nothing, whole = np.zeros_like(along), np.ones_like(along)
    cols = width * np.concatenate([along, whole, 1 - along, nothing])
    rows = height * np.concatenate([nothing, along, whole, 1 - along])
    longitude, latitude = lonlat(geobox, cols, rows)
    return _in_one_turn(np.column_stack([longitude, latitude]))


def _in_one_turn(places: NDArray[np.floating]) -> Polygon:
    """A polygon through (longitude, latitude), which may lie across 180°."""
    if np.ptp(places[:, 0]) > 180:
        places = np.column_stack([places[:, 0] % 360, places[:, 1]])
    return Polygon(places)


def _say(words: Iterable[str], stems: Iterable[str]) -> bool:
    return any(word.startswith(stem) for word in words for stem in stems)


def _sensor_in(words: Sequence[str]) -> str | None:
    return next((sensor for sensor, stems in _SENSORS.items() if _say(words, stems)), None)


def _pass_in(words: Sequence[str]) -> str | None:
    return "desc" if _say(words, ("desc", "dsc")) else "asc" if _say(words, ("asc",)) else None


def _time_in(words: Sequence[str]) -> str | None:
    before, after = _say(words, ("pre", "before")), _say(words, ("post", "after"))
    return None if before == after else "pre" if before else "post"
