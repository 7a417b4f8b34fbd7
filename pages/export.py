"""Export page: a run's results and report, as files to take away."""

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from pages.parts import cached, handover, results, running, state, theme, wording


def reviewed(run: Run) -> None:
    """What the files say of the review."""
    said = cached.review_state(run)
    labelled, alarms = int(said["label"].notna().sum()), int(run.tiles["alarm"].sum())
    if not labelled:
        st.caption(
            f"{alarms:,} of {len(run.tiles):,} tiles raise an alarm. Nobody has reviewed this run "
            "yet: the files hold the machine's verdicts alone."
        )
        return
    st.caption(
        f"{alarms:,} of {len(run.tiles):,} tiles raise an alarm. {labelled:,} tiles are reviewed: "
        "reports, tables and the zip tell who said what, and leave out alarms called stable. "
        "Rasters, STAC item and run record stay as the machine made them."
    )


@st.fragment
def files(run: Run) -> None:
    """Everything there is, group by group; making one reruns only this part."""
    alone = st.toggle("Alarms only, in tables", help="Leave out tiles without an alarm.")
    for title, kinds in handover.on_offer(run).items():
        st.subheader(title, anchor=False)
        for start in range(0, len(kinds), 3):
            for column, kind in zip(st.columns(3), kinds[start : start + 3], strict=False):
                with column, st.container(border=True):
                    told = handover.KINDS[kind]
                    st.markdown(f"**{told.title}**")
                    st.caption(told.what)
                    try:
                        handover.button(run, kind, alone and told.alarms)
                    except LandslideError as error:
                        theme.problem(error)


def no_run() -> None:
    """What to do where there is nothing to take away."""
    theme.header("Export", "Results and reports as files.")
    jobs, asked = running.under_way(), state.asked_run()
    if asked:
        running.absent(asked, jobs)
    else:
        st.info("There is no run yet. Run detection first, then come back for its files.")
    running.watch(jobs)
    if st.button("Go to detection", icon=":material/map:"):
        st.switch_page("detect.py")


def show() -> None:
    """Draw the page."""
    folder, names = state.chosen_run(), [path.name for path in state.runs()]
    if folder is None:
        no_run()
        return
    try:
        run = cached.run(folder)
        lead = f"Results and reports of run {wording.escaped(folder.name)} as files."
        theme.header("Export", lead, run.meta["simulated"])
        state.choose_run(folder.name)
        results.choose(names, folder.name)
        reviewed(run)
        files(run)
    except LandslideError as error:
        theme.problem(error)


show()
