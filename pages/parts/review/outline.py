"""Outlines between degrees and the pixels of a tile's picture, and keeping what was drawn."""

from dataclasses import dataclass
from typing import Any, Final

import shapely
import streamlit as st
from affine import Affine
from pyproj import Transformer
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from landslide_core.bands import TILE
from landslide_core.errors import LandslideError
from landslide_core.folder import Run
from landslide_core.plan import tiling_of
from landslide_core.review.review import Review
from pages.parts import state
from pages.parts.review import actions

AROUND: Final = TILE  # pixels of ground shown on each side of a tile
SIDE: Final = TILE + 2 * AROUND  # pixels of the whole picture
FRAME: Final = shapely.box(AROUND, AROUND, AROUND + TILE, AROUND + TILE)  # the tile in it
_MOST_OUTSIDE: Final = 0.02  # share of an outline past the tile's edge that is not worth a word

Rings = list[list[list[list[float]]]]  # polygons of rings of (x, y), in pixels of the picture


@dataclass(frozen=True)
class Frame:
    """Where a tile's picture lies: pixels, x to the right and y down, from its corner."""

    transform: Affine  # pixels of the picture -> the run's projection
    crs: str

    @staticmethod
    def of(run: Run, tile: int) -> "Frame":
        """The picture around a tile of a run."""
        grid, tiling = run.grid(), tiling_of(run.meta)
        window = tiling.window(*divmod(tile, tiling.cols))
        moved = Affine.translation(window.col - AROUND, window.row - AROUND)
        return Frame(grid.transform @ moved, str(grid.geobox.crs))

    def to_degrees(self, drawn: BaseGeometry) -> BaseGeometry:
        """Pixels -> EPSG:4326."""
        turn = Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        return shapely.transform(
            drawn, lambda x, y: turn.transform(*(self.transform @ (x, y))), interleaved=False
        )

    def to_pixels(self, outline: BaseGeometry) -> BaseGeometry:
        """EPSG:4326 -> pixels."""
        turn, back = Transformer.from_crs("EPSG:4326", self.crs, always_xy=True), ~self.transform
        return shapely.transform(
            outline, lambda x, y: back @ turn.transform(x, y), interleaved=False
        )

    def area(self, drawn: BaseGeometry) -> float:
        """m² of a geometry in pixels; overlapping parts count once."""
        whole = shapely.union_all(shapely.make_valid(shapely.get_parts(drawn)))
        return float(whole.area * abs(self.transform.determinant))


def rings_of(drawn: BaseGeometry) -> Rings:
    """A geometry in pixels as lists for the browser, to a hundredth of a pixel (0.1 m)."""
    return [
        [
            [[round(x, 2), round(y, 2)] for x, y, *_ in ring.coords[:-1]]
            for ring in (part.exterior, *part.interiors)
        ]
        for part in shapely.get_parts(drawn)
        if part.geom_type == "Polygon"
    ]


def drawn_from(rings: Any) -> BaseGeometry | None:
    """What the browser drew as a MultiPolygon in pixels; None where that is nothing of use."""
    try:
        parts = [shapely.Polygon(rings_[0], rings_[1:]) for rings_ in rings if len(rings_[0]) > 2]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    return shapely.MultiPolygon(parts) if parts else None


def outside(drawn: BaseGeometry) -> float:
    """Share 0..1 of an outline in pixels that lies outside its tile."""
    whole = shapely.union_all(shapely.make_valid(shapely.get_parts(drawn)))
    return 1 - float(whole.intersection(FRAME).area / whole.area) if whole.area else 0.0


def panel(run: Run, tile: int, kept: BaseGeometry | None, drawn: BaseGeometry | None) -> None:
    """The outline's area, what is wrong with it, and the buttons to keep, drop or remove it.

    `kept` is in EPSG:4326, `drawn` in pixels: what was drawn and not kept yet.
    """
    frame, nobody, shown = Frame.of(run, tile), not state.reviewer(), drawn
    if shown is None and kept is not None:
        shown = frame.to_pixels(kept)
    if shown is None:
        st.caption("**Outline:** none. Press **O** and click around the landslide in the picture.")
        return
    parts = len(shapely.get_parts(shown))
    told = f"{frame.area(shown):,.0f} m²" + (f" in {parts} parts" if parts > 1 else "")
    st.markdown(f"**Outline:** {told}" + (", not kept yet" if drawn is not None else ""))
    if (share := outside(shown)) > _MOST_OUTSIDE:
        st.warning(
            "It lies outside the tile; it has to touch it."
            if share > 1 - 1e-9
            else f"{100 * share:.0f} % of it lies outside the tile.",
            icon=":material/crop_free:",
        )
    left, right = st.columns(2)
    if drawn is None:
        left.button(
            "Remove outline",
            on_click=_keep,
            args=(run, tile, None),
            disabled=nobody,
            icon=":material/delete:",
            width="stretch",
        )
        return
    left.button(
        "Keep outline `K`",
        key=f"review-keep-{tile}",
        type="primary",
        on_click=_keep,
        args=(run, tile, frame.to_degrees(drawn)),
        disabled=nobody,
        icon=":material/save:",
        width="stretch",
    )
    right.button(
        "Drop drawing `D`",
        key=f"review-drop-{tile}",
        on_click=_drop,
        args=(tile,),
        icon=":material/close:",
        width="stretch",
    )


def _drop(tile: int) -> None:
    state.drop_drawing()
    state.keep_notice(f"Tile {tile}: drawing dropped.")


def _keep(run: Run, tile: int, outline: BaseGeometry | None) -> None:
    """Write an outline in EPSG:4326 into the review, or take it away."""
    if actions.left_behind(tile):
        return
    try:
        drawn = None if outline is None else mapping(outline)
        Review.of(run).outline(tile, state.reviewer(), drawn)
    except LandslideError as error:
        state.keep_notice(str(error), refused=True)
        return
    what = "outline removed" if outline is None else "outline kept"
    state.keep_notice(f"Tile {tile}: {what}. Undo with U.")
