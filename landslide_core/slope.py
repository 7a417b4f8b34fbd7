"""Slope of the ground from its height, and the mask that drops flat tiles from the alarms."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.bands import PIXEL, TILE
from landslide_core.errors import SceneError
from landslide_core.grid import Window
from landslide_core.judgement import LANDSLIDE, NO_DATA, Judgement
from landslide_core.scene import Scene, grown

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

# A tile is as steep as its steepest hundredth, 41 pixels or 0.4 ha: as much as the smallest scars
# that show at 10 m, so that a hillside at a plain's edge counts, and more than a stray height.
STEEPEST: Final = 0.01
LEAST_KNOWN: Final = 0.9  # share of a tile's pixels with a slope; elsewhere it might be steep


def slope_degrees(elevation: Floats) -> Floats:
    """Slope in degrees (h, w) of heights in metres (h + 2, w + 2) on the 10 m grid.

    Horn's method: B. K. P. Horn, "Hill shading and the reflectance map", Proceedings of the IEEE
    69 (1), 1981. NaN where one of a pixel's eight neighbours is not known.
    """
    north, middle, south = elevation[:-2], elevation[1:-1], elevation[2:]
    across = north + 2 * middle + south
    along = elevation[:, :-2] + 2 * elevation[:, 1:-1] + elevation[:, 2:]
    rise = np.hypot(across[:, 2:] - across[:, :-2], along[2:] - along[:-2])
    return np.asarray(np.degrees(np.arctan(rise / np.float32(8 * PIXEL))), np.float32)


def tile_slopes(scene: Scene, ground: Window, windows: Sequence[Window]) -> Floats:
    """How steep tiles inside `ground` are, in degrees (N,): 99 % of a tile is less steep.

    NaN where the DEM tells too little of a tile, or there is none.
    """
    found = np.full(len(windows), np.nan, np.float32)
    heights = scene.read_elevation(grown(ground, 1))
    if heights is None:
        return found
    slopes = slope_degrees(heights)
    for i, window in enumerate(windows):
        part = scene.grid.clip(window)
        row, col = window.row - ground.row, window.col - ground.col
        tile = slopes[row : row + TILE, col : col + TILE]
        known = tile[np.isfinite(tile)]
        if len(known) >= LEAST_KNOWN * part.height * part.width:
            found[i] = np.quantile(known, 1 - STEEPEST)
    return found


def masked(tiles: Judgement, least_slope: float) -> Flags:
    """Whether each tile that was judged is known to be less steep than so many degrees, (N,)."""
    return np.asarray((tiles.slope < least_slope) & (tiles.verdict != NO_DATA))


def alarms(tiles: Judgement, least_slope: float) -> Flags:
    """Whether each tile is called a landslide and is not masked, (N,)."""
    return np.asarray((tiles.verdict == LANDSLIDE) & ~masked(tiles, least_slope))


def mask_record(
    tiles: Judgement, least_slope: float, inputs: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """What the slope mask did to a run's tiles, as JSON; `inputs` are the run's file records."""
    unknown = np.isnan(tiles.slope) & (tiles.verdict != NO_DATA)
    return {
        "least_slope": least_slope,
        "dem": [entry["path"] for entry in inputs if entry["role"] == "dem"],
        "masked_tiles": int(masked(tiles, least_slope).sum()),
        "unknown_tiles": int(unknown.sum()),
        "alarms": int(alarms(tiles, least_slope).sum()),
    }


def check_mask(least_slope: float, scene: Scene) -> None:
    """Raise SceneError where flat ground shall be masked and nothing tells what is flat."""
    if not 0 <= least_slope < 90:
        raise SceneError(
            f"A least slope of {least_slope:g}° was given; one from 0 (off) to under 90 is needed. "
            "Choose another --least-slope."
        )
    if least_slope and not scene.elevation:
        raise SceneError(
            f"A least slope of {least_slope:g}° was given and no DEM; one is needed to know what "
            "is flat. Name it with --dem, or leave out --least-slope."
        )
