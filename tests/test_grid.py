"""Tiling and placing back, with images whose pixel values are their own coordinates."""

from itertools import product

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from landslide_core.errors import MissingCRS, SceneTooSmall
from landslide_core.grid import Grid, Tiling, Window, cut, grid_from_raster, place

SIZES = [(64, 64), (65, 64), (160, 200), (192, 96), (127, 129)]
ORIGIN = Affine(10, 0, 500_000, 0, -10, 3_100_000)


def coordinates(height, width):
    """Row and column of every pixel, (2, height, width), read-only."""
    image = np.indices((height, width)).astype(np.float32)
    image.flags.writeable = False
    return image


@pytest.mark.parametrize("stride", [64, 32])
@pytest.mark.parametrize("size", SIZES)
def test_cutting_and_placing_back_is_the_identity(size, stride):
    image, tiling = coordinates(*size), Tiling(*size, stride)
    tiles = cut(image, tiling)
    assert tiles.shape == (len(tiling), 2, 64, 64)
    np.testing.assert_array_equal(place(tiles, tiling), image)


@pytest.mark.parametrize("stride", [64, 32])
@pytest.mark.parametrize("size", SIZES)
def test_tiles_know_their_windows_and_overhang_is_nan(size, stride):
    tiling = Tiling(*size, stride)
    windows = list(tiling.windows())
    assert len(windows) == len(tiling) == tiling.rows * tiling.cols
    for i, (tile, window) in enumerate(zip(cut(coordinates(*size), tiling), windows, strict=True)):
        assert window == tiling.window(*divmod(i, tiling.cols))
        assert tuple(tile[:, 0, 0]) == (window.row, window.col)
        inside = Grid(GeoBox(size, ORIGIN, "EPSG:32645")).clip(window)
        assert inside.height * inside.width == np.isfinite(tile[0]).sum() > 0


@pytest.mark.parametrize("stride", [64, 32])
@pytest.mark.parametrize("size", SIZES)
def test_every_pixel_is_in_a_tile_and_no_tile_is_needless(size, stride):
    tiling = Tiling(*size, stride)
    for pixels, count in zip(size, (tiling.rows, tiling.cols), strict=True):
        assert (count - 1) * stride + 64 >= pixels
        assert count == 1 or (count - 2) * stride + 64 < pixels


def test_a_strip_holds_its_row_of_tiles_and_nothing_more():
    tiling = Tiling(160, 200, 32)
    for row in range(tiling.rows):
        strip = tiling.strip(row)
        assert (strip.row, strip.col, strip.height) == (tiling.window(row, 0).row, 0, 64)
        assert strip.width == tiling.window(row, tiling.cols - 1).col + 64


def test_clip_keeps_what_lies_on_the_grid():
    grid = Grid(GeoBox((100, 120), ORIGIN, "EPSG:32645"))
    assert grid.clip(Window(10, 20)) == Window(10, 20)
    assert grid.clip(Window(64, 64)) == Window(64, 64, 36, 56)
    assert grid.clip(Window(-10, -20)) == Window(0, 0, 54, 44)
    outside = grid.clip(Window(500, 500))
    assert outside.height == outside.width == 0


def test_a_window_lies_where_its_pixels_lie():
    grid = Grid(GeoBox((100, 120), ORIGIN, "EPSG:32645"))
    box = grid.footprint(Window(64, 64)).boundingbox
    assert tuple(box) == (500_640, 3_099_000, 501_200, 3_099_360)
    past = grid.geobox_of(Window(64, 64))
    assert past.shape == (64, 64)
    assert (past.transform.c, past.transform.f) == (500_640, 3_099_360)


def brute_cells(values, tiling, reduction):
    """What `cells` promises, cell by cell."""
    reach = 64 // tiling.stride
    cells = np.full((tiling.rows + reach - 1, tiling.cols + reach - 1), np.nan)
    for row, col in np.ndindex(cells.shape):
        over = [
            values[r * tiling.cols + c]
            for r, c in product(range(tiling.rows), range(tiling.cols))
            if 0 <= row - r < reach and 0 <= col - c < reach
        ]
        seen = [value for value in over if not np.isnan(value)]
        if seen:
            cells[row, col] = {"mean": np.mean, "max": np.max}[reduction](seen)
    return cells


@pytest.mark.parametrize("reduction", ["mean", "max"])
@pytest.mark.parametrize("stride", [64, 32])
def test_cells_agree_with_brute_force(stride, reduction):
    tiling = Tiling(160, 230, stride)
    values = np.random.default_rng(0).random(len(tiling)).astype(np.float32)
    values[[0, 1, tiling.cols, tiling.cols + 1]] = np.nan  # leaves a cell without any value
    cells = tiling.cells(values, reduction)
    assert cells.dtype == np.float32
    assert np.isnan(cells).any()
    np.testing.assert_allclose(cells, brute_cells(values, tiling, reduction), rtol=1e-6)
    assert cells.shape[0] * stride >= tiling.height
    assert cells.shape[1] * stride >= tiling.width


@pytest.mark.parametrize("size", [(63, 200), (200, 63), (10, 10)])
def test_a_scene_below_one_tile_is_refused_with_a_remedy(size):
    with pytest.raises(SceneTooSmall, match=r"at least 64×64 are needed\. Choose"):
        Tiling(*size)


def test_another_stride_is_refused():
    with pytest.raises(ValueError, match="not 48"):
        Tiling(100, 100, 48)


def test_a_10_m_utm_raster_keeps_its_own_grid():
    transform = Affine(10, 0, 500_003, 0, -10, 3_100_007)  # also one off the multiples of 10 m
    grid = grid_from_raster("EPSG:32745", transform, 80, 90)
    assert (grid.crs, grid.transform, grid.shape) == ("EPSG:32745", transform, (80, 90))


@pytest.mark.parametrize(
    ("crs", "transform", "shape", "utm"),
    [
        ("EPSG:4326", Affine(1e-4, 0, 87.1, 0, -1e-4, 28.2), (300, 400), "EPSG:32645"),
        ("EPSG:4326", Affine(1e-4, 0, -70.1, 0, -1e-4, -33.2), (300, 400), "EPSG:32719"),
        ("EPSG:32645", Affine(20, 0, 500_005, 0, -20, 3_100_005), (90, 80), "EPSG:32645"),
        ("EPSG:3857", Affine(10, 0, 9_700_000, 0, -10, 3_270_000), (90, 80), "EPSG:32645"),
    ],
)
def test_any_other_raster_gets_a_10_m_utm_grid_that_encloses_it(crs, transform, shape, utm):
    grid = grid_from_raster(crs, transform, *shape)
    assert grid.crs == utm
    a = grid.transform
    assert (a.a, a.b, a.d, a.e) == (10, 0, 0, -10)
    assert (a.c % 10, a.f % 10) == (0, 0)
    outline = GeoBox(shape, transform, crs).footprint(utm, npoints=20)
    assert grid.footprint().contains(outline)
    own = outline.boundingbox
    assert grid.width * 10 < own.span_x + 30  # and no larger than it must be
    assert grid.height * 10 < own.span_y + 30


def test_a_raster_without_crs_is_refused_with_a_remedy():
    with pytest.raises(MissingCRS, match="gdal_edit"):
        grid_from_raster(None, ORIGIN, 100, 100)
