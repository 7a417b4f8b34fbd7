"""Input combinations: which there are, how they are recognised, what is blank under each."""

import numpy as np
import pandas as pd
import pytest
from conftest import balanced, inputs_of, raw_patches

from landslide_core.bands import BAND_NAMES, CHANNELS, INDEX
from landslide_core.combinations import (
    COMBINATIONS,
    COMPLETE,
    PARTIAL,
    USUAL,
    blank,
    blank_inputs,
    channels_without,
    combination_of,
)
from landslide_core.features import filter_features, table_features
from landslide_core.preprocess import model_input
from landslide_core.readers.patches import to_bands


def group_of(band):
    """The group of a band, from its name: "desc_vv_pre" belongs to "desc_pre"."""
    if "_" in band:
        orbit_pass, _, time = band.split("_")
        return f"{orbit_pass}_{time}"
    return "nir" if band == "nir" else "visible"


def without(pixels, combination):
    """Physical pixels as they are where only the combination's groups were recorded."""
    kept = combination.split("+")
    holed = pixels.copy()
    holed[:, [i for i, band in enumerate(BAND_NAMES) if group_of(band) not in kept]] = np.nan
    return holed


@pytest.fixture(scope="module")
def pixels():
    """Physical pixels of two patches."""
    return to_bands(raw_patches(balanced(2)))


def test_there_are_twenty_six_combinations_and_the_first_is_complete():
    """Optical: all, visible alone, none; each pass: both dates, the later, none; never nothing."""
    assert len(set(COMBINATIONS)) == len(COMBINATIONS) == 3 * 3 * 3 - 1
    assert COMPLETE == COMBINATIONS[0] == "visible+nir+desc_post+desc_pre+asc_post+asc_pre"
    for name in COMBINATIONS:
        groups = name.split("+")
        assert "nir" not in groups or "visible" in groups
        for orbit_pass in ("desc", "asc"):
            assert f"{orbit_pass}_pre" not in groups or f"{orbit_pass}_post" in groups


def test_the_usual_ones_are_combinations_and_start_with_everything():
    assert set(USUAL) <= set(COMBINATIONS)
    assert next(iter(USUAL)) == COMPLETE
    assert len(set(USUAL.values())) == len(USUAL)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_blanked_features_are_recognised_as_their_combination(features, name):
    rows = features.iloc[:3]
    before = rows.copy()
    blanked = blank(rows, name)
    assert combination_of(blanked) == [name] * 3
    pd.testing.assert_frame_equal(rows, before)
    kept = blanked.notna().all()
    assert kept.any()
    assert kept.all() == (name == COMPLETE)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_blanking_is_what_missing_pixels_do(pixels, name):
    """To the features and to the network: a tile without a source and a tile blanked agree."""
    holed = without(pixels, name)
    found = filter_features(table_features(holed))
    whole = filter_features(table_features(pixels))
    pd.testing.assert_frame_equal(found, blank(whole, name))
    assert combination_of(found) == [name] * 2
    clear = np.zeros((2, 64, 64), bool)
    inputs = model_input(pixels, clear)
    inputs.flags.writeable = False
    np.testing.assert_array_equal(model_input(holed, clear), blank_inputs(inputs, name))


def test_channels_without_a_group_are_its_bands_and_the_cloud_flag_goes_with_the_visible():
    names = [channel.name for channel in CHANNELS]
    gone = {name: [names[i] for i in channels_without(name)] for name in COMBINATIONS}
    assert gone[COMPLETE] == []
    assert gone["visible+desc_post+desc_pre+asc_post+asc_pre"] == ["nir"]
    assert gone["desc_post+desc_pre+asc_post+asc_pre"] == ["cloud", "red", "green", "blue", "nir"]
    assert gone["visible+nir+desc_post+asc_post"] == [
        *("desc_vv_pre", "desc_vh_pre", "asc_vv_pre", "asc_vh_pre")
    ]


@pytest.mark.parametrize("band", ["red", "desc_vh_post", "asc_vv_pre"])
def test_half_a_group_is_partial(pixels, band):
    holed = pixels.copy()
    holed[1, INDEX[band]] = np.nan
    found = combination_of(filter_features(table_features(holed)))
    assert found == [COMPLETE, PARTIAL]


def test_nothing_is_no_combination(features):
    rows = features.iloc[:2].copy()
    rows[:] = np.nan
    assert combination_of(rows) == [""] * 2
    assert "" not in COMBINATIONS


def test_blanking_inputs_twice_is_blanking_by_what_both_leave():
    inputs = inputs_of(raw_patches(balanced(2)))[2]
    both = blank_inputs(blank_inputs(inputs, "visible+nir+desc_post"), "visible+desc_post+desc_pre")
    np.testing.assert_array_equal(both, blank_inputs(inputs, "visible+desc_post"))
