"""Files that are pieces of one raster, read as that raster, so that nothing shows where they meet.

Bilinear values end where less than half of their weight lies in a file. Where four files meet that
leaves a hole, and along every line the values on both sides know nothing of each other.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from affine import Affine
from odc.geo.geobox import GeoBox

from landslide_core.grid import Grid, Window
from landslide_core.pixels import BandSource, whole_shift


@lru_cache(maxsize=256)
def joined(sources: tuple[BandSource, ...]) -> tuple[BandSource, ...]:
    """Sources of one band, each once, those side by side on one grid of pixels made one.

    Sources that overlap, as dates and neighbouring acquisitions do, stay apart.
    """
    groups: list[list[tuple[Window, BandSource]]] = []
    for source in dict.fromkeys(sources):
        place = _place(source, groups[-1][0][1]) if groups else None
        if place is None or any(_overlap(place, other) for other, _ in groups[-1]):
            groups.append([(Window(0, 0, *source.geobox.shape), source)])
        else:
            groups[-1].append((place, source))
    return tuple(_union(group) if len(group) > 1 else group[0][1] for group in groups)


def _place(source: BandSource, first: BandSource) -> Window | None:
    """Where a source lies, in pixels of the first one's grid; None where they don't coincide."""
    shift = whole_shift(source.geobox, Grid(first.geobox))
    if source.unit != first.unit or shift is None:
        return None
    return Window(-shift[0], -shift[1], *source.geobox.shape)


def _overlap(one: Window, other: Window) -> bool:
    rows = min(one.row + one.height, other.row + other.height) - max(one.row, other.row)
    cols = min(one.col + one.width, other.col + other.width) - max(one.col, other.col)
    return rows > 0 and cols > 0


def _union(group: Sequence[tuple[Window, BandSource]]) -> BandSource:
    """One source of the pieces, on the grid that encloses them."""
    places, (first, *_) = [place for place, _ in group], [source for _, source in group]
    top, left = min(place.row for place in places), min(place.col for place in places)
    bottom = max(place.row + place.height for place in places)
    right = max(place.col + place.width for place in places)
    corner = first.geobox.transform @ Affine.translation(left, top)
    geobox = GeoBox((bottom - top, right - left), corner, first.geobox.crs)
    shards = tuple((place.row - top, place.col - left, source) for place, source in group)
    return replace(first, path="", geobox=geobox, shards=shards)
