"""One item of a catalogue -> what is needed of it, and whatever else it says left aside."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import shapely
from shapely.geometry.base import BaseGeometry

from landslide_core.bands import ADDED
from landslide_core.catalogue.area import continuous

Pass = Literal["asc", "desc"]

# Asset keys by band, in lower case: Planetary Computer, Earth Search, Copernicus Data Space.
OPTICAL_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "B02": ("b02", "blue", "b02_10m"),
    "B03": ("b03", "green", "b03_10m"),
    "B04": ("b04", "red", "b04_10m"),
    "B08": ("b08", "nir", "b08_10m"),
    "SCL": ("scl", "scl_20m"),
}
RADAR_KEYS: Final[Mapping[str, tuple[str, ...]]] = {"VV": ("vv",), "VH": ("vh",)}
_OPTIONAL: Final = ("SCL", "VH")
FULL_SCALE: Final = 1e-4  # reflectance of one digital number
_OFFSET_SINCE: Final = 4.0  # processing baseline


@dataclass(frozen=True)
class Asset:
    """One band's file, and what the item says of its numbers."""

    key: str  # its name in the item
    href: str
    offset: float | None = None  # DN to add to an optical band; None: not stated


@dataclass(frozen=True)
class Granule:
    """One Sentinel-2 tile or Sentinel-1 slice: a STAC item."""

    id: str
    collection: str
    time: datetime
    platform: str  # "sentinel-2a"; "" where it isn't stated
    orbit_pass: Pass | None
    relative_orbit: int | None
    cloud: float | None  # % of the whole tile
    tile: str  # of the military grid, "51RUH"; "" for radar
    baseline: float  # processing baseline, 0 where it isn't stated
    crs: str | None  # UTM zone, where one is stated
    footprint: BaseGeometry  # EPSG:4326, longitudes running on past 180°
    assets: Mapping[str, Asset]  # by band: B02, …, SCL; VV, VH
    record: Mapping[str, Any]  # the item itself


def granule_of(item: Mapping[str, Any], optical: bool) -> Granule:
    """What an item says. Raises KeyError, TypeError, ValueError, AttributeError if it isn't fit."""
    said = item["properties"]
    product = f"{said.get('s2:product_uri', '')} {item['id']}"
    baseline = _baseline(said, product)
    orbit = re.search(r"_R(\d{3})_", product)
    relative = said.get("sat:relative_orbit") or (orbit[1] if orbit else None)
    cloud = said.get("eo:cloud_cover") if optical else None
    code = str(said.get("proj:code") or f"EPSG:{said.get('proj:epsg')}")
    footprint = shapely.make_valid(shapely.geometry.shape(item["geometry"]))
    if not footprint.area > 0:
        raise ValueError("it has no footprint")
    return Granule(
        id=str(item["id"]),
        collection=str(item.get("collection") or ""),
        time=_time(said),
        platform=str(said.get("platform") or "").lower(),
        orbit_pass=_pass(said),
        relative_orbit=int(relative) if relative is not None else None,
        cloud=float(cloud) if cloud is not None else None,
        tile=_tile(said, product) if optical else "",
        baseline=baseline,
        crs=code if re.fullmatch(r"EPSG:32[67](0[1-9]|[1-5]\d|60)", code) else None,
        footprint=continuous(footprint),
        assets=_assets(item, OPTICAL_KEYS if optical else RADAR_KEYS, baseline, optical),
        record=item,
    )


def _assets(
    item: Mapping[str, Any], wanted: Mapping[str, tuple[str, ...]], baseline: float, optical: bool
) -> dict[str, Asset]:
    """The files of the bands. Raises ValueError where one that is needed has none."""
    by_key = {key.lower(): (key, asset) for key, asset in item["assets"].items()}
    found = {}
    for band, keys in wanted.items():
        known = [by_key[k] for k in keys if k in by_key]
        if not known and band in _OPTIONAL:
            continue
        if not known:
            raise ValueError(f"it has no {band}")
        key, asset = known[0]
        has_offset = optical and band != "SCL"
        offset = offset_of(item["properties"], asset, baseline) if has_offset else None
        found[band] = Asset(key, str(asset["href"]), offset)
    return found


def offset_of(said: Mapping[str, Any], asset: Mapping[str, Any], baseline: float) -> float | None:
    """DN to add to an optical band's numbers, as the item states it; None where it doesn't.

    Raises ValueError for a scale other than 1/10,000. Earth Search says of most items that the
    offset is out of the numbers (earthsearch:boa_offset_applied) and still lists it.
    """
    described = {**(asset.get("raster:bands") or asset.get("bands") or [{}])[0], **asset}
    scale = float(_first(described, ("raster:scale", "scale")) or FULL_SCALE)
    if not abs(scale / FULL_SCALE - 1) < 1e-3:
        raise ValueError(f"its numbers have a scale of {scale:g} instead of {FULL_SCALE:g}")
    if said.get("earthsearch:boa_offset_applied") is True:
        return 0.0
    stated = _first(described, ("raster:offset", "offset"))
    if stated is not None:
        return round(float(stated) / scale, 3)
    if not baseline:
        return None
    return -ADDED if baseline >= _OFFSET_SINCE else 0.0


def _first(described: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next((described[key] for key in keys if described.get(key) is not None), None)


def _baseline(said: Mapping[str, Any], product: str) -> float:
    stated = str(said.get("s2:processing_baseline") or said.get("processing:version") or "")
    if re.fullmatch(r"\d\d?\.\d\d?", stated):
        return float(stated)
    named = re.search(r"_N(\d\d)(\d\d)_", product)
    return float(f"{named[1]}.{named[2]}") if named else 0.0


def _tile(said: Mapping[str, Any], product: str) -> str:
    stated = said.get("s2:mgrs_tile") or str(said.get("grid:code") or "").removeprefix("MGRS-")
    named = re.search(r"_T?(\d\d[A-Z]{3})_", product)
    return str(stated or (named[1] if named else ""))


def _pass(said: Mapping[str, Any]) -> Pass | None:
    state = str(said.get("sat:orbit_state") or "").lower()
    return "asc" if state.startswith("asc") else "desc" if state.startswith("desc") else None


def _time(said: Mapping[str, Any]) -> datetime:
    text = str(said.get("datetime") or said["start_datetime"])
    time = datetime.fromisoformat(text)
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
