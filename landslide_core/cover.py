"""Simulated land cover: what grows or stands where, from relief and rivers."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from landslide_core.bands import PIXEL
from landslide_core.terrain import Terrain, fractal


class Kind(IntEnum):
    """Land cover classes."""

    FOREST = 0
    GRASS = 1
    CROP = 2
    ROCK = 3
    GRAVEL = 4
    WATER = 5
    SETTLEMENT = 6
    ROAD = 7
    CLEARING = 8


@dataclass(frozen=True)
class Cover:
    """Land cover on the scene's grid."""

    kind: NDArray[np.uint8]  # (H, W) of Kind
    parcel: NDArray[np.int32]  # (H, W) field number, 0 off cropland
    parcels: int  # numbers run from 1 to this


def _fields(
    rng: np.random.Generator, terrain: Terrain, crop: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], int]:
    """Field numbers (H, W): Voronoi cells stretched along the contours, as terraces are."""
    parcel = np.zeros(crop.shape, np.int32)
    rows, columns = np.nonzero(crop)
    if rows.size == 0:
        return parcel, 0
    points = np.column_stack([rows, columns, terrain.elevation[crop] / 4]).astype(np.float32)
    count = max(rows.size // 55, 1)
    centres = points[rng.choice(rows.size, count, replace=False)]
    _, nearest = cKDTree(centres).query(points)
    parcel[crop] = nearest + 1
    return parcel, count


def _roads(terrain: Terrain, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Hill roads (H, W): near-level lines that wander along the valley sides."""
    shape = terrain.slope.shape
    height = ndimage.gaussian_filter(terrain.elevation, 4) + 15 * fractal(rng, shape, 4.0, 200)
    roads = np.zeros(shape, bool)
    for share in rng.uniform(0.12, 0.55, 2):
        above = height > np.quantile(height, share)
        edge = np.zeros(shape, bool)
        edge[:-1] |= above[:-1] != above[1:]
        edge[:, :-1] |= above[:, :-1] != above[:, 1:]
        roads |= edge & (fractal(rng, shape, 3.6, 250) > 0.3)
    return roads & (terrain.slope < 38)


def make_cover(rng: np.random.Generator, terrain: Terrain) -> Cover:
    """Land cover of one seed; how much is forest, field or bare differs from seed to seed."""
    shape = terrain.slope.shape
    distance, area = terrain.river_distance, terrain.river_area
    slope = ndimage.gaussian_filter(terrain.slope, 2.0)  # people and trees heed the wider slope
    patchy = fractal(rng, shape, 3.2, 120)
    ragged = fractal(rng, shape, 2.2, 30)
    high = (terrain.elevation - np.median(terrain.elevation)) / terrain.elevation.std()

    kind = np.full(shape, Kind.FOREST, np.uint8)
    kind[patchy + 0.2 * ragged + 0.45 * high > rng.uniform(0.3, 1.6)] = Kind.GRASS
    clearing = fractal(rng, shape, 2.6, 25)
    kind[(kind == Kind.FOREST) & (clearing > 2.9) & (slope < 30)] = Kind.CLEARING
    # The gentler and the lower, the likelier it is tilled.
    suited = (18 - slope) / 7 - 0.6 * high + 1.1 * fractal(rng, shape, 3.4, 150) + 0.08 * ragged
    crop = (suited > rng.uniform(-0.2, 2.0)) & (slope < 27)
    kind[crop] = Kind.CROP
    kind[(slope + 4 * ragged + 2.5 * high > rng.uniform(49, 55))] = Kind.ROCK
    houses = fractal(rng, shape, 2.4, 40) + 0.7 * fractal(rng, shape, 0.8, 6)
    kind[crop & (houses > 2.3) & (slope < 16)] = Kind.SETTLEMENT
    kind[_roads(terrain, rng) & np.isin(kind, (Kind.FOREST, Kind.GRASS, Kind.CROP))] = Kind.ROAD

    width = np.where(area > 2.5, 4 + 6 * np.sqrt(area), 0)  # m, half; smaller streams hide
    bars = width * (1.3 + 0.9 * fractal(rng, shape, 2.4, 50))
    kind[(distance < bars) & (slope < 20)] = Kind.GRAVEL
    kind[distance < width + 2 * ragged] = Kind.WATER
    kind[(distance < PIXEL) & (area > 6)] = Kind.WATER

    parcel, parcels = _fields(rng, terrain, kind == Kind.CROP)
    return Cover(kind, parcel, parcels)
