"""What inputs and places did to the ensemble's opinion: it adds up, and of nothing comes none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import balanced, inputs_of, raw_patches

from landslide_core import attribution
from landslide_core.attribution import SENSORS, attribute, picture_shares
from landslide_core.bands import BAND_NAMES, BANDS, INDEX
from landslide_core.combinations import blank, combination_of
from landslide_core.ensemble import cast_votes
from landslide_core.explanation import sensor_of
from landslide_core.features import filter_features, table_features
from landslide_core.judgement import ORDER
from landslide_core.moments import moments
from landslide_core.preprocess import model_input
from pages.parts.why.attributions import by_sensor, coloured

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tile():
    """Pixels (12, 64, 64) and cloud of a tile with a landslide."""
    pixels, cloud, _ = inputs_of(raw_patches(balanced(2)))
    return pixels[1], cloud[1]


@pytest.fixture(scope="module")
def found(bundle, tile):
    """The tile taken apart."""
    return attribute(bundle, *tile)


def picture_of(bundle, inputs):
    """Mean log-odds of the members' pictures, upright."""
    with torch.inference_mode():
        return float(
            np.mean([float(m.network.picture(torch.tensor(inputs))[0][0]) for m in bundle.members])
        )


def test_places_add_up_to_the_picture(bundle, tile, found):
    """Completeness: all that the picture says beyond the mean picture, no more, no less."""
    inputs = model_input(tile[0][None], tile[1][None])
    mean = np.zeros_like(inputs)
    mean[:, 0] = inputs[:, 0]  # the cloud flag stays
    assert found.picture == pytest.approx(picture_of(bundle, inputs), abs=1e-5)
    assert found.start == pytest.approx(picture_of(bundle, mean), abs=1e-5)
    assert found.pixels.sum() == pytest.approx(found.picture - found.start, abs=1e-3)
    assert abs(found.pixels).sum() > 1e-3


def test_the_gradients_themselves_come_near_the_sum(bundle, tile, monkeypatch):
    """What is shared out afterwards is a small rest of the way."""
    monkeypatch.setattr(attribution, "_completed", lambda shares, wanted: shares.numpy())
    inputs = model_input(tile[0][None], tile[1][None])
    shares, picture, start = picture_shares(bundle, inputs, steps=64)
    rest = abs(shares.sum() - (picture - start))
    assert rest < 0.05 * max(abs(picture - start), abs(shares).sum() / 10)


def test_a_band_at_the_mean_gets_nothing(bundle, tile):
    """It is what a missing band is too: neither occlusion nor gradients give it anything."""
    level = np.array(tile[0])
    level[INDEX["nir"]] = BANDS[INDEX["nir"]].mean
    found = attribute(bundle, level, tile[1])
    assert not found.pixels[INDEX["nir"]].any()
    assert "nir" not in found.bands
    assert "red" in found.bands


def test_without_a_sensor_the_ensemble_says_what_it_does_of_a_scene_without_it(bundle, tile, found):
    """Share of a sensor = log-odds with − without, by the votes that are cast in a run."""
    for name in SENSORS:
        left = np.array(tile[0])
        left[[i for band, i in INDEX.items() if sensor_of(band) == name]] = np.nan
        cloud = np.zeros_like(tile[1]) if name == "optical" else tile[1]
        both = np.concatenate(
            [model_input(tile[0][None], tile[1][None]), model_input(left[None], cloud[None])]
        )
        votes = cast_votes(bundle.members, both, CPU).votes[:, :, list(ORDER[:2])]
        odds = np.log(votes.astype(float) / (1 - votes.astype(float))).mean(axis=(1, 2))
        share = found.sensors[name].share
        assert share.total == pytest.approx(odds[0] - odds[1], abs=1e-3)
        assert found.odds == pytest.approx(odds[0], abs=1e-3)


def test_statistics_and_picture_are_told_apart(bundle, tile, found):
    inputs = model_input(tile[0][None], tile[1][None])
    less = np.array(inputs)
    less[:, 1 + INDEX["asc_vh_post"]] = 0
    with torch.inference_mode():
        said = [
            np.mean(
                [float(m.network.statistics(*moments(torch.tensor(x)))) for m in bundle.members]
            )
            for x in (inputs, less)
        ]
    share = found.bands["asc_vh_post"]
    assert share.statistics == pytest.approx(said[0] - said[1], abs=1e-5)
    expected = picture_of(bundle, inputs) - picture_of(bundle, less)
    assert share.picture == pytest.approx(expected, abs=1e-5)


def test_the_whole_system_without_a_sensor(bundle, tile, found):
    """Filter on what is left, and the calibration of what is left."""
    features = blank(filter_features(table_features(tile[0][None])), "visible+nir")
    assert combination_of(features) == ["visible+nir"]
    only_optical = np.array(tile[0])
    only_optical[4:] = np.nan
    alone = attribute(bundle, only_optical, tile[1])
    assert list(alone.sensors) == ["optical"]
    assert np.isnan(alone.sensors["optical"].probability)  # nothing would be left
    assert alone.sensors["optical"].verdict == "no_data"
    dropping = replace(
        bundle,
        prefilter=replace(
            bundle.prefilter, thresholds=dict.fromkeys(bundle.prefilter.thresholds, 1.1)
        ),
    )
    assert attribute(dropping, *tile).sensors["asc"].verdict == "filtered_out"
    keeping = replace(bundle, prefilter=replace(bundle.prefilter, thresholds={}))
    kept = attribute(keeping, *tile).sensors["asc"]
    assert kept.verdict in ("stable", "uncertain", "landslide")
    assert 0 <= kept.probability <= 1


def test_places_by_sensor_keep_their_sum(found):
    sums = by_sensor(found)
    assert list(sums) == list(SENSORS)
    assert {cells.shape for cells in sums.values()} == {(32, 32)}
    assert sum(float(c.sum()) for c in sums.values()) == pytest.approx(
        float(found.pixels.sum()), abs=1e-3
    )
    assert set(found.bands) == set(BAND_NAMES)


def test_orange_speaks_for_blue_against_and_nothing_is_see_through():
    picture = coloured(np.array([[1.0, -0.5], [0.0, 4.0]], np.float32), greatest=1.0)
    assert picture.shape == (4, 4, 4)
    assert tuple(picture[0, 0]) == (217, 115, 13, 255)
    assert tuple(picture[0, 2]) == (63, 143, 210, 128)
    assert picture[2, 0, 3] == 0
    assert picture[3, 3, 3] == 255
