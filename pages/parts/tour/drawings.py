"""Pictures of the tour: places enlarged, with outlines and tiles drawn on them."""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from landslide_core import render
from landslide_core.bands import INDEX, radar_band
from landslide_core.grid import Window
from landslide_core.outputs import VERDICT_COLOURS
from pages.parts.tour.facts import slices

WHITE: Final = "#ffffff"
CYAN: Final = "#35d0ff"  # told from orange and white with any colour vision, on any ground
YELLOW: Final = "#ffdf3a"  # on grey
HALO: Final = "#101820"
LONGEST: Final = 1000  # pixels of a picture's longer side, about
_DIM: Final = 0.25  # brightness left to what was dropped
_AVERAGED: Final = 3  # pixels a side: speckle hides what a single pixel shows

_DARK: Final = (VERDICT_COLOURS["landslide"], HALO)  # are drawn in a white halo

Line = tuple[BaseGeometry, str, int]  # shape in scene pixels, colour, width in the picture's


def true_colour(pixels: render.Floats) -> render.RGBA:
    """As the eye sees it; bands (12, h, w)."""
    return render.optical(pixels, ("red", "green", "blue"))


def false_colour(pixels: render.Floats) -> render.RGBA:
    """Near infrared as red: plants shine red, bare ground is grey to cyan."""
    return render.optical(pixels, ("nir", "red", "green"))


def echo(pixels: render.Floats, role: str, polarisation: str) -> render.RGBA:
    """One date of one pass in grey, averaged a little."""
    level = averaged(pixels[INDEX[radar_band(role, polarisation)]])
    return render.colourise(level, render.RADAR_LIMITS[polarisation], "grey")


def echo_change(pixels: render.Floats, orbit_pass: str, polarisation: str) -> render.RGBA:
    """After minus before of one pass, orange where the echo sank."""
    before, after = (
        averaged(pixels[INDEX[radar_band(f"{orbit_pass}_{time}", polarisation)]])
        for time in ("pre", "post")
    )
    return render.colourise(after - before, render.CHANGE_LIMITS, "orange-blue")


def averaged(level: render.Floats, side: int = _AVERAGED) -> render.Floats:
    """Each pixel's mean with its neighbours, in linear power: dB (h, w) to dB; NaN spreads."""
    power = np.pad(10 ** (level / 10), side // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(power, (side, side))
    return np.asarray(10 * np.log10(windows.mean(axis=(-2, -1))), np.float32)


def greyed(picture: render.RGBA, brightness: float = 1.0) -> render.RGBA:
    """A picture without its colours, so that any hue on it is of what is drawn."""
    out = picture.copy()
    out[..., :3] = np.rint(picture[..., :3].mean(axis=-1, keepdims=True) * brightness)
    return out


def dimmed(picture: render.RGBA, bright: Iterable[Window]) -> render.RGBA:
    """A picture darkened and greyed but for the places given."""
    out = greyed(picture, _DIM)
    for place in bright:
        out[slices(place)] = picture[slices(place)]
    return out


def hot(pixels: render.Floats, heat: render.Floats) -> render.RGBA:
    """A heat map (32, 32) over a tile's true colours in grey."""
    ground = greyed(true_colour(pixels))
    side = pixels.shape[-1] // len(heat)
    laid = render.colourise(heat, (0.0, 1.0), "viridis").repeat(side, axis=0).repeat(side, axis=1)
    return render.over(ground, laid, 0.55)


def drawn(
    picture: render.RGBA,
    lines: Sequence[Line] = (),
    place: Window | None = None,
    longest: int = LONGEST,
) -> bytes:
    """A picture enlarged by whole pixels, with outlines in scene pixels drawn on its place."""
    height, width = picture.shape[:2]
    factor = max(1, round(longest / max(height, width)))
    image = Image.fromarray(picture.repeat(factor, axis=0).repeat(factor, axis=1), "RGBA")
    brush = ImageDraw.Draw(image)
    for shape, colour, thick in lines:
        moved = translate(shape, -place.col, -place.row) if place else shape
        for ring in _rings(moved):
            corners = [tuple(corner) for corner in (ring * factor).tolist()]
            halo = WHITE if colour in _DARK else HALO
            brush.line(corners, halo, thick + (4 if colour == HALO else 2), joint="curve")
            brush.line(corners, colour, thick, joint="curve")
    return render.encode(np.asarray(image))


def _rings(shape: BaseGeometry) -> list[NDArray[np.float64]]:
    """Outlines of a polygon, or of several."""
    parts = getattr(shape, "geoms", [shape])
    polygons = [part for part in parts if part.geom_type == "Polygon"]
    rings = [ring for one in polygons for ring in (one.exterior, *one.interiors)]
    return [np.asarray(ring.coords)[:, :2] for ring in rings]
