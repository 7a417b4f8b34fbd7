"""A run folder, read: whole, begun or damaged; the runs of a folder; what may be overwritten."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import geopandas

from landslide_core.errors import RunBusy, RunDamaged
from landslide_core.grid import Grid
from landslide_core.hashes import sha256_of
from landslide_core.lock import is_held
from landslide_core.parts import PartStore
from landslide_core.places import is_address
from landslide_core.plan import PLAN, grid_of, parts_in, read_plan
from landslide_core.readers.given import SceneInputs, inputs_from

RECORD: Final = "run.json"
PARTS: Final = "parts"
BEGINNING: Final = ".plan.json."  # begins the name of a plan being written
FILES: Final = (
    *("tiles.parquet", "tiles.gpkg"),
    *("probability.tif", "spread.tif", "verdict.tif", "localisation.tif"),
)
OUTPUTS: Final = (*FILES, RECORD)
_RECORD: Final = (
    *("created", "simulated", "inputs", "given", "grid", "stride", "decisions", "warnings"),
    *("missing_bands", "versions", "bundle", "thresholds", "counts", "seconds", "device", "sha256"),
)


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
    def files(self) -> tuple[str, ...]:
        """Names of its results beside the record; an earlier version wrote fewer."""
        return tuple(name for name in FILES if name in self.meta["sha256"])

    @property
    def bundle_path(self) -> Path:
        """Where the bundle lay when the run was made."""
        return Path(self.meta["bundle"]["path"])

    def grid(self) -> Grid:
        """The scene's grid."""
        return grid_of(self.meta)

    def inputs(self) -> SceneInputs:
        """The inputs the run was made from, as they were given."""
        return inputs_from(self.meta["given"])


def refuse_existing(out: Path) -> None:
    """Raise RunBusy where results would overwrite something."""
    if (out / PLAN).is_file() and not (out / RECORD).is_file():
        raise RunBusy(
            f"{out} is a run begun and not finished. Go on with it: `landslide resume {out}`."
        )
    if out.is_dir() and all(path.name.startswith(BEGINNING) for path in out.iterdir()):
        return  # empty, or what is left of a run killed before it had begun
    if out.exists():
        raise RunBusy(
            f"{out} exists already; results are written to a new place. Choose another --out or "
            "remove it first."
        )


def open_run(folder: Path) -> Run:
    """Read a finished run. Raises RunDamaged naming what is missing."""
    if (folder / PLAN).is_file() and not (folder / RECORD).is_file():
        raise RunDamaged(
            f"{folder} is begun and not finished. Go on with it: `landslide resume {folder}`."
        )
    try:
        meta = json.loads((folder / RECORD).read_text())
        lacking = [key for key in _RECORD if key not in meta]
    except FileNotFoundError as error:
        raise _unfinished(folder, [RECORD]) from error
    except (ValueError, TypeError) as error:
        raise RunDamaged(
            f"{folder}/run.json does not read ({error}). Run the detection again."
        ) from error
    if lacking:
        raise RunDamaged(f"{folder}/run.json lacks {', '.join(lacking)}. Run the detection again.")
    run = Run(folder, meta)
    if absent := [name for name in run.files if not (folder / name).is_file()]:
        raise _unfinished(folder, absent)
    return run


def _unfinished(folder: Path, absent: list[str]) -> RunDamaged:
    return RunDamaged(
        f"{folder} is no finished run: {', '.join(absent)} missing. Make it whole again with "
        f"`landslide resume {folder}`."
    )


def list_runs(folder: Path) -> list[Path]:
    """Finished runs in a folder, newest first."""
    # A dot before its name marks a folder that is no run.
    found = [p.parent for p in folder.glob(f"*/{RECORD}") if not p.parent.name.startswith(".")]
    return sorted(found, key=_finished_at, reverse=True)


def _finished_at(folder: Path) -> float:
    try:
        return (folder / RECORD).stat().st_mtime
    except OSError:  # removed since it was listed
        return 0.0


def begun_runs(folder: Path) -> list[Path]:
    """Runs of a folder that are begun and not finished."""
    found = [p.parent for p in folder.glob(f"*/{PLAN}") if not (p.parent / RECORD).is_file()]
    return sorted(path for path in found if not path.name.startswith("."))


def kept_tiles(folder: Path) -> tuple[int, int]:
    """How many tiles of a run begun are judged and on disk, and how many it has.

    Raises RunDamaged. Without reading the parts: `damages` says whether they are whole.
    """
    parts, store = parts_in(read_plan(folder)), PartStore(folder / PARTS)
    return sum(len(part) for part in parts if store.has(part)), sum(map(len, parts))


def damages(folder: Path) -> dict[str, str]:
    """What is wrong with a run's parts and files, by name; empty where all is whole.

    Raises RunDamaged where the folder holds no plan of this version.
    """
    plan = read_plan(folder)
    store = PartStore(folder / PARTS)
    found = {part.name: store.damage(part) for part in parts_in(plan)}
    wrong = {name: what for name, what in found.items() if what}
    try:
        hashes = json.loads((folder / RECORD).read_text())["sha256"]
    except FileNotFoundError:
        return wrong | {RECORD: "not done"}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return wrong | {RECORD: f"does not read ({error})"}
    return wrong | dict(_changed(folder, hashes))


def _changed(folder: Path, hashes: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name in FILES:
        if not (folder / name).is_file():
            yield name, "missing"
        elif sha256_of(folder / name) != hashes.get(name):
            yield name, "its bytes have changed"


def remove_run(folder: Path) -> None:
    """Delete a run, finished or not. Raises RunBusy, RunDamaged where the folder is no run."""
    if not (folder / PLAN).is_file():
        raise RunDamaged(f"{folder} is no run folder (no {PLAN}); nothing was removed. Check it.")
    if is_held(folder / PARTS):
        raise RunBusy(f"{folder} is being written; nothing was removed. Stop its process first.")
    (folder / PLAN).unlink()  # no run any more, whatever happens on the way
    shutil.rmtree(folder)


def check_version(run: Run) -> None:
    """Raise RunDamaged where a version before votes in rounds wrote the run."""
    if "votes_cast" not in run.tiles:
        raise RunDamaged(
            f"{run.folder}/tiles.parquet has no column votes_cast: an earlier version wrote it, "
            "by another rule for votes; a run of this version is needed. Run the detection again."
        )


def check_inputs(run: Run) -> None:
    """Raise RunDamaged unless every file the run was made from is there, as large as it was.

    What lies behind an address is asked for when it is read.
    """
    for entry in run.meta["inputs"]:
        if is_address(entry["path"]):
            continue
        path = Path(entry["path"])
        if not path.is_file():
            raise RunDamaged(
                f"{path} is not there any more; the run was made from it. Put it back, or run the "
                "detection again on other files."
            )
        if (size := path.stat().st_size) != entry["bytes"]:
            raise RunDamaged(
                f"{path} has changed since the run was made ({size:,} bytes, then "
                f"{entry['bytes']:,}), so it no longer shows what was judged. Put the old file "
                "back, or run the detection again."
            )
