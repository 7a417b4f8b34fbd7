"""The only reader and writer of session state and of the address bar."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import streamlit as st

from landslide_core.folder import list_runs
from landslide_core.readers.given import SceneInputs

if TYPE_CHECKING:
    from landslide_core.catalogue.fetch import Fetched

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


def uploads_token() -> str:
    """What lets a browser tab add to and remove from this session's folder; for its page alone."""
    if "uploads" not in st.session_state:
        st.session_state["uploads"] = secrets.token_hex(16)
    return str(st.session_state["uploads"])


def uploads_folder() -> Path:
    """This session's own folder for uploaded files."""
    return uploads_of(uploads_token())


def uploads_of(token: str) -> Path:
    """The folder of a token, which cannot be told from it: run records and errors name folders."""
    # The dot keeps it out of the way of a run of that name.
    return runs_folder() / ".uploads" / hashlib.sha256(token.encode()).hexdigest()[:32]


def adopt_uploads(token: str) -> None:
    """Go on with the folder of a session that this browser tab had before it was reloaded."""
    folder = uploads_of(token)
    if re.fullmatch(r"[0-9a-f]{32}", token) and folder.is_dir() and not folder.is_symlink():
        with suppress(OSError):  # something is in it already, or it is the same
            uploads_folder().rmdir()
        folder.mkdir(exist_ok=True)
        st.session_state["uploads"] = token


def component(key: str) -> dict[str, Any]:
    """What a component's browser side last said, before it is drawn too."""
    return dict(st.session_state.get(key) or {})


def once(name: str, act: Callable[[], None]) -> None:
    """Act once a session."""
    if is_new(name, True):
        act()


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
    return int(text) if text.isdecimal() and len(text) <= 9 else None


def choose_tile(tile: int | None) -> None:
    """Remember the tile to show."""
    if tile is not None:
        st.session_state["tile"] = tile


def show_tile_in_address(tile: int) -> None:
    """Put the tile in the address, so that a link reopens it."""
    st.query_params["tile"] = str(tile)


def asked(name: str) -> str:
    """What the address says under a name, whatever somebody wrote there; "" for nothing."""
    return st.query_params.get(name, "")


def show_in_address(name: str, value: str) -> None:
    """Put a choice in the address, where a reload finds it; "" takes it out."""
    if not value:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != value:
        st.query_params[name] = value


def asked_all(name: str) -> list[str]:
    """Everything that the address says under a name."""
    return list(st.query_params.get_all(name))


def show_all_in_address(name: str, values: Sequence[str]) -> None:
    """Put choices in the address, as `name=one&name=other`; none takes the name out."""
    if list(values) != asked_all(name):
        st.query_params[name] = list(values)


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


def start_widgets(values: Mapping[str, Any]) -> None:
    """Give widgets their first values; what they have since is kept while they are not drawn."""
    for key, value in values.items():
        st.session_state[key] = st.session_state.get(key, value)


def set_widgets(values: Mapping[str, Any]) -> None:
    """Give widgets values, by key; from a callback, before they are drawn."""
    st.session_state.update(values)


def forget_widgets(stem: str) -> None:
    """Put the widgets whose key begins so back to their defaults; from a callback."""
    for key in [str(key) for key in st.session_state if str(key).startswith(stem)]:
        del st.session_state[key]


def kept(name: str, usual: Any) -> Any:
    """What was chosen on a page: widgets forget when another page is shown."""
    return st.session_state.get(f"kept {name}", usual)


def keep(name: str, value: Any) -> None:
    """Remember what was chosen on a page."""
    st.session_state[f"kept {name}"] = value


def name_bands(widget: str, names: str) -> None:
    """Keep band names chosen in the dialog for the text field that shows them."""
    st.session_state[f"names for {widget}"] = names


def fill_named_bands(widget: str) -> None:
    """Put names chosen in the dialog into their text field, before it is drawn."""
    if names := st.session_state.pop(f"names for {widget}", None):
        st.session_state[widget] = names


def loaded_scene() -> "tuple[Fetched, str] | None":
    """The scene last loaded from a catalogue, and its name."""
    loaded: tuple[Fetched, str] | None = st.session_state.get("loaded")
    return loaded


def keep_loaded_scene(fetched: "Fetched", name: str) -> None:
    """Remember a scene loaded from a catalogue for the Scene page."""
    st.session_state["loaded"] = (fetched, name)


def reviewer() -> str:
    """Name of whoever reviews in this session; "" until it is given."""
    return str(st.session_state.get("reviewer", ""))


def reviewer_forgotten() -> bool:
    """Whether the name was taken away in this session, so that another one is asked for."""
    return st.session_state.get("reviewer") == ""


def keep_reviewer(name: str) -> None:
    """Remember who reviews; "" asks again."""
    st.session_state["reviewer"] = " ".join(name.split())


def typed(widget: str) -> str:
    """The text in a field, in a callback, before the page is drawn."""
    return str(st.session_state.get(widget) or "")


def is_on(widget: str) -> bool:
    """Whether a toggle is on, in a callback, before the page is drawn."""
    return bool(st.session_state.get(widget, False))


def notice() -> tuple[str, bool]:
    """What the last review action came to, and whether it was refused."""
    told: tuple[str, bool] = st.session_state.get("review-notice", ("", False))
    return told


def keep_notice(text: str, refused: bool = False) -> None:
    """Remember what to say about the last review action."""
    st.session_state["review-notice"] = (text, refused)


def dropped_drawings() -> int:
    """How often a drawn outline was dropped in this session."""
    return int(st.session_state.get("review-drops", 0))


def drop_drawing() -> None:
    """Forget an outline that was drawn and not kept."""
    st.session_state["review-drops"] = dropped_drawings() + 1


def exported() -> dict[str, Any]:
    """Zip files of reviews made in this session, by kind."""
    made: dict[str, Any] = st.session_state.setdefault("review-exports", {})
    return made
