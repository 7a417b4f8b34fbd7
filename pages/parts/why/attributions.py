"""What each sensor, band and place did to the ensemble's opinion of a tile."""

from typing import Final

import numpy as np
import streamlit as st

from landslide_core import render
from landslide_core.bands import INDEX, radar_band
from landslide_core.explanation import Attribution, TileExplanation, sensor_of
from landslide_core.folder import Run
from pages.parts import theme, wording
from pages.parts.look import previews
from pages.parts.why import cached_why, charts

PLAIN: Final = {"displayModeBar": False}
SENSOR_WORDS: Final = {
    "optical": "Optical bands",
    "desc": "Descending pass",
    "asc": "Ascending pass",
}
_CELL: Final = 2  # pixels a side that are shown as one: the heat map's cells
_ZOOM: Final = 6
_FOR, _AGAINST = (217, 115, 13), (63, 143, 210)  # theme's orange and blue


def inputs(run: Run, tile: int, why: TileExplanation) -> None:
    """What would change without each sensor and each band."""
    st.markdown("**Which inputs moved it**")
    with st.spinner("Taking one input after the other away …"):
        found = cached_why.attribution(run, tile, why)
    least = max(abs(share.total) for share in found.bands.values())
    left, right = st.columns(2)
    with left:
        parts = {SENSOR_WORDS[name]: without.share for name, without in found.sensors.items()}
        st.plotly_chart(charts.shares(parts, least), config=PLAIN, key="sensors")
        st.markdown(without_table(why, found))
    with right:
        parts = {wording.band(name): share for name, share in found.bands.items()}
        st.plotly_chart(charts.shares(parts, least, legend=False), config=PLAIN, key="bands")
    with st.expander("How this was computed, and how far it goes", icon=":material/help:"):
        st.markdown(METHOD)


METHOD: Final = (
    "**Inputs: occlusion** (Zeiler & Fergus 2014). Each is taken away as a missing input is "
    "(statistics at the training's median, picture at the mean), all members are asked again, and "
    "the log-odds that go with it are drawn: above 0 it spoke for a landslide. The bars do not add "
    "up to the vote, as inputs tell much of the same. The members learnt from tiles that lacked "
    "whole sensors, never one band alone, so read single bands as a hint.\n\n"
    "**Places: integrated gradients** (Sundararajan et al. 2017) of the members' picture part, "
    "upright, from the mean picture to this one. Added up over all pixels and bands they give "
    "exactly what the picture says more than it says of the mean picture. The statistics part has "
    "no places: it sees the tile as a whole."
)


def without_table(why: TileExplanation, found: Attribution) -> str:
    """What filter and ensemble together would have said without each sensor, as Markdown."""
    now = f"{theme.VERDICT_WORDS[why.verdict]}, {wording.number(why.probability)}"
    lines = ["| | Filter and ensemble would say |", "|:--|:--|", f"| With everything | {now} |"]
    for name, without in found.sensors.items():
        said = theme.VERDICT_WORDS[without.verdict]
        if np.isfinite(without.probability):
            said += f", {wording.number(without.probability)}"
        lines.append(f"| Without the {SENSOR_WORDS[name].lower()} | {said} |")
    return "\n".join(lines)


@st.fragment
def places(run: Run, tile: int, why: TileExplanation) -> None:
    """The heat map, or what the picture was weighed by, over what the sensors saw."""
    st.markdown("**Where in the tile**")
    kinds = ("Heat map", "What weighed in the picture")
    left, right = st.columns(2, vertical_alignment="bottom")
    kind = left.segmented_control("Show", kinds, default=kinds[0], required=True)
    opacity = right.slider("Opacity", 0.0, 1.0, 0.6, 0.05)
    if kind == kinds[0]:
        previews.heat_of_tile(why.pixels, why.heat, opacity)
        st.caption(
            "The members' mean for each cell of 20 m × 20 m; the frame marks the hottest, "
            f"{wording.number(float(why.heat.max()))}. A hint where to look: it is not calibrated, "
            "and its edges are not a scar's outline."
        )
        return
    with st.spinner("Adding up gradients …"):
        found = cached_why.attribution(run, tile, why)
    weighed_pictures(why.pixels, found, opacity)
    theme.swatches([("for a landslide", theme.ORANGE_BAR), ("against", theme.BLUE_BAR)])
    st.caption(
        f"The picture adds {wording.signed(found.picture)} log-odds, of which "
        f"{wording.signed(found.start)} go to any tile. Shown is which places of each sensor the "
        "rest came from, all three on one scale; the stronger, the less see-through."
    )


def weighed_pictures(pixels: render.Floats, found: Attribution, opacity: float) -> None:
    """Each sensor in grey, its pixels' shares over it in orange and blue."""
    sums = by_sensor(found)
    greatest = max((float(np.quantile(abs(cells), 0.99)) for cells in sums.values()), default=0.0)
    for column, (name, cells) in zip(st.columns(4), sums.items(), strict=False):
        laid = render.over(_grey(pixels, name), coloured(cells, greatest), opacity)
        column.image(render.encode(_zoomed(laid, _ZOOM), "PNG"), width="stretch")
        total = wording.signed(float(cells.sum()))
        column.caption(f"{SENSOR_WORDS[name]}: {total} log-odds")


def by_sensor(found: Attribution) -> dict[str, render.Floats]:
    """Log-odds of each cell (32, 32), the sum over a sensor's bands."""
    sums: dict[str, render.Floats] = {}
    for name in found.bands:
        part = found.pixels[INDEX[name]]
        side = len(part) // _CELL
        cells = part.reshape(side, _CELL, side, _CELL).sum(axis=(1, 3))
        sensor = sensor_of(name)
        sums[sensor] = sums[sensor] + cells if sensor in sums else cells
    return sums


def coloured(cells: render.Floats, greatest: float) -> render.RGBA:
    """Cells as orange (for) and blue (against) pixels, the more opaque the further from 0."""
    strength = np.clip(abs(cells) / max(greatest, 1e-9), 0, 1)
    colour = np.where((cells > 0)[..., None], _FOR, _AGAINST)
    picture = np.dstack([colour, np.rint(255 * strength)]).astype(np.uint8)
    return _zoomed(picture, _CELL)


def _zoomed(picture: render.RGBA, times: int) -> render.RGBA:
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def _grey(pixels: render.Floats, sensor: str) -> render.RGBA:
    """A sensor's picture without hue, so that any on it is the shares'."""
    if sensor == "optical":
        seen = render.optical(pixels, ("red", "green", "blue"))
        seen[..., :3] = seen[..., :3].mean(axis=-1, keepdims=True).astype(np.uint8)
        return seen
    band = pixels[INDEX[radar_band(f"{sensor}_post", "vh")]]
    return render.colourise(band, render.RADAR_LIMITS["vh"], "grey")
