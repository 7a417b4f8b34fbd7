"""What this program does today at each stage, behind one function each."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from landslide_core.backends import BackendOptions, make_backend
from landslide_core.bundle import Bundle
from landslide_core.features import tile_features
from landslide_core.grid import Tiling
from landslide_core.panel import Panel
from landslide_core.prefilter import Prefilter
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.tiles import read_tiles

Floats = NDArray[np.float32]

_BLOCK = 16  # tiles read at once


def read(inputs: SceneInputs) -> Floats:
    """All tiles (N, 12, 64, 64) of a scene, read block by block."""
    scene = open_scene(inputs)
    tiling = Tiling(*scene.grid.shape)
    room = np.empty((len(tiling), 12, 64, 64), np.float32)
    done = 0
    for row in range(tiling.rows):
        for first in range(0, tiling.cols, _BLOCK):
            last = min(first + _BLOCK, tiling.cols)
            tiles, _ = read_tiles(scene, [tiling.window(row, col) for col in range(first, last)])
            room[done : done + len(tiles)] = tiles
            done += len(tiles)
    return room


def features(tiles: Floats) -> pd.DataFrame:
    """All features of tiles (N, 12, 64, 64)."""
    return tile_features(tiles)


def filter_scores(prefilter: Prefilter, table: pd.DataFrame) -> Floats:
    """Scores (N,) of the filter's trees alone."""
    matrix = table[list(prefilter.features)].to_numpy(np.float32)
    return np.asarray(prefilter.booster.inplace_predict(matrix), np.float32)


def ensemble(bundle: Bundle, device: str, backend: str = "auto") -> Panel:
    """The ensemble as runs ask it."""
    where, notes = torch.device(device), list[str]()
    made = make_backend(BackendOptions(backend), bundle.members, where, notes.append)
    return Panel(bundle, made, where, notes)
