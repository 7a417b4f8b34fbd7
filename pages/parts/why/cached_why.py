"""More caches, of what the Decision page asks: keyed as those of `cached` are."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from landslide_core import render
from landslide_core.explanation import Attribution, TileExplanation
from landslide_core.folder import Run
from landslide_core.manifest import identity_of
from landslide_core.neighbours import neighbourhood, pixels_around
from landslide_core.plan import PLAN
from pages.parts.cached import file_stamp, run_stamp, whole_stamp

if TYPE_CHECKING:
    from landslide_core.bundle import Bundle

OUTLINES: Final = (".geojson", ".gpkg", ".kml", ".kmz", ".shp")
MOST_LISTED: Final = 200


@st.cache_resource(max_entries=2, show_spinner=False)
def _bundle(path: Path, identity: str) -> "Bundle":
    from landslide_core.bundle import load_bundle  # torch, which most pages don't need

    return load_bundle(path)


@st.cache_data(max_entries=64, show_spinner=False)
def _attribution(_run: Run, stamp: str, tile: int, _why: TileExplanation) -> Attribution:
    from landslide_core.attribution import attribute

    path = _run.bundle_path
    return attribute(_bundle(path, identity_of(path)), _why.pixels, _why.cloud)


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
    from landslide_core.training.score import tiles_of_truth  # scikit-learn, torch

    return tiles_of_truth(_run, path)


def truth(opened: Run, path: Path) -> NDArray[np.floating]:
    """Labels of a run's tiles by a file of outlines, 1, 0 or NaN; raises DatasetError."""
    return _truth(opened, f"{opened.folder} {run_stamp(opened.folder)}", path, file_stamp(path))


@st.cache_data(ttl=20, max_entries=4, show_spinner="Looking for outlines …")
def outlines_below(top: Path) -> list[Path]:
    """Files of outlines in a folder; one that is put there is found within 20 seconds."""
    found: list[Path] = []
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if PLAN in files:  # a run's own tiles are no truth
            folders.clear()
            continue
        found += [Path(folder, name) for name in sorted(files) if name.lower().endswith(OUTLINES)]
        if len(found) >= MOST_LISTED:
            break
    return found[:MOST_LISTED]
