"""The way through the tour: title, dots, Back and Next, and letters large enough to project."""

from collections.abc import Sequence
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.parts import state, theme

KEY: Final = "step"
_PLAIN: Final = "tour without outlines"
_LOOK: Final = """<style>
.st-key-tour-way [data-testid="stButtonGroup"] button {padding:0;width:1.7rem}
.st-key-tour-stage p, .st-key-tour-stage li {font-size:1.2rem;line-height:1.5}
.st-key-tour-stage [data-testid="stCaptionContainer"] p {font-size:1rem}
.st-key-tour-stage .stButton p, .st-key-tour-stage label p {font-size:1rem}
.st-key-tour-stage [data-testid="stMetricLabel"] p {font-size:1rem}
.st-key-tour-stage [data-testid="stMetricValue"] {font-size:2rem;font-weight:600}
.st-key-tour-stage [data-testid="stImage"] img {max-height:70vh;
  object-fit:contain;object-position:left top}
@media (max-width: 1100px) {
  .st-key-tour-stage p, .st-key-tour-stage li {font-size:1.05rem;line-height:1.45}
}
</style>"""


def bar(titles: Sequence[str]) -> int:
    """Draw the step's title and the way on; returns the step, from 1."""
    left, right = st.columns([5, 4], vertical_alignment="center")
    with (
        right,
        st.container(
            key="tour-way",
            horizontal=True,
            horizontal_alignment="right",
            vertical_alignment="center",
            gap="small",
        ),
    ):
        back = st.container(width="content")
        chosen = st.segmented_control(
            "Step",
            [str(number) for number in range(1, len(titles) + 1)],
            default=None if state.typed(KEY) else "1",
            required=True,
            key=KEY,
            bind="query-params",
            label_visibility="collapsed",
        )
        step = int(chosen or 1)  # an empty `?step=` gives none
        _way(back, "Back", step - 1, "Left", step == 1)
        _way(st.container(width="content"), "Next", step + 1, "Right", step == len(titles))
    with left:
        theme.header(titles[step - 1], f"Guided tour, step {step} of {len(titles)}", True)
    return step


def stage() -> DeltaGenerator:
    """Where a step is drawn."""
    st.html(_LOOK)
    return st.container(key="tour-stage")


def outlined() -> bool:
    """Whether to draw outlines, and the button for it: a toggle with focus keeps arrow keys."""
    plain = state.is_on(_PLAIN)
    st.button(
        "Show the outlines" if plain else "Hide the outlines",
        key="tour outlines",
        icon=":material/visibility:" if plain else ":material/visibility_off:",
        shortcut="O",
        on_click=state.set_widgets,
        args=({_PLAIN: not plain},),
    )
    return not plain


def _way(place: DeltaGenerator, words: str, step: int, key: str, at_the_end: bool) -> None:
    place.button(
        words,
        key=f"tour {words}",
        shortcut=key,
        disabled=at_the_end,
        type="primary" if words == "Next" else "secondary",
        on_click=state.set_widgets,
        args=({KEY: str(step)},),
    )
