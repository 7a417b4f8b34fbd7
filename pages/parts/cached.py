"""The only place that wraps caches: each keyed by what the files on disk look like now."""

from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st

from landslide_core import render
from landslide_core.bands import BAND_NAMES, TILE
from landslide_core.catalogue.area import Area, area_of_file
from landslide_core.errors import RunDamaged
from landslide_core.explanation import TileExplanation
from landslide_core.folder import Run, check_inputs, check_version, open_run
from landslide_core.grid import Window
from landslide_core.places import is_address
from landslide_core.plan import tiling_of
from landslide_core.readers.given import ROLES, SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.review.journal import JOURNAL, Event
from landslide_core.review.review import Review
from landslide_core.scene import Scene
from pages.parts import state

OVERVIEW: Final = 1024  # pixels along the longer side
# Pictures for under the map, best first, and the bands that each needs.
PICTURES: Final[dict[str, tuple[str, ...]]] = {
    "true-colour": ("red", "green", "blue"),
    "false-colour": ("nir", "red", "green"),
    "desc-post": ("desc_vv_post", "desc_vh_post"),
    "asc-post": ("asc_vv_post", "asc_vh_post"),
    "desc-pre": ("desc_vv_pre", "desc_vh_pre"),
    "asc-pre": ("asc_vv_pre", "asc_vh_pre"),
}
_LOCKS: Final = tuple(Lock() for _ in range(16))  # a picture asked for twice at once is made once


def file_stamp(path: Path) -> str:
    """A file's size and time of change, or "gone"."""
    if not path.exists():
        return "gone"
    found = path.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


def run_stamp(folder: Path) -> str:
    """Changes when a run folder is written anew."""
    return file_stamp(folder / "run.json")


def _inputs_stamp(inputs: SceneInputs) -> str:
    """Changes with what was given and with the files on disk."""
    given = [path for role in ROLES for path in inputs.given(role)]
    marks = ["" if is_address(path) else file_stamp(Path(path)) for path in given]
    return f"{inputs.record()} {marks}"


@st.cache_resource(max_entries=8, show_spinner="Opening the run …")
def _run(folder: Path, stamp: str) -> Run:
    opened = open_run(folder)
    check_version(opened)  # here, where a damaged table is found too, not halfway down a page
    return opened


def run(folder: Path) -> Run:
    """An opened run."""
    return _run(folder, run_stamp(folder))


@st.cache_resource(max_entries=4, show_spinner="Reading the files …")
def _scene(_inputs: SceneInputs, stamp: str) -> Scene:
    return open_scene(_inputs)


def scene(inputs: SceneInputs) -> Scene:
    """An opened scene."""
    return _scene(inputs, _inputs_stamp(inputs))


@st.cache_data(max_entries=16, show_spinner="Reading the area …")
def _area(path: Path, stamp: str) -> Area:
    return area_of_file(path)


def area(path: Path) -> Area:
    """The polygons of a vector file."""
    return _area(path, file_stamp(path))


@st.cache_resource(max_entries=4, show_spinner="Making previews …")  # nobody writes into it
def _overview(_scene: Scene, stamp: str) -> render.Overview:
    return render.overview(_scene, OVERVIEW)


def overview(inputs: SceneInputs) -> render.Overview:
    """A scene made small enough to look at."""
    return _overview(scene(inputs), _inputs_stamp(inputs))


@st.cache_data(max_entries=64, show_spinner="Asking the filter and the ensemble …")
def _explanation(_run: Run, stamp: str, tile: int) -> TileExplanation:
    from landslide_core.explain import explain_tile  # torch, which most pages don't need

    return explain_tile(_run, tile)


def explanation(opened: Run, tile: int) -> TileExplanation:
    """Why a tile got its verdict."""
    return _explanation(opened, whole_stamp(opened), tile)


def whole_stamp(opened: Run) -> str:
    """Changes when a run, or a file it was made from, does."""
    marks = [
        f"{entry['path']}:{file_stamp(Path(entry['path']))}" for entry in opened.meta["inputs"]
    ]
    return f"{opened.folder} {run_stamp(opened.folder)} {marks}"


def review_stamp(folder: Path) -> str:
    """Changes when somebody reviews a tile of a run, or the run is written anew."""
    return f"{folder} {run_stamp(folder)} {file_stamp(folder / JOURNAL)}"


@st.cache_data(max_entries=16, show_spinner=False)
def _review(_run: Run, stamp: str) -> tuple[pd.DataFrame, tuple[Event, ...], tuple[str, ...]]:
    review = Review.of(_run)
    return review.state(), review.events, review.warnings


def review_state(opened: Run) -> pd.DataFrame:
    """What people say of a run's tiles, as `Review.state`; read again when somebody says more."""
    return _review(opened, review_stamp(opened.folder))[0]


def review_labels(opened: Run) -> dict[int, str]:
    """What reviewers call tiles, by number; empty where that is damaged: Review tells why."""
    try:
        given = review_state(opened)["label"].dropna()
    except RunDamaged:
        return {}
    return {int(tile): str(label) for tile, label in given.items()}


def review_events(opened: Run) -> tuple[Event, ...]:
    """Everything that was said of a run's tiles, oldest first, revoked or not."""
    return _review(opened, review_stamp(opened.folder))[1]


def review_warnings(opened: Run) -> tuple[str, ...]:
    """What is wrong with a run's review and mends itself."""
    return _review(opened, review_stamp(opened.folder))[2]


@st.cache_data(max_entries=64, show_spinner=False)
def _surroundings(_run: Run, stamp: str, tile: int) -> render.Floats:
    check_inputs(_run)
    opened = scene(_run.inputs())
    if opened.grid != _run.grid():
        raise RunDamaged(
            f"The inputs of {_run.folder} make another grid than when it was made. Put the old "
            "files back, or run the detection again."
        )
    tiling = tiling_of(_run.meta)
    window = tiling.window(*divmod(tile, tiling.cols))
    wanted = Window(window.row - TILE, window.col - TILE, 3 * TILE, 3 * TILE)
    there = opened.grid.clip(wanted)
    row, col = there.row - wanted.row, there.col - wanted.col
    pixels = np.full((len(BAND_NAMES), wanted.height, wanted.width), np.nan, np.float32)
    pixels[:, row : row + there.height, col : col + there.width] = opened.read(there)
    return pixels


def surroundings(opened: Run, tile: int) -> render.Floats:
    """A tile and one tile's width of ground on each side, (12, 192, 192); NaN off the scene."""
    return _surroundings(opened, whole_stamp(opened), tile)


def backgrounds(opened: Run) -> list[str]:
    """Names of the pictures that a run's bands allow; none where its inputs changed."""
    try:
        check_inputs(opened)
    except RunDamaged:
        return []
    missing = set(opened.meta["missing_bands"])
    return [name for name, bands in PICTURES.items() if not missing & set(bands)]


def overlay(name: str, layer: str) -> bytes:
    """WebP of a run's scene for the web map; KeyError for a run or layer that is not there.

    Raises RunDamaged where the run's inputs changed.
    """
    opened = open_run({path.name: path for path in state.runs()}[name])
    check_inputs(opened)
    if layer not in backgrounds(opened):
        raise KeyError(layer)
    stamp = whole_stamp(opened)
    with _LOCKS[hash((stamp, layer)) % len(_LOCKS)]:
        return _overlay(opened.folder, layer, stamp)


@lru_cache(maxsize=16)  # Streamlit's caches want a session; a route has none
def _overlay(folder: Path, layer: str, stamp: str) -> bytes:
    opened = open_scene(open_run(folder).inputs())
    small = render.overview(opened, OVERVIEW, PICTURES[layer])
    return render.encode(render.to_web_map(picture(small.pixels, layer), small.geobox, OVERVIEW))


def picture(pixels: render.Floats, layer: str) -> render.RGBA:
    """A named picture of bands (12, h, w)."""
    match PICTURES[layer]:
        case (red, green, blue):
            return render.optical(pixels, (red, green, blue))
    return render.radar(pixels, layer.replace("-", "_"))
