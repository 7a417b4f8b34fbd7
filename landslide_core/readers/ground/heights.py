"""Terrain heights above the ellipsoid on a scene's grid, from DEM files."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from pyproj import CRS
from pyproj.exceptions import ProjError
from pyproj.transformer import Transformer, TransformerGroup

from landslide_core.grid import Grid, Window
from landslide_core.pixels import BandSource, read_sources
from landslide_core.readers.ground.geometry import places
from landslide_core.readers.ground.xml import Doubles
from landslide_core.shards import joined

GEOID: Final = "EPSG:4326+5773"  # WGS 84 with heights above EGM96
UNDULATION: Final = 107.0  # m, the most that sea level lies off the ellipsoid


@dataclass(frozen=True)
class Dem:
    """One DEM and what raises it."""

    source: BandSource
    to_ellipsoid: Transformer | None  # of its heights; None where they are taken as they are


@dataclass(frozen=True)
class Terrain:
    """DEMs on a grid; the first that has a height counts."""

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
        read = read_sources([dem.source], self.grid, part)[dem.source]
        heights: Doubles = read.astype(np.float64)
        if dem.to_ellipsoid is None or np.isnan(heights).all():
            return heights
        return heights + _sea_level(self.grid, part, dem.to_ellipsoid)


def terrain_of(sources: Sequence[BandSource], grid: Grid) -> Terrain:
    """DEMs on a grid, in metres.

    Heights are above the ellipsoid where the file's CRS says so; else above sea level, as in
    nearly all DEMs, and raised by EGM96 where PROJ has its grid.
    """
    shift = geoid() if sources else None
    dems = joined(tuple(sources))
    above = [_above_ellipsoid(source.geobox.crs) for source in dems]
    return Terrain(
        grid=grid,
        dems=tuple(
            Dem(source, None if is_above else shift)
            for source, is_above in zip(dems, above, strict=True)
        ),
        datum=_datum(above, shift is not None),
        unshifted=shift is None and not all(above),
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
