"""An area on Earth as users name it, across the antimeridian too, and the 10 m grid over it."""

import math
import os.path
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from odc.geo.geobox import GeoBox
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import Transformer
from pyproj.exceptions import ProjError
from shapely.affinity import translate
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from landslide_core.bands import PIXEL, TILE
from landslide_core.catalogue.outlines import FORMATS, polygons_of
from landslide_core.errors import SceneError, SceneTooSmall

LARGEST: Final = 110_000.0  # m a side: as large as a Sentinel-2 tile
UTM_REACH: Final = (-80.0, 84.0)  # ° of latitude
_FINE: Final = 0.1  # ° between points of an outline before it is projected
_NUMBER: Final = re.compile(r"[+-]?\d+(\.\d*)?")
# What a file that isn't made as it should be brings its readers to raise.
_UNREADABLE: Final = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError),
    *(OverflowError, SyntaxError, ShapelyError, ProjError, DataSourceError, DataLayerError),
    *(zipfile.BadZipFile, zlib.error, EOFError),
)


@dataclass(frozen=True)
class Area:
    """Polygons in EPSG:4326; longitudes run on past 180° where they cross the antimeridian."""

    shape: BaseGeometry

    def __post_init__(self) -> None:
        west, south, east, north = self.shape.bounds or (math.nan,) * 4
        if not (math.isfinite(west + south + east + north) and self.shape.area > 0):
            raise SceneTooSmall(
                "The area holds no polygon; one is needed. Draw one, or give two corners as "
                "minlon,minlat,maxlon,maxlat."
            )
        if south < UTM_REACH[0] or north > UTM_REACH[1] or west < -180 or east > 540:
            raise SceneError(
                f"The area reaches from {west:g}° to {east:g}° east and {south:g}° to {north:g}° "
                f"north; longitudes from −180° and latitudes from {UTM_REACH[0]:g}° to "
                f"{UTM_REACH[1]:g}° are needed. Check the order: longitude first."
            )
        self.window(self.utm)  # its size

    @property
    def utm(self) -> str:
        """The UTM zone of its middle, as "EPSG:32645"."""
        middle = self.shape.centroid
        zone = int((middle.x + 180) % 360 // 6) + 1
        return f"EPSG:{(32600 if middle.y >= 0 else 32700) + zone}"

    def window(self, crs: str) -> GeoBox:
        """The 10 m grid over it in a UTM zone, its corners on whole multiples of 10 m.

        Raises SceneTooSmall below 64×64 pixels, SceneError above 110 km a side.
        """
        west, south, east, north = projected(self.shape, crs).bounds
        if not max(east - west, north - south) <= LARGEST:
            raise SceneError(
                f"The area is {_km(east - west)}×{_km(north - south)} km; at most "
                f"{_km(LARGEST)}×{_km(LARGEST)} km are loaded at once. Choose a smaller one."
            )
        box = GeoBox.from_bbox((west, south, east, north), crs, resolution=PIXEL, tight=False)
        if min(box.shape) < TILE:
            raise SceneTooSmall(
                f"The area is {box.shape.x}×{box.shape.y} pixels of {PIXEL:g} m; at least "
                f"{TILE}×{TILE} are needed. Choose a larger one."
            )
        return box

    def covered(self, outline: BaseGeometry) -> float:
        """The share of it, 0..1, under an outline in EPSG:4326."""
        whole, part = (projected(s, self.utm).area for s in (self.shape, self.overlap(outline)))
        return float(part / whole)

    def overlap(self, outline: BaseGeometry) -> BaseGeometry:
        """The part of it under an outline in EPSG:4326, whichever turn that is written in."""
        found = continuous(outline)
        turns = [_turned(found, by) for by in (-360.0, 0.0, 360.0)]
        return shapely.intersection(self.shape, shapely.union_all(turns))

    def geojson(self) -> dict[str, Any]:
        """As GeoJSON wants it: cut in two at the antimeridian."""
        found: dict[str, Any] = shapely.geometry.mapping(_cut(self.shape))
        return found


def area_of(text: str) -> Area:
    """The area a user names: minlon,minlat,maxlon,maxlat, or a file. Raises SceneError."""
    numbers = [part.strip() for part in text.split(",")]
    if len(numbers) != 4 or not all(_NUMBER.fullmatch(number) for number in numbers):
        return area_of_file(Path(text))
    west, south, east, north = map(float, numbers)
    # GeoJSON's way to cross the antimeridian: the western corner lies east of the eastern one.
    return Area(shapely.box(west, south, east + 360 if east < west else east, north))


def area_of_file(path: Path) -> Area:
    """The polygons of a vector file together. Raises SceneError."""
    if not os.path.isfile(path):  # unlike Path.is_file, this is False for what can't be looked at
        raise SceneError(
            f"{str(path)[:200]} is neither a file nor four numbers; an area is needed. Name a "
            "GeoJSON, GeoPackage or KML file, or give minlon,minlat,maxlon,maxlat."
        )
    try:
        polygons = [continuous(polygon) for polygon in polygons_of(path)]
        whole = continuous(shapely.union_all(polygons))
    except _UNREADABLE as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise SceneError(
            f"{path} cannot be read as an area ({why}); polygons in {FORMATS} are needed. "
            "Save it as one of these."
        ) from error
    return Area(whole)


def continuous(shape: BaseGeometry) -> BaseGeometry:
    """An outline whose longitudes run on past 180°, where some are near 180° and some near −180°.

    Both ways to write one that crosses the antimeridian are met: cut in two, and as if it went
    round the Earth.
    """
    west, _, east, _ = shape.bounds
    if not east - west > 180:
        return shape
    moved = shapely.transform(
        shape, lambda x, y: (np.where(x < 0, x + 360.0, x), y), interleaved=False
    )
    return shapely.make_valid(shapely.union_all(moved))


def outline_of(geobox: GeoBox) -> BaseGeometry:
    """The outline of a grid in EPSG:4326, longitudes running on past 180°."""
    corners = shapely.box(*geobox.boundingbox.bbox)
    move = Transformer.from_crs(str(geobox.crs), "EPSG:4326", always_xy=True).transform
    return continuous(shapely.transform(corners, move, interleaved=False))


def projected(shape: BaseGeometry, crs: str) -> BaseGeometry:
    """A continuous outline in EPSG:4326, in another CRS; its edges bend as they do on Earth."""
    move = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform
    fine = shapely.segmentize(shape, _FINE)
    return shapely.make_valid(shapely.transform(fine, move, interleaved=False))


def _cut(shape: BaseGeometry) -> BaseGeometry:
    """A continuous outline with longitudes from −180° to 180°, in parts where it crosses."""
    parts = [
        _turned(shapely.intersection(shape, shapely.box(-180 + turn, -90, 180 + turn, 90)), -turn)
        for turn in (0.0, 360.0)
    ]
    return shapely.union_all([part for part in parts if part.area > 0])


def _turned(shape: BaseGeometry, by: float) -> BaseGeometry:
    """An outline at other longitudes."""
    return translate(shape, xoff=by)


def _km(metres: float) -> str:
    return f"{metres / 1000:,.0f}"
