"""Find page: scenes by place and date from a STAC catalogue, and their window loaded."""

import streamlit as st

from landslide_core.catalogue.area import Area
from landslide_core.catalogue.search import Catalogue, Choice, Wish, search
from landslide_core.errors import LandslideError
from pages.parts import state, theme, wording
from pages.parts.find import areas, asking, finding, remembered
from pages.parts.maps import footprints

ZOOMS = ("Footprints", "Area")


def ask() -> tuple[str, Area | None]:
    """The form; searches when its button is pressed."""
    way = areas.way()
    area = areas.chosen(way)
    wish, catalogue = asking.wish(area), asking.catalogue()
    ready = wish is not None and catalogue is not None
    pressed = st.button(
        "Search", type="primary", icon=":material/search:", disabled=not ready, width="stretch"
    )
    if wish and catalogue:
        if pressed:
            look_for(wish, catalogue)
        earlier(wish, catalogue)
    else:
        st.caption("An area, the day of the event and a catalogue are needed.")
    return way, area


def look_for(wish: Wish, catalogue: Catalogue) -> None:
    """Ask the catalogue, and keep what it holds."""
    try:
        with st.spinner("Asking the catalogue …"):
            remembered.keep_found(search(wish, catalogue))
    except LandslideError as error:
        theme.problem(asking.in_page_words(error))


def earlier(wish: Wish, catalogue: Catalogue) -> None:
    """Say so where the candidates shown are those of another search."""
    last = remembered.found()
    if last and (last[0].wish, last[0].catalogue) != (wish, catalogue):
        st.caption("The candidates below are those of an earlier search.")


def results() -> Choice | None:
    """What the last search found, and what was chosen of it."""
    last = remembered.found()
    if last is None:
        return None
    found, number = last
    wish = found.wish
    st.header("What was found", anchor=False)
    st.caption(
        f"Around {areas.place(wish.area.shape.centroid)}, from {wish.days_before} days before "
        f"{wish.event} to {wish.days_after} days after, in {wording.literal(found.catalogue.name)}."
    )
    choice = finding.candidates(found, number)
    finding.load(found, choice)
    return choice


def picture(way: str, area: Area | None, choice: Choice | None) -> None:
    """The map; what is drawn on it becomes the area."""
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    zoom = ZOOMS[1]
    if choice:
        zoom = left.segmented_control(
            "Zoom to", ZOOMS, default=ZOOMS[0], required=True, key="find-zoom"
        )
    online = right.toggle(
        "Online map", help="Fetches OpenStreetMap from the internet; off by default."
    )
    last = remembered.found()
    shown = area or (last[0].wish.area if last else None)
    drawn = footprints.draw(
        footprints.Look(shown, choice, way == areas.DRAW, zoom == ZOOMS[0], online)
    )
    footprints.legend(choice)
    if way == areas.DRAW and drawn is not None and state.is_new("drawn", drawn):
        remembered.keep_drawn(drawn)
        st.rerun()


def show() -> None:
    """Draw the page."""
    theme.header(
        "Find scenes",
        "Sentinel-2 after an event, and Sentinel-1 from before and after it, by place and date.",
    )
    left, right = st.columns([3, 2], gap="medium")
    below = st.container()
    with right:
        way, area = ask()
    with below:
        choice = results()
    with left:  # last: it shows what is chosen below it
        picture(way, area, choice)


show()
