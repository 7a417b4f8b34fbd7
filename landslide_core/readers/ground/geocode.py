"""A Sentinel-1 ground range product -> calibrated, noise-free sigma nought on the scene's grid.

Sigma nought, as in Earth Engine and BigEarthNet, from which the bands' normalisation comes, and
not flattened by the terrain, as neither is. sarsen's own pipeline isn't used: it wants unpacked
folders and DEMs on the output grid, calibrates without removing noise, and keeps the measurement
in dask; its orbit and its zero Doppler solution are.
"""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as Box

from landslide_core.bands import PIXEL
from landslide_core.errors import CannotWrite, GridMismatch, UnreadableRaster
from landslide_core.grid import Grid, Window
from landslide_core.opening import gdal_options
from landslide_core.pixels import BandSource
from landslide_core.places import stamp
from landslide_core.readers.bombs import bytes_held, refuse_bomb
from landslide_core.readers.ground.annotation import Annotation, read_annotation, read_manifest
from landslide_core.readers.ground.geometry import RadarGeometry, sight
from landslide_core.readers.ground.heights import geoid, terrain_of
from landslide_core.readers.ground.image import BLOCK, Image, blocks, geocoded
from landslide_core.readers.ground.product import Product, product_in
from landslide_core.readers.ground.report import Counts, Facts, decisions, tags, warnings_of
from landslide_core.readers.ground.tables import read_calibration, read_noise
from landslide_core.scene import Decision

Progress = Callable[[str, int, int], None]  # stage, done, total

METHOD: Final = 1  # raise it where pixels change, so that kept files are made anew
NOTES: Final = "LANDSLIDE_NOTES"
MISFIT: Final = 5.0  # pixels; a whole annotation agrees with itself to 0.01
CACHE: Final = 96 * 2**20  # bytes of decoded blocks: 800 whole lines of a stripped file, and more


@dataclass(frozen=True)
class Geocoded:
    """A geocoded file and how it came about; decisions without a role, which the caller knows."""

    path: Path
    decisions: tuple[Decision, ...]
    warnings: tuple[str, ...]


def geocoded_path(
    folder: Path, safe: Path, polarisation: str, grid: Grid | None, dem: tuple[BandSource, ...] = ()
) -> Path:
    """Where a product's geocoded file is kept: another name for other files, grid or method."""
    product = _product(safe)
    files = [product.holder] if product.inside else _files(product, polarisation)
    frame = (grid.crs, tuple(grid.transform), grid.shape) if grid else None
    heights = [(one.path, stamp(one.path), one.index, one.scale, one.offset) for one in dem]
    raised = bool(dem) and geoid() is not None
    said = (METHOD, _identities(files), polarisation, frame, heights, raised)
    digest = hashlib.sha256(repr(said).encode()).hexdigest()[:16]
    return folder / f"{product.name}_{polarisation.upper()}_{digest}.tif"


def geocode(
    safe: Path,
    polarisation: str,
    grid: Grid | None,
    dem: tuple[BandSource, ...],
    out: Path,
    progress: Progress = lambda stage, done, total: None,
) -> Geocoded:
    """Write "vv" or "vh" of a GRD SAFE (folder or zip) as a GeoTIFF; a file already there is kept.

    Linear power, float32, NaN = no data, on the scene's grid or on a 10 m UTM grid around the
    image. With DEMs (in metres) terrain is where it belongs. Raises UnreadableRaster,
    MissingCRS, MissingBands, GridMismatch, CannotWrite.
    """
    if kept := _kept(out):
        return kept
    product = _product(safe)
    channel = product.channel(polarisation)
    progress("annotation", 0, 1)
    annotation = read_annotation(product, channel.annotation)
    geometry = RadarGeometry(annotation)
    grid = grid or utm_grid(annotation)
    misfit = geometry.misfit()
    if not misfit < MISFIT:
        raise UnreadableRaster(
            f"{product.holder}: orbit and timing miss the product's geolocation grid by "
            f"{misfit:.0f} pixels; {MISFIT:.0f} at most are right. Download the product again."
        )
    noise = read_noise(product, channel.noise) if channel.noise else None
    calibration = read_calibration(product, channel.calibration)
    orbit, version = read_manifest(product)
    opened = product.place(channel.measurement).opened
    with (
        rasterio.Env(**{**gdal_options([opened]), "GDAL_CACHEMAX": CACHE}),
        _measurement(product, channel.measurement, annotation) as file,
    ):
        terrain = terrain_of(dem, grid)
        image = Image(file, geometry, calibration, noise)
        facts = Facts(product, polarisation, image, grid, terrain, misfit, orbit, version)
        with _beside(out) as partial:
            return _write(partial, out, facts, progress)


def utm_grid(annotation: Annotation) -> Grid:
    """A 10 m grid around an image, in the UTM zone of its middle, north up, on whole 10 m."""
    points = annotation.points
    longitude = (float(points.longitude.mean()) + 180) % 360 - 180
    zone = int((longitude + 180) // 6) % 60 + 1
    crs = f"EPSG:{32600 + zone if points.latitude.mean() >= 0 else 32700 + zone}"
    project = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    x, y = project.transform(points.longitude, points.latitude)
    box = float(x.min()), float(y.min()), float(x.max()), float(y.max())
    return Grid(GeoBox.from_bbox(box, crs, resolution=PIXEL))


def _product(safe: Path) -> Product:
    found = product_in(safe)
    if found is None:
        raise UnreadableRaster(
            f"{safe} is no Sentinel-1 product; a SAFE folder or zip with annotation is needed. "
            "Check the path."
        )
    return found


@contextmanager
def _measurement(product: Product, file: str, annotation: Annotation) -> Iterator[Any]:
    """An open measurement that fits its annotation. Raises UnreadableRaster."""
    place = product.place(file)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # its place is computed
            # No other format: some name further files, or addresses.
            measurement = rasterio.open(place.opened, driver="GTiff")
    except (RasterioError, OSError) as error:
        raise UnreadableRaster(
            f"{place} cannot be read ({error}); a complete measurement is needed. Download the "
            "product again."
        ) from error
    with measurement:
        refuse_bomb(measurement, str(place), bytes_held(measurement))
        found = (measurement.height, measurement.width, *measurement.dtypes)
        if found != (annotation.lines, annotation.pixels, "uint16"):
            raise UnreadableRaster(
                f"{place} has {measurement.width}×{measurement.height} pixels of "
                f"{measurement.dtypes[0]}; its annotation says {annotation.pixels}×"
                f"{annotation.lines} of uint16. Download the product again."
            )
        yield measurement


def _write(partial: Path, out: Path, facts: Facts, progress: Progress) -> Geocoded:
    """Geocode block by block into a file beside the right one, then give it its name."""
    grid = facts.grid
    progress("positions", 0, 1)
    view = sight(facts.image.geometry, grid)
    todo = blocks(view, grid)
    counts = Counts()
    try:
        with rasterio.open(partial, "w", **_profile(grid)) as target:
            for done, part in enumerate(todo):
                progress("geocode", done, len(todo))
                piece = geocoded(facts.image, view, facts.terrain, part)
                counts.add(piece)
                if piece.valid:
                    target.write(piece.power, 1, window=_box(part))
            if not counts.valid:
                raise GridMismatch(
                    f"{facts.product.holder} has no data on the scene's grid; an overlap is "
                    "needed. Choose a product of the place."
                )
            found = Geocoded(out, decisions(facts, counts), warnings_of(facts, counts))
            target.set_band_description(1, facts.polarisation.upper())
            target.update_tags(**tags(facts), **{NOTES: _as_json(found)})
        os.replace(partial, out)
    except (RasterioError, OSError) as error:
        raise CannotWrite(
            f"{out} cannot be written ({error}); room for the geocoded scene is needed. Free some "
            "or choose another folder."
        ) from error
    progress("geocode", len(todo), len(todo))
    return found


def _profile(grid: Grid) -> dict[str, Any]:
    return {
        "driver": "GTiff",
        "count": 1,
        "height": grid.height,
        "width": grid.width,
        "dtype": "float32",
        "crs": grid.crs,
        "transform": grid.transform,
        "nodata": np.nan,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "deflate",
        "predictor": 3,
        "sparse_ok": True,
        "bigtiff": "if_safer",
    }


@contextmanager
def _beside(out: Path) -> Iterator[Path]:
    """A name beside a file, of this process alone; what is left there in the end is removed."""
    partial = out.with_name(f".{out.stem}.{os.getpid()}.tif")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{out.parent} cannot be written ({error.strerror}); geocoded radar is kept there. Set "
            "LANDSLIDE_CACHE to a folder of your own."
        ) from error
    try:
        yield partial
    finally:
        with suppress(OSError):
            partial.unlink()


def _kept(out: Path) -> Geocoded | None:
    """What an earlier call wrote; None where nothing whole is there."""
    if not os.path.isfile(out):  # never raises, also where nothing may be looked at
        return None
    try:
        with rasterio.open(out) as file:
            notes = json.loads(file.tags()[NOTES])
        kept = tuple(Decision(**entry) for entry in notes["decisions"])
        return Geocoded(out, kept, tuple(map(str, notes["warnings"])))
    except (RasterioError, LookupError, ValueError, TypeError):
        return None


def _as_json(found: Geocoded) -> str:
    return json.dumps(
        {"decisions": [asdict(entry) for entry in found.decisions], "warnings": found.warnings}
    )


def _files(product: Product, polarisation: str) -> list[Path]:
    """The files of a polarisation in a folder."""
    names = astuple(product.channel(polarisation))
    return [product.holder / name for name in names if name]


def _identities(files: list[Path]) -> list[tuple[str, int, int]]:
    """Path, size and time of change of files; of one that isn't there the path alone."""
    found = []
    for file in files:
        try:
            state = file.stat()
            found.append((str(file.absolute()), state.st_size, state.st_mtime_ns))
        except OSError:
            found.append((str(file.absolute()), 0, 0))
    return found


def _box(part: Window) -> Box:
    return Box(part.col, part.row, part.width, part.height)
