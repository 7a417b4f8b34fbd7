"""Statistics against SciPy, indices against their formulas, pixels against the table."""

import numpy as np
import pytest
from conftest import balanced, raw_patches, table_of
from scipy import stats

from landslide_core.bands import BAND_NAMES, INDEX, STORED
from landslide_core.features import (
    LAYERS,
    STATISTICS,
    TABLE_LAYERS,
    features_from_table,
    filter_features,
    layer,
    statistics,
    table_features,
    tile_features,
)
from landslide_core.readers.patches import to_bands


def tiles(count=3, seed=0):
    """Physical pixels (N, 12, 64, 64), read-only."""
    pixels = to_bands(raw_patches(balanced(count), seed))
    pixels.flags.writeable = False
    return pixels


def of_one_image(values):
    """The eight statistics by NumPy and SciPy, in the order of STATISTICS."""
    values = values[np.isfinite(values)].astype(np.float64)
    shape = stats.skew(values), stats.kurtosis(values)  # biased, Fisher
    ends = values.min(), values.max()
    return np.array([values.mean(), values.std(), *ends, *shape, *np.quantile(values, (0.1, 0.9))])


def skewed(count=4):
    images = np.random.default_rng(0).gamma(1.5, 300, (count, 64, 64)).astype(np.float32)
    images.flags.writeable = False
    return images


def test_statistics_are_scipys():
    images = skewed()
    expected = np.stack([of_one_image(image) for image in images])
    assert STATISTICS == ("mean", "std", "min", "max", "skew", "kurt", "q10", "q90")
    np.testing.assert_allclose(statistics(images), expected, rtol=1e-4)
    np.testing.assert_allclose(statistics(images, quantiles=False), expected[:, :6], rtol=1e-4)


def test_nan_pixels_are_skipped_image_by_image():
    images = skewed().copy()
    images[1, :20] = np.nan
    found = statistics(images)
    np.testing.assert_allclose(found[1], of_one_image(images[1]), rtol=1e-4)
    np.testing.assert_array_equal(found[[0, 2, 3]], statistics(skewed())[[0, 2, 3]])


def test_under_half_the_pixels_there_are_no_statistics():
    images = skewed(2).copy()
    images[0, :32] = np.nan  # exactly half is enough
    images[1, :32] = np.nan
    images[1, 32, 0] = np.nan
    found = statistics(images)
    assert np.isfinite(found[0]).all()
    assert np.isnan(found[1]).all()


def test_a_constant_image_has_no_shape():
    found = statistics(np.full((1, 64, 64), -12.5, np.float32))[0]
    np.testing.assert_array_equal(found, [-12.5, 0, -12.5, -12.5, 0, 0, -12.5, -12.5])


def test_layer_formulas():
    pixels = tiles()
    physical = {name: pixels[:, i].astype(np.float64) for name, i in INDEX.items()}
    r, g, b, n = (physical[name] / 1e4 for name in ("red", "green", "blue", "nir"))
    offset = {name: physical[name] + 1000 for name in ("green", "blue", "nir")}
    expected = {
        "ndvi": (n - r) / (n + r),
        "savi": 1.5 * (n - r) / (n + r + 0.5),
        "gndvi": (n - g) / (n + g),
        "evi": 2.5 * (n - r) / (n + 6 * r - 7.5 * b + 1),
        "ndwi": (g - n) / (g + n),
        "ngrdi": (g - r) / (g + r),
        "bndvi_dn": (offset["nir"] - offset["blue"]) / (offset["nir"] + offset["blue"]),
        "ndwi_dn": (offset["green"] - offset["nir"]) / (offset["green"] + offset["nir"]),
        "desc_vv_diff": physical["desc_vv_post"] - physical["desc_vv_pre"],
        "asc_vh_diff": physical["asc_vh_post"] - physical["asc_vh_pre"],
        "desc_ratio_post": physical["desc_vv_post"] - physical["desc_vh_post"],
        "asc_ratio_pre": physical["asc_vv_pre"] - physical["asc_vh_pre"],
        "nir": physical["nir"],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(layer(pixels, name), values, rtol=1e-4, atol=2e-5, err_msg=name)


def test_indices_stay_between_their_bounds_near_zero_over_zero():
    pixels = tiles(1).copy()
    pixels[0, [INDEX["red"], INDEX["nir"]], :2] = [[[3.0]], [[-3.0]]]  # reflectance sum 0
    pixels[0, [INDEX["red"], INDEX["nir"]], 2:4] = [[[-900.0]], [[901.0]]]
    for name, bound in (("ndvi", 1.0), ("savi", 1.5), ("evi", 2.5), ("ndwi", 1.0)):
        values = layer(pixels, name)
        assert np.isfinite(values).all(), name
        assert np.abs(values).max() <= bound, name


def test_a_missing_band_is_missing_in_what_is_made_of_it_and_nowhere_else():
    pixels = tiles().copy()
    pixels[:, INDEX["desc_vv_pre"]] = np.nan
    gone = [name for name in LAYERS if np.isnan(layer(pixels, name)).any()]
    assert gone == ["desc_vv_pre", "desc_vv_diff", "desc_ratio_pre"]


def test_an_unknown_layer_is_an_error():
    with pytest.raises(KeyError):
        layer(tiles(1), "ndsi")


def test_every_layer_gives_every_statistic_under_its_name():
    found = tile_features(tiles())
    assert list(found.columns) == [f"{layer}_{kind}" for layer in LAYERS for kind in STATISTICS]
    assert set(BAND_NAMES) < set(LAYERS)
    assert found.columns.is_unique
    assert np.isfinite(found.to_numpy()).all()
    red = of_one_image(tiles()[1, INDEX["red"]])
    np.testing.assert_allclose(found.loc[1, [f"red_{s}" for s in STATISTICS]], red, rtol=1e-4)


def test_a_tile_s_features_do_not_depend_on_its_neighbours():
    pixels = tiles(4)
    alone = table_features(pixels[2:3])
    np.testing.assert_array_equal(alone.iloc[0], table_features(pixels).iloc[2])


def test_more_tiles_than_a_chunk_with_holes_of_their_own_give_what_each_gives_alone():
    pixels = tiles(19).copy()
    pixels[3, :4, :20] = np.nan
    pixels[9, 4:8, :, 50:] = np.nan
    pixels[9, 2, 5, 5] = np.nan
    pixels[17] = np.nan
    together = tile_features(pixels).to_numpy()
    alone = np.concatenate([tile_features(tile[None]).to_numpy() for tile in pixels])
    np.testing.assert_array_equal(together, alone)
    names = [f"{name}_{kind}" for name in ("nir", "desc_vv_diff") for kind in STATISTICS]
    difference = layer(pixels, "desc_vv_diff")
    for i in (3, 9):
        expected = [*of_one_image(pixels[i, INDEX["nir"]]), *of_one_image(difference[i])]
        found = tile_features(pixels).loc[i, names]
        np.testing.assert_allclose(found.to_numpy(), expected, rtol=1e-4)


def test_quantiles_are_numpys_to_the_bit_with_zeros_of_both_signs_too():
    rng = np.random.default_rng(4)
    images = rng.choice(np.array([-1, -0.0, 0.0, 1], np.float32), (12, 64, 64))
    images[6:] *= rng.gamma(1, 1, (6, 64, 64)).astype(np.float32)
    expected = np.quantile(images.reshape(12, -1), (0.1, 0.9), axis=1).T.astype(np.float32)
    assert statistics(images)[:, 6:].tobytes() == expected.tobytes()


def test_filter_features_are_their_formulas_and_keep_the_rows_names():
    base = table_features(tiles(3)).set_axis([7, 3, 5])
    given = {
        **{"asc_vv_diff_std": 2, "asc_vv_post_std": 0},
        **{"ndwi_dn_mean": -1e-5, "ndwi_dn_std": 0.5},
        **{"red_mean": -500, "red_std": 50, "blue_mean": -900},
        **{"desc_vh_post_mean": -20, "desc_vh_diff_mean": np.nan},
        **{"nir_max": 900, "nir_min": 100},
    }
    base = base.assign(**{name: np.float32(value) for name, value in given.items()})
    found = filter_features(base)
    assert list(found.index) == [7, 3, 5]
    assert (found.dtypes == np.float32).all()
    assert found.shape == (3, 136)
    expected = {
        "nir_range": 800,
        "red_variation": 50 / 500,
        "ndwi_dn_variation": 500,  # divided by 0.001, not by 0.00001
        "asc_vv_change": 2000,
        "desc_vh_pre_mean": np.nan,
        "red_blue_contrast": (500 - 100) / (500 + 100),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, err_msg=name)


def test_the_table_and_the_pixels_give_the_same_features():
    raw = raw_patches(balanced(6), seed=3)
    from_table = filter_features(features_from_table(table_of(raw, balanced(6))))
    from_pixels = filter_features(table_features(to_bands(raw)))
    assert list(from_table.columns) == list(from_pixels.columns)
    assert np.isfinite(from_table.to_numpy()).all()
    for name in from_table:
        np.testing.assert_allclose(
            from_pixels[name], from_table[name], rtol=2e-3, atol=2e-3, err_msg=name
        )


def test_a_table_minimum_of_zero_is_unknown_not_dark():
    raw = raw_patches(balanced(2))
    raw[0, :3, :3, 2] = 0  # band 3 is red
    found = features_from_table(table_of(raw, balanced(2)))
    assert np.isnan(found.loc[0, "red_min"])
    assert np.isfinite(found.drop(columns="red_min").to_numpy()).all()
    assert found.loc[1, "red_min"] == raw[1, ..., 2].min() - 1000


def test_the_label_is_no_feature(table, features):
    assert len(features) == len(table)
    flipped = table.assign(label=1 - table["label"])
    again = filter_features(features_from_table(flipped))
    np.testing.assert_array_equal(again.to_numpy(), features.to_numpy())
    assert not [name for name in features if "label" in name or "cloud" in name]


def test_table_layers_are_the_bands_as_the_table_orders_them():
    assert [TABLE_LAYERS[name] for name in STORED] == [f"band{i}" for i in range(1, 13)]
    stored = [name for name, column in TABLE_LAYERS.items() if column.startswith("band")]
    assert tuple(stored) == STORED
    assert stored == [
        *("blue", "green", "red", "nir"),
        *("desc_vv_post", "desc_vh_post", "desc_vv_diff", "desc_vh_diff"),
        *("asc_vv_post", "asc_vh_post", "asc_vv_diff", "asc_vh_diff"),
    ]
