"""The files of all roles -> one scene, with every check made before anything is written."""

from collections.abc import Mapping
from itertools import chain

from landslide_core.bands import RADAR_ROLES
from landslide_core.clouds import CloudRule
from landslide_core.errors import SceneError, SceneTooSmall
from landslide_core.readers.dates import check_dates, taken
from landslide_core.readers.elevation import read_elevation
from landslide_core.readers.footprints import Bands, cloud_coverage, coverage, grid_over, leading
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.ground.geocode import Progress
from landslide_core.readers.ground.ready import Frame, split
from landslide_core.readers.reading import Reading
from landslide_core.readers.sentinel1 import read_sentinel1
from landslide_core.readers.sentinel2 import read_sentinel2
from landslide_core.scene import Scene


def open_scene(inputs: SceneInputs, progress: Progress = lambda stage, done, total: None) -> Scene:
    """Bring all inputs to one 10 m UTM grid, checked; no pixel is kept.

    Raises the subclass of SceneError that says what is wrong: UnreadableRaster, MissingBands,
    MissingCRS, GridMismatch, SceneTooSmall, AmbiguousUnits.

    Sentinel-1 products in ground range are geocoded on that grid first, which takes a while.
    """
    readings: dict[str, Reading] = {}
    if inputs.s2:
        readings["s2"] = read_sentinel2(inputs.s2, inputs.s2_bands, inputs.s2_offset)
    if inputs.dem:
        readings["dem"] = read_elevation(inputs.dem)
    _read_radar(inputs, readings, progress)
    if not any(map(inputs.given, ("s2", *RADAR_ROLES))):
        raise SceneError(
            "No input was given; at least one Sentinel-2 or Sentinel-1 file is needed. "
            "Name one with --s2, --s1-desc-post or another --s1 option."
        )
    warnings = list(chain.from_iterable(reading.warnings for reading in readings.values()))
    bands = _together(readings)
    first = leading(bands)
    grid, choice = grid_over(first)
    warnings += coverage(readings, first, grid)
    optical = readings.get("s2", Reading())
    warnings += cloud_coverage(optical, grid)
    warnings += _absences(inputs)
    acquired = {role: reading.acquisitions for role, reading in readings.items()}
    warnings += check_dates(acquired, inputs.event)
    return Scene(
        grid=grid,
        bands=bands,
        classes=optical.classes,
        probabilities=optical.probabilities,
        elevation=readings.get("dem", Reading()).elevation,
        cloud=CloudRule(inputs.cloud_dilation, inputs.cloud_probability),
        speckle=inputs.speckle,
        decisions=(
            choice,
            *taken(acquired),
            *chain.from_iterable(reading.decisions for reading in readings.values()),
        ),
        warnings=tuple(warnings),
        inputs=tuple((role, place.opened) for role, r in readings.items() for place in r.files),
    )


def _read_radar(inputs: SceneInputs, readings: dict[str, Reading], progress: Progress) -> None:
    """Add the radar roles' readings; products in ground range last, on the others' grid."""
    given = [role for role in RADAR_ROLES if inputs.given(role)]
    dem = readings.get("dem", Reading()).elevation
    for role in sorted(given, key=lambda role: bool(split(inputs.given(role))[0])):
        bands = dict(chain.from_iterable(r.bands.items() for r in readings.values()))
        grid = grid_over(leading(bands))[0] if bands else None
        frame = Frame(grid, dem)
        readings[role] = read_sentinel1(inputs.given(role), role, frame, progress)


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


def _absences(inputs: SceneInputs) -> list[str]:
    """A warning for each role without input, and for the same files before and after."""
    warnings = []
    if not inputs.s2:
        warnings.append("No Sentinel-2 image: its bands are carried as missing.")
    for orbit, name in (("desc", "descending"), ("asc", "ascending")):
        pre, post = inputs.given(f"{orbit}_pre"), inputs.given(f"{orbit}_post")
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
