"""Real files, each read with the values and the place that rasterio and pyproj find by hand."""

import json
import re
import tarfile
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import rasterio
from pyproj import Transformer

from landslide_core.bands import INDEX
from landslide_core.errors import GridMismatch, MissingCRS, SceneError
from landslide_core.grid import Window
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene

SHARED = Path(__file__).resolve().parents[2] / "shared/data/scenes"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not on this machine")
SSL4EO = SHARED / "ssl4eo-s12-0000200"

SPOTS = (0.02, 0.03), (0.03, 0.96), (0.97, 0.04), (0.96, 0.97), (0.31, 0.62), (0.73, 0.21)
TENTH = 1.0  # m: a tenth of a pixel of the scene


def spots(scene):
    """Rows and columns of pixels near the four corners and inside."""
    height, width = scene.grid.shape
    return np.array([(int(down * height), int(right * width)) for down, right in SPOTS]).T


def centres(scene, rows, cols):
    """x and y of pixel centres on the scene's grid."""
    return scene.grid.transform @ (np.asarray(cols) + 0.5, np.asarray(rows) + 0.5)


def values(scene, band, rows, cols):
    """What the scene reads at pixels."""
    return scene.read(Window(0, 0, *scene.grid.shape))[INDEX[band], rows, cols]


def at_pixel(path, index, x, y):
    """The numbers stored in the pixels that hold coordinates in the file's own CRS."""
    with rasterio.open(path) as file:
        return np.array([sample[0] for sample in file.sample(zip(x, y, strict=True), index)])


def between_pixels(path, index, crs, x, y, *, power_of=None, shift=(0.0, 0.0)):
    """Bilinear between pixel centres, by hand; of power where dB are stored ("db").

    `shift` moves the places by metres.
    """
    with rasterio.open(path) as file:
        stored = file.read(index).astype(np.float64)
        project = Transformer.from_crs(crs, file.crs.to_wkt(), always_xy=True)
        col, row = ~file.transform @ project.transform(x + shift[0], y + shift[1])
    power = 10 ** (stored / 10) if power_of == "db" else stored
    top, left = np.floor(row - 0.5).astype(int), np.floor(col - 0.5).astype(int)
    down, right = row - 0.5 - top, col - 0.5 - left
    mean = (
        power[top, left] * (1 - down) * (1 - right)
        + power[top, left + 1] * (1 - down) * right
        + power[top + 1, left] * down * (1 - right)
        + power[top + 1, left + 1] * down * right
    )
    return mean if power_of is None else 10 * np.log10(mean)


def check_between(scene, band, path, index, power_of=None):
    """The scene's values are those at its pixel centres, and a tenth of a pixel off would show."""
    rows, cols = spots(scene)
    if np.isnan(values(scene, band, rows, cols)).any():  # corners without data: from inside
        rows, cols = (axis.ravel() for axis in np.indices(scene.grid.shape)[:, 100:-100:71, 7::89])
    read = values(scene, band, rows, cols)
    x, y = centres(scene, rows, cols)
    by_hand = between_pixels(path, index, scene.grid.crs, x, y, power_of=power_of)
    known = np.isfinite(by_hand)  # all four neighbours are
    assert known.sum() >= len(SPOTS)
    read, by_hand, x, y = read[known], by_hand[known], x[known], y[known]
    miss = np.abs(read - by_hand).max()
    for shift in ((TENTH, 0), (-TENTH, 0), (0, TENTH), (0, -TENTH)):
        moved = between_pixels(path, index, scene.grid.crs, x, y, power_of=power_of, shift=shift)
        assert miss < np.abs(read - moved).max() / 5


def check_same_corners(scene, path):
    """The scene's grid has the file's four corners to a tenth of a pixel, in the file's zone."""
    with rasterio.open(path) as file:
        assert scene.grid.crs == f"EPSG:{file.crs.to_epsg()}"
        left, bottom, right, top = file.bounds
    height, width = scene.grid.shape
    for (col, row), corner in {
        (0, 0): (left, top),
        (width, 0): (right, top),
        (0, height): (left, bottom),
        (width, height): (right, bottom),
    }.items():
        assert scene.grid.transform @ (col, row) == pytest.approx(corner, abs=TENTH)


def check_enclosing_corners(scene, path):
    """The scene's grid is the box of whole 10 m around the file's projected outline."""
    with rasterio.open(path) as file:
        across, down = np.linspace(0, file.width, 101), np.linspace(0, file.height, 101)
        cols = np.concatenate([across, across, 0 * down, 0 * down + file.width])
        rows = np.concatenate([0 * across, 0 * across + file.height, down, down])
        project = Transformer.from_crs(file.crs.to_wkt(), scene.grid.crs, always_xy=True)
        x, y = project.transform(*(file.transform @ (cols, rows)))
    left, top = scene.grid.transform @ (0, 0)
    right, bottom = scene.grid.transform @ (scene.grid.width, scene.grid.height)
    for edge, outermost, outwards in (
        (left, x.min(), -1),
        (right, x.max(), 1),
        (bottom, y.min(), -1),
        (top, y.max(), 1),
    ):
        assert edge % 10 == 0
        assert -0.1 * TENTH < outwards * (edge - outermost) < 10 + TENTH


def decided(scene, subject):
    return next(d.decided for d in scene.decisions if subject in d.subject)


def stored_plus(scene):
    """The offset that was decided, DN."""
    added = re.search(r" ([+−]) (\S+)$", decided(scene, "units"))
    return float(added[2]) * (-1 if added[1] == "−" else 1) if added else 0


TERRAMIND = [("433D_629L_3_1", -1000), ("38D_378R_2_3", 0), ("637U_59R_1_3", 0)]
OPTICAL = {"blue": 2, "green": 3, "red": 4, "nir": 8}  # as bands of a level 2A or 1C stack


@needs_shared
@pytest.mark.parametrize(("name", "offset"), TERRAMIND)
def test_terramind(name, offset):
    s2, s1 = (SHARED / f"terramind/{kind}/{name}.tif" for kind in ("S2L2A", "S1RTC"))
    scene = open_scene(SceneInputs(s2=(s2,), asc_post=(s1,)))
    check_same_corners(scene, s2)
    assert stored_plus(scene) == offset
    assert decided(scene, "VV unit") == "dB"
    rows, cols = spots(scene)
    x, y = centres(scene, rows, cols)
    for band, index in OPTICAL.items():
        stored = at_pixel(s2, index, x, y)
        assert (stored > 0).all()
        np.testing.assert_array_equal(values(scene, band, rows, cols), stored + offset)
    for band, index in (("asc_vv_post", 1), ("asc_vh_post", 2)):
        stored = at_pixel(s1, index, x, y)
        np.testing.assert_array_equal(values(scene, band, rows, cols), stored.astype(np.float32))


@needs_shared
def test_copernicus_fm():
    path = next((SHARED / "copernicus-fm").glob("*.tif"))
    scene = open_scene(SceneInputs(s2=(path,)))
    check_same_corners(scene, path)
    assert stored_plus(scene) == 0
    assert any("level 1C" in warning for warning in scene.warnings)
    rows, cols = spots(scene)
    for band, index in OPTICAL.items():
        stored = at_pixel(path, index, *centres(scene, rows, cols))
        np.testing.assert_array_equal(values(scene, band, rows, cols), stored)


@needs_shared
@pytest.mark.parametrize(
    ("product", "level"),
    [
        ("s2a/*/20200604*", 2),
        ("s2a/*/20200813*", 2),
        ("s2c/*/20200604*", 1),
        ("s2c/*/20200823*", 1),
    ],
)
def test_ssl4eo_optical(product, level):
    folder = next(SSL4EO.glob(product))
    scene = open_scene(SceneInputs(s2=(folder,)))
    assert scene.grid.crs == "EPSG:32643"
    check_enclosing_corners(scene, folder / "B4.tif")
    assert stored_plus(scene) == 0
    assert any("level 1C" in warning for warning in scene.warnings) == (level == 1)
    for band, number in OPTICAL.items():
        check_between(scene, band, folder / f"B{number}.tif", 1)


@needs_shared
@pytest.mark.parametrize(("date", "role"), [("20200607", "desc_post"), ("20200903", "asc_post")])
def test_ssl4eo_radar(date, role):
    folder = next(SSL4EO.glob(f"s1/*/*_{date}T*"))
    scene = open_scene(SceneInputs(**{role: (folder,)}))
    assert scene.grid.crs == "EPSG:32643"
    check_enclosing_corners(scene, folder / "VV.tif")
    assert not any("pass" in warning and "read as" in warning for warning in scene.warnings)
    for name in ("vv", "vh"):
        assert decided(scene, f"{name.upper()} unit") == "dB"
        band = role.replace("_", f"_{name}_")
        check_between(scene, band, folder / f"{name.upper()}.tif", 1, "db")


@needs_shared
def test_opera():
    dates = sorted((SHARED / "opera-rtc-yambali").glob("*/*.tif"))
    assert len(dates) == 10
    for path in dates:
        scene = open_scene(SceneInputs(desc_post=(path,)))
        check_same_corners(scene, path)
        assert decided(scene, "VH unit").startswith("linear power")
        check_between(scene, "desc_vh_post", path, 1, "power")


@needs_shared
def test_a_safe_zip_of_250_m_is_refused():
    path = next((SHARED / "safe").glob("S2A_MSIL1C*.zip"))
    with pytest.raises(GridMismatch, match="pixels of 250 m; 60 m at most"):
        open_scene(SceneInputs(s2=(path,)))


@needs_shared
def test_a_safe_zip_without_measurements_is_refused_at_once():
    path = next((SHARED / "safe").glob("S1A_IW_GRDH*.zip"))
    began = time.perf_counter()
    with pytest.raises(SceneError):
        open_scene(SceneInputs(desc_post=(path,)))
    assert time.perf_counter() - began < 1


@needs_shared
def test_control_points_without_annotation_are_refused():
    paths = tuple((SHARED / "s1-grd-gcps").rglob("*.tiff"))
    assert len(paths) == 2
    with pytest.raises(MissingCRS, match="210 ground control points"):
        open_scene(SceneInputs(desc_post=paths))


# ---- the six pairs of the wheel bigearthnet-common, on any machine

PAIRS = ("33UUP_87_48", "35VPK_69_24", "29UPU_4_55", "35VPK_57_38", "29SND_56_35", "29UPU_36_85")


@pytest.fixture(scope="module")
def bigearthnet(tmp_path_factory):
    """The wheel's two archives, unpacked."""
    try:
        wheel = metadata.distribution("bigearthnet-common")
    except metadata.PackageNotFoundError:
        pytest.skip("the wheel bigearthnet-common is not installed: make installs it")
    folder = tmp_path_factory.mktemp("bigearthnet")
    for name in ("S1", "S2"):
        packed = wheel.locate_file(f"bigearthnet_common/BigEarthNet-{name}-Example.tar.bz2")
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
    return folder


def pair(folder, name):
    """The folders of a pair, and the role that the hour of the pass gives."""
    square = name.split("_", 1)[1]
    (s1,) = folder.glob(f"BigEarthNet-S1-Example/*_{name}")
    (s2,) = folder.glob(f"BigEarthNet-S2-Example/*_{square}")
    hour = int(s1.name.split("T")[1][:2])
    return s2, s1, "asc_post" if hour > 12 else "desc_post"  # Europe: mornings are descending


def test_there_are_six_pairs(bigearthnet):
    for kind in ("S1", "S2"):
        assert len(list(bigearthnet.glob(f"BigEarthNet-{kind}-Example/S*"))) == len(PAIRS)


@pytest.mark.parametrize("name", PAIRS)
def test_bigearthnet(bigearthnet, name):
    s2, s1, role = pair(bigearthnet, name)
    scene = open_scene(SceneInputs(s2=(s2,), **{role: (s1,)}))
    vv, vh = (role.replace("_", f"_{p}_") for p in ("vv", "vh"))
    assert set(scene.available) == {"red", "green", "blue", "nir", vv, vh}
    assert stored_plus(scene) == 0
    assert not any("covers" in w or "was taken on" in w for w in scene.warnings)
    rows, cols = spots(scene)
    x, y = centres(scene, rows, cols)
    for band, number in OPTICAL.items():
        (path,) = s2.glob(f"*_B{number:02d}.tif")
        check_same_corners(scene, path)
        stored = at_pixel(path, 1, x, y)
        np.testing.assert_array_equal(values(scene, band, rows, cols), stored)
    for band in (vv, vh):
        (path,) = s1.glob(f"*_{band.split('_')[1].upper()}.tif")
        check_same_corners(scene, path)
        assert decided(scene, f"{band.split('_')[1].upper()} unit") == "dB"
        np.testing.assert_array_equal(values(scene, band, rows, cols), at_pixel(path, 1, x, y))


@pytest.mark.parametrize("name", PAIRS)
def test_bigearthnet_lies_where_its_labels_say(bigearthnet, name):
    """Corners as the labels beside the rasters have them, which no raster library wrote."""
    s2, s1, role = pair(bigearthnet, name)
    for given in ({"s2": (s2,)}, {role: (s1,)}):
        scene = open_scene(SceneInputs(**given))
        (folder,) = next(iter(given.values()))
        labels = json.loads(next(folder.glob("*_labels_metadata.json")).read_text())
        corners = labels["coordinates"]
        bottom = corners.get("lry", corners.get("lly"))  # written either way
        assert scene.grid.transform @ (0, 0) == (corners["ulx"], corners["uly"])
        assert scene.grid.transform @ scene.grid.shape[::-1] == (corners["lrx"], bottom)
        assert f'AUTHORITY["EPSG","{scene.grid.crs[5:]}"]]' in labels["projection"]
