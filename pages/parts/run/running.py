"""Watching runs being made."""

from collections.abc import Callable
from typing import Final

import streamlit as st

from landslide_core.bands import TILE
from landslide_core.errors import NoJob, RunDamaged, RunError
from landslide_core.folder import kept_tiles
from landslide_core.job_log import in_words
from landslide_core.jobs import Job
from pages.parts import state, theme, wording
from pages.parts.page_words import in_page_words
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
    found = under_way()
    now = next((other for other in found if other.id == job.id), None)
    if now is None or now.over:
        st.rerun()
    bar, button = st.columns([8, 1], vertical_alignment="center")
    share = min(now.done / now.total, 1.0) if now.total and now.stage in STAGES else 0.0
    before = sum(other.id < now.id and not other.over for other in found)
    bar.progress(share, f"Run {wording.escaped(now.out.name)} — {doing(now, before)}")
    if button.button("Cancel", key=f"cancel-{now.id}", disabled=now.cancelling, width="stretch"):
        _act(jobs.cancel, now)


def doing(job: Job, before: int) -> str:
    """What is happening to a job that isn't over, and how long it will take.

    `before` is how many others are to be made first.
    """
    if job.state == "queued" and before:
        return f"Waiting for {before} {'run' if before == 1 else 'runs'} before it …"
    if job.state == "queued":
        return "Starting …"
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
        theme.problem(f"Run {job.out.name} was not made. {in_page_words(job.error)}")
    else:
        st.info(f"Run {name} was cancelled. {_kept(job)}")
    with st.container(horizontal=True):
        if st.button("Retry", key=f"retry-{job.id}", icon=":material/replay:"):
            _act(jobs.retry, job)
        if st.button(
            "Delete",
            key=f"forget-{job.id}",
            icon=":material/delete:",
            help="The job, and what was done of its run.",
        ):
            state.forget_run(job.out.name)
            _act(jobs.forget, job)
    if told := jobs.log(job):
        with st.expander(f"Log of run {name}"):
            st.code(told, language=None)


def _kept(job: Job) -> str:
    """What there is to go on from."""
    try:
        done, tiles = kept_tiles(job.out)
    except RunDamaged:  # it had not begun
        done, tiles = 0, 0
    if not done:
        return "Nothing was judged yet."
    return f"{done:,} of its {tiles:,} tiles are judged and kept: “Retry” goes on from there."


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
