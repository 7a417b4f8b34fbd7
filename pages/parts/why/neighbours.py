"""The tiles around one: their pictures, verdicts and the way to each; whether it is alone."""

from typing import Final

import numpy as np
import streamlit as st

from landslide_core import render
from landslide_core.bands import INDEX, OPTICAL, TILE, radar_band
from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from landslide_core.neighbours import Neighbour, Neighbourhood, neighbourhood
from landslide_core.outputs import VERDICT_COLOURS
from pages.parts import state, theme, wording
from pages.parts.why import cached_why

ICONS: Final = {
    "landslide": ":material/landslide:",
    "uncertain": ":material/help:",
    "stable": ":material/check_circle:",
    "filtered_out": ":material/filter_alt:",
    "no_data": ":material/block:",
}
_REACHES: Final = {"3 × 3": 1, "5 × 5": 2}
_FRAME: Final = (3, 7)  # pixels of the picture: a neighbour's frame, the tile's own
_ZOOM: Final = 2


@st.fragment
def section(run: Run, tile: int) -> None:
    """Pictures of the tiles around, each with a button to move there."""
    reach = st.segmented_control("Tiles", list(_REACHES), default="3 × 3", required=True)
    around = neighbourhood(run, tile, _REACHES[reach])
    grid, words = st.columns([len(around.rows), 2], gap="large")
    with words:
        st.markdown(alone(around))
        for name, colour in VERDICT_COLOURS.items():
            theme.swatches([(theme.VERDICT_WORDS[name], colour)])
        st.caption("The button under a tile is its probability and leads there.")
        if run.meta["stride"] < TILE:
            st.caption("Tiles of this run overlap by half: neighbours share ground.")
    try:
        with grid, st.spinner("Reading the tiles around …"):
            pictures = _pictures(cached_why.around(run, tile, _REACHES[reach]))
    except LandslideError as error:
        theme.problem(error)
        return
    with grid:
        for row in around.rows:
            for column, one in zip(st.columns(len(row), gap="small"), row, strict=True):
                with column:
                    _cell(one, tile, pictures)


def alone(around: Neighbourhood) -> str:
    """Whether a tile stands alone, in words."""
    at = len(around.rows) // 2
    middle, near = around.rows[at][at], around.near
    assert middle is not None  # the tile itself is always there
    count = {name: sum(one.verdict == name for one in near) for name in theme.VERDICT_WORDS}
    of = f"of the {len(near)} tiles that touch it"
    said = [f"{count[name]} {theme.VERDICT_WORDS[name].lower()}" for name in count if count[name]]
    listed = f"{of[0].upper()}{of[1:]}: {', '.join(said)}."
    if middle.verdict not in ("landslide", "uncertain"):
        return listed
    if around.group == 1:
        return (
            f"**It stands alone.** {listed} A landslide may well be that small; so may a field, "
            "a cloud's edge or a building site: look at the pictures."
        )
    return (
        f"**It is one of {around.group:,} landslide or uncertain tiles that hang together.** "
        f"{listed}"
    )


def _cell(one: Neighbour | None, tile: int, pictures: dict[int, render.RGBA]) -> None:
    if one is None:
        st.caption("Beyond the scene")
        return
    colour = tuple(int(VERDICT_COLOURS[one.verdict][i : i + 2], 16) for i in (1, 3, 5))
    framed = _framed(pictures[one.tile], colour, _FRAME[one.tile == tile])
    st.image(render.encode(framed, "PNG"), width="stretch")
    words = f"Tile {one.tile}: {theme.VERDICT_WORDS[one.verdict]}"
    if np.isfinite(one.probability):
        words += f", probability {wording.number(one.probability)}"
    if st.button(
        _short(one.probability),
        key=f"go-{one.tile}",
        icon=ICONS[one.verdict],
        help=words,
        disabled=one.tile == tile,
        width="stretch",
    ):
        state.choose_tile(one.tile)
        st.rerun()


def _short(probability: float) -> str:
    """A probability that fits a narrow button."""
    if not np.isfinite(probability):
        return "–"
    return f"{100 * probability:.0f} %" if probability >= 0.01 else "< 1 %"


def _pictures(pixels: dict[int, render.Floats]) -> dict[int, render.RGBA]:
    """True colour, stretched alike so that tiles compare; without it VH of a pass in grey."""
    stack = np.stack(list(pixels.values()))
    bands = [INDEX[name] for name in OPTICAL[:3]]
    if np.isfinite(stack[:, bands]).any():
        limits = [render.natural_limits(stack[:, bands])] * 3
        shown = [render.composite(list(one[bands]), limits, gamma=1.5) for one in stack]
    else:
        radar = [INDEX[radar_band(f"{p}_post", "vh")] for p in wording.PASS_WORDS]
        there = next((i for i in radar if np.isfinite(stack[:, i]).any()), radar[0])
        shown = [render.colourise(one[there], render.RADAR_LIMITS["vh"], "grey") for one in stack]
    return dict(zip(pixels, shown, strict=True))


def _framed(picture: render.RGBA, colour: tuple[int, ...], width: int) -> render.RGBA:
    """A picture made larger, in a frame."""
    big = picture.repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)
    framed = np.empty((big.shape[0] + 2 * width, big.shape[1] + 2 * width, 4), np.uint8)
    framed[:] = (*colour, 255)
    framed[width:-width, width:-width] = big
    return framed
