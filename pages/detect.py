"""Detection page: run the detector, see its verdicts on a map and in a table, take them away."""

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from pages.parts import cached, state, theme, wording
from pages.parts.maps import map
from pages.parts.run import new_run, results, running


@st.fragment
def explore(run: Run) -> None:
    """Map beside the selected tile; a click reruns only this part."""
    left, right = st.columns([4, 1])
    if (tile := state.chosen_tile()) is not None:
        state.show_tile_in_address(tile)  # a link keeps it, also when it was chosen elsewhere
    with left:
        said = map.draw(run, tile)
    if said.tile is not None:
        state.choose_tile(said.tile)
        state.show_tile_in_address(said.tile)
        if said.open:
            st.switch_page("decisions.py")
    with right:
        results.tile_card(run, state.chosen_tile())
    with theme.place():
        if said.area is not None:
            results.area_card(run, said.area)
    st.header("Tiles", anchor=False)
    if results.table(run):
        st.rerun(scope="fragment")


def top(names: list[str], run: Run | None) -> None:
    """Which run, and where to go from it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        results.choose(names, run.folder.name if run else None)
        if run is None:
            return
        if st.button("New run", icon=":material/add:"):
            state.keep("new run", True)
            st.rerun()
        if st.button("Review this run", icon=":material/rate_review:"):
            st.switch_page("review.py")
        if st.button("Export and report", icon=":material/ios_share:"):
            st.switch_page("export.py")


def begin(run: Run | None) -> None:
    """The form for another run, in place of the one that is there."""
    new_run.panel()
    if run and st.button(f"Back to run {run.folder.name}", icon=":material/arrow_back:"):
        state.keep("new run", False)
        st.rerun()


def show() -> None:
    """Draw the page."""
    jobs = running.under_way()
    folder, names = state.chosen_run(), [path.name for path in state.runs()]
    run = None
    trouble = None
    try:
        run = cached.run(folder) if folder else None
    except LandslideError as error:
        trouble = error
    wanted = state.kept("new run", False)
    shown = None if wanted else run
    lead = "One verdict a tile of a scene"
    if shown:
        lead = f"Run {wording.escaped(shown.folder.name)}: one verdict a tile"
    theme.header(
        "Detection",
        f"{lead}, and how sure the ensemble is of it.",
        bool(shown and shown.meta["simulated"]),
    )
    if trouble:
        theme.problem(trouble)
    elif run is None and (asked := state.asked_run()):
        running.absent(asked, jobs)
    if wanted:
        running.watch(jobs)
        begin(run)
        return
    if run:
        state.choose_run(run.folder.name)
    top(names, run)
    with theme.place():
        running.watch(jobs)
    if run is None:
        if trouble is None and not jobs:
            new_run.panel()
        elif st.button("New run", icon=":material/add:"):
            state.keep("new run", True)
            st.rerun()
        return
    results.summary(run)
    explore(run)
    results.provenance(run)


show()
