"""The levels of a look, each half as fine as the last, and the one raster made of them."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio._err import CPLE_BaseError
from rasterio.windows import Window as RasterWindow

from landslide_core.bands import BAND_NAMES, OPTICAL
from landslide_core.grid import Window
from landslide_core.layers import CLOUD
from landslide_core.progress import Progress
from landslide_core.render import Floats, shrunk
from landslide_core.scene import Scene

BANDS: Final = (*BAND_NAMES, CLOUD)  # in the file's order, from 1
NO_DATA: Final = -32768
PER_DB: Final = 100  # stored = dB × 100; reflectance × 10⁴ and the cloud flag are as they are
_STRIP: Final = 2_500_000  # pixels of a scene read at once: 12 bands take 120 MB
_ROWS: Final = 256  # of a level, halved at once
_LEVEL: Final = {"driver": "GTiff", "dtype": "int16", "count": len(BANDS), "nodata": NO_DATA}
_FINAL: Final = {
    **{"tiled": "yes", "blockxsize": 256, "blockysize": 256, "interleave": "band"},
    **{"compress": "zstd", "zstd_level": 3, "predictor": 2, "copy_src_overviews": "yes"},
    **{"bigtiff": "if_safer"},
}


def size(level: Path) -> tuple[int, int]:
    """Rows and columns of a level."""
    with rasterio.open(level, driver="GTiff") as raster:
        return raster.height, raster.width


def base(scene: Scene, room: Path, step: int, geobox: GeoBox, tell: Progress) -> Path:
    """Level 0, strip by strip of the scene."""
    rows, cols = int(geobox.shape.y), int(geobox.shape.x)
    block = max(1, _STRIP // (step * step * cols))
    path = room / "0.tif"
    place = {"crs": geobox.crs, "transform": geobox.transform}
    with rasterio.open(path, "w", **_LEVEL, **place, height=rows, width=cols) as raster:
        for top in range(0, rows, block):
            height = min(block, rows - top)
            window = Window(top * step, 0, height * step, cols * step)
            planes = np.full((len(BANDS), height, cols), np.nan, np.float32)
            planes[:-1] = shrunk(scene.read(window), BAND_NAMES, step)
            cloud = scene.read_cloud(window)
            if cloud is not None:
                planes[-1] = cloud[::step, ::step]
            raster.write(_stored(BANDS, planes), window=RasterWindow(0, top, cols, height))
            tell("look", top + height, rows)
    return path


def halved(level: Path, number: int) -> Path:
    """The next overview: each pixel the mean of four, radar's in linear power; cloud of one."""
    path = level.with_name(f"{number}.tif")
    rows, cols = (-(-side // 2) for side in size(level))
    with ExitStack() as opened:
        finer = opened.enter_context(rasterio.open(level, driver="GTiff"))
        place = {"crs": finer.crs, "transform": finer.transform @ Affine.scale(2)}
        raster = opened.enter_context(
            rasterio.open(path, "w", **_LEVEL, **place, height=rows, width=cols)
        )
        for top in range(0, rows, _ROWS):
            height = min(_ROWS, rows - top)
            below = RasterWindow(0, 2 * top, finer.width, min(2 * height, finer.height - 2 * top))
            planes = values(BANDS, finer.read(window=below))
            odd = ((0, 0), (0, 2 * height - planes.shape[1]), (0, 2 * cols - planes.shape[2]))
            planes = np.pad(planes, odd, constant_values=np.nan)
            half = np.concatenate([shrunk(planes[:-1], BAND_NAMES, 2), planes[-1:, ::2, ::2]])
            raster.write(_stored(BANDS, half), window=RasterWindow(0, top, cols, height))
    return path


def virtual(levels: list[Path], geobox: GeoBox, tags: dict[str, str]) -> Path:
    """All levels as one raster, the smaller ones its overviews: GDAL would average decibels."""
    rows, cols = size(levels[0])
    lines = [
        f'<VRTDataset rasterXSize="{cols}" rasterYSize="{rows}">',
        f"<SRS>{escape(geobox.crs.to_wkt() if geobox.crs else '')}</SRS>",
        f"<GeoTransform>{','.join(map(repr, geobox.transform.to_gdal()))}</GeoTransform>",
        "<Metadata>",
        *(f"<MDI key={quoteattr(name)}>{escape(text)}</MDI>" for name, text in tags.items()),
        "</Metadata>",
    ]
    for i, name in enumerate(BANDS, start=1):
        at = [
            f'<SourceFilename relativeToVRT="1">{one.name}</SourceFilename>'
            f"<SourceBand>{i}</SourceBand>"
            for one in levels
        ]
        lines += [
            f'<VRTRasterBand dataType="Int16" band="{i}"><Description>{name}</Description>',
            f"<NoDataValue>{NO_DATA}</NoDataValue><SimpleSource>{at[0]}</SimpleSource>",
            *(f"<Overview>{one}</Overview>" for one in at[1:]),
            "</VRTRasterBand>",
        ]
    path = levels[0].with_name("look.vrt")
    path.write_text("\n".join([*lines, "</VRTDataset>"]))
    return path


def copied(virtual: Path, out: Path) -> None:
    """Copy a raster with its overviews. Raises OSError."""
    try:
        rasterio.shutil.copy(virtual, out, driver="GTiff", strict=False, **_FINAL)
        with rasterio.open(out, driver="GTiff") as raster:
            raster.checksum(len(BANDS))  # the last band's blocks, which a full disk cuts off
    except CPLE_BaseError as error:
        raise OSError(str(error)) from error


def values(names: tuple[str, ...], stored: NDArray[Any]) -> Floats:
    """Stored numbers (n, h, w) of bands as reflectance × 10⁴, dB or 0 and 1; NaN = no data."""
    found = np.where(stored == NO_DATA, np.float32(np.nan), stored.astype(np.float32))
    for name, plane in zip(names, found, strict=True):
        if _in_db(name):
            plane /= PER_DB
    return found


def _stored(names: tuple[str, ...], planes: Floats) -> NDArray[np.int16]:
    """Values (n, h, w) as they are stored; reflectance past 3.2767 is cut there."""
    scaled = (
        planes * np.array([PER_DB if _in_db(n) else 1 for n in names], np.float32)[:, None, None]
    )
    whole = np.clip(np.rint(scaled), NO_DATA + 1, -NO_DATA - 1)
    return np.where(np.isfinite(planes), whole, NO_DATA).astype(np.int16)


def _in_db(name: str) -> bool:
    return name not in OPTICAL and name != CLOUD
