"""A tile's statistics against numpy and scipy, and their even spread."""

import numpy as np
import pytest
import torch
from conftest import balanced, inputs_of, raw_patches
from scipy import stats

from landslide_core.bands import ADDED, BANDS, CHANNELS, OPTICAL
from landslide_core.combinations import blank_inputs
from landslide_core.ensemble import view
from landslide_core.judgement import VIEWS
from landslide_core.moments import COUNT, LAYERS, MOMENTS, moments
from landslide_core.voices import Spread

BAND = {band.name: band for band in BANDS}
CHANNEL = {channel.name: i for i, channel in enumerate(CHANNELS)}
CONTRASTS = MOMENTS * len(LAYERS)  # where comparisons of layers begin


@pytest.fixture(scope="module")
def inputs():
    """Three model inputs, complete."""
    return inputs_of(raw_patches(balanced(3)))[2]


def computed(inputs):
    """Statistics and flags of model inputs, as numpy arrays in float64."""
    values, known = moments(torch.from_numpy(np.array(inputs)))
    assert values.shape == known.shape == (len(inputs), COUNT)
    return values.double().numpy(), known.numpy()


def of_layer(values, layer):
    """The eight statistics of a layer (N, 8)."""
    start = MOMENTS * LAYERS.index(layer)
    return values[:, start : start + MOMENTS]


def physical(inputs, band):
    """A band's pixels (N, 4096) in its own unit; optical with the added offset left in."""
    z = inputs[:, CHANNEL[band]].reshape(len(inputs), -1).astype(np.float64)
    return z * BAND[band].std + BAND[band].mean + (ADDED if band in OPTICAL else 0)


def by_hand(pixels, level, deviation):
    """Eight statistics of one tile's pixels (n,); `variation` from its own unit."""
    return [
        *(pixels.mean(), pixels.std(), pixels.min(), pixels.max()),
        *(stats.skew(pixels), stats.kurtosis(pixels, fisher=False)),
        *(np.ptp(pixels), deviation / abs(level)),
    ]


@pytest.mark.parametrize("band", ["red", "nir", "desc_vv_post", "asc_vh_post"])
def test_statistics_of_a_band_by_hand(inputs, band):
    values, known = computed(inputs)
    own = physical(inputs, band)
    for i, z in enumerate(inputs[:, CHANNEL[band]].reshape(3, -1).astype(np.float64)):
        expected = by_hand(z, own[i].mean(), own[i].std())
        np.testing.assert_allclose(of_layer(values, band)[i], expected, rtol=2e-3, atol=1e-4)
    assert (known == 1).all()


def test_statistics_of_a_change_by_hand(inputs):
    values, _ = computed(inputs)
    change = (inputs[:, CHANNEL["asc_vh_post"]] - inputs[:, CHANNEL["asc_vh_pre"]]).astype(float)
    for i, z in enumerate(change.reshape(3, -1)):
        expected = by_hand(z, z.mean(), z.std())
        found = of_layer(values, "asc_vh_post_change")[i]
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=1e-4)


def test_an_index_is_a_normalised_difference_of_levels(inputs):
    values, _ = computed(inputs)
    nir, blue = (physical(inputs, band) for band in ("nir", "blue"))
    index = (nir - blue) / (nir + blue)
    assert (np.abs(index) < 1).all()
    for i, z in enumerate(index):
        found = of_layer(values, "nir_blue_index")[i]
        np.testing.assert_allclose(found, by_hand(z, z.mean(), z.std()), rtol=3e-3, atol=1e-4)


def test_contrasts_by_hand(inputs):
    """VV − VH (means, deviations), the optical levels' differences, a pass's change and past."""
    values, known = computed(inputs)
    z = {name: inputs[:, i].reshape(3, -1).astype(np.float64) for name, i in CHANNEL.items()}
    vv, vh = z["desc_vv_post"], z["desc_vh_post"]
    np.testing.assert_allclose(values[:, CONTRASTS], (vv.mean(1) - vh.mean(1)), atol=1e-4)
    np.testing.assert_allclose(values[:, CONTRASTS + 6], (vv.std(1) - vh.std(1)), atol=1e-4)
    red, green = (physical(inputs, band).mean(1) for band in ("red", "green"))
    expected = (red - green) / (red + green)
    np.testing.assert_allclose(values[:, CONTRASTS + 12], expected, atol=1e-5)
    share = (vv - z["desc_vv_pre"]).std(1) / vv.std(1)
    np.testing.assert_allclose(values[:, CONTRASTS + 18], share, rtol=1e-4)
    before = z["desc_vv_pre"].mean(1)
    np.testing.assert_allclose(values[:, CONTRASTS + 22], before, atol=1e-4)
    assert CONTRASTS + 6 + 6 + 6 + 4 + 4 + 1 == COUNT
    assert known.shape == (3, COUNT)


def test_the_last_statistic_is_the_clouded_share(inputs):
    clouded = inputs.copy()
    clouded[:, 0] = 0
    clouded[1, 0, :16] = 1
    np.testing.assert_allclose(computed(clouded)[0][:, -1], [0, 0.25, 0])


@pytest.mark.parametrize("index", range(len(VIEWS)))
def test_turning_a_tile_changes_nothing(inputs, index):
    turned = view(torch.from_numpy(inputs), index).contiguous().numpy()
    for found, expected in zip(computed(turned), computed(inputs), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_tile_s_statistics_do_not_depend_on_the_tiles_beside_it(inputs):
    alone = np.concatenate([computed(inputs[i : i + 1])[0] for i in range(3)])
    np.testing.assert_allclose(alone, computed(inputs)[0], rtol=1e-5, atol=1e-5)


def test_what_is_computed_from_missing_bands_is_unknown(inputs):
    """Without the ascending pass's earlier date and without near infrared."""
    name = "visible+desc_post+desc_pre+asc_post"
    _, known = computed(blank_inputs(inputs, name))
    unknown = {layer for layer in LAYERS if not of_layer(known, layer).any()}
    assert unknown == {
        *("nir", "nir_blue_index", "green_nir_index"),
        *("asc_vv_post_change", "asc_vh_post_change"),
    }
    whole = [layer for layer in LAYERS if layer not in unknown]
    assert all((of_layer(known, layer) == 1).all() for layer in whole)
    # Of 6 + 6 differences those of two changes go, of 6 levels those with near infrared, of 4 + 4
    # shares and earlier levels the ascending ones.
    contrasts = known[0, CONTRASTS:]
    assert contrasts.astype(int).tolist() == [
        *(1, 1, 1, 1, 0, 0),
        *(1, 1, 1, 1, 0, 0),
        *(1, 1, 0, 1, 0, 0),
        *(1, 1, 0, 0),
        *(1, 1, 0, 0),
        1,
    ]


def test_statistics_of_what_is_there_ignore_what_is_missing(inputs):
    holed = inputs.copy()
    holed[:, 1:, :, :26] = 0  # 40.6 %, in every band
    values, known = computed(holed)
    assert (known == 1).all()
    rest, _ = computed(inputs[:, :, :, 26:])
    columns = np.arange(COUNT - 1)  # the share of cloud is of the whole tile
    np.testing.assert_allclose(values[:, columns], rest[:, columns], rtol=1e-3, atol=1e-3)


def test_a_layer_that_is_mostly_missing_is_unknown(inputs):
    holed = inputs.copy()
    holed[0, CHANNEL["blue"], :31] = 0  # 48 %
    holed[1, CHANNEL["blue"], :33] = 0  # 52 %
    _, known = computed(holed)
    assert of_layer(known, "blue")[:, 0].tolist() == [1, 0, 1]
    assert of_layer(known, "nir_blue_index")[:, 0].tolist() == [1, 0, 1]
    assert of_layer(known, "green")[:, 0].tolist() == [1, 1, 1]


def test_nothing_at_all_is_finite_and_unknown():
    values, known = computed(np.zeros((1, 13, 64, 64), np.float32))
    assert np.isfinite(values).all()
    assert not known.any()


@pytest.fixture(scope="module")
def fitted():
    """A spread over three statistics: lognormal, uniform, and one that is known of nobody."""
    rng = np.random.default_rng(0)
    sample = torch.from_numpy(
        np.column_stack([np.exp(2 * rng.standard_normal(4000)), rng.uniform(-3, 9, (4000, 2))])
    ).float()
    known = torch.ones_like(sample)
    known[:, 2] = 0
    spread = Spread(3)
    spread.fit(sample, known)
    return spread


def test_scores_of_new_values_are_spread_like_a_normal(fitted):
    rng = np.random.default_rng(1)
    fresh = np.column_stack([np.exp(2 * rng.standard_normal(4000)), rng.uniform(-3, 9, (4000, 2))])
    fresh = torch.from_numpy(fresh).float()
    scores = fitted(fresh, torch.ones_like(fresh)).numpy()
    for column in (0, 1):
        assert abs(scores[:, column].mean()) < 0.06
        assert abs(scores[:, column].std() - 1) < 0.06
        assert stats.kstest(scores[:, column], "norm").statistic < 0.05


def test_quantiles_are_mapped_to_their_normal_scores(fitted):
    """Of the uniform between −3 and 9: its middle is 0, its quantile of one deviation is 1."""
    shares = stats.norm.cdf([-1.0, 0.0, 1.0])
    column = torch.from_numpy(-3 + 12 * shares).float()
    values = torch.stack([column, column, column], dim=1)
    np.testing.assert_allclose(fitted(values, torch.ones_like(values))[:, 1], [-1, 0, 1], atol=0.1)


def test_a_greater_value_never_scores_less_and_scores_are_bounded(fitted):
    line = torch.linspace(-1e6, 1e6, 20_001)[:, None].repeat(1, 3)
    scores = fitted(line, torch.ones_like(line))
    assert (scores.diff(dim=0) >= 0).all()
    assert scores[0, :2].tolist() == pytest.approx([-3.09, -3.09], abs=0.01)
    assert scores[-1, :2].tolist() == pytest.approx([3.09, 3.09], abs=0.01)


def test_what_is_not_known_scores_0_and_teaches_nothing(fitted):
    values = torch.full((1, 3), 1e5)
    assert fitted(values, torch.tensor([[0.0, 1.0, 0.0]])).tolist()[0][::2] == [0, 0]
    other = Spread(3)
    sample = torch.randn(500, 3)
    known = torch.ones_like(sample)
    known[250:] = 0
    other.fit(sample, known)
    half = Spread(3)
    half.fit(sample[:250], known[:250])
    assert torch.equal(other.knots, half.knots)
