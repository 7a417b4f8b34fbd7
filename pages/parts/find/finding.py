"""What a catalogue holds: candidates to choose from, and loading what was chosen."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import streamlit as st

from landslide_core.catalogue.candidates import Candidate, Pair
from landslide_core.catalogue.fetch import fetch
from landslide_core.catalogue.search import Choice, Found
from landslide_core.errors import LandslideError
from landslide_core.places import without_query
from pages.parts import state, theme
from pages.parts.find import areas, remembered
from pages.parts.find.asking import in_page_words

ROW: Final = 35  # px of a table's row
MOST_ROWS: Final = 6  # seen at once
NOTHING: Final = "–"
COLUMNS: Final = {
    "Cloud": st.column_config.NumberColumn(format="%.0f %%", help="Over the tiles' whole area."),
    "Covers": st.column_config.NumberColumn(format="%.0f %%", help="How much of the area."),
    "Days apart": st.column_config.NumberColumn(format="%.0f"),
    "Orbit": st.column_config.NumberColumn(format="%d", help="Relative orbit: the track."),
}


def candidates(found: Found, number: int) -> Choice:
    """Tables of a search, and the warnings of what is chosen in them."""
    above = st.container()
    st.caption("The ticked row of each table will be loaded; untick it to go without.")
    optical = [_optical_row(candidate) for candidate in found.optical]
    _pick("optical", "Sentinel-2, after the event", optical, number)
    for name, words in (("desc", "descending"), ("asc", "ascending")):
        pairs = [_radar_row(pair) for pair in found.radar["desc" if name == "desc" else "asc"]]
        _pick(name, f"Sentinel-1 {words}, before and after", pairs, number)
    choice = found.choice(**remembered.ranks())
    with above:
        for warning in choice.warnings:
            theme.warning(in_page_words(warning))
    return choice


def load(found: Found, choice: Choice) -> None:
    """A button that loads what was chosen, and goes to the Scene page with it."""
    chosen = [found for found in (choice.optical, *choice.radar.values()) if found]
    left, right = st.columns([1, 3], vertical_alignment="center")
    pressed = left.button(
        "Load into the app",
        type="primary",
        icon=":material/download:",
        disabled=not chosen,
        width="stretch",
    )
    box = found.wish.area.window(found.wish.area.utm)
    right.caption(
        f"{len(chosen)} images, of each the window of {box.shape.x:,} × {box.shape.y:,} pixels."
        if chosen
        else "Nothing is chosen: tick at least one row."
    )
    if not pressed:
        return
    folder = state.scenes_folder() / folder_name(found, choice)
    try:
        with st.status("Loading the window …", expanded=True):
            fetched = fetch(choice, found.wish, found.catalogue, folder, bars())
    except LandslideError as error:
        theme.problem(in_page_words(error))
        st.caption("Files that are whole are kept: load again to go on with the others.")
        return
    state.keep_loaded_scene(fetched, folder.name)
    state.choose_scene(fetched.inputs, folder.name)
    state.keep("source", "Found")  # whatever the Scene page showed before
    st.switch_page("scene.py")


def folder_name(found: Found, choice: Choice) -> str:
    """Place, day, and a mark of what is loaded: the same again goes on in the same folder."""
    wish, middle = found.wish, found.wish.area.shape.centroid
    images = {role: candidate.id for role, candidate in choice.radar.items()}
    images["s2"] = choice.optical.id if choice.optical else ""
    whole = [without_query(found.catalogue.address), wish.area.geojson(), str(wish.event), images]
    mark = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:8]
    where = areas.place(middle).replace("° ", "").replace(", ", "-")
    # The reader takes a date in figures for that of the images, and this is the event's.
    return f"{where}-{wish.event:%d%b%Y}-{mark}".lower()


def bars() -> Callable[[str, int, int], None]:
    """Progress of a load: a bar for each file, put up with its first strip."""
    shown: dict[str, Any] = {}

    def progress(file: str, done: int, total: int) -> None:
        if file not in shown:
            shown[file] = st.progress(0.0)
        shown[file].progress(min(done / total, 1.0), f"{_file_words(file)}: {done} of {total}")

    return progress


def _pick(kind: str, title: str, rows: Sequence[dict[str, Any]], number: int) -> None:
    """A table with one row chosen, the best one at first."""
    st.markdown(f"**{title}**")
    if not rows:
        st.caption("Nothing was found.")
        remembered.keep_rank(kind, 0)
        return
    rank = remembered.ranks().get(kind, 1)
    chosen = st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config=COLUMNS,
        height=ROW * (min(len(rows), MOST_ROWS) + 1) + 3,
        placeholder=NOTHING,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [rank - 1] if rank else []}},
        key=f"{kind}-{number}",  # another search: choose anew
    )
    picked = chosen["selection"]["rows"]
    remembered.keep_rank(kind, picked[0] + 1 if picked else 0)


def _optical_row(found: Candidate) -> dict[str, Any]:
    return {
        "Taken (UTC)": _when(found),
        "Satellite": found.platform.title() or NOTHING,
        "Cloud": found.cloud,
        "Covers": 100 * found.coverage,
        "Orbit": found.relative_orbit,
        "Tiles": len(found.granules),
    }


def _radar_row(pair: Pair) -> dict[str, Any]:
    satellites = dict.fromkeys(a.platform.title() or NOTHING for a in (pair.pre, pair.post) if a)
    return {
        "Before (UTC)": _when(pair.pre) if pair.pre else NOTHING,
        "After (UTC)": _when(pair.post),
        "Days apart": pair.days if pair.pre else None,
        "Covers": 100 * pair.coverage,
        "Orbit": pair.post.relative_orbit,
        "Satellite": ", ".join(satellites),
    }


def _when(found: Candidate) -> str:
    return f"{found.time:%Y-%m-%d %H:%M}"


def _file_words(file: str) -> str:
    """A file of the scene in words: "s1_desc_pre.tif" -> "Sentinel-1 descending, before"."""
    stem = Path(file).stem
    return "Cloud classes" if stem == "scl" else theme.role(stem.removeprefix("s1_"))
