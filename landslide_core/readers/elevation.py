"""Elevation models -> metres above sea level or ellipsoid, on whatever grid they have."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from landslide_core.errors import AmbiguousUnits, MissingBands
from landslide_core.pixels import BandSource
from landslide_core.places import Given
from landslide_core.readers.files import expand
from landslide_core.readers.raster import RasterFile, inspect, sample, spread_of
from landslide_core.readers.reading import Reading
from landslide_core.scene import Decision

HEIGHTS: Final = (-500.0, 9000.0)  # m; the Dead Sea's shore and Everest lie within
COARSE: Final = 100.0  # m of a pixel, above which slopes come out far too gentle


def read_elevation(given: Sequence[Given]) -> Reading:
    """Find the elevation in files of one band each, metres.

    Raises MissingBands for a file of several bands, AmbiguousUnits for numbers that are no
    heights, and what `inspect` raises.
    """
    files = [inspect(place) for place in expand(given)]
    warnings = []
    decisions = []
    for file in files:
        if file.count != 1:
            raise MissingBands(
                f"dem: {file.place.name} has {file.count} bands; one of elevation is needed. Name "
                "another file with --dem."
            )
        values = sample(_source(file))
        if not values.size:
            warnings.append(f"dem: {file.place.name} holds no valid pixel.")
            continue
        low, high = np.percentile(values, (1, 99))
        if low < HEIGHTS[0] or high > HEIGHTS[1]:
            raise AmbiguousUnits(
                f"dem: {file.place.name} holds numbers that are no heights in metres "
                f"({spread_of(values)}). Convert it to metres."
            )
        if file.resolution > COARSE:
            warnings.append(
                f"dem: {file.place.name} has pixels of {file.resolution:.0f} m: slopes come out "
                "too gentle. Choose one of 30 m or finer."
            )
        found = f"{file.place.name}: {spread_of(values)}"
        decisions.append(Decision("dem", "elevation", found, "metres"))
    return Reading(
        elevation=tuple(map(_source, files)),
        decisions=tuple(decisions),
        warnings=tuple(warnings),
        files=tuple(file.place for file in files),
    )


def _source(file: RasterFile) -> BandSource:
    return file.source(1, "metres", file.scales[0], file.offsets[0])
