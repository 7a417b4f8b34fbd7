"""What a run will do, written before it begins: enough to go on with it and to repeat it."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from landslide_core.bands import RADAR_ROLES, TILE
from landslide_core.bundle import Bundle
from landslide_core.detect import Progress
from landslide_core.errors import RunDamaged
from landslide_core.grid import Grid, Tiling
from landslide_core.parts import HEIGHT, WIDTH
from landslide_core.readers.inputs import SceneInputs
from landslide_core.scene import Scene

# Beside the package in a checkout, wherever the command is called from.
DEFAULT_BUNDLE: Final = Path(__file__).parents[1] / "models" / "default"
PLAN: Final = "plan.json"
FORMAT: Final = 1
_PACKAGES: Final = ("landslide", "torch", "xgboost-cpu", "rasterio", "odc-geo", "numpy")


@dataclass(frozen=True)
class RunOptions:
    """How a scene is judged."""

    bundle: Path = DEFAULT_BUNDLE
    stride: int = TILE
    device: str = "auto"  # auto, cpu or cuda
    backend: str = "auto"  # what computes the networks
    memory: int | None = None  # bytes the run may take; results do not depend on it
    workers: int | None = None  # parts under way at once; None: as many as cores and memory allow


def describe(
    inputs: SceneInputs,
    options: RunOptions,
    scene: Scene,
    bundle: Bundle,
    backend: str,
    device: str,
    progress: Progress | None,
) -> dict[str, Any]:
    """The plan of a run: everything a reader needs to trust it, to repeat it, to go on with it."""
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "simulated": is_simulated(scene),
        "inputs": file_records(scene, progress),
        "given": {
            **{
                role: [str(Path(p).resolve()) for p in paths]
                for role, paths in asdict(inputs).items()
                if role in ("s2", *RADAR_ROLES)
            },
            "s2_bands": inputs.s2_bands,
            "s2_offset": inputs.s2_offset,
        },
        "grid": grid_record(scene.grid),
        "stride": options.stride,
        "parts": {"height": HEIGHT, "width": WIDTH},
        "backend": backend,
        "device": device,
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
    }


def read_plan(folder: Path) -> dict[str, Any]:
    """The plan of a run begun. Raises RunDamaged."""
    try:
        found: dict[str, Any] = json.loads((folder / PLAN).read_text())
        if found["format"] != FORMAT or found["parts"] != {"height": HEIGHT, "width": WIDTH}:
            raise ValueError(f"format {found['format']} in parts of {found['parts']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDamaged(
            f"{folder / PLAN} is no plan of this version ({error}); one is needed to go on. Run "
            "the detection again."
        ) from error
    return found


def inputs_of(meta: Mapping[str, Any]) -> SceneInputs:
    """The inputs a run was made from, as they were given."""
    given = meta["given"]
    paths = {role: tuple(Path(p) for p in given[role]) for role in ("s2", *RADAR_ROLES)}
    named = given["s2_bands"]
    return SceneInputs(
        **paths, s2_bands=tuple(named) if named else None, s2_offset=given["s2_offset"]
    )


def grid_record(grid: Grid) -> dict[str, Any]:
    """A grid as JSON."""
    return {
        "crs": grid.crs,
        "transform": list(grid.transform)[:6],
        "height": grid.height,
        "width": grid.width,
    }


def grid_of(meta: Mapping[str, Any]) -> Grid:
    """The grid of a run's scene."""
    found = meta["grid"]
    return Grid(
        GeoBox((found["height"], found["width"]), Affine(*found["transform"]), found["crs"])
    )


def tiling_of(meta: Mapping[str, Any]) -> Tiling:
    """How a run's scene is cut into tiles."""
    return Tiling(meta["grid"]["height"], meta["grid"]["width"], meta["stride"])


def file_records(scene: Scene, progress: Progress | None) -> list[dict[str, Any]]:
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
