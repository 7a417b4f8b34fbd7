"""From physical pixels to what the network sees."""

import numpy as np
import pytest

from landslide_core.bands import BANDS, CHANNELS, INDEX
from landslide_core.preprocess import cloud_by_brightness, model_input, normalise

# BigEarthNet v2, no interpolation, as the issue gives them.
STATISTICS = {
    "B02": (438.3721, 607.0269),
    "B03": (614.0557, 603.2968),
    "B04": (588.4096, 684.5686),
    "B08": (2193.2920, 1369.3717),
    "VV": (-12.6439, 5.1335),
    "VH": (-19.3526, 5.5905),
}


@pytest.fixture
def pixels():
    """Two tiles of physical pixels, read-only."""
    mean, std = (np.array([getattr(b, key) for b in BANDS]) for key in ("mean", "std"))
    noise = np.random.default_rng(0).normal(0, 1, (2, 12, 64, 64))
    values = (mean[:, None, None] + std[:, None, None] * noise).astype(np.float32)
    values.flags.writeable = False
    return values


def test_channels_are_in_order_with_bigearthnet_statistics():
    assert [channel.name for channel in CHANNELS] == [
        *("cloud", "red", "green", "blue", "nir"),
        *("desc_vv_post", "desc_vh_post", "desc_vv_pre", "desc_vh_pre"),
        *("asc_vv_post", "asc_vh_post", "asc_vv_pre", "asc_vh_pre"),
    ]
    for band in BANDS:
        assert (band.mean, band.std) == STATISTICS[band.sentinel]
    assert [BANDS[INDEX[name]].sentinel for name in ("red", "green", "blue", "nir")] == [
        *("B04", "B03", "B02", "B08")
    ]


def test_normalised_is_the_z_score(pixels):
    z = normalise(pixels)
    for name, i in INDEX.items():
        mean, std = STATISTICS[BANDS[i].sentinel]
        np.testing.assert_allclose(z[:, i], (pixels[:, i] - mean) / std, atol=1e-5, err_msg=name)


def test_model_input_is_the_cloud_flag_then_the_z_scores(pixels):
    cloud = np.random.default_rng(1).random((2, 64, 64)) < 0.3
    cloud.flags.writeable = False
    before = pixels.copy()
    inputs = model_input(pixels, cloud)
    assert inputs.shape == (2, 13, 64, 64)
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs[:, 0], cloud)
    np.testing.assert_array_equal(inputs[:, 1:], normalise(pixels))
    np.testing.assert_array_equal(pixels, before)
    assert not np.shares_memory(inputs, pixels)


def test_no_data_becomes_zero_and_only_no_data(pixels):
    holed = pixels.copy()
    holed[0, INDEX["nir"], :5] = np.nan
    holed[1, 4:8] = np.nan
    holed[1, 8:] = -np.inf  # the logarithm of no backscatter
    no_cloud = np.zeros((2, 64, 64), bool)
    inputs, whole = model_input(holed, no_cloud)[:, 1:], model_input(pixels, no_cloud)[:, 1:]
    gone = ~np.isfinite(holed)
    assert (inputs[gone] == 0).all()
    np.testing.assert_array_equal(inputs[~gone], whole[~gone])


def test_cloud_is_normalised_red_over_six():
    mean, std = STATISTICS["B04"]
    pixels = np.full((1, 12, 1, 3), np.nan, np.float32)
    pixels[0, INDEX["red"], 0] = (mean + 5.99 * std, mean + 6.01 * std, np.nan)
    pixels[0, INDEX["blue"]] = 20_000  # bright, but not red
    pixels.flags.writeable = False
    np.testing.assert_array_equal(cloud_by_brightness(pixels), [[[False, True, False]]])
