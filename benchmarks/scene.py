"""A simulated scene of any size up to a full Sentinel-2 tile, written strip by strip.

Blocks of simulated landscape are laid out as a mosaic, turned and mirrored; seams between them
lie on borders of tiles. Radar lies in the neighbouring UTM zone. Each of its pixels is the
nearest pixel of the mosaic, so landslides lie where the optical image has them, to half a pixel.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window as Box

from benchmarks.blocks import Block, make_forest, make_hills
from benchmarks.mosaic import Layout, lay_out
from benchmarks.zones import CRS, RADAR_CRS, optical_position, radar_grid
from landslide_core.bands import ADDED, INDEX, PIXEL, POLARISATIONS, RADAR_ROLES, TILE, radar_band
from landslide_core.errors import SceneTooSmall
from landslide_core.readers.given import SceneInputs
from landslide_core.simulate import DATES, EVENT, ORIGIN, PASSES

KINDS: Final = ((0, 1, 2, 3), (4, 5, 6, 7))  # hills, forest
CHUNK: Final = 512  # rows of one block of a file
_RECORD: Final = "scene.json"
_FORMAT: Final = 1  # of what is written; a new one makes old scenes be written again

Pixels = NDArray[np.generic]
Cut = Callable[[int, int], list[Pixels]]  # first row, rows -> (bands, rows, width) a file


@dataclass(frozen=True)
class SceneOptions:
    """What to write."""

    size: int = 10_980  # pixels a side, even
    seed: int = 7
    block: int = 512  # pixels a side of a block

    def __post_init__(self) -> None:
        if self.size < TILE or self.size % 2 or self.block % TILE:
            raise SceneTooSmall(
                f"A scene of {self.size} pixels a side in blocks of {self.block} was asked for; an "
                f"even number from {TILE} on, in blocks of whole tiles, is needed. Choose another."
            )

    @property
    def sha256(self) -> str:
        """What identifies the scene's content."""
        text = json.dumps({"format": _FORMAT, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Material:
    """All blocks' pixels as the files hold them, (blocks · side², bands), and where they lie."""

    layout: Layout
    side: int
    optical: NDArray[np.uint16]
    classes: NDArray[np.uint8]  # of half the side
    radar: dict[str, NDArray[np.float32]]  # by role


@dataclass(frozen=True)
class _File:
    """What one file is, beside its pixels."""

    path: Path
    crs: str
    transform: Affine
    shape: tuple[int, int]  # rows, columns
    dtype: str
    names: tuple[str, ...]
    nodata: float
    tags: dict[str, str]
    scaling: tuple[float, float] = (1.0, 0.0)


def write_scene(folder: Path, options: SceneOptions, strip: int = CHUNK) -> SceneInputs:
    """Write a scene, unless the folder holds it already; name its files by role.

    Sentinel-2 as offset digital numbers, descending Sentinel-1 in dB, ascending in linear power,
    as the sample scene has them. `strip` rows, a multiple of 512, are in memory at once; the
    bytes written do not depend on it.
    """
    if strip % CHUNK:
        raise ValueError(f"strip is a multiple of {CHUNK}, not {strip}")
    files = scene_inputs(folder)
    if is_written(folder, options):
        return files
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _RECORD).unlink(missing_ok=True)
    material = _simulate(options)
    # Blocks leave GDAL's cache in the order they came, whatever the strip: the bytes stay.
    with rasterio.Env(GDAL_CACHEMAX=64 * 2**20, GDAL_NUM_THREADS="1"):
        _write_optical(folder, options, material, strip)
        _write_radar(folder, options, material, strip)
    names = sorted(path.name for path in folder.glob("*.tif"))
    record = {
        "simulated": "no satellite took these images",
        "options": asdict(options),
        "sha256": options.sha256,
        "bytes": {name: (folder / name).stat().st_size for name in names},
    }
    (folder / _RECORD).write_text(json.dumps(record, indent=1) + "\n")
    return files


def scene_inputs(folder: Path) -> SceneInputs:
    """The files of a written scene by role."""
    desc_post, desc_pre, asc_post, asc_pre = ((folder / f"s1_{r}.tif",) for r in RADAR_ROLES)
    optical = (folder / "s2.tif", folder / "scl.tif")
    return SceneInputs(optical, desc_pre, desc_post, asc_pre, asc_post)


def is_written(folder: Path, options: SceneOptions) -> bool:
    """Whether a folder holds the whole scene of these options."""
    path = folder / _RECORD
    if not path.is_file():
        return False
    record = json.loads(path.read_text())
    sizes = {name: folder / name for name in record["bytes"]}
    return record["sha256"] == options.sha256 and all(
        file.is_file() and file.stat().st_size == record["bytes"][name]
        for name, file in sizes.items()
    )


def _simulate(options: SceneOptions) -> _Material:
    hills, forest = KINDS
    side, first = options.block, 100 * options.seed
    blocks = [make_hills(first + i, side) for i in hills]
    blocks += [make_forest(first + i, side) for i in forest]
    layout = lay_out(-(-options.size // side), KINDS, options.seed)
    classes = np.concatenate([block.scene_class[::2, ::2].reshape(-1, 1) for block in blocks])
    order = [INDEX[name] for name in ("blue", "green", "red", "nir")]
    reflectance = _bands(blocks, order)
    numbers = np.clip(np.rint(reflectance + ADDED), 1, 65535).astype(np.uint16)
    radar = {}
    for role in RADAR_ROLES:
        level = _bands(blocks, [INDEX[radar_band(role, pol)] for pol in POLARISATIONS])
        radar[role] = _sixteenths(level) if role.startswith("desc") else _power(level)
    return _Material(layout, side, numbers, classes, radar)


def _bands(blocks: list[Block], order: list[int]) -> NDArray[np.float32]:
    """Some bands of all blocks, (blocks · side², bands)."""
    parts = [np.moveaxis(block.pixels[order], 0, -1).reshape(-1, len(order)) for block in blocks]
    return np.concatenate(parts)


def _sixteenths(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """dB in sixteenths, as the sample scene: speckle hides finer steps."""
    return (np.rint(level * 16) / 16).astype(np.float32)


def _power(level: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear power to six bits of mantissa (0.07 dB), as the sample scene."""
    mantissa, exponent = np.frexp(10 ** (level / 10))
    return np.asarray(np.ldexp(np.rint(mantissa * 128) / 128, exponent), np.float32)


def _note(options: SceneOptions) -> dict[str, str]:
    told = f"yes, no satellite image; benchmark scene, seed {options.seed}"
    return {"SIMULATED": told, "EVENT_DATE": EVENT}


def _write_optical(folder: Path, options: SceneOptions, material: _Material, strip: int) -> None:
    """Write s2.tif at 10 m and scl.tif at 20 m."""
    transform = Affine(PIXEL, 0, ORIGIN[0], 0, -PIXEL, ORIGIN[1])
    tags = _note(options) | {"SENSOR": "Sentinel-2 MSI L2A", "ACQUISITION_DATE": DATES["s2"]}
    tags |= {"PROCESSING_BASELINE": "05.00", "BOA_ADD_OFFSET": "-1000"}
    tags |= {"BOA_QUANTIFICATION_VALUE": "10000"}
    shape, names = (options.size, options.size), ("B02", "B03", "B04", "B08")
    path, scaling = folder / "s2.tif", (0.0001, -ADDED / 10_000)
    image = _File(path, CRS, transform, shape, "uint16", names, 0, tags, scaling)
    path, shape = folder / "scl.tif", (options.size // 2, options.size // 2)
    half = transform @ Affine.scale(2)
    classes = _File(path, CRS, half, shape, "uint8", ("SCL",), 0, tags)
    layout, side = material.layout, material.side
    _write([image], _cutter(layout, side, material.optical, options.size), strip)
    _write([classes], _cutter(layout, side // 2, material.classes, options.size // 2), strip)


def _cutter(layout: Layout, side: int, pixels: Pixels, width: int) -> Cut:
    """What cuts rows out of the mosaic as it lies."""

    def cut(row: int, count: int) -> list[Pixels]:
        rows = np.arange(row, row + count)[:, None]
        found = pixels[layout.pixels(side, rows, np.arange(width))]
        return [np.moveaxis(found, -1, 0)]

    return cut


def _write_radar(folder: Path, options: SceneOptions, material: _Material, strip: int) -> None:
    """Write the four radar dates on one grid of the neighbouring zone."""
    transform, shape = radar_grid(options.size)
    files = []
    for role in RADAR_ROLES:
        orbit_pass = role.split("_")[0]
        tags = _note(options) | {
            "SENSOR": "Sentinel-1 C-SAR",
            "ORBIT_PASS": PASSES[orbit_pass],
            "ACQUISITION_DATE": DATES[role],
            "UNITS": "dB" if orbit_pass == "desc" else "linear power",
            "CALIBRATION": "sigma0, ellipsoid",
        }
        nodata = -9999.0 if orbit_pass == "desc" else 0.0
        path = folder / f"s1_{role}.tif"
        files.append(
            _File(path, RADAR_CRS, transform, shape, "float32", ("VV", "VH"), nodata, tags)
        )

    def cut(row: int, count: int) -> list[Pixels]:
        rows, cols = optical_position(transform, row, (count, shape[1]))
        at = material.layout.pixels(material.side, rows, cols)
        return [np.moveaxis(material.radar[role][at], -1, 0) for role in RADAR_ROLES]

    _write(files, cut, strip)


def _write(files: list[_File], cut: Cut, strip: int) -> None:
    """Write files of one grid strip by strip, their blocks always in the same order."""
    height, width = files[0].shape
    with ExitStack() as stack:
        targets = [stack.enter_context(_created(file)) for file in files]
        for top in range(0, height, strip):
            parts = cut(top, min(strip, height - top))
            for row in range(0, min(strip, height - top), CHUNK):
                for target, pixels in zip(targets, parts, strict=True):
                    part = pixels[:, row : row + CHUNK]
                    target.write(part, window=Box(0, top + row, width, part.shape[1]))


def _created(file: _File) -> Any:
    """A new file of blocks of 512 pixels, open for writing."""
    count = len(file.names)
    target = rasterio.open(
        file.path,
        "w",
        driver="GTiff",
        dtype=file.dtype,
        count=count,
        height=file.shape[0],
        width=file.shape[1],
        crs=file.crs,
        transform=file.transform,
        nodata=file.nodata,
        tiled=True,
        blockxsize=CHUNK,
        blockysize=CHUNK,
        compress="deflate",
        zlevel=1,  # speckle hardly compresses: 6 takes twice as long for 5 % less
        predictor=3 if file.dtype == "float32" else 2,
        interleave="band",
    )
    target.descriptions = file.names
    target.scales, target.offsets = (file.scaling[0],) * count, (file.scaling[1],) * count
    target.update_tags(**file.tags)
    return target
