"""Searching by place and date: against a real STAC API, and against ones that misbehave."""

import io
import json
import time
import zipfile
from dataclasses import replace
from datetime import date

import geopandas
import pytest
import shapely
from stac_server import canned_api, item, landing_page, outline_in_degrees, stac_api
from typer.testing import CliRunner

from landslide_core import cli_search
from landslide_core.catalogue import search as catalogue
from landslide_core.catalogue import service
from landslide_core.catalogue.area import Area, area_of, continuous
from landslide_core.catalogue.granules import granule_of, offset_of
from landslide_core.catalogue.search import CATALOGUES, Wish, catalogue_of, search
from landslide_core.errors import CatalogueError, SceneError, SceneTooSmall

EVENT = date(2024, 4, 3)
WHOLE = (600_000, 5_590_000, 610_000, 5_600_000)  # left, bottom, right, top in UTM zone 32
BOUNDS = (602_000, 5_594_000, 606_000, 5_598_000)
WEST, EAST = (600_000, 5_590_000, 604_000, 5_600_000), (603_000, 5_590_000, 610_000, 5_600_000)
AREA = Area(shapely.box(*outline_in_degrees((602_300, 5_594_300, 605_700, 5_597_700)).bounds))
OPTICAL = {
    key: (f"https://example.org/{key}.tif", {}) for key in ("B02", "B03", "B04", "B08", "SCL")
}
RADAR = {key: (f"https://example.org/{key}.tif", {}) for key in ("vv", "vh")}


def s2(name, day, cloud, bounds=WHOLE, **properties):
    said = {"eo:cloud_cover": cloud, "platform": "Sentinel-2A", **properties}
    time = f"2024-{day}T10:20:31Z"
    return item(name, "sentinel-2-l2a", time, outline_in_degrees(bounds), OPTICAL, **said)


def s1(name, day, state, orbit, bounds=WHOLE, **properties):
    said = {"sat:orbit_state": state, "sat:relative_orbit": orbit, **properties}
    time = f"2024-{day}T05:40:00Z"
    return item(name, "sentinel-1-rtc", time, outline_in_degrees(bounds), RADAR, **said)


ITEMS = [
    s2("before", "04-02", 0.0),
    s2("same-day", "04-03", 0.0),
    s2("cloudy", "04-05", 80.0),
    s2("clear", "04-10", 4.0),
    s2("west-old", "04-13", 10.0, WEST, **{"s2:mgrs_tile": "32UNA", "processing:version": "04.00"}),
    s2("west", "04-13", 10.0, WEST, **{"s2:mgrs_tile": "32UNA", "processing:version": "05.10"}),
    s2("east", "04-13", 30.0, EAST, **{"s2:mgrs_tile": "32UPA", "processing:version": "05.10"}),
    s2("elsewhere", "04-10", 0.0, (650_000, 5_590_000, 660_000, 5_600_000)),
    s2("late", "05-20", 0.0),
    s1("asc-15-early", "03-08", "ascending", 15),
    s1("asc-15-pre", "03-20", "ascending", 15),
    s1("asc-15-pre-west", "04-01", "ascending", 15, WEST),
    s1("asc-15-post", "04-13", "ascending", 15),
    s1("asc-88-post", "04-05", "ascending", 88),
    s1("desc-66-post", "04-04", "descending", 66),
    s1("desc-95-pre", "04-02", "descending", 95),
    s1("desc-168-pre", "03-28", "descending", 168),
    s1("desc-168-post", "04-09", "descending", 168),
    s1("desc-168-later", "04-21", "descending", 168),
]  # fmt: skip


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch):
    monkeypatch.setenv("LANDSLIDE_PRIVATE_ADDRESSES", "1")


@pytest.fixture(scope="module")
def api(tmp_path_factory):
    with stac_api(ITEMS, tmp_path_factory.mktemp("api")) as address:
        yield address


@pytest.fixture(scope="module")
def found(api):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDSLIDE_PRIVATE_ADDRESSES", "1")
        return search(Wish(AREA, EVENT), catalogue_of(api))


def test_the_clearest_optical_image_after_the_event_comes_first(found):
    # clear: 96 % of the area is seen; the two tiles of the 13th are 10 and 30 % cloudy
    assert [a.id for a in found.optical] == ["clear", "east, west"]
    best = found.optical[0]
    assert (best.platform, best.cloud, best.coverage) == ("sentinel-2a", 4.0, pytest.approx(1))
    assert best.time.isoformat() == "2024-04-10T10:20:31+00:00"


def test_tiles_of_one_overflight_together_cover_the_area(found):
    mosaic = found.optical[1]
    assert mosaic.coverage == pytest.approx(1, abs=1e-6)
    # In metres the area is cut at 603,000 and 604,000; east covers about 79 %, west about 50 %.
    shares = [AREA.covered(granule.footprint) for granule in mosaic.granules]
    assert shares == pytest.approx([0.79, 0.5], abs=0.02)
    assert mosaic.cloud == pytest.approx((shares[0] * 30 + shares[1] * 10) / sum(shares))


def test_of_a_tile_processed_twice_the_newer_one_is_taken(found):
    assert "west-old" not in [g.id for a in found.optical for g in a.granules]


def ranked(tmp_path, *items):
    with stac_api(list(items), tmp_path) as address:
        return search(Wish(AREA, EVENT), catalogue_of(address))


def test_halves_of_a_tile_in_two_datastrips_are_both_taken(tmp_path):
    tile = {"s2:mgrs_tile": "32UNA"}
    old = {**tile, "processing:version": "04.00"}
    new = {**tile, "processing:version": "05.10"}
    halves = s2("a-west", "04-13", 5.0, WEST, **new), s2("b-east", "04-13", 5.0, EAST, **new)
    found = ranked(tmp_path, *halves, s2("c-east", "04-13", 5.0, EAST, **old))
    assert sorted(g.id for g in found.optical[0].granules) == ["a-west", "b-east"]
    assert found.optical[0].coverage == pytest.approx(1, abs=1e-6)


def test_an_image_of_unknown_cloud_comes_after_those_of_known_cloud(tmp_path):
    unknown = s2("unknown", "04-06", None)
    found = ranked(tmp_path, unknown, s2("cloudier", "04-13", 50.0), s2("clear", "04-20", 5.0))
    assert [a.id for a in found.optical] == ["clear", "cloudier", "unknown"]
    assert found.optical[2].record()["cloud"] is None


def test_cloud_that_one_tile_does_not_tell_is_not_taken_for_the_others(tmp_path):
    west, east = {"s2:mgrs_tile": "32UNA"}, {"s2:mgrs_tile": "32UPA"}
    found = ranked(
        tmp_path, s2("w", "04-13", 0.0, WEST, **west), s2("e", "04-13", None, EAST, **east)
    )
    assert found.optical[0].cloud is None


def test_warnings_are_of_the_candidate_that_is_chosen(tmp_path):
    found = ranked(tmp_path, s2("whole", "04-10", 0.0), s2("part", "04-13", 0.0, WEST))
    assert not any(w.startswith("s2:") for w in found.choice().warnings)
    chosen = found.choice(optical=2).warnings
    assert any(w.startswith("s2: 2024-04-13 covers 5") for w in chosen)
    assert not any(w.startswith("s2:") for w in found.choice(optical=0).warnings)


def test_radar_pairs_are_of_one_relative_orbit_and_nearest_the_event(found):
    assert [(p.pre and p.pre.id, p.post.id) for p in found.radar["desc"]] == [
        ("desc-168-pre", "desc-168-post"),
        ("desc-168-pre", "desc-168-later"),
        (None, "desc-66-post"),
    ]
    assert {p.post.relative_orbit for p in found.radar["desc"][:2]} == {168}


def test_a_nearer_image_that_covers_half_the_area_is_not_taken(found):
    first = found.radar["asc"][0]
    assert (first.pre.id, first.post.id) == ("asc-15-pre", "asc-15-post")
    assert first.coverage == pytest.approx(1)


def test_what_is_left_out_is_said(found):
    assert [w for w in found.warnings if "2024-04-03 itself" in w] == [
        "1 Sentinel-2 images of 2024-04-03 itself are left out: whether they show the ground "
        "before or after the event isn't known."
    ]


def test_another_candidate_can_be_chosen(found):
    choice = found.choice(optical=2, desc=2, asc=0)
    assert choice.optical.id == "east, west"
    assert {role: a.id for role, a in choice.radar.items()} == {
        "desc_pre": "desc-168-pre",
        "desc_post": "desc-168-later",
    }
    with pytest.raises(CatalogueError, match="number 9: 2 were found"):
        found.choice(optical=9)


def test_pages_are_followed(api, found, monkeypatch):
    monkeypatch.setattr(catalogue, "_PAGE", 2)
    again = search(Wish(AREA, EVENT), catalogue_of(api))
    assert [a.id for a in again.optical] == [a.id for a in found.optical]
    assert [p.post.id for p in again.radar["desc"]] == [p.post.id for p in found.radar["desc"]]


def test_too_cloudy_images_are_named_and_radar_is_still_found(api):
    found = search(Wish(AREA, EVENT, days_after=4), catalogue_of(api))
    assert found.optical == ()
    assert found.choice().optical is None
    assert any("more than 60 % of cloud, the clearest 80 %" in w for w in found.warnings)


def test_a_pass_without_radar_is_a_warning(api):
    found = search(Wish(AREA, EVENT, days_after=1), catalogue_of(api))
    assert "No ascending Sentinel-1 image was found after 2024-04-03." in found.warnings
    assert any("No descending Sentinel-1 image from before" in w for w in found.warnings)


def test_nothing_at_all_is_one_clear_line(api):
    wish = Wish(area_of("20,10,20.1,10.1"), EVENT)
    with pytest.raises(CatalogueError, match="holds no usable Sentinel image of the area"):
        search(wish, catalogue_of(api))


def test_partial_coverage_is_measured_and_said(api):
    half = Area(shapely.box(*outline_in_degrees((607_000, 5_594_000, 613_000, 5_598_000)).bounds))
    found = search(Wish(half, EVENT), catalogue_of(api))
    assert found.optical[0].coverage == pytest.approx(0.5, abs=0.02)
    assert any(w.startswith("s2: 2024-04-10 covers 5") for w in found.warnings)


def test_earth_search_offers_no_radar_and_says_why(api):
    preset = replace(CATALOGUES["earth-search"], address=api)
    found = search(Wish(AREA, EVENT), preset)
    assert found.optical
    assert found.radar == {"desc": (), "asc": ()}
    assert any("without calibration and terrain correction" in w for w in found.warnings)
    assert not any("No ascending" in w for w in found.warnings)


def test_uncalibrated_radar_is_refused_by_its_collection():
    with pytest.raises(CatalogueError, match="sentinel-1-grd holds radar without calibration"):
        catalogue_of("https://example.org", radar=["sentinel-1-grd"])


def test_items_that_are_not_fit_are_left_out_and_named(tmp_path):
    nameless = s2("nameless", "04-06", 0.0)
    nameless["assets"] = {"visual": nameless["assets"]["B02"]}
    scaled = s2("scaled", "04-06", 0.0)
    scaled["assets"]["B02"]["raster:bands"] = [{"scale": 0.5}]
    with stac_api([nameless, scaled, s2("good", "04-08", 0.0)], tmp_path) as address:
        found = search(Wish(AREA, EVENT), catalogue_of(address))
    assert [a.id for a in found.optical] == ["good"]
    assert any(w.startswith("2 items are not usable and left out") for w in found.warnings)


def test_an_area_across_the_antimeridian_is_searched_on_both_sides(tmp_path):
    halves = shapely.box(179.5, -18, 180, -16), shapely.box(-180, -18, -179.5, -16)
    split, east = s2("split", "04-10", 9.0), s2("east", "04-12", 0.0)
    split["geometry"] = shapely.geometry.mapping(shapely.MultiPolygon(halves))
    east["geometry"] = shapely.geometry.mapping(halves[1])
    for record in (split, east):
        record["bbox"] = [-180, -18, 180, -16]
    wish = Wish(area_of("179.9,-17.1,-179.9,-16.9"), EVENT)
    with stac_api([split, east], tmp_path) as address:
        found = search(wish, catalogue_of(address))
    assert {a.id: round(a.coverage, 2) for a in found.optical} == {"split": 1.0, "east": 0.5}
    assert found.optical[0].id == "split"  # 91 % seen against 50 %


def test_a_footprint_written_round_the_earth_is_understood():
    naive = shapely.Polygon([(179, -18), (-179, -18), (-179, -16), (179, -16)])
    assert continuous(naive).bounds == (179, -18, 181, -16)
    area = area_of("179.9,-17.1,-179.9,-16.9")
    assert area.covered(naive) == pytest.approx(1)
    assert area.covered(shapely.box(0, -18, 10, -16)) == 0
    # 0.2° of latitude are 22.13 km, of longitude at 17° south 21.30 km; 3° from the zone's middle
    # north is turned by 3° × sin 17° = 0.88°, by which the box around it grows
    assert tuple(area.window("EPSG:32760").shape) == pytest.approx((2246, 2164), abs=8)
    assert {round(x) for part in area.geojson()["coordinates"] for x, _ in part[0]} == {180, -180}


@pytest.mark.parametrize("suffix", ["geojson", "gpkg", "kml"])
def test_an_area_is_read_from_a_file_in_any_crs(tmp_path, suffix):
    path = tmp_path / f"area.{suffix}"
    table = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.box(*BOUNDS)], crs=32632)
    crs = "EPSG:32632" if suffix == "gpkg" else "EPSG:4326"
    table.to_crs(crs).to_file(path, driver={"gpkg": "GPKG", "kml": "KML"}.get(suffix, "GeoJSON"))
    box = area_of(str(path)).window("EPSG:32632").boundingbox
    assert tuple(box) == pytest.approx(BOUNDS, abs=10.1)


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("nowhere.geojson", SceneError, "neither a file nor four numbers"),
        ("1,2,3", SceneError, "neither a file nor four numbers"),
        ("10,50,12,52", SceneError, "at most 110×110 km"),
        ("10,50,10.001,50.001", SceneTooSmall, "at least 64×64"),
        ("10,50,10,51", SceneTooSmall, "no polygon"),
        ("50,100,50.1,100.1", SceneError, "longitude first"),
        ("49,50,11,51", SceneError, "at most 110×110 km"),
    ],
)
def test_areas_that_do_not_serve_are_one_clear_line(text, error, match):
    with pytest.raises(error, match=match):
        area_of(text)


@pytest.mark.parametrize("content", [b"", b"{", b'{"type": "Point"}', b"<OGRVRTDataSource/>"])
def test_files_that_hold_no_area_are_refused(tmp_path, content):
    path = tmp_path / "area.geojson"
    path.write_bytes(content)
    with pytest.raises(SceneError):
        area_of(str(path))


WFS = b"<OGRWFSDataSource><URL>AT/wfs?SERVICE=WFS</URL></OGRWFSDataSource>"
WARP = b"<OGRVRTDataSource><OGRVRTLayer name='a'><SrcDataSource>/vsicurl/AT/a.json"
IN_JSON = b'{"type": "FeatureCollection", "features": [], "name": "%s"}'
GEOMETRY = b'"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]'


@pytest.mark.parametrize("name", ["area.geojson", "area.gpkg", "area.kml", "area.gml", "area.zip"])
@pytest.mark.parametrize(
    "content",
    [
        WFS,
        b"\xef\xbb\xbf \n" + WFS,
        b"<?xml version='1.0'?><!-- <kml> -->" + WFS,
        b"<kml><!-- %s --></kml>" % WFS,
        IN_JSON % WFS,
        IN_JSON % (WARP + b"</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>"),
        b"<OGRCSWDataSource><URL>AT/csw</URL></OGRCSWDataSource>",
        b'{"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read AT/a.json"}',
        b'{"links": [{"rel": "data", "href": "AT/collections"}], "conformsTo": []}',
        b'{"type": "FeatureCollection", "features": [], "links": [{"rel": "next", "href": "AT"}]}',
        b'{%s, "crs": {"type": "link", "properties": {"href": "AT", "name": "AT"}}}' % GEOMETRY,
        b'<!DOCTYPE kml SYSTEM "AT/a.dtd"><kml/>',
        b"<kml><NetworkLink><Link><href>AT/a.kml</href></Link></NetworkLink></kml>",
    ],
)
def test_a_file_of_an_area_has_no_address_asked(tmp_path, monkeypatch, name, content):
    asked = []

    def answer(path, address):
        asked.append(path)
        return 404, "text/plain", b""

    path = tmp_path / name
    with canned_api(answer) as address:
        path.write_bytes(content.replace(b"AT", address.encode()))
        with pytest.raises(SceneError) as caught:
            area_of(str(path))
    assert asked == []
    assert len(str(caught.value).splitlines()) == 1


def zipped(**members):
    """An archive of members; "__" in a name stands for its dot."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return made.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE kml [<!ENTITY a "1,1 "><!ENTITY b "&a;&a;">]><kml>&b;</kml>',
        b'{"type": "GeometryCollection", "geometries": ' + b"[" * 100_000,
        b'{"type": "FeatureCollection", "features": [7]}',
        b'{"type": "Polygon", "coordinates": [[[0, "x"], [1, 0]]]}',
        b"<kml><Polygon><outerBoundaryIs/></Polygon></kml>",
        b"<kml>",
        b"<gml/>",
        b"PK\x03\x04 no archive",
        b"SQLite format 3\0" + bytes(52) + b"GPKG" + bytes(100),
        b"SQLite format 3\0" + bytes(200),
        b"\x00\x00\x27\x0a" + bytes(200),
        zipped(doc__kml=b"<kml>" + b" " * 40_000_000),
        zipped(area__shp=WFS, area__dbf=b""),
        zipped(area__json=b"{}"),
        zipped(a__kml=b"<kml/>", b__kml=b"<kml/>"),
        b" " * 40_000_000,
    ],
)
def test_files_made_to_break_readers_are_one_clear_line(tmp_path, content):
    path = tmp_path / "area.shp"
    path.write_bytes(content)
    with pytest.raises(SceneError, match="cannot be read as an area") as caught:
        area_of(str(path))
    assert len(str(caught.value).splitlines()) == 1


def test_an_area_is_read_from_geojson_in_the_old_way_to_name_a_crs(tmp_path):
    path = tmp_path / "area.json"
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32632"}}
    shape = shapely.geometry.mapping(shapely.box(*BOUNDS))
    path.write_text("\ufeff \n" + json.dumps({**shape, "crs": named}), encoding="utf-8")
    box = area_of(str(path)).window("EPSG:32632").boundingbox
    assert tuple(box) == pytest.approx(BOUNDS, abs=10.1)


@pytest.mark.parametrize("kind", ["shp", "zip", "kmz"])
def test_an_area_is_read_from_a_shapefile_and_from_archives(tmp_path, kind):
    table = geopandas.GeoDataFrame({"name": ["a"]}, geometry=[shapely.box(*BOUNDS)], crs=32632)
    path = tmp_path / f"my!area.{kind}"
    if kind == "shp":
        table.to_file(tmp_path / "a.shp", driver="ESRI Shapefile")
        for part in sorted(tmp_path.glob("a.*")):
            part.rename(tmp_path / f"my!area{part.suffix}")
    else:
        inner = tmp_path / ("a.kml" if kind == "kmz" else "a.shp")
        wanted = table.to_crs(4326) if kind == "kmz" else table
        wanted.to_file(inner, driver="KML" if kind == "kmz" else "ESRI Shapefile")
        with zipfile.ZipFile(path, "w") as archive:
            for member in sorted(tmp_path.glob("a.*")):
                archive.write(member, f"folder/{member.name}")
    box = area_of(str(path)).window("EPSG:32632").boundingbox
    assert tuple(box) == pytest.approx(BOUNDS, abs=10.1)


def test_a_hole_of_a_kml_polygon_stays_one(tmp_path):
    ring = "<{0}><LinearRing><coordinates>{1}</coordinates></LinearRing></{0}>"
    outer = ring.format("outerBoundaryIs", "9,50,0 9.4,50,0\n9.4,50.4,0 9,50.4,0 9,50,0")
    inner = ring.format("innerBoundaryIs", "9.1,50.1 9.3,50.1 9.3,50.3 9.1,50.3 9.1,50.1")
    path = tmp_path / "area.kml"
    path.write_text(f"<kml><Document><Polygon>{outer}{inner}</Polygon></Document></kml>")
    assert area_of(str(path)).shape.area == pytest.approx(0.4**2 - 0.2**2)


@pytest.mark.parametrize("name", ["a" * 300, "x/" + "a" * 5000, "a\0b"])
def test_a_name_that_cannot_be_a_file_is_one_clear_line(name):
    with pytest.raises(SceneError, match="neither a file nor four numbers"):
        area_of(name)


@pytest.mark.parametrize(
    ("said", "asset", "baseline", "offset"),
    [
        ({}, {}, 0.0, None),
        ({}, {}, 5.1, -1000.0),
        ({}, {}, 3.01, 0.0),
        ({}, {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]}, 5.1, -1000.0),
        ({}, {"raster:bands": [{"scale": 0.0001, "offset": 0}]}, 5.1, 0.0),
        ({}, {"raster:scale": 0.0001, "raster:offset": -0.1}, 0.0, -1000.0),
        ({}, {"bands": [{"raster:scale": 0.0001, "raster:offset": -0.2}]}, 0.0, -2000.0),
        (
            {"earthsearch:boa_offset_applied": True},
            {"raster:bands": [{"scale": 0.0001, "offset": -0.1}]},
            5.1,
            0.0,
        ),
        ({"earthsearch:boa_offset_applied": False}, {}, 5.1, -1000.0),
    ],
)
def test_the_offset_is_the_one_the_item_states(said, asset, baseline, offset):
    assert offset_of(said, asset, baseline) == offset


def test_what_an_item_says_in_other_words_is_understood():
    record = s2("S2A_T32UNA_X", "04-08", 5.0, **{
        "s2:product_uri": "S2A_MSIL2A_20240408T102021_N0510_R065_T32UNA_20240408T140000.SAFE",
        "proj:code": "EPSG:32632",
    })  # fmt: skip
    record["assets"] = {
        key: {"href": f"https://example.org/{key}.tif"}
        for key in ("blue", "green", "red", "nir", "nir08", "blue-jp2", "scl")
    }
    found = granule_of(record, optical=True)
    assert (found.tile, found.relative_orbit, found.baseline) == ("32UNA", 65, 5.1)
    assert found.crs == "EPSG:32632"
    assert {band: asset.key for band, asset in found.assets.items()} == {
        "B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "SCL": "scl",
    }  # fmt: skip
    assert found.assets["B04"].offset == -1000


def ask(address):
    """What a search at an address ends in, and the seconds it takes."""
    began = time.monotonic()
    with pytest.raises(SceneError) as caught:
        search(Wish(AREA, EVENT), catalogue_of(address))
    return str(caught.value), time.monotonic() - began


def looping(path, address):
    """A page that names itself as the next one."""
    if path == "/":
        return 200, "application/json", json.dumps(landing_page(address)).encode()
    link = {"rel": "next", "href": f"{address}/search", "method": "POST", "body": {}}
    page = {"type": "FeatureCollection", "features": [ITEMS[3]], "links": [link]}
    return 200, "application/geo+json", json.dumps(page).encode()


def without_items(body):
    """A landing page, and something else than items for a search."""
    return lambda path, address: (
        (200, "application/json", json.dumps(landing_page(address)).encode())
        if path == "/"
        else (200, "application/json", body)
    )


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (lambda *_: (500, "text/plain", b"oops"), "500"),
        (lambda *_: (403, "text/plain", b"no"), "403"),
        (lambda *_: (200, "text/html", b"<html>"), "something else than STAC items"),
        (lambda *_: (200, "application/json", b'{"type": "Catalog"'), "something else"),
        (lambda *_: (200, "application/json", b"[" * 100_000), "something else"),
        (lambda *_: (200, "application/json", b'{"a": 1}'), "something else"),
        (looping, "page after page"),
        (without_items(b'{"features": 7}'), "something else"),
        (without_items(b'{"features": [1]}'), "something else"),
        (without_items(b"nonsense"), "something else"),
        (lambda _, address: (302, "text/plain", address.encode()), "does not answer"),
    ],
)
def test_servers_that_misbehave_are_one_clear_line(answer, match):
    with canned_api(answer) as address:
        said, seconds = ask(address)
    assert match in said
    assert "\n" not in said
    assert seconds < 5


def test_a_dead_server_is_one_clear_line():
    with canned_api(looping) as address:
        pass  # gone again
    said, seconds = ask(address)
    assert "does not answer (no connection)" in said
    assert seconds < 5


def test_a_server_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(service, "TIMEOUT", (0.2, 0.2))

    def slow(path, address):
        time.sleep(1)
        return 200, "application/json", b"{}"

    with canned_api(slow) as address:
        said, seconds = ask(address)
    assert "no answer in time" in said
    assert seconds < 5


def test_an_endless_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(service, "MOST", 100_000)
    with canned_api(lambda *_: (200, "application/json", b" " * 1_000_000)) as address:
        assert "MB in one answer" in ask(address)[0]


def test_the_own_network_is_not_asked_unless_that_is_allowed(monkeypatch):
    monkeypatch.delenv("LANDSLIDE_PRIVATE_ADDRESSES")
    asked = []

    def answer(path, address):
        asked.append(path)
        return looping(path, address)

    with canned_api(answer) as address:
        assert "LANDSLIDE_PRIVATE_ADDRESSES=1" in ask(address)[0]
    assert asked == []


def test_redirects_into_the_own_network_are_not_followed(monkeypatch):
    monkeypatch.delenv("LANDSLIDE_PRIVATE_ADDRESSES")
    monkeypatch.setattr(service, "is_public", lambda number: number != "127.0.0.2")

    def answer(path, address):
        inside = address.replace("127.0.0.1", "127.0.0.2")
        return 302, "text/plain", f"{inside}/?token=secret".encode()

    with canned_api(answer) as address:
        said, _ = ask(address)
    assert "leads into this machine" in said
    assert "secret" not in said


@pytest.mark.parametrize("address", ["file:///etc/passwd", "/etc/passwd", "nonsense", ""])
def test_what_is_no_address_is_refused(address):
    assert len(ask(address)[0].splitlines()) == 1


def test_a_catalogue_that_is_not_known_is_answered_with_the_known_ones():
    said, _ = ask("nonsense")
    assert "planetary-computer" in said
    assert "earth-search" in said


def test_a_year_without_sentinels_is_refused():
    with pytest.raises(CatalogueError, match="Check the year"):
        Wish(AREA, date(204, 4, 3))


def run_search(api, *more):
    text = ",".join(f"{number:.6f}" for number in AREA.shape.bounds)
    given = ["--area", text, "--event", "2024-04-03", "--catalogue", api, *more]
    return CliRunner().invoke(cli_search.app, ["search", *given])


def test_the_command_prints_candidates_and_marks_the_choice(api):
    lines = run_search(api, "--optical", "2").stdout.splitlines()
    assert any(li.startswith("  optical 1") and "cloud 4 % covers 100%" in li for li in lines)
    assert any(li.startswith("* optical 2") and "2024-04-13 10:20" in li for li in lines)
    assert any(li.startswith("* descending 1") and li.count("orbit 168") == 2 for li in lines)


def test_the_command_warns_of_what_is_chosen(tmp_path):
    items = s2("whole", "04-10", 0.0), s2("part", "04-13", 0.0, WEST)
    with stac_api(list(items), tmp_path) as address:
        said = json.loads(run_search(address, "--optical", "2", "--json").stdout)
    assert any(w.startswith("s2: 2024-04-13 covers 5") for w in said["warnings"])


def test_the_command_prints_json(api):
    said = json.loads(run_search(api, "--json").stdout)
    assert said["choice"] == {
        "optical": ["clear"],
        "desc_pre": ["desc-168-pre"],
        "desc_post": ["desc-168-post"],
        "asc_pre": ["asc-15-pre"],
        "asc_post": ["asc-15-post"],
    }
    assert said["optical"][0]["bands"]["B08"] == "B08"
    assert said["optical"][0]["footprint"]["type"] == "Polygon"
