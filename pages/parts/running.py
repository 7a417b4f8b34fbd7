"""Starting a run and watching it."""

import re
from datetime import datetime
from typing import Final

import streamlit as st

from landslide_core.bands import TILE
from landslide_core.errors import LandslideError
from landslide_core.readers.inputs import SceneInputs
from landslide_core.runs import RunOptions, predict_scene
from pages.parts import state

DEVICES: Final = {"auto": "Automatic", "cpu": "Processor", "cuda": "Graphics card"}
STRIDES: Final = {TILE: "Side by side (64 px)", TILE // 2: "Overlapping by half (32 px)"}


def panel(expanded: bool) -> None:
    """The form that starts a run, or what to do first."""
    with st.expander("New run", expanded=expanded, icon=":material/play_circle:"):
        choice = state.scene_choice()
        if choice is None:
            st.info("Choose a scene first: the sample is one click away.")
            if st.button("Choose a scene", icon=":material/satellite_alt:"):
                st.switch_page("scene.py")
            return
        _form(*choice)


def _form(inputs: SceneInputs, scene_name: str) -> None:
    bundles = {path.name: path for path in state.bundles()}
    if not bundles:
        st.warning(
            f"There is no model bundle in `{state.models_folder()}`. Train one with "
            "`landslide train`, or copy one there."
        )
        return
    with st.form("new-run", border=False):
        columns = st.columns([3, 2, 3, 2])
        # No time in the default: it would differ on every rerun and wipe what was typed.
        name = columns[0].text_input(
            "Name of the run", max_chars=60, placeholder=f"{scene_name} and the time"
        )
        bundle = columns[1].selectbox("Model bundle", list(bundles))
        stride = columns[2].selectbox("Tiles", list(STRIDES), format_func=STRIDES.__getitem__)
        device = columns[3].selectbox("Compute on", list(DEVICES), format_func=DEVICES.__getitem__)
        started = st.form_submit_button(
            "Run detection", type="primary", icon=":material/play_arrow:"
        )
    if started:
        name = name or f"{scene_name}-{datetime.now():%Y%m%d-%H%M%S}"
        _run(inputs, RunOptions(bundle=bundles[bundle], stride=stride, device=device), name)


def _run(inputs: SceneInputs, options: RunOptions, name: str) -> None:
    """Run to the end, showing stage and count, then show the run."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    bar = st.progress(0.0, "Starting …")

    def tell(stage: str, done: int, total: int) -> None:
        share = min(done / total, 1.0) if total else 0.0
        bar.progress(share, f"{stage.capitalize()}: {done:,} of {total:,}")

    try:
        predict_scene(inputs, options, state.runs_folder() / name, tell)
    except LandslideError as error:
        bar.empty()
        st.error(str(error))
        return
    state.choose_run(name)
    st.rerun()
