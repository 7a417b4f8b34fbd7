"""Rasters that claim far more pixels than their bytes can hold, refused before any is decoded."""

import re
from typing import Any, Final

from landslide_core.errors import UnreadableRaster
from landslide_core.places import place_of
from landslide_core.readers.archives import packed, size_in_words

# One byte must be there for so many claimed: twice what deflate can make of emptiness (1:1032),
# and what a raster still has with data in 0.4 % of its pixels, at 2:1.
HOLLOW: Final = 500
# Up to here a raster may be empty: a whole Sentinel-2 band (241 MB) at a swath's edge nearly is.
SMALL: Final = 256 * 2**20  # bytes
BLOCK: Final = 512 * 2**20  # bytes decoded at once; a whole band in one strip has 241 MB
BANDS: Final = 1000


def refuse_bomb(dataset: Any, name: str, held: int | None) -> None:
    """Raise UnreadableRaster where an open raster claims far more than its bytes can hold.

    `held` are the bytes that its files have (`bytes_held`); None where that isn't known, and only
    blocks and bands are checked. Nothing is decoded.
    """
    if dataset.count > BANDS:
        raise UnreadableRaster(
            f"{name} has {dataset.count:,} bands; {BANDS:,} at most are needed. Choose some, e.g. "
            "with gdal_translate -b."
        )
    sizes = [_bytes_of(dtype) for dtype in dataset.dtypes]
    together = sum(sizes) if dataset.profile.get("interleave") == "pixel" else max(sizes, default=0)
    block = max((rows * cols for rows, cols in dataset.block_shapes), default=0) * together
    if block > BLOCK:
        raise UnreadableRaster(
            f"{name} is stored in blocks of {size_in_words(block)}; {size_in_words(BLOCK)} at "
            "most is needed. Write it in tiles, e.g. with gdal_translate -co TILED=YES."
        )
    claimed = dataset.width * dataset.height * sum(sizes)
    if held is not None and claimed > SMALL and claimed > HOLLOW * held:
        raise UnreadableRaster(
            f"{name} claims {dataset.width:,}×{dataset.height:,} pixels "
            f"({size_in_words(claimed)}) in {size_in_words(held)}; at most {HOLLOW}:1 is needed, "
            "as rasters with data have. Cut it to the part with data, e.g. with gdal_translate "
            "-projwin."
        )


def bytes_held(dataset: Any) -> int | None:
    """Bytes of an open raster's files: on disk, packed in an archive, or of a VRT's sources too.

    None where one of them is behind an address.
    """
    total = 0
    for place in map(place_of, dataset.files):
        if place.file is None or not place.file.is_file():
            return None
        total += packed(place.file, place.member) if place.member else place.file.stat().st_size
    return total if dataset.files else None


def _bytes_of(dtype: str) -> int:
    """Bytes of one number of a type, as rasterio names it: "uint16", "complex_int16"."""
    bits = re.search(r"\d+", dtype)
    parts = 2 if dtype.startswith("complex_") else 1
    return max(1, int(bits[0]) // 8) * parts if bits else 16
