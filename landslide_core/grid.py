"""The scene's pixel grid, and how tiles are cut from it and placed back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from pyproj import Geod, Transformer
from pyproj.exceptions import ProjError

from landslide_core.bands import PIXEL, TILE
from landslide_core.errors import GridMismatch, MissingCRS, SceneTooSmall

Reduction = Literal["mean", "max"]
Degrees = NDArray[np.float64]

UTM_ENDS: Final = (-80.5, 84.5)  # °; UTM and the Sentinel-2 grid end at 80° S and 84° N
EDGE: Final = 17  # points a side at which a raster's place is checked
NEAR: Final = 0.1  # pixels


@dataclass(frozen=True)
class Window:
    """A rectangle of pixels of a grid; it may reach past the grid's edge."""

    row: int
    col: int
    height: int = TILE
    width: int = TILE


@dataclass(frozen=True)
class Grid:
    """A scene's grid: CRS, transform and size, with odc-geo's GeoBox underneath."""

    geobox: GeoBox

    @property
    def crs(self) -> str:
        """The coordinate reference system, as "EPSG:32645" where it has a code."""
        return str(self.geobox.crs)

    @property
    def transform(self) -> Affine:
        """Pixel (column, row) to projected metres, at pixel corners."""
        return self.geobox.transform

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.geobox.shape.y)

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.geobox.shape.x)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def geobox_of(self, window: Window) -> GeoBox:
        """The geobox of a window, also of one past the edge."""
        moved = self.transform @ Affine.translation(window.col, window.row)
        return GeoBox((window.height, window.width), moved, self.geobox.crs)

    def clip(self, window: Window) -> Window:
        """The part of a window that lies on the grid."""
        row, col = max(window.row, 0), max(window.col, 0)
        bottom = min(window.row + window.height, self.height)
        right = min(window.col + window.width, self.width)
        return Window(row, col, max(bottom - row, 0), max(right - col, 0))

    def footprint(self, window: Window | None = None) -> Geometry:
        """Outline of the grid, or of a window of it, in the grid's CRS."""
        return (self.geobox if window is None else self.geobox_of(self.clip(window))).extent


def is_utm(crs: Any) -> bool:
    """Whether a CRS is a WGS 84 UTM zone."""
    epsg = crs.epsg or 0
    return 32601 <= epsg <= 32660 or 32701 <= epsg <= 32760


def grid_from_raster(crs: Any, transform: Affine, height: int, width: int) -> Grid:
    """The 10 m UTM grid for a raster: its own if it is one, else one that encloses it.

    Raises MissingCRS, and GridMismatch near a pole. A new grid is north up with its corners on
    whole multiples of 10 m.
    """
    if crs is None:
        raise MissingCRS(
            "The raster has no coordinate reference system; a georeferenced one is needed. "
            "Assign it, e.g. with gdal_edit.py -a_srs."
        )
    geobox = GeoBox((height, width), transform, crs)
    square = np.allclose(
        (transform.a, transform.b, transform.d, transform.e), (PIXEL, 0, 0, -PIXEL)
    )
    if square and is_utm(geobox.crs):
        return Grid(geobox)
    zone = str(geobox.crs) if is_utm(geobox.crs) else _zone(geobox)  # a file's own one stays
    utm = geobox.footprint(zone, npoints=100)
    return Grid(GeoBox.from_bbox(utm.boundingbox, utm.crs, resolution=PIXEL))


def _zone(geobox: GeoBox) -> str:
    """The UTM zone of a raster's middle. Raises GridMismatch where there is none."""
    (longitude,), (latitude,) = lonlat(geobox, [geobox.shape.x / 2], [geobox.shape.y / 2])
    if not UTM_ENDS[0] <= latitude <= UTM_ENDS[1]:
        side = "N" if latitude > 0 else "S"
        raise GridMismatch(
            f"The scene lies at {abs(latitude):.1f}° {side}; a place between 80° S and 84° N, "
            "where the grids of Sentinel-2 end, is needed. Choose another area."
        )
    zone = int((longitude + 180) // 6) % 60 + 1
    return f"EPSG:{(32600 if latitude >= 0 else 32700) + zone}"


def lonlat(geobox: GeoBox, cols: Any, rows: Any) -> tuple[Degrees, Degrees]:
    """Longitudes and latitudes (WGS 84, °) of pixel positions; infinite where there are none."""
    places: Any = (np.asarray(cols, float), np.asarray(rows, float))
    x, y = geobox.transform @ places
    project = Transformer.from_crs(geobox.crs, "EPSG:4326", always_xy=True)
    longitude, latitude = project.transform(x, y)
    return longitude, latitude


def ground_size(geobox: GeoBox) -> tuple[float, float]:
    """Width and height of the middle pixel on the ground, in metres; not finite if nowhere.

    Along the ellipsoid, but for UTM, whose metres are metres to a thousandth: a pixel's size in
    its CRS may be in feet or degrees, and a metre of web Mercator is half a metre at 60°.
    """
    if is_utm(geobox.crs):
        a = geobox.transform
        return float(np.hypot(a.a, a.d)), float(np.hypot(a.b, a.e))
    col, row = geobox.shape.x / 2, geobox.shape.y / 2
    longitude, latitude = lonlat(
        geobox, [col - 0.5, col + 0.5, col, col], [row, row, row - 0.5, row + 0.5]
    )
    if not np.isfinite([longitude, latitude]).all():
        return np.nan, np.nan
    _, _, sides = Geod(ellps="WGS84").inv(
        longitude[::2], latitude[::2], longitude[1::2], latitude[1::2]
    )
    return float(sides[0]), float(sides[1])


def is_placed(geobox: GeoBox) -> bool:
    """Whether every part of a raster has one place on Earth: from there leads a way back.

    Not so past a pole, or past the edge of a world map, where what lies on the other side would
    be missed; around the Earth in degrees, 181° being -179°, there is.
    """
    if not abs(geobox.transform.determinant) > 0:  # pixels without area, or not numbers
        return False
    cols = np.linspace(0, geobox.shape.x, EDGE)
    rows = np.linspace(0, geobox.shape.y, EDGE)
    col, row = (axis.ravel() for axis in np.meshgrid(cols, rows))
    try:
        longitude, latitude = lonlat(geobox, col, row)
    except ProjError:  # a damaged CRS
        return False
    if not ((np.abs(longitude) <= 540) & (np.abs(latitude) <= 90.0001)).all():
        return False
    x, y = into(geobox, "EPSG:4326", longitude, latitude)
    back_col, back_row = ~geobox.transform @ (x, y)
    with np.errstate(invalid="ignore"):
        return bool((np.hypot(back_col - col, back_row - row) < NEAR).all())


def into(geobox: GeoBox, crs: Any, x: Degrees, y: Degrees) -> tuple[Degrees, Degrees]:
    """Positions in a CRS as a raster's own coordinates, longitudes less than half a turn away."""
    if geobox.crs == crs:
        return x, y
    own_x, own_y = Transformer.from_crs(crs, geobox.crs, always_xy=True).transform(x, y)
    with np.errstate(invalid="ignore"):  # infinite where the projection has no answer
        return own_x - round_earth(geobox, own_x), own_y


def round_earth(geobox: GeoBox, x: Any) -> Any:
    """By how much x lies whole turns away from a raster's middle: 0 in a projection."""
    if geobox.crs is None or not geobox.crs.geographic:
        return 0.0
    middle, _ = geobox.transform @ (geobox.shape.x / 2, geobox.shape.y / 2)
    turn = 2 * np.pi / geobox.crs.proj.axis_info[0].unit_conversion_factor  # 360°, or 400 gon
    return turn * np.round((x - middle) / turn)


@dataclass(frozen=True)
class Tiling:
    """64×64 tiles over a grid of (height, width), row by row; the last ones may overhang."""

    height: int
    width: int
    stride: int = TILE

    def __post_init__(self) -> None:
        if self.stride not in (TILE, TILE // 2):
            raise ValueError(f"stride is {TILE} or {TILE // 2}, not {self.stride}")
        if self.height < TILE or self.width < TILE:
            raise SceneTooSmall(
                f"The scene is {self.width}×{self.height} pixels at {PIXEL:g} m; at least "
                f"{TILE}×{TILE} are needed. Choose a larger area."
            )

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return -(-(self.height - TILE) // self.stride) + 1

    @property
    def cols(self) -> int:
        """Columns of tiles."""
        return -(-(self.width - TILE) // self.stride) + 1

    def __len__(self) -> int:
        return self.rows * self.cols

    def windows(self) -> Iterator[Window]:
        """Every tile's window, row by row."""
        for row in range(self.rows):
            for col in range(self.cols):
                yield self.window(row, col)

    def window(self, row: int, col: int) -> Window:
        """Window of the tile at a tile row and column."""
        return Window(row * self.stride, col * self.stride)

    def strip(self, row: int) -> Window:
        """The window that holds one whole row of tiles, overhang included."""
        return Window(row * self.stride, 0, TILE, (self.cols - 1) * self.stride + TILE)

    def cells(self, values: NDArray[Any], reduction: Reduction) -> NDArray[Any]:
        """Spread one value a tile (N,) over stride-sized cells; overlapping tiles are reduced.

        A cell under several tiles takes their mean (NaN skipped) or their maximum. Returns
        (cell rows, cell columns); `np.repeat` by the stride, cut to the grid, gives pixels.
        """
        grid = values.reshape(self.rows, self.cols)
        reach = TILE // self.stride  # cells a side that one tile covers: 1 or 2
        if reach == 1:
            return grid
        stack = np.full((reach * reach, self.rows + 1, self.cols + 1), np.nan, np.float64)
        for k, (down, right) in enumerate(np.ndindex(reach, reach)):
            stack[k, down : down + self.rows, right : right + self.cols] = grid
        if reduction == "max":
            return np.asarray(np.fmax.reduce(stack), values.dtype)
        count = np.isfinite(stack).sum(axis=0)
        total = np.nansum(stack, axis=0)
        mean = np.where(count, total / np.maximum(count, 1), np.nan)
        return np.asarray(mean, values.dtype)


def cut(image: NDArray[Any], tiling: Tiling) -> NDArray[Any]:
    """Cut (bands, height, width) into tiles (N, bands, 64, 64); the overhang is NaN."""
    tiles = np.full((len(tiling), image.shape[0], TILE, TILE), np.nan, image.dtype)
    for tile, window in zip(tiles, tiling.windows(), strict=True):
        part = image[:, window.row : window.row + TILE, window.col : window.col + TILE]
        tile[:, : part.shape[1], : part.shape[2]] = part
    return tiles


def place(tiles: NDArray[Any], tiling: Tiling) -> NDArray[Any]:
    """Put tiles (N, bands, 64, 64) back into (bands, height, width); overlaps are averaged."""
    bands = tiles.shape[1]
    total = np.zeros((bands, tiling.height, tiling.width), np.float64)
    count = np.zeros((tiling.height, tiling.width), np.int64)
    for tile, window in zip(tiles, tiling.windows(), strict=True):
        rows = slice(window.row, min(window.row + TILE, tiling.height))
        cols = slice(window.col, min(window.col + TILE, tiling.width))
        total[:, rows, cols] += tile[:, : rows.stop - rows.start, : cols.stop - cols.start]
        count[rows, cols] += 1
    return (total / count).astype(tiles.dtype)
