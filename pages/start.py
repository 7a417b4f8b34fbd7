"""Start page: what this is, three ways to begin, and the latest runs."""

from typing import Final

import streamlit as st

from pages.parts import state, theme
from pages.parts.run import latest, running

WAYS: Final = (
    (
        "Your scenes",
        "You have Sentinel-1 or Sentinel-2 files: bring them in and check what was understood.",
        ("Bring in files", "scene.py", ":material/satellite_alt:"),
    ),
    (
        "By place and date",
        "You know where and when: search a catalogue and load the images around the event.",
        ("Find scenes", "find.py", ":material/travel_explore:"),
    ),
    (
        "See how it works",
        "You are new here: seven short steps over a simulated sample, with pictures.",
        ("Take the tour", "tour.py", ":material/tour:"),
    ),
)


def ways() -> None:
    """Three ways to begin."""
    for column, (title, words, (label, page, icon)) in zip(
        st.columns(len(WAYS)), WAYS, strict=True
    ):
        with column.container(border=True, height="stretch"):
            st.header(title, anchor=False)
            st.markdown(words)
            if st.button(label, icon=icon, width="stretch", type="primary"):
                st.switch_page(page)


def follow(run: str) -> None:
    """Old links show a run at this address: go to where it is shown now."""
    tile = state.chosen_tile()
    st.switch_page(
        "detect.py",
        query_params={"run": run} | ({} if tile is None else {"tile": str(tile)}),
    )


def show() -> None:
    """Draw the page."""
    if asked := state.asked_run():
        follow(asked)
    theme.header(
        "Landslide detection",
        "Finds where slopes failed after an earthquake or a storm, in Sentinel-1 and Sentinel-2 "
        "images.  \nEach 640 m tile gets a verdict with its reasons; people have the last word.",
    )
    ways()
    running.watch(running.under_way())
    latest.runs()


show()
