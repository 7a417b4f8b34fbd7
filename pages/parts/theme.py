"""Colours, words and the small HTML that all pages share."""

from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from landslide_core import render
from landslide_core.outputs import VERDICT_WORDS as VERDICT_WORDS  # pages take it from here
from landslide_core.readers.given import ROLE_WORDS
from pages.parts import scripts, wording

HISTORY: Final = scripts.BROWSER / "history.js"
LABEL_WORDS: Final[dict[str, str]] = {
    "landslide": "Landslide",
    "stable": "Stable",
    "unsure": "Unsure",
}
VERDICT_HELP: Final[dict[str, str]] = {
    "landslide": "The probability reaches the upper limit, which few stable tiles do.",
    "uncertain": "The probability lies between the two limits: look yourself.",
    "stable": "The probability is under the lower limit, as that of few landslide tiles is.",
    "filtered_out": "The negative filter dropped the tile before the ensemble saw it.",
    "no_data": "Too few valid pixels to judge.",
}
ORANGE_BAR: Final = "#d9730d"
BLUE_BAR: Final = "#3f8fd2"
GREY_BAR: Final = "#8a949c"


def is_dark() -> bool:
    """Whether the browser shows the dark theme."""
    return st.context.theme.type == "dark"


def ink() -> str:
    """The colour of marks that must stand out from bars and ground."""
    return "#e6edf2" if is_dark() else "#17242e"


def header(title: str, lead: str, simulated: bool = False) -> None:
    """Page title with one line under it, and the mark that simulated data always carries."""
    st.html(
        "<style>.stMainBlockContainer{padding-top:4rem;padding-bottom:3rem}"
        ".st-key-history{display:none}"
        ".stMainBlockContainer h1{padding:.25rem 0 0}"
        ".stMainBlockContainer h2{padding:.75rem 0 1rem}"
        # Streamlit's captions are 4.2 to 1 on white, and its links at the top show no focus.
        '.stMainBlockContainer [data-testid="stCaptionContainer"]{opacity:.75}'
        f"header a:focus-visible{{outline:2px solid {ink()};outline-offset:2px}}"
        # Streamlit's white letters are 2.8 to 1 on a colour that is light enough for a dark page.
        + ('[data-testid^="stBaseButton-primary"]{color:#0f161d}' if is_dark() else "")
        + "</style>"
    )
    with st.container(key="history"):
        st.html(f"<script>{HISTORY.read_text()}</script>", unsafe_allow_javascript=True)
    mark = " :orange-badge[:material/science: Simulated data]" if simulated else ""
    st.title(f"{title}{mark}", anchor=False)
    st.caption(lead)


def place() -> DeltaGenerator:
    """A place for what comes and goes, so that what follows keeps its own.

    Streamlit tells columns by their place: were they moved, all that the browser drew in them
    would be drawn anew, for a moment twice.
    """
    return st.container()


def simulated_note() -> None:
    """The line that goes with a simulated scene wherever it is shown."""
    st.info(
        "This scene is **simulated**: terrain, images and landslides were computed, not observed.",
        icon=":material/science:",
    )


def problem(error: object) -> None:
    """An error with its remedy; file names in it are shown as they are."""
    st.error(wording.escaped(str(error)))


def warning(text: str) -> None:
    """A warning of the reader, as it is."""
    st.warning(wording.escaped(text), icon=":material/warning:")


def role(name: str) -> str:
    """A role in words; the reader's own word where it is none of ours."""
    return ROLE_WORDS.get(name, name)


def verdict_line(words: str, colour: str, sentence: str) -> None:
    """The verdict, marked with its colour, and the sentence that gives the reason."""
    st.html(
        f'<div style="border-left:.45rem solid {colour};padding:.35rem 0 .35rem .9rem">'
        f'<div style="font-size:1.35rem;font-weight:600">{words}</div>'
        f'<div style="opacity:.9">{sentence}</div></div>'
    )


def palette_legend(label: str, palette: str, ticks: list[str]) -> None:
    """A colour bar with evenly spaced tick labels."""
    colours = ", ".join(render.PALETTES[palette])
    marks = "".join(f"<span>{tick}</span>" for tick in ticks)
    st.html(
        f'<div style="font-size:.85rem;max-width:22rem"><div>{label}</div>'
        f'<div style="height:.7rem;border-radius:.2rem;margin:.25rem 0;'
        f'background:linear-gradient(to right,{colours})"></div>'
        f'<div style="display:flex;justify-content:space-between;opacity:.8">{marks}</div></div>'
    )


def swatches(entries: list[tuple[str, str]]) -> None:
    """A row of (label, colour) swatches."""
    spans = "".join(
        '<span style="display:inline-flex;align-items:center;gap:.4rem;margin-right:1.1rem">'
        f'<span style="width:.9rem;height:.9rem;border-radius:.2rem;background:{colour};'
        f'border:1px solid rgba(128,128,128,.6)"></span>{label}</span>'
        for label, colour in entries
    )
    st.html(f'<div style="font-size:.85rem;line-height:1.7">{spans}</div>')


def megabytes(size: int) -> str:
    """A file size in words."""
    return f"{size / 1e6:,.1f} MB" if size >= 100_000 else f"{size / 1e3:,.0f} kB"
