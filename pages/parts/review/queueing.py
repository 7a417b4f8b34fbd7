"""Who reviews, which tiles are listed, and the one that is shown."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts import cached, state, theme, wording
from pages.parts.review import history, ordering
from pages.parts.review.actions import Place


@dataclass(frozen=True)
class Queue:
    """The tiles to look at, and the one that is shown."""

    tile: int
    order: list[int]  # all that are asked
    listed: list[int]  # those of the filter
    said: pd.DataFrame  # the review's state
    labels: ordering.Labels

    def place(self, drawing: bool) -> Place:
        """Where the shown tile is."""
        return Place(
            self.tile,
            ordering.preceding(self.order, self.listed, self.tile),
            ordering.following(self.order, self.listed, self.tile),
            ordering.next_waiting(self.order, self.listed, self.said, self.tile),
            drawing,
        )


def ask_name() -> None:
    """Ask for the reviewer's name where it is not known."""
    if state.reviewer():
        return
    with st.form("review-name", border=True):
        left, right = st.columns([4, 1], vertical_alignment="bottom")
        typed = left.text_input(
            "Your name",
            max_chars=100,
            placeholder="Kept with everything you say of a tile",
            key="review-name-field",
        )
        pressed = right.form_submit_button("Start reviewing", type="primary", width="stretch")
    if pressed and typed.strip():
        state.keep_reviewer(typed)
        st.rerun()
    if pressed:
        theme.problem("The name is empty; one is needed, so that others know whom to ask. Give it.")


def tell_name() -> None:
    """Who reviews, and the way to give another name."""
    if who := state.reviewer():
        st.button(
            wording.escaped(who),
            key="review-who",
            icon=":material/person:",
            help="You review by this name. Press to give another one.",
            on_click=state.keep_reviewer,
            args=("",),
            type="tertiary",
        )


def choose(
    row: list[DeltaGenerator], order: list[int], said: pd.DataFrame, labels: ordering.Labels
) -> Queue | None:
    """The filter and the tile shown, in three columns; None where the filter has no tile."""
    filters, jump, done = row
    chosen = filters.selectbox(
        "Show",
        list(ordering.FILTERS),
        format_func=lambda key: ordering.FILTERS[key],
        key="review-filter",
    )
    listed = ordering.filtered(order, said, labels, chosen, state.reviewer())
    with done:
        history.progress(said, listed, chosen)
    if not listed:
        return None
    wanted = state.chosen_tile()
    anew = state.is_new("review-filter", chosen) and chosen != "all"
    if wanted not in order or (anew and wanted not in listed):
        wanted = _first(listed, said)
    if wanted is None:
        return None
    typed = jump.number_input("Tile", 0, len(said) - 1, wanted, step=1)
    if typed != wanted and typed in order:
        wanted = int(typed)
    elif typed != wanted:
        jump.caption(f"Tile {typed} has no data.")
    state.choose_tile(wanted)
    state.show_tile_in_address(wanted)
    return Queue(wanted, order, listed, said, labels)


def _first(listed: list[int], said: pd.DataFrame) -> int | None:
    """The first listed tile without a label, else the first."""
    waiting = [tile for tile in listed if pd.isna(said["label"][tile])]
    return next(iter(waiting or listed), None)


@st.fragment(run_every=4)
def watch(folder: Path, drawn: str) -> None:
    """Draw the page anew when somebody else has said something."""
    if cached.review_stamp(folder) != drawn:
        st.rerun()
