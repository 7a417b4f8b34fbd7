"""From stored pixels to physical ones on the scene's grid, one window at a time."""

import itertools
import math
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from landslide_core.bands import BAND_NAMES, PIXEL
from landslide_core.errors import UnreadableRaster
from landslide_core.grid import Grid, Window, round_earth
from landslide_core.opening import gdal_options, open_raster
from landslide_core.places import place_of, stamp, told
from landslide_core.resample import Lattice, bilinear, bordered, lattice_of, nearest

Floats = NDArray[np.float32]
Unit = Literal["reflectance", "linear", "amplitude", "db", "class", "metres"]
POWER: Final = ("linear", "amplitude")  # as stored; read as linear power

CACHE: Final = (64 * 2**20, 512 * 2**20)  # bytes, least and most while a scene is read

BOX: Final = 512  # pixels a side decoded at once: a rotated box needs little more than itself
PIECE: Final = (64, 256)  # rows and columns sampled at once, so that they stay in a core's cache
# What is beyond these is a fill value, such as -9999, that the file doesn't declare.
REFLECTANCE_FLOOR: Final = -2000.0
DB_RANGE: Final = (-80.0, 60.0)
METRES_RANGE: Final = (-1000.0, 9000.0)  # land lies between -430 and 8,849 m


@dataclass(frozen=True)
class BandSource:
    """Where one band's pixels lie and how they become physical: stored × scale + offset."""

    path: str  # as GDAL opens it
    index: int  # band of the file, from 1
    geobox: GeoBox  # the file's own grid
    resolution: float  # m, the pixel's longer side on the ground
    unit: Unit
    scale: float = 1.0  # to reflectance × 10⁴, dB, linear power, amplitude, class or m
    offset: float = 0.0
    nodata: float | None = None
    masked: bool = False  # the file carries a mask band
    # Row and column where each file begins, if the raster is cut into several.
    shards: tuple[tuple[int, int, "BandSource"], ...] = ()


def within(part: Window, window: Window) -> tuple[slice, slice]:
    """Where a clipped part lies in its window."""
    row, col = part.row - window.row, part.col - window.col
    return slice(row, row + part.height), slice(col, col + part.width)


def to_db(power: NDArray[Any]) -> Floats:
    """Linear power (> 0 or NaN) to dB: 10·log10."""
    return np.asarray(10.0 * np.log10(power), np.float32)


def from_db(decibels: NDArray[Any]) -> Floats:
    """Decibels to linear power: 10^(dB/10)."""
    return np.asarray(10.0 ** (decibels / 10.0), np.float32)


def physical(source: BandSource, stored: NDArray[Any]) -> Floats:
    """Stored numbers to the source's unit, float32, amplitude to its power; no data is NaN.

    No data is found before scale and offset, which would turn it into an ordinary value. Zero is
    no data: Sentinel-2 DN 0 by definition, power 0 has no logarithm. In dB it is an ordinary
    value, and a fill only where the file declares no other one; at 0 m lies the sea.
    """
    valid = np.isfinite(stored)
    if source.unit != "metres" and (source.unit != "db" or source.nodata is None):
        valid &= stored != 0
    if source.nodata is not None:
        valid &= stored != source.nodata
    values = stored.astype(np.float32)
    if (source.scale, source.offset) != (1.0, 0.0):
        values = values * np.float32(source.scale) + np.float32(source.offset)
    if source.unit in POWER:
        valid &= values > 0
    if source.unit == "amplitude":
        values = values * values
    if source.unit == "reflectance":
        valid &= values > REFLECTANCE_FLOOR
    if source.unit == "db":
        valid &= (values > DB_RANGE[0]) & (values < DB_RANGE[1])
    if source.unit == "metres":
        valid &= (values > METRES_RANGE[0]) & (values < METRES_RANGE[1])
    return np.where(valid, values, np.float32(np.nan))


def block_cache(width: int) -> int:
    """Bytes of decoded blocks to keep while a scene of a width is read in strips.

    Those that a strip shares with the next: two rows of 512-pixel blocks, of twelve bands. Radar
    on a turned grid needs as much, where a strip crosses the rows. What doesn't fit is decoded
    anew for every strip. The same for any bands, or reading one would drop the others' blocks.
    """
    least, most = CACHE
    return min(max(len(BAND_NAMES) * 2 * 512 * width * 4, least), most)


def read_sources(
    sources: Iterable[BandSource],
    grid: Grid,
    window: Window,
    rooms: Mapping[BandSource, Floats] | None = None,
) -> dict[BandSource, Floats]:
    """Read sources on a window of the grid, (height, width) each; those of one grid together.

    A source's room, where one is given, is an array full of NaN that it is read into.
    """
    groups: dict[tuple[GeoBox, bool], list[BandSource]] = {}
    for source in dict.fromkeys(sources):  # the same file may serve two dates
        groups.setdefault((source.geobox, source.unit == "class"), []).append(source)
    planes: dict[BandSource, Floats] = {}
    options = gdal_options(source.path for group in groups.values() for source in group)
    with rasterio.Env(**{**options, "GDAL_CACHEMAX": block_cache(grid.width)}):
        for (geobox, _), members in groups.items():
            found = [
                rooms[source] if rooms and source in rooms else _room(window) for source in members
            ]
            planes.update(zip(members, found, strict=True))
            shift = whole_shift(geobox, grid)
            if shift is not None:
                _copy(members, shift, window, found)
            else:
                _resample(members, grid, window, found)
    return planes


def _room(window: Window) -> Floats:
    return np.full((window.height, window.width), np.nan, np.float32)


def _parts(window: Window, height: int, width: int) -> Iterator[Window]:
    """A window cut into pieces of at most a size."""
    for row in range(window.row, window.row + window.height, height):
        for col in range(window.col, window.col + window.width, width):
            bottom, right = window.row + window.height, window.col + window.width
            yield Window(row, col, min(height, bottom - row), min(width, right - col))


def whole_shift(geobox: GeoBox, grid: Grid) -> tuple[int, int] | None:
    """Rows and columns from the grid's origin to a raster's, if their pixels coincide."""
    if geobox.crs != grid.geobox.crs:
        return None
    middle, _ = geobox.transform @ (geobox.shape.x / 2, geobox.shape.y / 2)
    turned = Affine.translation(-round_earth(grid.geobox, middle), 0) @ geobox.transform
    to_raster: Affine = ~turned @ grid.transform
    (left, top), (right, bottom) = (to_raster @ xy for xy in ((0, 0), (grid.width, grid.height)))
    col, row = round(left), round(top)
    gaps = (left - col, top - row, right - col - grid.width, bottom - row - grid.height)
    straight = abs(to_raster.b) + abs(to_raster.d) < 1e-9
    return (row, col) if straight and max(map(abs, gaps)) < 1e-3 else None


def _copy(
    sources: Sequence[BandSource], shift: tuple[int, int], window: Window, planes: Sequence[Floats]
) -> None:
    """Read sources unchanged into planes (height, width) of a window of the grid."""
    own = Grid(sources[0].geobox)
    moved = Window(window.row + shift[0], window.col + shift[1], window.height, window.width)
    for part in _parts(own.clip(moved), BOX, BOX):
        place = within(part, moved)
        _decode(sources, part, [plane[place] for plane in planes])
        for source, plane in zip(sources, planes, strict=True):
            if source.unit in POWER:
                plane[place] = to_db(plane[place])


def _resample(
    sources: Sequence[BandSource], grid: Grid, window: Window, planes: Sequence[Floats]
) -> None:
    """Read sources of one grid at a window's pixel centres into planes (height, width).

    Bilinear in reflectance, linear power or metres, nearest for classes; sources finer than the
    grid are averaged over sub-pixel points. Not GDAL's warper: through rasterio its transform is
    approximate to 1/8 pixel with nodes that move with the window, so tiles would disagree.
    """
    own = Grid(sources[0].geobox)
    lattice = lattice_of(own, grid, window)
    side = max(PIECE[0], round(BOX * min(sources[0].resolution / PIXEL, 1)))  # room for finer ones
    boxes = list(_parts(window, side, side))
    parts = [lattice.over(box).reach(own) for box in boxes]
    stored = bordered(len(sources), parts)
    for box, part in zip(boxes, parts, strict=True):
        if not (part.height and part.width):
            continue
        stored.fill(np.nan)
        inner = [plane[1 : part.height + 1, 1 : part.width + 1] for plane in stored]
        _decode(sources, part, inner)
        for source, values in zip(sources, inner, strict=True):
            if source.unit == "db":
                values[:] = from_db(values)
        for piece in _parts(box, *PIECE):
            place = within(piece, window)
            found = _points(sources[0], stored, part, lattice.over(piece), piece)
            for source, plane, values in zip(sources, planes, found, strict=True):
                plane[place] = to_db(values) if source.unit in (*POWER, "db") else values


def _points(
    source: BandSource, stored: Floats, part: Window, lattice: Lattice, piece: Window
) -> Floats:
    """Values of a part of a raster in the pixels of a piece of the grid: (n, height, width)."""
    if source.unit == "class":
        return nearest(stored, part, *lattice.at(piece, 0.5, 0.5))
    points = max(1, math.ceil(PIXEL / source.resolution - 0.3))
    if points == 1:
        return bilinear(stored, part, *lattice.at(piece, 0.5, 0.5))
    centres = (np.arange(points) + 0.5) / points
    total, count = np.zeros((2, len(stored), piece.height, piece.width), np.float32)
    for down, right in itertools.product(centres, centres):
        values = bilinear(stored, part, *lattice.at(piece, down, right))
        valid = np.isfinite(values)
        total += np.where(valid, values, np.float32(0))
        count += valid
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def _decode(sources: Sequence[BandSource], part: Window, planes: Sequence[Floats]) -> None:
    """Read and decode a part of the sources' own grid into planes (height, width) of NaN."""
    for source, plane in zip(sources, planes, strict=True):
        for row, col, shard in source.shards:
            moved = Window(part.row - row, part.col - col, part.height, part.width)
            inside = Grid(shard.geobox).clip(moved)
            if inside.height and inside.width:
                _decode([shard], inside, [plane[within(inside, moved)]])
    box = rasterio.windows.Window(part.col, part.row, part.width, part.height)
    for path in dict.fromkeys(source.path for source in sources if not source.shards):
        members = [i for i, source in enumerate(sources) if source.path == path]
        indexes = [sources[i].index for i in members]
        try:
            file = _handle(path, stamp(path), threading.get_ident())
            stored = file.read(indexes, window=box)
            masks = file.read_masks(indexes, window=box) if sources[members[0]].masked else None
        except (RasterioError, OSError) as error:
            place = place_of(path)
            raise UnreadableRaster(
                f"{place} stopped being readable ({told(error, place)}); the same file as when "
                "the scene was opened is needed. Restore it and run again."
            ) from error
        for k, i in enumerate(members):
            planes[i][:] = physical(sources[i], stored[k])
            if masks is not None:
                planes[i][masks[k] == 0] = np.nan


@lru_cache(maxsize=64)
def _handle(path: str, stamp: int, thread: int) -> Any:
    """An open file: one a thread, as GDAL demands, and a new one when the file has changed."""
    return open_raster(path)
