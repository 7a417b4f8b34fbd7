"""Model card page: what a bundle was fitted on, how well it does, and its limits."""

import re
from pathlib import Path

import streamlit as st

from landslide_core.bundle import CARD_TEXT
from pages.parts import state, theme, wording

HEADING = re.compile(r"^# .*\n")
FIGURE = re.compile(r"^!\[([^\]]*)\]\(([\w-]+\.svg)\)$", re.MULTILINE)


def choose() -> Path | None:
    """The bundle whose card to show; a list where there are several."""
    found = state.bundles()
    if len(found) < 2:
        return next(iter(found), None)
    return st.selectbox("Model", found, format_func=lambda path: path.name, width=420)


def card(bundle: Path) -> None:
    """The card's text with its figures in their places."""
    file = bundle / CARD_TEXT
    if not file.is_file():
        st.info(
            f"The model {wording.literal(bundle.name)} has no card ({CARD_TEXT}). "
            "`landslide train` writes one."
        )
        return
    # Markdown in Streamlit shows no pictures by relative address: text and figures take turns.
    whole = HEADING.sub("", file.read_text(), count=1)  # the page has a title of its own
    text, *others = FIGURE.split(whole)
    st.markdown(text)
    for words, name, after in zip(others[::3], others[1::3], others[2::3], strict=True):
        if (bundle / name).is_file():
            st.image(str(bundle / name), caption=words)
        else:
            st.caption(f"The figure {name} is missing: {words}.")
        st.markdown(after)


def show() -> None:
    """Draw the page."""
    top = st.container()
    bundle = choose()
    with top:
        name = f": {wording.escaped(bundle.name)}" if bundle else ""
        theme.header(f"Model card{name}", "What it was fitted on, how well it does, its limits.")
    if bundle is None:
        st.info(
            f"There is no model bundle in {wording.literal(str(state.models_folder()))}. "
            "Make one with `landslide train`, or set LANDSLIDE_MODELS."
        )
        return
    with st.container(width=900):  # lines of a length that can be read
        card(bundle)


show()
