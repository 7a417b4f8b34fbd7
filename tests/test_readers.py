"""Files -> scene: what is recognised, what is decided, and what is refused and how."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.warp import transform as project
from test_scene import write

from landslide_core.bands import INDEX
from landslide_core.errors import (
    AmbiguousUnits,
    GridMismatch,
    LandslideError,
    MissingBands,
    MissingCRS,
    SceneError,
    SceneTooSmall,
    UnreadableRaster,
)
from landslide_core.grid import Window
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.readers.sentinel2 import band_of

SHARED = Path(__file__).resolve().parents[2] / "shared/data/scenes"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not on this machine")

ORIGIN = Affine(10, 0, 500_000, 0, -10, 3_100_000)
RNG = np.random.default_rng(0)


def optical(bands=4, size=80, low=200, high=3000, dtype=np.uint16):
    """Bands that differ: band i lies i × 10 above the first."""
    first = RNG.integers(low, high, (1, size, size))
    return (first + 10 * np.arange(bands)[:, None, None]).astype(dtype)


def radar(bands=2, size=80, mean=-11.0):
    """VV and, 7 dB lower, VH."""
    return (RNG.normal(mean, 2, (bands, size, size)) - 7 * np.arange(bands)[:, None, None]).astype(
        np.float32
    )


def named(path, pixels, names, **more):
    write(path, pixels, **more)
    with rasterio.open(path, "r+") as file:
        file.descriptions = names
    return path


@pytest.fixture
def s2(tmp_path):
    """A named four-band Sentinel-2 file without the +1,000."""
    return named(tmp_path / "s2.tif", optical(), ("B04", "B03", "B02", "B08"))


@pytest.fixture
def s1(tmp_path):
    return write(tmp_path / "s1.tif", radar())


def whole(scene):
    return scene.read(Window(0, 0, *scene.grid.shape))


def decided(scene, subject):
    return next(d.decided for d in scene.decisions if subject in d.subject)


@pytest.mark.parametrize(
    ("name", "band"),
    [
        *(("B2", "B02"), ("B02", "B02"), ("T43RCP_20200813T054639_B08_10m", "B08")),
        *(("blue", "B02"), ("NIR", "B08"), ("B8A", "B8A"), ("b04_10m", "B04")),
        *(("T43RCP_SCL_20m", "SCL"), ("red_edge_1", None), ("B13", None), ("T43RBB", None)),
        *(("rededge", None), ("red edge", None), ("nir narrow", None), ("bands", None)),
    ],
)
def test_band_names(name, band):
    assert band_of(name) == band


@pytest.mark.parametrize(
    "names",
    [("B4", "B3", "B2", "B8"), ("red", "green", "blue", "nir"), ("B04_10m", "B03", "B02", "NIR")],
)
def test_a_stack_with_names(tmp_path, names):
    pixels = optical()
    path = named(tmp_path / "stack.tif", pixels, names)
    scene = open_scene(SceneInputs(s2=(path,)))
    assert scene.available == ("red", "green", "blue", "nir")
    np.testing.assert_array_equal(whole(scene)[:4], pixels)
    assert scene.inputs == (("s2", str(path)),)


@pytest.mark.parametrize(("count", "level"), [(12, "2A"), (13, "1C")])
def test_a_stack_without_names_has_the_usual_order(tmp_path, count, level):
    pixels = optical(count)
    scene = open_scene(SceneInputs(s2=(write(tmp_path / "stack.tif", pixels),)))
    np.testing.assert_array_equal(whole(scene)[:4], pixels[[3, 2, 1, 7]])
    assert any("level 1C" in warning for warning in scene.warnings) == (level == "1C")


def test_a_mapping_names_the_bands_of_a_stack(tmp_path):
    pixels = optical()
    path = named(tmp_path / "stack.tif", pixels, ("B1", "B2", "B3", "B4"))  # just numbered
    scene = open_scene(SceneInputs(s2=(path,), s2_bands=("B02", "B03", "B04", "B08")))
    np.testing.assert_array_equal(whole(scene)[:4], pixels[[2, 1, 0, 3]])


def test_one_file_a_band_at_10_and_20_m_in_a_folder(tmp_path):
    folder = tmp_path / "product"
    folder.mkdir()
    pixels = optical()
    for plane, name in zip(pixels[:3], ("B04", "B03", "B02"), strict=True):
        write(folder / f"T45_{name}_10m.tif", plane[None])
    write(
        folder / "T45_B08_20m.tif", np.full((1, 40, 40), 2000, np.uint16), ORIGIN @ Affine.scale(2)
    )
    write(folder / "T45_B01_60m.tif", np.ones((1, 14, 14), np.uint16), ORIGIN @ Affine.scale(6))
    write(folder / "T45_B04_60m.tif", np.ones((1, 14, 14), np.uint16), ORIGIN @ Affine.scale(6))
    classes = np.full((1, 40, 40), 4, np.uint8)
    classes[0, :20] = 9
    write(folder / "T45_SCL_20m.tif", classes, ORIGIN @ Affine.scale(2))
    scene = open_scene(SceneInputs(s2=(folder,)))
    np.testing.assert_array_equal(whole(scene)[:3], pixels[:3])
    assert (whole(scene)[INDEX["nir"]] == 2000).all()
    cloud = scene.read_cloud(Window(0, 0, 80, 80))
    assert cloud[:40].all()
    assert not cloud[40:].any()
    assert len(scene.inputs) == 5


def test_20_m_alone_gets_a_10_m_grid_around_it(tmp_path):
    path = named(
        tmp_path / "s2.tif",
        optical(),
        ("B04", "B03", "B02", "B08"),
        transform=ORIGIN @ Affine.scale(2),
    )
    grid = open_scene(SceneInputs(s2=(path,))).grid
    assert grid.transform == ORIGIN
    assert grid.shape == (160, 160)


@pytest.mark.parametrize("size", [6, 6.5])
def test_60_m_is_read_with_a_warning(tmp_path, size):
    coarse = ORIGIN @ Affine.scale(size)
    path = named(tmp_path / "s2.tif", optical(), ("B04", "B03", "B02", "B08"), transform=coarse)
    scene = open_scene(SceneInputs(s2=(path,)))
    assert scene.grid.transform == ORIGIN
    assert scene.grid.shape == (80 * size, 80 * size)
    assert np.isfinite(whole(scene)[:4, 2:-2, 2:-2]).all()
    assert any(
        warning.startswith("B04, B03, B02, B08 have 60 m pixels") for warning in scene.warnings
    )


def test_one_band_or_a_pass_of_60_m_is_warned_of_too(tmp_path):
    coarse = ORIGIN @ Affine.scale(6)
    for plane, name in zip(optical(3), ("B03", "B02", "B08"), strict=True):
        write(tmp_path / f"T45_{name}_10m.tif", plane[None])
    write(tmp_path / "T45_B04_60m.tif", optical(1, 14), coarse)
    path = write(tmp_path / "x_VV.tif", radar(1), coarse)
    warnings = open_scene(SceneInputs(s2=(tmp_path,), desc_post=(path,))).warnings
    words = "has 60 m pixels; the model was made for 10 m: expect missed landslides."
    assert f"B04 {words}" in warnings
    assert f"Sentinel-1 descending, after: VV {words}" in warnings


def test_pixels_of_a_drone_are_refused(tmp_path):
    path = write(tmp_path / "x_VV.tif", radar(1), ORIGIN @ Affine.scale(0.02))
    with pytest.raises(GridMismatch, match=r"pixels of 0\.2 m"):
        open_scene(SceneInputs(desc_post=(path,)))


@pytest.mark.parametrize("size", [6, 25])
def test_coarse_scene_classes_never_refuse_a_scene(tmp_path, s2, size):
    classes = np.full((1, 14, 14), 9, np.uint8)
    write(tmp_path / "x_SCL_60m.tif", classes, ORIGIN @ Affine.scale(size))
    scene = open_scene(SceneInputs(s2=(s2, tmp_path / "x_SCL_60m.tif")))
    assert scene.read_cloud(Window(0, 0, 80, 80)).all()
    assert not any("60 m" in warning for warning in scene.warnings)


@pytest.mark.parametrize(("rows", "told"), [(80, None), (78, None), (40, 50), (20, 25)])
def test_a_cloud_layer_over_a_part_of_the_images_is_told(tmp_path, s2, rows, told):
    write(tmp_path / "x_SCL_10m.tif", np.full((1, rows, 80), 9, np.uint8))
    scene = open_scene(SceneInputs(s2=(s2, tmp_path / "x_SCL_10m.tif")))
    assert not scene.read_cloud(Window(rows, 0, 80, 80)).any()
    found = [line for line in scene.warnings if "cloud layer" in line]
    assert [f"x_SCL_10m.tif covers {told} % of the images" in line for line in found] == (
        [True] if told else []
    )


@pytest.mark.parametrize(
    "given", ["", "{safe}", "{safe}/GRANULE/L2A_T45/IMG_DATA", "{safe}/GRANULE"]
)
def test_a_safe_its_image_folder_or_the_folder_around_it(tmp_path, given):
    safe = "S2A_MSIL2A_20200101T000000_N0214_R001_T45RUM.SAFE"
    images = tmp_path / safe / "GRANULE/L2A_T45/IMG_DATA"
    masks = tmp_path / safe / "GRANULE/L2A_T45/QI_DATA"
    for folder in (images / "R10m", images / "R20m", masks):
        folder.mkdir(parents=True)
    pixels = optical()
    for plane, name in zip(pixels, ("B04", "B03", "B02", "B08"), strict=True):
        write(images / f"R10m/T45_{name}_10m.tif", plane[None])
    classes = np.full((1, 40, 40), 4, np.uint8)
    write(images / "R20m/T45_SCL_20m.tif", classes, ORIGIN @ Affine.scale(2))
    write(masks / "MSK_B04.tif", pixels[:1])
    scene = open_scene(SceneInputs(s2=(tmp_path / given.format(safe=safe),)))
    np.testing.assert_array_equal(whole(scene)[:4], pixels)
    assert len(scene.inputs) == 5


def test_side_by_side_products_make_one_scene(tmp_path):
    names = ("B04", "B03", "B02", "B08")
    left = named(tmp_path / "a.tif", optical(), names)
    right = named(
        tmp_path / "b.tif", optical(low=1050), names, transform=ORIGIN @ Affine.translation(70, -5)
    )
    scene = open_scene(SceneInputs(s2=(left, right)))
    assert scene.grid.shape == (85, 150)
    assert scene.grid.transform.f == ORIGIN.f + 50
    red = whole(scene)[0]
    with rasterio.open(left) as a, rasterio.open(right) as b:
        np.testing.assert_array_equal(red[5:, :80], a.read(1))
        np.testing.assert_array_equal(red[:80, 80:], b.read(1)[:, 10:].astype(np.float32) - 1000)


# ---- what the optical numbers mean


@pytest.mark.parametrize(
    ("low", "high", "offset", "warned"),
    [
        (200, 3000, 0, False),
        (1020, 3000, -1000, False),
        (1800, 4000, -1000, True),
        (720, 3000, 0, True),
    ],
)
def test_the_offset_from_the_darkest_pixels(tmp_path, low, high, offset, warned):
    pixels = optical(low=low, high=high)
    path = named(tmp_path / "s2.tif", pixels, ("B04", "B03", "B02", "B08"))
    scene = open_scene(SceneInputs(s2=(path,)))
    np.testing.assert_array_equal(whole(scene)[:4], pixels.astype(np.float32) + offset)
    assert any("--s2-offset" in warning for warning in scene.warnings) == warned
    assert "darkest" in next(d.found for d in scene.decisions if "units" in d.subject)


def test_the_offset_given_wins(tmp_path, s2):
    scene = open_scene(SceneInputs(s2=(s2,), s2_offset=-1000))
    with rasterio.open(s2) as file:
        np.testing.assert_array_equal(whole(scene)[0], file.read(1).astype(np.float32) - 1000)


def test_scale_and_offset_of_the_file(tmp_path, s2):
    with rasterio.open(s2, "r+") as file:
        file.scales, file.offsets = (1e-4,) * 4, (-0.1,) * 4
        stored = file.read().astype(np.float32)
    scene = open_scene(SceneInputs(s2=(s2,)))
    np.testing.assert_array_equal(whole(scene)[:4], stored - 1000)
    assert any("contradict" in warning for warning in scene.warnings)


def test_float_reflectance(tmp_path):
    pixels = (optical() / 1e4).astype(np.float32)
    path = named(tmp_path / "s2.tif", pixels, ("B04", "B03", "B02", "B08"))
    scene = open_scene(SceneInputs(s2=(path,)))
    np.testing.assert_allclose(whole(scene)[:4], pixels * 1e4, rtol=1e-6)


EARTH_ENGINE = '"system:index": "20200813T054639_20200813T054952_T43RCP"'


@pytest.mark.parametrize(
    ("text", "name", "offset"),
    [
        (f'{{{EARTH_ENGINE}, "PROCESSING_BASELINE": "02.14"}}', "metadata.json", 0),
        (
            f'{{{EARTH_ENGINE}, "DATASTRIP_ID": '
            '"S2B_OPER_MSI_L2A_DS_VGS1_20200813T083230_S20200813T054952_N02.14"}',
            "metadata.json",
            0,
        ),
        (
            "<x:Level-2A_User_Product xmlns:x='y'>"
            + "".join(
                f'<BOA_ADD_OFFSET band_id="{i}">{-1000 - i}</BOA_ADD_OFFSET>' for i in range(13)
            )
            + "</x:Level-2A_User_Product>",
            "MTD_MSIL2A.xml",
            np.array([-1003, -1002, -1001, -1007])[:, None, None],
        ),
    ],
)
def test_the_offset_from_the_metadata(tmp_path, text, name, offset):
    pixels = optical(low=1500)  # nothing dark: the pixels alone would leave doubt
    path = named(tmp_path / "s2.tif", pixels, ("B04", "B03", "B02", "B08"))
    (tmp_path / name).write_text(text)
    scene = open_scene(SceneInputs(s2=(path,)))
    np.testing.assert_array_equal(whole(scene)[:4], pixels.astype(np.float32) + offset)
    assert not any("--s2-offset" in warning for warning in scene.warnings)


def test_a_new_baseline_does_not_prove_the_offset(tmp_path, s2):
    said = f'{{{EARTH_ENGINE}, "PROCESSING_BASELINE": "05.09"}}'
    (tmp_path / "metadata.json").write_text(said)
    assert decided(open_scene(SceneInputs(s2=(s2,))), "units").endswith("= stored")


# ---- what the radar numbers mean


@pytest.mark.parametrize("files", ["two bands", "folder", "described"])
def test_polarisations(tmp_path, files):
    pixels = radar()
    if files == "two bands":
        paths = (write(tmp_path / "s1.tif", pixels),)
    elif files == "described":
        paths = (named(tmp_path / "s1.tif", pixels[::-1], ("Gamma0_VH_db", "Gamma0_VV_db")),)
    else:
        for plane, name in zip(pixels, ("vv", "vh"), strict=True):
            write(tmp_path / f"S1A_IW_1SDV_{name}_x.tif", plane[None])
        paths = (tmp_path,)
    scene = open_scene(SceneInputs(asc_post=paths))
    assert scene.available == ("asc_vv_post", "asc_vh_post")
    np.testing.assert_array_equal(
        whole(scene)[[INDEX["asc_vv_post"], INDEX["asc_vh_post"]]], pixels
    )


def test_linear_power_becomes_db(tmp_path):
    decibels = radar()
    path = write(tmp_path / "s1.tif", (10 ** (decibels / 10)).astype(np.float32))
    scene = open_scene(SceneInputs(desc_pre=(path,)))
    np.testing.assert_allclose(whole(scene)[INDEX["desc_vh_pre"]], decibels[1], atol=1e-4)
    assert "linear" in decided(scene, "VH unit")


HYP3 = "S1A_IW_20180128T161201_DVP_RTC30_G_{}_FD6A"


def one_pol(path, decibels, unit="db", polarisation="VV", tags=None, band_unit=None):
    """A file of one polarisation with the numbers in a unit, and what it says of them."""
    power = 10 ** (decibels / 10)
    numbers = {"db": decibels, "linear": power, "amplitude": np.sqrt(power)}[unit]
    write(path, numbers[None].astype(np.float32))
    with rasterio.open(path, "r+") as file:
        file.update_tags(**(tags or {}))
        file.descriptions = (polarisation,)
        if band_unit:
            file.units = (band_unit,)
    return path


@pytest.mark.parametrize(
    ("name", "tags", "band_unit"),
    [
        ("x_VV", {"UNITS": "amplitude"}, None),
        ("x_VV", {"units": "Linear amplitude (gamma0)"}, None),
        ("x_VV", {"unit": "amplitude"}, None),
        ("x_VV", {}, "amplitude"),
        (f"{HYP3.format('gauned')}_VV", {}, None),
        (f"{HYP3.format('sawfcm')}_VV", {}, None),
        ("gamma0_amplitude_VV", {}, None),
    ],
)
def test_known_amplitude_is_squared(tmp_path, name, tags, band_unit):
    decibels = radar(1)[0]
    path = one_pol(tmp_path / f"{name}.tif", decibels, "amplitude", tags=tags, band_unit=band_unit)
    scene = open_scene(SceneInputs(desc_pre=(path,)))
    np.testing.assert_allclose(whole(scene)[INDEX["desc_vv_pre"]], decibels, atol=1e-4)
    assert "amplitude, squared" in decided(scene, "VV unit")
    evidence = next(d.found for d in scene.decisions if "VV unit" in d.subject)
    assert "UNIT" in evidence or "unit" in evidence or "name" in evidence
    assert not any("amplitude" in warning for warning in scene.warnings)


@pytest.mark.parametrize(("scale", "unit"), [("p", "linear"), ("d", "db")])
def test_hyp3_names_state_power_and_db(tmp_path, scale, unit):
    decibels = radar(1, mean=-4)[0].clip(max=-0.1)  # bright, but the name vouches for it
    path = tmp_path / f"{HYP3.format(f'g{scale}uned')}_VV.tif"
    scene = open_scene(SceneInputs(desc_pre=(one_pol(path, decibels, unit),)))
    np.testing.assert_allclose(whole(scene)[INDEX["desc_vv_pre"]], decibels, atol=1e-4)
    assert "HyP3" in next(d.found for d in scene.decisions if "VV unit" in d.subject)
    assert not any("amplitude" in w or "contradict" in w for w in scene.warnings)


@pytest.mark.parametrize(
    ("polarisation", "mean", "unit", "warned"),
    [
        *(("VV", -11, "amplitude", True), ("VH", -18, "amplitude", True)),
        *(("VV", -11, "linear", False), ("VH", -18, "linear", False)),
        *(("VV", -7, "linear", False), ("VH", -12, "linear", False)),
        *(("VV", -5, "db", False), ("VH", -9, "db", False)),
    ],
)
def test_very_high_power_may_be_amplitude(tmp_path, polarisation, mean, unit, warned):
    path = one_pol(tmp_path / "x.tif", radar(1, mean=mean)[0], unit, polarisation)
    warnings = open_scene(SceneInputs(desc_pre=(path,))).warnings
    assert any("it may be amplitude" in warning for warning in warnings) == warned


@pytest.mark.parametrize(("said", "unit"), [("dB", "linear"), ("linear power", "db")])
def test_numbers_that_contradict_the_file_are_warned_of(tmp_path, said, unit):
    decibels = radar(1)[0]
    path = one_pol(tmp_path / "x.tif", decibels, unit, tags={"UNITS": said})
    scene = open_scene(SceneInputs(desc_pre=(path,)))
    np.testing.assert_allclose(whole(scene)[INDEX["desc_vv_pre"]], decibels, atol=1e-4)
    assert any(f"contradict its tag UNITS '{said}'" in warning for warning in scene.warnings)


def test_scaled_whole_numbers_are_db(tmp_path):
    decibels = radar()
    path = write(tmp_path / "s1.tif", (decibels * 100).astype(np.int16))
    with rasterio.open(path, "r+") as file:
        file.scales = (0.01, 0.01)
    scene = open_scene(SceneInputs(desc_pre=(path,)))
    np.testing.assert_allclose(whole(scene)[INDEX["desc_vv_pre"]], decibels[0], atol=0.011)


def test_an_undeclared_fill_is_no_data(tmp_path):
    pixels = radar()
    pixels[:, :10] = -9999
    scene = open_scene(SceneInputs(desc_post=(write(tmp_path / "s1.tif", pixels),)))
    vv = whole(scene)[INDEX["desc_vv_post"]]
    assert np.isnan(vv[:10]).all()
    np.testing.assert_array_equal(vv[10:], pixels[0, 10:])


@pytest.mark.parametrize(
    "pixels",
    [
        RNG.integers(20, 400, (2, 80, 80)).astype(np.uint16),
        RNG.uniform(20, 400, (2, 80, 80)).astype(np.float32),
        RNG.normal(0, 5, (2, 80, 80)).astype(np.float32) + 8,
        RNG.integers(-3000, -500, (2, 80, 80)).astype(np.int16),
    ],
    ids=["amplitude", "float amplitude", "mixed signs", "unscaled dB"],
)
def test_other_radar_numbers_are_refused(tmp_path, pixels):
    path = write(tmp_path / "s1.tif", pixels)
    with pytest.raises(
        AmbiguousUnits, match=r"Sentinel-1 descending, after: s1\.tif.*needed.*Calibrate"
    ):
        open_scene(SceneInputs(desc_post=(path,)))


def test_exchanged_polarisations_and_passes_are_warned_of(tmp_path):
    path = write(tmp_path / "s1.tif", radar()[::-1])
    with rasterio.open(path, "r+") as file:
        file.update_tags(
            ORBIT_PASS_DIRECTION="descending", ZERO_DOPPLER_START_TIME="2020-06-07T01:08:00Z"
        )
    warnings = open_scene(SceneInputs(asc_post=(path,), asc_pre=(path,))).warnings
    for words in ("VV is weaker than VH", "on the descending pass", "same files", "No descending"):
        assert any(words in warning for warning in warnings)


def test_other_files_of_a_folder_are_left_alone(tmp_path):
    write(tmp_path / "x_VV.tif", radar(1))
    write(tmp_path / "x_mask.tif", radar(1))
    scene = open_scene(SceneInputs(desc_post=(tmp_path,)))
    assert scene.available == ("desc_vv_post",)
    assert any("x_mask.tif is neither" in warning for warning in scene.warnings)


def test_one_polarisation_is_enough_with_a_warning(tmp_path):
    path = write(tmp_path / "x_VH.tif", radar(1, mean=-18))
    scene = open_scene(SceneInputs(desc_post=(path,)))
    assert scene.available == ("desc_vh_post",)
    assert any("no VV" in warning for warning in scene.warnings)


# ---- together


def test_all_roles_on_the_optical_grid(tmp_path, s2):
    shifted = ORIGIN @ Affine.translation(-2.5, -2.5)
    path = write(tmp_path / "s1.tif", radar(size=90), shifted)
    scene = open_scene(SceneInputs((s2,), (path,), (path,), (path,), (path,)))
    assert scene.missing == ()
    assert scene.grid.transform == ORIGIN
    assert np.isfinite(whole(scene)).all()


def test_partial_cover_is_warned_of_and_none_is_refused(tmp_path, s2):
    half = write(tmp_path / "half.tif", radar(), ORIGIN @ Affine.translation(40, 0))
    warnings = open_scene(SceneInputs(s2=(s2,), desc_post=(half,))).warnings
    assert any(
        "descending, after: half.tif covers 50 % of the scene" in warning for warning in warnings
    )
    for name, transform, crs in (
        ("beside", ORIGIN @ Affine.translation(80, 0), "EPSG:32645"),
        ("far", Affine(1e-4, 0, -100, 0, -1e-4, -40), "EPSG:4326"),
    ):
        away = write(tmp_path / f"{name}.tif", radar(), transform, crs)
        with pytest.raises(GridMismatch, match=r"0 % of the scene.*needed.*Choose"):
            open_scene(SceneInputs(s2=(s2,), desc_post=(away,)))


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(1e-4, 0, 84.2, 0, -1e-4, 28.1)),
        ("EPSG:3857", Affine(11.3, 0, 9_370_000, 0, -11.3, 3_260_000)),
        (
            "EPSG:32645",
            Affine.translation(4e5, 3.1e6) @ Affine.rotation(30) @ Affine.scale(10, -10),
        ),
    ],
    ids=["degrees", "web mercator", "rotated"],
)
@pytest.mark.parametrize("with_optical", [True, False])
def test_an_image_covers_itself_in_any_projection(tmp_path, crs, transform, with_optical):
    names = ("B04", "B03", "B02", "B08")
    more = {"transform": transform, "crs": crs}
    s2 = (named(tmp_path / "x.tif", optical(size=300), names, **more),) if with_optical else ()
    path = write(tmp_path / "s1.tif", radar(size=300), **more)
    warnings = open_scene(SceneInputs(s2=s2, desc_post=(path,), desc_pre=(path,))).warnings
    assert not any("covers" in warning for warning in warnings)
    half = write(
        tmp_path / "half.tif", radar(size=300), transform @ Affine.translation(150, 0), crs
    )
    warnings = open_scene(SceneInputs(s2=s2, desc_post=(path,), desc_pre=(half,))).warnings
    assert [w.partition(";")[0] for w in warnings if "covers" in w] == [
        "Sentinel-1 descending, before: half.tif covers 50 % of the scene"
    ]


def refused(tmp_path, s2, s1, case):
    """Inputs that are no scene, by case."""
    names = ("B04", "B03", "B02", "B08")
    if case == "none":
        return SceneInputs()
    if case == "absent":
        return SceneInputs(s2=(tmp_path / "nowhere.tif",))
    if case == "text":
        (tmp_path / "text.tif").write_text("not a raster")
        return SceneInputs(s2=(tmp_path / "text.tif",))
    if case == "truncated":
        s2.write_bytes(s2.read_bytes()[: s2.stat().st_size // 2])
        return SceneInputs(s2=(s2,))
    if case == "truncated radar":
        s1.write_bytes(s1.read_bytes()[:-500])
        return SceneInputs(desc_post=(s1,))
    if case == "empty folder":
        (tmp_path / "empty").mkdir()
        return SceneInputs(s2=(tmp_path / "empty",))
    if case == "no nir":
        return SceneInputs(s2=(named(tmp_path / "x.tif", optical(3), names[:3]),))
    if case == "unnamed":
        return SceneInputs(s2=(write(tmp_path / "x.tif", optical()),))
    if case == "wrong mapping":
        return SceneInputs(s2=(s2,), s2_bands=("B02", "B03"))
    if case == "no polarisation":
        return SceneInputs(desc_post=(write(tmp_path / "x.tif", radar(3)),))
    if case == "no crs":
        return SceneInputs(s2=(named(tmp_path / "x.tif", optical(), names, crs=None),))
    if case == "250 m":
        safe = tmp_path / "S2_COARSE.SAFE"
        (safe / "GRANULE/L2A/IMG_DATA").mkdir(parents=True)
        path, coarse = safe / "GRANULE/L2A/IMG_DATA/x.tif", ORIGIN @ Affine.scale(25)
        named(path, optical(), names, transform=coarse)
        return SceneInputs(s2=(safe,))
    if case == "local crs":
        local = 'LOCAL_CS["site",UNIT["metre",1]]'
        return SceneInputs(s2=(named(tmp_path / "x.tif", optical(), names, crs=local),))
    if case in ("nowhere", "past the pole", "far in degrees"):
        crs, transform = {
            "nowhere": ("EPSG:32645", Affine(10, 0, 5e9, 0, -10, 3e9)),
            "past the pole": ("EPSG:4326", Affine(1e-4, 0, 90, 0, -1e-4, 500)),
            "far in degrees": ("EPSG:4326", Affine(10, 0, 500_000, 0, -10, 50)),
        }[case]
        return SceneInputs(desc_post=(write(tmp_path / "x.tif", radar(), transform, crs),))
    if case in ("radar SAFE", "radar SAFE in a folder"):
        safe = tmp_path / "in" / "S1A_IW_GRDH_1SDV_20200708T182643.SAFE"
        (safe / "measurement").mkdir(parents=True)
        (safe / "measurement/s1a-iw-grd-vv.tiff").touch()
        return SceneInputs(desc_post=(safe if case == "radar SAFE" else safe.parent,))
    if case == "two SAFEs":
        for name in ("S2A_1.SAFE", "S2A_2.SAFE"):
            (tmp_path / "in" / name / "IMG_DATA").mkdir(parents=True)
            (tmp_path / "in" / name / "IMG_DATA" / "B02.jp2").touch()
        return SceneInputs(s2=(tmp_path / "in",))
    if case == "all no data":
        return SceneInputs(s2=(named(tmp_path / "x.tif", 0 * optical(), names),), desc_post=())
    if case == "small":
        return SceneInputs(s2=(named(tmp_path / "x.tif", optical(size=63), names),))
    if case == "preview":
        return SceneInputs(
            s2=(named(tmp_path / "x.tif", optical(high=255, dtype=np.uint8), names),)
        )
    assert case == "relative"
    pixels = RNG.uniform(0, 4, (4, 80, 80)).astype(np.float32)
    return SceneInputs(s2=(named(tmp_path / "x.tif", pixels, names),))


@pytest.mark.parametrize(
    ("case", "error", "words"),
    [
        ("none", SceneError, "No input"),
        ("absent", UnreadableRaster, "is not there"),
        ("text", UnreadableRaster, "cannot be read"),
        ("truncated", UnreadableRaster, "cannot be read"),
        ("truncated radar", UnreadableRaster, "cannot be read"),
        ("empty folder", UnreadableRaster, "holds no raster"),
        ("no nir", MissingBands, "B08 missing: found B02, B03, B04"),
        ("unnamed", MissingBands, "4 bands without known names.*--s2-bands"),
        ("wrong mapping", MissingBands, "4 bands and 2 names"),
        ("no polarisation", MissingBands, "neither VV nor VH"),
        ("no crs", MissingCRS, "no georeference|reference system"),
        ("local crs", MissingCRS, "local coordinate system"),
        ("nowhere", MissingCRS, "nowhere on Earth"),
        ("past the pole", MissingCRS, "nowhere on Earth"),
        ("far in degrees", MissingCRS, "nowhere on Earth"),
        ("250 m", GridMismatch, "pixels of 250 m"),
        ("radar SAFE", UnreadableRaster, "without annotation.*Give the whole SAFE"),
        ("radar SAFE in a folder", UnreadableRaster, "without annotation.*Give the whole SAFE"),
        ("two SAFEs", UnreadableRaster, "holds 2 products"),
        ("all no data", SceneTooSmall, "No valid pixel"),
        ("small", SceneTooSmall, "63×63"),
        ("preview", AmbiguousUnits, "8-bit"),
        ("relative", AmbiguousUnits, "reflectance"),
    ],
)
def test_bad_input_is_refused_in_one_line(tmp_path, s2, s1, case, error, words):
    inputs = refused(tmp_path, s2, s1, case)
    with pytest.raises(error, match=words) as caught:
        open_scene(inputs)
    assert isinstance(caught.value, LandslideError)
    assert "\n" not in str(caught.value)
    assert "needed" in str(caught.value)


def test_an_empty_file_among_others_is_left_out(tmp_path, s2):
    path = write(tmp_path / "s1.tif", np.zeros((2, 80, 80), np.float32))
    scene = open_scene(SceneInputs(s2=(s2,), desc_post=(path,)))
    assert scene.available == ("red", "green", "blue", "nir")
    assert sum("no valid pixel" in warning for warning in scene.warnings) == 2


@pytest.mark.parametrize("tiled", [False, True])
def test_a_little_data_in_a_large_file_is_found(tmp_path, tiled):
    pixels = np.zeros((2, 700, 900), np.float32)
    pixels[:, 150:230, 210:290] = radar()
    path = write(tmp_path / "s1.tif", pixels, tiled=tiled, blockxsize=128, blockysize=128)
    scene = open_scene(SceneInputs(desc_post=(path,)))
    assert scene.available == ("desc_vv_post", "desc_vh_post")


# ---- real files


@needs_shared
@pytest.mark.parametrize(
    ("name", "offset"), [("433D_629L_3_1", -1000), ("38D_378R_2_3", 0), ("637U_59R_1_3", 0)]
)
def test_terramind(name, offset):
    optical_path, radar_path = (
        SHARED / f"terramind/{kind}/{name}.tif" for kind in ("S2L2A", "S1RTC")
    )
    scene = open_scene(SceneInputs((optical_path,), *(((radar_path,),) * 4)))
    pixels = whole(scene)
    with rasterio.open(optical_path) as file:
        stored = file.read((4, 3, 2, 8)).astype(np.float32)
        assert scene.grid.transform == file.transform
        assert scene.grid.crs == file.crs.to_string()
    np.testing.assert_array_equal(pixels[:4], np.where(stored == 0, np.nan, stored + offset))
    with rasterio.open(radar_path) as file:
        stored = file.read().astype(np.float32)
    for first in (4, 6, 8, 10):
        np.testing.assert_array_equal(pixels[first : first + 2], stored)


@needs_shared
def test_ssl4eo_from_degrees_to_utm():
    root = SHARED / "ssl4eo-s12-0000200"
    product = next(root.glob("s2a/*/20200813*"))
    descending, ascending = next(root.glob("s1/*/*20200607*")), next(root.glob("s1/*/*20200903*"))
    scene = open_scene(SceneInputs(s2=(product,), desc_post=(descending,), asc_post=(ascending,)))
    assert scene.grid.crs == "EPSG:32643"
    assert decided(scene, "units").endswith("= stored")
    assert not any("pass is" in warning or "Level" in warning for warning in scene.warnings)
    pixels = whole(scene)
    rows, cols = np.array([[20, 100, 201, 240], [30, 131, 77, 250]])
    x, y = scene.grid.transform @ (cols + 0.5, rows + 0.5)
    lon, lat = (np.array(axis) for axis in project("EPSG:32643", "EPSG:4326", x, y))
    for path, band, power in (
        (product / "B4.tif", "red", False),
        (product / "B8.tif", "nir", False),
        (descending / "VV.tif", "desc_vv_post", True),
        (ascending / "VH.tif", "asc_vh_post", True),
    ):
        with rasterio.open(path) as file:
            stored = file.read(1).astype(np.float64)
            c, r = ~file.transform @ (lon, lat)
        stored = 10 ** (stored / 10) if power else stored
        r, c = r - 0.5, c - 0.5
        i, j = np.floor(r).astype(int), np.floor(c).astype(int)
        v, u = r - i, c - j
        expected = (stored[i, j] * (1 - u) + stored[i, j + 1] * u) * (1 - v) + (
            stored[i + 1, j] * (1 - u) + stored[i + 1, j + 1] * u
        ) * v
        expected = 10 * np.log10(expected) if power else expected
        np.testing.assert_allclose(pixels[INDEX[band], rows, cols], expected, rtol=2e-4)


@needs_shared
def test_opera_is_linear_at_30_m():
    before, after = sorted((SHARED / "opera-rtc-yambali").glob("*/*.tif"))[:2]
    scene = open_scene(SceneInputs(desc_pre=(before,), desc_post=(after,)))
    assert scene.available == ("desc_vh_post", "desc_vh_pre")
    with rasterio.open(after) as file:
        stored = file.read(1)
        assert scene.grid.shape == (3 * file.height, 3 * file.width)
        assert scene.grid.transform @ (0, 0) == file.transform * (0, 0)
    centre = whole(scene)[INDEX["desc_vh_post"]][1::3, 1::3]  # 10 m centres on 30 m ones
    np.testing.assert_allclose(centre, 10 * np.log10(stored), atol=1e-3)


@needs_shared
def test_copernicus_fm_is_level_1c():
    path = next((SHARED / "copernicus-fm").glob("*.tif"))
    scene = open_scene(SceneInputs(s2=(path,)))
    assert any("level 1C" in warning for warning in scene.warnings)
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(whole(scene)[:4], file.read((4, 3, 2, 8)))


@needs_shared
def test_a_product_with_control_points_only_is_refused():
    paths = tuple((SHARED / "s1-grd-gcps").rglob("*.tiff"))
    with pytest.raises(MissingCRS, match=r"210 ground control points.*Give the whole SAFE"):
        open_scene(SceneInputs(desc_post=paths))
