"""The two UTM zones of a benchmark scene, and where a pixel of one lies in the other."""

from typing import Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.warp import transform_bounds

from benchmarks.mosaic import Whole
from landslide_core.bands import PIXEL
from landslide_core.simulate import ORIGIN

CRS: Final = "EPSG:32645"
RADAR_CRS: Final = "EPSG:32644"
MARGIN: Final = 20  # pixels that radar reaches beyond the optical image
LATTICE: Final = 32  # pixels between exactly projected points; straight between, to 1e-3 pixels


def radar_grid(size: int) -> tuple[Affine, tuple[int, int]]:
    """Transform and (rows, columns) of the radar grid that encloses a scene."""
    left, top = ORIGIN
    bounds = (left, top - size * PIXEL, left + size * PIXEL, top)
    box = np.array(transform_bounds(CRS, RADAR_CRS, *bounds, densify_pts=99)) / PIXEL
    west, south = np.floor(box[:2]).astype(int) - MARGIN
    east, north = np.ceil(box[2:]).astype(int) + MARGIN
    transform = Affine(PIXEL, 0, west * PIXEL, 0, -PIXEL, north * PIXEL)
    return transform, (int(north - south), int(east - west))


def optical_position(transform: Affine, row: int, shape: tuple[int, int]) -> tuple[Whole, Whole]:
    """Rows and columns, `shape` each, of the optical pixels under radar rows from `row` on."""
    ys, xs = (np.arange(-(-count // LATTICE) + 1) * LATTICE for count in shape)
    x, y = transform @ tuple(np.meshgrid(xs + 0.5, row + ys + 0.5))
    x, y = Transformer.from_crs(RADAR_CRS, CRS, always_xy=True).transform(x, y)
    down, right = (ORIGIN[1] - y) / PIXEL, (x - ORIGIN[0]) / PIXEL
    return _between(down, shape), _between(right, shape)


def _between(nodes: NDArray[np.float64], shape: tuple[int, int]) -> Whole:
    """Nodes every 32 pixels -> whole pixels (rows, columns), straight between the nodes."""
    (i, v), (j, u) = (np.divmod(np.arange(count), LATTICE) for count in shape)
    v, u = v[:, None] / LATTICE, u / LATTICE
    across = nodes[:, j] * (1 - u) + nodes[:, j + 1] * u
    return np.asarray(np.floor(across[i] * (1 - v) + across[i + 1] * v), np.int64)
