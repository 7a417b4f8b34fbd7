"""Calibration and thermal noise of a Sentinel-1 image: tables along a few of its lines."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.readers.ground.product import Product
from landslide_core.readers.ground.xml import Doubles, number, numbers, parse, whole

Floats = NDArray[np.float32]
SIGMA_NOUGHT: Final = "sigmaNought"
EVERYWHERE: Final = 1_000_000  # past the last line and pixel of any image


@dataclass(frozen=True)
class Vectors:
    """A table along a few image lines: values at pixels, linear between pixels and lines."""

    lines: Doubles  # (n,) rising
    pixels: tuple[Doubles, ...]  # n of them, each of its own length
    values: tuple[Doubles, ...]

    def over(self, top: int, left: int, height: int, width: int) -> Floats:
        """The table on a part of the image: (height, width); its ends go on past its edges."""
        rows = np.clip(top + np.arange(height), self.lines[0], self.lines[-1])
        before = np.clip(np.searchsorted(self.lines, rows, "right") - 1, 0, len(self.lines) - 1)
        after = np.minimum(before + 1, len(self.lines) - 1)
        gap = np.maximum(self.lines[after] - self.lines[before], 1)
        share = ((rows - self.lines[before]) / gap).astype(np.float32)[:, None]
        first, last = int(before[0]), int(after[-1])
        across = left + np.arange(width)
        profiles = np.stack(
            [np.interp(across, self.pixels[i], self.values[i]) for i in range(first, last + 1)]
        ).astype(np.float32)
        table: Floats = profiles[before - first] * (1 - share) + profiles[after - first] * share
        return table


@dataclass(frozen=True)
class NoiseStripe:
    """How noise varies along the lines of one swath's rectangle, to multiply by."""

    top: int
    bottom: int  # last line
    left: int
    right: int  # last pixel
    lines: Doubles
    factors: Doubles


@dataclass(frozen=True)
class Noise:
    """Thermal noise in the unit of DN²: across the image, and along it in newer products."""

    across: Vectors
    along: tuple[NoiseStripe, ...] = ()

    def over(self, top: int, left: int, height: int, width: int) -> Floats:
        """Noise power on a part of the image: (height, width), DN²."""
        noise = self.across.over(top, left, height, width)
        for stripe in self.along:
            rows = slice(max(stripe.top - top, 0), max(stripe.bottom + 1 - top, 0))
            cols = slice(max(stripe.left - left, 0), max(stripe.right + 1 - left, 0))
            part = noise[rows, cols]
            lines = top + rows.start + np.arange(part.shape[0])
            part *= np.interp(lines, stripe.lines, stripe.factors).astype(np.float32)[:, None]
        return noise


def read_calibration(product: Product, file: str, quantity: str = SIGMA_NOUGHT) -> Vectors:
    """The table A of a quantity, in power = DN² / A². Raises UnreadableRaster."""
    root = parse(product, file, product.text(file))
    with whole(product, file):
        table = _vectors(root, "calibrationVectorList/calibrationVector", quantity)
        if not all((values > 0).all() for values in table.values):
            raise ValueError(f"{quantity} that isn't positive")
        return table


def read_noise(product: Product, file: str) -> Noise:
    """Thermal noise of either generation of annotation. Raises UnreadableRaster.

    Not by xarray-sentinel: of the azimuth vectors it knows the first swath's only, and it has no
    place for older products, with one list or with vectors of several lengths.
    """
    root = parse(product, file, product.text(file))
    with whole(product, file):
        if root.find("noiseRangeVectorList") is None:
            return Noise(_vectors(root, "noiseVectorList/noiseVector", "noiseLut"))
        across = _vectors(root, "noiseRangeVectorList/noiseRangeVector", "noiseRangeLut")
        stripes = root.iterfind("noiseAzimuthVectorList/noiseAzimuthVector")
        return Noise(across, tuple(_stripe(element) for element in stripes))


def _vectors(root: Any, path: str, name: str) -> Vectors:
    found = sorted(
        (
            (number(element, "line"), numbers(element, "pixel"), numbers(element, name))
            for element in root.iterfind(path)
        ),
        key=lambda entry: entry[0],
    )
    for _, pixels, values in found:
        if pixels.size != values.size or not pixels.size or (np.diff(pixels) <= 0).any():
            raise ValueError(f"a {name} vector that doesn't fit its pixels")
    if not found:
        raise ValueError(f"no {name} vectors")
    lines, pixels_of, values_of = zip(*found, strict=True)
    return Vectors(np.array(lines), pixels_of, values_of)


def _stripe(element: Any) -> NoiseStripe:
    """One azimuth vector; without a rectangle it counts for the whole image."""
    lines, factors = numbers(element, "line"), numbers(element, "noiseAzimuthLut")
    if lines.size != factors.size or not lines.size or (np.diff(lines) <= 0).any():
        raise ValueError("a noiseAzimuthLut vector that doesn't fit its lines")
    top, bottom, left, right = (
        int(element.findtext(name) or default)
        for name, default in (
            ("firstAzimuthLine", 0),
            ("lastAzimuthLine", EVERYWHERE),
            ("firstRangeSample", 0),
            ("lastRangeSample", EVERYWHERE),
        )
    )
    return NoiseStripe(top, bottom, left, right, lines, factors)
