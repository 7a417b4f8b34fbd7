"""Cloud of a scene: classes, probabilities and dilation, the same in windows as in the whole."""

from time import process_time

import numpy as np
import pytest
from conftest import write_raster
from odc.geo.geobox import GeoBox
from test_scene import ALL, GRID, ORIGIN, source_of, write

from landslide_core.clouds import CloudRule
from landslide_core.grid import Grid, Window
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.scene import Scene
from landslide_core.tiles import read_block

HALF = ORIGIN @ ORIGIN.translation(100, 0)  # the scene's right half


def layer(path, pixels, transform=ORIGIN, **fields):
    """A class-like source of (height, width) pixels."""
    return source_of(write(path, pixels[None], transform), "class", **fields)


def flat(value, width=200, dtype=np.uint8):
    return np.full((120, width), value, dtype)


def spot(row, col, value=9):
    """Clear vegetation with one pixel of something else."""
    classes = flat(4)
    classes[row, col] = value
    return classes


def plainly_dilated(flags, reach):
    """Every pixel within `reach` pixels of a flagged one, by looking at each of those."""
    rows, cols = np.indices(flags.shape)
    near = np.zeros_like(flags)
    for row, col in np.argwhere(flags):
        near |= (rows - row) ** 2 + (cols - col) ** 2 <= reach**2
    return near


@pytest.mark.parametrize(
    ("metres", "size"),
    [(0, 1), (4, 1), (5, 5), (10, 5), (14, 5), (15, 13), (20, 13), (30, 29), (100, 317)],
)
def test_one_cloudy_pixel_becomes_a_disc(tmp_path, metres, size):
    scene = Scene(
        GRID, {}, classes=(layer(tmp_path / "scl.tif", spot(60, 70)),), cloud=CloudRule(metres)
    )
    cloud = scene.read_cloud(ALL)
    assert cloud.sum() == size  # lattice points in a circle of whole radius: 1, 5, 13, 29, 317
    reach = int(metres / 10 + 0.5)
    assert cloud[60, 70 - reach]
    assert cloud[60 + reach, 70]
    assert not cloud[60, 71 + reach]


def test_without_cloud_there_is_none_to_dilate(tmp_path):
    classes = (layer(tmp_path / "scl.tif", flat(4)),)
    assert not Scene(GRID, {}, classes=classes, cloud=CloudRule(200)).read_cloud(ALL).any()


@pytest.mark.parametrize("metres", [0, 30, 250])
def test_windows_have_the_flags_of_the_whole(tmp_path, metres):
    rng = np.random.default_rng(4)
    classes = np.where(rng.random((60, 100)) < 0.003, 8, 4).astype(np.uint8)
    chance = np.where(rng.random((120, 200)) < 0.0008, 90, 3).astype(np.uint8)
    coarse = ORIGIN @ ORIGIN.scale(2)
    scene = Scene(
        GRID,
        {},
        classes=(layer(tmp_path / "scl.tif", classes, coarse, resolution=20.0),),
        probabilities=(layer(tmp_path / "cld.tif", chance),),
        cloud=CloudRule(metres),
    )
    whole = scene.read_cloud(ALL)
    flags = classes.repeat(2, axis=0).repeat(2, axis=1) == 8
    np.testing.assert_array_equal(whole, plainly_dilated(flags | (chance == 90), metres // 10))
    assert 0.001 < whole.mean() < 0.999 or metres == 250
    for window in (Window(0, 0), Window(56, 136), Window(37, 51, 13, 70), Window(64, 0, 1, 1)):
        rows = slice(window.row, window.row + window.height)
        cols = slice(window.col, window.col + window.width)
        np.testing.assert_array_equal(scene.read_cloud(window), whole[rows, cols])


def test_cloud_reaches_across_pieces_of_a_wide_scene(tmp_path):
    grid = Grid(GeoBox((40, 2600), ORIGIN, GRID.crs))
    classes = np.full((40, 2600), 4, np.uint8)
    classes[20, [3, 1022, 1026, 2047, 2300]] = 8  # beside columns 1024 and 2048 too
    scene = Scene(grid, {}, classes=(layer(tmp_path / "scl.tif", classes),), cloud=CloudRule(80))
    cloud = scene.read_cloud(Window(0, 0, 40, 2600))
    np.testing.assert_array_equal(cloud, plainly_dilated(classes == 8, 8))


def test_past_the_grid_there_is_no_cloud_of_its_own(tmp_path):
    wider = ORIGIN @ ORIGIN.translation(-50, -50)
    classes = np.full((220, 300), 9, np.uint8)
    classes[50:170, 50:250] = 4  # cloud all round the scene, none on it
    scene = Scene(
        GRID,
        {},
        classes=(layer(tmp_path / "scl.tif", classes, wider),),
        cloud=CloudRule(100),
    )
    assert not scene.read_cloud(ALL).any()
    assert not scene.read_cloud(Window(-30, -30, 64, 64)).any()


def test_probability_counts_from_the_number_chosen(tmp_path):
    chance = np.arange(200, dtype=np.uint8)[None].repeat(
        120, axis=0
    )  # to 199, which is no per cent
    layers = (layer(tmp_path / "cld.tif", chance),)
    expected = (np.arange(200) >= 65) & (np.arange(200) <= 100)
    scene = Scene(GRID, {}, probabilities=layers, cloud=CloudRule(probability=65))
    assert (scene.read_cloud(ALL) == expected).all()
    assert scene.read_cloud(Window(0, 40, 10, 30))[0].tolist() == [False] * 25 + [True] * 5


@pytest.mark.parametrize(
    ("stored", "dtype", "scale"),
    [((0.58, 0.59, 1), np.float32, 100.0), ((149, 151, 255), np.uint8, 100 / 255)],
)
def test_a_scale_brings_probability_to_per_cent(tmp_path, stored, dtype, scale):
    chance = np.repeat(np.array(stored, dtype), 40)[None].repeat(120, axis=0)
    layers = (layer(tmp_path / "cld.tif", chance, scale=scale),)
    scene = Scene(GRID, {}, probabilities=layers, cloud=CloudRule(probability=59))
    # 0.59 × 100 is 58.999996 in 32 bits.
    assert scene.read_cloud(ALL)[0, ::40].tolist() == [False, True, True, False, False]


def test_class_or_probability_makes_cloud(tmp_path):
    scene = Scene(
        GRID,
        {},
        classes=(layer(tmp_path / "scl.tif", spot(10, 20)),),
        probabilities=(layer(tmp_path / "cld.tif", spot(30, 40, 80)),),
    )
    assert np.argwhere(scene.read_cloud(ALL)).tolist() == [[10, 20], [30, 40]]


@pytest.mark.parametrize("fill", [0, 255])
def test_no_data_is_no_cloud_and_hides_none_of_the_next_source(tmp_path, fill):
    left = layer(tmp_path / "left.tif", flat(fill))
    right = layer(tmp_path / "right.tif", flat(9, 100), HALF)
    likely = layer(tmp_path / "likely.tif", flat(99, 100), HALF)
    for fields in ({"classes": (left, right)}, {"probabilities": (left, likely)}):
        cloud = Scene(GRID, {}, **fields).read_cloud(ALL)
        assert not cloud[:, :100].any()
        assert cloud[:, 100:].all()


def test_probabilities_are_never_mixed(tmp_path):
    chance = np.where(np.arange(66) % 2, 1, 99).astype(np.uint8)[None].repeat(40, axis=0)
    coarse = ORIGIN @ ORIGIN.scale(3)
    layers = (layer(tmp_path / "cld.tif", chance, coarse, resolution=30.0),)
    cloud = Scene(GRID, {}, probabilities=layers, cloud=CloudRule(probability=40)).read_cloud(ALL)
    assert (cloud[:, :198] == (np.arange(198) // 3 % 2 == 0)).all()


def test_dilation_costs_little_beside_a_read(tmp_path):
    rng = np.random.default_rng(1)
    grid = Grid(
        GRID.geobox.from_bbox((500_000, 3_090_000, 510_000, 3_100_000), GRID.crs, shape=1000)
    )
    classes = np.where(rng.random((1000, 1000)) < 0.01, 9, 4).astype(np.uint8)
    layers = (layer(tmp_path / "scl.tif", classes),)
    start = process_time()
    cloud = Scene(grid, {}, classes=layers, cloud=CloudRule(200)).read_cloud(
        Window(0, 0, 1000, 1000)
    )
    assert process_time() - start < 2.0  # 0.1 s was measured
    assert cloud.mean() > 0.9


def test_bright_ground_reaches_farther_too_where_there_are_no_layers(tmp_path):
    pixels = np.full((4, 80, 80), 900, np.uint16)
    pixels[:, 40, 40] = 9000
    write_raster(tmp_path / "s2.tif", pixels, ("B02", "B03", "B04", "B08"))
    plain = open_scene(SceneInputs(s2=(tmp_path / "s2.tif",), s2_offset=0.0))
    _, cloud = read_block(plain, Window(0, 0, 80, 80))
    assert np.argwhere(cloud).tolist() == [[40, 40]]
    wide = open_scene(SceneInputs(s2=(tmp_path / "s2.tif",), s2_offset=0.0, cloud_dilation=20))
    _, cloud = read_block(wide, Window(0, 0, 80, 80))
    rows, cols = np.mgrid[:80, :80]
    np.testing.assert_array_equal(cloud, (rows - 40) ** 2 + (cols - 40) ** 2 <= 4)
    _, part = read_block(wide, Window(41, 0, 39, 80))  # the bright pixel lies outside
    np.testing.assert_array_equal(part, cloud[41:])
