"""What lies around a tile: its neighbours' verdicts, and the group of like ones it is part of."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from landslide_core.folder import Run, check_inputs
from landslide_core.grid import Tiling
from landslide_core.plan import tiling_of
from landslide_core.readers.inputs import open_scene
from landslide_core.tiles import read_tiles

Floats = NDArray[np.float32]

TOUCHING: Final = ((True,) * 3,) * 3  # by an edge or a corner
_AT_RISK: Final = ("landslide", "uncertain")


@dataclass(frozen=True)
class Neighbour:
    """One tile of a neighbourhood."""

    tile: int
    verdict: str
    probability: float  # NaN without data


@dataclass(frozen=True)
class Neighbourhood:
    """Tiles around one, which is in the middle; None beyond the scene's edge."""

    rows: tuple[tuple[Neighbour | None, ...], ...]
    group: int  # landslide and uncertain tiles that hang together with this one, itself included

    @property
    def near(self) -> tuple[Neighbour, ...]:
        """The tiles that touch the middle one, at most eight."""
        at = len(self.rows) // 2
        found = [row[at - 1 : at + 2] for row in self.rows[at - 1 : at + 2]]
        middle = self.rows[at][at]
        return tuple(one for row in found for one in row if one is not None and one != middle)


def neighbourhood(run: Run, tile: int, reach: int = 1) -> Neighbourhood:
    """The (2 · reach + 1)² tiles around a tile of a run."""
    tiling, tiles = tiling_of(run.meta), run.tiles.set_index("tile_id")
    row, col = divmod(tile, tiling.cols)

    def at(down: int, right: int) -> Neighbour | None:
        if not (0 <= row + down < tiling.rows and 0 <= col + right < tiling.cols):
            return None
        number = (row + down) * tiling.cols + col + right
        return Neighbour(
            number,
            str(tiles.at[number, "verdict"]),
            float(tiles.at[number, "probability"]),
        )

    steps = range(-reach, reach + 1)
    return Neighbourhood(
        tuple(tuple(at(down, right) for right in steps) for down in steps),
        _group(tiles.sort_index()["verdict"].isin(_AT_RISK).to_numpy(), tiling, row, col),
    )


def _group(at_risk: NDArray[np.bool_], tiling: Tiling, row: int, col: int) -> int:
    """Tiles at risk that hang together with one; 0 where it is none itself."""
    groups, _ = ndimage.label(at_risk.reshape(tiling.rows, tiling.cols), TOUCHING)
    return int((groups == groups[row, col]).sum()) if groups[row, col] else 0


def pixels_around(run: Run, around: Neighbourhood) -> dict[int, Floats]:
    """Bands (12, 64, 64) of each tile of a neighbourhood. Raises RunDamaged, SceneError."""
    check_inputs(run)
    tiling = tiling_of(run.meta)
    numbers = [one.tile for row in around.rows for one in row if one is not None]
    windows = [tiling.window(*divmod(number, tiling.cols)) for number in numbers]
    pixels, _ = read_tiles(open_scene(run.inputs()), windows)
    return dict(zip(numbers, pixels, strict=True))
