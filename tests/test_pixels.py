"""Reading onto another grid: the same bits whatever the window, and the values of a plain sum."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from test_scene import ORIGIN, UTM, source_of, write

from landslide_core.grid import Grid, Window
from landslide_core.pixels import BandSource, block_cache, read_sources

GRID = Grid(GeoBox((220, 1100), ORIGIN, UTM))  # wider than what is decoded at once
ALL = Window(0, 0, 220, 1100)
TURNED = ORIGIN @ Affine.translation(-61.3, 40.7) @ Affine.rotation(-4)


def holed(shape, seed):
    """Gamma distributed power with scattered gaps, a gap of a block, and an edge of zeros."""
    rng = np.random.default_rng(seed)
    power = rng.gamma(4.4, 0.02, shape).astype(np.float32)
    power[rng.random(shape) < 0.002] = np.nan
    power[..., 60:90, 300:420] = -9999
    power[..., :, -100:] = 0
    return power


def write_turned(path: Path) -> list[BandSource]:
    """Four bands of two files on a grid turned by 4°, which ends within the scene."""
    sources = []
    for k, unit in enumerate(("linear", "db")):
        power = holed((2, 300, 1000), k)
        with np.errstate(divide="ignore", invalid="ignore"):
            stored = power if unit == "linear" else 10 * np.log10(power)
        write(path / f"{unit}.tif", stored, TURNED, tiled=True, blockxsize=128, blockysize=128)
        sources += [source_of(path / f"{unit}.tif", unit, index) for index in (1, 2)]
    return sources


def windows_of(height, width):
    """The whole grid cut into windows of a size, from its corner on."""
    for row in range(0, ALL.height, height):
        for col in range(0, ALL.width, width):
            yield Window(row, col, min(height, ALL.height - row), min(width, ALL.width - col))


def sources_of_every_kind(path):
    """Sources that none lie on the scene's grid: turned, of the next zone, in degrees, finer, …"""
    zone = GRID.geobox.footprint("EPSG:32646", npoints=100).boundingbox
    turned = write_turned(path)
    geoboxes = {
        "next zone": (GeoBox.from_bbox(zone, "EPSG:32646", resolution=10), 10.0),
        "degrees": (
            GeoBox.from_bbox(GRID.geobox.footprint("EPSG:4326").boundingbox, resolution=1e-4),
            10.0,
        ),
        "finer": (GeoBox((400, 2000), ORIGIN @ Affine.scale(0.5), UTM), 5.0),
        "coarser": (GeoBox((75, 360), ORIGIN @ Affine.scale(3), UTM), 30.0),
    }
    found = {"turned": turned}
    for seed, (name, (geobox, size)) in enumerate(geoboxes.items()):
        power = np.nan_to_num(holed((1, *geobox.shape), seed)).clip(0)
        stored = (power * 2e4).astype(np.uint16)
        file = write(path / f"{name}.tif", stored, geobox.transform, str(geobox.crs))
        found[name] = [source_of(file, resolution=size, offset=-1000.0)]
    classes = np.random.default_rng(3).integers(0, 12, (1, 110, 550)).astype(np.uint8)
    file = write(path / "classes.tif", classes, ORIGIN @ Affine.scale(2))
    found["classes"] = [source_of(file, "class", resolution=20.0)]
    return found


@pytest.mark.parametrize("name", ["turned", "next zone", "degrees", "finer", "coarser", "classes"])
def test_a_window_has_the_bits_of_the_whole(tmp_path, name):
    sources = sources_of_every_kind(tmp_path)[name]
    whole = read_sources(sources, GRID, ALL)
    assert 0.02 < np.isnan(np.stack(list(whole.values()))).mean() < 0.7
    strips = [*windows_of(64, 1100), *windows_of(190, 1100), *windows_of(220, 512)]
    tiles = [Window(0, 0), Window(64, 448), Window(100, 480, 64, 64), Window(37, 1, 3, 700)]
    for window in [*strips, *tiles]:
        for source, plane in read_sources(sources, GRID, window).items():
            rows = slice(window.row, window.row + window.height)
            cols = slice(window.col, window.col + window.width)
            np.testing.assert_array_equal(plane, whole[source][rows, cols])


def plain(power, transform):
    """Bilinear over valid neighbours as its definition says, pixel centre by pixel centre.

    Gives values and the share of the weight that valid neighbours have, (bands, 220, 1100).
    """
    y, x = np.indices(GRID.shape) + 0.5
    col, row = ~transform @ (GRID.transform @ (x, y))
    row, col = row - 0.5, col - 0.5  # of pixel centres
    top, left = np.floor(row).astype(int), np.floor(col).astype(int)
    total, weight = np.zeros((2, len(power), *GRID.shape))
    height, width = power.shape[1:]
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        r, c = top + down, left + right
        share = np.abs(1 - down - (row - top)) * np.abs(1 - right - (col - left))
        inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        values = np.where(inside, power[:, r.clip(0, height - 1), c.clip(0, width - 1)], np.nan)
        valid = values > 0
        weight += valid * share
        total += np.where(valid, values, 0) * share
    with np.errstate(invalid="ignore"):
        return total / weight, weight


def test_values_and_gaps_are_those_of_a_plain_sum_over_valid_neighbours(tmp_path):
    read = list(read_sources(write_turned(tmp_path), GRID, ALL).values())
    values, weight = plain(np.concatenate([holed((2, 300, 1000), k) for k in (0, 1)]), TURNED)
    known = weight >= 0.5
    clear = np.abs(weight - 0.5) > 1e-5  # where rounding doesn't decide
    assert 0.5 < known.mean() < 0.9
    assert (known & (weight < 0.99)).sum() > 1000  # beside gaps
    for found, mean, valid, sure in zip(read, values, known, clear, strict=True):
        assert np.array_equal(np.isfinite(found)[sure], valid[sure])
        both = valid & sure
        np.testing.assert_allclose(found[both], 10 * np.log10(mean[both]), atol=1e-4)


def test_a_source_is_read_into_the_room_it_is_given(tmp_path):
    first, second, *_ = write_turned(tmp_path)
    window = Window(30, 100, 50, 600)
    apart = read_sources([first, second], GRID, window)
    stack = np.full((3, 50, 600), np.nan, np.float32)
    planes = read_sources([first, second], GRID, window, {second: stack[1]})
    assert np.shares_memory(planes[second], stack)
    np.testing.assert_array_equal(stack[1], apart[second])
    np.testing.assert_array_equal(planes[first], apart[first])
    assert np.isnan(stack[[0, 2]]).all()


def test_a_source_named_twice_is_read_once(tmp_path):
    path = write(tmp_path / "vv.tif", np.full((1, 220, 1100), 0.1, np.float32))
    source = source_of(path, "linear")
    planes = read_sources([source, source], GRID, Window(0, 0))
    np.testing.assert_allclose(planes[source], -10, rtol=1e-6)


def test_where_a_projection_has_no_answer_there_is_no_data_and_windows_agree(tmp_path):
    path = write(tmp_path / "earth.tif", np.full((1, 100, 100), 7, np.uint16))
    horizon = "+proj=ortho +lat_0=0 +lon_0=-2.95 +ellps=sphere +R=6371000"  # crosses the scene
    box = (5_500_000, 2_900_000, 5_700_000, 3_100_000)  # m
    geobox = GeoBox.from_bbox(box, horizon, shape=(100, 100))
    source = BandSource(str(path), 1, geobox, 1000.0, "reflectance")
    whole = read_sources([source], GRID, ALL)[source]
    np.testing.assert_allclose(whole[np.isfinite(whole)], 7, rtol=1e-6)
    assert 0.1 < np.isnan(whole).mean() < 0.9
    for window in (*windows_of(64, 64), *windows_of(64, 1100)):
        rows = slice(window.row, window.row + window.height)
        cols = slice(window.col, window.col + window.width)
        plane = read_sources([source], GRID, window)[source]
        np.testing.assert_array_equal(plane, whole[rows, cols])


def test_memory_beside_the_result_does_not_grow_with_the_window(tmp_path):
    long = GeoBox((300, 2500), TURNED, UTM)
    power = np.full((4, *long.shape), 0.1, np.float32)
    path = write(tmp_path / "long.tif", power, TURNED, tiled=True, compress="deflate")
    sources = [source_of(path, "linear", index) for index in (1, 2, 3, 4)]
    grid = Grid(GeoBox((200, 2400), ORIGIN, UTM))
    beside = {}
    for width in (800, 2400):
        tracemalloc.start()
        planes = read_sources(sources, grid, Window(0, 0, 200, width))
        beside[width] = tracemalloc.get_traced_memory()[1] - 4 * 4 * 200 * width
        tracemalloc.stop()
        assert len(planes) == 4
    assert beside[2400] < 1.2 * beside[800] < 24e6, beside


def test_the_block_cache_follows_the_width_between_bounds():
    sizes = [block_cache(width) / 2**20 for width in (500, 2048, 4096, 10_980, 40_000)]
    assert sizes == [64, 96, 192, 512, 512]
