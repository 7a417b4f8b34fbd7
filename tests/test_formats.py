"""Files as portals deliver them: Earth Engine, SNAP, HyP3, OPERA, Planetary Computer, addresses."""

import json

import numpy as np
import pytest
import rasterio
from conftest import ORIGIN, UTM, write_raster
from stac_server import Files, running, write_band

from landslide_core.bands import INDEX
from landslide_core.errors import AmbiguousUnits, UnreadableRaster
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
