"""Where a scene's pixels lie in a raster on another grid, and the raster's values there.

Whatever the window, a pixel gets the same value to the last bit: positions are counted from the
origins of the grid and of the raster, never of a window.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.grid import Grid, Window, into

Floats = NDArray[np.float32]
Doubles = NDArray[np.floating]
Places = NDArray[np.intp]

LATTICE: Final = 32  # pixels between exactly projected points; straight between, to 1e-3 pixels
OUTSIDE: Final = -1e12  # where a projection has no answer; pixels around it lie outside as well


@dataclass(frozen=True)
class Lattice:
    """Grid pixels exactly projected into a raster, every 32 pixels from the grid's origin."""

    ys: Doubles  # (n,) grid rows
    xs: Doubles  # (m,) grid columns
    rows: Doubles  # (n, m) raster rows there, 0 at the top edge
    cols: Doubles  # (n, m)

    def over(self, part: Window) -> "Lattice":
        """The nodes that enclose a part of the window."""
        rows, cols = (
            slice(*np.searchsorted(nodes, (inside[0], inside[-1] + 1)))
            for nodes, inside in (
                (self.ys, _nodes(part.row, part.height)),
                (self.xs, _nodes(part.col, part.width)),
            )
        )
        return Lattice(self.ys[rows], self.xs[cols], self.rows[rows, cols], self.cols[rows, cols])

    def at(self, part: Window, down: float, right: float) -> tuple[Doubles, Doubles]:
        """Raster rows and columns, (height, width) each, of a point inside every pixel."""
        top, v = _steps(self.ys, part.row + down + np.arange(part.height))
        left, u = _steps(self.xs, part.col + right + np.arange(part.width))
        rows, cols = (
            across[top] * (1 - v[:, None]) + across[top + 1] * v[:, None]
            for across in (
                nodes[:, left] * (1 - u) + nodes[:, left + 1] * u
                for nodes in (self.rows, self.cols)
            )
        )
        return rows, cols

    def reach(self, own: Grid) -> Window:
        """The part of a raster that its pixels under the lattice, and their neighbours, need."""
        known = self.rows > OUTSIDE
        if not known.any():
            return Window(0, 0, 0, 0)
        rows, cols = self.rows[known], self.cols[known]
        top, left = (int(np.floor(axis.min())) - 1 for axis in (rows, cols))
        bottom, right = (int(np.ceil(axis.max())) + 1 for axis in (rows, cols))
        return own.clip(Window(top, left, bottom - top, right - left))


def lattice_of(own: Grid, grid: Grid, window: Window) -> Lattice:
    """The lattice that encloses a window; its nodes are the same whatever the window."""
    ys, xs = _nodes(window.row, window.height), _nodes(window.col, window.width)
    places: Any = tuple(np.meshgrid(xs, ys))
    x, y = grid.transform @ places
    x, y = into(own.geobox, grid.geobox.crs, x, y)
    with np.errstate(invalid="ignore"):  # infinite where the projection has no answer
        cols, rows = ~own.transform @ (x, y)
    known = np.isfinite(rows) & np.isfinite(cols)
    return Lattice(ys, xs, np.where(known, rows, OUTSIDE), np.where(known, cols, OUTSIDE))


def _nodes(start: int, size: int) -> Doubles:
    """The multiples of 32 that enclose a stretch of pixels."""
    return np.arange(start // LATTICE, -(-(start + size) // LATTICE) + 1) * float(LATTICE)


def _steps(nodes: Doubles, points: Doubles) -> tuple[Places, Doubles]:
    """The node before each point, and the share of the way to the next."""
    before = ((points - nodes[0]) // LATTICE).astype(np.intp)
    return before, (points - nodes[before]) / LATTICE


def bordered(count: int, parts: Sequence[Window]) -> Floats:
    """Room for planes of one part of a raster at a time, each in a border of no data.

    A part's first pixel belongs at row and column 1.
    """
    height = max((part.height for part in parts), default=0)
    width = max((part.width for part in parts), default=0)
    return np.empty((count, height + 2, width + 2), np.float32)


def nearest(planes: Floats, part: Window, rows: Doubles, cols: Doubles) -> Floats:
    """Values of the pixels of a bordered part that hold the positions; NaN outside."""
    row = np.clip(np.floor(rows + 1e-6), part.row - 1, part.row + part.height)
    col = np.clip(np.floor(cols + 1e-6), part.col - 1, part.col + part.width)
    places = _flat(planes, part, row.astype(np.intp) + 1, col.astype(np.intp) + 1)
    return np.stack([plane.ravel().take(places) for plane in planes])


def bilinear(planes: Floats, part: Window, rows: Doubles, cols: Doubles) -> Floats:
    """Bilinear over the valid neighbours of a bordered part; NaN where they have less than half.

    Pixels with a neighbour that isn't valid are found by the result and done again, which gives
    the others the value they would have had: the sum of shares is 1 only to the last bit.
    """
    row = np.clip(rows + 0.5, part.row, part.row + part.height + 0.99)  # from the border's centre
    col = np.clip(cols + 0.5, part.col, part.col + part.width + 0.99)
    top, left = row.astype(np.intp), col.astype(np.intp)
    down, right = (row - top).astype(np.float32), (col - left).astype(np.float32)
    places = _flat(planes, part, top, left)
    up, back = 1 - down, 1 - right
    shares = (up * back, up * right, down * back, down * right)
    whole = _sum(shares)
    out = np.empty((len(planes), *rows.shape), np.float32)
    for result, plane in zip(out, planes, strict=True):
        near = _neighbours(plane, places)
        with np.errstate(invalid="ignore"):
            np.divide(_sum([v * s for v, s in zip(near, shares, strict=True)]), whole, out=result)
        gaps = ~np.isfinite(result)
        if gaps.any():
            result[gaps] = _over_valid(
                _neighbours(plane, places[gaps]), [share[gaps] for share in shares]
            )
    return out


def _flat(planes: Floats, part: Window, top: Places, left: Places) -> Places:
    """Positions in a bordered plane laid out flat, from rows and columns counted from 1."""
    places: Places = (top - part.row) * planes.shape[2] + (left - part.col)
    return places


def _neighbours(plane: Floats, places: Places) -> list[Floats]:
    """The values at flat positions, right of them, below them, and below right."""
    flat, width = plane.ravel(), plane.shape[1]
    return [flat[step:].take(places) for step in (0, 1, width, width + 1)]


def _over_valid(near: Sequence[Floats], shares: Sequence[Floats]) -> Floats:
    """Weighted mean of the valid neighbours; NaN where their shares are less than half."""
    valid = [np.isfinite(values) for values in near]
    weight = _sum([v * share for v, share in zip(valid, shares, strict=True)])
    weight[weight < 0.5 - 1e-6] = np.nan  # less than half, but not by rounding
    known = [np.where(v, values, np.float32(0)) for v, values in zip(valid, near, strict=True)]
    return _sum([values * share for values, share in zip(known, shares, strict=True)]) / weight


def _sum(parts: Sequence[Floats]) -> Floats:
    """Sum in order, so that it is the same to the last bit wherever it is taken."""
    total = parts[0] + parts[1]
    total += parts[2]
    total += parts[3]
    return total
