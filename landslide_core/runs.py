"""Making a run: planned, judged part by part, gone on with after any crash."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from pyogrio.errors import DataSourceError
from rasterio.errors import RasterioError

from landslide_core.bundle import Bundle
from landslide_core.devices import resolve_device
from landslide_core.drift import drift_of, record, warning_of
from landslide_core.engine import Account, Stop, Stream, stream_parts
from landslide_core.errors import CannotWrite, NoSpace, RunBusy, RunDamaged
from landslide_core.folder import (
    BEGINNING,
    FILES,
    PARTS,
    RECORD,
    Run,
    damages,
    open_run,
    refuse_existing,
)
from landslide_core.grid import Grid
from landslide_core.hashes import sha256_of
from landslide_core.judgement import VERDICTS, Detections, Judgement
from landslide_core.lock import held
from landslide_core.outputs import tile_table, write_rasters, write_tiles
from landslide_core.pace import DEFAULT_MEMORY, Pace
from landslide_core.panel import Panel, panel_of
from landslide_core.parts import Part, PartStore, write_durably
from landslide_core.plan import (
    PLAN,
    RunOptions,
    describe,
    file_records,
    grid_record,
    parts_in,
    read_plan,
    tiling_of,
)
from landslide_core.progress import Progress
from landslide_core.readers.given import SceneInputs, inputs_from
from landslide_core.readers.inputs import open_scene
from landslide_core.scene import Scene
from landslide_core.slope import check_mask, mask_record

_BYTES_PER_PIXEL: Final = 4  # what a run may take on disk, all files and the copies in the making
_BYTES_BESIDE: Final = 20_000_000
_BYTES_FULL: Final = 1_000_000  # free, under which a failed write is put down to a full disk


def predict_scene(
    inputs: SceneInputs,
    options: RunOptions,
    out: Path,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> Run:
    """Judge a scene into a new run folder.

    Nothing is written where inputs or options are unfit; from then on what is done stays, and
    `resume_run` goes on with it. Raises SceneError, BundleError, RunBusy where the folder is
    there already, NoSpace, NoMemory, RunStopped.
    """
    refuse_existing(out)
    started = perf_counter()
    panel = panel_of(options.bundle, options.backend, resolve_device(options.device))
    scene = open_scene(inputs, progress or _silent)
    check_mask(options.least_slope, scene)
    pace = Pace.of(options.memory or DEFAULT_MEMORY, scene.grid.width, options.workers)
    opened = perf_counter() - started
    _check_space(out, scene.grid, "Free some or choose another --out.")
    plan = describe(
        inputs, options, scene, panel.bundle, panel.backend.name, str(panel.device), progress
    )
    _begin(out, plan)
    with _space_told(out), _writing(out):
        return _make(out, plan, _stream(scene, plan, panel, pace, opened), panel, progress, stop)


def resume_run(
    folder: Path,
    progress: Progress | None = None,
    stop: Stop | None = None,
    memory: int | None = None,
    workers: int | None = None,
    device: str = "auto",
) -> Run:
    """Go on with a run that was interrupted; it ends as if it had not been.

    Parts that are missing or damaged are judged again; a finished run whose parts and files are
    whole is left as it is. Raises RunDamaged where inputs or bundle are no longer those of the
    plan, RunBusy where somebody is writing the run.
    """
    plan = read_plan(folder)
    with _space_told(folder), _writing(folder):
        if not damages(folder):
            return open_run(folder)
        started = perf_counter()
        # By itself where it was begun: another device, or backend, has other last digits.
        where = resolve_device(plan["device"] if device == "auto" else device)
        panel = panel_of(Path(plan["bundle"]["path"]), plan["backend"], where)
        scene = open_scene(inputs_from(plan["given"]), progress or _silent)
        _check_same(folder, plan, scene, panel.bundle, progress)
        pace = Pace.of(memory or DEFAULT_MEMORY, scene.grid.width, workers)
        stream = _stream(scene, plan, panel, pace, perf_counter() - started)
        return _make(folder, plan, stream, panel, progress, stop)


def _silent(stage: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


def _stream(scene: Scene, plan: dict[str, Any], panel: Panel, pace: Pace, opened: float) -> Stream:
    account = Account()
    account.add(0, {"open": opened, "read": 0.0, "filter": 0.0, "ensemble": 0.0})
    return Stream(scene, tiling_of(plan), panel.bundle, panel.ask, pace, account)


def _begin(out: Path, plan: dict[str, Any]) -> None:
    """Make the run folder with its plan; of two that begin under one name, one is refused."""
    beside = out / f"{BEGINNING}{os.getpid()}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_durably(beside, json.dumps(plan, indent=1))
        os.link(beside, out / PLAN)  # fails where there is a plan
        beside.unlink()
    except FileExistsError as error:
        beside.unlink(missing_ok=True)
        raise RunBusy(
            f"{out} was begun by somebody else meanwhile. Choose another --out."
        ) from error
    except OSError as error:
        if error.errno == ENOSPC:
            shutil.rmtree(out, ignore_errors=True)
            raise NoSpace(_full(out, "nothing was kept")) from error
        raise CannotWrite(
            f"{out} cannot be written ({error.strerror}). Choose another --out."
        ) from error


def _make(
    folder: Path,
    plan: dict[str, Any],
    stream: Stream,
    panel: Panel,
    progress: Progress | None,
    stop: Stop | None,
) -> Run:
    """Judge the parts that are not done, then write the results."""
    store = PartStore(folder / PARTS)
    parts = parts_in(plan)
    (folder / RECORD).unlink(missing_ok=True)  # not finished until it is there again
    todo = [part for part in parts if store.damage(part)]
    before = len(stream.tiling) - sum(map(len, todo))

    def tell() -> None:
        if progress:
            progress("detect", before + stream.account.tiles, len(stream.tiling))

    tell()
    for part, judgement in stream_parts(stream, todo, tell, stop):
        store.write(part, judgement)
        # Others may fill the disk meanwhile: said now, not after hours of work in vain.
        _check_space(folder, stream.scene.grid, f"Free some, then `landslide resume {folder}`.")
    told = {**plan, "device": str(panel.device), "warnings": plan["warnings"] + panel.notes}
    return _finish(folder, told, stream, parts, progress)


def _finish(
    folder: Path, told: dict[str, Any], stream: Stream, parts: list[Part], progress: Progress | None
) -> Run:
    """Write the results of all parts; the record comes last and makes the run a finished one."""
    begun = perf_counter()
    tiling, store = stream.tiling, PartStore(folder / PARTS)
    if progress:
        progress("write", 0, len(tiling))
    tiles = Judgement.room_for(len(tiling), len(stream.bundle.members))
    for part in parts:
        tiles.scatter(part.places(tiling), store.read(part))
    detections = Detections(tiling, tiles)
    making = folder / PARTS / "making"
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir()
    write_tiles(tile_table(stream.scene.grid, detections, told["least_slope"]), making)
    write_rasters(stream.scene.grid, detections, making)
    hashes = {name: sha256_of(making / name) for name in FILES}
    for name in FILES:
        (making / name).replace(folder / name)
    making.rmdir()
    codes = np.bincount(tiles.verdict, minlength=len(VERDICTS))
    seconds = {**stream.account.seconds, "write": perf_counter() - begun}
    drift = drift_of(tiles.placed.sum(axis=0, dtype=np.int64), stream.bundle.quantiles)
    unlike = warning_of(drift)
    meta = {
        **told,
        "warnings": [*told["warnings"], *([unlike] if unlike else [])],
        "drift": record(drift),
        "slope_mask": mask_record(tiles, told["least_slope"], told["inputs"]),
        "counts": {name: int(codes[code]) for code, name in enumerate(VERDICTS)},
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "sha256": hashes,
    }
    write_durably(folder / RECORD, json.dumps(meta, indent=1))
    if progress:
        progress("write", len(tiling), len(tiling))
    return Run(folder, meta)


def _check_same(
    folder: Path,
    plan: dict[str, Any],
    scene: Scene,
    bundle: Bundle,
    progress: Progress | None,
) -> None:
    """Raise RunDamaged unless inputs and bundle are those the run was begun with."""
    if bundle.sha256 != plan["bundle"]["sha256"]:
        raise RunDamaged(
            f"The bundle at {bundle.path} is not the one that {folder} was begun with. Put that "
            "one back, or run the detection again."
        )
    now, then = file_records(scene, progress), plan["inputs"]
    changed = [one["path"] for one in (*now, *then) if (one in now) != (one in then)]
    if changed or grid_record(scene.grid) != plan["grid"]:
        what = changed[0] if changed else "The scene's grid"
        raise RunDamaged(
            f"{what} has changed since {folder} was begun. Put the old file back, or run the "
            "detection again."
        )


def _check_space(out: Path, grid: Grid, remedy: str) -> None:
    """Raise NoSpace where all of a run's files might not find room."""
    parent = next(p for p in (out, *out.absolute().parents) if p.exists())
    free = shutil.disk_usage(parent).free
    needed = grid.height * grid.width * _BYTES_PER_PIXEL + _BYTES_BESIDE
    if free < needed:
        raise NoSpace(
            f"{free / 1e6:.0f} MB are free at {parent}; up to {needed / 1e6:.0f} MB are needed. "
            f"{remedy}"
        )


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Be the run's one writer."""
    (folder / PARTS).mkdir(exist_ok=True)
    with held(folder / PARTS, str(folder)):
        yield


@contextmanager
def _space_told(folder: Path) -> Iterator[None]:
    """Turn a full disk into its one line; what is done stays."""
    try:
        yield
    except (OSError, DataSourceError, RasterioError) as error:
        full = shutil.disk_usage(folder).free < _BYTES_FULL
        if getattr(error, "errno", None) == ENOSPC or full:
            kept = f"what was done is kept: `landslide resume {folder}` goes on with it"
            raise NoSpace(_full(folder, kept)) from error
        raise


def _full(out: Path, kept: str) -> str:
    return f"The disk filled up while writing {out}; {kept}. Free some space first."
