"""How GDAL opens rasters: in which formats, and with which options."""

from collections.abc import Iterable
from typing import Any, Final

import rasterio
from rasterio.errors import RasterioError

from landslide_core.places import place_of

# GDAL's block cache is bounded, so that memory doesn't grow with what was read.
GDAL_OPTIONS: Final = {
    "GDAL_CACHEMAX": 64 * 2**20,
    "GDAL_NUM_THREADS": "1",
    "GDAL_VRT_ENABLE_PYTHON": "NO",  # a raster runs no program
}
# Where a raster is behind an address. A dead server fails within half a minute:
# two tries of ten seconds, and what is between them.
GDAL_REMOTE: Final = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no guessing at files beside it
    "GDAL_HTTP_CONNECTTIMEOUT": "10",  # s
    "GDAL_HTTP_LOW_SPEED_TIME": "10",  # s below the speed; a limit of time alone fails large reads
    "GDAL_HTTP_LOW_SPEED_LIMIT": "100",  # bytes/s
    "GDAL_HTTP_MAX_RETRY": "1",
    "GDAL_HTTP_RETRY_DELAY": "1",  # s
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",  # the header of a COG in one request
    "CPL_VSIL_CURL_USE_HEAD": "NO",  # an address is signed for GET alone
    "CPL_VSIL_CURL_CACHE_SIZE": str(64 * 2**20),  # bytes, of all addresses together
    "VSI_CACHE": "NO",  # a second one, for each file
}
# Formats of rasters, by GDAL's names, and how their files' names end.
DRIVERS: Final = {
    "GTiff": (".tif", ".tiff"),
    "JP2OpenJPEG": (".jp2",),
    "HFA": (".img",),
    "ENVI": (".img",),  # what SNAP's BEAM-DIMAP keeps in its .data folder
    "VRT": (".vrt",),
}
SUFFIXES: Final = tuple(dict.fromkeys(suffix for ends in DRIVERS.values() for suffix in ends))


def gdal_options(opened: Iterable[str]) -> dict[str, Any]:
    """GDAL's options to read rasters, by the names it opens them by."""
    places = [place_of(name) for name in opened]
    if any(place.remote for place in places):
        return {**GDAL_OPTIONS, **GDAL_REMOTE}
    if any(place.member for place in places):  # what lies beside a member may name anything
        return {**GDAL_OPTIONS, "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR"}
    return dict(GDAL_OPTIONS)


def open_raster(opened: str) -> Any:
    """Open a raster in one of the formats that Sentinel files come in. Raises RasterioError.

    GDAL knows formats that fetch, include or run something, whatever a file is called.
    """
    place = place_of(opened)
    suffix = place.path.suffix.lower()
    # A virtual raster names other files: only one that is called so has been checked.
    named = [d for d in DRIVERS if d != "VRT" or (suffix == ".vrt" and opened == place.holder)]
    errors = []
    for driver in sorted(named, key=lambda driver: suffix not in DRIVERS[driver]):
        try:
            return rasterio.open(opened, driver=driver)
        except RasterioError as error:
            errors.append(error)
    raise errors[0]
