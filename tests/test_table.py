"""Filter features from the rows that surrogate patches were made from."""

import numpy as np
import pandas as pd
import pytest
from conftest import balanced, patches_of, raw_patches, table_of

from landslide_core.errors import DatasetError
from landslide_core.training.table import features_of_table

COUNT = 8


@pytest.fixture(scope="module")
def patches():
    """Prepared patches."""
    return patches_of(COUNT)


@pytest.fixture
def rows():
    """The rows they have, in their order."""
    labels = balanced(COUNT)
    return table_of(raw_patches(labels), labels)


def saved(rows, tmp_path):
    path = tmp_path / "table.csv"
    rows.to_csv(path, index=False)
    return path


def test_rows_are_found_by_id_not_by_order(patches, rows, tmp_path):
    found = features_of_table(saved(rows.iloc[::-1], tmp_path), patches)
    assert found.index.tolist() == list(range(COUNT))
    pd.testing.assert_index_equal(found.columns, patches.features.columns)
    plain = [name for name in found.columns if name.startswith("desc_v") and "post" in name]
    np.testing.assert_allclose(found[plain], patches.features[plain], rtol=1e-3, atol=1e-3)


def test_features_are_the_table_s_and_not_the_pixels_own(patches, rows, tmp_path):
    rows.loc[3, "band3_mean"] += 50  # red is stored third, with 1000 added
    found = features_of_table(saved(rows, tmp_path), patches)
    assert found["red_mean"][3] == pytest.approx(patches.features["red_mean"][3] + 50, rel=1e-4)
    assert found["red_mean"][4] == pytest.approx(patches.features["red_mean"][4], rel=1e-4)


def test_a_table_without_labels_will_do(patches, rows, tmp_path):
    assert len(features_of_table(saved(rows.drop(columns="label"), tmp_path), patches)) == COUNT


def test_a_patch_without_a_row_or_with_another_label_is_refused(patches, rows, tmp_path):
    with pytest.raises(DatasetError, match=r"1 patches have no row in .*first: ID_003"):
        features_of_table(saved(rows.drop(index=3), tmp_path), patches)
    rows.loc[4, "label"] = 1
    with pytest.raises(DatasetError, match=r"disagree on 1 labels \(first: ID_004\)"):
        features_of_table(saved(rows, tmp_path), patches)
