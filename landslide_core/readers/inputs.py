"""The files of all roles -> one scene, with every check made before anything is written."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry

from landslide_core.bands import OPTICAL, PIXEL, POLARISATIONS, RADAR_ROLES, TILE, radar_band
from landslide_core.errors import GridMismatch, SceneError, SceneTooSmall
from landslide_core.grid import Grid, Window, grid_from_raster
from landslide_core.pixels import BandSource
from landslide_core.readers.raster import Reading
from landslide_core.readers.sentinel1 import read_sentinel1
from landslide_core.readers.sentinel2 import read_sentinel2
from landslide_core.scene import Decision, Scene

COVERED: Final = 0.95  # share of the scene below which a source's coverage is worth a warning

Bands = Mapping[str, tuple[BandSource, ...]]


@dataclass(frozen=True)
class SceneInputs:
    """Files or folders by role; several for one file a band, or tiles side by side."""

    s2: tuple[Path, ...] = ()
    desc_pre: tuple[Path, ...] = ()
    desc_post: tuple[Path, ...] = ()
    asc_pre: tuple[Path, ...] = ()
    asc_post: tuple[Path, ...] = ()
    s2_bands: tuple[str, ...] | None = None  # band names of a stack, in the file's order
    s2_offset: float | None = None  # DN to add, e.g. -1000; None: from metadata and pixels

    def radar(self, role: str) -> tuple[Path, ...]:
        """The paths of a radar role, "desc_pre" and so on."""
        paths: tuple[Path, ...] = getattr(self, role)
        return paths


def open_scene(inputs: SceneInputs) -> Scene:
    """Bring all inputs to one 10 m UTM grid, checked; no pixel is kept.

    Raises the subclass of SceneError that says what is wrong: UnreadableRaster, MissingBands,
    MissingCRS, GridMismatch, SceneTooSmall, AmbiguousUnits.
    """
    readings: dict[str, Reading] = {}
    if inputs.s2:
        readings["s2"] = read_sentinel2(inputs.s2, inputs.s2_bands, inputs.s2_offset)
    for role in RADAR_ROLES:
        if paths := inputs.radar(role):
            readings[role] = read_sentinel1(paths, role)
    if not readings:
        raise SceneError(
            "No input was given; at least one Sentinel-2 or Sentinel-1 file is needed. "
            "Name one with --s2, --s1-desc-post or another --s1 option."
        )
    warnings = list(chain.from_iterable(reading.warnings for reading in readings.values()))
    bands = _together(readings)
    first = next(
        bands[name]
        for name in (*OPTICAL, *_radar_names())
        if name in bands and _finest_optical(name, bands)
    )
    grid, choice = _grid([source.geobox for source in first], Path(first[0].path).name)
    warnings += _coverage(readings, first, grid)
    warnings += _absences(inputs)
    return Scene(
        grid=grid,
        bands=bands,
        classes=readings["s2"].classes if "s2" in readings else (),
        decisions=(
            choice,
            *chain.from_iterable(reading.decisions for reading in readings.values()),
        ),
        warnings=tuple(warnings),
        inputs=tuple((role, str(path)) for role, r in readings.items() for path in r.files),
    )


def _radar_names() -> list[str]:
    """Radar bands in the order in which they may give the grid: post before pre."""
    roles = sorted(RADAR_ROLES, key=lambda role: role.endswith("pre"))
    return [radar_band(role, polarisation) for role in roles for polarisation in POLARISATIONS]


def _finest_optical(name: str, bands: Bands) -> bool:
    """Whether a band is as fine as the finest optical one (or there is none)."""
    optical = [bands[other][0].resolution for other in OPTICAL if other in bands]
    return not optical or bands[name][0].resolution < 1.1 * min(optical)


def _together(readings: Mapping[str, Reading]) -> Bands:
    """The bands of all roles. Raises SceneTooSmall where none holds a valid pixel."""
    bands = dict(chain.from_iterable(reading.bands.items() for reading in readings.values()))
    if not bands:
        files = ", ".join(path.name for r in readings.values() for path in r.files)
        raise SceneTooSmall(
            f"No valid pixel in {files}: all is no data; pixels with values are needed. "
            "Check the files' no-data value, or choose another area."
        )
    return bands


def _grid(geoboxes: Sequence[GeoBox], name: str) -> tuple[Grid, Decision]:
    """The 10 m UTM grid of the first raster, grown by whole pixels to hold the others.

    Raises SceneTooSmall below 64×64 pixels.
    """
    first = geoboxes[0]
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


def _coverage(
    readings: Mapping[str, Reading], first: Sequence[BandSource], grid: Grid
) -> list[str]:
    """Warnings for roles that cover less than 95 % of the image that gives the grid.

    That image, not the grid: the upright box around a tilted image is larger. Raises GridMismatch
    for a role that doesn't touch it.
    """
    warnings = []
    image = _outlines(first, grid)
    for role, reading in readings.items():
        if not reading.bands:  # all no data, and said so
            continue
        covered = _outlines(chain.from_iterable(reading.bands.values()), grid)
        share = (covered & image).area / image.area
        if not share > 0:
            raise GridMismatch(
                f"{role} covers 0 % of the scene ({grid.crs}); an overlap, best all of it, is "
                "needed. Choose files of the same place."
            )
        if share < COVERED:
            warnings.append(
                f"{role} covers {share:.0%} of the scene; the rest is carried as missing there."
            )
    return warnings


def _outlines(sources: Iterable[BandSource], grid: Grid) -> Geometry:
    """The outlines of sources together, in the grid's CRS."""
    first, *others = (_outline(geobox, grid) for geobox in dict.fromkeys(s.geobox for s in sources))
    for outline in others:
        first = first | outline
    return first


def _absences(inputs: SceneInputs) -> list[str]:
    """A warning for each role without input, and for the same files before and after."""
    warnings = []
    if not inputs.s2:
        warnings.append("No Sentinel-2 image: its bands are carried as missing.")
    for orbit, name in (("desc", "descending"), ("asc", "ascending")):
        pre, post = inputs.radar(f"{orbit}_pre"), inputs.radar(f"{orbit}_post")
        if not pre and not post:
            warnings.append(f"No {name} Sentinel-1 pass: its bands are carried as missing.")
        elif not pre or not post:
            lacking = "before" if not pre else "after"
            warnings.append(
                f"No {name} Sentinel-1 image from {lacking} the event: its bands are carried as "
                "missing, and no change can be seen in this pass."
            )
        elif set(pre) == set(post):
            warnings.append(
                f"The {name} Sentinel-1 images before and after the event are the same files: "
                "no change can be seen in this pass."
            )
    return warnings
