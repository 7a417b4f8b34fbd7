"""What the guided tour points at in a run of the sample: chosen by rule, never by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import geopandas
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from shapely.geometry.base import BaseGeometry

from landslide_core import render
from landslide_core.bands import INDEX, TILE
from landslide_core.folder import Run
from landslide_core.grid import Window
from landslide_core.plan import tiling_of
from landslide_core.render import Overview

SIDE: Final = 96  # pixels of the picture of one scar
FOUND: Final = 0.1  # share of a scar under tiles called landslide, as `score_run` has it
_STEP: Final = 16  # pixels between places that are tried for an undisturbed one


@dataclass(frozen=True)
class Scar:
    """One true outline, and what became of it."""

    shape: BaseGeometry  # in pixels of the overview: x to the right, y down
    area: float  # m²
    found: bool
    tile: int | None  # that holds most of it; None off the scene


@dataclass(frozen=True)
class Story:
    """A run of the sample beside the truth."""

    stamp: str  # changes when the run or the truth does
    scars: tuple[Scar, ...]
    clear: Scar  # the one that all sensors show best
    place: Window  # around it, in overview pixels
    quiet: Window  # without a scar or cloud, as near to it as there is
    missed: Scar | None  # the largest
    dropped: int | None  # tiles: surest of those dropped,
    alarm: int | None  # most probable of those called landslide, or of all,
    unsure: int | None  # the uncertain one on which the members disagree most


def tell(run: Run, outlines: geopandas.GeoSeries, small: Overview, stamp: str) -> Story:
    """Choose what to show; `outlines` are those of the landslides that were there."""
    scars = _judged(run, outlines.to_crs(run.grid().crs), small)
    number = rasterize(
        [(scar.shape, i + 1) for i, scar in enumerate(scars)],
        small.pixels.shape[1:],
        dtype="int32",
        all_touched=True,
    )
    clear = int(np.argmax([_clarity(small, number, i + 1) for i in range(len(scars))]))
    place = around(scars[clear].shape.centroid, number.shape)
    missed = [scar for scar in scars if not scar.found and scar.tile is not None]
    return Story(
        stamp,
        scars,
        scars[clear],
        place,
        _quiet(small, number > 0, place),
        max(missed, key=lambda scar: scar.area, default=None),
        *_tiles(run),
    )


def around(point: shapely.Point, shape: Sequence[int], side: int = SIDE) -> Window:
    """A square around a point, moved onto a picture (h, w); smaller where the picture is."""
    height, width = (min(side, most) for most in shape)
    row = int(np.clip(round(point.y - height / 2), 0, shape[0] - height))
    col = int(np.clip(round(point.x - width / 2), 0, shape[1] - width))
    return Window(row, col, height, width)


def cut(small: Overview, place: Window) -> render.Floats:
    """The bands (12, h, w) of a place of an overview."""
    pixels: render.Floats = small.pixels[:, *slices(place)]
    return pixels


def tile_place(run: Run, tile: int, small: Overview) -> Window:
    """Where a tile lies in an overview."""
    tiling = tiling_of(run.meta)
    window, step = tiling.window(*divmod(tile, tiling.cols)), _step(run, small)
    return Window(window.row // step, window.col // step, TILE // step, TILE // step)


def _step(run: Run, small: Overview) -> int:
    """Pixels of the scene per pixel of its overview."""
    return -(-run.grid().width // int(small.pixels.shape[2]))


def _judged(run: Run, outlines: geopandas.GeoSeries, small: Overview) -> tuple[Scar, ...]:
    """Every scar, with whether it was found, by the rule of `score_run`."""
    tiles = run.tiles.to_crs(outlines.crs)
    tiles = tiles[tiles["verdict"] != "no_data"]
    called = tiles.geometry[tiles["verdict"] == "landslide"].union_all()
    back = ~small.geobox.transform
    scars = []
    for outline in outlines.make_valid():
        shared = tiles.intersection(outline).area
        scars.append(
            Scar(
                shapely.transform(outline, lambda xy: np.column_stack(back @ tuple(xy.T))),
                float(outline.area),
                bool(outline.intersection(called).area >= FOUND * outline.area),
                int(tiles["tile_id"][shared.idxmax()]) if shared.max() > 0 else None,
            )
        )
    return tuple(scars)


def _clarity(small: Overview, number: NDArray[np.int_], scar: int) -> float:
    """How plain a scar is: less green and darker in VH than around it, in deviations, and large."""
    mask = number == scar
    if not mask.any():
        return -np.inf
    rows, cols = np.nonzero(mask)
    middle = shapely.Point(cols.mean(), rows.mean())
    here = slices(around(middle, number.shape))
    inside, calm = mask[here], number[here] == 0
    if small.cloud is not None:
        if (small.cloud[here] & inside).any():
            return -np.inf
        calm &= ~small.cloud[here]
    pixels = small.pixels[:, *here]
    green = render.ndvi(pixels[INDEX["nir"]], pixels[INDEX["red"]])
    echoes = [render.change(pixels, orbit_pass, "vh") for orbit_pass in ("desc", "asc")]
    drops = [_drop(layer, inside, calm) for layer in (green, *echoes)]
    return float(drops[0] * np.mean(drops[1:]) * np.sqrt(mask.sum()))


def _drop(layer: render.Floats, inside: NDArray[np.bool_], calm: NDArray[np.bool_]) -> float:
    """By how many standard deviations a layer is lower inside than around; 0 where unknown."""
    one, other = (layer[where & np.isfinite(layer)] for where in (inside, calm))
    if not one.size or other.size < 2 or not other.std() > 0:
        return 0.0
    return max(0.0, float((other.mean() - one.mean()) / other.std()))


def _quiet(small: Overview, scarred: NDArray[np.bool_], place: Window) -> Window:
    """The nearest place of the same size with the fewest pixels scarred, clouded or empty."""
    bad = scarred | ~np.isfinite(small.pixels).all(axis=0)
    if small.cloud is not None:
        bad |= small.cloud
    height, width = bad.shape
    found = [
        Window(row, col, place.height, place.width)
        for row in range(0, height - place.height + 1, _STEP)
        for col in range(0, width - place.width + 1, _STEP)
    ]

    def rank(one: Window) -> tuple[int, float]:
        away = np.hypot(one.row - place.row, one.col - place.col)
        return int(bad[slices(one)].sum()), float(away)

    return min(found, key=rank)


def _tiles(run: Run) -> tuple[int | None, int | None, int | None]:
    """A tile dropped, one called landslide and an uncertain one; None where there is none."""
    tiles = run.tiles.set_index("tile_id")
    clear = tiles[(tiles["cloud_fraction"].fillna(0) < 0.1) & (tiles["valid_fraction"] > 0.9)]
    tiles = clear if len(clear) else tiles
    by_verdict = {name: tiles[tiles["verdict"] == name] for name in set(tiles["verdict"])}
    none = tiles[:0]
    dropped = by_verdict.get("filtered_out", none)["filter_score"].dropna()
    alarms = by_verdict.get("landslide", none)["probability"].dropna()
    if not len(alarms):  # then the likeliest of those that the ensemble saw
        alarms = tiles["probability"][tiles["votes_cast"] > 0].dropna()
    unsure = by_verdict.get("uncertain", none)["spread"].dropna()
    return (
        int(dropped.idxmin()) if len(dropped) else None,
        int(alarms.idxmax()) if len(alarms) else None,
        int(unsure.idxmax()) if len(unsure) else None,
    )


def slices(place: Window) -> tuple[slice, slice]:
    """Rows and columns of a place."""
    return (
        slice(place.row, place.row + place.height),
        slice(place.col, place.col + place.width),
    )
