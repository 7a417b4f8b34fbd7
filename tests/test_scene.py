"""Scene: windows read on one grid, with images whose pixel values are their own coordinates."""

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer

from landslide_core.bands import BAND_NAMES, INDEX
from landslide_core.errors import UnreadableRaster
from landslide_core.grid import Grid, Window
from landslide_core.pixels import BandSource, from_db, to_db
from landslide_core.scene import Scene

UTM = "EPSG:32645"
ORIGIN = Affine(10, 0, 500_000, 0, -10, 3_100_000)
GRID = Grid(GeoBox((120, 200), ORIGIN, UTM))
ALL = Window(0, 0, 120, 200)


def write(path, pixels, transform=ORIGIN, crs=UTM, **profile):
    """Write (bands, height, width) as a GeoTIFF and return the path."""
    count, height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=pixels.dtype,
        crs=crs,
        transform=transform,
        **profile,
    ) as file:
        file.write(pixels)
    return path


def source_of(path, unit="reflectance", index=1, resolution=10.0, **fields):
    """A source that describes a file written by `write`."""
    with rasterio.open(path) as file:
        geobox = GeoBox(file.shape, file.transform, f"EPSG:{file.crs.to_epsg()}")
    return BandSource(str(path), index, geobox, resolution, unit, **fields)


def coordinates(geobox, crs=UTM):
    """Metres east and north of the scene's corner at every pixel centre: (2, height, width)."""
    rows, cols = np.indices(geobox.shape) + 0.5
    x, y = geobox.transform @ (cols, rows)
    x, y = Transformer.from_crs(geobox.crs, crs, always_xy=True).transform(x, y)
    return np.stack([x - 500_000, 3_100_000 - y]).astype(np.float32)


OWN = coordinates(GRID.geobox)


def one_band(path, name="red", **fields):
    return Scene(GRID, {name: (source_of(path, **fields),)})


def test_pixels_on_the_scene_grid_are_read_bit_for_bit(tmp_path):
    stored = np.random.default_rng(1).integers(1, 9000, (1, 120, 200)).astype(np.uint16)
    scene = one_band(write(tmp_path / "red.tif", stored), offset=-1000.0)
    assert np.array_equal(scene.band("red", ALL), stored[0].astype(np.float32) - 1000)


def test_db_on_the_scene_grid_is_read_bit_for_bit(tmp_path):
    stored = np.random.default_rng(1).normal(-12, 4, (1, 120, 200)).astype(np.float32)
    path = write(tmp_path / "vv.tif", stored)
    scene = one_band(path, name="asc_vv_pre", unit="db")
    assert np.array_equal(scene.band("asc_vv_pre", ALL), stored[0])


def test_read_gives_all_bands_in_order_and_nan_for_those_missing(tmp_path):
    path = write(tmp_path / "nir.tif", np.full((1, 120, 200), 3000, np.uint16))
    scene = one_band(path, name="nir")
    pixels = scene.read(Window(10, 20))
    assert pixels.shape == (12, 64, 64)
    assert pixels.dtype == np.float32
    assert (pixels[INDEX["nir"]] == 3000).all()
    assert np.isnan(np.delete(pixels, INDEX["nir"], axis=0)).all()
    assert scene.available == ("nir",)
    assert scene.missing == tuple(name for name in BAND_NAMES if name != "nir")


@pytest.mark.parametrize(
    ("window", "inside"),
    [
        (Window(-10, -20, 64, 64), (slice(10, 64), slice(20, 64))),
        (Window(100, 180, 64, 64), (slice(0, 20), slice(0, 20))),
        (Window(300, 0, 64, 64), (slice(0, 0), slice(0, 0))),
        (Window(0, 500, 64, 64), (slice(0, 0), slice(0, 0))),
    ],
)
@pytest.mark.parametrize("resampled", [False, True])
def test_past_the_grid_there_is_no_data(tmp_path, window, inside, resampled):
    wider = ORIGIN @ Affine.translation(-5.5 if resampled else -5, -5)
    path = write(tmp_path / "red.tif", np.full((1, 140, 220), 7, np.uint16), wider)
    pixels = one_band(path).band("red", window)
    expected = np.full((64, 64), np.nan, np.float32)
    expected[inside] = 7
    np.testing.assert_array_equal(pixels, expected)


def test_zero_is_masked_before_offset_and_resampling(tmp_path):
    stored = np.full((1, 120, 200), 1500, np.uint16)
    stored[0, :, 100:] = 0
    shifted = ORIGIN @ Affine.translation(0.25, 0)
    for transform in (ORIGIN, shifted):
        path = write(tmp_path / f"{transform.c}.tif", stored, transform)
        red = one_band(path, offset=-1000.0).band("red", ALL)
        assert set(np.unique(red[~np.isnan(red)])) == {500.0}
        assert np.isnan(red[:, 101:]).all()


def test_nodata_fill_and_negative_power_are_no_data(tmp_path):
    stored = np.full((1, 120, 200), 0.1, np.float32)
    stored[0, 0, :4] = (-9999, np.nan, -0.01, 77)
    path = write(tmp_path / "vv.tif", stored, nodata=77)
    vv = one_band(path, name="desc_vv_post", unit="linear", nodata=77).band("desc_vv_post", ALL)
    assert np.isnan(vv[0, :4]).all()
    np.testing.assert_allclose(vv[1:], -10.0, atol=1e-5)


@pytest.mark.parametrize(
    ("nodata", "kept"), [(-9999, True), (np.nan, True), (0, False), (None, False)]
)
def test_zero_db_is_a_value_where_another_fill_is_declared(tmp_path, nodata, kept):
    stored = np.full((1, 120, 200), -7.5, np.float32)
    stored[0, 3, :5] = 0
    stored[0, 4, 0] = -9999 if nodata is None else nodata
    path = write(tmp_path / "vv.tif", stored, nodata=nodata)
    vv = one_band(path, name="asc_vv_pre", unit="db", nodata=nodata).band("asc_vv_pre", ALL)
    assert (vv[3, :5] == 0).all() == kept
    assert np.isnan(vv[3, :5]).all() != kept
    assert np.isnan(vv[4, 0])
    assert (vv[5:] == -7.5).all()


@pytest.mark.parametrize("shift", [0, 0.25])
def test_amplitude_is_read_as_its_power(tmp_path, shift):
    stored = np.full((1, 120, 200), 0.2, np.float32)
    stored[0, 0] = 0
    path = write(tmp_path / "vv.tif", stored, ORIGIN @ Affine.translation(shift, 0))
    vv = one_band(path, name="asc_vv_pre", unit="amplitude").band("asc_vv_pre", ALL)
    assert np.isnan(vv[0]).all()
    np.testing.assert_allclose(vv[1:, 1:], 20 * np.log10(0.2), atol=1e-5)


def test_a_mask_band_is_no_data(tmp_path):
    path = tmp_path / "red.tif"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        write(path, np.full((1, 120, 200), 500, np.uint16))
        with rasterio.open(path, "r+") as file:
            mask = np.full((120, 200), 255, np.uint8)
            mask[5] = 0
            file.write_mask(mask)
    red = one_band(path, masked=True).band("red", ALL)
    assert np.isnan(red[5]).all()
    assert (red[6] == 500).all()


def test_resampling_averages_in_linear_power(tmp_path):
    decibels = np.where(np.indices((120, 200))[1] % 2, -5.0, -25.0).astype(np.float32)[None]
    path = write(tmp_path / "vv.tif", decibels, ORIGIN @ Affine.translation(0.5, 0))
    vv = one_band(path, name="asc_vv_post", unit="db").band("asc_vv_post", ALL)
    mean = 10 * np.log10((10**-0.5 + 10**-2.5) / 2)
    np.testing.assert_allclose(vv[:, 1:-1], mean, atol=1e-4)


def sources_elsewhere():
    """Grids other than the scene's that enclose it: rotated, geographic, coarser, finer."""
    rotated = Affine.translation(499_000, 3_100_300) @ Affine.rotation(20) @ Affine.scale(10, -10)
    geographic = GeoBox.from_bbox(
        GRID.geobox.footprint("EPSG:4326").buffer(0.002).boundingbox, "EPSG:4326", resolution=1e-4
    )
    return {
        "rotated": GeoBox((500, 500), rotated, UTM),
        "geographic": geographic,
        "next zone": GRID.geobox.footprint("EPSG:32646").boundingbox.buffered(100, 100),
        "30 m": GeoBox((60, 80), Affine(30, 0, 499_800, 0, -30, 3_100_300), UTM),
        "5 m": GeoBox((300, 500), Affine(5, 0, 499_900, 0, -5, 3_100_100), UTM),
    }


@pytest.mark.parametrize("name", ["rotated", "geographic", "next zone", "30 m", "5 m"])
def test_coordinates_survive_any_grid_and_windows_agree(tmp_path, name):
    geobox = sources_elsewhere()[name]
    if name == "next zone":
        geobox = GeoBox.from_bbox(geobox, "EPSG:32646", resolution=10)
    east, north = coordinates(geobox)
    path = write(
        tmp_path / "xy.tif", np.stack([east, north]) + 5000, geobox.transform, str(geobox.crs)
    )
    size = {"30 m": 30.0, "5 m": 5.0}.get(name, 10.0)
    bands = {
        "red": (source_of(path, resolution=size),),
        "nir": (source_of(path, index=2, resolution=size),),
    }
    scene = Scene(GRID, bands)
    whole = scene.read(ALL)
    for band, truth in (("red", OWN[0]), ("nir", OWN[1])):
        np.testing.assert_allclose(whole[INDEX[band]] - 5000, truth, atol=0.02)  # m
    for window in (Window(0, 0), Window(32, 100), Window(37, 51, 13, 70), Window(90, 150, 30, 50)):
        rows = slice(window.row, window.row + window.height)
        cols = slice(window.col, window.col + window.width)
        np.testing.assert_allclose(scene.read(window), whole[:, rows, cols], rtol=1e-6)


def test_a_finer_source_is_averaged(tmp_path):
    fine = np.arange(1, 240 * 400 + 1, dtype=np.float32).reshape(1, 240, 400)
    path = write(tmp_path / "red.tif", fine, ORIGIN @ Affine.scale(0.5))
    red = one_band(path, resolution=5.0).band("red", ALL)
    np.testing.assert_allclose(red, fine.reshape(120, 2, 200, 2).mean(axis=(1, 3)), rtol=1e-6)


def test_classes_are_never_mixed_and_cloud_is_8_9_10(tmp_path):
    classes = np.arange(12, dtype=np.uint8).repeat(10)[None, None, :].repeat(60, axis=1)[:, :, :100]
    path = write(tmp_path / "scl.tif", classes, ORIGIN @ Affine.scale(2))
    scene = Scene(GRID, {}, classes=(source_of(path, unit="class", resolution=20.0),))
    cloud = scene.read_cloud(Window(-4, 0, 128, 200))
    assert cloud.dtype == bool
    assert not cloud[:4].any()
    expected = np.isin(np.arange(200) // 20, (8, 9, 10))
    assert (cloud[4:124] == expected).all()
    assert Scene(GRID, {}).read_cloud(ALL) is None


def test_optical_mosaic_takes_the_first_valid_and_radar_the_mean_power(tmp_path):
    left, right = np.zeros((2, 1, 120, 200), np.float32)
    left[..., :120] = -10
    right[..., 80:] = -20
    sources = tuple(
        source_of(write(tmp_path / f"{i}.tif", pixels)) for i, pixels in enumerate((left, right))
    )
    red = Scene(GRID, {"red": sources}).band("red", ALL)
    assert (red[:, :120] == -10).all()
    assert (red[:, 120:] == -20).all()
    power = tuple(replace(source, unit="db") for source in sources)
    vv = Scene(GRID, {"desc_vv_post": power}).band("desc_vv_post", ALL)
    np.testing.assert_allclose(vv[:, :80], -10, rtol=1e-6)
    np.testing.assert_allclose(vv[:, 80:120], 10 * np.log10((0.1 + 0.01) / 2), rtol=1e-5)
    np.testing.assert_allclose(vv[:, 120:], -20, rtol=1e-6)


def radar_files(path, powers, shifts=(0.0, 0.0, 0.0)):
    """The same polarisation as dB, amplitude and linear power; power (height, width), 0 = none."""
    sources = []
    for power, unit, shift in zip(powers, ("db", "amplitude", "linear"), shifts, strict=True):
        with np.errstate(divide="ignore"):
            decibels = np.where(power > 0, 10 * np.log10(power), -9999)
        stored = {"db": decibels, "amplitude": np.sqrt(power), "linear": power}[unit]
        moved = ORIGIN @ Affine.translation(shift, 0)
        file = write(path / f"{unit}.tif", stored[None].astype(np.float32), moved)
        sources.append(source_of(file, unit))
    return tuple(sources)


def test_db_amplitude_and_power_are_averaged_in_power_over_what_is_valid(tmp_path):
    powers = np.random.default_rng(3).gamma(4.4, 0.02, (3, 120, 200))
    powers[np.random.default_rng(4).random(powers.shape) < 0.3] = 0
    vv = Scene(GRID, {"asc_vv_pre": radar_files(tmp_path, powers)}).band("asc_vv_pre", ALL)
    count = (powers > 0).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = 10 * np.log10(powers.sum(axis=0) / count)
    assert {0, 1, 2, 3} == set(np.unique(count))
    np.testing.assert_allclose(vv, mean, atol=1e-4)


def test_files_on_and_off_the_grid_are_averaged_alike_and_windows_agree(tmp_path):
    powers = np.zeros((3, 120, 200))
    powers[0, :, :90], powers[1, 40:], powers[2, :, 60:] = 0.02, 0.2, 0.8
    files = radar_files(tmp_path, powers, shifts=(0.0, 0.5, -0.25))
    scene = Scene(GRID, {"asc_vv_pre": files})
    vv = scene.band("asc_vv_pre", ALL)
    spots = {
        (10, 10): 0.02,
        (10, 75): (0.02 + 0.8) / 2,
        (10, 150): 0.8,
        (80, 10): (0.02 + 0.2) / 2,
        (80, 75): (0.02 + 0.2 + 0.8) / 3,
        (80, 150): (0.2 + 0.8) / 2,
    }
    for place, mean in spots.items():
        assert vv[place] == pytest.approx(10 * np.log10(mean), abs=1e-4)
    assert np.isfinite(vv[:, :199]).all()
    for window in (Window(37, 51, 13, 70), Window(64, 80, 1, 1), Window(0, 60, 120, 3)):
        rows = slice(window.row, window.row + window.height)
        cols = slice(window.col, window.col + window.width)
        np.testing.assert_array_equal(scene.band("asc_vv_pre", window), vv[rows, cols])


def test_nine_dates_have_the_bits_of_the_whole_in_a_single_pixel(tmp_path):
    powers = np.random.default_rng(3).gamma(4.4, 0.02, (9, 120, 200)).astype(np.float32)
    files = [write(tmp_path / f"{k}.tif", power[None]) for k, power in enumerate(powers)]
    scene = Scene(GRID, {"asc_vh_post": tuple(source_of(file, "linear") for file in files)})
    vh = scene.band("asc_vh_post", ALL)
    np.testing.assert_allclose(vh, 10 * np.log10(powers.mean(axis=0, dtype=float)), atol=1e-4)
    for row in range(0, 120, 17):
        for col in range(0, 200, 31):
            assert scene.band("asc_vh_post", Window(row, col, 1, 1)) == vh[row, col]


def test_a_file_given_twice_counts_once(tmp_path):
    powers = np.stack([np.full((120, 200), power) for power in (0.1, 0.4, 0.4)])
    db, amplitude, _ = radar_files(tmp_path, powers)
    twice = Scene(GRID, {"asc_vv_pre": (db, amplitude, db)}).band("asc_vv_pre", ALL)
    np.testing.assert_allclose(twice, 10 * np.log10(0.25), atol=1e-5)


@pytest.mark.parametrize("shift", [0, 0.2, 0.5, 0.8])
@pytest.mark.parametrize("size", [1, 3])
def test_between_slices_that_touch_there_is_no_gap(tmp_path, shift, size):
    """Two slices of one raster, cut along a line, off the scene's grid by part of a pixel."""
    power = np.full((1, 60, 80), 0.05, np.float32)
    sources = []
    for k, (first, last) in enumerate(((0, 31), (31, 80))):
        moved = ORIGIN @ Affine.scale(size) @ Affine.translation(first + shift - 1, shift - 1)
        file = write(tmp_path / f"{k}.tif", power[:, :, first:last], moved)
        sources.append(source_of(file, "linear", resolution=10.0 * size))
    window = Window(size, size, 55 * size, 75 * size)
    vv = Scene(GRID, {"desc_vv_post": tuple(sources)}).band("desc_vv_post", window)
    inside = np.s_[: 120 - size - 1, : 200 - size - 1]
    np.testing.assert_allclose(vv[inside], 10 * np.log10(0.05), atol=1e-4)


def ground(path, name, elevation, transform=ORIGIN, crs=UTM, **fields):
    """An elevation source of (height, width) metres."""
    dtype = fields.pop("dtype", np.float32)
    return source_of(
        write(path / name, elevation[None].astype(dtype), transform, crs), "metres", **fields
    )


def test_elevation_is_bilinear_and_sea_level_is_a_value(tmp_path):
    rows, cols = np.indices((60, 80)) + 0.5
    plane = 300 - 7.5 * rows + 2.5 * cols  # m; below zero in the south
    dem = ground(
        tmp_path,
        "dem.tif",
        plane,
        Affine(30, 0, 499_800, 0, -30, 3_100_300),
        resolution=30.0,
    )
    y, x = np.indices((120, 200)) + 0.5
    expected = 300 - 7.5 * (y + 30) / 3 + 2.5 * (x + 20) / 3
    scene = Scene(GRID, {}, elevation=(dem,))
    found = scene.read_elevation(ALL)
    assert found.dtype == np.float32
    assert expected.min() < -50
    np.testing.assert_allclose(found, expected, atol=0.02)
    window = Window(37, 51, 13, 70)
    np.testing.assert_array_equal(scene.read_elevation(window), found[37:50, 51:121])
    flat = ground(tmp_path, "sea.tif", np.zeros((120, 200)), dtype=np.int16)
    assert (Scene(GRID, {}, elevation=(flat,)).read_elevation(ALL) == 0).all()
    assert Scene(GRID, {}).read_elevation(ALL) is None


def test_fills_of_elevation_are_not_known_and_the_next_tile_is_asked(tmp_path):
    first = np.full((120, 200), 1200.0)
    first[0], first[1], first[2], first[3] = -9999, -32768, 32767, np.nan
    first[4, :100] = -7
    second = np.full((20, 200), 800.0)
    dem = ground(tmp_path, "a.tif", first, nodata=-7.0)
    past = Scene(GRID, {}, elevation=(dem,)).read_elevation(Window(-2, 0, 20, 200))
    assert np.isnan(past[:6]).all()
    assert np.isnan(past[6, :100]).all()
    assert (past[6, 100:] == 1200).all()
    both = Scene(GRID, {}, elevation=(dem, ground(tmp_path, "b.tif", second)))
    found = both.read_elevation(ALL)
    assert (found[:4] == 800).all()
    assert (found[5:] == 1200).all()


def test_db_and_back():
    decibels = np.array([-30.0, 0.0, 12.0], np.float32)
    np.testing.assert_allclose(to_db(from_db(decibels)), decibels, atol=1e-5)


def test_threads_read_the_same(tmp_path):
    stored = np.random.default_rng(1).integers(1, 9000, (1, 120, 200)).astype(np.uint16)
    scene = one_band(write(tmp_path / "red.tif", stored, tiled=True, blockxsize=16, blockysize=16))
    read = {}

    def work(k):
        read[k] = [scene.band("red", Window(row, 0, 16, 200)) for row in range(0, 104, 4)]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k in range(4):
        for row, pixels in zip(range(0, 104, 4), read[k], strict=True):
            assert np.array_equal(pixels, stored[0, row : row + 16])


def test_a_file_that_vanishes_or_breaks_is_named(tmp_path):
    path = write(tmp_path / "red.tif", np.ones((1, 120, 200), np.uint16))
    scene = one_band(path)
    scene.read(Window(0, 0))
    path.unlink()
    with pytest.raises(UnreadableRaster, match=r"red\.tif"):
        scene.read(Window(0, 0))


def test_a_replaced_file_is_read_anew(tmp_path):
    path = write(tmp_path / "red.tif", np.full((1, 120, 200), 1, np.uint16))
    scene = one_band(path)
    assert (scene.band("red", ALL) == 1).all()
    other = write(tmp_path / "other.tif", np.full((1, 120, 200), 2, np.uint16))
    Path(other).replace(path)
    assert (scene.band("red", ALL) == 2).all()
