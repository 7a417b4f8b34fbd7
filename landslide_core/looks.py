"""A look: a scene made small enough to look at, as one tiled raster with its own overviews."""

import hashlib
import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import rasterio
import rasterio.shutil
from filelock import FileLock, Timeout
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError

from landslide_core.bands import OPTICAL
from landslide_core.errors import CannotWrite, NoSpace, RunBusy, SceneError, UnreadableRaster
from landslide_core.fresh import fresh
from landslide_core.layers import CLOUD, Layer, natural_limits, of_scene
from landslide_core.levels import BANDS, base, copied, halved, size, values, virtual
from landslide_core.opening import GDAL_OPTIONS
from landslide_core.places import is_address
from landslide_core.progress import Progress
from landslide_core.readers.given import ROLES, SceneInputs, inputs_from
from landslide_core.readers.inputs import open_scene
from landslide_core.render import Limits, shrink
from landslide_core.scene import Scene

LONGEST: Final = 4096  # pixels along the longer side
_PATIENCE: Final = 2.0  # s: who asks whether a look is being made holds its lock for a moment
_SMALLEST: Final = 256  # pixels; a level this small has no overview
_STRETCHED: Final = 1024  # pixels along the longer side of the level that limits are taken from


@dataclass(frozen=True)
class Facts:
    """What a look's file says of itself."""

    available: tuple[str, ...]  # bands there are
    has_cloud: bool
    natural: dict[str, Limits]  # by optical band, and "visible" for three of them together

    @property
    def bands(self) -> set[str]:
        """Bands there are, and the cloud flag."""
        return {*self.available, *((CLOUD,) if self.has_cloud else ())}

    @property
    def layers(self) -> list[Layer]:
        """What a map can show of it."""
        return of_scene(self.available, self.has_cloud)


def look_key(inputs: SceneInputs) -> str:
    """Name of a scene's look, 64 hex digits: changes with what was given and with its files."""
    given = [one for role in ROLES for one in inputs.given(role)]
    marks = [line for one in given if not is_address(one) for line in _marks(Path(one))]
    return hashlib.sha256(json.dumps([inputs.record(), marks]).encode()).hexdigest()


def _marks(path: Path) -> Iterator[str]:
    """Size and time of change of a file, or of every file in a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        try:
            found = file.stat()
            yield f"{file.name} {found.st_size} {found.st_mtime_ns}"
        except OSError:
            yield f"{file.name} gone"


def command(out: Path) -> list[str]:
    """The command that makes a look in a process of its own, which reads the scene `to_stdin`.

    The command doesn't name it: every user of the machine can read that, and addresses may hold
    signatures.
    """
    return [sys.executable, "-m", "landslide_core", "look", f"--out={out.absolute()}", "--stdin"]


def to_stdin(inputs: SceneInputs) -> bytes:
    """A scene as JSON, its addresses whole."""
    return json.dumps(inputs.record(signed=True)).encode()


def from_stdin(record: bytes) -> SceneInputs:
    """The scene that was given `to_stdin`. Raises SceneError."""
    try:
        return inputs_from(json.loads(record))
    except (KeyError, TypeError, ValueError) as error:
        raise SceneError(
            "Standard input holds no scene as JSON; one like `given` in a run's run.json is "
            "needed. Give that, or leave out --stdin."
        ) from error


def lock_of(look: Path) -> Path:
    """The file that the process making a look holds."""
    return look.with_suffix(".lock")


def being_made(look: Path) -> bool:
    """Whether a living process is making a look."""
    if not lock_of(look).is_file():
        return False
    lock = FileLock(lock_of(look))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:
        return False  # where nothing can be written, nobody makes one
    lock.release()
    return False


def make_look(inputs: SceneInputs, out: Path, progress: Progress | None = None) -> Path:
    """Open a scene and write its look. Raises RunBusy where another process is at it."""
    if not out.absolute().parent.is_dir():
        raise CannotWrite(
            f"{out} lies in no folder that is there; an existing one is needed. Make it first."
        )
    try:
        with FileLock(lock_of(out), timeout=_PATIENCE):
            return write_look(open_scene(inputs), out, progress=progress)
    except Timeout as error:
        raise RunBusy(f"{out} is being made by another process. Wait for it.") from error


def write_look(
    scene: Scene, path: Path, longest: int = LONGEST, progress: Progress | None = None
) -> Path:
    """Write a scene's bands and cloud at most `longest` pixels a side, whole or not at all.

    Raises NoSpace, CannotWrite, UnreadableRaster.
    """
    tell = progress or (lambda stage, done, total: None)
    with fresh(path) as beside:
        step, geobox = shrink(scene.grid, longest)
        _refuse_full(path.parent, geobox)
        with (
            TemporaryDirectory(prefix=".look-", dir=path.parent) as room,
            rasterio.Env(**GDAL_OPTIONS, GDAL_TIFF_OVR_BLOCKSIZE="256"),
        ):
            levels = [base(scene, Path(room), step, geobox, tell)]
            while max(size(levels[-1])) > _SMALLEST:
                levels.append(halved(levels[-1], len(levels)))
            drawn = virtual(levels, geobox, _tags(scene, levels))
            copied(drawn, beside)
    return path


def facts(look: Path) -> Facts:
    """What a look says of itself. Raises UnreadableRaster."""
    try:
        with rasterio.open(look, driver="GTiff") as raster:
            return facts_of(raster)
    except (RasterioError, KeyError, ValueError) as error:
        raise UnreadableRaster(
            f"{look} is no look at a scene ({error}); one that `landslide look` wrote is needed. "
            "Remove it and make it again."
        ) from error


def facts_of(raster: Any) -> Facts:
    """What an open look says of itself. Raises KeyError, ValueError for another raster."""
    tags = raster.tags()
    natural = json.loads(tags["natural"])
    return Facts(
        tuple(json.loads(tags["available"])),
        bool(json.loads(tags["has_cloud"])),
        {name: (float(low), float(high)) for name, (low, high) in natural.items()},
    )


def _refuse_full(folder: Path, geobox: GeoBox) -> None:
    """Raise NoSpace where the levels and the file, were it not to compress at all, don't fit."""
    pixels = geobox.shape.x * geobox.shape.y * 4 / 3
    need, free = 2 * pixels * len(BANDS) * 2, shutil.disk_usage(folder).free
    if free < need:
        raise NoSpace(
            f"{folder} has {free / 1e6:,.0f} MB free; {need / 1e6:,.0f} MB are needed to make a "
            "look at the scene. Free some space."
        )


def _tags(scene: Scene, levels: list[Path]) -> dict[str, str]:
    """What the file says of itself; limits of the scene, so that all tiles are stretched alike."""
    level = next((one for one in levels if max(size(one)) <= _STRETCHED), levels[-1])
    with rasterio.open(level, driver="GTiff") as raster:
        indexes = [BANDS.index(name) + 1 for name in OPTICAL]
        optical = values(OPTICAL, raster.read(indexes))
    natural = natural_limits(dict(zip(OPTICAL, optical, strict=True)))
    has_cloud = bool(scene.classes or scene.probabilities)
    told = {"available": scene.available, "has_cloud": has_cloud, "natural": natural}
    return {name: json.dumps(value) for name, value in told.items()}
