"""Starting a run and watching it."""

import re
from datetime import datetime
from typing import Final

import streamlit as st

from landslide_core.bands import TILE
from landslide_core.errors import LandslideError
from landslide_core.readers.inputs import SceneInputs
from landslide_core.runs import RunOptions
from pages.parts import jobs, state, theme, wording

DEVICES: Final = {"auto": "Automatic", "cpu": "Processor", "cuda": "Graphics card"}
STRIDES: Final = {TILE: "Side by side (64 px)", TILE // 2: "Overlapping by half (32 px)"}
STAGES: Final = {"detect": "Judging tiles", "write": "Writing the results"}


def under_way() -> list[jobs.Job]:
    """Runs being made or failed. Ask before the list of runs: what ends in between is there."""
    return jobs.listed(state.runs_folder())


def watch(found: list[jobs.Job]) -> None:
    """Progress of what is being made, and why something failed."""
    for job in found:
        if job.error is None:
            _progress(job)
            continue
        _failure(job, job.error)


@st.fragment(run_every=1)
def _progress(job: jobs.Job) -> None:
    """One bar, redrawn by itself; the whole page follows when the run is there."""
    if job.error is not None or job not in under_way():
        st.rerun()
    stage, done, total = job.now
    share = min(done / total, 1.0) if total else 0.0
    doing = f"{STAGES[stage]}: {done:,} of {total:,}" if stage in STAGES else "Reading the files …"
    st.progress(share, f"Run {wording.escaped(job.out.name)} — {doing}")


def _failure(job: jobs.Job, error: Exception) -> None:
    """The error, and a way to be rid of it."""
    if isinstance(error, LandslideError):
        theme.problem(f"Run {job.out.name} was not made. {error}")
    else:
        st.exception(error)
    if st.button("Dismiss", key=f"dismiss-{job.out.name}"):
        jobs.forget(job)
        state.forget_run(job.out.name)
        st.rerun()


def absent(name: str, found: list[jobs.Job]) -> None:
    """Say that a run is not there; of one that is being made, `watch` tells."""
    if name not in {job.out.name for job in found}:
        st.error(f"There is no run {wording.literal(name)}.")


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
        _start(inputs, RunOptions(bundle=bundles[bundle], stride=stride, device=device), name)


def _start(inputs: SceneInputs, options: RunOptions, name: str) -> None:
    """Start, and point the page at the run to come."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "run"
    try:
        jobs.start(inputs, options, state.runs_folder() / name)
    except LandslideError as error:
        theme.problem(error)
        return
    state.choose_run(name)
    st.rerun()
