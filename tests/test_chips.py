"""Chips with pixel masks: bands, scale and haze, quarters, and every way a file can be wrong."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from landslide_core.bands import INDEX, OPTICAL
from landslide_core.errors import BadPatch, DatasetError, LandslideError, MissingLabels
from landslide_core.features import features_from_table
from landslide_core.training.chips import (
    DARKEST,
    LAYER_OF,
    NUMBERS,
    ChipSet,
    chip_of,
    quarters,
    read_chips,
    without_haze,
)

SHARED = Path(__file__).parents[2] / "shared" / "data"
CHIPS = SHARED / "chips" / "landslide4sense"
TABLE = SHARED / "zindi" / "band_statistics.csv"
real_chips = pytest.mark.skipif(not CHIPS.is_dir(), reason=f"no chips under {CHIPS}")


def write(path: Path, name: str, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file[name] = array


def write_chip(folder: Path, name: str, image: np.ndarray, mask: np.ndarray) -> None:
    write(folder / "img" / f"image_{name}.h5", "img", image)
    write(folder / "mask" / f"mask_{name}.h5", "mask", mask)


def flat_image() -> np.ndarray:
    """Every layer at a tenth of its place in the file: B1 0.1, B2 0.2 … B8 0.8."""
    return np.broadcast_to(np.arange(1, 15) / 10, (128, 128, 14)).copy()


def one_chip(mask: np.ndarray) -> ChipSet:
    pixels = np.full((1, 12, 128, 128), np.nan, np.float32)
    pixels[:, :4] = 500
    return ChipSet(("A-1",), pixels, np.zeros((1, 128, 128), bool), mask[None])


@pytest.fixture(scope="module")
def chips() -> ChipSet:
    return read_chips(CHIPS)


def test_bands_units_and_masks(tmp_path):
    image, mask = flat_image(), np.zeros((128, 128), np.uint8)
    image[5, 7, 3] = 4.0  # B4 is red
    mask[5, 7] = 1
    write_chip(tmp_path, "7", image, mask)
    chips = read_chips(tmp_path)
    assert chips.names == ("7",)
    assert chips.pixels.dtype == np.float32
    red, green, blue, nir = (chips.pixels[0, INDEX[name]] for name in OPTICAL)
    # 0.4 × 445 = 178, 0.3 × 663 = 199 and 0.2 × 825 = 165 are under the floors: nothing comes off
    assert red[0, 0] == pytest.approx(178.07, abs=0.01)
    assert green[0, 0] == pytest.approx(199.02, abs=0.01)
    assert blue[0, 0] == pytest.approx(164.93, abs=0.01)
    assert nir[0, 0] == pytest.approx(1553.06, abs=0.01)
    assert red[5, 7] == pytest.approx(1780.69, abs=0.01)
    assert np.isnan(chips.pixels[0, 4:]).all()
    np.testing.assert_array_equal(np.argwhere(chips.masks), [[0, 5, 7]])
    assert not chips.cloud.any()


def test_bright_red_is_cloud(tmp_path):
    image = flat_image()
    image[64:, :, 3] = 12.0  # red 5342, 6.9 standard deviations over its mean
    write_chip(tmp_path, "1", image, np.zeros((128, 128)))
    cloud = read_chips(tmp_path).cloud
    assert cloud[0, 64:].all()
    assert not cloud[0, :64].any()


def test_haze_comes_off_chip_by_chip_and_leaves_near_infrared_alone():
    pixels = np.full((2, 12, 128, 128), np.nan, np.float32)
    pixels[:, :4] = 1000
    pixels[0, INDEX["blue"], :20] = 631  # 400 over the floor of 231
    pixels[0, INDEX["blue"], 20, 20] = 1  # one odd pixel of 16,384 decides nothing
    pixels[1, INDEX["blue"], :20] = 200  # under the floor: stays
    pixels.flags.writeable = False
    clear = without_haze(pixels)
    assert clear[0, INDEX["blue"], 0, 0] == 231
    assert clear[0, INDEX["blue"], 100, 100] == 600
    np.testing.assert_array_equal(clear[1, INDEX["blue"]], pixels[1, INDEX["blue"]])
    np.testing.assert_array_equal(clear[:, INDEX["nir"]], pixels[:, INDEX["nir"]])


def test_quarters_hold_the_mask_and_leave_slivers_out():
    mask = np.zeros((128, 128), bool)
    mask[0, :10] = True  # ten pixels in the first quarter: a landslide
    mask[100, 64:73] = True  # nine in the last: a sliver
    found = quarters(one_chip(mask))
    assert found.ids == ("chip-A-1-0-0", "chip-A-1-0-64", "chip-A-1-64-0")
    assert found.labels.tolist() == [1, 0, 0]
    assert found.masks is not None
    assert found.masks.sum(axis=(1, 2)).tolist() == [10, 0, 0]
    assert found.masks[0, 0, :10].all()
    assert found.inputs.shape == (3, 13, 64, 64)
    assert (found.inputs[:, 5:] == 0).all()  # no radar
    assert found.features["red_mean"].tolist() == [500, 500, 500]
    assert found.features["desc_vv_post_mean"].isna().all()


def test_quarters_overlap_at_half_stride_and_know_their_chip():
    found = quarters(one_chip(np.zeros((128, 128), bool)), stride=32)
    assert len(found) == 9
    assert found.ids[4] == "chip-A-1-32-32"
    assert set(chip_of(found.ids)) == {"A-1"}
    assert chip_of(["chip-12-0-64", "chip-val1-64-0"]).tolist() == ["12", "val1"]


def break_image(folder: Path) -> None:
    image = flat_image()
    image[3, 4, 7] = np.nan
    write(folder / "img" / "image_1.h5", "img", image)


FAULTS = {
    "no image": (lambda f: (f / "img" / "image_1.h5").unlink(), DatasetError, "no image_"),
    "no mask": (lambda f: (f / "mask" / "mask_1.h5").unlink(), MissingLabels, "mask_1.h5"),
    "dataset": (
        lambda f: write(f / "img" / "image_1.h5", "image", flat_image()),
        BadPatch,
        "dataset img",
    ),
    "shape": (
        lambda f: write(f / "img" / "image_1.h5", "img", flat_image()[:64]),
        BadPatch,
        r"\(64, 128, 14\)",
    ),
    "group": (
        lambda f: write(f / "img" / "image_1.h5", "img/deep", flat_image()),
        BadPatch,
        "numbers of shape",
    ),
    "no HDF5": (
        lambda f: (f / "img" / "image_1.h5").write_bytes(b"hello"),
        BadPatch,
        "does not read",
    ),
    "NaN": (break_image, BadPatch, "1 NaN"),
    "not divided": (
        lambda f: write(f / "img" / "image_1.h5", "img", flat_image() * 1000),
        BadPatch,
        "median of 800",
    ),
    "mask values": (
        lambda f: write(f / "mask" / "mask_1.h5", "mask", np.full((128, 128), 255)),
        BadPatch,
        "0 and 1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_clear_line(tmp_path, fault):
    write_chip(tmp_path, "1", flat_image(), np.zeros((128, 128), np.uint8))
    spoil, kind, words = FAULTS[fault]
    spoil(tmp_path)
    with pytest.raises(kind, match=words) as caught:
        read_chips(tmp_path)
    assert isinstance(caught.value, LandslideError)
    assert "\n" not in str(caught.value)


@real_chips
def test_numbers_bring_back_the_products_whole_numbers():
    """Values times NUMBERS are whole, and no multiple of NUMBERS under 1 would do as well."""
    for path in sorted((CHIPS / "img").glob("*.h5"))[:6]:
        with h5py.File(path) as file:
            layers = file["img"][:]
        for name, number in NUMBERS.items():
            values = np.unique(layers[..., LAYER_OF[name]] * number)
            assert np.abs(values - np.round(values)).max() < 0.01
            assert np.diff(values).min() == pytest.approx(1, abs=0.01)


@pytest.mark.skipif(not TABLE.is_file(), reason=f"no table at {TABLE}")
def test_darkest_are_the_medians_of_the_tables_minima():
    features = features_from_table(pd.read_csv(TABLE))
    for name, floor in DARKEST.items():
        assert features[f"{name}_min"].median() == pytest.approx(floor, abs=0.5)


@real_chips
def test_real_chips_look_like_vegetation_and_bare_scars(chips):
    """Band order: leaves are bright in near infrared and green tops red; bare ground is red."""
    assert len(chips) == 20
    red, green, blue, nir = (chips.pixels[:, INDEX[name]] for name in OPTICAL)
    ndvi = (nir - red) / (nir + red)
    leaves = ~chips.masks & (ndvi > 0.7)
    assert leaves.mean() > 0.3
    assert np.median(blue[leaves]) < np.median(green[leaves])
    assert np.median(red[leaves]) < np.median(green[leaves])
    assert np.median(nir[leaves]) > 2000
    scars = chips.masks
    assert np.median(ndvi[scars]) < 0.4
    assert np.median(red[scars]) > np.median(green[scars]) > np.median(blue[scars])
    assert np.median(red[scars]) > 2 * np.median(red[leaves])


@real_chips
def test_real_quarters(chips):
    found = quarters(chips)
    assert 60 <= len(found) <= 80
    assert set(chip_of(found.ids)) <= set(chips.names)
    assert 0.4 < found.labels.mean() < 0.9
    assert found.masks is not None
    np.testing.assert_array_equal(found.masks.any(axis=(1, 2)), found.labels == 1)
    overlapping = quarters(chips, stride=32)
    assert len(overlapping) > 2 * len(found)
