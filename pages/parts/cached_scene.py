"""What the Scene page asks of files again and again, kept; a part of `cached`."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from landslide_core.bundle import Bundle, load_bundle, manifest_of
from landslide_core.estimate import unlike
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.recognise import Recognised, recognise
from landslide_core.scene import Scene


@st.cache_data(max_entries=2000, show_spinner=False)
def _recognised(path: Path, name: str, stamp: tuple[int, int]) -> Recognised:
    found = recognise(path, name)
    # Where on the server a file lies is no help in a table of names.
    return replace(found, problem=found.problem.replace(f"{path.parent}/", ""))


def recognised(path: Path, name: str) -> Recognised:
    """What a file, folder or archive is; `name` is what a user calls it."""
    found = path.stat() if path.exists() else None
    return _recognised(path, name, (found.st_mtime_ns, found.st_size) if found else (0, 0))


@st.cache_resource(max_entries=2, show_spinner="Opening the bundle …")
def _bundle(path: Path, manifest: bytes) -> Bundle:
    return load_bundle(path)


def bundle(path: Path) -> Bundle:
    """An opened bundle. Raises BundleError."""
    return _bundle(path, manifest_of(path))


@st.cache_data(max_entries=16, show_spinner="Comparing with what the model learnt …")
def _unlike(_scene: Scene, _bundle: Bundle, stamp: str) -> str | None:
    return unlike(_scene, _bundle.quantiles)


def unlike_learnt(inputs: SceneInputs, scene: Scene, bundle: Bundle) -> str | None:
    """The warning where a few tiles of a scene are unlike what a bundle learnt."""
    return _unlike(scene, bundle, f"{inputs.record()} {scene.inputs} {bundle.sha256}")
