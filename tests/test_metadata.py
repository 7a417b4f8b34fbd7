"""What documents and names say of a Sentinel-2 product, and which documents count."""

import json
import os
import time
import zipfile
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from landslide_core.places import Place
from landslide_core.readers.catalogues import (
    parse_aws,
    parse_earth_engine,
    parse_stac_item,
    product_in_tags,
)
from landslide_core.readers.documents import LIMIT, documents
from landslide_core.readers.metadata import (
    parse_product,
    product_named,
    product_near,
    product_of,
)
from landslide_core.readers.product import ALL_BANDS, parse_product_xml

SCENES = Path(__file__).resolve().parents[1] / "../shared/data/scenes"
PSD = "https://psd-14.sentinel2.eo.esa.int/PSD"
SAFE_2A = "S2B_MSIL2A_20230310T045659_N0509_R119_T45RTL_20230310T073018.SAFE"
GRANULE_2A = "GRANULE/L2A_T45RTL_A031380_20230310T050516"
BAND_2A = f"{GRANULE_2A}/IMG_DATA/R10m/T45RTL_20230310T045659_B02_10m.jp2"


def offsets_xml(name: str, values: dict[int, int], kind: str) -> str:
    lines = "".join(f'<{kind} band_id="{i}">{v}</{kind}>' for i, v in values.items())
    return f"<{name}>{lines}</{name}>"


def l2a_xml(offsets: dict[int, int] | None = None, tile: str = "45RTL") -> str:
    """MTD_MSIL2A.xml of baseline 05.09, in its own words where they matter."""
    values = dict.fromkeys(range(13), -1000) if offsets is None else offsets
    listed = offsets_xml("BOA_ADD_OFFSET_VALUES_LIST", values, "BOA_ADD_OFFSET")
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-2A_User_Product xmlns:n1="{PSD}/User_Product_Level-2A.xsd">
  <n1:General_Info><Product_Info>
    <PRODUCT_START_TIME>2023-03-10T04:56:59.024Z</PRODUCT_START_TIME>
    <PRODUCT_URI>S2B_MSIL2A_20230310T045659_N0509_R119_T{tile}_20230310T073018.SAFE</PRODUCT_URI>
    <PROCESSING_LEVEL>Level-2A</PROCESSING_LEVEL>
    <PROCESSING_BASELINE>05.09</PROCESSING_BASELINE>
    <Datatake datatakeIdentifier="GS2B_20230310T045659_031380_N05.09">
      <SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME>
      <SENSING_ORBIT_NUMBER>119</SENSING_ORBIT_NUMBER>
    </Datatake></Product_Info>
    <Product_Image_Characteristics>
      <QUANTIFICATION_VALUES_LIST>
        <BOA_QUANTIFICATION_VALUE unit="none">10000</BOA_QUANTIFICATION_VALUE>
        <AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE>
      </QUANTIFICATION_VALUES_LIST>
      {listed}
    </Product_Image_Characteristics></n1:General_Info>
  <n1:Quality_Indicators_Info>
    <Cloud_Coverage_Assessment>12.5</Cloud_Coverage_Assessment>
  </n1:Quality_Indicators_Info>
</n1:Level-2A_User_Product>"""


L1C_XML = f"""<n1:Level-1C_User_Product xmlns:n1="{PSD}/User_Product_Level-1C.xsd">
  <n1:General_Info><Product_Info>
    <PRODUCT_START_TIME>2018-06-29T00:02:41.024Z</PRODUCT_START_TIME>
    <PRODUCT_URI>S2A_MSIL1C_20180629T000241_N0206_R030_T56JMM_20180629T012042.SAFE</PRODUCT_URI>
    <PROCESSING_BASELINE>02.06</PROCESSING_BASELINE>
    <Datatake><SPACECRAFT_NAME>Sentinel-2A</SPACECRAFT_NAME>
      <SENSING_ORBIT_NUMBER>30</SENSING_ORBIT_NUMBER></Datatake></Product_Info>
    <Product_Image_Characteristics>
      <QUANTIFICATION_VALUE unit="none">10000</QUANTIFICATION_VALUE>
    </Product_Image_Characteristics></n1:General_Info>
</n1:Level-1C_User_Product>"""

OLD_XML = """<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-1C_User_Product
    xmlns:n1="http://gs2.esa.int/schemas/V12/PSD/User_Product_Level-1C.xsd">
  <n1:General_Info><Product_Info>
    <PRODUCT_START_TIME>2016-11-30T00:06:12.026Z</PRODUCT_START_TIME>
    <PRODUCT_URI>S2A_OPER_PRD_MSIL1C_PDMC_20161201T073214_R022_V20161130T000612_20161130T000612.SAFE
    </PRODUCT_URI>
    <PROCESSING_BASELINE>02.04</PROCESSING_BASELINE>
    <Query_Options><Band_List/></Query_Options>
    <Product_Organisation>
      <Granule_List><Granules datastripIdentifier="DS"
        granuleIdentifier="S2A_OPER_MSI_L1C_TL_SGS__20161130T051146_A007515_T56JMM_N02.04">
        <IMAGE_ID>S2A_OPER_MSI_L1C_TL_SGS__20161130T051146_A007515_T56JMM_B02</IMAGE_ID>
      </Granules></Granule_List>
      <Granule_List><Granules
        granuleIdentifier="S2A_OPER_MSI_L1C_TL_SGS__20161130T051146_A007515_T56JNM_N02.04"/>
      </Granule_List>
    </Product_Organisation></Product_Info>
    <Product_Image_Characteristics><QUANTIFICATION_VALUE unit="none">1000</QUANTIFICATION_VALUE>
    </Product_Image_Characteristics></n1:General_Info>
</n1:Level-1C_User_Product>"""

OLD_TILE_XML = """<?xml version="1.0"?>
<n1:Level-1C_Tile_ID xmlns:n1="http://gs2.esa.int/schemas/V12/PSD/S2_PDI_L1C.xsd">
  <n1:General_Info>
    <TILE_ID>S2A_OPER_MSI_L1C_TL_SGS__20161130T051146_A007515_T56JMM_N02.04</TILE_ID>
    <SENSING_TIME metadataLevel="Standard">2016-11-30T00:06:14.455Z</SENSING_TIME>
  </n1:General_Info>
  <n1:Quality_Indicators_Info><Image_Content_QI>
    <CLOUDY_PIXEL_PERCENTAGE>3.25</CLOUDY_PIXEL_PERCENTAGE>
  </Image_Content_QI></n1:Quality_Indicators_Info>
</n1:Level-1C_Tile_ID>"""


def written(folder: Path, name: str, content: str | bytes = b"pixels") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def stac(**changes: object) -> dict[str, object]:
    """An item of Earth Search's second collection, offsets still in its numbers."""
    band = {"nodata": 0, "data_type": "uint16", "scale": 0.0001, "offset": -0.1}
    properties = {
        "datetime": "2023-03-10T05:05:16.123000Z",
        "platform": "sentinel-2b",
        "s2:processing_baseline": "05.09",
        "grid:code": "MGRS-45RTL",
        "sat:relative_orbit": 119,
        "eo:cloud_cover": 12.5,
        "s2:product_type": "S2MSI2A",
    }
    asset = {
        "href": "https://example.com/x/B02.tif?token=1",
        "eo:bands": [{"name": "B02", "common_name": "blue"}],
        "raster:bands": [band],
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S2B_T45RTL_20230310T050516_L2A",
        "collection": "sentinel-2-c1-l2a",
        "properties": properties | changes.pop("properties", {}),
        "assets": {"blue": asset},
        **changes,
    }


# Product XML


def test_level_2a_states_its_offset_band_by_band():
    values = {**dict.fromkeys(range(13), -1000), 7: -1500}  # band_id 7 is B08, 8 is B8A
    product = parse_product_xml(l2a_xml(values))
    assert product is not None
    assert product.offsets["B08"] == -1500
    assert product.offsets["B8A"] == product.offsets["B02"] == product.offsets["B12"] == -1000
    assert set(product.offsets) == set(ALL_BANDS)
    assert (product.level, product.baseline, product.quantification) == ("L2A", 5.09, 10_000)
    assert product.time == datetime(2023, 3, 10, 4, 56, 59, 24000, tzinfo=UTC)
    assert (product.tile, product.relative_orbit, product.platform) == ("45RTL", 119, "S2B")
    assert product.cloud == 12.5


def test_level_1c_of_an_old_baseline_adds_nothing():
    product = parse_product_xml(L1C_XML)
    assert product is not None
    assert (product.level, product.baseline, product.quantification) == ("L1C", 2.06, 10_000)
    assert dict(product.offsets) == {}
    assert product.offset("B04") == 0
    assert (product.tile, product.relative_orbit) == ("56JMM", 30)


def test_level_1c_of_new_baselines_calls_its_offset_radiometric():
    listed = offsets_xml("Radiometric_Offset_List", {1: -1000, 3: -900}, "RADIO_ADD_OFFSET")
    text = L1C_XML.replace("02.06", "05.00").replace("<QUANTIFICATION", f"{listed}<QUANTIFICATION")
    product = parse_product_xml(text)
    assert product is not None
    assert product.offsets == {"B02": -1000, "B04": -900}
    assert (product.offset("B04"), product.offset("B08")) == (-900, None)


def test_the_documents_own_table_of_bands_goes_before_the_usual_one():
    table = '<Spectral_Information bandId="3" physicalBand="B8A"/>'
    text = l2a_xml({3: -1000}).replace("<QUANTIFICATION_VALUES_LIST>", f"{table}<Q/>")
    text = text.replace("</QUANTIFICATION_VALUES_LIST>", "")
    product = parse_product_xml(text)
    assert product is not None
    assert product.offsets == {"B8A": -1000}


def test_old_products_of_several_tiles_leave_the_tile_to_the_granule():
    product, granule = parse_product_xml(OLD_XML), parse_product_xml(OLD_TILE_XML)
    assert product is not None
    assert granule is not None
    assert (product.level, product.tile, product.baseline) == ("L1C", None, 2.04)
    assert (product.relative_orbit, product.quantification) == (22, 1000)
    assert (granule.tile, granule.cloud, granule.baseline) == ("56JMM", 3.25, 2.04)
    assert granule.time == datetime(2016, 11, 30, 0, 6, 14, 455000, tzinfo=UTC)


def test_first_level_2a_products_of_sen2cor():
    text = f"""<n1:Level-2A_User_Product xmlns:n1="{PSD}/x"><L2A_Product_Info>
      <PRODUCT_URI_1C>S2A_MSIL1C_20170518T045701_N0205_R119_T45RTL_20170518T050000.SAFE
      </PRODUCT_URI_1C>
      <PRODUCT_URI_2A>S2A_MSIL2A_20170518T045701_N0205_R119_T45RTL_20170518T050000.SAFE
      </PRODUCT_URI_2A><PROCESSING_BASELINE>02.05</PROCESSING_BASELINE>
      <L1C_L2A_Quantification_Values_List>
      <L1C_TOA_QUANTIFICATION_VALUE>10000</L1C_TOA_QUANTIFICATION_VALUE>
      <L2A_BOA_QUANTIFICATION_VALUE>5000</L2A_BOA_QUANTIFICATION_VALUE>
      </L1C_L2A_Quantification_Values_List></L2A_Product_Info></n1:Level-2A_User_Product>"""
    product = parse_product_xml(text)
    assert product is not None
    assert (product.level, product.quantification, product.tile) == ("L2A", 5000, "45RTL")


def test_a_baseline_of_the_users_own_is_none_of_the_agencys():
    product = parse_product_xml(l2a_xml().replace("05.09", "99.99").replace("N0509", "N9999"))
    assert product is not None
    assert product.baseline is None


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">'  # each ten times the one before
        for i in range(12)
    )
    + "]>"
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{BOMB}<Level-2A_User_Product>&m;</Level-2A_User_Product>", id="bomb"),
        pytest.param(
            '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>'
            "<Level-2A_User_Product><PRODUCT_URI>&f;</PRODUCT_URI></Level-2A_User_Product>",
            id="file",
        ),
        pytest.param(
            l2a_xml()
            .replace("<n1:Level-2A", '<!DOCTYPE x [<!ENTITY orbit "119">]><n1:Level-2A', 1)
            .replace(">119<", ">&orbit;<"),
            id="harmless, but no product has entities",
        ),
        pytest.param(l2a_xml()[:700], id="cut off"),
        pytest.param(l2a_xml().encode("utf-16").decode("utf-8", "replace"), id="UTF-16"),
        pytest.param(l2a_xml().replace("UTF-8", "klingon") + "\udcff", id="no text"),
        pytest.param("<a>" * 200_000, id="deep"),
        pytest.param(l2a_xml() + " " * LIMIT, id="long"),
        pytest.param("", id="empty"),
        pytest.param("<html><body>Not found</body></html>", id="a web page"),
        pytest.param(l2a_xml().replace("Level-2A_User_Product", "Level-2A_DataStrip_ID"), id="DS"),
    ],
)
def test_broken_and_hostile_xml_is_as_good_as_none(text):
    begun = time.monotonic()
    assert parse_product_xml(text) is None
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize("text", [l2a_xml(), OLD_TILE_XML, json.dumps(stac())])
def test_documents_with_bytes_flipped_never_do_more_than_say_nothing(text):
    rng, whole = np.random.default_rng(5), np.frombuffer(text.encode(), np.uint8)
    kept = 0
    for _ in range(200):
        spoilt = whole.copy()
        places = rng.integers(0, whole.size, rng.integers(1, 4))
        spoilt[places] = rng.integers(0, 256, places.size)
        product = parse_product(spoilt.tobytes().decode(errors="replace"))
        assert product is None or product.level in ("L1C", "L2A", None)
        kept += product is not None
    assert kept  # most letters of a document are of no account


def test_a_wrong_encoding_spoils_no_more_than_its_letters(tmp_path):
    text = l2a_xml().replace("<n1:General_Info>", "<U unit='W/m²/µm'>1</U><n1:General_Info>")
    written(tmp_path, "MTD_MSIL2A.xml", text.encode("latin-1"))  # and says UTF-8
    product = product_near(Place(str(written(tmp_path, "B02.jp2"))))
    assert product is not None
    assert product.offsets["B02"] == -1000


# STAC


def test_stac_states_offsets_in_reflectance():
    product = parse_stac_item(json.dumps(stac()))
    assert product is not None
    assert product.offsets == {"B02": -1000}
    assert product.scales == {"B02": 0.0001}
    assert (product.level, product.baseline, product.tile) == ("L2A", 5.09, "45RTL")
    assert (product.relative_orbit, product.cloud, product.platform) == (119, 12.5, "S2B")
    assert product.time == datetime(2023, 3, 10, 5, 5, 16, 123000, tzinfo=UTC)


def test_an_offset_that_was_taken_out_isnt_taken_out_again():
    """Earth Search's items go on naming -0.1 where they say that it is applied."""
    taken = stac(properties={"earthsearch:boa_offset_applied": True})
    product = parse_stac_item(json.dumps(taken))
    assert product is not None
    assert product.boa_offset_applied is True
    assert product.offset("B02") == 0
    left = parse_stac_item(json.dumps(stac(properties={"earthsearch:boa_offset_applied": False})))
    assert left is not None
    assert (left.boa_offset_applied, left.offset("B02")) == (False, -1000)


def test_before_baseline_4_nothing_was_added_whatever_an_item_says():
    product = parse_stac_item(json.dumps(stac(properties={"s2:processing_baseline": "02.14"})))
    assert product is not None
    assert product.offset("B02") == 0


def test_stac_1_1_puts_scale_and_offset_on_the_band_or_the_asset():
    on_asset = {
        "href": "s3://bucket/T45RTL_20230310T045659_B04_10m.jp2",
        "bands": [{"name": "B04", "eo:common_name": "red"}],
        "raster:scale": 0.0001,
        "raster:offset": -0.1,
    }
    on_band = {"href": "x", "bands": [{"name": "B08", "raster:scale": 0.001, "raster:offset": 0}]}
    preview = {"href": "y", "bands": [{"name": "B02"}, {"name": "B03"}], "raster:offset": 5}
    item = stac(assets={"B04_10m": on_asset, "B08_10m": on_band, "TCI": preview})
    product = parse_stac_item(json.dumps(item))
    assert product is not None
    assert product.offsets == {"B04": -1000, "B08": 0}


def test_only_assets_of_one_band_say_something_of_a_band():
    shown = {"scale": 1, "offset": 7}
    original = {"eo:bands": [{"name": "B02"}], "raster:bands": [{"scale": 1, "offset": 5}]}
    visual = {"eo:bands": [{"name": "B02"}, {"name": "B03"}], "raster:bands": [shown, shown]}
    thumbnail = {"href": "x", "roles": ["thumbnail"], "raster:bands": [shown]}
    assets = stac()["assets"]
    more = {**assets, "blue-jp2": original, "visual": visual, "thumbnail": thumbnail}
    product = parse_stac_item(json.dumps(stac(assets=more)))
    assert product is not None
    assert (product.offsets, product.scales) == ({"B02": -1000}, {"B02": 0.0001})


def test_first_earth_search_and_planetary_computer_items():
    old = stac(
        id="S2A_45RTL_20200101_0_L2A",
        collection="sentinel-s2-l2a-cogs",
        properties={
            "grid:code": None,
            "s2:processing_baseline": None,
            "sentinel:boa_offset_applied": True,
            "mgrs:utm_zone": 45,
            "mgrs:latitude_band": "R",
            "mgrs:grid_square": "TL",
        },
    )
    product = parse_stac_item(json.dumps(old))
    assert product is not None
    assert (product.tile, product.boa_offset_applied) == ("45RTL", True)
    asset = {"href": "https://example.com/T45RTL_20230310T045659_B02_10m.tif"}
    plain = parse_stac_item(json.dumps(stac(assets={"B02": asset})))
    assert plain is not None
    assert (plain.offset("B02"), plain.baseline) == (None, 5.09)  # not said: the pixels decide


@pytest.mark.parametrize(
    "item",
    [
        {"type": "FeatureCollection", "features": []},
        {"type": "Feature", "properties": {"name": "my field"}, "geometry": None},
        stac(collection="sentinel-1-rtc", id="x", properties={"platform": "sentinel-1a"})
        | {"properties": {"platform": "SENTINEL-1A", "datetime": "2020-01-01T00:00:00Z"}},
        stac(stac_version="1.0.0", id="run-7", collection=None)
        | {"properties": {"datetime": "2020-01-01T00:00:00Z"}},  # as a run writes
        {"type": "Feature", "stac_version": "1.0.0", "properties": None, "assets": []},
        [],
        None,
    ],
)
def test_other_json_is_no_sentinel_2_item(item):
    assert parse_stac_item(json.dumps(item)) is None
    assert parse_product(json.dumps(item)) is None


@pytest.mark.parametrize("text", ["{", '{"a":' * 100_000, "[1,", '{"type": 1e999}', "\x00", "nan"])
def test_broken_json_is_as_good_as_none(text):
    assert parse_product(text) is None


def test_odd_values_in_an_item_are_left_out():
    odd = {
        "s2:processing_baseline": ["05.09"],
        "sat:relative_orbit": 10**400,
        "eo:cloud_cover": "NaN",
        "datetime": "yesterday",
        "grid:code": {"a": 1},
        "earthsearch:boa_offset_applied": "yes",
    }
    band = {"href": 7, "eo:bands": ["B02"], "raster:bands": [{"scale": -1, "offset": "x"}]}
    item = stac(properties=odd, assets={"B02": band, "b": None})
    product = parse_stac_item(json.dumps(item))
    assert product is not None
    assert product.baseline is product.relative_orbit is product.cloud is product.time is None
    assert product.boa_offset_applied is None
    assert (product.offsets, product.scales) == ({}, {})


# Earth Engine, AWS, tags

ENGINE = {
    "system:id": "COPERNICUS/S2_SR/20230310T045659_20230310T050516_T45RTL",
    "system:index": "20230310T045659_20230310T050516_T45RTL",
    "system:time_start": 1678424716123,
    "PRODUCT_ID": "S2B_MSIL2A_20230310T045659_N0509_R119_T45RTL_20230310T073018",
    "PROCESSING_BASELINE": "05.09",
    "MGRS_TILE": "45RTL",
    "SENSING_ORBIT_NUMBER": 119,
    "CLOUDY_PIXEL_PERCENTAGE": 12.5,
    "BOA_ADD_OFFSET_B2": -1000,
    "BOA_ADD_OFFSET_B8A": -900,
}


def test_earth_engine_names_offsets_by_band():
    product = parse_earth_engine(json.dumps(ENGINE))
    assert product is not None
    assert product.offsets == {"B02": -1000, "B8A": -900}
    assert (product.level, product.tile, product.cloud) == ("L2A", "45RTL", 12.5)
    assert product.time == datetime(2023, 3, 10, 5, 5, 16, 123000, tzinfo=UTC)


def test_earth_engines_harmonized_images_keep_an_offset_they_no_longer_have():
    harmonized = {**ENGINE, "system:id": ENGINE["system:id"].replace("S2_SR", "S2_SR_HARMONIZED")}
    product = parse_earth_engine(json.dumps(harmonized))
    assert product is not None
    assert product.offset("B02") == product.offset("B04") == 0
    unsaid = {key: value for key, value in ENGINE.items() if key != "system:id"}
    product = parse_earth_engine(json.dumps(unsaid))
    assert product is not None
    assert product.offset("B02") is None  # of either collection


def test_tags_of_a_file():
    product = product_in_tags({"BOA_ADD_OFFSET": "-1000", "PROCESSING_BASELINE": "05.10"})
    assert product is not None
    assert (product.offset("B02"), product.offset("B11")) == (-1000, -1000)
    assert product_in_tags({"AREA_OR_POINT": "Area", "TIFFTAG_DATETIME": "2020:01:01"}) is None
    assert product_in_tags({"SPACECRAFT_NAME": "Sentinel-1A", "PRODUCT_TYPE": "GRD"}) is None


def test_the_public_buckets_own_words():
    tile = {
        "path": "tiles/45/R/TL/2020/1/1/0",
        "timestamp": "2020-01-01T04:52:01.123Z",
        "utmZone": 45,
        "latitudeBand": "R",
        "gridSquare": "TL",
        "cloudyPixelPercentage": 1.5,
        "productName": "S2A_MSIL1C_20200101T045201_N0208_R076_T45RTL_20200101T074141",
    }
    product = parse_aws(json.dumps(tile))
    assert product is not None
    assert (product.tile, product.level, product.baseline) == ("45RTL", "L1C", 2.08)
    assert (product.cloud, product.relative_orbit) == (1.5, 76)
    assert product.time == datetime(2020, 1, 1, 4, 52, 1, 123000, tzinfo=UTC)
    assert (
        parse_aws(json.dumps({"path": "GRD/2018", "id": "S1A_IW_GRDH_1SDV_20180716T004042"}))
        is None
    )


# Which documents count


def safe_2a(folder: Path) -> Path:
    """A level 2A SAFE folder with documents and one empty band; the band."""
    safe = folder / SAFE_2A
    written(safe, "MTD_MSIL2A.xml", l2a_xml())
    tile = OLD_TILE_XML.replace("L1C", "L2A").replace("Level-1C", "Level-2A").replace("S2A", "S2B")
    tile = tile.replace("T56JMM", "T45RTL").replace(
        "2016-11-30T00:06:14.455", "2023-03-10T05:05:16"
    )
    written(safe, f"{GRANULE_2A}/MTD_TL.xml", tile.replace("N02.04", "N05.09"))
    return written(safe, BAND_2A)


def check_2a(product) -> None:
    assert product is not None
    assert product.offsets["B02"] == -1000  # of the product's document
    assert product.time == datetime(2023, 3, 10, 5, 5, 16, tzinfo=UTC)  # of the granule's
    assert (product.cloud, product.tile, product.baseline) == (3.25, "45RTL", 5.09)
    assert product.source == "MTD_TL.xml, MTD_MSIL2A.xml"


def test_a_safe_folders_documents_are_found_and_joined(tmp_path):
    check_2a(product_near(Place(str(safe_2a(tmp_path)))))


@pytest.mark.parametrize("top", [f"{SAFE_2A}/", ""])
def test_a_zips_documents_are_read_in_place(tmp_path, top):
    safe = safe_2a(tmp_path / "there").parents[4]
    archive = tmp_path / "product.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(safe.rglob("*")):
            if path.is_file():
                file.write(path, f"{top}{path.relative_to(safe)}")
    check_2a(product_near(Place(str(archive), f"{top}{BAND_2A}")))


def test_old_names_of_documents(tmp_path):
    safe = tmp_path / "S2A_OPER_PRD_MSIL1C_PDMC_20161201T073214_R022_V20161130T000612.SAFE"
    granule = "GRANULE/S2A_OPER_MSI_L1C_TL_SGS__20161130T051146_A007515_T56JMM_N02.04"
    written(safe, "S2A_OPER_MTD_SAFL1C_PDMC_20161201T073214_R022_V20161130T000612.xml", OLD_XML)
    name = "S2A_OPER_MTD_L1C_TL_SGS__20161130T051146_A007515_T56JMM.xml"
    written(safe, f"{granule}/{name}", OLD_TILE_XML)
    band = f"{granule}/IMG_DATA/S2A_OPER_MSI_L1C_TL_SGS__20161130T051146_A007515_T56JMM_B02.jp2"
    product = product_near(Place(str(written(safe, band))))
    assert product is not None
    assert (product.quantification, product.tile, product.cloud) == (1000, "56JMM", 3.25)


def test_a_band_folder_below_its_document_needs_a_name_that_agrees(tmp_path):
    written(tmp_path, "MTD_MSIL2A.xml", l2a_xml())
    mine = written(tmp_path, "bands/T45RTL_20230310T045659_B02.tif")
    other = written(tmp_path, "bands/T45RTL_20230315T045659_B02.tif")
    nameless = written(tmp_path, "bands/B02.tif")
    assert product_near(Place(str(mine))) is not None
    assert product_near(Place(str(other))) is None
    assert product_near(Place(str(nameless))) is None


def test_a_document_of_another_product_beside_a_band_does_not_count(tmp_path):
    written(tmp_path, "MTD_MSIL2A.xml", l2a_xml())
    for name, counts in (
        ("T45RTL_20230310T045659_B02.jp2", True),
        ("B02.tif", True),
        ("T45RTM_20230310T045659_B02.jp2", False),
        ("T45RTL_20210310T045659_B02.jp2", False),
    ):
        assert (product_near(Place(str(written(tmp_path, name)))) is not None) is counts, name


def test_what_a_product_was_made_from_is_not_mixed_in(tmp_path):
    added = offsets_xml("Radiometric_Offset_List", {1: -1000}, "RADIO_ADD_OFFSET")
    before = L1C_XML.replace("56JMM", "45RTL").replace(">30<", ">119<")
    before = before.replace("2018-06-29T00:02:41", "2023-03-10T04:56:59").replace("l-2A", "l-2B")
    before = before.replace("<QUANTIFICATION", f"{added}<QUANTIFICATION")
    written(tmp_path, "MTD_MSIL1C.xml", before)
    written(tmp_path, "MTD_MSIL2A.xml", l2a_xml({}))
    product = product_near(Place(str(written(tmp_path, "B02.jp2"))))
    assert product is not None
    assert (product.level, product.offsets) == ("L2A", {})
    assert product.source == "MTD_MSIL2A.xml"


def test_a_users_own_json_is_no_metadata(tmp_path):
    band = written(tmp_path, "B02.tif")
    written(tmp_path, "metadata.json", '{"author": "me", "offset": -1000}')
    written(tmp_path, "area.geojson", '{"type": "FeatureCollection", "features": []}')
    written(tmp_path, "broken.json", "{")
    written(tmp_path, "list.json", "[1, 2]")
    assert product_near(Place(str(band))) is None


def test_stac_items_count_that_name_the_raster_or_are_alone(tmp_path):
    first = stac(id="a", properties={"eo:cloud_cover": 1})
    asset = {"href": "https://example.com/T45RTL_B03.tif", "eo:bands": [{"name": "B03"}]}
    second = stac(id="b", properties={"eo:cloud_cover": 2}, assets={"green": asset})
    written(tmp_path, "a.json", json.dumps(first))
    alone = product_near(Place(str(written(tmp_path, "anything.tif"))))
    assert alone is not None
    assert alone.cloud == 1
    written(tmp_path, "b.json", json.dumps(second))
    clouds = [
        getattr(product_near(Place(str(written(tmp_path, name)))), "cloud", None)
        for name in ("B02.tif", "T45RTL_B03.tif", "anything.tif")
    ]
    assert clouds == [1, 2, None]


def test_what_earth_search_did_to_its_geotiffs_it_didnt_do_to_the_originals(tmp_path):
    item = stac(properties={"earthsearch:boa_offset_applied": True})
    written(tmp_path, "item.json", json.dumps(item))
    made = product_near(Place(str(written(tmp_path, "B02.tif"))))
    original = product_near(Place(str(written(tmp_path, "B02.jp2"))))
    assert made is not None
    assert original is not None
    assert (made.offset("B02"), original.offset("B02")) == (0, None)


def test_a_changed_document_is_read_anew(tmp_path):
    band = Place(str(written(tmp_path, "B02.jp2")))
    path = written(tmp_path, "MTD_MSIL2A.xml", l2a_xml())
    before = product_near(band)
    path.write_text(l2a_xml(dict.fromkeys(range(13), -500)))
    os.utime(path, ns=(1, 1))
    after = product_near(band)
    assert before is not None
    assert after is not None
    assert (before.offsets["B02"], after.offsets["B02"]) == (-1000, -500)


def test_no_document_is_sought_behind_an_address_or_in_what_isnt_there(tmp_path):
    assert product_near(Place("https://example.com/a.SAFE/B02.jp2")) is None
    assert documents(Place(str(tmp_path / "nowhere/B02.jp2"))) == ()
    assert documents(Place(str(written(tmp_path, "no.zip", b"PK")), "a/B02.jp2")) == ()


def test_tags_then_documents_then_names(tmp_path):
    band = Place(str(safe_2a(tmp_path)))
    product = product_of(band, {"BOA_ADD_OFFSET": "0"})
    assert product is not None
    assert (product.offset("B02"), product.tile) == (0, "45RTL")
    (Path(band.holder).parents[4] / "MTD_MSIL2A.xml").unlink()
    (Path(band.holder).parents[2] / "MTD_TL.xml").unlink()
    product = product_of(band, {})
    assert product is not None
    assert (product.level, product.baseline, product.offset("B02")) == ("L2A", 5.09, None)


def test_names_alone():
    product = product_named(PurePosixPath(f"/x/{SAFE_2A}/{BAND_2A}"))
    assert product is not None
    assert (product.level, product.baseline, product.relative_orbit) == ("L2A", 5.09, 119)
    assert product_named(PurePosixPath("/x/S1A_IW_GRDH_1SDV_20180716T004042/VV.tif")) is None


# Real products

real = pytest.mark.skipif(not SCENES.is_dir(), reason="the shared scenes are not there")


@real
def test_a_real_safe_zip():
    archive = next(SCENES.glob("safe/S2A_MSIL1C*.zip"))
    inside = "GRANULE/L1C_T56JMM_A015757_20180629T000241/IMG_DATA/T56JMM_20180629T000241_B04.jp2"
    place = Place(str(archive), f"{archive.stem}.SAFE/{inside}")
    product = product_near(place)
    assert product is not None
    assert (product.level, product.baseline, product.quantification) == ("L1C", 2.06, 10_000)
    assert product.time == datetime(2018, 6, 29, 0, 2, 41, 461000, tzinfo=UTC)  # its SENSING_TIME
    assert (product.tile, product.relative_orbit, product.cloud) == ("56JMM", 30, 0)
    assert product.source == "MTD_TL.xml, MTD_MSIL1C.xml"
    begun = time.monotonic()
    assert product_near(place) == product
    assert time.monotonic() - begun < 0.05  # a dozen bands do not parse 400 KB each


@real
@pytest.mark.parametrize(
    ("folder", "level", "baseline", "cloud"),
    [
        ("s2a/0000200/20200813T054639_20200813T054952_T43RCP", "L2A", 2.14, 1.948562),
        ("s2c/0000200/20200823T054639_20200823T055618_T43RCP", "L1C", 2.09, 9.9194),
    ],
)
def test_real_earth_engine_metadata(folder, level, baseline, cloud):
    product = product_near(Place(str(SCENES / "ssl4eo-s12-0000200" / folder / "B2.tif")))
    assert product is not None
    assert (product.level, product.baseline, product.cloud) == (level, baseline, cloud)
    assert (product.tile, product.relative_orbit, product.platform) == ("43RCP", 48, "S2B")
    assert product.offset("B02") == 0


@real
def test_real_radar_documents_are_of_no_sentinel_2_product():
    for path in SCENES.glob("*/**/*.tif*"):
        if "s1" in str(path.relative_to(SCENES)).lower().split("/")[:2] or "S1" in path.name:
            assert product_near(Place(str(path))) is None, path
