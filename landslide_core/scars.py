"""Simulated landslide scars: where slopes fail, which way they run, how far and how wide."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy import ndimage
from scipy.spatial import cKDTree
from shapely import Polygon, affinity, buffer, convex_hull, multipolygons, points, union_all

from landslide_core.bands import PIXEL
from landslide_core.cover import Cover, Kind
from landslide_core.terrain import Floats, Terrain, fractal

SHORTEST, LONGEST = 80.0, 1200.0  # m
BORDER = 20  # pixels kept free, so that no scar is cut by the scene's edge
RUNS = 3000  # runs traced before scars are chosen among them


@dataclass(frozen=True)
class Scars:
    """Landslides of one event on the scene's grid."""

    table: gpd.GeoDataFrame  # id, area_m2, length_m, slope, geometry
    label: NDArray[np.int32]  # (H, W) 1-based row of the table, 0 elsewhere
    along: Floats  # (H, W) 0 at the head .. 1 at the toe


def _runs(rng: np.random.Generator, terrain: Terrain, cover: Cover) -> tuple[Floats, Floats]:
    """Steepest descents (n, steps, 2) in pixels, one a step, and their lengths (n,) in m."""
    shape = terrain.slope.shape
    smooth = ndimage.gaussian_filter(terrain.elevation, 2.0)
    gradient = np.stack(np.gradient(smooth, PIXEL))
    steep = np.degrees(np.arctan(np.hypot(*gradient)))
    # A storm or a quake breaks slopes in clusters; a bare or tilled slope fails less visibly.
    weight = np.exp(1.5 * fractal(rng, shape, 3.0, 300)) * np.clip(steep - 22, 0, 16)
    weight *= np.isin(cover.kind, (Kind.FOREST, Kind.GRASS, Kind.CLEARING))
    inner = np.zeros(shape, bool)
    inner[BORDER:-BORDER, BORDER:-BORDER] = True
    weight = np.where(inner, weight, 0.0) + 1e-9 * inner
    start = rng.choice(weight.size, RUNS, p=(weight / weight.sum()).ravel())

    steps = int(LONGEST / PIXEL) + 1
    at = np.stack(np.divmod(start, shape[1]), axis=1).astype(float)
    heading = np.zeros_like(at)
    path = np.repeat(at[:, None], steps, axis=1)
    moving = np.ones(RUNS, bool)
    count = np.ones(RUNS)
    last = np.full(RUNS, np.inf)
    for step in range(1, steps):
        sample = [ndimage.map_coordinates(g, at.T, order=1, mode="nearest") for g in gradient]
        fall = -np.stack(sample, axis=1)
        tilt = np.hypot(*fall.T)
        heading = 0.55 * heading + fall / np.maximum(tilt, 1e-6)[:, None]  # debris has momentum
        heading /= np.maximum(np.hypot(*heading.T), 1e-6)[:, None]
        height = ndimage.map_coordinates(smooth, at.T, order=1, mode="nearest")
        moving &= height < last  # momentum must not carry it uphill, nor round and round a pit
        last = height
        row, column = np.rint(at).astype(int).T
        moving &= (tilt > np.tan(np.radians(6))) & inner[row, column]
        moving &= (terrain.river_distance[row, column] > 20) | (
            terrain.river_area[row, column] < 2.5
        )
        at = np.where(moving[:, None], at + heading, at)
        path[:, step] = at
        count += moving
    return path, (count - 1) * PIXEL


def _outline(rng: np.random.Generator, path: Floats, width: float) -> Polygon:
    """Outline (x, y) around a path (n, 2), pixels: broad source, narrow track, lobe at the toe."""
    line = ndimage.gaussian_filter1d(path, 2.0, axis=0, mode="nearest")
    along = np.linspace(0, 1, len(line))
    profile = np.interp(
        along, (0, 0.05, 0.18, 0.5, 0.72, 0.9, 1), (0.3, 0.75, 1.0, 0.62, 0.55, 0.8, 0.3)
    )
    direction = np.gradient(line, axis=0)
    direction /= np.maximum(np.hypot(*direction.T), 1e-6)[:, None]
    across = np.stack([-direction[:, 1], direction[:, 0]], axis=1)
    left, right = (
        width / 2 / PIXEL * profile * np.clip(1 + 0.7 * _wander(rng, len(line)), 0.4, 1.7)
        for _ in range(2)
    )
    # Discs joined one by one: offset lines would cross themselves where the path bends.
    middle = line + (left - right)[:, None] / 2 * across
    discs = points(middle[:, ::-1] + 0.5)
    discs = buffer(discs, np.maximum((left + right) / 2, 0.6), quad_segs=4)
    swept = convex_hull(multipolygons(np.stack([discs[:-1], discs[1:]], axis=1)))
    return Polygon(union_all(swept).exterior).simplify(0.1)


def _wander(rng: np.random.Generator, count: int) -> Floats:
    """Smooth noise (count,) along an edge."""
    noise: Floats = ndimage.gaussian_filter1d(rng.standard_normal(count), 2.0, mode="nearest")
    return noise


def make_scars(
    rng: np.random.Generator,
    terrain: Terrain,
    cover: Cover,
    count: int,
    crs: str,
    transform: Affine,
) -> Scars:
    """`count` scars, or as many as find room, with lengths by a power law and none touching.

    Landslide sizes follow a power law with a rollover (Malamud et al. 2004); here exponent −1.35
    of the length between 80 m and 1.2 km.
    """
    shape = terrain.slope.shape
    paths, reach = _runs(rng, terrain, cover)
    share, tail = rng.uniform(0, 1, count), -0.35
    wanted = (SHORTEST**tail + share * (LONGEST**tail - SHORTEST**tail)) ** (1 / tail)
    taken = np.zeros(shape, bool)
    free = np.ones(len(paths), bool)
    rows, lines = [], []
    for length in np.sort(wanted)[::-1]:
        # A run that is long enough, else the longest left.
        order = np.argsort(np.where(reach >= length, 0, length - reach), kind="stable")
        width = float(np.clip(length * rng.lognormal(np.log(0.23), 0.35), 28, 170))
        for i in order[free[order]]:
            steps = int(min(length, reach[i]) / PIXEL) + 1
            free[i] = False
            path = paths[i, :steps]
            row, column = np.rint(path).astype(int).T
            if steps < 6 or taken[row, column].any():
                continue
            outline = _outline(rng, path, min(width, 0.6 * steps * PIXEL))
            if outline.area < 12 or not _clear(outline, taken):
                continue
            lines.append(path)
            rows.append(outline)
            taken |= rasterize([outline.buffer(3)], shape, dtype=np.uint8).astype(bool)
            break
    return _table(rows, lines, terrain, crs, transform)


def _clear(outline: Polygon, taken: NDArray[np.bool_]) -> bool:
    """Whether an outline in pixels stays off pixels already taken."""
    return not taken[rasterize([outline], taken.shape, dtype=np.uint8).astype(bool)].any()


def _table(
    outlines: list[Polygon], lines: list[Floats], terrain: Terrain, crs: str, transform: Affine
) -> Scars:
    """Truth table and label rasters of outlines in pixels."""
    shape = terrain.slope.shape
    label = np.zeros(shape, np.int32)
    along = np.zeros(shape, np.float32)
    slopes, lengths = [], []
    if outlines:
        burn = ((outline, i + 1) for i, outline in enumerate(outlines))
        label = rasterize(burn, shape, dtype=np.int32)
    for i, line in enumerate(lines):
        inside = label == i + 1
        _, nearest = cKDTree(line).query(np.argwhere(inside))
        along[inside] = nearest / (len(line) - 1)
        slopes.append(float(terrain.slope[inside].mean()))
        lengths.append(float(np.hypot(*np.diff(line, axis=0).T).sum() * PIXEL))
    ground = [affinity.affine_transform(outline, transform.to_shapely()) for outline in outlines]
    table = gpd.GeoDataFrame(
        {
            "id": np.arange(1, len(ground) + 1),
            "area_m2": [round(outline.area, 1) for outline in ground],
            "length_m": np.round(lengths, 1),
            "slope": np.round(slopes, 1),
        },
        geometry=ground,
        crs=crs,
    )
    return Scars(table, label, along)
