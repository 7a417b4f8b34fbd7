"""A seeded landslide scene: arrays to train on, or ordinary GeoTIFFs to run on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.warp import calculate_default_transform, reproject

from landslide_core.bands import INDEX, PIXEL, POLARISATIONS, RADAR_ROLES, TILE, radar_band
from landslide_core.cover import make_cover
from landslide_core.errors import SceneTooSmall
from landslide_core.scars import make_scars
from landslide_core.sensing import FLOOR, make_atmosphere, optical, radar
from landslide_core.terrain import make_terrain

Floats = NDArray[np.floating]

ORIGIN: Final = (223_980.0, 3_100_020.0)  # on the grid of Sentinel-2 tiles; Nepal in EPSG:32645
MARGIN: Final = 12  # pixels the radar files reach beyond the optical ones, so that they cover them
EVENT: Final = "2021-06-15"
DATES: Final = {
    "s2": "2021-06-25",
    "desc_pre": "2021-06-07",
    "desc_post": "2021-06-19",
    "asc_pre": "2021-06-11",
    "asc_post": "2021-06-23",
}
PASSES: Final = {"desc": "DESCENDING", "asc": "ASCENDING"}


@dataclass(frozen=True)
class SimulationOptions:
    """What to simulate; terrain, cover, air and scar contrast follow from the seed."""

    seed: int = 7
    height: int = 1024
    width: int = 1024
    scars: int = 48
    crs: str = "EPSG:32645"
    looks: float = 7.5  # 4.4 of a GRDH product, averaged a little by resampling to the grid

    def __post_init__(self) -> None:
        if min(self.height, self.width) < TILE:
            raise SceneTooSmall(
                f"A simulated scene of {self.height} × {self.width} pixels holds no tile; "
                f"at least {TILE} × {TILE} are needed. Ask for a larger one."
            )


@dataclass(frozen=True)
class Simulated:
    """One simulated scene and the truth about it."""

    pixels: NDArray[np.float32]  # (12, H, W) in the order of BAND_NAMES; reflectance × 10⁴ and dB
    scar_mask: NDArray[np.bool_]  # (H, W)
    scene_class: NDArray[np.uint8]  # (H, W) 3 shadow, 4 vegetation, 5 bare, 6 water, 8 and 9 cloud
    scars: gpd.GeoDataFrame  # id, area_m2, length_m, slope; outlines in the scene's CRS
    crs: str
    transform: Affine  # 10 m, north up
    elevation: NDArray[np.float32]  # (H, W) m


def simulate(options: SimulationOptions = SimulationOptions()) -> Simulated:
    """Simulate one scene; the same options give the same scene."""
    rng = np.random.default_rng(options.seed)
    transform = Affine(PIXEL, 0, ORIGIN[0], 0, -PIXEL, ORIGIN[1])
    terrain = make_terrain(rng, options.height, options.width)
    cover = make_cover(rng, terrain)
    scars = make_scars(rng, terrain, cover, options.scars, options.crs, transform)
    air = make_atmosphere(rng)
    seen, scene_class = optical(rng, terrain, cover, scars, air)
    echo = radar(rng, terrain, cover, scars, air, options.looks)
    return Simulated(
        np.concatenate([seen, echo]),
        scars.label > 0,
        scene_class,
        scars.table,
        options.crs,
        transform,
        terrain.elevation,
    )


def write_scene(simulated: Simulated, folder: Path, seed: int) -> list[Path]:
    """Write a simulated scene as the GeoTIFFs a user would bring, each sensor on its own grid.

    Sentinel-2 as offset digital numbers, its scene class at 20 m, descending Sentinel-1 in dB,
    ascending in linear power in the next UTM zone, outlines as GeoJSON. Returns the files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = {"SIMULATED": f"yes, no satellite image; seed {seed}", "EVENT_DATE": EVENT}
    paths = _write_optical(simulated, folder, note)
    for role in RADAR_ROLES:
        bands = [INDEX[radar_band(role, polarisation)] for polarisation in POLARISATIONS]
        orbit_pass = role.split("_")[0]
        tags = note | {
            "SENSOR": "Sentinel-1 C-SAR",
            "ORBIT_PASS": PASSES[orbit_pass],
            "ACQUISITION_DATE": DATES[role],
        }
        path = folder / f"s1_{role}.tif"
        if orbit_pass == "desc":
            _write_db(path, simulated, simulated.pixels[bands], tags)
        else:
            _write_power(path, simulated, simulated.pixels[bands], tags)
        paths.append(path)
    truth = folder / "truth.geojson"
    truth.unlink(missing_ok=True)
    simulated.scars.to_crs(4326).to_file(truth, driver="GeoJSON", RFC7946="YES")
    readme = folder / "README.md"
    readme.write_text(_readme(simulated, seed), encoding="utf-8")
    return [*paths, truth, readme]


def _write_raster(
    path: Path,
    values: NDArray[np.generic],
    transform: Affine,
    crs: str,
    nodata: float,
    names: tuple[str, ...],
    tags: dict[str, str],
    scaling: tuple[float, float] = (1.0, 0.0),
) -> None:
    """Write bands (n, H, W) as a tiled, compressed GeoTIFF."""
    count, height, width = values.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        dtype=values.dtype,
        count=count,
        height=height,
        width=width,
        crs=crs,
        transform=transform,
        nodata=nodata,
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="deflate",
        zlevel=9,
        predictor=3 if values.dtype.kind == "f" else 2,
        interleave="band",
    ) as target:
        target.write(values)
        target.descriptions = names
        target.scales, target.offsets = (scaling[0],) * count, (scaling[1],) * count
        target.update_tags(**tags)


def _write_optical(simulated: Simulated, folder: Path, note: dict[str, str]) -> list[Path]:
    """Write s2.tif, offset digital numbers at 10 m, and scl.tif, scene classes at 20 m."""
    inner = slice(MARGIN, -MARGIN)
    transform = simulated.transform @ Affine.translation(MARGIN, MARGIN)
    order = [INDEX[name] for name in ("blue", "green", "red", "nir")]
    reflectance = simulated.pixels[order, inner, inner]
    numbers = np.clip(np.rint(reflectance + 1000), 1, 65535).astype(np.uint16)
    tags = note | {
        "SENSOR": "Sentinel-2 MSI L2A",
        "ACQUISITION_DATE": DATES["s2"],
        "PROCESSING_BASELINE": "05.00",
        "BOA_ADD_OFFSET": "-1000",
        "BOA_QUANTIFICATION_VALUE": "10000",
    }
    names = ("B02", "B03", "B04", "B08")
    scaling = (0.0001, -0.1)
    image, classes = folder / "s2.tif", folder / "scl.tif"
    _write_raster(image, numbers, transform, simulated.crs, 0, names, tags, scaling)
    scene_class = simulated.scene_class[None, inner, inner][:, ::2, ::2]
    half = transform @ Affine.scale(2)
    _write_raster(classes, scene_class, half, simulated.crs, 0, ("SCL",), tags)
    return [image, classes]


def _write_db(path: Path, simulated: Simulated, level: Floats, tags: dict[str, str]) -> None:
    """Write radar dB on the scene's own grid, in sixteenths: speckle hides finer steps."""
    steps = (np.rint(level * 16) / 16).astype(np.float32)
    tags = tags | {"UNITS": "dB", "CALIBRATION": "sigma0, ellipsoid"}
    names = ("VV", "VH")
    _write_raster(path, steps, simulated.transform, simulated.crs, -9999.0, names, tags)


def _write_power(path: Path, simulated: Simulated, level: Floats, tags: dict[str, str]) -> None:
    """Write linear radar power in the next UTM zone, to six bits of mantissa (0.07 dB)."""
    count, height, width = level.shape
    zone = CRS.from_epsg(_next_zone(CRS.from_string(simulated.crs).to_epsg()))
    left, top = simulated.transform.c, simulated.transform.f
    right, bottom = left + width * PIXEL, top - height * PIXEL
    grid, columns, rows = calculate_default_transform(
        simulated.crs, zone, width, height, left, bottom, right, top, resolution=PIXEL
    )
    origin = (round(grid.c / PIXEL) * PIXEL, round(grid.f / PIXEL) * PIXEL)
    grid = Affine(PIXEL, 0, origin[0], 0, -PIXEL, origin[1])
    power = np.zeros((count, rows, columns), np.float32)
    reproject(
        (10 ** (level / 10)).astype(np.float32),
        power,
        src_transform=simulated.transform,
        src_crs=simulated.crs,
        dst_transform=grid,
        dst_crs=zone,
        src_nodata=0,
        dst_nodata=0,
        resampling=Resampling.cubic,
    )
    # Cubic weights keep the speckle that bilinear ones would average away, but may undershoot.
    power = np.where(power == 0, 0, np.maximum(power, FLOOR))
    mantissa, exponent = np.frexp(power)
    power = np.ldexp(np.rint(mantissa * 128) / 128, exponent).astype(np.float32)
    tags = tags | {"UNITS": "linear power", "CALIBRATION": "sigma0, ellipsoid"}
    _write_raster(path, power, grid, zone.to_string(), 0.0, ("VV", "VH"), tags)


def _next_zone(epsg: int) -> int:
    """EPSG code of the UTM zone to the west of a UTM zone's code."""
    return epsg - 1 if epsg % 100 > 1 else epsg + 59


def _readme(simulated: Simulated, seed: int) -> str:
    """Text that says what the folder holds and that none of it was measured."""
    rows = "\n".join(
        f"| `s1_{role}.tif` | Sentinel-1 {PASSES[role.split('_')[0]].lower()}, VV and VH, "
        f"{'dB' if role.startswith('desc') else 'linear power, next UTM zone'} | {DATES[role]} |"
        for role in RADAR_ROLES
    )
    return f"""# A simulated landslide scene

**Simulated: no satellite took these images.** `landslide_core/simulate.py` made them with seed
{seed}; `landslide sample` makes them again. {len(simulated.scars)} landslides of {EVENT} are drawn
into invented hills at a real place ({simulated.crs}). Use the files to try the program out, never
to judge its accuracy.

| file | what | date |
|---|---|---|
| `s2.tif` | Sentinel-2 L2A B02, B03, B04, B08 in digital numbers, 0 = no data | {DATES["s2"]} |
| `scl.tif` | Sentinel-2 scene classification at 20 m | {DATES["s2"]} |
{rows}
| `truth.geojson` | outlines of the landslides (EPSG:4326) | {EVENT} |

Reflectance = (DN − 1000)/10000, as the files' scale and offset say. Scene classes: 3 cloud shadow,
4 vegetation, 5 bare ground, 6 water, 8 and 9 cloud. Radar levels are σ⁰ on the ellipsoid, not
corrected for terrain.

Licence: Apache-2.0.
"""
