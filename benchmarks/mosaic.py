"""Which pixel of which block lies where in a benchmark scene: turned, mirrored, repeated."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landslide_core.judgement import VIEWS

Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """A grid of places, each with a block and one of its eight views; it repeats for ever."""

    block: Whole  # (n, m) index of the block
    turn: Whole  # (n, m) index of the view, 0..7

    def pixels(self, side: int, rows: Whole, cols: Whole) -> Whole:
        """Index into all blocks' pixels, (blocks · side²,), of scene rows and columns.

        `rows` and `cols` broadcast against each other; a side of half the block's suits bands of
        20 m.
        """
        n, m = self.block.shape
        place_row, row = np.divmod(rows, side)
        place_col, col = np.divmod(cols, side)
        place = place_row % n * m + place_col % m
        first, down, right = _steps(side)
        turn = self.turn.ravel()
        start = self.block.ravel() * side * side + first[turn]
        found: Whole = start[place] + row * down[turn][place] + col * right[turn][place]
        return found


def _steps(side: int) -> tuple[Whole, Whole, Whole]:
    """First pixel of a block under each view, and the step to the next row and column, (8,)."""
    plain = np.arange(side * side).reshape(side, side)
    mirrored = (plain, plain[:, ::-1])
    views = [np.rot90(mirrored[v // 4], v % 4) for v in range(len(VIEWS))]
    first = np.array([v[0, 0] for v in views])
    return (
        first,
        np.array([v[1, 0] for v in views]) - first,
        np.array([v[0, 1] for v in views]) - first,
    )


def lay_out(places: int, kinds: tuple[Sequence[int], Sequence[int]], seed: int) -> Layout:
    """Places × places blocks, two of either kind in every square of four.

    So scenes of all sizes, from two blocks a side on, hold the same mix of both kinds.
    """
    rng = np.random.default_rng(seed)
    half = -(-places // 2)
    block = np.empty((2 * half, 2 * half), np.int64)
    for i, j in np.ndindex(half, half):
        four = np.concatenate([rng.choice(kind, 2, replace=False) for kind in kinds])
        block[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = rng.permutation(four).reshape(2, 2)
    return Layout(block, rng.integers(0, len(VIEWS), block.shape))
