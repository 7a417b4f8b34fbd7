"""Simulated relief: a landscape worn by rivers, its slopes and its stream network."""

import heapq
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from landslide_core.bands import PIXEL

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]

COARSE = 4  # the landscape evolves on 40 m cells: 16 times fewer, and rivers come out smooth
MARGIN = 32  # coarse cells left beyond the scene, so that rivers enter it from outside
STEPS = 36  # enough for the valleys to reach every divide


@dataclass(frozen=True)
class Terrain:
    """Relief on the scene's grid."""

    elevation: Floats  # (H, W) m
    east: Floats  # (H, W) rise per metre eastwards
    north: Floats  # (H, W) rise per metre northwards
    slope: Floats  # (H, W) degrees
    river_distance: Floats  # (H, W) m to the nearest stream
    river_area: Floats  # (H, W) km² drained by that stream


def fractal(
    rng: np.random.Generator,
    shape: tuple[int, int],
    roughness: float = 3.0,
    longest: float = np.inf,
    shortest: float = 2.0,
) -> Floats:
    """Gaussian noise (H, W) of mean 0 and std 1, power ~ frequency^-roughness; lengths in pixels.

    Spectral synthesis (Voss 1988, in The Science of Fractal Images).
    """
    rows = scipy.fft.fftfreq(shape[0])[:, None]
    columns = scipy.fft.rfftfreq(shape[1])[None, :]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = 1.0
    amplitude = frequency ** (-roughness / 2)
    amplitude *= 1 - np.exp(-((frequency * longest) ** 4)) if np.isfinite(longest) else 1.0
    amplitude *= np.exp(-((frequency * shortest / 2) ** 4))
    amplitude[0, 0] = 0.0
    spectrum = scipy.fft.rfft2(rng.standard_normal(shape, dtype=np.float32)) * amplitude
    noise = scipy.fft.irfft2(spectrum, s=shape)
    unit: Floats = (noise / noise.std()).astype(np.float32)
    return unit


def receivers(elevation: Floats) -> Ints:
    """Flat index of each cell's steepest lower neighbour, (N,); N itself where there is none.

    The D8 rule (O'Callaghan & Mark 1984).
    """
    height, width = elevation.shape
    cells = height * width
    index = np.arange(cells).reshape(height, width)
    target = np.full((height, width), cells)
    steepest = np.zeros((height, width))
    padded = np.pad(elevation, 1, constant_values=np.inf)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            if down == right == 0:
                continue
            neighbour = padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]
            drop = (elevation - neighbour) / np.hypot(down, right)
            better = drop > steepest
            steepest[better] = drop[better]
            target[better] = (index + down * width + right)[better]
    return target.ravel()


def drained(receiver: Ints, weight: Floats) -> Floats:
    """Sum of the weights of all cells upstream of each cell, itself included; (N,) -> (N,).

    Pointer doubling: every round reaches twice as far downstream, so no cell order is needed.
    """
    cells = receiver.size
    hop = np.append(receiver, cells)
    total = np.append(weight.astype(np.float64), 0.0)
    while (hop[:-1] < cells).any():
        total += np.bincount(hop, total, minlength=cells + 1)
        total[-1] = 0.0
        hop = hop[hop]
    return total[:-1]


def _flooded(elevation: Floats) -> Floats:
    """Elevation raised until every cell drains to the southern edge (Barnes et al. 2014)."""
    height, width = elevation.shape
    level = elevation.ravel().tolist()
    closed = [False] * len(level)
    queue = [(level[i], i) for i in range((height - 1) * width, height * width)]
    heapq.heapify(queue)
    for _, i in queue:
        closed[i] = True
    while queue:
        z, i = heapq.heappop(queue)
        row, column = divmod(i, width)
        for r in range(max(row - 1, 0), min(row + 2, height)):
            for c in range(max(column - 1, 0), min(column + 2, width)):
                n = r * width + c
                if not closed[n]:
                    closed[n] = True
                    level[n] = max(level[n], z + 0.01)
                    heapq.heappush(queue, (level[n], n))
    return np.array(level).reshape(height, width)


def _worn(rng: np.random.Generator, shape: tuple[int, int], hillslope: float) -> Floats:
    """Elevation (h, w) of a coarse landscape near balance of uplift and river erosion, in m.

    Stream power law, dz/dt = U − K·A^m·S, stepped implicitly from the outlet upstream (Braun &
    Willett 2013), here by pointer doubling; `hillslope` is the balanced slope of one cell.
    """
    height, width = shape
    cells, cell, exponent, rate = height * width, PIXEL * COARSE, 0.36, 2.0
    fall = np.linspace(1.0, 0.0, height)[:, None]  # the rivers leave southwards
    # Without a closed basin at the start, none forms: an inner sink would rise with its valley.
    elevation = _flooded(120 * fall + 40 * fractal(rng, shape, 2.6, 90))
    resistance = np.exp(0.3 * fractal(rng, shape, 3.0, 60))
    uplift = rate * hillslope * cell * np.ones(shape)
    uplift[-1] = 0.0
    for _ in range(STEPS):
        receiver = receivers(elevation)
        receiver[-width:] = cells  # base level
        area = drained(receiver, np.ones(cells))
        outlet = receiver == cells
        target = np.where(outlet, np.arange(cells), receiver)
        jump = abs(target - np.arange(cells))
        step = np.where((jump == 1) | (jump == width), 1.0, np.sqrt(2))
        wear = np.where(outlet, 0.0, rate * area**exponent / (resistance.ravel() * step))
        # z_i = a_i + b_i·z_receiver, composed downstream
        offset = (elevation + uplift).ravel() / (1 + wear)
        factor = np.where(outlet, 0.0, wear / (1 + wear))
        while (factor > 1e-9).any():
            offset = offset + factor * offset[target]
            factor = factor * factor[target]
            target = target[target]
        elevation = offset.reshape(shape)
        # Soil creeps on hillslopes only: in channels it would dam the valleys.
        creep = 0.24 * np.exp(-area / 80).reshape(shape)
        elevation = elevation + creep * ndimage.laplace(elevation, mode="nearest")
    return elevation


def _streams(coarse: Floats, least: float) -> tuple[Floats, Floats]:
    """Points (M, 2) along streams in coarse cells, and the km² (M,) each drains; ≥ `least` km²."""
    width = coarse.shape[1]
    receiver = receivers(coarse)
    area = drained(receiver, np.ones(receiver.size)) * (PIXEL * COARSE / 1000) ** 2
    start = np.flatnonzero((area >= least) & (receiver < receiver.size))
    stop = receiver[start]
    share = np.linspace(0, 1, 3 * COARSE)[:, None]
    rows = (1 - share) * (start // width) + share * (stop // width)
    columns = (1 - share) * (start % width) + share * (stop % width)
    return (
        np.stack([rows.ravel(), columns.ravel()], axis=1),
        np.broadcast_to(area[start], rows.shape).ravel(),
    )


def make_terrain(rng: np.random.Generator, height: int, width: int) -> Terrain:
    """Relief of one seed: how steep, rough and high the belt is differs from seed to seed."""
    hillslope = rng.uniform(0.28, 0.55)
    extent = (height // COARSE + 2 * MARGIN, width // COARSE + 2 * MARGIN)
    coarse = _worn(rng, extent, hillslope)
    coarse = coarse * rng.uniform(1.5, 2.3)

    # Bent coordinates hide the eight directions of the coarse drainage.
    bend = np.stack([fractal(rng, (height, width), 3.2, 60) for _ in range(2)]) * 0.7
    at = np.indices((height, width)) / COARSE + MARGIN + bend
    elevation = ndimage.map_coordinates(coarse, at, order=3, mode="nearest")

    points, area = _streams(coarse, 0.6)
    fine = (points - MARGIN) * COARSE
    inside = np.clip(np.rint(fine).astype(int), 0, [height - 1, width - 1])
    fine = fine - COARSE * bend[:, inside[:, 0], inside[:, 1]].T
    rows, columns = np.rint(fine).astype(int).T
    kept = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    channel = np.zeros((height, width))
    np.maximum.at(channel, (rows[kept], columns[kept]), area[kept])
    if not kept.any():  # a scene too small for a stream: one far outside
        distance, nearest = np.full((height, width), 1e4), np.zeros((height, width))
        bed = elevation
    else:
        distance, (i, j) = ndimage.distance_transform_edt(channel == 0, return_indices=True)
        distance = distance * PIXEL
        nearest, bed = channel[i, j], elevation[i, j]

    # Large rivers have filled their valley floors with gravel.
    floor = 35 * np.sqrt(nearest)
    rise = np.clip((distance - 0.4 * floor) / (0.6 * floor + 1), 0, 1)
    elevation = bed + 2 + (elevation - bed) * (0.08 + 0.92 * rise * rise * (3 - 2 * rise))

    near = np.clip(1.5 - distance / (floor + 1), 0, 1)  # else the nearest bed jumps between arms
    elevation += near * (ndimage.gaussian_filter(elevation, 4) - elevation)

    steep = np.hypot(*np.gradient(ndimage.gaussian_filter(elevation, 3), PIXEL))
    rough = rng.uniform(0.7, 1.3) * np.clip(steep / 0.5, 0.05, 1.4)
    elevation = elevation + rough * (
        1.0 * fractal(rng, (height, width), 3.4, 40) + 0.25 * fractal(rng, (height, width), 2.0, 6)
    )
    elevation += rng.uniform(400, 1400) - elevation.min()
    down, east = np.gradient(elevation, PIXEL)
    return Terrain(
        elevation.astype(np.float32),
        east.astype(np.float32),
        (-down).astype(np.float32),
        np.degrees(np.arctan(np.hypot(down, east))).astype(np.float32),
        distance.astype(np.float32),
        nearest.astype(np.float32),
    )
