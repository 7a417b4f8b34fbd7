"""Fast features beside the reference's way: the same bits, and a ratio that must not fall."""

from time import process_time

import numpy as np
import pytest

from benchmarks.reference_features import patch_features
from landslide_core.features import table_features, tile_features

MOST_ROUNDS = 60
# Measured on one thread: 26 and 8.3 times where NumPy's vector sort is fast, 11.7 and 3.5 on an
# AMD EPYC, where half of our time and none of theirs is that sort. These are two thirds of the
# latter.
LEAST = {"powers": 8, "products": 2.4}


def scenes(count, seed=0):
    """Tiles (N, 12, 64, 64): whole reflectances, some under the offset, and backscatter in dB."""
    rng = np.random.default_rng(seed)
    optical = rng.gamma(3, 250, (count, 4, 64, 64)).round() - rng.choice([0, 400], (count, 1, 1, 1))
    radar = rng.normal(-14, 4, (count, 8, 64, 64))
    return np.concatenate([optical, radar], axis=1).astype(np.float32)


def holed(count=12):
    """Tiles with pixels missing here and there, in stripes, in whole passes, and too many."""
    tiles, rng = scenes(count, seed=1), np.random.default_rng(2)
    tiles[0][rng.random(tiles[0].shape) < 0.3] = np.nan  # every band elsewhere
    tiles[1][:, rng.random((64, 64)) < 0.1] = np.nan  # every band in the same places
    tiles[2, :4, :20] = np.nan
    tiles[2, 4:8, :, 50:] = np.nan
    tiles[3, 8:] = np.nan
    tiles[4, :, :33] = np.nan
    tiles[5, 3, 7, 7], tiles[5, 9, 7, 7] = np.inf, -np.inf
    tiles[6, :, :32] = np.nan  # half is enough
    tiles[9:] = tiles[9:].round(-1)  # many pixels alike
    tiles[10] = -12.5
    return tiles


def same_bits(one, other):
    """Whether two tables hold the same names and the same bits; any NaN is as good as another."""
    one, other = (table.to_numpy(np.float32) for table in (one, other))
    return np.array_equal(one, other, equal_nan=True) and np.array_equal(
        np.signbit(one[~np.isnan(one)]), np.signbit(other[~np.isnan(other)])
    )


@pytest.mark.parametrize("tiles", [scenes(9), holed()], ids=["whole", "holed"])
@pytest.mark.parametrize("powers", [False, True], ids=["products", "powers"])
def test_values_are_the_reference_s_to_the_bit(tiles, powers):
    wanted, found = patch_features(tiles, powers), tile_features(tiles)
    assert list(found.columns) == list(wanted.columns)
    assert same_bits(found, wanted)
    assert np.isfinite(found.to_numpy()).any(axis=1).sum() >= len(tiles) - 1


def test_the_features_of_every_tile_are_among_them():
    table, every = table_features(holed()), patch_features(holed(), powers=False)
    assert same_bits(table, every[list(table.columns)])


def test_features_are_many_times_as_fast_as_the_reference_s():
    few, many = scenes(1), scenes(16)
    ways = {
        "powers": lambda: patch_features(few),
        "products": lambda: patch_features(few, powers=False),
        "ours": lambda: tile_features(many),
    }
    seconds = dict.fromkeys(ways, np.inf)
    ratios = dict.fromkeys(LEAST, 0.0)
    for _ in range(MOST_ROUNDS):  # in turns, and the least: other work on the machine falls on all
        for name, way in ways.items():
            start = process_time()
            way()
            seconds[name] = min(seconds[name], process_time() - start)
        ratios = {name: seconds[name] * len(many) / seconds["ours"] for name in LEAST}
        if all(ratios[name] >= least for name, least in LEAST.items()):
            return
    raise AssertionError(ratios)
