"""What to look for: the day of an event, how far around it, and in which catalogue."""

import re
from typing import Final

import streamlit as st

from landslide_core.catalogue.area import Area
from landslide_core.catalogue.search import CATALOGUES, Catalogue, Wish, catalogue_of
from landslide_core.errors import LandslideError
from pages.parts import page_words, theme
from pages.parts.scene.reading import FIRST

OTHER: Final = "other"
NAMES: Final = {
    "planetary-computer": "Planetary Computer",
    "earth-search": "Earth Search",
    OTHER: "Another STAC API",
}
# Options of the command in the engine's messages, as this page calls them.
LABELS: Final = {
    "--days-before": "“Days before”",
    "--days-after": "“Days after”",
    "--max-cloud": "“Most cloud”",
    "--catalogue": "“Catalogue”",
}


def in_page_words(said: object) -> str:
    """A message of the engine, options of the command replaced by the page's labels."""
    return page_words.in_page_words(said, LABELS)


def wish(area: Area | None) -> Wish | None:
    """Area, day and limits; None until area and day are known."""
    event = st.date_input(
        "Day of the event",
        value=None,
        min_value=FIRST,
        max_value="today",
        format="YYYY-MM-DD",
        key="find-event",
        persist_state="session",
    )
    columns = st.columns(3, vertical_alignment="bottom")
    before, after, cloud = (
        column.number_input(label, 0, most, usual, key=f"find-{label}", persist_state="session")
        for column, label, most, usual in zip(
            columns,
            ("Days before", "Days after", "Most cloud (%)"),
            (366, 366, 100),
            (30, 30, 60),
            strict=True,
        )
    )
    if area is None or event is None:
        return None
    return Wish(area, event, int(before), int(after), float(cloud))


def catalogue() -> Catalogue | None:
    """A preset, or a STAC API by its address; None until that is given."""
    name = st.selectbox(
        "Catalogue",
        list(NAMES),
        format_func=NAMES.__getitem__,
        key="find-catalogue",
        persist_state="session",
    )
    if name in CATALOGUES:
        return catalogue_of(name)
    address = st.text_input(
        "Address of the STAC API",
        placeholder="https://…",
        key="find-address",
        persist_state="session",
    )
    columns = st.columns(2)
    optical, radar = (
        column.text_input(label, placeholder=usual, key=f"find-{usual}", persist_state="session")
        for column, label, usual in zip(
            columns,
            ("Sentinel-2 collection", "Sentinel-1 collection"),
            ("sentinel-2-l2a", "sentinel-1-rtc"),
            strict=True,
        )
    )
    if not address.strip():
        return None
    try:
        return catalogue_of(address.strip(), _words(optical), _words(radar))
    except LandslideError as error:
        theme.problem(in_page_words(error))
        return None


def _words(text: str) -> list[str]:
    return re.findall(r"[^\s,;]+", text)
