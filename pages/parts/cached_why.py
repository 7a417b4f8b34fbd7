"""More caches, of what the Decision page asks: keyed as those of `cached` are."""

from pathlib import Path

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from landslide_core import render
from landslide_core.attribution import Attribution, attribute
from landslide_core.bundle import Bundle, load_bundle, manifest_of
from landslide_core.explain import TileExplanation
from landslide_core.folder import Run
from landslide_core.neighbours import neighbourhood, pixels_around
from landslide_core.training.score import tiles_of_truth
from pages.parts.cached import file_stamp, run_stamp, whole_stamp


@st.cache_resource(max_entries=2, show_spinner=False)
def _bundle(path: Path, manifest: bytes) -> Bundle:
    return load_bundle(path)


@st.cache_data(max_entries=64, show_spinner=False)
def _attribution(_run: Run, stamp: str, tile: int, _why: TileExplanation) -> Attribution:
    path = _run.bundle_path
    return attribute(_bundle(path, manifest_of(path)), _why.pixels, _why.cloud)


def attribution(opened: Run, tile: int, why: TileExplanation) -> Attribution:
    """What each sensor, band and pixel did to the ensemble's log-odds of an explained tile."""
    return _attribution(opened, whole_stamp(opened), tile, why)


@st.cache_data(max_entries=32, show_spinner=False)
def _around(_run: Run, stamp: str, tile: int, reach: int) -> dict[int, render.Floats]:
    return pixels_around(_run, neighbourhood(_run, tile, reach))


def around(opened: Run, tile: int, reach: int) -> dict[int, render.Floats]:
    """Bands (12, 64, 64) of the tiles around one."""
    return _around(opened, whole_stamp(opened), tile, reach)


@st.cache_data(max_entries=16, show_spinner="Laying the outlines over the tiles …")
def _truth(_run: Run, stamp: str, path: Path, mark: str) -> NDArray[np.floating]:
    return tiles_of_truth(_run, path)


def truth(opened: Run, path: Path) -> NDArray[np.floating]:
    """Labels of a run's tiles by a file of outlines, 1, 0 or NaN; raises DatasetError."""
    return _truth(opened, f"{opened.folder} {run_stamp(opened.folder)}", path, file_stamp(path))
