"""From stored pixels to physical ones on the scene's grid, one window at a time."""

import math
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.errors import RasterioError

from landslide_core.bands import PIXEL
from landslide_core.errors import UnreadableRaster
from landslide_core.grid import Grid, Window

Floats = NDArray[np.float32]
Doubles = NDArray[np.floating]
Unit = Literal["reflectance", "linear", "amplitude", "db", "class"]
POWER: Final = ("linear", "amplitude")  # as stored; read as linear power

# GDAL's block cache is bounded, so that memory doesn't grow with the scene. It holds one row of
# 512-pixel blocks of all twelve bands up to some 3,000 pixels of width, and the next strip finds
# them decoded. In wider scenes, full tiles among them, strips decode their blocks anew: slower.
GDAL_OPTIONS: Final = {"GDAL_CACHEMAX": 64 * 2**20, "GDAL_NUM_THREADS": "1"}

LATTICE: Final = 32  # pixels between exactly projected points; straight between, to 1e-3 pixels
# What is beyond these is a fill value, such as -9999, that the file doesn't declare.
REFLECTANCE_FLOOR: Final = -2000.0
DB_RANGE: Final = (-80.0, 60.0)


@dataclass(frozen=True)
class BandSource:
    """Where one band's pixels lie and how they become physical: stored × scale + offset."""

    path: str
    index: int  # band of the file, from 1
    geobox: GeoBox  # the file's own grid
    resolution: float  # m, the pixel's longer side on the ground
    unit: Unit
    scale: float = 1.0  # to reflectance × 10⁴, dB, linear power, amplitude or class
    offset: float = 0.0
    nodata: float | None = None
    masked: bool = False  # the file carries a mask band


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
    value, and a fill only where the file declares no other one.
    """
    valid = np.isfinite(stored)
    if source.unit != "db" or source.nodata is None:
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
    return np.where(valid, values, np.float32(np.nan))


def read_sources(
    sources: Iterable[BandSource], grid: Grid, window: Window
) -> dict[BandSource, Floats]:
    """Read sources on a window of the grid, those on one grid of their own together."""
    groups: dict[tuple[GeoBox, bool], list[BandSource]] = {}
    for source in sources:
        groups.setdefault((source.geobox, source.unit == "class"), []).append(source)
    planes: dict[BandSource, Floats] = {}
    for (geobox, _), members in groups.items():
        shift = whole_shift(geobox, grid)
        if shift is not None:
            found = _copy(
                members,
                Window(window.row + shift[0], window.col + shift[1], window.height, window.width),
            )
        else:
            found = _resample(members, grid, window)
        planes.update(zip(members, found, strict=True))
    return planes


def whole_shift(geobox: GeoBox, grid: Grid) -> tuple[int, int] | None:
    """Rows and columns from the grid's origin to a raster's, if their pixels coincide."""
    if geobox.crs != grid.geobox.crs:
        return None
    to_raster: Affine = ~geobox.transform @ grid.transform
    (left, top), (right, bottom) = (to_raster @ xy for xy in ((0, 0), (grid.width, grid.height)))
    col, row = round(left), round(top)
    gaps = (left - col, top - row, right - col - grid.width, bottom - row - grid.height)
    straight = abs(to_raster.b) + abs(to_raster.d) < 1e-9
    return (row, col) if straight and max(map(abs, gaps)) < 1e-3 else None


def _copy(sources: Sequence[BandSource], window: Window) -> Floats:
    """Read a window of the sources' own grid unchanged: (sources, height, width)."""
    own = Grid(sources[0].geobox)
    part = own.clip(window)
    out = np.full((len(sources), window.height, window.width), np.nan, np.float32)
    if part.height and part.width:
        rows, cols = within(part, window)
        for plane, source, values in zip(out, sources, _decode(sources, part), strict=True):
            plane[rows, cols] = to_db(values) if source.unit in POWER else values
    return out


def _resample(sources: Sequence[BandSource], grid: Grid, window: Window) -> Floats:
    """Read sources of one grid at the window's pixel centres: (sources, height, width).

    Bilinear in reflectance or linear power, nearest for classes; sources finer than the grid
    are averaged over sub-pixel points. Not GDAL's warper: through rasterio its transform is
    approximate to 1/8 pixel with nodes that move with the window, so tiles would disagree.
    """
    own = Grid(sources[0].geobox)
    lattice = _lattice(own, grid, window)
    out = np.full((len(sources), window.height, window.width), np.nan, np.float32)
    part = _reach(lattice, own)
    if not (part.height and part.width):
        return out
    planes = _decode(sources, part)
    for plane, source in zip(planes, sources, strict=True):
        if source.unit == "db":
            plane[:] = from_db(plane)
    nearest = sources[0].unit == "class"
    points = 1 if nearest else max(1, math.ceil(PIXEL / sources[0].resolution - 0.3))
    centres = (np.arange(points) + 0.5) / points
    pick = _nearest if nearest else _bilinear
    total, count = np.zeros_like(out), np.zeros_like(out)
    for down in centres:
        for right in centres:
            rows, cols = lattice.at(window, down, right)
            values = pick(planes, rows - part.row, cols - part.col)
            valid = np.isfinite(values)
            total += np.where(valid, values, np.float32(0))
            count += valid
    np.divide(total, count, out=out, where=count > 0)
    for plane, source in zip(out, sources, strict=True):
        if source.unit in (*POWER, "db"):
            plane[:] = to_db(plane)
    return out


@dataclass(frozen=True)
class _Lattice:
    """Grid pixels exactly projected into a raster, every 32 pixels from the grid's origin."""

    ys: Doubles  # (n,) grid rows
    xs: Doubles  # (m,) grid columns
    rows: Doubles  # (n, m) raster rows there, 0 at the top edge
    cols: Doubles  # (n, m)

    def at(self, window: Window, down: float, right: float) -> tuple[Doubles, Doubles]:
        """Raster rows and columns, (height, width) each, of a point inside every pixel."""
        top, v = _steps(self.ys, window.row + down + np.arange(window.height))
        left, u = _steps(self.xs, window.col + right + np.arange(window.width))
        rows, cols = (
            across[top] * (1 - v[:, None]) + across[top + 1] * v[:, None]
            for across in (
                nodes[:, left] * (1 - u) + nodes[:, left + 1] * u
                for nodes in (self.rows, self.cols)
            )
        )
        return rows, cols


def _lattice(own: Grid, grid: Grid, window: Window) -> _Lattice:
    """The lattice that encloses a window; its nodes are the same whatever the window."""
    ys, xs = (
        np.arange(start // LATTICE, -(-(start + size) // LATTICE) + 1) * float(LATTICE)
        for start, size in ((window.row, window.height), (window.col, window.width))
    )
    x, y = grid.transform @ tuple(np.meshgrid(xs, ys))
    if own.geobox.crs != grid.geobox.crs:
        project = Transformer.from_crs(grid.geobox.crs, own.geobox.crs, always_xy=True)
        x, y = project.transform(x, y)
    cols, rows = ~own.transform @ (x, y)
    return _Lattice(ys, xs, rows, cols)


def _steps(nodes: Doubles, points: Doubles) -> tuple[NDArray[np.int64], Doubles]:
    """The node before each point, and the share of the way to the next."""
    before = ((points - nodes[0]) // LATTICE).astype(np.int64)
    return before, (points - nodes[before]) / LATTICE


def _reach(lattice: _Lattice, own: Grid) -> Window:
    """The part of a raster that its pixels under a lattice, and their neighbours, need."""
    if not (np.isfinite(lattice.rows).all() and np.isfinite(lattice.cols).all()):
        return Window(0, 0, 0, 0)
    top, left = (math.floor(axis.min()) - 1 for axis in (lattice.rows, lattice.cols))
    bottom, right = (math.ceil(axis.max()) + 1 for axis in (lattice.rows, lattice.cols))
    return own.clip(Window(top, left, bottom - top, right - left))


def _nearest(planes: Floats, rows: Doubles, cols: Doubles) -> Floats:
    """Values of the pixels that hold the positions; NaN outside."""
    height, width = planes.shape[1:]
    row, col = (np.floor(axis + 1e-6).astype(np.int64) for axis in (rows, cols))
    inside = (row >= 0) & (row < height) & (col >= 0) & (col < width)
    values = planes[:, row.clip(0, height - 1), col.clip(0, width - 1)]
    return np.where(inside, values, np.float32(np.nan))


def _bilinear(planes: Floats, rows: Doubles, cols: Doubles) -> Floats:
    """Bilinear over the valid neighbours; NaN where they carry less than half the weight."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    height, width = planes.shape[1:]
    row = np.clip(rows + 0.5, 0, height + 0.99)  # in the padded planes, at pixel centres
    col = np.clip(cols + 0.5, 0, width + 0.99)
    top, left = row.astype(np.int64), col.astype(np.int64)
    down, right = (row - top).astype(np.float32), (col - left).astype(np.float32)
    corner = top * (width + 2) + left
    neighbours = (
        (corner, (1 - down) * (1 - right)),
        (corner + 1, (1 - down) * right),
        (corner + width + 2, down * (1 - right)),
        (corner + width + 3, down * right),
    )
    out = np.empty((len(planes), *rows.shape), np.float32)
    known: NDArray[np.bool_] | None = None
    for plane, values in zip(out, padded, strict=True):
        valid = np.isfinite(values)
        if known is None or not np.array_equal(valid, known):  # bands mostly share their gaps
            known, weight = valid, _weighted(valid.astype(np.float32), neighbours)
            weight[weight < 0.5 - 1e-6] = np.nan  # less than half, but not by rounding
        plane[:] = _weighted(np.where(valid, values, np.float32(0)), neighbours) / weight
    return out


def _weighted(values: Floats, neighbours: Sequence[tuple[NDArray[np.int64], Floats]]) -> Floats:
    """Sum of values at flat positions times their shares."""
    total = np.zeros(neighbours[0][0].shape, np.float32)
    for place, share in neighbours:
        total += values.take(place) * share
    return total


def _decode(sources: Sequence[BandSource], part: Window) -> Floats:
    """Read and decode a part of the sources' own grid: (sources, height, width)."""
    out = np.empty((len(sources), part.height, part.width), np.float32)
    box = rasterio.windows.Window(part.col, part.row, part.width, part.height)
    for path in dict.fromkeys(source.path for source in sources):
        members = [i for i, source in enumerate(sources) if source.path == path]
        indexes = [sources[i].index for i in members]
        try:
            with rasterio.Env(**GDAL_OPTIONS):
                file = _handle(path, os.stat(path).st_mtime_ns, threading.get_ident())
                stored = file.read(indexes, window=box)
                masks = file.read_masks(indexes, window=box) if sources[members[0]].masked else None
        except (RasterioError, OSError) as error:
            raise UnreadableRaster(
                f"{path} stopped being readable ({error}); the same file as when the scene was "
                "opened is needed. Restore it and run again."
            ) from error
        for k, i in enumerate(members):
            out[i] = physical(sources[i], stored[k])
            if masks is not None:
                out[i][masks[k] == 0] = np.nan
    return out


@lru_cache(maxsize=64)
def _handle(path: str, stamp: int, thread: int) -> Any:
    """An open file: one a thread, as GDAL demands, and a new one when the file has changed."""
    return rasterio.open(path)
