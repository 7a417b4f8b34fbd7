"""The window of an area out of an acquisition's files, read strip by strip, as one COG."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pystac
import rasterio
import requests
import shapely
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterWindow
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

from landslide_core.bands import PIXEL
from landslide_core.catalogue.area import outline_of
from landslide_core.catalogue.granules import Granule
from landslide_core.catalogue.service import quiet
from landslide_core.errors import CatalogueError
from landslide_core.grid import Grid, Window
from landslide_core.opening import GDAL_OPTIONS, GDAL_REMOTE
from landslide_core.pixels import Floats
from landslide_core.places import Place, is_address, without_query
from landslide_core.readers.addresses import check_address, private_allowed

Sign = Callable[[str], str]
Tell = Callable[[int, int], None]  # strips done, strips in all

STRIP: Final = 1024  # rows read at once: whole blocks of the usual files
_READERS: Final = 4  # files read at once; they wait for the network
_OPTIONS: Final = GDAL_OPTIONS | GDAL_REMOTE
_TALKATIVE: Final = ("odc.loader._rio", "rasterio._err", "rasterio._env", "rasterio._io")


@dataclass(frozen=True)
class Layer:
    """A raster to be written: its bands, how they are stored and what is said of them."""

    names: tuple[str, ...]
    dtype: str
    nodata: float
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Remote:
    """How files behind addresses are read."""

    sign: Sign
    pool: ThreadPoolExecutor  # for all strips: GDAL keeps connections by thread


@contextmanager
def remote_reading(sign: Sign) -> Iterator[Remote]:
    """GDAL set up for files behind addresses, and nothing of them logged."""
    with (
        quiet(*_TALKATIVE),
        # GDAL's warp says so of its own target in memory.
        warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning),
        rasterio.Env(**_OPTIONS),
        ThreadPoolExecutor(_READERS) as pool,
    ):
        yield Remote(sign, pool)


def strips(geobox: GeoBox, top: float | None = None) -> list[Window]:
    """Windows of whole rows that make up a grid, from its top.

    `top` is the upper edge of the file that is read, in the grid's CRS: strips that begin with
    its blocks have no block sent twice.
    """
    height, width = geobox.shape
    above = 0 if top is None else round((top - geobox.boundingbox.top) / PIXEL) % STRIP
    starts = [0, *range(STRIP - above, height, STRIP)]
    ends = [*starts[1:], height]
    return [Window(top, 0, end - top, width) for top, end in zip(starts, ends, strict=True)]


def check_files(
    granule: Granule, bands: Sequence[str], geobox: GeoBox, remote: Remote
) -> float | None:
    """The upper edge of a granule's files if they are in the grid's CRS, else None.

    Raises CatalogueError, or what `check_address` raises, unless every file opens as a raster.
    GDAL keeps what it has read of a file's head, so this costs nothing later.
    """
    top = None
    for band in bands:
        href = granule.assets[band].href
        if not is_address(href):
            raise CatalogueError(
                f"{granule.id} names {href[:200]!r} as its {band}; an address is needed. Try "
                "another catalogue."
            )
        try:
            place = Place(_signed(href, remote.sign))
            # No other format: a virtual one could name further files, here or anywhere.
            driver = "JP2OpenJPEG" if place.name.lower().endswith(".jp2") else "GTiff"
            with rasterio.open(place.opened, driver=driver) as file:
                if file.crs is None:
                    raise CatalogueError(
                        f"{without_query(href)} has no coordinate reference system; a "
                        "georeferenced raster is needed. Choose another image."
                    )
                top = float(file.bounds.top) if file.crs == geobox.crs else None
        except RasterioError as error:
            raise _unreadable(without_query(href)) from error
    return top


def read(
    granule: Granule, bands: Sequence[str], geobox: GeoBox, remote: Remote, resampling: str
) -> Floats:
    """The bands (n, height, width) of a granule on a grid, as stored; no data is NaN.

    Raises CatalogueError where a file doesn't answer.
    """
    import odc.stac  # slow to import, and most commands don't need it

    named = _bare(granule, bands, geobox)

    def load(band: str) -> Floats:
        with rasterio.Env(**_OPTIONS):  # a thread has its own
            loaded = odc.stac.load(
                [named],
                bands=[band],
                geobox=geobox,
                resampling=resampling,
                dtype="float32",
                nodata=np.nan,
                stac_cfg={"*": {"assets": {"*": {"data_type": "float32", "nodata": 0}}}},
                patch_url=lambda href: _signed(href, remote.sign),
            )
        pixels: Floats = loaded[band].values[0]
        return pixels

    try:
        stored = np.stack(list(remote.pool.map(load, bands)))
    except RasterioError as error:
        raise _unreadable(f"{granule.id} ({', '.join(bands)})") from error
    stored[stored == 0] = np.nan  # whatever else a file declares
    return stored


def write_cog(
    path: Path,
    geobox: GeoBox,
    layer: Layer,
    top: float | None,
    strip_of: Callable[[GeoBox], NDArray[Any]],
    tell: Tell,
) -> None:
    """Fill a COG strip by strip with what `strip_of` gives (bands, height, width).

    `top` is where `strips` wants it.
    """
    plain = path.with_name(f"plain-{path.name}")
    profile = {
        "driver": "GTiff",
        "height": geobox.shape.y,
        "width": geobox.shape.x,
        "count": len(layer.names),
        "dtype": layer.dtype,
        "nodata": layer.nodata,
        "crs": str(geobox.crs),
        "transform": geobox.transform,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
        "bigtiff": "if_safer",
    }
    windows = strips(geobox, top)
    with rasterio.open(plain, "w", **profile) as file:
        file.descriptions = layer.names
        for done, window in enumerate(windows, 1):
            pixels = strip_of(Grid(geobox).geobox_of(window))
            file.write(pixels, window=RasterWindow(0, window.row, window.width, window.height))
            tell(done, len(windows))
        file.update_tags(**layer.tags)
    cog_translate(
        plain,
        path,
        {**cog_profiles.get("deflate"), "blockxsize": 512, "blockysize": 512},
        overview_resampling="nearest",
        in_memory=False,
        quiet=True,
        forward_band_tags=True,
        config=GDAL_OPTIONS,
    )
    plain.unlink()


def _bare(granule: Granule, bands: Sequence[str], geobox: GeoBox) -> pystac.Item:
    """An item that names files only, as if they filled the grid.

    Each file is placed by what it says itself: items are known to lag behind files that were
    made anew, and some write footprints across the antimeridian wrongly.
    """
    outline = outline_of(geobox)
    item = pystac.Item(
        granule.id, shapely.geometry.mapping(outline), list(outline.bounds), granule.time, {}
    )
    for band in bands:
        asset = pystac.Asset(granule.assets[band].href, media_type=pystac.MediaType.COG)
        asset.roles = ["data"]
        item.add_asset(band, asset)
    return item


def _signed(href: str, sign: Sign) -> str:
    """A file's address as it may be read. Raises CatalogueError where it cannot be signed."""
    try:
        signed = sign(href)
    except (requests.RequestException, ValueError) as error:
        raise CatalogueError(
            f"{without_query(href)} was not signed ({type(error).__name__}); a signature is "
            "needed to read it. Try again later."
        ) from error
    return _checked(signed, private_allowed())


@lru_cache(maxsize=1024)  # it costs a request, and every strip asks anew
def _checked(address: str, private: bool) -> str:
    """The address at the end of all redirects. Raises what `check_address` raises."""
    return check_address(address, private)


def _unreadable(what: str) -> CatalogueError:
    return CatalogueError(
        f"{what} cannot be read; a GeoTIFF or JPEG 2000 that its server hands out in parts is "
        "needed. Try again later, or choose another image."
    )
