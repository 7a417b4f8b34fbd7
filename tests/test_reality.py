"""Distance of made tiles from real ones, on tables whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from landslide_core.features import TABLE_LAYERS, TABLE_STATISTICS, filter_feature_names
from landslide_core.training import reality
from landslide_core.training.reality import distance, errors, promised, transfer, two_sample

ROWS = 500


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch):
    monkeypatch.setattr(reality, "_ROUNDS", 60)


def drawn(seed: int, rows: int = ROWS, columns: int = 6) -> pd.DataFrame:
    noise = np.random.default_rng(seed).normal(size=(rows, columns))
    return pd.DataFrame(noise, columns=[f"red_{i}" for i in range(columns)])


def coin(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, ROWS)


def base_table(rows: int, seed: int) -> pd.DataFrame:
    names = [f"{layer}_{kind}" for layer in TABLE_LAYERS for kind in TABLE_STATISTICS]
    table = pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, len(names))), columns=names)
    for name in names:
        if name.endswith("_std"):
            table[name] = 2.0
    return table


def test_the_same_distribution_cannot_be_told_apart():
    assert two_sample(drawn(0), drawn(1), 0).auc == pytest.approx(0.5, abs=0.06)
    assert two_sample(drawn(0), drawn(1, 350), 0, paired=False).auc == pytest.approx(0.5, abs=0.06)


def test_a_copy_cannot_be_told_apart():
    """Partners share a fold: trees that have met one would know the other is of the other kind."""
    assert two_sample(drawn(0), drawn(0), 0).auc == pytest.approx(0.5, abs=1e-9)


def test_a_shift_is_told_and_named():
    made = drawn(1)
    made["red_3"] += 6
    found = two_sample(drawn(0), made, 0)
    assert found.auc > 0.99
    assert next(iter(found.telling)) == "red_3"
    assert found.telling["red_3"] > 0.8
    assert len(found.telling) == 5


def test_labels_learnt_by_heart_do_not_transfer():
    """Made rows equal real ones and labels are tossed: any leak between folds gives an AUC of 1."""
    rows = drawn(0)
    found = transfer(rows, rows, coin(3), 0)
    for way in ("made_to_real", "real_to_made", "real_to_real"):
        assert found[f"{way}_auc"] == pytest.approx(0.5, abs=0.08)
    assert found["made_to_real_auc"] == found["real_to_real_auc"]


def test_what_is_the_same_in_both_transfers():
    labels = coin(3)
    real, made = drawn(0), drawn(1)
    real["red_0"] += 8 * labels
    made["red_0"] += 8 * labels
    found = transfer(real, made, labels, 0)
    assert set(found) == {
        f"{way}_{score}"
        for way in ("made_to_real", "real_to_made", "real_to_real")
        for score in ("auc", "average_precision", "f1")
    }
    assert min(found.values()) > 0.95


def test_what_made_tiles_lack_does_not_transfer_though_real_ones_hold_it():
    labels = coin(3)
    real, made = drawn(0), drawn(1)
    real["red_0"] += 8 * labels
    found = transfer(real, made, labels, 0)
    assert found["real_to_real_auc"] > 0.97
    assert found["real_to_made_auc"] == pytest.approx(0.5, abs=0.08)
    assert found["made_to_real_auc"] < 0.9


def test_f1_takes_its_threshold_from_the_form_trained_on():
    """Real rows lie far above the made ones' threshold, so every real row is called."""
    labels = coin(3)
    real, made = drawn(0), drawn(1)
    real["red_0"] += 8 * labels + 100
    made["red_0"] += 8 * labels
    found = transfer(real, made, labels, 0)
    everything_called = 2 * labels.sum() / (labels.sum() + ROWS)
    assert found["made_to_real_f1"] == pytest.approx(everything_called, abs=0.01)


def test_distance_sets_the_indices_apart():
    real, made = drawn(0), drawn(0)
    real["bndvi_dn_min"], made["bndvi_dn_min"] = drawn(4)["red_0"], drawn(5)["red_0"] + 6
    found = distance(real, made, coin(3), 0)
    assert found["two_sample_auc"] > 0.99
    assert found["two_sample_auc_promised"] == pytest.approx(0.5, abs=1e-9)
    assert "real_to_real_auc" in found


def test_promised_features_are_all_but_the_two_indices():
    names = filter_feature_names()
    kept = promised(pd.DataFrame(columns=list(names)))
    left = set(names) - set(kept)
    assert len(left) == 16  # two indices, six statistics, a range and a variation each
    assert {name.split("_dn")[0] for name in left} == {"bndvi", "ndwi"}


def test_errors_are_in_spreads_shares_and_as_they_are():
    real = base_table(40, 0)
    made = real.copy()
    made.loc[7, "nir_mean"] += 3.0  # over a standard deviation of 2
    made.loc[8, "red_std"] += 0.5
    made.loc[9, "asc_vh_diff_skew"] -= 0.25
    made["bndvi_dn_kurt"] += 4.0
    made["blue_min"] = np.nan
    found = errors(real, made)
    assert found.loc[("bands", "mean"), "worst"] == pytest.approx(1.5)
    assert found.loc[("bands", "mean"), "worst_layer"] == "nir"
    assert found.loc[("bands", "mean"), "worst_row"] == 7
    assert found.loc[("bands", "mean"), "median"] == 0
    assert found.loc[("bands", "std"), "worst"] == pytest.approx(0.25)
    assert found.loc[("bands", "skew"), "worst"] == pytest.approx(0.25)
    assert found.loc[("bands", "min"), "worst"] == 0  # the unknown is left out
    assert found.loc[("indices", "kurt"), "median"] == pytest.approx(2.0)  # one of two is off by 4
    assert found.loc[("indices", "kurt"), "q95"] == pytest.approx(4.0)
