"""A run on disk: a folder written whole or not at all, and read back."""

import hashlib
import json
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from errno import EEXIST, ENOSPC, ENOTDIR, ENOTEMPTY
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp
from time import perf_counter
from typing import Any, Final

import geopandas
import numpy as np
import rasterio
import torch
from affine import Affine
from odc.geo.geobox import GeoBox
from pyogrio.errors import DataSourceError

from landslide_core.bands import RADAR_ROLES, TILE
from landslide_core.bundle import Bundle, load_bundle
from landslide_core.detect import VERDICTS, Detections, Progress, detect
from landslide_core.errors import CannotWrite, NoDevice, NoSpace, RunBusy, RunDamaged
from landslide_core.grid import Grid
from landslide_core.outputs import tile_table, write_rasters, write_tiles
from landslide_core.readers.inputs import SceneInputs, open_scene
from landslide_core.scene import Scene

# Beside the package in a checkout, wherever the command is called from.
DEFAULT_BUNDLE: Final = Path(__file__).parents[1] / "models" / "default"
_RECORD: Final = (
    *("created", "simulated", "inputs", "given", "grid", "stride", "decisions", "warnings"),
    *("missing_bands", "versions", "bundle", "thresholds", "counts", "seconds", "device"),
)
OUTPUTS: Final = (
    "tiles.parquet",
    "tiles.gpkg",
    "probability.tif",
    "spread.tif",
    "verdict.tif",
    "run.json",
)
_PACKAGES: Final = ("landslide", "torch", "xgboost-cpu", "rasterio", "odc-geo", "numpy")
_BYTES_PER_PIXEL: Final = 3  # what a run may take on disk, all files and the copies in the making
_BYTES_BESIDE: Final = 20_000_000
_BYTES_FULL: Final = 1_000_000  # free, under which a failed write is put down to a full disk


@dataclass(frozen=True)
class RunOptions:
    """How a scene is judged."""

    bundle: Path = DEFAULT_BUNDLE
    stride: int = TILE
    device: str = "auto"  # auto, cpu or cuda


@dataclass(frozen=True)
class Run:
    """A finished run folder."""

    folder: Path
    meta: dict[str, Any]  # run.json

    @cached_property
    def tiles(self) -> geopandas.GeoDataFrame:
        """The tile table, EPSG:4326. Raises RunDamaged."""
        try:
            return geopandas.read_parquet(self.folder / "tiles.parquet")
        except (OSError, ValueError) as error:
            raise RunDamaged(
                f"{self.folder}/tiles.parquet does not read ({error}). Run the detection again."
            ) from error

    @property
    def bundle_path(self) -> Path:
        """Where the bundle lay when the run was made."""
        return Path(self.meta["bundle"]["path"])

    def grid(self) -> Grid:
        """The scene's grid."""
        found = self.meta["grid"]
        shape = (found["height"], found["width"])
        return Grid(GeoBox(shape, Affine(*found["transform"]), found["crs"]))

    def inputs(self) -> SceneInputs:
        """The inputs the run was made from, as they were given."""
        given = self.meta["given"]
        paths = {role: tuple(Path(p) for p in given[role]) for role in ("s2", *RADAR_ROLES)}
        named = given["s2_bands"]
        return SceneInputs(
            **paths, s2_bands=tuple(named) if named else None, s2_offset=given["s2_offset"]
        )


def resolve_device(name: str) -> torch.device:
    """The torch device for "auto", "cpu" or "cuda"; auto takes CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise NoDevice(
            "This machine has no cuda device that torch can use; one is needed for --device cuda. "
            "Choose --device cpu."
        )
    return torch.device(name)


def predict_scene(
    inputs: SceneInputs, options: RunOptions, out: Path, progress: Progress | None = None
) -> Run:
    """Judge a scene and write its run folder, whole or not at all.

    Raises SceneError, BundleError, RunBusy where the folder is there already, NoSpace.
    """
    refuse_existing(out)
    started = perf_counter()
    bundle = load_bundle(options.bundle)
    scene = open_scene(inputs)
    opened = perf_counter() - started
    _check_space(out, scene.grid)
    device = resolve_device(options.device)
    inputs_read = _file_records(scene, progress)
    with _written_whole(out) as folder:
        detections = detect(scene, bundle, device, options.stride, progress)
        begun = perf_counter()
        if progress:
            progress("write", 0, len(detections.tiling))
        write_tiles(tile_table(scene.grid, detections), folder)
        write_rasters(scene.grid, detections, folder)
        seconds = {"open": opened, **detections.seconds, "write": perf_counter() - begun}
        meta = _describe(inputs, options, scene, bundle, detections)
        meta["inputs"] = inputs_read
        meta["seconds"] = {stage: round(value, 3) for stage, value in seconds.items()}
        meta["device"] = str(device)
        (folder / "run.json").write_text(json.dumps(meta, indent=1) + "\n")
        if progress:
            progress("write", len(detections.tiling), len(detections.tiling))
    return Run(out, meta)


def _describe(
    inputs: SceneInputs,
    options: RunOptions,
    scene: Scene,
    bundle: Bundle,
    detections: Detections,
) -> dict[str, Any]:
    """Everything a reader of the run needs to trust it or to repeat it."""
    codes = np.bincount(detections.tiles.verdict, minlength=len(VERDICTS))
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "simulated": is_simulated(scene),
        "given": {
            **{
                role: [str(Path(p).resolve()) for p in paths]
                for role, paths in asdict(inputs).items()
                if role in ("s2", *RADAR_ROLES)
            },
            "s2_bands": inputs.s2_bands,
            "s2_offset": inputs.s2_offset,
        },
        "grid": {
            "crs": scene.grid.crs,
            "transform": list(scene.grid.transform)[:6],
            "height": scene.grid.height,
            "width": scene.grid.width,
        },
        "stride": options.stride,
        "decisions": [asdict(decision) for decision in scene.decisions],
        "warnings": list(scene.warnings),
        "missing_bands": list(scene.missing),
        "versions": {
            "python": platform.python_version(),
            "gdal": rasterio.__gdal_version__,
            **{name: version(name) for name in _PACKAGES},
        },
        "bundle": {
            "name": bundle.name,
            "path": str(bundle.path.resolve()),
            "sha256": bundle.sha256,
        },
        "thresholds": {
            "filter": dict(bundle.prefilter.thresholds),
            "members": [member.threshold for member in bundle.members],
        },
        "calibration": {name: asdict(found) for name, found in bundle.calibration.items()},
        "counts": {name: int(codes[code]) for code, name in enumerate(VERDICTS)},
    }


def _file_records(scene: Scene, progress: Progress | None) -> list[dict[str, Any]]:
    """Role, path, SHA-256 and size of every file read."""
    records = []
    for i, (role, name) in enumerate(scene.inputs):
        path = Path(name)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
        records.append({"role": role, "path": str(path.resolve()), "sha256": digest, "bytes": size})
        if progress:
            progress("checksums", i + 1, len(scene.inputs))
    return records


def is_simulated(scene: Scene) -> bool:
    """Whether any file of a scene says of itself that it was simulated."""
    for _, path in scene.inputs:
        with rasterio.open(path) as raster:
            if "SIMULATED" in raster.tags():
                return True
    return False


def _check_space(out: Path, grid: Grid) -> None:
    parent = next(p for p in (out, *out.absolute().parents) if p.exists())
    free = shutil.disk_usage(parent).free
    needed = grid.height * grid.width * _BYTES_PER_PIXEL + _BYTES_BESIDE
    if free < needed:
        raise NoSpace(
            f"{free / 1e6:.0f} MB are free at {parent}; up to {needed / 1e6:.0f} MB are needed. "
            "Free some or choose another --out."
        )


@contextmanager
def _written_whole(out: Path) -> Iterator[Path]:
    """A folder beside `out` that takes its name only when everything in it is written."""
    out = out.resolve()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # A name of its own: two runs started under one name must not share a folder.
        partial = Path(mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    except OSError as error:
        raise CannotWrite(
            f"{out} cannot be written ({error.strerror}). Choose another --out."
        ) from error
    try:
        yield partial
        partial.chmod(0o755)  # mkdtemp's folder is its owner's alone
        if out.is_dir():
            out.rmdir()  # it was empty when the run began
        partial.rename(out)
    except (OSError, DataSourceError) as error:
        number = getattr(error, "errno", None)
        if number in (ENOTEMPTY, EEXIST, ENOTDIR):
            raise RunBusy(f"{out} was written by somebody else meanwhile.") from error
        if number == ENOSPC or shutil.disk_usage(out.parent).free < _BYTES_FULL:
            raise NoSpace(
                f"The disk filled up while writing {out}; nothing was kept. Free some space or "
                "choose another --out."
            ) from error
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_existing(out: Path) -> None:
    """Raise RunBusy where results would overwrite something; an empty folder is nothing."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise RunBusy(
            f"{out} exists already; results are written to a new place. Choose another --out or "
            "remove it first."
        )


def open_run(folder: Path) -> Run:
    """Read a finished run. Raises RunDamaged naming what is missing."""
    absent = [name for name in OUTPUTS if not (folder / name).is_file()]
    if absent:
        raise RunDamaged(
            f"{folder} is no finished run: {', '.join(absent)} missing. Run the detection again."
        )
    try:
        meta = json.loads((folder / "run.json").read_text())
        lacking = [key for key in _RECORD if key not in meta]
    except (ValueError, TypeError) as error:
        raise RunDamaged(
            f"{folder}/run.json does not read ({error}). Run the detection again."
        ) from error
    if lacking:
        raise RunDamaged(f"{folder}/run.json lacks {', '.join(lacking)}. Run the detection again.")
    return Run(folder, meta)


def list_runs(folder: Path) -> list[Path]:
    """Finished runs in a folder, newest first."""
    # A dot before its name marks a folder still being written.
    found = [p.parent for p in folder.glob("*/run.json") if not p.parent.name.startswith(".")]
    return sorted(found, key=lambda path: (path / "run.json").stat().st_mtime, reverse=True)
