"""Surrogate patches: statistics as wanted, no look at labels, rows independent of each other."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from landslide_core.errors import BadPatch, DatasetError, MissingLabels
from landslide_core.training.surrogate import (
    CHANNEL_NAMES,
    STATISTICS,
    read_table,
    statistics_of,
    surrogate_patches,
    write_surrogates,
)

REAL_TABLE = Path(__file__).parents[2] / "shared" / "data" / "zindi" / "band_statistics.csv"
BANDS = CHANNEL_NAMES[:12]
ROWS = 5
# Mean of each band of the first patch, pixels weighted by their place.
WEIGHTED = [
    3045419.625,
    3106205.019,
    3000339.516,
    4284726.908,
    -22072.428,
    -22020.807,
    -72.669,
    -149.581,
    -22247.728,
    -22240.953,
    317.097,
    211.278,
]


def skewed_patches() -> np.ndarray:
    """Patches with long tails, no-data pixels, outliers and two-humped radar."""
    rng = np.random.default_rng(0)
    brightness = rng.gamma(3, 100, (ROWS, 64, 64, 1))
    optical = 1100 + brightness * [1.0, 1.1, 0.9, 3.0] + rng.gamma(2, 60, (ROWS, 64, 64, 4))
    radar = rng.normal(-12, 3, (ROWS, 64, 64, 8)) + np.log(rng.gamma(4, size=(ROWS, 64, 64, 8)))
    radar[..., [2, 3, 6, 7]] = rng.normal(0, 2.4, (ROWS, 64, 64, 4))
    patches = np.concatenate([optical, radar], axis=-1)
    patches[1, :3, :5, :4] = 0  # no data
    patches[2, 9, 9:12, :4] = 15000  # a roof
    patches[3, :, :30, 4:6] -= 25  # shadow
    patches[4, ..., 4] = np.round(patches[4, ..., 4])
    return patches


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    described = statistics_of(skewed_patches())
    described.insert(0, "label", [0, 1, 0, 1, 0])
    described.insert(0, "ID", [f"ID_{i}" for i in range(ROWS)])
    return described


def of(table: pd.DataFrame, kind: str, names: tuple[str, ...] = BANDS) -> np.ndarray:
    return table[[f"{name}_{kind}" for name in names]].to_numpy(float)


def assert_near(made: pd.DataFrame, wanted: pd.DataFrame) -> None:
    spread = of(wanted, "std")
    assert (np.abs(of(made, "mean") - of(wanted, "mean")) <= 0.001 * spread).all()
    assert (np.abs(of(made, "std") - spread) <= 0.001 * spread).all()
    np.testing.assert_array_equal(of(made, "min"), of(wanted, "min"))
    np.testing.assert_array_equal(of(made, "max"), of(wanted, "max"))
    assert np.abs(of(made, "skew") - of(wanted, "skew")).max() < 0.01
    assert np.abs(of(made, "kurt") - of(wanted, "kurt")).max() < 0.05
    for index in CHANNEL_NAMES[12:]:
        spread = wanted[f"{index}_std"]
        offset = (made[f"{index}_mean"] - wanted[f"{index}_mean"]).abs() / spread
        assert offset.median() < 0.01
        assert offset.max() < 0.5
        widening = (made[f"{index}_std"] / spread - 1).abs()
        assert widening.median() < 0.01
        assert widening.max() < 0.5


def test_statistics_follow_scipys_definitions():
    patches = skewed_patches()
    described = statistics_of(patches)
    blue, green, nir = (patches[..., k] for k in (0, 1, 3))
    channels = {f"band{k + 1}": patches[..., k] for k in range(12)}
    channels["ndvi"] = (nir - blue) / (nir + blue + 1e-7)
    channels["ndwi"] = (green - nir) / (green + nir + 1e-7)
    for name, values in channels.items():
        flat = values.reshape(ROWS, -1)
        expected = {
            "mean": flat.mean(axis=1),
            "std": flat.std(axis=1),
            "min": flat.min(axis=1),
            "max": flat.max(axis=1),
            "kurt": stats.kurtosis(flat, axis=1),
            "skew": stats.skew(flat, axis=1),
        }
        assert tuple(expected) == STATISTICS
        for kind, column in expected.items():
            np.testing.assert_allclose(described[f"{name}_{kind}"], column, rtol=1e-9, atol=1e-9)
    brightness = patches[..., :3].mean(axis=(1, 2, 3))
    np.testing.assert_allclose(described["cloud_score_brightness"], brightness)


def test_patches_have_the_statistics_of_their_row(table):
    patches = surrogate_patches(table, seed=7)
    assert patches.shape == (ROWS, 64, 64, 12)
    assert patches.dtype == np.float64
    assert np.isfinite(patches).all()
    assert_near(statistics_of(patches), table)


def test_patches_have_the_statistics_of_real_rows():
    if not REAL_TABLE.exists():
        pytest.skip(f"{REAL_TABLE} is not on this machine")
    real = read_table(REAL_TABLE).sample(60, random_state=3)
    heavy = read_table(REAL_TABLE).nlargest(4, "band1_kurt")
    rows = pd.concat([real, heavy]).reset_index(drop=True)
    assert_near(statistics_of(surrogate_patches(rows, seed=7)), rows)


def test_a_flat_band_stays_flat(table):
    flat = table.iloc[:1].copy()
    flat[[f"band1_{kind}" for kind in STATISTICS]] = [[1200.0, 0.0, 1200.0, 1200.0, 0.0, 0.0]]
    patch = surrogate_patches(flat, seed=1)[0]
    assert (patch[..., 0] == 1200).all()
    assert np.isfinite(patch).all()


def test_radar_before_the_event_varies_like_after(table):
    pixels = surrogate_patches(table.iloc[:3], seed=7).reshape(3, -1, 12)
    for post, difference in ((4, 6), (5, 7), (8, 10), (9, 11)):
        pre = pixels[..., post] - pixels[..., difference]
        ratio = pre.std(axis=1) / pixels[..., post].std(axis=1)
        assert ((ratio > 0.7) & (ratio < 1.4)).all()


def test_arrangement_is_texture_not_noise(table):
    patches = surrogate_patches(table, seed=7)
    for band in range(4):
        beside = [
            np.corrcoef(p[:, 1:, band].ravel(), p[:, :-1, band].ravel())[0, 1] for p in patches
        ]
        assert np.median(beside) > 0.3


def test_rows_are_independent_of_each_other_and_of_id_and_label(table):
    together = surrogate_patches(table, seed=7)
    renamed = table.assign(ID="x", label=1 - table["label"])
    np.testing.assert_array_equal(surrogate_patches(renamed, seed=7), together)
    order = [3, 0, 4]
    np.testing.assert_array_equal(surrogate_patches(table.iloc[order], seed=7), together[order])
    np.testing.assert_array_equal(surrogate_patches(table.iloc[[2]], seed=7), together[[2]])


def test_seeds_differ(table):
    one, other = (surrogate_patches(table.iloc[:1], seed=seed)[0] for seed in (7, 8))
    assert (one != other).mean() > 0.9
    np.testing.assert_array_equal(np.sort(one, axis=None), np.sort(other, axis=None))


def test_labels_do_not_reach_the_pixels(table, tmp_path):
    labels = {
        "true": table,
        "flipped": table.assign(label=1 - table["label"]),
        "deleted": table.drop(columns="label"),
    }
    seen = []
    for name, variant in labels.items():
        variant.to_csv(tmp_path / f"{name}.csv", index=False)
        out = write_surrogates(  # the number of workers is not to matter either
            tmp_path / f"{name}.csv",
            tmp_path / name,
            seed=7,
            workers=2 if name == "true" else 1,
            progress=lambda done, total: seen.append((done, total)),
        )
        assert (out / "labels.csv").exists() == (name != "deleted")
    for row in table["ID"]:
        content = {(tmp_path / name / f"{row}.npy").read_bytes() for name in labels}
        assert len(content) == 1
    np.testing.assert_array_equal(
        np.load(tmp_path / "true" / "ID_3.npy"), surrogate_patches(table.iloc[[3]], seed=7)[0]
    )
    written = pd.read_csv(tmp_path / "flipped" / "labels.csv")
    assert written["label"].tolist() == [1, 0, 1, 0, 1]
    assert seen == [(ROWS, ROWS)] * 3


def test_a_filled_folder_is_refused(table, tmp_path):
    table.to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(DatasetError, match="not an empty folder"):
        write_surrogates(tmp_path / "table.csv", tmp_path, seed=7)


@pytest.mark.parametrize(
    ("error", "match", "spoil"),
    [
        (DatasetError, "lacks 1 columns", lambda t: t.drop(columns="band3_skew")),
        (DatasetError, "cannot name a file", lambda t: t.assign(ID=["../a", "b", "c", "d", "e"])),
        (DatasetError, "cannot name a file", lambda t: t.assign(ID=["", "b", "c", "d", "e"])),
        (DatasetError, "no rows", lambda t: t.iloc[:0]),
        (DatasetError, "come twice", lambda t: t.assign(ID="same")),
        (BadPatch, "band2", lambda t: t.assign(band2_mean=np.nan)),
        (BadPatch, "band9", lambda t: t.assign(band9_max=-90.0)),
        (BadPatch, "ndvi", lambda t: t.assign(ndvi_std="wide")),
        (MissingLabels, "neither 0 nor 1", lambda t: t.assign(label=2)),
    ],
)
def test_a_bad_table_is_refused(table, tmp_path, error, match, spoil):
    spoil(table).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(error, match=match):
        read_table(tmp_path / "bad.csv")


def test_a_missing_or_empty_table_is_refused(tmp_path):
    (tmp_path / "empty.csv").touch()
    for name in ("absent.csv", "empty.csv"):
        with pytest.raises(DatasetError, match="does not read"):
            read_table(tmp_path / name)


def test_a_ragged_table_is_refused_in_one_line(tmp_path):
    (tmp_path / "ragged.csv").write_text("ID,label\nA,1\nB,1,0\n")
    with pytest.raises(DatasetError, match="does not read") as caught:
        read_table(tmp_path / "ragged.csv")
    assert "\n" not in str(caught.value)


def test_the_pixels_of_a_patch_stay_as_they_are(table):
    """The layout is named in one place; moving it there, or changing it, must not move a pixel.

    A digest of places and values, loose in the last digits, in which libraries differ.
    """
    patch = surrogate_patches(table.iloc[:1], seed=7)[0]
    rows, cols = np.indices((64, 64))
    weighted = (patch * (rows * 64 + cols + 1)[..., None]).mean(axis=(0, 1))
    np.testing.assert_allclose(weighted, WEIGHTED, rtol=1e-5)


def test_channels_are_named_as_in_the_table():
    assert (*(f"band{i}" for i in range(1, 13)), "ndvi", "ndwi") == CHANNEL_NAMES
