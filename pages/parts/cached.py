"""The only place that wraps caches: each keyed by what the files on disk look like now."""

from functools import lru_cache
from pathlib import Path
from typing import Final

import streamlit as st

from landslide_core import render
from landslide_core.bands import OPTICAL, RADAR_ROLES, radar_band
from landslide_core.explain import TileExplanation, explain_tile
from landslide_core.readers.inputs import SceneInputs, open_scene
from landslide_core.runs import Run, open_run
from landslide_core.scene import Scene
from pages.parts import state

OVERVIEW: Final = 1024  # pixels along the longer side


def _stamp(path: Path) -> str:
    """A file's size and time of change, or "gone"."""
    if not path.exists():
        return "gone"
    found = path.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


def run_stamp(folder: Path) -> str:
    """Changes when a run folder is written anew."""
    return _stamp(folder / "run.json")


def _inputs_stamp(inputs: SceneInputs) -> str:
    files = (inputs.s2, inputs.desc_pre, inputs.desc_post, inputs.asc_pre, inputs.asc_post)
    marks = [[f"{path}:{_stamp(path)}" for path in role] for role in files]
    return f"{marks} {inputs.s2_bands} {inputs.s2_offset}"


@st.cache_resource(max_entries=8, show_spinner="Opening the run …")
def _run(folder: Path, stamp: str) -> Run:
    opened = open_run(folder)
    _ = opened.tiles  # so that a damaged table is found here, not halfway down a page
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


@st.cache_data(max_entries=4, show_spinner="Making previews …")
def _overview(_scene: Scene, stamp: str) -> render.Overview:
    return render.overview(_scene, OVERVIEW)


def overview(inputs: SceneInputs) -> render.Overview:
    """A scene made small enough to look at."""
    return _overview(scene(inputs), _inputs_stamp(inputs))


@st.cache_data(max_entries=64, show_spinner="Asking the filter and the ensemble …")
def _explanation(_run: Run, folder: str, stamp: str, tile: int) -> TileExplanation:
    return explain_tile(_run, tile)


def explanation(opened: Run, tile: int) -> TileExplanation:
    """Why a tile got its verdict."""
    folder = Path(opened.folder)
    return _explanation(opened, str(folder), run_stamp(folder), tile)


def backgrounds(missing: list[str]) -> list[str]:
    """Overlay pictures that a run's bands allow, best first."""
    layers = [] if set(OPTICAL) & set(missing) else ["true-colour", "false-colour"]
    radar = [
        role.replace("_", "-")
        for role in RADAR_ROLES
        if not {radar_band(role, pol) for pol in ("vv", "vh")} & set(missing)
    ]
    return layers + radar[:1]


def overlay(name: str, layer: str) -> bytes:
    """WebP of a run's scene for the web map; KeyError for a run or layer that is not there."""
    folder = {path.name: path for path in state.runs()}[name]
    return _overlay(folder, layer, run_stamp(folder))


@lru_cache(maxsize=16)  # Streamlit's caches want a session; a route has none
def _overlay(folder: Path, layer: str, stamp: str) -> bytes:
    opened = open_run(folder)
    if layer not in backgrounds(opened.meta["missing_bands"]):
        raise KeyError(layer)
    small = render.overview(open_scene(opened.inputs()), OVERVIEW)
    return render.encode(render.to_web_map(picture(small.pixels, layer), small.geobox, OVERVIEW))


def picture(pixels: render.Floats, layer: str) -> render.RGBA:
    """A named preview of bands (12, h, w)."""
    match layer:
        case "true-colour":
            return render.optical(pixels, ("red", "green", "blue"))
        case "false-colour":
            return render.optical(pixels, ("nir", "red", "green"))
    return render.radar(pixels, layer.replace("-", "_"))
