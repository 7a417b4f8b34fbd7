"""Ground of a run, each piece counted once: under each verdict, and where its alarms lie."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from landslide_core.bands import TILE
from landslide_core.folder import Run
from landslide_core.grid import ground_size
from landslide_core.judgement import VERDICTS
from landslide_core.plan import tiling_of

Areas = NDArray[np.float64]


@dataclass(frozen=True)
class Cluster:
    """Tiles that touch or overlap: one place for whoever goes there."""

    best: int  # tile_id of the most probable one
    probability: float  # of that one; NaN where it has none
    tiles: int
    ground: float  # km²


def areas(run: Run) -> dict[str, float]:
    """Ground (km²) under each verdict and under "alarm"; where tiles overlap the worse counts."""
    alarm = tiling_of(run.meta).cells(run.tiles["alarm"].to_numpy(np.int64), "max")
    return {**_by_verdict(run), "alarm": float(_ground(run)[alarm > 0].sum())}


def ground_shares(run: Run) -> dict[str, float]:
    """Share 0..1 of a scene's ground under each verdict; together 1.

    Tiles at the edge count by their ground on the scene, and overlaps once, by the worse verdict.
    """
    found = _by_verdict(run)
    total = sum(found.values())
    return {name: ground / total for name, ground in found.items()}


def _by_verdict(run: Run) -> dict[str, float]:
    """Ground (km²) under each verdict."""
    # Codes rise from "no_data" to "landslide", in the order of alarm.
    codes = run.tiles["verdict"].map({name: i for i, name in enumerate(VERDICTS)})
    worst, ground = tiling_of(run.meta).cells(codes.to_numpy(np.int64), "max"), _ground(run)
    return {name: float(ground[worst == i].sum()) for i, name in enumerate(VERDICTS)}


def clusters(run: Run, tiles: pd.DataFrame, chosen: "pd.Series[bool]") -> list[Cluster]:
    """Chosen tiles, of all tiles of a run, in clusters: the most probable first."""
    tiling, flags = tiling_of(run.meta), chosen.to_numpy(bool)
    covered = tiling.cells(flags.astype(np.int64), "max") > 0
    # Cells that share a corner join, so tiles that overlap or touch do, also by a corner.
    numbers, _ = ndimage.label(covered, np.ones((3, 3)))
    ground = np.bincount(numbers.ravel(), _ground(run).ravel())
    picked = tiles[flags].sort_values(
        ["probability", "tile_id"], ascending=[False, True], kind="stable", na_position="last"
    )
    of = pd.Series(numbers[picked["row"].to_numpy(), picked["col"].to_numpy()], index=picked.index)
    counts, best = of.value_counts(), picked[~of.duplicated()]
    return [
        Cluster(int(row.tile_id), float(row.probability), int(counts[of[i]]), float(ground[of[i]]))
        for i, row in zip(best.index, best.itertuples(), strict=True)
    ]


def _ground(run: Run) -> Areas:
    """km² of each stride-sized cell of a run's tiling that lie on the scene, (rows, columns)."""
    tiling, grid = tiling_of(run.meta), run.grid()
    high, wide = (np.diff(np.minimum(np.arange(0, n + TILE, tiling.stride), n)) for n in grid.shape)
    across, down = ground_size(grid.geobox)
    reach = TILE // tiling.stride - 1
    pixels = np.outer(high[: tiling.rows + reach], wide[: tiling.cols + reach])
    return np.asarray(pixels * across * down / 1e6, np.float64)
