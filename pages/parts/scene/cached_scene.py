"""What the Scene page asks of files again and again, kept; a part of `cached`."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from landslide_core.estimate import unlike
from landslide_core.manifest import identity_of, quantiles_of
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


@st.cache_data(max_entries=16, show_spinner="Comparing with what the model learnt …")
def _unlike(_scene: Scene, _bundle: Path, stamp: str) -> str | None:
    return unlike(_scene, quantiles_of(_bundle))


def unlike_learnt(inputs: SceneInputs, scene: Scene, bundle: Path) -> str | None:
    """The warning where a few tiles of a scene are unlike what a bundle learnt.

    Raises BundleError.
    """
    return _unlike(scene, bundle, f"{inputs.record()} {scene.inputs} {identity_of(bundle)}")
