"""Scene page: bring in files, check what each is and what was understood, look at the pictures."""

from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from landslide_core.bands import RADAR_ROLES
from landslide_core.errors import LandslideError, MissingBands
from landslide_core.plan import is_simulated
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.recognise import Recognised
from landslide_core.readers.roles import event_of
from pages.parts import cached, state, theme
from pages.parts.look import previews
from pages.parts.page_words import in_page_words
from pages.parts.scene import effort, overview, reading, remarks, roles_table, sources

SOURCES = {
    "Sample": sources.sample,
    "Upload": sources.uploaded,
    "Server files": sources.server_files,
    "Found": sources.found,
}
IMAGES = ("s2", *RADAR_ROLES)  # roles of which a run needs at least one
IN_ADDRESS = {kind.split()[0].lower(): kind for kind in SOURCES}  # "upload", "server", …


def bring_in(place: DeltaGenerator) -> tuple[str, sources.Files | None]:
    """Where the files are from, and the files."""
    usual = IN_ADDRESS.get(state.asked("source"), "Found" if state.loaded_scene() else "Sample")
    kind = place.segmented_control(
        "Files from", list(SOURCES), default=state.kept("source", usual), required=True
    )
    state.keep("source", kind)
    state.show_in_address("source", next(word for word in IN_ADDRESS if IN_ADDRESS[word] == kind))
    if kind != "Server files":
        sources.no_server_files()
    return kind, SOURCES[kind]()


def assign(
    kind: str, files: sources.Files, place: DeltaGenerator
) -> tuple[SceneInputs, list[Recognised]] | None:
    """The files by role, with how they are to be read; None while no file has a role."""
    found = roles_table.look(files)
    with place:  # above the files, though they may name the day
        event = reading.event(kind, files, files.event or event_of(found))
    inputs = replace(files.inputs(roles_table.draw(files, found, event)), event=event)
    if not any(map(inputs.given, IMAGES)):
        st.info(
            "None of these files can be used. Bring in others to go on."
            if all(map(remarks.refusal, found))
            else "Give at least one file a role of Sentinel-1 or Sentinel-2 to go on."
        )
        return None
    return reading.options(inputs, kind, sources.key_of(files)), found


def understood(
    inputs: SceneInputs,
    found: list[Recognised],
    name: str,
    kind: str,
    place: DeltaGenerator,
) -> None:
    """What was understood, what a run will take, and the pictures."""
    scene = cached.scene(inputs)
    state.choose_scene(inputs, name)
    if place.button(
        "Go on to detection", type="primary", icon=":material/arrow_forward:", width="stretch"
    ):
        state.keep("new run", True)  # whatever run is shown there
        st.switch_page("detect.py")
    if is_simulated(scene):
        theme.simulated_note()
    st.header("What was understood", anchor=False)
    overview.draw(scene, inputs, cached.overview(inputs), found)
    effort.panel(scene)
    st.header("Previews", anchor=False)
    previews.panel(inputs, scene, key=kind)


def show() -> None:
    """Draw the page."""
    theme.header(
        "Scene", "Bring in the files, and check what was understood before running detection."
    )
    left, middle, right = st.columns([4, 2, 2], vertical_alignment="bottom")
    kind, files = bring_in(left)
    if files is None:
        reading.no_files()
        return
    assigned = assign(kind, files, middle)
    if assigned is None:
        return
    inputs, found = assigned
    try:
        understood(inputs, found, files.name, kind, right)
    except MissingBands as error:
        theme.problem(in_page_words(error))
        if inputs.s2:
            reading.name_bands(inputs, key=kind)
    except LandslideError as error:
        theme.problem(in_page_words(error))


show()
