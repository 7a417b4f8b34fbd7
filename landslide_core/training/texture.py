"""Random spatial fields for surrogate patches: terrain, fields, bodies, grain."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from landslide_core.bands import TILE

Floats = npt.NDArray[np.float64]

_CANVAS: Final = 96  # drawn larger and cropped: FFT noise repeats at its edges


@dataclass(frozen=True)
class Ground:
    """What optical and radar share; every field (64, 64) with mean 0 and variance 1."""

    light: Floats  # sunlit against shaded slopes
    facing: Floats  # slopes toward a radar looking from the west
    cover: Floats  # land cover: patchwork and fractal
    bodies: Floats  # compact bright or dark bodies
    fresh: Floats  # bodies that came between the pre and the post pass


def ground(rng: np.random.Generator) -> Ground:
    """Draw terrain, cover and bodies of one patch."""
    height = fractal(rng, rng.uniform(3.0, 4.2), rng.uniform(1, 3), rng.uniform(0, np.pi))
    ridge = fractal(rng, rng.uniform(3.0, 4.0), rng.uniform(1, 4), rng.uniform(0, np.pi))
    height = height - rng.uniform(0, 1.5) * np.abs(ridge)
    down_rows, down_columns = np.gradient(height)
    sun = rng.uniform(0, 2 * np.pi)
    tilt = rng.normal(0, 0.2)  # the track is not quite north-south
    light = np.cos(sun) * down_columns + np.sin(sun) * down_rows
    facing = np.cos(tilt) * down_columns + np.sin(tilt) * down_rows
    share = rng.uniform(0, 0.9)
    cover = np.sqrt(share) * patchwork(rng) + np.sqrt(1 - share) * fractal(rng, rng.uniform(2, 3.5))
    return Ground(
        _standard(light), _standard(facing), _standard(cover), bodies(rng), bodies(rng, most=3)
    )


def fractal(
    rng: np.random.Generator, slope: float, stretch: float = 1.0, angle: float = 0.0
) -> Floats:
    """Power-law noise: power falls as frequency^-slope, features stretched along the angle."""
    rows, columns = _frequencies()
    along = np.cos(angle) * columns + np.sin(angle) * rows
    across = np.cos(angle) * rows - np.sin(angle) * columns
    squared = along**2 * stretch + across**2 / stretch
    squared[0, 0] = np.inf
    return _noise(rng, squared ** (-slope / 4))


def grain(rng: np.random.Generator, blur: float) -> Floats:
    """Speckle, sensor noise, single trees: white noise behind a Gaussian blur in pixels.

    Sensors sample finer than they resolve: neighbours in real radar scenes correlate at 0.8.
    """
    rows, columns = _frequencies()
    return _noise(rng, np.exp(-2 * (np.pi * blur) ** 2 * (rows**2 + columns**2)))


def _frequencies() -> tuple[Floats, Floats]:
    """Row (n, 1) and column (1, n/2 + 1) frequencies of the canvas, per pixel."""
    rows: Floats = np.fft.fftfreq(_CANVAS).astype(np.float64)[:, None]
    columns: Floats = np.fft.rfftfreq(_CANVAS).astype(np.float64)[None, :]
    return rows, columns


def _noise(rng: np.random.Generator, amplitude: Floats) -> Floats:
    """Random field (64, 64) with the amplitude of each frequency, mean 0, variance 1."""
    waves = rng.standard_normal((2, *amplitude.shape))
    canvas = np.fft.irfft2((waves[0] + 1j * waves[1]) * amplitude, s=(_CANVAS, _CANVAS))
    return _standard(canvas[:TILE, :TILE])


def patchwork(rng: np.random.Generator) -> Floats:
    """Fields, stands and lots: cells around random seeds, each of one level."""
    count = int(rng.integers(4, 45))
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 3)
    rows, columns = _rotated(angle)
    warp = rng.uniform(0, 6)
    rows = rows * stretch + warp * fractal(rng, 3.0)
    seeds = rng.uniform(-0.8 * TILE, 0.8 * TILE, (2, 2 * count, 1, 1))
    away, aside = np.abs(rows - stretch * seeds[0]), np.abs(columns - seeds[1])
    square = rng.uniform() < 0.4
    distance = np.maximum(away, aside) if square else away**2 + aside**2
    levels = rng.standard_normal(2 * count)
    return _standard(levels[distance.argmin(axis=0)])


def bodies(rng: np.random.Generator, most: int = 7) -> Floats:
    """Up to most bodies, from round to long, smooth to ragged, bright or dark."""
    field = 0.02 * fractal(rng, 2.5)
    for _ in range(int(rng.integers(1, most + 1))):
        rows, columns = _rotated(rng.uniform(0, np.pi))
        offset = rng.uniform(-0.5 * TILE, 0.5 * TILE, 2)
        size = np.exp(rng.uniform(np.log(1.5), np.log(16)))  # pixels, radius of a round one
        long = np.exp(rng.uniform(0, np.log(5)))
        bend = rng.normal(0, 0.01)
        rows, columns = rows - offset[0], columns - offset[1]
        rows = rows + bend * columns**2
        radius = np.hypot(rows / size * np.sqrt(long), columns / size / np.sqrt(long))
        ragged = rng.uniform(0, 0.5) * fractal(rng, rng.uniform(2, 3.5))
        edge = rng.uniform(0.05, 0.4)
        inside = 1 / (1 + np.exp(np.clip((radius + ragged - 1) / edge, -30, 30)))
        field = field + rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 2) * inside
    return _standard(field)


def blend(*parts: tuple[float, Floats]) -> Floats:
    """Weighted sum of fields, brought to mean 0 and variance 1."""
    return _standard(sum((weight * field for weight, field in parts), np.zeros((TILE, TILE))))


def _rotated(angle: float) -> tuple[Floats, Floats]:
    """Row and column of every pixel from the centre, turned by an angle."""
    rows, columns = np.mgrid[:TILE, :TILE] - 0.5 * (TILE - 1)
    turned_rows: Floats = np.cos(angle) * rows - np.sin(angle) * columns
    turned_columns: Floats = np.sin(angle) * rows + np.cos(angle) * columns
    return turned_rows, turned_columns


def _standard(field: Floats) -> Floats:
    """Mean 0, variance 1."""
    scaled: Floats = (field - field.mean()) / max(float(field.std()), 1e-12)
    return scaled
