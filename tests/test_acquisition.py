"""When and from which orbit an image was taken, on what evidence, and whether dates fit."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath

import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox

from landslide_core.places import Place
from landslide_core.readers.acquisition import (
    Acquisition,
    acquisition_of,
    facts_in_properties,
    pass_by_sun,
    pass_of,
)
from landslide_core.readers.dates import check_dates, taken, words
from landslide_core.readers.names import facts_in_name, facts_in_path, relative_orbit
from landslide_core.readers.raster import RasterFile, inspect

SCENES = Path(__file__).resolve().parents[1] / "../shared/data/scenes"
REAL_NAMES = (
    "S2A_MSIL2A_20180629T000241_N0206_R030_T56JMM_20180629T012042.SAFE",
    "S1A_IW_GRDH_1SDV_20200708T182643_20200708T182708_033367_03DDAA_9550.SAFE",
    "OPERA_L2_RTC-S1_T069-147174-IW2_20231101T001234Z_20231102T061234Z_S1A_30_v1.0_VV.tif",
)
NEPAL = Affine(10, 0, 500_000, 0, -10, 3_100_000)  # in EPSG:32645: 87° E, 28° N


def raster(place: Place | Path | str, tags: dict[str, str] | None = None) -> RasterFile:
    """A file of one band in Nepal, that nobody reads pixels of."""
    return RasterFile(
        place=place if isinstance(place, Place) else Place(str(place)),
        geobox=GeoBox((64, 64), NEPAL, "EPSG:32645"),
        resolution=10.0,
        names=("",),
        dtypes=("float32",),
        scales=(1.0,),
        offsets=(0.0,),
        nodata=(None,),
        masked=False,
        tags=tags or {},
        units=("",),
    )


def at(*clock: int) -> datetime:
    return datetime(*clock, tzinfo=UTC)


# Names


@pytest.mark.parametrize(
    ("name", "platform", "time", "orbit", "tile", "product"),
    [
        (
            "S2A_MSIL2A_20180629T000241_N0206_R030_T56JMM_20180629T012042.SAFE",
            *("S2A", at(2018, 6, 29, 0, 2, 41), 30, "56JMM", "L2A"),
        ),
        (  # Planetary Computer leaves the baseline out
            "S2B_MSIL2A_20200101T045201_R076_T45RTL_20201001T074141",
            *("S2B", at(2020, 1, 1, 4, 52, 1), 76, "45RTL", "L2A"),
        ),
        (  # BigEarthNet
            "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_26_57_B04.tif",
            *("S2A", at(2017, 6, 13, 10, 10, 31), 22, "33UUP", "L2A"),
        ),
        (
            "S2A_OPER_PRD_MSIL1C_PDMC_20161201T073214_R022_V20161130T000612_20161130T000612",
            *("S2A", at(2016, 11, 30, 0, 6, 12), 22, None, "L1C"),
        ),
        (  # the time of an old granule's name is that of its making
            "S2A_OPER_MSI_L1C_TL_SGS__20161201T051146_A007515_T56JMM_B02.jp2",
            *("S2A", None, None, "56JMM", "L1C"),
        ),
        (
            "L2A_T45RTL_A023645_20200101T045201",
            *("S2", at(2020, 1, 1, 4, 52, 1), None, "45RTL", "L2A"),
        ),
        ("T45RTL_20200101T045201_B02_10m.jp2", "S2", at(2020, 1, 1, 4, 52, 1), None, "45RTL", None),
        (
            "20200604T054639_20200604T054831_T43RCP",
            "S2",
            at(2020, 6, 4, 5, 46, 39),
            None,
            "43RCP",
            None,
        ),
        ("S2A_5QKB_20200101_0_L2A", "S2A", None, None, "05QKB", "L2A"),
        ("S2B_T43QDB_20200110T053549_L2A", "S2B", at(2020, 1, 10, 5, 35, 49), None, "43QDB", "L2A"),
        (
            "SENTINEL2A_20200101-045201-123_L2A_T45RTL_C_V2-2_FRE_B4.tif",
            *("S2A", at(2020, 1, 1, 4, 52, 1), None, "45RTL", "L2A"),
        ),
        (  # relative orbit as its manifest says
            "S1A_IW_GRDH_1SDV_20200708T182643_20200708T182708_033367_03DDAA_9550.SAFE",
            *("S1A", at(2020, 7, 8, 18, 26, 43), 45, None, "GRD"),
        ),
        (
            "s1a-iw-grd-vv-20200708t182643-20200708t182708-033367-03ddaa-001.tiff",
            *("S1A", at(2020, 7, 8, 18, 26, 43), 45, None, "GRD"),
        ),
        (  # Planetary Computer
            "S1B_IW_GRDH_1SDV_20201020T164222_20201020T164247_023899_02D6C4_rtc",
            *("S1B", at(2020, 10, 20, 16, 42, 22), 73, None, "RTC"),
        ),
        (
            "S1A_IW_20200101T120000_DVP_RTC10_G_gpuned_ABCD_VV.tif",
            *("S1A", at(2020, 1, 1, 12, 0, 0), None, None, "RTC"),
        ),
        (
            "OPERA_L2_RTC-S1_T069-147174-IW2_20231101T001234Z_20231102T061234Z_S1A_30_v1.0_VV.tif",
            *("S1A", at(2023, 11, 1, 0, 12, 34), 69, "T069-147174-IW2", "RTC"),
        ),
        (  # BigEarthNet
            "S1A_IW_GRDH_1SDV_20170613T165043_33UUP_61_39_VV.tif",
            *("S1A", at(2017, 6, 13, 16, 50, 43), None, None, "GRD"),
        ),
    ],
)
def test_names_of_products_bands_and_granules(name, platform, time, orbit, tile, product):
    facts = facts_in_name(name)
    assert facts is not None
    assert (facts.platform, facts.time, facts.relative_orbit) == (platform, time, orbit)
    assert (facts.tile, facts.product) == (tile, product)


@pytest.mark.parametrize(
    "name",
    [
        "B02.tif",
        "scene_20200101_VV.tif",
        "S2A_MSIL2A_20209999T000241_N0206_R030_T56JMM_20180629T012042",  # no such day
        "S2A_MSIL2A_20990101T000241_N0206_R030_T56JMM_20180629T012042",  # still to come
        "XS1A_IW_GRDH_1SDV_20200708T182643",
        "T45RTL_20200101T0452011_B02.tif",
        "T45ITL_20200101T045201_B02.tif",  # there is no belt I
        "",
    ],
)
def test_other_names_say_nothing(name):
    assert facts_in_name(name) is None


@given(st.text(max_size=40), st.sampled_from(REAL_NAMES), st.integers(0, 80), st.integers(0, 20))
def test_no_name_is_too_odd(text, name, at, cut):
    odd = name[:at] + text + name[at + cut :]
    facts = facts_in_name(odd)
    assert facts is None or facts.platform is not None
    list(facts_in_path(PurePosixPath(f"/{odd}/{text}.tif")))


def test_baselines_in_names():
    compact = "S2A_MSIL2A_20180629T000241_N{}_R030_T56JMM_20180629T012042"
    found = [facts_in_name(compact.format(n)) for n in ("0206", "0509", "9999")]
    assert [facts.baseline for facts in found if facts] == [2.06, 5.09, None]


@pytest.mark.parametrize(
    ("platform", "absolute", "relative"),
    [
        ("S1A", 32904, 107),  # as Earth Engine's metadata says
        ("S1A", 34195, 173),
        ("S1A", 33367, 45),  # as its manifest says
        ("S1B", 21599, 48),  # the same track as S1A's 32670
        ("S1A", 32670, 48),
        ("S1C", 1681, 110),
        ("S1C", 8018, 147),  # the last before it was moved
        ("S1C", 8019, 46),
        ("S1D", 2389, 73),  # as its manifest says
        ("S1D", 4762, 171),  # as the agency's catalogue says
        ("S1A", 73, 1),
        ("S1A", 247, 175),
        ("S1E", 100, None),
    ],
)
def test_relative_orbits(platform, absolute, relative):
    assert relative_orbit(platform, absolute) == relative


def days_in(path: str) -> list[date | None]:
    return [facts.day for _, facts in facts_in_path(PurePosixPath(path))]


def test_plain_dates_are_the_last_resort():
    assert days_in("/a/scene_20200101_VV.tif") == [date(2020, 1, 1)]
    assert days_in("/a/2020-03-05/VV.tif") == [date(2020, 3, 5)]
    assert days_in("/a/VV_2020.03.05.tif") == [date(2020, 3, 5)]
    assert days_in("/20200101/a/b/c/VV.tif") == []  # too far away
    assert days_in("/a/20200101_20200113_VV.tif") == []  # which of them?
    assert days_in("/a/x120200101.tif") == []  # in a longer number
    assert days_in("/a/20131231.tif") == []  # before Sentinel
    assert days_in("/a/20990101.tif") == []
    assert days_in("/a/2020-0101.tif") == []
    good = "S2A_MSIL2A_20180629T000241_N0206_R030_T56JMM_20180629T012042"
    assert days_in(f"/20200101/{good}.SAFE/B02.jp2") == [date(2018, 6, 29)]


def test_folders_of_the_public_buckets():
    found = list(
        facts_in_path(PurePosixPath("/sentinel-s2-l2a/tiles/45/R/TL/2020/1/9/0/R10m/B02.jp2"))
    )
    assert len(found) == 1
    assert (found[0][1].day, found[0][1].tile) == (date(2020, 1, 9), "45RTL")
    assert days_in("/tiles/45/R/TL/2020/13/9/0/B02.jp2") == []


# Tags and documents


def test_tags_go_before_the_name_and_the_evidence_says_so():
    tags = {
        "ORBIT_PASS_DIRECTION": "descending",
        "TRACK_NUMBER": "19",
        "ZERO_DOPPLER_START_TIME": "2023-11-01T00:12:34.567890Z",
        "PLATFORM": "Sentinel-1A",
        "PRODUCT_TYPE": "RTC-S1",
        "BURST_ID": "t019_147174_iw2",
        "TIFFTAG_DATETIME": "2023:12:24 00:00:00",
    }
    name = "OPERA_L2_RTC-S1_T069-147174-IW2_20231201T001234Z_20231202T061234Z_S1A_30_v1.0_VV.tif"
    found = acquisition_of(raster(f"/x/{name}", tags))
    assert found is not None
    assert (found.sensor, found.platform, found.product) == ("S1", "S1A", "RTC")
    assert (found.day, found.orbit_pass) == (date(2023, 11, 1), "desc")
    assert (found.relative_orbit, found.tile) == (19, "T019-147174-IW2")
    assert found.evidence.startswith("the file's tags; name OPERA_")
    assert "contradicts" in found.evidence
    assert "2023-12-01" in found.evidence


def test_a_files_own_date_is_not_the_acquisitions():
    assert acquisition_of(raster("/x/VV.tif", {"TIFFTAG_DATETIME": "2020:01:01 00:00:00"})) is None


def test_properties_of_earth_engine_snap_and_stac():
    engine = facts_in_properties(
        {
            "system:index": "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_D457",
            "system:time_start": 1591492080000,
            "orbitProperties_pass": "DESCENDING",
            "relativeOrbitNumber_start": 107,
        }
    )
    assert engine is not None
    assert (engine.platform, engine.time) == ("S1A", at(2020, 6, 7, 1, 8))
    assert (engine.orbit_pass, engine.relative_orbit, engine.product) == ("desc", 107, "GRD")
    snap = facts_in_properties(
        {
            "MISSION": "SENTINEL-1B",
            "PASS": "ASCENDING",
            "ABS_ORBIT": "21599",
            "first_line_time": "08-JUL-2020 18:26:43.249126",
            "PRODUCT_TYPE": "GRD",
        }
    )
    assert snap is not None
    assert (snap.platform, snap.orbit_pass, snap.relative_orbit) == ("S1B", "asc", 48)
    assert snap.time == at(2020, 7, 8, 18, 26, 43)
    item = facts_in_properties(
        {"platform": "sentinel-1a", "sat:orbit_state": "ascending", "sat:relative_orbit": 45}
    )
    assert item is not None
    assert (item.platform, item.orbit_pass, item.relative_orbit) == ("S1A", "asc", 45)
    assert facts_in_properties({"AREA_OR_POINT": "Area", "PASS": None, "PLATFORM": "1"}) is None


MANIFEST = """<?xml version="1.0" encoding="UTF-8"?>
<xfdu:XFDU xmlns:xfdu="urn:ccsds:schema:xfdu:1" xmlns:safe="http://www.esa.int/safe/sentinel-1.0"
  xmlns:s1="http://www.esa.int/safe/sentinel-1.0/sentinel-1"><metadataSection>
  <safe:platform><safe:familyName>SENTINEL-1</safe:familyName><safe:number>A</safe:number>
    <safe:instrument><safe:familyName>Synthetic Aperture Radar</safe:familyName></safe:instrument>
  </safe:platform>
  <safe:orbitReference><safe:orbitNumber type="start">32904</safe:orbitNumber>
    <safe:relativeOrbitNumber type="start">107</safe:relativeOrbitNumber>
    <s1:orbitProperties><s1:pass>DESCENDING</s1:pass></s1:orbitProperties></safe:orbitReference>
  <s1:productType>GRD</s1:productType>
  <safe:startTime>2020-06-07T01:08:00.249126</safe:startTime></metadataSection></xfdu:XFDU>"""
ANNOTATION = """<product><adsHeader><missionId>S1B</missionId><productType>GRD</productType>
  <startTime>2020-06-07T11:08:00.249126</startTime><absoluteOrbitNumber>21599</absoluteOrbitNumber>
  </adsHeader><generalAnnotation><productInformation><pass>Ascending</pass></productInformation>
  </generalAnnotation></product>"""
DIMAP = """<Dimap_Document name="x.dim"><Dataset_Sources><MDElem name="metadata">
  <MDElem name="Abstracted_Metadata"><MDATTR name="MISSION" type="ascii">SENTINEL-1A</MDATTR>
  <MDATTR name="PASS" type="ascii">ASCENDING</MDATTR><MDATTR name="REL_ORBIT">85</MDATTR>
  <MDATTR name="PRODUCT_TYPE">GRD</MDATTR>
  <MDATTR name="first_line_time" type="utc">08-JUL-2020 12:26:43.249126</MDATTR>
  </MDElem></MDElem></Dataset_Sources></Dimap_Document>"""


@pytest.mark.parametrize(
    ("document", "text", "image", "found"),
    [
        ("a.SAFE/manifest.safe", MANIFEST, "a.SAFE/measurement/iw-vv.tiff", ("S1A", "desc", 107)),
        (
            *("p/annotation/iw-vv.xml", ANNOTATION, "p/measurement/iw-vv.tiff"),
            ("S1B", "asc", 48),
        ),
        ("x.dim", DIMAP, "x.data/Gamma0_VV.img", ("S1A", "asc", 85)),
    ],
)
def test_documents_of_sentinel_1(tmp_path, document, text, image, found):
    for name, content in ((document, text), (image, "pixels")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    acquisition = acquisition_of(raster(tmp_path / image))
    assert acquisition is not None
    said = (acquisition.platform, acquisition.orbit_pass, acquisition.relative_orbit)
    assert said == found
    assert acquisition.product == "GRD"
    assert acquisition.evidence == Path(document).name


def test_a_stac_item_beside_a_radar_image(tmp_path):
    item = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": "S1A_IW_GRDH_1SDV_20200607T010800_20200607T010825_032904_03CFBA_rtc",
        "collection": "sentinel-1-rtc",
        "properties": {
            "datetime": "2020-06-07T01:08:12Z",
            "platform": "SENTINEL-1A",
            "sat:orbit_state": "descending",
            "sat:relative_orbit": 107,
        },
        "assets": {"vv": {"href": "https://example.com/iw-vv.rtc.tiff?sig=1"}},
    }
    (tmp_path / "item.json").write_text(json.dumps(item))
    found = acquisition_of(raster(tmp_path / "iw-vv.rtc.tiff"), "S1")
    assert found is not None
    assert (found.orbit_pass, found.relative_orbit, found.product) == ("desc", 107, "RTC")
    assert found.time == at(2020, 6, 7, 1, 8, 12)


def test_a_document_of_another_radar_product_does_not_count(tmp_path):
    (tmp_path / "manifest.safe").write_text(MANIFEST)
    name = "S1A_IW_GRDH_1SDV_20200903T131212_20200903T131237_034195_03F8F5_AC1C_VV.tif"
    found = acquisition_of(raster(tmp_path / name))
    assert found is not None
    assert (found.day, found.relative_orbit) == (date(2020, 9, 3), 173)


def test_the_reader_knows_the_sensor_of_a_nameless_file():
    folder = "/S2A_MSIL2A_20180629T000241_N0206_R030_T56JMM_20180629T012042"
    found = acquisition_of(raster(f"{folder}/VV_20180701.tif"), "S1")
    assert found is None  # the date of the folder is that of another sensor's image
    inside = acquisition_of(raster(f"{folder}/S1A_IW_20180701T001500_DVP_RTC10_VV.tif"))
    assert inside is not None
    assert "contradicts" not in inside.evidence
    plain = acquisition_of(raster("/x/VV_20180701.tif"), "S1")
    assert plain is not None
    assert (plain.sensor, plain.platform, plain.day) == ("S1", None, date(2018, 7, 1))
    assert (plain.time, plain.orbit_pass, plain.relative_orbit) == (None, None, None)
    assert plain.evidence == "the date in VV_20180701.tif"


def test_names_behind_an_address_count():
    address = "https://example.com/tiles/45/R/TL/2020/1/9/0/B02.jp2?X-Sign=20210101"
    found = acquisition_of(raster(Place(address)), "S2")
    assert found is not None
    assert (found.day, found.tile) == (date(2020, 1, 9), "45RTL")


# The pass by the sun


@pytest.mark.parametrize(
    ("time", "longitude", "latitude", "expected"),
    [
        (at(2020, 6, 7, 1, 8), 73.0, 31.0, "desc"),  # as Earth Engine's metadata says
        (at(2020, 9, 3, 13, 12), 73.0, 30.0, "asc"),
        (at(2020, 7, 8, 18, 26), -2.9, 7.0, "asc"),  # as its manifest says
        (at(2024, 1, 23, 8, 47), 142.8, -6.0, "asc"),
        (at(2020, 10, 2, 22, 16), 178.0, -39.0, None),  # Sentinel-2's half past ten
        (at(2020, 6, 7, 1, 8), 73.0, 78.0, None),  # too far north to tell
        (at(2020, 6, 7, 18, 0), 179.9, 0.0, "desc"),  # 6 o'clock of the next day
    ],
)
def test_sentinel_1_descends_at_dawn_and_ascends_at_dusk(time, longitude, latitude, expected):
    assert pass_by_sun(time, longitude, latitude) == expected


def test_the_sun_is_asked_where_nothing_else_says_the_pass():
    name = "S1A_IW_20200101T001500_DVP_RTC10_G_gpuned_ABCD_VV.tif"  # 6 o'clock at 87° E
    found = acquisition_of(raster(f"/x/{name}"))
    assert found is not None
    assert found.orbit_pass == "desc"
    assert "local solar time" in found.evidence


@pytest.mark.parametrize(
    ("said", "expected"),
    [("ASCENDING", "asc"), ("descending", "desc"), ("D", "desc"), ("both", None), (None, None)],
)
def test_words_for_a_pass(said, expected):
    assert pass_of(said) == expected


# Real files

real = pytest.mark.skipif(not SCENES.is_dir(), reason="the shared scenes are not there")


@real
@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ssl4eo*/s1/*/*D457/VV.tif", ("S1A", at(2020, 6, 7, 1, 8), "desc", 107, None, "GRD")),
        ("ssl4eo*/s1/*/*AC1C/VH.tif", ("S1A", at(2020, 9, 3, 13, 12, 12), "asc", 173, None, "GRD")),
        (
            "opera*/*/*_20240123T*",
            ("S1A", at(2024, 1, 23, 8, 47, 48), "asc", 9, "T009-019294-IW2", "RTC"),
        ),
        ("copernicus-fm/*", (None, at(2020, 10, 2, 22, 16, 11), None, None, "60HWB", None)),
    ],
)
def test_real_files(pattern, expected):
    found = acquisition_of(inspect(Place(str(next(SCENES.glob(pattern))))))
    assert found is not None
    said = (found.platform, found.time, found.orbit_pass, found.relative_orbit)
    assert (*said, found.tile, found.product) == expected


@real
def test_a_real_manifest_in_a_zip():
    archive = next(SCENES.glob("safe/S1A_IW_GRDH*.zip"))
    image = "measurement/s1a-iw-grd-vv-20200708t182643-20200708t182708-033367-03ddaa-001.tiff"
    found = acquisition_of(raster(Place(str(archive), f"{archive.stem}.SAFE/{image}")))
    assert found is not None
    assert (found.platform, found.orbit_pass, found.relative_orbit) == ("S1A", "asc", 45)
    assert found.time == at(2020, 7, 8, 18, 26, 43, 249126)
    assert found.evidence.endswith(".STAC.json")  # which the zip holds beside its manifest


@real
def test_a_real_product_of_the_public_bucket():
    image = next(SCENES.glob("s1-grd-gcps/**/iw-vv.tiff"))
    found = acquisition_of(raster(image))
    assert found is not None
    assert (found.platform, found.time) == ("S1A", at(2018, 7, 16, 0, 40, 42))
    assert (found.relative_orbit, found.product) == (165, "GRD")
    assert "productInfo.json" in found.evidence


# Dates together


def taken_on(day: str, orbit_pass: str | None = None, orbit: int | None = None) -> Acquisition:
    sensor = "S1" if orbit_pass else "S2"
    return Acquisition(
        sensor=sensor,
        platform=f"{sensor}A",
        time=None,
        day=date.fromisoformat(day),
        orbit_pass=orbit_pass,
        relative_orbit=orbit,
        tile=None,
        product=None,
        evidence="its name",
    )


GOOD = {
    "s2": (taken_on("2020-08-13"),),
    "desc_pre": (taken_on("2020-07-01", "desc", 107),),
    "desc_post": (taken_on("2020-08-06", "desc", 107),),
    "asc_pre": (taken_on("2020-07-05", "asc", 173),),
    "asc_post": (taken_on("2020-08-10", "asc", 173),),
}
EVENT = date(2020, 8, 1)


def test_a_good_scene_gets_no_warning():
    assert check_dates(GOOD, EVENT) == ()
    assert check_dates(GOOD) == ()
    assert check_dates({}, EVENT) == ()
    assert check_dates({"s2": (), "desc_pre": ()}) == ()


@pytest.mark.parametrize(
    ("role", "found", "expected"),
    [
        ("desc_pre", (taken_on("2020-08-30", "desc", 107),), ["exchanged", "after the event"]),
        ("desc_pre", (taken_on("2020-08-06", "desc", 107),), ["exchanged", "after the event"]),
        (
            "desc_pre",
            (taken_on("2020-07-01", "desc", 34),),
            ["relative orbit 34 and that from after of 107"],
        ),
        ("desc_post", (taken_on("2020-08-06", "asc", 107),), ["taken on the ascending pass"]),
        ("asc_post", (taken_on("2020-07-20", "asc", 173),), ["before the event (2020-08-01)"]),
        ("s2", (taken_on("2020-07-31"),), ["before the event (2020-08-01)"]),
        ("desc_pre", (taken_on("2020-06-06", "desc", 107),), ["61 days apart"]),
        ("s2", (taken_on("2020-10-10"),), ["(2020-08-06) are 65 days", "(2020-08-10) are 61 days"]),
        (
            "desc_post",
            (taken_on("2020-08-06", "desc", 107), taken_on("2020-08-18", "desc", 107)),
            ["several dates (2020-08-06, 2020-08-18)"],
        ),
        (
            "desc_post",
            (taken_on("2020-08-06", "desc", 107), taken_on("2020-08-06", "desc", 34)),
            ["of relative orbits 34, 107", "orbit 107 and that from after of 34 and 107"],
        ),
    ],
)
def test_what_does_not_fit_is_said(role, found, expected):
    warnings = check_dates({**GOOD, role: found}, EVENT)
    assert len(warnings) == len(expected), warnings
    for warning, part in zip(warnings, expected, strict=True):
        assert part in warning
        assert warning.endswith(".")
        assert not re.search(r"\bs2\b|_pre\b|_post\b", warning)  # roles in words


def test_the_events_own_day_fits_before_and_after():
    same = {role: (replace(found[0], day=EVENT),) for role, found in GOOD.items() if "post" in role}
    assert check_dates({**GOOD, **same}, EVENT) == ()
    assert check_dates({**GOOD, "desc_pre": (taken_on("2020-08-01", "desc", 107),)}, EVENT) == ()


def test_optical_images_of_two_tracks_are_a_mosaic():
    both = (taken_on("2020-08-13"), replace(taken_on("2020-08-13"), relative_orbit=5))
    assert check_dates({**GOOD, "s2": (*both, replace(both[0], relative_orbit=48))}) == ()


def test_sixty_days_are_near_enough():
    assert check_dates({**GOOD, "desc_pre": (taken_on("2020-06-07", "desc", 107),)}) == ()


def test_a_pass_across_midnight_is_one_date():
    slices = (
        replace(taken_on("2020-08-06", "desc", 107), time=at(2020, 8, 6, 23, 59, 50)),
        replace(taken_on("2020-08-07", "desc", 107), time=at(2020, 8, 7, 0, 0, 15)),
    )
    assert check_dates({**GOOD, "desc_post": slices}) == ()
    apart = (slices[0], replace(slices[1], time=at(2020, 8, 7, 11, 0)))
    assert "several dates" in check_dates({**GOOD, "desc_post": apart})[0]


def test_unknown_passes_and_orbits_are_no_contradiction():
    unknown = {
        role: (replace(found[0], orbit_pass=None, relative_orbit=None),)
        for role, found in GOOD.items()
    }
    assert check_dates(unknown, EVENT) == ()


def test_acquisitions_are_told_in_words():
    image = replace(taken_on("2020-06-07", "desc", 107), time=at(2020, 6, 7, 1, 8), product="GRD")
    assert words(image) == "2020-06-07 01:08 UTC, S1A GRD, descending, relative orbit 107"
    assert words(replace(image, time=None, platform=None, product=None, relative_orbit=None)) == (
        "2020-06-07, descending"
    )
    decisions = taken({"desc_pre": (image, image)})  # VV and VH
    assert len(decisions) == 1
    assert (decisions[0].role, decisions[0].subject) == ("desc_pre", "acquisition")
    assert (decisions[0].found, decisions[0].decided) == ("its name", words(image))


def test_gamma_nought_before_and_sigma_nought_after_is_said():
    def taken_as(product, day):
        return Acquisition("S1", "S1A", None, date(2020, 6, day), "desc", 107, None, product, "x")

    warnings = check_dates({"desc_pre": [taken_as("RTC", 7)], "desc_post": [taken_as("GRD", 19)]})
    assert any("RTC product and that from after a GRD one" in warning for warning in warnings)
    alike = check_dates({"desc_pre": [taken_as("GRD", 7)], "desc_post": [taken_as("GRD", 19)]})
    assert not alike
