"""Starting a run and watching it."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Final

import streamlit as st

from landslide_core.bands import TILE
from landslide_core.errors import LandslideError, NoJob, RunError
from landslide_core.job_log import in_words
from landslide_core.jobs import Job
from landslide_core.plan import RunOptions
from landslide_core.readers.given import SceneInputs
from pages.parts import state, theme, wording
from pages.parts.run import jobs

DEVICES: Final = {"auto": "Automatic", "cpu": "Processor", "cuda": "Graphics card"}
STRIDES: Final = {TILE: "Side by side (64 px)", TILE // 2: "Overlapping by half (32 px)"}
STAGES: Final = {"detect": "Judging tiles", "write": "Writing the results"}


def under_way() -> list[Job]:
    """Runs being made or failed. Ask before the list of runs: what ends in between is there."""
    try:
        return jobs.listed(state.runs_folder())
    except RunError as error:
        theme.problem(error)
        return []


def watch(found: list[Job]) -> None:
    """Progress of what is being made, and why something was not."""
    for job in found:
        if job.over:
            _ended(job)
        else:
            _progress(job)


@st.fragment(run_every=1)
def _progress(job: Job) -> None:
    """One bar, redrawn by itself; the whole page follows when the run is there."""
    now = next((other for other in under_way() if other.id == job.id), None)
    if now is None or now.over:
        st.rerun()
    bar, button = st.columns([8, 1], vertical_alignment="center")
    share = min(now.done / now.total, 1.0) if now.total and now.stage in STAGES else 0.0
    bar.progress(share, f"Run {wording.escaped(now.out.name)} — {doing(now)}")
    if button.button("Cancel", key=f"cancel-{now.id}", disabled=now.cancelling, width="stretch"):
        _act(jobs.cancel, now)


def doing(job: Job) -> str:
    """What is happening to a job that isn't over, and how long it will take."""
    if job.state == "queued":
        return "Waiting for its turn …"
    if job.cancelling:
        return "Stopping …"
    if job.stage not in STAGES:
        return "Reading the files …"
    text = f"{STAGES[job.stage]}: {job.done:,} of {job.total:,}"
    if job.left is not None:
        text += f", {job.rate:,.1f} a second, {in_words(job.left)} left"
    return text


def _ended(job: Job) -> None:
    """How it ended without a run, and ways to go on or to be rid of it."""
    name = wording.escaped(job.out.name)
    if job.state == "failed":
        theme.problem(f"Run {job.out.name} was not made. {job.error}")
    else:
        st.info(f"Run {name} was cancelled. What was done of it is kept.")
    with st.container(horizontal=True):
        if st.button("Retry", key=f"retry-{job.id}", icon=":material/replay:"):
            _act(jobs.retry, job)
        if st.button("Forget", key=f"forget-{job.id}", icon=":material/delete:"):
            state.forget_run(job.out.name)
            _act(jobs.forget, job)
    if told := jobs.log(job):
        with st.expander(f"Log of run {name}"):
            st.code(told, language=None)


def _act(what: Callable[[Job], None], job: Job) -> None:
    """Do what was clicked, unless another tab was faster, and draw the page anew."""
    try:
        what(job)
    except NoJob:
        st.rerun()
    except RunError as error:
        theme.problem(error)
        return
    st.rerun()


def absent(name: str, found: list[Job]) -> None:
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
    state.keep("new run", False)
    state.choose_run(name)
    st.rerun()
