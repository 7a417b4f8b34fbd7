"""The form that starts a run."""

import re
from collections.abc import Sequence
from datetime import date, datetime

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.plan import RunOptions
from landslide_core.readers.given import ROLE_WORDS, SceneInputs
from pages.parts import state, theme, wording
from pages.parts.run import jobs
from pages.parts.run.running import DEVICES, STRIDES


def panel() -> None:
    """The form, or what to do first."""
    with st.container(border=True):
        st.header("New run", anchor=False)
        choice = state.scene_choice()
        if choice is None:
            st.info("Choose a scene first: the sample is one click away.")
            if st.button("Choose a scene", icon=":material/satellite_alt:"):
                st.switch_page("scene.py")
            return
        _form(*choice)


def told(inputs: SceneInputs, name: str) -> str:
    """What is about to be judged, in a line."""
    there = [words for role, words in ROLE_WORDS.items() if inputs.given(role)]
    day = f"event on {inputs.event:%Y-%m-%d}" if inputs.event else "no day of the event given"
    return f"Scene **{wording.escaped(name)}**, {day}: {'; '.join(there)}."


def _form(inputs: SceneInputs, scene_name: str) -> None:
    bundles = {path.name: path for path in state.bundles()}
    if not bundles:
        st.warning(
            f"There is no model bundle in `{state.models_folder()}`. Train one with "
            "`landslide train`, or copy one there."
        )
        return
    st.markdown(told(inputs, scene_name))
    with st.form("new-run", border=False):
        columns = st.columns([3, 2, 3, 2, *([2] if inputs.dem else [])])
        # No time in the default: it would differ on every rerun and wipe what was typed.
        name = columns[0].text_input(
            "Name of the run",
            max_chars=60,
            placeholder=f"{scene_name}-{date.today():%Y%m%d}-…",
            help="Left empty, the scene's name with day and time. Letters, digits, dots, dashes "
            "and underscores; anything else becomes a dash.",
        )
        bundle = columns[1].selectbox("Model bundle", list(bundles))
        stride = columns[2].selectbox("Tiles", list(STRIDES), format_func=STRIDES.__getitem__)
        device = columns[3].selectbox("Compute on", list(DEVICES), format_func=DEVICES.__getitem__)
        slope = _least_slope(columns[4:])
        started = st.form_submit_button(
            "Run detection", type="primary", icon=":material/play_arrow:"
        )
    if started:
        name = name or f"{scene_name}-{datetime.now():%Y%m%d-%H%M%S}"
        options = RunOptions(
            bundle=bundles[bundle], stride=stride, device=device, least_slope=slope
        )
        _start(inputs, options, name)


def _least_slope(place: Sequence[st.delta_generator.DeltaGenerator]) -> float:
    """The slope under which ground raises no alarm, degrees; asked for where a DEM tells it."""
    for column in place:
        return float(
            column.number_input(
                "Least slope, °",
                0.0,
                45.0,
                0.0,
                step=1.0,
                help="Tiles that are nowhere as steep raise no alarm: flat ground and water. "
                "Verdicts stay as they are. 0 leaves all ground in.",
            )
        )
    return 0.0


def _start(inputs: SceneInputs, options: RunOptions, name: str) -> None:
    """Start, and point the page at the run to come."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    try:
        jobs.start(inputs, options, state.runs_folder() / name)
    except LandslideError as error:
        theme.problem(error)
        return
    state.keep("new run", False)
    state.choose_run(name)
    st.rerun()
