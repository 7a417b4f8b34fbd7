"""Export page: a run's results and report, as files to take away."""

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from pages.parts import cached, theme
from pages.parts.run import handover, results, run_page


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
        f"{alarms:,} of {len(run.tiles):,} tiles raise an alarm. {labelled:,} "
        f"{'tile is' if labelled == 1 else 'tiles are'} reviewed: "
        "reports, tables and the zip tell who said what, and leave out alarms called stable. "
        "Rasters, STAC item and run record stay as the machine made them."
    )


@st.fragment
def files(run: Run) -> None:
    """Everything there is, group by group; making one reruns only this part."""
    alone = st.toggle("Alarms only, in tables", help="Leave out tiles without an alarm.")
    for title, kinds in handover.on_offer(run).items():
        st.header(title, anchor=False)
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


def draw(run: Run, names: list[str]) -> None:
    """The run that is asked for, and its files."""
    results.choose(names, run.folder.name)
    reviewed(run)
    files(run)


WORDS = run_page.Words(
    title="Export",
    lead="Results and reports as files.",
    about="Results and reports of run {run} as files.",
    purpose="take its files away",
)
run_page.show(WORDS, draw)
