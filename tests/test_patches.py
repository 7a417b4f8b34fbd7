"""Challenge patches: bands and units of the scene, and every way a file can be wrong."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from landslide_core.bands import INDEX, STORED
from landslide_core.errors import BadPatch, DatasetError, MissingLabels
from landslide_core.readers.patches import (
    list_patches,
    read_labels,
    read_patch,
    read_patches,
    to_bands,
)


@pytest.fixture
def raw():
    """A patch whose every number is its own: band × 10,000 + row × 100 + column, read-only."""
    rows, cols = np.indices((64, 64))
    patch = np.stack([1e4 * (band + 1) + rows * 100 + cols for band in range(12)], axis=-1)
    patch.flags.writeable = False
    return patch


def save(path, array):
    np.save(path, array)
    return path


def test_bands_and_units(tmp_path, raw):
    patch = read_patch(save(tmp_path / "ID_A.npy", raw))
    assert patch.shape == (12, 64, 64)
    assert patch.dtype == np.float32
    stored = dict(zip(STORED, np.moveaxis(raw, -1, 0), strict=True))
    assert STORED[:4] == ("blue", "green", "red", "nir")
    for name in STORED[:4]:
        np.testing.assert_array_equal(patch[INDEX[name]], stored[name] - 1000)
    for orbit in ("desc", "asc"):
        for polarisation in ("vv", "vh"):
            stem = f"{orbit}_{polarisation}"
            post, pre = patch[INDEX[f"{stem}_post"]], patch[INDEX[f"{stem}_pre"]]
            np.testing.assert_array_equal(post, stored[f"{stem}_post"])
            np.testing.assert_array_equal(post - pre, stored[f"{stem}_diff"])


def test_rows_stay_rows(tmp_path, raw):
    red = read_patch(save(tmp_path / "ID_A.npy", raw))[INDEX["red"]]
    assert red[1, 0] - red[0, 0] == 100
    assert red[0, 1] - red[0, 0] == 1


def test_zero_is_no_data_before_the_offset(raw):
    holed = raw.copy()
    holed[3, 4, STORED.index("red")] = 0.0
    holed[5, 6, STORED.index("desc_vv_post")] = 0.0  # 0 dB is a value
    patch = to_bands(holed)
    assert np.isnan(patch[INDEX["red"], 3, 4])
    assert np.isnan(patch).sum() == 1
    assert patch[INDEX["desc_vv_post"], 5, 6] == 0


def test_many_at_once(tmp_path, raw):
    for name in ("ID_B", "ID_A"):
        save(tmp_path / f"{name}.npy", raw)
    paths = list_patches(tmp_path)
    assert [path.stem for path in paths] == ["ID_A", "ID_B"]
    patches = read_patches(paths)
    assert patches.shape == (2, 12, 64, 64)
    np.testing.assert_array_equal(patches[0], to_bands(raw))
    np.testing.assert_array_equal(to_bands(np.stack([raw, raw])), patches)


def wrong_patches(raw):
    holed = raw.copy()
    holed[0, 0, 0] = np.nan
    endless = raw.copy()
    endless[0, 0, 5] = np.inf
    return {
        "shape": (raw[:32], "shape"),
        "channels first": (np.moveaxis(raw, -1, 0), "shape"),
        "nan": (holed, "1 NaN"),
        "infinite": (endless, "1 NaN or infinite"),
        "complex": (raw.astype(complex), "complex128"),
        "text": (raw.astype(str), "<U"),
        "objects": (raw.astype(object), "allow_pickle"),
    }


@pytest.mark.parametrize(
    "case", ["shape", "channels first", "nan", "infinite", "complex", "text", "objects"]
)
def test_wrong_patches_are_refused_by_name(tmp_path, raw, case):
    array, found = wrong_patches(raw)[case]
    path = tmp_path / "ID_X.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(BadPatch, match=r"ID_X\.npy.*64, 64, 12.*needed") as caught:
        read_patch(path)
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not an array", b"\x93NUMPY\x01\x00"])
def test_a_broken_file_is_refused(tmp_path, content):
    path = tmp_path / "ID_X.npy"
    path.write_bytes(content)
    with pytest.raises(BadPatch, match=r"ID_X\.npy"):
        read_patch(path)


def test_a_truncated_file_is_refused(tmp_path, raw):
    path = save(tmp_path / "ID_X.npy", raw)
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BadPatch, match=r"ID_X\.npy"):
        read_patch(path)


def test_an_archive_is_refused(tmp_path, raw):
    np.savez(tmp_path / "ID_X.npz", a=raw)
    path = (tmp_path / "ID_X.npz").rename(tmp_path / "ID_X.npy")
    with pytest.raises(BadPatch, match="several arrays"):
        read_patch(path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=r"no \*\.npy"):
        list_patches(tmp_path)


def test_labels(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("ID,label,other\nID_A,1,x\n007,0,y\n")
    assert read_labels(path) == {"ID_A": 1, "007": 0}


@pytest.mark.parametrize(
    "text",
    ["", "ID,class\nA,1\n", "ID,label\nA,2\n", "ID,label\nA,1\nA,0\n", "ID,label\nA,1\nB,1,0\n"],
    ids=["empty", "no label", "two", "twice", "ragged"],
)
def test_wrong_labels_are_refused(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(MissingLabels, match=r"labels\.csv.*needed") as caught:
        read_labels(path)
    assert "\n" not in str(caught.value)


def test_a_missing_label_file_is_refused(tmp_path):
    with pytest.raises(MissingLabels, match="cannot be read"):
        read_labels(tmp_path / "labels.csv")


def test_the_first_stored_band_is_blue():
    """Water swallows red and near infrared; the band order follows the numbers, not the text."""
    table = Path(__file__).resolve().parents[2] / "shared/data/zindi/band_statistics.csv"
    if not table.is_file():
        pytest.skip("the challenge's band statistics are not beside this checkout")
    rows = pd.read_csv(table)
    means = {name: rows[f"band{i}_mean"] - 1000 for i, name in enumerate(STORED[:4], 1)}
    water = means["nir"] < 300
    assert water.sum() > 50
    assert (means["blue"] > means["red"])[water].all()
    leaves = (means["nir"] > 2000) & (means["green"] < 700)
    assert leaves.sum() > 1000
    medians = {name: means[name][leaves].median() for name in means}
    assert medians["blue"] < medians["red"] < medians["green"] < medians["nir"]
