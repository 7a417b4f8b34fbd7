"""Terrain heights above the ellipsoid on a scene's grid, from DEM files."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import rasterio
from pyproj import CRS
from pyproj.exceptions import ProjError
from pyproj.transformer import Transformer, TransformerGroup
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rasterio.windows import Window as Box

from landslide_core.errors import MissingCRS, UnreadableRaster
from landslide_core.grid import Grid, Window
from landslide_core.places import place_of
from landslide_core.readers.ground.geometry import places
from landslide_core.readers.ground.xml import Doubles

LOWEST, HIGHEST = -500.0, 9_000.0  # m; what is beyond is a fill value that the file doesn't declare
FILL: Final = -32_768.0
GEOID: Final = "EPSG:4326+5773"  # WGS 84 with heights above EGM96
UNDULATION: Final = 107.0  # m, the most that sea level lies off the ellipsoid


@dataclass(frozen=True)
class Dem:
    """One open DEM, seen on the grid."""

    view: Any
    to_ellipsoid: Transformer | None  # of its heights; None where they are taken as they are


@dataclass(frozen=True)
class Terrain:
    """Open DEMs; the first that has a height counts."""

    grid: Grid
    dems: tuple[Dem, ...] = ()
    datum: str = ""  # in words, what their heights were taken for
    unshifted: bool = False  # heights above sea level were taken for heights above the ellipsoid

    def over(self, part: Window) -> Doubles:
        """Heights above the ellipsoid on a part of the grid, m: (height, width); NaN = none."""
        heights = np.full((part.height, part.width), np.nan)
        for dem in self.dems:
            gaps = np.isnan(heights)
            if not gaps.any():
                break
            found = self._read(dem, part)
            heights[gaps] = found[gaps]
        return heights

    def _read(self, dem: Dem, part: Window) -> Doubles:
        box = Box(part.col, part.row, part.width, part.height)
        try:
            stored = dem.view.read(1, window=box)
        except (RasterioError, OSError) as error:
            raise UnreadableRaster(
                f"The DEM {place_of(dem.view.name)} cannot be read ({error}); a complete raster "
                "is needed. Copy or download it again."
            ) from error
        heights = np.where((stored > LOWEST) & (stored < HIGHEST), stored, np.nan)
        heights = heights.astype(np.float64)
        if dem.to_ellipsoid is None or np.isnan(heights).all():
            return heights
        return heights + _sea_level(self.grid, part, dem.to_ellipsoid)


@contextmanager
def open_terrain(paths: tuple[str, ...], grid: Grid) -> Iterator[Terrain]:
    """DEMs by the names GDAL opens, on a grid. Raises UnreadableRaster, MissingCRS.

    Heights are above the ellipsoid where the file's CRS says so; else above sea level, as in
    nearly all DEMs, and raised by EGM96 where PROJ has its grid.
    """
    with ExitStack() as stack:
        dems, words = [], []
        shift = geoid() if paths else None
        for path in paths:
            file = _open(stack, path)
            above_ellipsoid = _above_ellipsoid(file.crs)
            view = WarpedVRT(
                file,
                crs=grid.crs,
                transform=grid.transform,
                width=grid.width,
                height=grid.height,
                resampling=_resampling(file, grid),
                src_nodata=FILL if file.nodata is None else file.nodata,
                nodata=FILL,
                dtype="float32",
            )
            dems.append(Dem(stack.enter_context(view), None if above_ellipsoid else shift))
            words.append(above_ellipsoid)
        yield Terrain(
            grid=grid,
            dems=tuple(dems),
            datum=_datum(words, shift is not None),
            unshifted=shift is None and not all(words),
        )


def _sea_level(grid: Grid, part: Window, to_ellipsoid: Transformer) -> Doubles:
    """Height of sea level above the ellipsoid on a part of a grid, m: (height, width).

    Between the part's corners: it changes by centimetres over a kilometre.
    """
    rows = part.row + np.array([0.0, part.height])
    cols = part.col + np.array([0.0, part.width])
    lon, lat = places(grid, *np.meshgrid(rows, cols, indexing="ij"))
    corners = np.asarray(to_ellipsoid.transform(lon, lat, np.zeros((2, 2)))[2])
    v = ((np.arange(part.height) + 0.5) / part.height)[:, None]
    u = (np.arange(part.width) + 0.5) / part.width
    upper, lower = (row[0] * (1 - u) + row[1] * u for row in corners)
    level: Doubles = upper * (1 - v) + lower * v
    return level


def _open(stack: ExitStack, path: str) -> Any:
    try:
        file = stack.enter_context(rasterio.open(path))
    except (RasterioError, OSError) as error:
        raise UnreadableRaster(
            f"The DEM {place_of(path)} cannot be read ({error}); a raster of heights in metres "
            "is needed. Check the path, or download it again."
        ) from error
    if file.crs is None:
        raise MissingCRS(
            f"The DEM {place_of(path)} has no coordinate reference system; one is needed. Assign "
            "it, e.g. with gdal_edit.py -a_srs."
        )
    return file


def _resampling(file: Any, grid: Grid) -> Resampling:
    """Averaged where the DEM is much finer than the grid, else bilinear."""
    left, bottom, right, top = transform_bounds(file.crs, grid.crs, *file.bounds)
    finest = min((right - left) / file.width, (top - bottom) / file.height)
    return Resampling.average if finest < abs(grid.transform.a) / 2 else Resampling.bilinear


def _above_ellipsoid(crs: Any) -> bool:
    """Whether a CRS has heights of its own, without a vertical reference: a 3-D one."""
    found = CRS.from_user_input(crs.to_wkt())
    return len(found.axis_info) == 3 and not found.is_compound


def geoid() -> Transformer | None:
    """From heights above EGM96 to heights above the ellipsoid, where PROJ has the grid for it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the grid isn't there: we say so
            group = TransformerGroup(GEOID, "EPSG:4979", always_xy=True)
    except ProjError:
        return None
    return group.transformers[0] if group.best_available and group.transformers else None


def _datum(above_ellipsoid: list[bool], shifted: bool) -> str:
    if all(above_ellipsoid):
        return "heights above the ellipsoid, by its CRS"
    raised = "raised to the ellipsoid by EGM96" if shifted else "taken as above the ellipsoid"
    return f"heights above sea level, as usual for DEMs, {raised}"
