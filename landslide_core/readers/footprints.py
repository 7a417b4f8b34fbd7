"""The scene's grid from what its files cover, and how much of it each role covers."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Final

from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry

from landslide_core.bands import OPTICAL, PIXEL, POLARISATIONS, RADAR_ROLES, TILE, radar_band
from landslide_core.errors import GridMismatch, SceneTooSmall
from landslide_core.grid import Grid, Window, grid_from_raster
from landslide_core.pixels import BandSource
from landslide_core.places import place_of
from landslide_core.readers.given import ROLE_WORDS
from landslide_core.readers.reading import Reading
from landslide_core.scene import Decision

COVERED: Final = 0.95  # share of the scene below which a source's coverage is worth a warning
Bands = Mapping[str, tuple[BandSource, ...]]


def leading(bands: Bands) -> tuple[BandSource, ...]:
    """The sources of the band that gives the grid: the first of the finest optical ones.

    Without any, the first radar band, post before pre.
    """
    return next(
        bands[name]
        for name in (*OPTICAL, *_radar_names())
        if name in bands and _finest_optical(name, bands)
    )


def grid_over(sources: Sequence[BandSource]) -> tuple[Grid, Decision]:
    """The 10 m UTM grid of the first source, grown by whole pixels to hold the others.

    Raises SceneTooSmall below 64×64 pixels.
    """
    geoboxes = [source.geobox for source in sources]
    first, name = geoboxes[0], place_of(sources[0].path).name
    grid = grid_from_raster(first.crs, first.transform, first.shape.y, first.shape.x)
    own = grid.geobox == first
    boxes = [(~grid.transform, _outline(geobox, grid).boundingbox) for geobox in geoboxes[1:]]
    corners = [(0.0, 0.0), (float(grid.width), float(grid.height))]
    for to_pixels, box in boxes:
        corners += [to_pixels @ (box.left, box.top), to_pixels @ (box.right, box.bottom)]
    left, top = (min(corner[axis] for corner in corners) for axis in (0, 1))
    right, bottom = (max(corner[axis] for corner in corners) for axis in (0, 1))
    window = Window(round(top), round(left), round(bottom - top), round(right - left))
    grid = Grid(grid.geobox_of(window))
    if grid.height < TILE or grid.width < TILE:
        raise SceneTooSmall(
            f"The scene is {grid.width}×{grid.height} pixels of {PIXEL:g} m; at least "
            f"{TILE}×{TILE} are needed. Choose a larger area."
        )
    found = f"{name}: {first.crs}, {first.shape.x}×{first.shape.y} pixels"
    how = "its own grid" if own else f"a grid of {PIXEL:g} m that encloses it"
    decided = f"{how}: {grid.crs}, {grid.width}×{grid.height} pixels"
    return grid, Decision("scene", "grid", found, decided)


def _outline(geobox: GeoBox, grid: Grid) -> Geometry:
    """A raster's outline in the grid's CRS."""
    return geobox.footprint(grid.crs, npoints=50)


def coverage(readings: Mapping[str, Reading], first: Sequence[BandSource], grid: Grid) -> list[str]:
    """Warnings for roles that cover less than 95 % of the image that gives the grid.

    That image, not the grid: the upright box around a tilted image is larger. Raises GridMismatch
    for a role that doesn't touch it.
    """
    warnings = []
    image = _outlines(first, grid)
    for role, reading in readings.items():
        sources = (*chain.from_iterable(reading.bands.values()), *reading.elevation)
        if not sources:  # all no data, and said so
            continue
        covered = _outlines(sources, grid)
        share = (covered & image).area / image.area
        if not share > 0:
            raise GridMismatch(
                f"{_cover(role, reading)} 0 % of the scene ({grid.crs}); an overlap, best all of "
                "it, is needed. Choose files of the same place."
            )
        if share < COVERED:
            warnings.append(
                f"{_cover(role, reading)} {100 * share:.0f} % of the scene; the rest is carried as "
                "missing there."
            )
    return warnings


def cloud_coverage(optical: Reading, grid: Grid) -> list[str]:
    """A warning where cloud layers cover less than 95 % of the optical images."""
    layers = (*optical.classes, *optical.probabilities)
    seen = tuple(chain.from_iterable(optical.bands.values()))
    if not (layers and seen):
        return []
    ground = _outlines(seen, grid)
    share = (_outlines(layers, grid) & ground).area / ground.area
    if not share < COVERED:
        return []
    name = place_of(layers[0].path).name
    return [
        f"{ROLE_WORDS['s2']}: the cloud layer {name} covers {100 * share:.0f} % of the images; in "
        "the rest no pixel counts as cloud. Give the layers of all images, or leave this one out: "
        "cloud is guessed by brightness then."
    ]


def _cover(role: str, reading: Reading) -> str:
    """ "Sentinel-1 descending, after: s1.tif covers", with the first file's name of several."""
    first, more = reading.files[0].name, len(reading.files) - 1
    files = f"{first} and {more} more cover" if more else f"{first} covers"
    return f"{ROLE_WORDS[role]}: {files}"


def _outlines(sources: Iterable[BandSource], grid: Grid) -> Geometry:
    """The outlines of sources together, in the grid's CRS."""
    first, *others = (_outline(geobox, grid) for geobox in dict.fromkeys(s.geobox for s in sources))
    for outline in others:
        first = first | outline
    return first


def _radar_names() -> list[str]:
    """Radar bands in the order in which they may give the grid: post before pre."""
    roles = sorted(RADAR_ROLES, key=lambda role: role.endswith("pre"))
    return [radar_band(role, polarisation) for role in roles for polarisation in POLARISATIONS]


def _finest_optical(name: str, bands: Bands) -> bool:
    """Whether a band is as fine as the finest optical one (or there is none)."""
    optical = [bands[other][0].resolution for other in OPTICAL if other in bands]
    return not optical or bands[name][0].resolution < 1.1 * min(optical)
