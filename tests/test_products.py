"""Sentinel-2 products as they are delivered: every naming generation, as a folder and zipped."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from conftest import ORIGIN, UTM

from landslide_core.errors import GridMismatch, SceneError, UnreadableRaster
from landslide_core.grid import Window
from landslide_core.places import Place, place_of
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.readers.raster import inspect

SHARED = Path("../shared/data/scenes/safe")
SIDE = 80
RNG = np.random.default_rng(5)
# What each 10 m band holds: ground of a few thousand, so that pixels say nothing of an offset.
NUMBERS = {
    band: RNG.integers(1500 + 200 * i, 1700 + 200 * i, (SIDE, SIDE)).astype(np.uint16)
    for i, band in enumerate(("B02", "B03", "B04", "B08"))
}
CLASSES = np.where(np.arange(SIDE // 2) < 10, 9, 4) * np.ones((SIDE // 2, 1), int)
CHANCE = np.where(np.arange(SIDE // 2)[:, None] < 5, 80, 3) * np.ones((1, SIDE // 2), int)


def offsets(tag, values):
    return "".join(f'<{tag} band_id="{i}">{v}</{tag}>' for i, v in enumerate(values))


def product_xml(level, baseline, added):
    """A product's own metadata, as of its level and baseline; offsets of 13 bands or none."""
    spot = {"L2A": "BOA", "L1C": "RADIO"}[level]
    listed = f"<{spot}_ADD_OFFSET_LIST>{offsets(f'{spot}_ADD_OFFSET', added)}"
    listed += f"</{spot}_ADD_OFFSET_LIST>"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-{level[1:]}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/x.xsd">
<n1:General_Info><Product_Info><PROCESSING_LEVEL>Level-{level[1:]}</PROCESSING_LEVEL>
<PRODUCT_START_TIME>2023-04-05T05:06:49.024Z</PRODUCT_START_TIME>
<PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE></Product_Info>
<Product_Image_Characteristics>
<{"QUANTIFICATION_VALUE" if level == "L1C" else "BOA_QUANTIFICATION_VALUE"} unit="none">10000
</{"QUANTIFICATION_VALUE" if level == "L1C" else "BOA_QUANTIFICATION_VALUE"}>
{listed if added else ""}</Product_Image_Characteristics></n1:General_Info>
</n1:Level-{level[1:]}_User_Product>"""


def jp2(path, pixels, metres=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    stack = pixels if pixels.ndim == 3 else pixels[None]
    profile = {
        "driver": "JP2OpenJPEG",
        "height": stack.shape[1],
        "width": stack.shape[2],
        "count": len(stack),
        "dtype": stack.dtype,
        "crs": UTM,
        "transform": ORIGIN @ rasterio.Affine.scale(metres / 10),
    }
    with rasterio.open(path, "w", QUALITY=100, REVERSIBLE="YES", YCBCR420="NO", **profile) as file:
        file.write(stack)


def preview(path):
    jp2(path, np.full((3, SIDE, SIDE), 99, np.uint8))


def compact(folder, level="L2A", baseline="05.09", added=(-1000,) * 13):
    """S2A_MSIL2A_…SAFE as since December 2016."""
    product = f"S2A_MSI{level}_20230405T050649_N0509_R119_T45RTL_20230405T090000"
    safe = folder / f"{product}.SAFE"
    granule = safe / f"GRANULE/{level}_T45RTL_A040000_20230405T050649"
    stem = "T45RTL_20230405T050649"
    for band, pixels in NUMBERS.items():
        if level == "L2A":
            jp2(granule / f"IMG_DATA/R10m/{stem}_{band}_10m.jp2", pixels)
            jp2(granule / f"IMG_DATA/R20m/{stem}_{band}_20m.jp2", pixels[::2, ::2] + 9, 20)
        else:
            jp2(granule / f"IMG_DATA/{stem}_{band}.jp2", pixels)
    if level == "L2A":
        jp2(granule / f"IMG_DATA/R20m/{stem}_SCL_20m.jp2", CLASSES.astype(np.uint8), 20)
        jp2(granule / "QI_DATA/MSK_CLDPRB_20m.jp2", CHANCE.astype(np.uint8), 20)
        jp2(granule / "QI_DATA/MSK_SNWPRB_20m.jp2", CHANCE.astype(np.uint8), 20)
        preview(granule / f"IMG_DATA/R10m/{stem}_TCI_10m.jp2")
    else:
        preview(granule / f"IMG_DATA/{stem}_TCI.jp2")
    preview(granule / f"QI_DATA/{stem}_PVI.jp2")
    (safe / f"MTD_MSI{level}.xml").write_text(product_xml(level, baseline, added))
    (safe / "manifest.safe").write_text("<xfdu/>")
    return safe


def level_1c(folder):
    return compact(folder, "L1C", "02.06", ())


def old_style(folder):
    """S2A_OPER_PRD_MSIL1C_…SAFE, before December 2016: long names, several granules."""
    safe = folder / "S2A_OPER_PRD_MSIL1C_PDMC_20160405T090000_R119_V20160405T050649.SAFE"
    stem = "S2A_OPER_MSI_L1C_TL_SGS__20160405T090000_A004000_T45RTL"
    for band, pixels in NUMBERS.items():
        jp2(safe / f"GRANULE/{stem}_N02.01/IMG_DATA/{stem}_{band}.jp2", pixels)
    xml = product_xml("L1C", "02.01", ())
    (safe / "S2A_OPER_MTD_SAFL1C_PDMC_20160405T090000_R119_V20160405T050649.xml").write_text(xml)
    return safe


def without_top(folder):
    """A product whose .SAFE folder was lost on the way."""
    safe = compact(folder / "x")
    bare = folder / "download"
    safe.rename(bare)
    images = next(bare.glob("GRANULE/*/IMG_DATA"))
    for band, pixels in NUMBERS.items():
        name = f"R60m/T45RTL_20230405T050649_{band}_60m.jp2"
        jp2(images / name, pixels[::6, ::6] + 99, 60)
    return bare


def aws(folder):
    """Level 2A as AWS keeps it: bands by resolution, without the product's own metadata."""
    tile = folder / "tiles/45/R/TL/2020/4/5/0"
    for band, pixels in NUMBERS.items():
        jp2(tile / f"R10m/{band}.jp2", pixels)
        jp2(tile / f"R20m/{band}.jp2", pixels[::2, ::2] + 9, 20)
        jp2(tile / f"R60m/{band}.jp2", pixels[::6, ::6] + 99, 60)
    jp2(tile / "R20m/SCL.jp2", CLASSES.astype(np.uint8), 20)
    (tile / "tileInfo.json").write_text(
        '{"path": "tiles/45/R/TL/2020/4/5/0", "timestamp": "2020-04-05T05:06:49.024Z", '
        '"utmZone": 45, "latitudeBand": "R", "gridSquare": "TL", '
        '"productName": "S2A_MSIL2A_20200405T050649_N0214_R119_T45RTL_20200405T090000"}'
    )
    return tile


def aws_level_1c(folder):
    tile = folder / "tiles/45/R/TL/2016/4/5/0"
    for band, pixels in NUMBERS.items():
        jp2(tile / f"{band}.jp2", pixels)
    return tile


LAYOUTS = {
    "compact L2A": (compact, -1000, True),
    "compact L1C": (level_1c, 0, False),
    "old style L1C": (old_style, 0, False),
    "no top": (without_top, -1000, True),
    "AWS L2A": (aws, 0, True),
    "AWS L1C": (aws_level_1c, None, False),
}


@pytest.fixture(scope="module")
def products(tmp_path_factory):
    """Every layout as a folder."""
    return {name: make(tmp_path_factory.mktemp("p")) for name, (make, *_) in LAYOUTS.items()}


def zipped(product, path, inside=True):
    """A zip of a product, below its own folder or at the archive's top."""
    base = product.parent if inside else product
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(product.rglob("*")):
            archive.write(file, file.relative_to(base))
    return path


@pytest.mark.parametrize("how", ["folder", "zip", "zip without a folder"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_reads_alike(products, tmp_path, layout, how):
    _, offset, classified = LAYOUTS[layout]
    product = products[layout]
    if how != "folder":
        product = zipped(product, tmp_path / "product.zip", inside=how == "zip")
    scene = open_scene(SceneInputs(s2=(product,), s2_offset=-1000 if offset is None else None))
    added = -1000 if offset is None else offset
    for band, name in zip(
        ("B02", "B03", "B04", "B08"), ("blue", "green", "red", "nir"), strict=True
    ):
        read = scene.band(name, Window(0, 0, SIDE, SIDE))
        np.testing.assert_array_equal(read, NUMBERS[band].astype(np.float32) + added)
        assert [source.resolution for source in scene.bands[name]] == [10]
    assert bool(scene.classes) == classified
    said = any("level 1C" in warning for warning in scene.warnings)
    assert said == ("L1C" in layout and layout != "AWS L1C")
    assert scene.grid.transform == ORIGIN


@pytest.mark.parametrize("how", ["folder", "zip"])
def test_cloud_probability_of_a_product_is_cloud_too(products, tmp_path, how):
    product = products["compact L2A"]
    given = product if how == "folder" else zipped(product, tmp_path / "product.zip")
    cloud = open_scene(SceneInputs(s2=(given,))).read_cloud(Window(0, 0, SIDE, SIDE))
    expected = np.zeros((SIDE, SIDE), bool)
    expected[:, :20] = expected[:10] = True  # classes, and 80 %
    np.testing.assert_array_equal(cloud, expected)
    strict = open_scene(SceneInputs(s2=(given,), cloud_probability=90.0))
    np.testing.assert_array_equal(
        strict.read_cloud(Window(0, 0, SIDE, SIDE))[:, 20:], np.zeros((SIDE, 60), bool)
    )


def test_each_band_has_its_own_offset(tmp_path):
    added = [-1000] * 13
    added[3], added[7] = -900, -1100  # band_id of B04 and of B08
    scene = open_scene(SceneInputs(s2=(compact(tmp_path, added=added),)))
    spot = Window(7, 9, 1, 1)
    for band, name, offset in (("B02", "blue", -1000), ("B04", "red", -900), ("B08", "nir", -1100)):
        assert scene.band(name, spot)[0, 0] == int(NUMBERS[band][7, 9]) + offset


def test_a_zip_that_changes_is_read_anew_and_named(products, tmp_path):
    path = zipped(products["compact L2A"], tmp_path / "product.zip")
    scene = open_scene(SceneInputs(s2=(path,)))
    assert {place_of(opened).file for _, opened in scene.inputs} == {path}
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UnreadableRaster, match=r"product\.zip.*stopped being readable"):
        scene.band("red", Window(0, 0, 64, 64))


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not beside the repository")
def test_a_real_zip_holds_its_own_numbers_and_is_too_coarse(tmp_path):
    path = next(SHARED.glob("S2A*.zip"))
    with pytest.raises(GridMismatch, match="pixels of 250 m"):
        open_scene(SceneInputs(s2=(path,)))
    with zipfile.ZipFile(path) as archive:
        member = next(n for n in archive.namelist() if n.endswith("_B04.jp2"))
        unpacked = Path(archive.extract(member, tmp_path))
    file = inspect(Place(str(path), member))
    with rasterio.open(unpacked) as alone, rasterio.open(file.place.opened) as inside:
        np.testing.assert_array_equal(inside.read(), alone.read())
        assert file.geobox.transform == alone.transform


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared data are not beside the repository")
def test_a_radar_product_is_no_optical_one():
    with pytest.raises(SceneError, match="--s1 options"):
        open_scene(SceneInputs(s2=(next(SHARED.glob("S1A*.zip")),)))
