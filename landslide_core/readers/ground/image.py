"""The pixels of a ground range image: calibrated, and sampled on a part of a scene's grid."""

import itertools
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window as Box

from landslide_core.bands import PIXEL
from landslide_core.errors import UnreadableRaster
from landslide_core.grid import Grid, Window
from landslide_core.pixels import Floats
from landslide_core.places import place_of
from landslide_core.readers.ground.geometry import RadarGeometry, Sight
from landslide_core.readers.ground.heights import Terrain
from landslide_core.readers.ground.tables import Noise, Vectors
from landslide_core.readers.ground.xml import Doubles
from landslide_core.resample import OUTSIDE, bilinear, bordered

BLOCK: Final = 512  # pixels a side that are geocoded at once; one tile of the file that is written
# Sigma nought where the noise was as strong as the echo: −40 dB. The weakest that the sensor
# tells from its noise is −22 dB, and every pixel needs a logarithm.
FLOOR: Final = 1e-4


@dataclass(frozen=True)
class Image:
    """An open measurement and what turns it into backscatter: power = (DN² − noise) / A²."""

    file: Any
    geometry: RadarGeometry
    calibration: Vectors
    noise: Noise | None

    def power(self, part: Window) -> Floats:
        """Backscatter of a part of the image in a border of no data: (1, height + 2, width + 2).

        Linear power, below 0 where noise was the stronger; DN 0 is no data. Raises
        UnreadableRaster.
        """
        try:
            stored = self.file.read(1, window=Box(part.col, part.row, part.width, part.height))
        except (RasterioError, OSError) as error:
            raise UnreadableRaster(
                f"{place_of(self.file.name)} cannot be read ({error}); a complete measurement is "
                "needed. Download the product again."
            ) from error
        box = part.row, part.col, part.height, part.width
        power = stored.astype(np.float32)
        power *= power
        if self.noise is not None:
            power -= self.noise.over(*box)
        table = self.calibration.over(*box)
        power /= table * table
        power[stored == 0] = np.nan
        framed = bordered(1, [part])
        framed.fill(np.nan)
        framed[0, 1:-1, 1:-1] = power
        return framed


@dataclass(frozen=True)
class Piece:
    """A geocoded part of the grid, linear power (height, width), and how many pixels it has."""

    power: Floats  # NaN = no data
    valid: int
    floored: int  # raised to FLOOR
    with_dem: int  # of the valid ones


def blocks(view: Sight, grid: Grid) -> list[Window]:
    """The blocks of a grid that the image may cover, in the order of its lines.

    So neighbouring blocks share decoded lines: on the ground a row of blocks runs across many.
    """
    found = []
    for row in range(0, grid.height, BLOCK):
        for col in range(0, grid.width, BLOCK):
            part = grid.clip(Window(row, col, BLOCK, BLOCK))
            line = view.touches(part)
            if line is not None:
                found.append((line, row, col, part))
    return [part for *_, part in sorted(found, key=lambda entry: entry[:3])]


def geocoded(image: Image, view: Sight, terrain: Terrain, part: Window) -> Piece:
    """Backscatter on a part of the grid: bilinear in linear power, DEM first. See `Piece`.

    Noise is only cut off at FLOOR after resampling, so that it averages out before.
    """
    heights = terrain.over(part)
    known = np.isfinite(heights)
    if not known.all():
        heights = np.where(known, heights, view.reference_heights(part))
    under = _reach(image, view, part, heights)
    empty = np.full((part.height, part.width), np.nan, np.float32)
    if not (under.height and under.width):
        return Piece(empty, 0, 0, 0)
    power = _sampled(image.power(under), under, view, part, heights, _points(image))
    valid = np.isfinite(power)
    low = valid & (power < FLOOR)
    power[low] = FLOOR
    return Piece(power, int(valid.sum()), int(low.sum()), int((valid & known).sum()))


def _points(image: Image) -> int:
    """Points a side to average over in a pixel of the grid: one unless the image is finer."""
    return max(1, math.ceil(PIXEL / min(image.geometry.annotation.spacing) - 0.3))


def _reach(image: Image, view: Sight, part: Window, heights: Doubles) -> Window:
    """The part of the image that a part of the grid and its sub-pixels need."""
    line, pixel = view.at(part, heights, 0.5, 0.5)
    found = image.geometry.annotation
    known = pixel > OUTSIDE
    known &= (line > -BLOCK) & (line < found.lines + BLOCK)
    known &= (pixel > -BLOCK) & (pixel < found.pixels + BLOCK)
    if not known.any():
        return Window(0, 0, 0, 0)
    margin = 2 + math.ceil(PIXEL / min(found.spacing))
    (top, bottom), (left, right) = (
        (int(np.floor(axis[known].min())) - margin, int(np.ceil(axis[known].max())) + margin)
        for axis in (line, pixel)
    )
    bottom, right = min(bottom + 1, found.lines), min(right + 1, found.pixels)
    top, left = max(top, 0), max(left, 0)
    return Window(top, left, max(bottom - top, 0), max(right - left, 0))


def _sampled(
    power: Floats, under: Window, view: Sight, part: Window, heights: Doubles, points: int
) -> Floats:
    """The mean of the valid points in every pixel of a part: (height, width)."""
    centres = (np.arange(points) + 0.5) / points
    total, count = np.zeros((2, part.height, part.width), np.float32)
    for down, right in itertools.product(centres, centres):
        line, pixel = view.at(part, heights, down, right)
        values = bilinear(power, under, line + 0.5, pixel + 0.5)[0]
        valid = np.isfinite(values)
        total += np.where(valid, values, np.float32(0))
        count += valid
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
