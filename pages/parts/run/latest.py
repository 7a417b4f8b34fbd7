"""The latest runs, each with its figures and the way to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import streamlit as st

from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from pages.parts import cached, state, theme, wording

MOST: Final = 6  # listed here; all are on the Detection page
_WIDTHS: Final = (5, 3, 2, 2, 2)
_HEADS: Final = ("Run", "Made", "Tiles", "Alarms", "Reviewed")


@dataclass(frozen=True)
class Figures:
    """What a run's row says."""

    made: str
    tiles: int
    alarms: int
    reviewed: int  # tiles that somebody labelled
    simulated: bool

    @staticmethod
    def of(run: Run) -> "Figures":
        """Figures of a run and its review. Raises RunDamaged."""
        alarm = "alarm" in run.tiles
        raised = run.tiles["alarm"] if alarm else run.tiles["verdict"] == "landslide"
        return Figures(
            made(run.meta),
            len(run.tiles),
            int(raised.sum()),
            int(cached.review_state(run)["label"].notna().sum()),
            bool(run.meta["simulated"]),
        )


def made(meta: Mapping[str, Any]) -> str:
    """When a run was begun, "2026-11-23 01:50 UTC"; as it is written where that is no time."""
    written = str(meta["created"])
    try:
        return f"{datetime.fromisoformat(written).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return written


def runs() -> None:
    """A row a run, newest first, or what to do where there is none."""
    found = state.runs()
    st.header("Latest runs", anchor=False)
    if not found:
        st.info(
            "There is no run yet. Bring in a scene and run detection on it, or take the tour: it "
            "runs the sample for you."
        )
        return
    with st.container(border=True):
        for column, words in zip(st.columns(_WIDTHS), _HEADS, strict=True):
            column.caption(words)
        for folder in found[:MOST]:
            _row(folder)
    if len(found) > MOST:
        st.caption(f"And {len(found) - MOST:,} older ones, listed on the Detection page.")


def _row(folder: Path) -> None:
    columns = st.columns(_WIDTHS, vertical_alignment="center")
    name = wording.escaped(folder.name)
    try:
        told = Figures.of(cached.run(folder))
    except LandslideError as error:
        columns[0].markdown(f"**{name}**")
        with st.container():
            theme.problem(error)
        return
    with columns[0]:
        mark = " :orange-badge[simulated]" if told.simulated else ""
        if st.button(
            f"{name}{mark}",
            key=f"open {folder.name}",
            icon=":material/map:",
            help="Show it on the map",
            type="tertiary",
        ):
            state.choose_run(folder.name)
            st.switch_page("detect.py")
    columns[1].markdown(told.made)
    columns[2].markdown(f"{told.tiles:,}")
    columns[3].markdown(f"{told.alarms:,}")
    columns[4].markdown(wording.percent(told.reviewed / told.tiles) if told.reviewed else "–")
