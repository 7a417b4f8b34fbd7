"""What the tour and the start page ask of files again and again, kept; a part of `cached`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas
import streamlit as st

from landslide_core.folder import Run, open_run
from landslide_core.hashes import sha256_of
from landslide_core.readers.given import ROLES, SceneInputs
from pages.parts import cached
from pages.parts.tour import facts


def _stamp(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size}-{found.st_mtime_ns}"


@st.cache_data(max_entries=100, show_spinner=False)
def _hash(path: Path, stamp: str) -> str:
    return sha256_of(path)


def hashes(inputs: SceneInputs) -> set[tuple[str, str]]:
    """Role and SHA-256 of the files that were given."""
    given = [(role, Path(str(path))) for role in ROLES for path in inputs.given(role)]
    return {(role, _hash(path, _stamp(path))) for role, path in given}


@st.cache_data(max_entries=1000, show_spinner=False)
def _record(folder: Path, stamp: str) -> dict[str, Any]:
    return open_run(folder).meta


def record(folder: Path) -> dict[str, Any]:
    """What run.json says, the tables unread. Raises RunDamaged."""
    return _record(folder, cached.run_stamp(folder))


@st.cache_data(max_entries=8, show_spinner="Holding the run against the true outlines …")
def _score(_run: Run, stamp: str, truth: Path) -> dict[str, Any]:
    from landslide_core.training.score import score_run  # scikit-learn, torch

    return score_run(_run, truth)


def score(run: Run, truth: Path) -> dict[str, Any]:
    """A run's scores against true outlines, as `score_run`. Raises DatasetError."""
    return _score(run, _both(run, truth), truth)


@st.cache_resource(max_entries=4, show_spinner="Choosing what to show …")
def _story(_run: Run, stamp: str, truth: Path) -> facts.Story:
    read = geopandas.read_file(truth).geometry
    outlines = read[read.geom_type.isin(("Polygon", "MultiPolygon"))]
    return facts.tell(_run, outlines, cached.overview(_run.inputs()), stamp)


def story(run: Run, truth: Path) -> facts.Story:
    """What the tour points at in a run of the sample. Raises DatasetError."""
    score(run, truth)  # which says what is wrong with a file of outlines
    return _story(run, _both(run, truth), truth)


@st.cache_data(max_entries=128, show_spinner="Drawing the picture …")
def _picture(_draw: Callable[[], bytes], stamp: str, name: str) -> bytes:
    return _draw()


def picture(told: facts.Story, name: str, draw: Callable[[], bytes]) -> bytes:
    """A picture of a story, by name; drawn once."""
    return _picture(draw, told.stamp, name)


def _both(run: Run, truth: Path) -> str:
    """Changes when a run or its truth does."""
    return f"{run.folder} {cached.run_stamp(run.folder)} {truth} {_stamp(truth)}"
