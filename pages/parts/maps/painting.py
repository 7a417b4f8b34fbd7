"""A map tile: a raster's pixels in web Mercator, painted as a layer."""

from functools import lru_cache
from math import atan, degrees, pi, sinh
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.transform import from_bounds
from rio_tiler.constants import WEB_MERCATOR_CRS
from rio_tiler.io import Reader

from landslide_core import layers, levels, looks, render
from landslide_core.errors import UnreadableRaster
from landslide_core.layers import Layer
from landslide_core.opening import GDAL_OPTIONS

OPTIONS: Final = {**GDAL_OPTIONS, "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
# Overviews have been averaged: four pixels around each point are enough.
_PLAIN: Final = {"XSCALE": "1", "YSCALE": "1"}
HALF: Final = pi * render.RADIUS  # m from the middle of the web map to its edge

At = tuple[int, int, int]  # zoom, column, row
Stretch = tuple[float | None, float | None]


def tile(
    path: Path, layer: Layer, at: At, size: int = 256, stretch: Stretch = (None, None)
) -> bytes:
    """WebP of a tile, `size` pixels a side; see-through where the raster doesn't reach.

    The file is opened anew for each tile: GDAL's handles belong to a thread. Raises ValueError
    for limits the wrong way round, KeyError where the file lacks the layer's bands,
    UnreadableRaster.
    """
    try:
        with rasterio.Env(**OPTIONS), rasterio.open(path, driver="GTiff") as whole:
            natural = _natural(whole, layer)
            limits = layers.limits_of(layer, natural, *stretch)
            if any(low >= high for low, high in limits):
                raise ValueError(stretch)
            if not _reaches(whole, at):
                return nothing(size)
            # The warper takes all bands of what it is given, so it is given no others.
            wanted = ",".join(str(levels.BANDS.index(band) + 1) for band in layer.bands) or "1"
            some = f"vrt://{path.absolute()}?bands={wanted}"
            with rasterio.open(some, driver="VRT", **_level(whole, at, size)) as raster:
                pixels = _read(raster, layer, at, size)
    except RasterioError as error:
        raise UnreadableRaster(
            f"{path.name} does not read; the file that was written is needed. Make it again."
        ) from error
    picture = layers.paint(layer, pixels, limits)
    if not picture[..., 3].any():
        return nothing(size)
    return render.encode(picture, exact=bool(layer.classes or layer.palette))


@lru_cache(maxsize=4)
def nothing(size: int) -> bytes:
    """The tile in which nothing is to be seen."""
    return render.encode(np.zeros((size, size, 4), np.uint8), exact=True)


def bounds(at: At) -> tuple[float, float, float, float]:
    """West, south, east and north of a tile, metres of the web map."""
    z, x, y = at
    side = 2 * HALF / 2**z
    return x * side - HALF, HALF - (y + 1) * side, (x + 1) * side - HALF, HALF - y * side


def _natural(raster: Any, layer: Layer) -> dict[str, render.Limits]:
    """The scene's own limits; nothing for a result."""
    if not layer.bands:
        return {}
    found = looks.facts_of(raster)
    if not found.bands.issuperset(layer.bands):
        raise KeyError(layer.name)
    return found.natural


def _reaches(raster: Any, at: At) -> bool:
    """Whether a raster's place and a tile overlap, also across the antimeridian."""
    (south, west), (north, east) = _place(
        raster.crs.to_wkt(), tuple(raster.transform)[:6], raster.shape
    )
    left, bottom, right, top = bounds(at)
    low, high = (degrees(atan(sinh(y / render.RADIUS))) for y in (bottom, top))
    start, end = (180 * x / HALF for x in (left, right))
    turns = (-360, 0, 360)
    return low < north and high > south and any(start + t < east and end + t > west for t in turns)


@lru_cache(maxsize=256)
def _place(crs: str, transform: tuple[float, ...], shape: tuple[int, int]) -> Any:
    return render.web_map_bounds(GeoBox(shape, Affine(*transform), crs))


def _level(raster: Any, at: At, size: int) -> dict[str, int]:
    """The smallest overview that has a tile's resolution, so that no more is read than shows."""
    (south, _), (north, _) = _place(raster.crs.to_wkt(), tuple(raster.transform)[:6], raster.shape)
    shrunk = np.cos(np.radians((south + north) / 2))  # a metre of the map on the ground
    wanted = 2 * HALF / 2 ** at[0] / size * shrunk / abs(raster.transform.a)
    able = [i for i, factor in enumerate(raster.overviews(1)) if factor <= wanted * 1.01]
    return {"overview_level": able[-1]} if able else {}


def _read(raster: Any, layer: Layer, at: At, size: int) -> render.Floats:
    """A layer's bands in a tile (bands, size, size), in their units; NaN = no data."""
    how = "bilinear" if layer.smooth else "nearest"
    place = from_bounds(*bounds(at), size, size)
    with Reader(None, dataset=raster) as reader:
        found = reader.part(
            bounds(at),
            dst_crs=WEB_MERCATOR_CRS,
            bounds_crs=WEB_MERCATOR_CRS,
            width=size,
            height=size,
            resampling_method=how,
            reproject_method=how,
            unscale=not layer.bands,
            # Else rio-tiler warps at the raster's own resolution, zoomed out at any size.
            vrt_options={"transform": place, "width": size, "height": size, **_PLAIN},
        )
    if layer.bands:
        return levels.values(layer.bands, found.array.filled(levels.NO_DATA))
    return np.asarray(found.array.astype(np.float32).filled(np.nan))
