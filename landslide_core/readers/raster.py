"""What a raster file is, before anybody decides what its bands mean."""

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from pyproj.exceptions import ProjError
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as Box

from landslide_core.bands import PIXEL
from landslide_core.errors import GridMismatch, MissingCRS, UnreadableRaster
from landslide_core.grid import ground_size, is_placed
from landslide_core.opening import gdal_options, open_raster
from landslide_core.pixels import (
    BandSource,
    Floats,
    Unit,
    physical,
)
from landslide_core.places import Place, place_of, told
from landslide_core.readers.addresses import length
from landslide_core.readers.bombs import bytes_held, refuse_bomb
from landslide_core.readers.given import ROLE_WORDS

SAMPLE: Final = 512  # pixels a side that statistics are taken on
PATCHES: Final = 6  # a side, where a file is too large to be decoded whole
FINE: Final = 1.0  # m; each pixel of the scene is averaged from so many finer ones
COARSE: Final = 60.0  # m; the coarsest Sentinel-2 bands, and larger than most landslides


@dataclass(frozen=True)
class RasterFile:
    """A readable, georeferenced file: its grid and what it says of its bands."""

    place: Place
    geobox: GeoBox
    resolution: float  # m
    names: tuple[str, ...]  # band descriptions, "" where there is none
    dtypes: tuple[str, ...]
    scales: tuple[float, ...]
    offsets: tuple[float, ...]
    nodata: tuple[float | None, ...]
    masked: bool
    tags: Mapping[str, str]
    units: tuple[str, ...]  # of the bands, "" where none is stated

    @property
    def count(self) -> int:
        """Bands in the file."""
        return len(self.names)

    def source(self, index: int, unit: Unit, scale: float = 1.0, offset: float = 0.0) -> BandSource:
        """A band of the file (from 1) as a source: stored × scale + offset is in the unit."""
        return BandSource(
            path=self.place.opened,
            index=index,
            geobox=self.geobox,
            resolution=self.resolution,
            unit=unit,
            scale=scale,
            offset=offset,
            nodata=self.nodata[index - 1],
            masked=self.masked,
        )


@contextmanager
def _opened(place: Place) -> Iterator[Any]:
    try:
        with rasterio.Env(**gdal_options([place.opened])), warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # we raise our own error
            with open_raster(place.opened) as file:
                yield file
    except (RasterioError, OSError, UnicodeDecodeError) as error:  # names that aren't UTF-8
        found = (
            "is not there" if place.file and not os.path.exists(place.file) else "cannot be read"
        )
        raise UnreadableRaster(
            f"{place} {found} ({told(error, place)}); a complete raster that GDAL can read is "
            "needed. Check the path, or copy or download the file again."
        ) from error


def inspect(place: Place) -> RasterFile:
    """Open a file and note what it says; decodes its last pixels, which a cut-off file lacks.

    Raises UnreadableRaster, MissingCRS.
    """
    with _opened(place) as file:
        if file.count == 0:
            raise UnreadableRaster(
                f"{place} is a container without pixels of its own; a raster is needed. "
                "Unpack it and name the band files."
            )
        held = length(place.holder) if place.remote else bytes_held(file)
        refuse_bomb(file, str(place), held)
        geobox = _geobox(place, file)
        last = Box(file.width - 1, file.height - 1, 1, 1)
        for index in file.indexes:
            file.read(index, window=last)
        flags = file.mask_flag_enums[0]
        return RasterFile(
            place=place,
            geobox=geobox,
            resolution=max(ground_size(geobox)),
            names=tuple(name or "" for name in file.descriptions),
            dtypes=tuple(file.dtypes),
            scales=tuple(file.scales),
            offsets=tuple(file.offsets),
            nodata=tuple(file.nodatavals),
            masked=MaskFlags.per_dataset in flags,
            tags={**file.tags(), **file.tags(1)},
            units=tuple(unit or "" for unit in file.units),
        )


def _geobox(place: Place, file: Any) -> GeoBox:
    """An open file's grid. Raises MissingCRS unless it says where on Earth its pixels lie."""
    if file.crs is None or file.transform.is_identity:
        points = len(file.gcps[0])
        seen = f"only {points} ground control points" if points else "no georeference"
        raise MissingCRS(
            f"{place} has {seen}; a coordinate reference system and a transform are needed. "
            + (
                "Give the whole SAFE product, or terrain-correct it first, e.g. with SNAP."
                if points
                else "Assign them, e.g. with gdal_edit.py -a_srs -a_ullr."
            )
        )
    if not (file.crs.is_projected or file.crs.is_geographic):
        raise MissingCRS(
            f"{place} has a local coordinate system; one that is projected or geographic is "
            "needed. Assign it, e.g. with gdal_edit.py -a_srs."
        )
    code = file.crs.to_epsg(confidence_threshold=90)  # short to read, and quick to compare
    crs = f"EPSG:{code}" if code else file.crs
    geobox = None
    with suppress(ProjError):  # what GDAL reads, PROJ may not
        geobox = GeoBox((file.height, file.width), file.transform, crs)
    if geobox is None or not is_placed(geobox):
        raise MissingCRS(
            f"{place} lies nowhere on Earth in its coordinate reference system; a transform that "
            "fits it is needed. Correct either, e.g. with gdal_edit.py -a_srs -a_ullr."
        )
    return geobox


def coarse(places: Iterable[tuple[str, RasterFile]]) -> list[str]:
    """Warnings for bands of 60 m, each with its file.

    Raises GridMismatch for coarser ones, and for pixels that no satellite of ours has.
    """
    bands = []
    for band, file in places:
        if file.resolution < FINE:
            raise GridMismatch(
                f"{file.place} has pixels of {file.resolution:.2g} m; {FINE:g} m at least is "
                "needed, best 10 m. Resample it first, e.g. with gdalwarp -tr 10 10."
            )
        if file.resolution > COARSE * 1.1:
            raise GridMismatch(
                f"{file.place} has pixels of {file.resolution:.0f} m; {COARSE:.0f} m at most is "
                "needed, best 10 m. Choose the 10 m or 20 m file of the product."
            )
        if file.resolution >= COARSE * 0.9:
            bands.append(band)
    if not bands:
        return []
    have = f"{', '.join(dict.fromkeys(bands))} {'has' if len(set(bands)) == 1 else 'have'}"
    return [
        f"{have} {COARSE:.0f} m pixels; the model was made for {PIXEL:.0f} m: expect missed "
        "landslides."
    ]


def sample(source: BandSource) -> Floats:
    """Valid physical values of up to 512×512 pixels spread over a source, 1-D; may be empty.

    From 36 patches at full resolution, so that a large file isn't decoded whole and its darkest
    pixels aren't averaged away; only where those are empty from all of it. JPEG 2000 is slow to
    decode but holds smaller versions of itself. Raises UnreadableRaster.
    """
    with _opened(place_of(source.path)) as file:
        whole = Box(0, 0, file.width, file.height)
        large = max(file.shape) > SAMPLE and not file.driver.startswith("JP2")
        values = np.empty(0, np.float32)
        for boxes in [_patches(file), [whole]] if large else [[whole]]:
            values = np.concatenate([_valid(file, source, box) for box in boxes])
            if values.size:
                break
    return values


def _patches(file: Any) -> list[Box]:
    """6×6 patches of 85×85 pixels over a file, each starting at one of its blocks."""
    side, block = SAMPLE // PATCHES, file.block_shapes[0]
    rows, cols = (
        {int(at) // step * step for at in np.linspace(0, max(size - side, 0), PATCHES)}
        for size, step in zip(file.shape, block, strict=True)
    )
    return [
        Box(col, row, min(side, file.width - col), min(side, file.height - row))
        for row in sorted(rows)
        for col in sorted(cols)
    ]


def _valid(file: Any, source: BandSource, box: Box) -> Floats:
    """The valid physical values of at most 512×512 pixels in a part of an open file."""
    shape = (min(int(box.height), SAMPLE), min(int(box.width), SAMPLE))
    values = physical(source, file.read(source.index, window=box, out_shape=shape))
    valid = np.isfinite(values)
    if source.masked:
        valid &= file.read_masks(source.index, window=box, out_shape=shape) != 0
    chosen: Floats = values[valid]
    return chosen


def left_out(file: RasterFile, index: int, role: str) -> str:
    """The warning for a band without a single valid pixel."""
    name = f"{ROLE_WORDS[role]}: {file.place.name}"
    return f"{name} (band {index}) holds no valid pixel and is left out."


def spread_of(values: Floats) -> str:
    """Middle and ends of a sample in words, as evidence."""
    low, middle, high = np.percentile(values, (1, 50, 99))
    return f"1 % {low:.4g}, median {middle:.4g}, 99 % {high:.4g}"
