"""Files as portals deliver them: Earth Engine, SNAP, HyP3, OPERA, Planetary Computer, addresses."""

import json

import numpy as np
import pytest
import rasterio
from conftest import ORIGIN, UTM, write_raster
from stac_server import Files, running, write_band

from landslide_core.bands import INDEX
from landslide_core.errors import AmbiguousUnits, MissingBands, UnreadableRaster
from landslide_core.grid import Window
from landslide_core.readers.given import SceneInputs, inputs_from
from landslide_core.readers.inputs import open_scene

RNG = np.random.default_rng(11)
SIDE = 80
WHOLE = Window(0, 0, SIDE, SIDE)
DN = RNG.integers(1400, 4000, (4, SIDE, SIDE)).astype(np.uint16)
DB = np.stack([RNG.normal(mean, 1.5, (SIDE, SIDE)) for mean in (-10, -17)]).astype(np.float32)
POWER = (10 ** (DB / 10)).astype(np.float32)


def acquired(scene, role):
    return next(d.decided for d in scene.decisions if (d.role, d.subject) == (role, "acquisition"))


def radar_of(scene, role):
    orbit, time = role.split("_")
    return scene.read(WHOLE)[[INDEX[f"{orbit}_{pol}_{time}"] for pol in ("vv", "vh")]]


def test_an_earth_engine_stack(tmp_path):
    names = ("B2", "B3", "B4", "B8", "SCL", "MSK_CLDPRB")
    classes = np.full((1, SIDE, SIDE), 4, np.uint16)
    chance = np.where(np.arange(SIDE) < 9, 90, 1)[None, None] * np.ones((1, SIDE, 1), np.uint16)
    stack = np.concatenate([DN, classes, chance]).astype(np.uint16)
    path = write_raster(tmp_path / "20230405T050649_20230405T051200_T45RTL.tif", stack, names)
    scene = open_scene(SceneInputs(s2=(path,), s2_offset=0.0))
    np.testing.assert_array_equal(scene.read(WHOLE)[:4], DN[[2, 1, 0, 3]])
    np.testing.assert_array_equal(scene.read_cloud(WHOLE), chance[0] > 50)
    assert acquired(scene, "s2").startswith("2023-04-05 05:06 UTC")


def test_an_earth_engine_radar_export(tmp_path):
    name = "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_D457.tif"
    angle = np.full((1, SIDE, SIDE), 38.5, np.float32)
    path = write_raster(tmp_path / name, np.concatenate([DB, angle]), ("VV", "VH", "angle"))
    scene = open_scene(SceneInputs(desc_pre=(path,)))
    np.testing.assert_array_equal(radar_of(scene, "desc_pre"), DB)
    assert "2020-06-07 01:08 UTC, S1A GRD" in acquired(scene, "desc_pre")
    assert "relative orbit 107" in acquired(scene, "desc_pre")


@pytest.mark.parametrize(
    ("names", "role", "said"),
    [
        (
            ["S1A_IW_20200607T010800_DVP_RTC10_G_gpuned_ABCD_{}.tif"],
            "desc_post",
            "2020-06-07 01:08 UTC, S1A RTC",
        ),
        (
            [
                "OPERA_L2_RTC-S1_T069-147174-IW2_20231101T000800Z_20231102T010203Z_S1A_30_v1.0"
                "_{}.tif"
            ],
            "desc_post",
            "2023-11-01 00:08 UTC, S1A RTC",
        ),
        (
            [
                "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_rtc/"
                "measurement-iw-{}.rtc.tiff"
            ],
            "desc_pre",
            "2020-06-07 01:08 UTC, S1A RTC",
        ),
        (["Gamma0_{}.tif"], "asc_post", None),
    ],
    ids=["HyP3", "OPERA", "Planetary Computer", "SNAP"],
)
def test_terrain_corrected_power_by_name(tmp_path, names, role, said):
    files = []
    for polarisation, pixels in zip(("VV", "VH"), POWER, strict=True):
        path = tmp_path / names[0].format(polarisation)
        path.parent.mkdir(exist_ok=True)
        files.append(write_raster(path, pixels[None]))
    scene = open_scene(SceneInputs(**{role: tuple(files)}))
    np.testing.assert_allclose(radar_of(scene, role), DB, atol=1e-4)
    if said:
        assert said in acquired(scene, role)
    assert not any("contradict" in w or "option it belongs" in w for w in scene.warnings)


def test_a_dimap_folder_of_snap(tmp_path):
    folder = tmp_path / "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_D457.data"
    folder.mkdir()
    for polarisation, pixels in zip(("VV", "VH"), POWER, strict=True):
        path = folder / f"Sigma0_{polarisation}.img"
        profile = {"height": SIDE, "width": SIDE, "count": 1, "dtype": "float32"}
        with rasterio.open(path, "w", "ENVI", crs=UTM, transform=ORIGIN, **profile) as file:
            file.write(pixels[None])
    scene = open_scene(SceneInputs(desc_pre=(folder,)))
    np.testing.assert_allclose(radar_of(scene, "desc_pre"), DB, atol=1e-4)


def test_an_erdas_image(tmp_path):
    profile = {"height": SIDE, "width": SIDE, "count": 1, "dtype": "float32"}
    path = tmp_path / "x_VV.img"
    with rasterio.open(path, "w", "HFA", crs=UTM, transform=ORIGIN, **profile) as file:
        file.write(DB[:1])
    scene = open_scene(SceneInputs(asc_pre=(path,)))
    np.testing.assert_array_equal(scene.band("asc_vv_pre", WHOLE), DB[0])


def test_8_bit_radar_is_a_preview(tmp_path):
    stretched = np.clip((DB + 25) * 10, 1, 255).astype(np.uint8)
    path = write_raster(tmp_path / "s1.tif", stretched, ("VV", "VH"))
    with pytest.raises(AmbiguousUnits, match=r"8-bit numbers.*preview"):
        open_scene(SceneInputs(desc_pre=(path,)))


def test_several_slices_of_one_pass_make_one_image(tmp_path):
    left = write_raster(tmp_path / "a_VV.tif", DB[:1, :, :50])
    shifted = ORIGIN @ ORIGIN.translation(30, 0)
    right = write_raster(tmp_path / "b_VV.tif", DB[1:, :, 30:], transform=shifted)
    scene = open_scene(SceneInputs(desc_pre=(left, right)))
    read = scene.band("desc_vv_pre", WHOLE)
    np.testing.assert_allclose(read[:, :30], DB[0, :, :30], atol=1e-5)
    np.testing.assert_allclose(read[:, 50:], DB[1, :, 50:], atol=1e-5)
    both = 10 * np.log10((POWER[0] + POWER[1]) / 2)
    np.testing.assert_allclose(read[:, 30:50], both[:, 30:50], atol=1e-4)


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """A server of COGs with range requests, that wants a signature."""
    monkeypatch.setenv("LANDSLIDE_PRIVATE_ADDRESSES", "1")
    folder = tmp_path / "served"
    folder.mkdir()
    big = np.tile(DB[0, :64, :64], (66, 66))
    write_band(folder / "x_VV.tif", big, (600_000.0, 5_300_000.0))
    with running(Files(folder, signature="SECRET")) as server:
        yield server, big


def test_cogs_behind_addresses_are_read_by_range(remote):
    server, big = remote
    scene = open_scene(SceneInputs(desc_pre=(f"{server.address}/x_VV.tif?sig=SECRET",)))
    size = (server.folder / "x_VV.tif").stat().st_size
    opened = server.sent["x_VV.tif"]
    assert opened < size / 2  # to look at 36 places of it
    read = scene.band("desc_vv_pre", Window(1700, 1700, 64, 64))
    np.testing.assert_array_equal(read, big[1700:1764, 1700:1764])
    assert server.sent["x_VV.tif"] - opened < size / 20
    server.broken.add("x_VV.tif")
    with pytest.raises(UnreadableRaster) as refused:
        scene.read(Window(2200, 3300, 64, 64))
    assert "SECRET" not in str(refused.value)


def test_signatures_are_kept_in_the_queue_alone(remote):
    server, _ = remote
    inputs = SceneInputs(s2=(f"{server.address}/x_VV.tif?sig=SECRET",))
    assert "SECRET" not in json.dumps(inputs.record())
    assert inputs_from(inputs.record(signed=True)) == inputs


RATIO = (DB[1] - DB[0])[None]


@pytest.mark.parametrize(
    "derived", ["VH/VV", "VV_minus_VH", "VV-VH", "ratio_VV", "VH_stdDev", "VV - mean", "VV_count"]
)
def test_bands_derived_from_a_polarisation_are_none(tmp_path, derived):
    path = write_raster(tmp_path / "s1.tif", np.concatenate([DB, RATIO]), ("VV", "VH", derived))
    scene = open_scene(SceneInputs(desc_pre=(path,)))
    np.testing.assert_array_equal(radar_of(scene, "desc_pre"), DB)


def test_a_file_of_a_derived_band_is_left_alone(tmp_path):
    path = write_raster(tmp_path / "x_VV.tif", DB[:1])
    ratio = write_raster(tmp_path / "ratio_VV.tif", RATIO)
    scene = open_scene(SceneInputs(desc_pre=(path, ratio)))
    np.testing.assert_array_equal(scene.band("desc_vv_pre", WHOLE), DB[0])
    assert any("ratio_VV.tif is neither" in warning for warning in scene.warnings)


def test_several_dates_in_one_radar_stack_are_refused(tmp_path):
    names = [f"Sigma0_{p}_{d}" for d in ("mst_08Jul2020", "slv1_20Jul2020") for p in ("VV", "VH")]
    path = write_raster(tmp_path / "stack.tif", np.concatenate([DB, DB + 1]), names)
    with pytest.raises(MissingBands, match=r"stack\.tif.*VV.*slv1.*one is needed\. Cut the stack"):
        open_scene(SceneInputs(desc_pre=(path,)))


def test_several_dates_in_one_optical_stack_are_refused(tmp_path):
    names = [f"{day}_{b}" for day in (20200601, 20200613) for b in ("B2", "B3", "B4", "B8")]
    path = write_raster(tmp_path / "stack.tif", np.concatenate([DN, DN]), names)
    with pytest.raises(MissingBands, match=r"stack\.tif.*B04.*20200613.*one is needed\. Cut"):
        open_scene(SceneInputs(s2=(path,)))


def test_narrow_near_infrared_is_not_the_wide_one(tmp_path):
    names = ("Narrow NIR (B8A)", "Blue (B02)", "Green (B03)", "Red (B04)", "NIR (B08)")
    path = write_raster(tmp_path / "s2.tif", np.concatenate([DN[:1] + 5, DN]), names)
    scene = open_scene(SceneInputs(s2=(path,), s2_offset=0.0))
    np.testing.assert_array_equal(scene.band("nir", WHOLE), DN[3])


def cloudy(folder, numbers, dtype, name="CLP", nodata=None):
    """A scene whose cloud layer holds each of the numbers in as many columns."""
    folder.mkdir(exist_ok=True)
    bands = write_raster(folder / "s2.tif", DN, ("B2", "B3", "B4", "B8"))
    plane = np.repeat(np.array(numbers, dtype), SIDE // len(numbers))[None].repeat(SIDE, axis=0)
    path = write_raster(folder / f"{name}.tif", plane[None], (name,), nodata=nodata)
    scene = open_scene(SceneInputs(s2=(bands, path), s2_offset=0.0))
    return scene, scene.read_cloud(WHOLE)[0, :: SIDE // len(numbers)].tolist()


@pytest.mark.parametrize(
    ("numbers", "dtype", "name", "nodata", "cloud", "warned"),
    [
        ((1, 100, 140, 255), np.uint8, "CLP", None, [False, False, True, True], False),
        ((1, 45, 60, 255), np.uint8, "CLP", 255, [False, False, True, False], False),
        ((1, 45, 60, 255), np.uint8, "MSK_CLDPRB", None, [False, False, True, False], False),
        ((0.1, 0.45, 0.6, 1.0), np.float32, "CLP", None, [False, False, True, True], False),
        ((0.1, 0.45, 0.6, 255), np.float32, "CLP", None, [False, False, True, False], False),
        ((0.1, 45, 60, 100), np.float32, "CLP", None, [False, False, True, True], False),
        ((0.01, 0.02, 0.05, 0.09), np.float32, "CLP", None, [False] * 4, True),
    ],
)
def test_what_a_cloud_layers_numbers_mean(tmp_path, numbers, dtype, name, nodata, cloud, warned):
    scene, found = cloudy(tmp_path, numbers, dtype, name, nodata)
    assert found == cloud
    assert any("per cent" in warning for warning in scene.warnings) == warned
    assert any(d.subject == "CLP scale" for d in scene.decisions)


def test_a_few_clouds_of_a_clear_scene_stay_clouds(tmp_path):
    scene, found = cloudy(tmp_path, (0.2,) * 79 + (80.0,), np.float32)
    assert found == [False] * 79 + [True]
    few = np.full((SIDE, SIDE), 0.2, np.float32)
    few[0, 0] = 80.0
    path = write_raster(tmp_path / "CLP.tif", few[None], ("CLP",))
    scene = open_scene(SceneInputs(s2=(tmp_path / "s2.tif", path), s2_offset=0.0))
    assert scene.read_cloud(WHOLE).sum() == 1
    assert any("per cent" in warning for warning in scene.warnings)


def scaled(path, pixels, scale, offset):
    write_raster(path, pixels, ("B4", "B3", "B2", "B8"))
    with rasterio.open(path, "r+") as file:
        file.scales, file.offsets = (scale,) * 4, (offset,) * 4
    return path


@pytest.mark.parametrize(
    ("scale", "offset", "given", "wanted"),
    [
        (2e-5, 0.0, -1000, (5 * DN.astype(np.float32) - 1000) * 0.2),
        (1e-4, -0.1, 0, DN),
        (1e-4, 0.0, -1000, DN.astype(np.float32) - 1000),
    ],
)
def test_the_offset_given_keeps_the_files_own_scale(tmp_path, scale, offset, given, wanted):
    stored = DN * 5 if scale == 2e-5 else DN
    path = scaled(tmp_path / "s2.tif", stored, scale, offset)
    scene = open_scene(SceneInputs(s2=(path,), s2_offset=given))
    np.testing.assert_allclose(scene.read(WHOLE)[:4], wanted, rtol=1e-5)


def test_the_offset_advised_is_in_stored_numbers(tmp_path):
    path = scaled(tmp_path / "s2.tif", (DN - 380) * 5, 2e-5, 0.0)  # darkest 1,020 once scaled
    (warning,) = open_scene(SceneInputs(s2=(path,))).warnings[:1]
    assert "contradict" in warning
    assert "--s2-offset -5000 " in warning
    fixed = open_scene(SceneInputs(s2=(path,), s2_offset=-5000))
    np.testing.assert_allclose(fixed.read(WHOLE)[:4], DN.astype(np.float32) - 1380, rtol=1e-5)


def test_the_offset_given_keeps_the_products_quantification(tmp_path):
    path = write_raster(tmp_path / "s2.tif", DN, ("B4", "B3", "B2", "B8"))
    (tmp_path / "MTD_MSIL2A.xml").write_text(
        "<x:Level-2A_User_Product xmlns:x='y'><BOA_QUANTIFICATION_VALUE>20000"
        "</BOA_QUANTIFICATION_VALUE></x:Level-2A_User_Product>"
    )
    scene = open_scene(SceneInputs(s2=(path,), s2_offset=-1000))
    np.testing.assert_allclose(scene.read(WHOLE)[:4], (DN.astype(np.float32) - 1000) / 2)


@pytest.mark.parametrize(
    ("low", "said", "warned"), [(1020, "", True), (200, "", False), (1020, "02.14", False)]
)
def test_float_reflectance_with_the_added_thousand_is_warned_of(tmp_path, low, said, warned):
    pixels = (RNG.integers(low, 4000, (4, SIDE, SIDE)) / 1e4).astype(np.float32)
    path = write_raster(tmp_path / "s2.tif", pixels, ("B4", "B3", "B2", "B8"))
    if said:
        index = "20200813T054639_20200813T054952_T43RCP"
        text = json.dumps({"system:index": index, "PROCESSING_BASELINE": said})
        (tmp_path / "metadata.json").write_text(text)
    scene = open_scene(SceneInputs(s2=(path,)))
    np.testing.assert_allclose(scene.read(WHOLE)[:4], pixels * 1e4, rtol=1e-6)
    assert any("--s2-offset -1000" in warning for warning in scene.warnings) == warned


@pytest.mark.parametrize("nodata", [-9999.0, np.nan, -50.0])
def test_zero_beside_another_fill_is_no_db(tmp_path, nodata):
    pixels = DB.copy()
    pixels[:, :10], pixels[:, 10:12] = 0, nodata
    path = write_raster(tmp_path / "s1.tif", pixels, ("VV", "VH"), nodata=nodata)
    scene = open_scene(SceneInputs(desc_pre=(path,)))
    read = radar_of(scene, "desc_pre")
    assert np.isnan(read[:, 10:12]).all()
    np.testing.assert_array_equal(read[:, 12:], DB[:, 12:])
    if nodata == -50:  # a number that could be dB: both can't be told to the source
        assert any("exactly 0 dB" in warning for warning in scene.warnings)
        return
    assert np.isnan(read[:, :10]).all()
    assert any("0 is a fill" in decision.found for decision in scene.decisions)


def test_a_single_0_db_is_a_number_where_another_fill_is_declared(tmp_path):
    pixels = DB.copy()
    pixels[:, 5, 5] = 0
    path = write_raster(tmp_path / "s1.tif", pixels, ("VV", "VH"), nodata=-9999)
    scene = open_scene(SceneInputs(desc_pre=(path,)))
    np.testing.assert_array_equal(radar_of(scene, "desc_pre"), pixels)


@pytest.mark.parametrize("nodata", [None, 0])
def test_65535_is_a_fill(tmp_path, nodata):
    pixels = DN.copy()
    pixels[:, :10] = 65535
    path = write_raster(tmp_path / "s2.tif", pixels, ("B2", "B3", "B4", "B8"), nodata=nodata)
    read = open_scene(SceneInputs(s2=(path,), s2_offset=0.0)).read(WHOLE)[:4]
    assert np.isnan(read[:, :10]).all() == (nodata is None)
    np.testing.assert_array_equal(read[:, 10:], DN[[2, 1, 0, 3], 10:])
