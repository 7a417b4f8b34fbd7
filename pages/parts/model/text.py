"""The card's own text, with its figures in their places."""

import re
from pathlib import Path
from typing import Final

import streamlit as st

from landslide_core.manifest import CARD_TEXT
from pages.parts import wording

_HEADING: Final = re.compile(r"^# .*\n")
_FIGURE: Final = re.compile(r"^!\[([^\]]*)\]\(([\w-]+\.svg)\)$", re.MULTILINE)
_SECTION: Final = re.compile(r"^## +(What it was fitted on|Limits|Licence.*)\n", re.MULTILINE)


def whole(bundle: Path) -> None:
    """All of the text; a note where the bundle has none."""
    text = _read(bundle)
    if text is None:
        st.info(
            f"The model {wording.literal(bundle.name)} has no card ({CARD_TEXT}). "
            "`landslide train` writes one."
        )
        return
    # Markdown in Streamlit shows no pictures by relative address: text and figures take turns.
    first, *others = _FIGURE.split(_HEADING.sub("", text, count=1))
    st.markdown(first)
    for words, name, after in zip(others[::3], others[1::3], others[2::3], strict=True):
        if (bundle / name).is_file():
            st.image(str(bundle / name), caption=words)
        else:
            st.caption(f"The figure {name} is missing: {words}.")
        st.markdown(after)


def limits(bundle: Path) -> None:
    """The sections on data, limits and licence, as the card has them."""
    parts = re.split(r"^(?=## )", _read(bundle) or "", flags=re.MULTILINE)
    for part in parts:
        if _SECTION.match(part):
            st.markdown(part)


def _read(bundle: Path) -> str | None:
    file = bundle / CARD_TEXT
    return file.read_text() if file.is_file() else None
