"""The speckle filter: what it keeps, what it smooths, and windows that agree."""

from dataclasses import replace

import numpy as np
import pytest
from test_scene import ALL, GRID, ORIGIN, source_of, write

from landslide_core.bands import INDEX
from landslide_core.grid import Window
from landslide_core.pixels import from_db, to_db
from landslide_core.scene import Scene
from landslide_core.speckle import LOOKS, despeckle


def speckled(mean, seed=1):
    """Linear power of a ground (height, width) seen with 4.4 looks, float32."""
    rng = np.random.default_rng(seed)
    return (np.asarray(mean) * rng.gamma(LOOKS, 1 / LOOKS, np.shape(mean))).astype(np.float32)


def filtered(power, side):
    """Power through the filter, with no data round it."""
    return from_db(despeckle(np.pad(to_db(power), side // 2, constant_values=np.nan), side))


def by_definition(power, side):
    """Lee's estimate pixel by pixel in 64 bits."""
    reach, out = side // 2, np.full(power.shape, np.nan)
    for row, col in np.argwhere(np.isfinite(power)):
        box = power[max(row - reach, 0) : row + reach + 1, max(col - reach, 0) : col + reach + 1]
        near = box[np.isfinite(box)].astype(float)
        mean, variance = near.mean(), near.var()
        ground = max((variance + mean**2) / (1 + 1 / LOOKS) - mean**2, 0)
        share = ground / (mean**2 / LOOKS + ground)
        out[row, col] = mean + share * (power[row, col] - mean)
    return out


def test_three_by_three_by_hand():
    power = np.full((3, 3), 0.1, np.float32)
    power[1, 1] = 1.0
    square = (8 * 0.01 + 1) / 9  # the mean is 0.2
    ground = square / (1 + 1 / 4.4) - 0.04
    share = ground / (0.04 / 4.4 + ground)  # 0.868: the bright pixel mostly stays
    assert filtered(power, 3)[1, 1] == pytest.approx(0.2 + share * 0.8, rel=1e-5)
    assert 0.85 < share < 0.9


@pytest.mark.parametrize("side", [3, 5, 9])
def test_it_is_lees_estimate_over_what_is_valid(side):
    ground = np.where(np.indices((40, 50))[1] < 20, 0.02, 0.3)
    power = speckled(ground)
    power[np.random.default_rng(2).random(power.shape) < 0.1] = np.nan
    power[10:22, 30:44] = np.nan
    power[5, 5] = 40.0  # a corner reflector
    np.testing.assert_allclose(filtered(power, side), by_definition(power, side), rtol=2e-4)


def test_no_data_neither_spreads_nor_shrinks():
    power = speckled(np.full((60, 60), 0.1))
    power[20:30, 20:30] = np.nan
    power[40, 40] = np.nan
    out = filtered(power, 7)
    np.testing.assert_array_equal(np.isnan(out), np.isnan(power))


def test_even_ground_gets_even_and_keeps_its_mean():
    power = speckled(np.full((400, 400), 0.05))
    for side, most in ((3, 0.2), (5, 0.1), (7, 0.06)):  # plain means leave 0.11, 0.04 and 0.02
        out = filtered(power, side)
        assert out.mean(dtype=float) == pytest.approx(power.mean(dtype=float), rel=0.005)
        assert out.var(dtype=float) < most * power.var(dtype=float)


def test_a_lone_pixel_keeps_its_value():
    power = np.full((9, 9), np.nan, np.float32)
    power[4, 4] = 0.07
    np.testing.assert_allclose(filtered(power, 5)[4, 4], 0.07, rtol=1e-6)


def test_an_edge_stays_sharper_than_under_a_mean():
    ground = np.where(np.arange(120) < 60, 0.01, 0.4)[None].repeat(400, axis=0)  # 16 dB
    across = filtered(speckled(ground), 7).mean(axis=0, dtype=float)
    assert across[55] == pytest.approx(0.01, rel=0.05)
    assert across[64] == pytest.approx(0.4, rel=0.05)
    # A mean over 7 puts 3/7 of the bright side into the dark pixel beside it: 0.177.
    assert across[59] < 0.05
    assert across[60] > 0.34  # not 4/7 of the bright side, 0.233
    assert np.abs(across[57:59] - 0.01).max() < 0.05


def scene_of(path, side, name="asc_vv_pre", unit="linear", shift=0.0):
    power = speckled(np.where(np.indices((120, 200))[0] < 50, 0.02, 0.2))
    power[70:80, 90:130] = 0
    power[np.random.default_rng(5).random(power.shape) < 0.01] = 0
    moved = ORIGIN @ ORIGIN.translation(shift, shift)
    path = write(path / "vv.tif", power[None], moved)
    return Scene(GRID, {name: (source_of(path, unit),)}, speckle=side)


@pytest.mark.parametrize("shift", [0.0, 0.3])
@pytest.mark.parametrize("side", [3, 7, 11])
def test_a_window_has_the_bits_of_the_whole(tmp_path, side, shift):
    scene = scene_of(tmp_path, side, shift=shift)
    whole = scene.read(ALL)
    assert 0.01 < np.isnan(whole[INDEX["asc_vv_pre"]]).mean() < 0.2
    strips = [Window(row, 0, 40, 200) for row in (0, 40, 80)]
    odd = [Window(37, 51, 13, 70), Window(64, 3, 1, 1), Window(0, 199, 120, 1), Window(56, 136)]
    for window in (*strips, *odd, Window(-9, -9, 30, 30), Window(110, 190, 40, 40)):
        found = scene.read(window)
        part = scene.grid.clip(window)
        top, left = part.row - window.row, part.col - window.col
        inside = found[:, top : top + part.height, left : left + part.width]
        rows, cols = slice(part.row, part.row + part.height), slice(part.col, part.col + part.width)
        np.testing.assert_array_equal(inside, whole[:, rows, cols])
        assert np.isfinite(found).sum() == np.isfinite(inside).sum()
        np.testing.assert_array_equal(scene.band("asc_vv_pre", window), found[INDEX["asc_vv_pre"]])


def test_radar_is_filtered_and_optical_is_not(tmp_path):
    scene = scene_of(tmp_path, 5)
    stored = np.random.default_rng(1).integers(1, 9000, (1, 120, 200)).astype(np.uint16)
    red = source_of(write(tmp_path / "red.tif", stored))
    scene = replace(scene, bands={**scene.bands, "red": (red,)})
    plain = replace(scene, speckle=0)
    np.testing.assert_array_equal(scene.band("red", ALL), stored[0].astype(np.float32))
    before, after = plain.band("asc_vv_pre", ALL), scene.band("asc_vv_pre", ALL)
    np.testing.assert_array_equal(np.isnan(before), np.isnan(after))
    dark = slice(0, 40)  # rows of even ground
    assert np.nanvar(from_db(after[dark])) < 0.1 * np.nanvar(from_db(before[dark]))
    expected = by_definition(from_db(before)[:12, :12], 5)[:8, :8]
    np.testing.assert_allclose(from_db(after)[:8, :8], expected, rtol=2e-4)


def test_without_the_filter_radar_is_read_bit_for_bit(tmp_path):
    stored = np.random.default_rng(1).normal(-12, 4, (1, 120, 200)).astype(np.float32)
    path = write(tmp_path / "vv.tif", stored)
    scene = Scene(GRID, {"desc_vh_post": (source_of(path, "db"),)})
    assert np.array_equal(scene.band("desc_vh_post", ALL), stored[0])


def test_dates_are_averaged_before_they_are_filtered(tmp_path):
    one, two = (speckled(np.full((120, 200), 0.1), seed) for seed in (1, 2))
    paths = [write(tmp_path / f"{k}.tif", power[None]) for k, power in enumerate((one, two))]
    sources = tuple(source_of(path, "linear") for path in paths)
    vv = Scene(GRID, {"asc_vv_pre": sources}, speckle=5).band("asc_vv_pre", ALL)
    expected = by_definition((one[:20, :20] + two[:20, :20]) / 2, 5)
    np.testing.assert_allclose(from_db(vv)[:16, :16], expected[:16, :16], rtol=2e-4)
