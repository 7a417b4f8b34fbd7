"""Sentinel-1 products: recognised by their files, and both generations of noise, by hand."""

import zipfile

import numpy as np
import pytest

from landslide_core.errors import (
    MissingBands,
    MissingCRS,
    UnreadableRaster,
)
from landslide_core.readers.ground.product import product_in
from landslide_core.readers.ground.tables import read_noise

NAME = "S1A_IW_GRDH_1SDV_20200708T182643_20200708T182708_033367_03DDAA_9550"
STEM = "s1a-iw-grd-{}-20200708t182643-20200708t182708-033367-03ddaa-{}"


def named_safe(folder, names):
    """A folder with empty files."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("<product/>")
    return folder


GRD_NAMES = (
    "manifest.safe",
    *(
        name
        for polarisation, number in (("vv", "001"), ("vh", "002"))
        for stem in [STEM.format(polarisation, number)]
        for name in (
            f"annotation/{stem}.xml",
            f"annotation/calibration/calibration-{stem}.xml",
            f"annotation/calibration/noise-{stem}.xml",
            f"measurement/{stem}.tiff",
        )
    ),
)


def test_a_safe_is_recognised_as_folder_and_zip(tmp_path):
    safe = named_safe(tmp_path / "in" / f"{NAME}.SAFE", GRD_NAMES)
    archive = tmp_path / "renamed.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for name in GRD_NAMES:
            file.writestr(f"{NAME}.SAFE/{name}", "<product/>")
    for given in (safe, safe.parent, archive):
        product = product_in(given)
        assert (product.kind, sorted(product.channels)) == ("GRD", ["vh", "vv"])
        assert product.channel("vh").noise.endswith(f"noise-{STEM.format('vh', '002')}.xml")
        assert product.channel("vv").measurement.endswith(f"{STEM.format('vv', '001')}.tiff")
    assert product_in(archive).name == NAME
    opened = product_in(archive).place(product_in(archive).channel("vv").measurement).opened
    assert opened.startswith(f"/vsizip/{{{archive}}}/{NAME}.SAFE/measurement/")


def test_names_of_a_bucket_are_recognised(tmp_path):
    names = [
        *("annotation/iw-vv.xml", "annotation/calibration/noise-iw-vv.xml"),
        *("annotation/calibration/calibration-iw-vv.xml", "measurement/iw-vv.tiff"),
    ]
    product = product_in(named_safe(tmp_path / "S1A_IW_GRDH_1SDV_20180716T004042", names))
    assert product.kind == "GRD"
    assert product.channel("vv").measurement == "measurement/iw-vv.tiff"
    with pytest.raises(MissingBands, match="holds VV; VH is needed"):
        product.channel("vh")


def test_other_folders_and_zips_are_left_alone(tmp_path):
    (tmp_path / "S2.SAFE" / "GRANULE").mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as file:
        file.writestr("a/b.tif", "x")
    assert product_in(tmp_path / "S2.SAFE") is None
    assert product_in(tmp_path / "other.zip") is None
    assert product_in(tmp_path / "absent") is None


def test_slant_range_is_refused(tmp_path):
    stem = "s1a-iw1-slc-vv-20200708t182643-20200708t182708-033367-03ddaa-004"
    names = [f"annotation/{stem}.xml", f"measurement/{stem}.tiff"]
    product = product_in(named_safe(tmp_path / "S1A_IW_SLC__1SDV_x.SAFE", names))
    with pytest.raises(MissingCRS, match=r"SLC product, in slant range.*Terrain-correct"):
        product.channel("vv")


def test_measurements_alone_and_several_products_are_refused(tmp_path):
    with pytest.raises(UnreadableRaster, match="Give the whole SAFE"):
        product_in(named_safe(tmp_path / "bare", ["measurement/iw-vv.tiff"]))
    for name in ("a.SAFE", "b.SAFE"):
        named_safe(tmp_path / "both" / name, GRD_NAMES)
    with pytest.raises(UnreadableRaster, match="2 Sentinel-1 products"):
        product_in(tmp_path / "both")


OLD_NOISE = """<noise><noiseVectorList count="2">
<noiseVector><line>0</line><pixel count="2">0 10</pixel><noiseLut>100 200</noiseLut></noiseVector>
<noiseVector><line>20</line><pixel count="3">0 4 10</pixel><noiseLut>300 300 600</noiseLut>
</noiseVector>
</noiseVectorList></noise>"""
NEW_NOISE = (
    OLD_NOISE.replace("noiseVector", "noiseRangeVector")
    .replace("noiseLut", "noiseRangeLut")
    .replace(
        "</noise>",
        """<noiseAzimuthVectorList count="2">
<noiseAzimuthVector><swath>IW1</swath><firstAzimuthLine>0</firstAzimuthLine>
<firstRangeSample>0</firstRangeSample><lastAzimuthLine>20</lastAzimuthLine>
<lastRangeSample>4</lastRangeSample><line count="2">0 20</line>
<noiseAzimuthLut count="2">1 3</noiseAzimuthLut></noiseAzimuthVector>
<noiseAzimuthVector><swath>IW2</swath><firstAzimuthLine>5</firstAzimuthLine>
<firstRangeSample>5</firstRangeSample><lastAzimuthLine>20</lastAzimuthLine>
<lastRangeSample>10</lastRangeSample><line count="1">0</line>
<noiseAzimuthLut count="1">0.5</noiseAzimuthLut></noiseAzimuthVector>
</noiseAzimuthVectorList></noise>""",
    )
)


def noise_of(folder, text):
    product = product_in(named_safe(folder, GRD_NAMES))
    file = product.channel("vv").noise
    (folder / file).write_text(text)
    return read_noise(product, file)


def test_noise_of_older_products_is_one_table(tmp_path):
    noise = noise_of(tmp_path, OLD_NOISE).over(0, 0, 21, 11)
    assert noise[0, [0, 5, 10]].tolist() == [100, 150, 200]
    assert noise[20, [0, 4, 7, 10]].tolist() == [300, 300, 450, 600]
    assert noise[10, 4] == pytest.approx((140 + 300) / 2)
    assert noise[5, 10] == pytest.approx(200 + (600 - 200) / 4)


def test_noise_of_newer_products_is_a_product_of_two(tmp_path):
    noise = noise_of(tmp_path, NEW_NOISE)
    plain = noise_of(tmp_path, OLD_NOISE).over(0, 0, 21, 11)
    found = noise.over(0, 0, 21, 11)
    along = 1 + np.arange(21) / 10  # 1 at line 0, 3 at line 20
    np.testing.assert_allclose(found[:, :5], plain[:, :5] * along[:, None], rtol=1e-6)
    np.testing.assert_allclose(found[5:, 5:], plain[5:, 5:] / 2, rtol=1e-6)
    np.testing.assert_array_equal(found[:5, 5:], plain[:5, 5:])
    np.testing.assert_array_equal(noise.over(7, 3, 6, 5), found[7:13, 3:8])


def test_vectors_that_do_not_fit_are_refused(tmp_path):
    for broken in (OLD_NOISE.replace("100 200", "100"), OLD_NOISE.replace("0 4 10", "0 0 10")):
        with pytest.raises(UnreadableRaster, match="doesn't fit"):
            noise_of(tmp_path, broken)
    bomb = '<!DOCTYPE n [<!ENTITY a "aaaa">]><noise>&a;</noise>'
    with pytest.raises(UnreadableRaster):
        noise_of(tmp_path, bomb)
