"""A tile's verdict, what people made of it, and everything said of it so far."""

from datetime import datetime
from typing import Any, Final

import pandas as pd
import streamlit as st

from landslide_core.folder import Run
from landslide_core.outputs import VERDICT_COLOURS
from landslide_core.review.fold import live
from landslide_core.review.journal import Event
from pages.parts import cached, theme, wording
from pages.parts.review import ordering

_DID: Final = {
    "accept": "accepted the verdict:",
    "reject": "rejected the verdict:",
    "relabel": "labelled it",
    "outline": "drew the outline",
    "comment": "commented",
    "undo": "took back what was said",
}


def judged(run: Run, tile: int, said: "pd.Series[Any]", labels: dict[str, str]) -> None:
    """The machine's verdict and the people's, and whether those differ."""
    row = run.tiles[run.tiles["tile_id"] == tile].iloc[0]
    verdict = str(row["verdict"])
    sentence = (
        f"Probability {wording.number(row['probability'])}, "
        f"spread {wording.number(row['spread'])}, tile {tile}"
    )
    theme.verdict_line(
        f"Machine: {theme.VERDICT_WORDS[verdict]}", VERDICT_COLOURS[verdict], sentence
    )
    if said["label"] is None:
        st.caption("Nobody has labelled this tile yet.")
    else:
        st.markdown(
            f":material/person: **{theme.LABEL_WORDS[said['label']]}**, says "
            f"{wording.escaped(said['reviewer'])}, {when(said['when'])}"
        )
    if len(set(labels.values())) > 1:
        words = ", ".join(f"{who} {label}" for who, label in labels.items())
        theme.warning(f"Reviewers disagree: {words}. The last one counts; all are kept.")


def history(run: Run, tile: int) -> None:
    """Everything said of a tile, newest first; what was taken back is struck through."""
    events = cached.review_events(run)
    about = [event for event in events if event.tile == tile]
    with st.expander(f"History of the tile ({len(about)})", icon=":material/history:"):
        if not about:
            st.caption("Nothing was said of this tile yet.")
            return
        standing = {event.id for event in live(events)}
        for event in reversed(about):
            words = sentence(event)
            revoked = event.action != "undo" and event.id not in standing
            st.markdown(f"~~{words}~~ taken back" if revoked else words)


def sentence(event: Event) -> str:
    """One event in words."""
    did = _DID[event.action]
    if event.action == "outline" and event.value is None:
        did = "removed the outline"
    if event.action in ("accept", "reject", "relabel"):
        did += f" {theme.LABEL_WORDS[event.value].lower()}"
    said = f": {wording.escaped(event.comment)}" if event.comment else ""
    return f"{when(event.time)}, {wording.escaped(event.reviewer)} {did}{said}"


def when(time: str) -> str:
    """A moment in UTC, to the minute."""
    return f"{datetime.fromisoformat(time):%Y-%m-%d %H:%M} UTC"


def progress(state: pd.DataFrame, listed: list[int], name: str) -> None:
    """How many of the listed tiles have a label."""
    asked = state.loc[listed, "label"] if name != "waiting" else state["label"][_asked(state)]
    done, total = int(asked.notna().sum()), len(asked)
    words = f"**{done:,} of {total:,}** looked at"
    if name != "all":
        words += f" · {ordering.FILTERS[name].lower()}: {len(listed):,}"
    st.progress(done / total if total else 0.0, words)


def _asked(state: pd.DataFrame) -> "pd.Series[bool]":
    return state["verdict"] != "no_data"
