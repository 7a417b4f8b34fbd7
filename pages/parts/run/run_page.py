"""A page about one run: the one that is asked for, or what to do where there is none."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from pages.parts import cached, state, theme, wording
from pages.parts.run import running


@dataclass(frozen=True)
class Words:
    """What a page says of itself."""

    title: str
    lead: str  # where there is no run
    about: str  # where there is one, which {run} stands for
    purpose: str  # what to come back for


def show(words: Words, draw: Callable[[Run, list[str]], None]) -> None:
    """Draw a page; `draw` gets the run and the names of all runs, and its errors are told."""
    folder, names = state.chosen_run(), [path.name for path in state.runs()]
    if folder is None:
        _no_run(words)
        return
    try:
        run = cached.run(folder)
        lead = words.about.format(run=wording.escaped(folder.name))
        theme.header(words.title, lead, run.meta["simulated"])
        state.choose_run(folder.name)
        draw(run, names)
    except LandslideError as error:
        theme.problem(error)


def _no_run(words: Words) -> None:
    theme.header(words.title, words.lead)
    jobs, asked = running.under_way(), state.asked_run()
    if asked:
        running.absent(asked, jobs)
    else:
        st.info(f"There is no run yet. Run detection first, then come back to {words.purpose}.")
    running.watch(jobs)
    if st.button("Go to detection", icon=":material/map:"):
        st.switch_page("detect.py")
