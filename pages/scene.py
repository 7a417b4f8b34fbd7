"""Scene page: pick files, see what was understood, look at the pictures."""

import pandas as pd
import streamlit as st

from landslide_core.bands import BANDS, PIXEL
from landslide_core.errors import LandslideError, MissingBands
from landslide_core.plan import is_simulated
from landslide_core.scene import Scene
from pages.parts import cached, previews, reading, sources, state, theme

SOURCES = {
    "Sample": sources.sample,
    "Server files": sources.server_files,
    "Upload": sources.uploads,
    "Found": sources.found,
}


def understood(scene: Scene) -> None:
    """Grid, bands, reading decisions and warnings."""
    grid = scene.grid
    for warning in scene.warnings:
        theme.warning(warning)
    columns = st.columns(4)
    columns[0].metric("Size", f"{grid.width:,} × {grid.height:,} px")
    area = grid.width * grid.height * PIXEL**2 / 1e6
    columns[1].metric("Area", f"{area:,.0f} km²" if area >= 10 else f"{area:.1f} km²")
    columns[2].metric("Grid", f"{grid.crs}, {PIXEL:g} m")
    columns[3].metric("Bands", f"{len(scene.available)} of {len(BANDS)}")
    if scene.missing:
        st.caption(
            "Missing, and read as unknown by the model: "
            + ", ".join(name.replace("_", " ") for name in scene.missing)
        )
    with st.expander("What was decided on reading", icon=":material/rule:"):
        rows = [(theme.role(d.role), d.subject, d.found, d.decided) for d in scene.decisions]
        table = pd.DataFrame(rows, columns=["Files", "Subject", "Found", "Decided"])
        st.dataframe(table, hide_index=True)


def show() -> None:
    """Draw the page."""
    theme.header(
        "Scene", "Choose the files, and check what was understood before running detection."
    )
    usual = "Found" if state.loaded_scene() else "Sample"
    kind = st.segmented_control("Files from", list(SOURCES), default=usual, required=True)
    choice = SOURCES[kind]()
    if choice is None:
        return
    inputs, name = choice
    inputs = reading.options(inputs, key=kind)
    try:
        scene = cached.scene(inputs)
        if is_simulated(scene):
            theme.simulated_note()
        understood(scene)
        state.choose_scene(inputs, name)
        if st.button("Go on to detection", type="primary", icon=":material/arrow_forward:"):
            st.switch_page("detect.py")
        st.subheader("Previews", anchor=False)
        previews.scene_previews(cached.overview(inputs), scene.available)
    except MissingBands as error:
        theme.problem(error)
        if inputs.s2:
            reading.name_bands(inputs, key=kind)
    except LandslideError as error:
        theme.problem(error)


show()
