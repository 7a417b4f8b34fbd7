"""The only reader and writer of session state and of the address bar."""

import os
from pathlib import Path
from typing import Any, Final

import streamlit as st

from landslide_core.catalogue.fetch import Fetched
from landslide_core.catalogue.search import Found
from landslide_core.folder import list_runs
from landslide_core.readers.given import SceneInputs

ROOT: Final = Path(__file__).parents[2]
SAMPLE: Final = ROOT / "sample_data"


def data_folder() -> Path:
    """Server folder with scenes: LANDSLIDE_DATA, else the sample's."""
    return Path(os.environ.get("LANDSLIDE_DATA", SAMPLE))


def runs_folder() -> Path:
    """Where runs are kept: LANDSLIDE_RUNS, else ./runs."""
    return Path(os.environ.get("LANDSLIDE_RUNS", ROOT / "runs"))


def models_folder() -> Path:
    """Where bundles lie: LANDSLIDE_MODELS, else ./models."""
    return Path(os.environ.get("LANDSLIDE_MODELS", ROOT / "models"))


def bundles() -> list[Path]:
    """Bundle folders, "default" first."""
    found = [path for path in models_folder().glob("*") if path.is_dir()]
    return sorted(found, key=lambda path: (path.name != "default", path.name))


def uploads_folder() -> Path:
    """This session's own folder for uploaded files."""
    if "uploads" not in st.session_state:
        st.session_state["uploads"] = os.urandom(8).hex()
    # The dot keeps it out of the way of a run of that name.
    return runs_folder() / ".uploads" / str(st.session_state["uploads"])


def scenes_folder() -> Path:
    """Where scenes found in a catalogue are loaded: the server's own data, else beside the runs.

    Never the sample's folder, whose files are guessed by their names.
    """
    folder = data_folder()
    if folder != SAMPLE and folder.is_dir() and os.access(folder, os.W_OK):
        return folder
    return runs_folder() / ".uploads"


def runs() -> list[Path]:
    """All runs, newest first."""
    return list_runs(runs_folder())


def chosen_run() -> Path | None:
    """Run to show: `?run=` in the address, else the last one seen, else the newest.

    Only what the list of runs holds; a name in the address that is not there gives none.
    """
    found = {path.name: path for path in runs()}
    if asked := st.query_params.get("run"):
        return found.get(asked)
    return found.get(st.session_state.get("run", "")) or next(iter(found.values()), None)


def asked_run() -> str | None:
    """The name of a run in the address, whatever somebody wrote there."""
    return st.query_params.get("run")


def choose_run(name: str) -> None:
    """Show a run, here and in the address; another run's tile is forgotten."""
    if st.session_state.get("run") not in (None, name):
        st.session_state.pop("tile", None)
        st.query_params.pop("tile", None)
    st.session_state["run"] = name
    st.query_params["run"] = name


def forget_run(name: str) -> None:
    """Stop asking for a run."""
    if st.session_state.get("run") == name:
        del st.session_state["run"]
    if st.query_params.get("run") == name:
        del st.query_params["run"]


def chosen_tile() -> int | None:
    """Number of the tile to show: the last one chosen, else `?tile=` in the address."""
    if "tile" in st.session_state:
        return int(st.session_state["tile"])
    text = st.query_params.get("tile", "")
    return int(text) if text.isdecimal() else None


def choose_tile(tile: int | None) -> None:
    """Remember the tile to show."""
    if tile is not None:
        st.session_state["tile"] = tile


def show_tile_in_address(tile: int) -> None:
    """Put the tile in the address, so that a link reopens it."""
    st.query_params["tile"] = str(tile)


def is_new(name: str, value: object) -> bool:
    """Whether a value that a component keeps repeating differs from its last one."""
    changed = st.session_state.get(f"seen_{name}") != value
    st.session_state[f"seen_{name}"] = value
    return changed


def scene_choice() -> tuple[SceneInputs, str] | None:
    """The scene picked on the Scene page, and its name."""
    choice: tuple[SceneInputs, str] | None = st.session_state.get("scene")
    return choice


def choose_scene(inputs: SceneInputs, name: str) -> None:
    """Remember the picked scene for the Detection page."""
    st.session_state["scene"] = (inputs, name)


def name_bands(widget: str, names: str) -> None:
    """Keep band names chosen in the dialog for the text field that shows them."""
    st.session_state[f"names for {widget}"] = names


def fill_named_bands(widget: str) -> None:
    """Put names chosen in the dialog into their text field, before it is drawn."""
    if names := st.session_state.pop(f"names for {widget}", None):
        st.session_state[widget] = names


def drawn() -> list[dict[str, Any]]:
    """The GeoJSON features last drawn on the map of the Find page."""
    features: list[dict[str, Any]] = st.session_state.get("drawn", [])
    return features


def keep_drawn(features: list[dict[str, Any]]) -> None:
    """Remember what was drawn: the map forgets it when it is put up anew."""
    st.session_state["drawn"] = features


def found() -> tuple[Found, int] | None:
    """What the last search found, and the number of that search in this session."""
    last: tuple[Found, int] | None = st.session_state.get("found")
    return last


def keep_found(new: Found) -> None:
    """Remember what a search found, and forget what was chosen of the last one."""
    last = found()
    st.session_state["found"] = (new, last[1] + 1 if last else 1)
    st.session_state["ranks"] = {}


def ranks() -> dict[str, int]:
    """The candidates chosen of the last search, "optical", "desc" and "asc": from 1, 0 for none."""
    chosen: dict[str, int] = st.session_state.setdefault("ranks", {})
    return chosen


def loaded_scene() -> tuple[Fetched, str] | None:
    """The scene last loaded from a catalogue, and its name."""
    loaded: tuple[Fetched, str] | None = st.session_state.get("loaded")
    return loaded


def keep_loaded_scene(fetched: Fetched, name: str) -> None:
    """Remember a scene loaded from a catalogue for the Scene page."""
    st.session_state["loaded"] = (fetched, name)
