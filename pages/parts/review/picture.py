"""The tile to judge and the ground around it: one large picture, the others small beside it."""

from base64 import b64encode
from typing import Any, Final

import streamlit as st
from shapely.geometry.base import BaseGeometry

from landslide_core import render
from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from pages.parts import cached, scripts, state, theme, wording
from pages.parts.look import previews
from pages.parts.review.outline import AROUND, SIDE, Frame, drawn_from, rings_of

HEIGHT: Final = 500  # pixels of the large picture


def pictures(pixels: render.Floats) -> dict[str, render.RGBA]:
    """What can be shown of bands (12, h, w), by name; pictures without data are left out."""
    made = {
        "True colour": render.optical(pixels, ("red", "green", "blue")),
        "False colour": render.optical(pixels, ("nir", "red", "green")),
    }
    for orbit_pass, words in wording.PASS_WORDS.items():
        for time, when in (("pre", "before"), ("post", "after")):
            made[f"{words} {when}"] = render.radar(pixels, f"{orbit_pass}_{time}")
        for pol in ("vv", "vh"):
            made[f"{words} change {pol.upper()}"] = render.colourise(
                render.change(pixels, orbit_pass, pol), render.CHANGE_LIMITS, "orange-blue"
            )
    return {name: shown for name, shown in made.items() if _middle(shown)[..., 3].any()}


def draw(run: Run, tile: int, kept: BaseGeometry | None) -> tuple[bool, BaseGeometry | None]:
    """Draw the pictures with the outline kept.

    Returns whether there are any, and an outline drawn since, in pixels.
    """
    try:
        with st.spinner("Reading the tile …"):
            shown = pictures(cached.surroundings(run, tile))
    except LandslideError as error:
        theme.warning(f"{error} Until then tiles can be labelled, but not looked at.")
        return False, None
    if not shown:
        st.info("No band has data here.")
        return False, None
    drawn = _mount(run, tile, shown, kept)
    st.caption(
        "The frame is the tile (640 m); **V** shows the next picture. Radar: VV as red, VH as "
        "green, VV − VH as blue."
    )
    if any("change" in name for name in shown):
        previews.change_legend()
    return True, drawn


def _middle(picture: render.RGBA) -> render.RGBA:
    """The tile's part of a picture (SIDE, SIDE, 4)."""
    return picture[AROUND:-AROUND, AROUND:-AROUND]


def _mount(
    run: Run, tile: int, shown: dict[str, render.RGBA], kept: BaseGeometry | None
) -> BaseGeometry | None:
    """Mount the browser's part; what it drew counts only for this tile and this outline."""
    rings = rings_of(Frame.of(run, tile).to_pixels(kept)) if kept is not None else []
    key = f"{run.folder.name} {tile} {hash(str(rings))} {state.dropped_drawings()}"
    component = st.components.v2.component(
        "review_picture",
        css=(scripts.BROWSER / "review_picture.css").read_text(),
        js=scripts.module(*scripts.LOADING, "map-manners.js", "review_picture.js"),
        isolate_styles=False,  # Leaflet's own sheet has to reach it
    )
    said = component(
        key="review-picture",
        data={
            "key": key,
            "tile": tile,
            "side": SIDE,
            "around": AROUND,
            "height": HEIGHT,
            "pictures": [
                {"name": name, "url": _address(picture)} for name, picture in shown.items()
            ],
            "rings": rings,
            "editable": bool(state.reviewer()),
            **_leaflet(),
        },
        on_drawn_change=lambda: None,
        height="content",
    )
    drawn: Any = said.drawn
    if not drawn or drawn["key"] != key:
        return None
    return drawn_from(drawn["rings"])


def _leaflet() -> dict[str, list[str]]:
    """Leaflet's scripts and styles, in the order in which they build upon each other."""
    stems = (scripts.LEAFLET / "leaflet", scripts.DRAW / "leaflet.draw")
    return {
        f"{name}s": [
            scripts.found_at(stem.with_name(f"{stem.name}.{kind}"), scripts.BESIDE)
            for stem in stems
        ]
        for name, kind in (("script", "js"), ("style", "css"))
    }


def _address(picture: render.RGBA) -> str:
    """A picture of some 15 kB as an address that holds it."""
    return "data:image/webp;base64," + b64encode(render.encode(picture)).decode()
