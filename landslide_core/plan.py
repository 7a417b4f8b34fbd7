"""What a run will do, written before it begins: enough to go on with it and to repeat it."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox

from landslide_core.bands import TILE
from landslide_core.errors import RunDamaged
from landslide_core.grid import Grid, Tiling
from landslide_core.opening import open_raster
from landslide_core.parts import HEIGHT, WIDTH, Part, part_shape, parts_of
from landslide_core.places import place_of
from landslide_core.progress import Progress
from landslide_core.readers.given import SceneInputs
from landslide_core.scene import Scene
from landslide_core.tiles import CloudFrom, cloud_from

if TYPE_CHECKING:
    from landslide_core.bundle import Bundle

# Beside the package in a checkout, wherever the command is called from.
DEFAULT_BUNDLE: Final = Path(__file__).parents[1] / "models" / "default"
PLAN: Final = "plan.json"
FORMAT: Final = 2
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
    least_slope: float = 0.0  # degrees, under which ground raises no alarm; 0: all ground may


def describe(
    inputs: SceneInputs,
    options: RunOptions,
    scene: Scene,
    bundle: "Bundle",
    backend: str,
    device: str,
    progress: Progress | None,
) -> dict[str, Any]:
    """The plan of a run: everything a reader needs to trust it, to repeat it, to go on with it."""
    high, wide = part_shape(Tiling(*scene.grid.shape, options.stride))
    return {
        "format": FORMAT,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "simulated": is_simulated(scene),
        "inputs": file_records(scene, progress),
        "given": inputs.record(),
        "grid": grid_record(scene.grid),
        "stride": options.stride,
        "least_slope": options.least_slope,
        "parts": {"height": high, "width": wide},
        "backend": backend,
        "device": device,
        "decisions": [asdict(decision) for decision in scene.decisions],
        "warnings": list(scene.warnings),
        "missing_bands": list(scene.missing),
        "cloud_from": cloud_from(scene),
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
        if found["format"] != FORMAT or not _fits(found["parts"]):
            raise ValueError(f"format {found['format']} in parts of {found['parts']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDamaged(
            f"{folder / PLAN} is no plan of this version ({error}); one is needed to go on. Run "
            "the detection again."
        ) from error
    return found


def _fits(parts: Mapping[str, Any]) -> bool:
    """Whether parts are of whole tiles and no larger than memory is reckoned for."""
    most = {"height": HEIGHT, "width": WIDTH}
    return all(parts[side] in range(TILE, most[side] + 1, TILE) for side in most)


def parts_in(meta: Mapping[str, Any]) -> list[Part]:
    """A run's parts, as its plan cut them when it was begun."""
    return parts_of(tiling_of(meta), (meta["parts"]["height"], meta["parts"]["width"]))


def cloud_from_of(meta: Mapping[str, Any]) -> CloudFrom:
    """Where a run's cloud flags came from; by its decisions where an earlier version wrote it."""
    if "cloud_from" in meta:
        found: CloudFrom = meta["cloud_from"]
        return found
    said = [str(decision["decided"]) for decision in meta["decisions"]]
    if any("scene classes" in line or "cloud probability" in line for line in said):
        return "layer"
    return "unknown" if "red" in meta["missing_bands"] else "brightness"


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
    """Role, path, SHA-256 and size of every file read, an archive once for all its members.

    What lies behind an address is recorded by the address alone, without its query.
    """
    read = [(role, place_of(opened)) for role, opened in scene.inputs]
    holders = list(dict.fromkeys((role, place.file or str(place)) for role, place in read))
    records = []
    for i, (role, holder) in enumerate(holders):
        if isinstance(holder, Path):
            with holder.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found = {"sha256": digest, "bytes": holder.stat().st_size}
            records.append({"role": role, "path": str(holder.resolve()), **found})
        else:
            records.append({"role": role, "path": holder, "sha256": None, "bytes": None})
        if progress:
            progress("checksums", i + 1, len(holders))
    return records


def is_simulated(scene: Scene) -> bool:
    """Whether any raster of a scene says of itself that it was simulated."""
    sources = chain.from_iterable(scene.bands.values())
    for opened in dict.fromkeys(source.path for source in sources):
        with open_raster(opened) as raster:
            if "SIMULATED" in raster.tags():
                return True
    return False
