"""Loading what was found: values by hand, ranges, signatures, interruptions, hostile catalogues."""

import json
from collections import namedtuple
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import planetary_computer
import pytest
import rasterio
import shapely
from planetary_computer.sas import TOKEN_CACHE
from planetary_computer.settings import Settings
from pyproj import Transformer
from stac_server import (
    Files,
    canned_api,
    item,
    outline_in_degrees,
    ramp,
    running,
    stac_api,
    write_band,
)
from typer.testing import CliRunner

from landslide_core import cli_search
from landslide_core.catalogue import fetch as fetching
from landslide_core.catalogue import mosaic
from landslide_core.catalogue.area import Area, area_of
from landslide_core.catalogue.fetch import fetch
from landslide_core.catalogue.search import CATALOGUES, Wish, catalogue_of, search
from landslide_core.errors import CatalogueError, LandslideError, NoSpace, RunBusy, SceneError
from landslide_core.grid import Window
from landslide_core.readers.inputs import open_scene

EVENT = date(2024, 4, 3)
BANDS = ("B02", "B03", "B04", "B08")
WEST, EAST = (600_000, 5_600_000), (609_000, 5_600_000)  # upper left corners, 1,024 pixels each
SIDE = 1024
HOLE = (slice(500, 520), slice(820, 840))  # no data in the western tile, not under the eastern
# 3.2×2 km: 70 % of it is in the western tile, which ends at 610,240, and 69 % in the eastern one.
WINDOW = (608_000, 5_593_000, 611_200, 5_595_000)
SECRET = "c2VjcmV0"


def area(bounds=WINDOW, crs="EPSG:32632"):
    """An area whose window in the CRS is these bounds, but for a pixel."""
    left, bottom, right, top = bounds
    return Area(outline_in_degrees((left + 1, bottom + 1, right - 1, top - 1), crs))


def box_of(origin, side=SIDE, pixel=10):
    return (origin[0], origin[1] - side * pixel, origin[0] + side * pixel, origin[1])


def optical(files, name, day, cloud, origin, folder=None, **properties):
    assets = {b: (f"{files}/{folder or name}-{b}.tif", {}) for b in (*BANDS, "SCL")}
    said = {"eo:cloud_cover": cloud, "proj:epsg": 32632, "platform": "sentinel-2a", **properties}
    time = f"2024-{day}T10:20:31Z"
    return item(name, "sentinel-2-l2a", time, outline_in_degrees(box_of(origin)), assets, **said)


def radar(files, name, when, state, orbit, bounds):
    assets = {key: (f"{files}/{name}-{key}.tif", {}) for key in ("vv", "vh")}
    said = {"sat:orbit_state": state, "sat:relative_orbit": orbit, "platform": "sentinel-1a"}
    return item(name, "sentinel-1-rtc", when, outline_in_degrees(bounds), assets, **said)


NORTH, SOUTH = (607_000, 5_596_000), (607_000, 5_594_400)  # two slices that overlap
SLICE = (240, 700)
EMPTY = {"pre-n": (120, -32768), "pre-s": (200, 0), "post": (160, np.nan)}  # columns from, value


def power(name, key):
    """Linear power that differs from image to image and pixel to pixel, and its corner."""
    origin = SOUTH if name == "pre-s" else NORTH
    shape = (400, 700) if name == "post" else SLICE
    level = {"vv": 0.05, "vh": 0.01}[key] * (1 + sum(map(ord, name)) % 5)
    pixels = (level * (1 + ramp(shape, origin) / 7000)).astype(np.float32)
    column, _ = EMPTY[name]
    pixels[:, column : column + 10] = np.nan
    return pixels, origin


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Files on a server that wants a signature, and the items that name them."""
    folder = tmp_path_factory.mktemp("files")
    west, east = ramp((SIDE, SIDE), WEST), ramp((SIDE, SIDE), EAST)
    west[HOLE] = 0
    for i, band in enumerate(BANDS):
        write_band(folder / f"west-{band}.tif", np.where(west, west + i, 0).astype("u2"), WEST)
        write_band(folder / f"east-{band}.tif", (east // 2 + i).astype("u2"), EAST, nodata=0)
    classes = (np.arange(512 * 512).reshape(512, 512) % 11 + 1).astype("u1")
    write_band(folder / "west-SCL.tif", classes, WEST, pixel=20.0)
    write_band(folder / "east-SCL.tif", np.full((512, 512), 4, "u1"), EAST, pixel=20.0)
    for name, (_, empty) in EMPTY.items():
        for key in ("vv", "vh"):
            pixels, origin = power(name, key)
            stored = np.where(np.isnan(pixels), np.float32(empty), pixels)
            write_band(folder / f"{name}-{key}.tif", stored, origin, nodata=-32768)
    server = Files(folder, SECRET)
    with running(server) as files:
        at = files.address
        north, south = ((x, y - SLICE[0] * 10, x + SLICE[1] * 10, y) for x, y in (NORTH, SOUTH))
        items = [
            optical(at, "west", "04-10", 3.0, WEST, **{"s2:processing_baseline": "05.10"}),
            optical(at, "east", "04-10", 3.0, EAST, **{"s2:processing_baseline": "03.01"}),
            optical(at, "cloudy", "04-05", 30.0, WEST, "west"),
            radar(at, "pre-n", "2024-03-28T05:40:00Z", "descending", 168, north),
            radar(at, "pre-s", "2024-03-28T05:40:25Z", "descending", 168, south),
            radar(at, "post", "2024-04-09T05:40:00Z", "descending", 168,
                  (NORTH[0], NORTH[1] - 4000, NORTH[0] + 7000, NORTH[1])),
        ]  # fmt: skip
        with stac_api(items, folder) as api:
            yield namedtuple("World", "files api west east classes")(
                files, api, west, east, classes
            )


def signing(address):
    return f"{address}?sig={SECRET}"


def found_in(world, anew=""):
    """What a search finds; `anew` makes other addresses of the files, which GDAL doesn't know."""
    sign = (lambda address: f"{signing(address)}&anew={anew}") if anew else signing
    catalogue = replace(catalogue_of(world.api), sign=sign)
    wish = Wish(area(), EVENT)
    return search(wish, catalogue), wish, catalogue


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch):
    monkeypatch.setenv("LANDSLIDE_PRIVATE_ADDRESSES", "1")


@pytest.fixture(scope="module")
def fetched(world, tmp_path_factory):
    """The scene of the window, and what was sent for it."""
    folder = tmp_path_factory.mktemp("fetched") / "scene"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LANDSLIDE_PRIVATE_ADDRESSES", "1")
        found, wish, catalogue = found_in(world)
        world.files.sent.clear()
        made = fetch(found.choice(), wish, catalogue, folder)
        return folder, made, dict(world.files.sent)


def pixels_of(path):
    """The pixels of a file, and what it says of them."""
    with rasterio.open(path) as file:
        said = "dtypes nodata descriptions bounds tags crs transform width height"
        found = {name: getattr(file, name) for name in said.split() if name != "tags"}
        return file.read(), namedtuple("Said", said)(tags=file.tags(), **found)


def part(pixels, origin, window=WINDOW, pixel=10):
    """The pixels of a file under the window; NaN outside."""
    left, bottom, right, top = window
    rows, cols = round((top - bottom) / pixel), round((right - left) / pixel)
    down, along = round((origin[1] - top) / pixel), round((left - origin[0]) / pixel)
    padded = np.pad(pixels.astype(float), 400, constant_values=np.nan)
    return padded[400 + down :, 400 + along :][:rows, :cols]


def test_optical_values_have_each_tiles_own_offset_taken_out(world, fetched):
    stored, file = pixels_of(fetched[0] / "s2.tif")
    assert (file.dtypes[0], file.nodata, file.descriptions) == ("int16", -32768, BANDS)
    assert tuple(file.bounds) == WINDOW
    west, east = part(world.west, WEST), part(world.east // 2, EAST)
    for i in range(4):
        new = np.where(west == 0, np.nan, west + i - 1000)  # baseline 05.10: +1,000 in it
        expected = np.where(np.isnan(new), east + i, new)  # baseline 03.01: nothing
        expected = np.where(np.isnan(expected), -32768, expected)
        assert np.array_equal(stored[i], expected)
    assert (stored[0] == -32768).sum() == 20 * 20  # the hole
    assert file.tags["BOA_ADD_OFFSET"] == "0"
    assert file.tags["OFFSETS_TAKEN_OUT"] == "west: -1000 -1000 -1000 -1000; east: 0 0 0 0"


def test_classes_are_the_nearest_ones(world, fetched):
    stored, file = pixels_of(fetched[0] / "scl.tif")
    west = np.repeat(np.repeat(world.classes, 2, 0), 2, 1)
    expected = part(west, WEST)
    assert np.array_equal(stored[0], np.where(np.isnan(expected), 4, expected))
    assert file.descriptions == ("SCL",)


def test_radar_slices_are_averaged_in_linear_power(fetched):
    stored, file = pixels_of(fetched[0] / "s1_desc_pre.tif")
    assert (file.dtypes[0], file.descriptions) == ("float32", ("VV", "VH"))
    for i, key in enumerate(("vv", "vh")):
        north, south = (part(*power(name, key)) for name in ("pre-n", "pre-s"))
        both = np.isfinite(north) & np.isfinite(south)
        assert 10_000 < both.sum() < both.size - 10_000
        expected = np.where(both, (north + south) / 2, np.where(np.isnan(north), south, north))
        np.testing.assert_allclose(stored[i], expected, rtol=1e-6)


def test_files_say_where_they_come_from(fetched):
    tags = pixels_of(fetched[0] / "s1_desc_pre.tif")[1].tags
    assert tags["UNITS"] == "power"
    assert tags["ORBIT_PASS_DIRECTION"] == "descending"
    assert tags["RELATIVE_ORBIT"] == "168"
    assert tags["ACQUISITION_DATE"] == "2024-03-28"
    assert set(tags["STAC_ITEMS"].split()) == {"pre-n", "pre-s"}
    items = json.loads((fetched[0] / "items.json").read_text())
    ids = [record["id"] for record in items["features"]]
    assert sorted(ids) == ["east", "post", "pre-n", "pre-s", "west"]
    request = json.loads((fetched[0] / "request.json").read_text())
    assert request["event"] == "2024-04-03"
    assert request["files"]["s1_desc_post.tif"] == ["post"]


def test_the_scene_opens_with_the_right_values(fetched):
    scene = open_scene(fetched[1].inputs)
    assert scene.grid.shape == (200, 320)
    assert set(scene.missing) == {f"asc_{p}_{t}" for p in ("vv", "vh") for t in ("pre", "post")}
    values = scene.read(Window(100, 50, 64, 64))
    stored, _ = pixels_of(fetched[0] / "s2.tif")
    radar_stored, _ = pixels_of(fetched[0] / "s1_desc_post.tif")
    names = [*("red", "green", "blue", "nir"), "desc_vv_post"]
    inside = np.s_[100:164, 50:114]
    expected = [*(stored[i][inside] for i in (2, 1, 0, 3)), 10 * np.log10(radar_stored[0][inside])]
    for i, name in enumerate(names):
        wanted = np.where(expected[i] == -32768, np.nan, expected[i])
        np.testing.assert_allclose(values[i], wanted, rtol=1e-4, err_msg=name)


def test_only_the_window_travels(world, fetched):
    for name, sent in fetched[2].items():
        whole = (world.files.folder / name).stat().st_size
        if name.startswith(("west-B", "east-B")):
            assert 0 < sent < whole / 3, name
    assert not any(name.startswith("cloudy") for name in fetched[2])


def test_no_signature_is_written(fetched):
    assert fetched[2]["west-B02.tif"] > 0  # the server hands out nothing unsigned
    for path in fetched[0].rglob("*"):
        assert SECRET.encode() not in path.read_bytes(), path
    assert SECRET not in fetched[1].predict_line()


def test_the_folder_holds_whole_files_and_nothing_else(fetched):
    assert sorted(path.name for path in fetched[0].iterdir()) == [
        *("items.json", "request.json", "s1_desc_post.tif", "s1_desc_pre.tif"),
        *("s2.tif", "scl.tif"),
    ]


def test_a_fetch_goes_on_with_what_is_whole(world, fetched, tmp_path):
    found, wish, catalogue = found_in(world, anew="1")
    world.files.broken.add("post-vh.tif")
    try:
        with pytest.raises(LandslideError, match=r"post-vh\.tif answers 500"):
            fetch(found.choice(), wish, catalogue, tmp_path / "scene")
    finally:
        world.files.broken.clear()
    names = {path.name for path in (tmp_path / "scene").glob("*.tif")}
    assert names == {"s2.tif", "scl.tif", "s1_desc_pre.tif"}
    world.files.sent.clear()
    fetch(found.choice(), wish, catalogue, tmp_path / "scene")
    assert {name[:4] for name in world.files.sent} == {"post"}
    for name in (*names, "s1_desc_post.tif"):
        assert np.array_equal(
            pixels_of(tmp_path / "scene" / name)[0], pixels_of(fetched[0] / name)[0], equal_nan=True
        )


def test_a_killed_fetch_leaves_no_half_file(world, tmp_path):
    found, wish, catalogue = found_in(world)
    choice = found.choice(desc=0)

    def killed(name, done, total):
        if name == "scl.tif":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(choice, wish, catalogue, tmp_path / "scene", killed)
    assert [path.name for path in (tmp_path / "scene").glob("*.tif")] == ["s2.tif"]
    (tmp_path / "scene" / ".partial" / "scl.tif").write_bytes(b"half")
    made = fetch(choice, wish, catalogue, tmp_path / "scene")
    assert pixels_of(made.inputs.s2[1])[0].shape == (1, 200, 320)
    assert not (tmp_path / "scene" / ".partial").exists()


def test_a_folder_with_something_else_is_refused(world, tmp_path):
    found, wish, catalogue = found_in(world)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(RunBusy, match="holds something else"):
        fetch(found.choice(), wish, catalogue, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_full_disk_is_said_before_anything_is_loaded(world, tmp_path, monkeypatch):
    found, wish, catalogue = found_in(world)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda path: usage(1e9, 1e9, 1e6))
    world.files.sent.clear()
    with pytest.raises(NoSpace, match="1 MB free"):
        fetch(found.choice(), wish, catalogue, tmp_path / "scene")
    assert world.files.sent == {}


def test_strips_make_the_same_file_as_one_piece(world, fetched, tmp_path, monkeypatch):
    monkeypatch.setattr(mosaic, "STRIP", 64)
    found, wish, catalogue = found_in(world)
    told = []
    fetch(found.choice(desc=0), wish, catalogue, tmp_path / "scene", lambda *t: told.append(t))
    # From the tile's upper edge to the window's are 500 rows; 500 % 64 = 52, so 12 to the next.
    assert [t for t in told if t[0] == "s2.tif"] == [("s2.tif", i, 4) for i in (1, 2, 3, 4)]
    for name in ("s2.tif", "scl.tif"):
        assert np.array_equal(
            pixels_of(tmp_path / "scene" / name)[0], pixels_of(fetched[0] / name)[0]
        )


def test_strips_begin_with_the_files_blocks():
    box = area().window("EPSG:32632")
    assert [(s.row, s.height) for s in mosaic.strips(box)] == [(0, 200)]
    top = box.boundingbox.top + 10 * (1024 * 3 - 50)  # a block begins 50 rows down
    assert [(s.row, s.height) for s in mosaic.strips(box, top)] == [(0, 50), (50, 150)]


def test_a_wrong_signature_is_one_line_without_it(world, tmp_path, capfd):
    found, wish, catalogue = found_in(world)
    wrong = replace(catalogue, sign=lambda address: f"{address}?sig=d3Jvbmc")
    with pytest.raises(LandslideError) as caught:
        fetch(found.choice(), wish, wrong, tmp_path / "scene")
    assert "west-B02.tif answers 403" in str(caught.value)
    assert "d3Jvbmc" not in str(caught.value) + "".join(capfd.readouterr())


def test_a_server_that_dies_on_the_way_is_one_line_without_the_signature(
    world, tmp_path, capfd, monkeypatch
):
    found, wish, catalogue = found_in(world, anew="2")
    checked = mosaic.check_files

    def then_dies(*given):
        top = checked(*given)
        world.files.broken.update(f"west-{band}.tif" for band in BANDS)
        return top

    monkeypatch.setattr("landslide_core.catalogue.layers.check_files", then_dies)
    try:
        with pytest.raises(CatalogueError, match=r"west \(B02, B03, B04, B08\) cannot") as caught:
            fetch(found.choice(), wish, catalogue, tmp_path / "scene")
    finally:
        world.files.broken.clear()
    assert SECRET not in str(caught.value) + "".join(capfd.readouterr())


def only(name, assets, tmp_path, tile=WEST, crs="EPSG:32632", **properties):
    """A search over one optical item."""
    said = {"eo:cloud_cover": 1.0, **properties}
    outline = outline_in_degrees(box_of(tile), crs)
    return stac_api([item(name, "sentinel-2-l2a", "2024-04-10T10:00:00Z", outline, assets, **said)],
                    tmp_path)  # fmt: skip


def test_an_offset_that_the_pixels_prove_wrong_is_not_applied(tmp_path):
    dark = ((ramp((256, 256), WEST) - 1900) // 2).astype("u2")  # from 50: no +1,000 in it
    with running(Files(tmp_path)) as files:
        write_band(tmp_path / "dark.tif", dark, WEST)
        assets = {b: (f"{files.address}/dark.tif", {}) for b in BANDS}
        wish = Wish(area((600_500, 5_598_000, 602_000, 5_599_500)), EVENT)
        said = {"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": False}
        with only("dark", assets, tmp_path, **said) as api:
            found = search(wish, catalogue_of(api))
            made = fetch(found.choice(), wish, found.catalogue, tmp_path / "scene")
    stored, _ = pixels_of(tmp_path / "scene" / "s2.tif")
    assert np.array_equal(stored[0], part(dark, WEST, (600_500, 5_598_000, 602_000, 5_599_500)))
    assert "which its pixels prove wrong" in made.warnings[0]


def test_a_few_dark_pixels_of_one_band_do_not_overrule_the_item(tmp_path):
    bright = ramp((256, 256), WEST).astype("u2")  # from 2,000: the +1,000 may well be in it
    spotted = bright.copy()
    spotted[60:150:9, 60:190:3] = 300  # 2 % of the window's pixels at most
    with running(Files(tmp_path)) as files:
        write_band(tmp_path / "bright.tif", bright, WEST)
        write_band(tmp_path / "spotted.tif", spotted, WEST)
        names = dict.fromkeys(BANDS, "bright") | {"B04": "spotted"}
        assets = {b: (f"{files.address}/{name}.tif", {}) for b, name in names.items()}
        wish = Wish(area((600_500, 5_598_000, 602_000, 5_599_500)), EVENT)
        with only("spotted", assets, tmp_path, **{"s2:processing_baseline": "05.11"}) as api:
            found = search(wish, catalogue_of(api))
            made = fetch(found.choice(), wish, found.catalogue, tmp_path / "scene")
    stored, file = pixels_of(tmp_path / "scene" / "s2.tif")
    expected = part(bright, WEST, (600_500, 5_598_000, 602_000, 5_599_500)) - 1000
    assert np.array_equal(stored[0], expected)
    assert file.tags["OFFSETS_TAKEN_OUT"] == "spotted: -1000 -1000 -1000 -1000"
    assert "it was applied" in made.warnings[0]


def test_a_tile_of_the_next_zone_is_resampled_to_where_it_lies(tmp_path):
    """A plane of numbers in zone 33 is read in zone 32: every pixel as the plane says."""
    to_next = Transformer.from_crs("EPSG:32632", "EPSG:32633", always_xy=True).transform
    x, y = to_next(605_120, 5_594_880)
    origin = (round(x - 2560, -1), round(y + 2560, -1))
    rows, cols = np.mgrid[:512, :512]
    plane = (3000 + 4 * cols + 2 * rows).astype("u2")
    window = (604_000, 5_593_800, 606_200, 5_596_000)
    with running(Files(tmp_path)) as files:
        write_band(tmp_path / "plane.tif", plane, origin, "EPSG:32633")
        assets = {b: (f"{files.address}/plane.tif", {}) for b in BANDS}
        bounds = (origin[0], origin[1] - 5120, origin[0] + 5120, origin[1])
        outline = outline_in_degrees(bounds, "EPSG:32633")
        said = {"eo:cloud_cover": 1.0, "proj:epsg": 32632, "s2:processing_baseline": "03.00"}
        record = item("plane", "sentinel-2-l2a", "2024-04-10T10:00:00Z", outline, assets, **said)
        with stac_api([record], tmp_path) as api:
            wish = Wish(area(window), EVENT)
            found = search(wish, catalogue_of(api))
            fetch(found.choice(), wish, found.catalogue, tmp_path / "scene")
    stored, file = pixels_of(tmp_path / "scene" / "s2.tif")
    cols, rows = np.meshgrid(np.arange(file.width) + 0.5, np.arange(file.height) + 0.5)
    x, y = to_next(*(file.transform @ (cols, rows)))
    expected = 3000 + 4 * ((x - origin[0]) / 10 - 0.5) + 2 * ((origin[1] - y) / 10 - 0.5)
    assert (stored[0] != -32768).all()
    assert np.abs(stored[0] - expected).max() < 1.2  # rounding, and GDAL's approximate warp


def test_an_area_across_the_antimeridian_is_loaded_in_one_piece(tmp_path):
    to_60 = Transformer.from_crs("EPSG:4326", "EPSG:32760", always_xy=True).transform
    x, y = to_60(180, -17)
    origin = (round(x - 2560, -1), round(y + 2560, -1))
    pixels = ramp((512, 512), origin)
    with running(Files(tmp_path)) as files:
        write_band(tmp_path / "fiji.tif", pixels, origin, "EPSG:32760")
        assets = {b: (f"{files.address}/fiji.tif", {}) for b in BANDS}
        halves = [shapely.box(179.5, -18, 180, -16), shapely.box(-180, -18, -179.5, -16)]
        said = {"eo:cloud_cover": 1.0, "proj:epsg": 32760, "s2:processing_baseline": "03.00"}
        record = item("fiji", "sentinel-2-l2a", "2024-04-10T22:00:00Z",
                      shapely.MultiPolygon(halves), assets, **said)  # fmt: skip
        with stac_api([record], tmp_path) as api:
            wish = Wish(area_of("179.99,-17.01,-179.99,-16.99"), EVENT)
            found = search(wish, catalogue_of(api))
            fetch(found.choice(), wish, found.catalogue, tmp_path / "scene")
    stored, file = pixels_of(tmp_path / "scene" / "s2.tif")
    assert file.crs == "EPSG:32760"
    assert np.array_equal(stored[0], part(pixels, origin, tuple(file.bounds)))
    # The corners of the area, a tenth of a pixel aside, lie in the file.
    for longitude in (179.99, -179.99):
        x, _ = to_60(longitude, -17.0)
        assert file.bounds.left - 1 <= x <= file.bounds.right + 1


VIRTUAL = """<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32632</SRS>
<GeoTransform>600000,10,0,5600000,0,-10</GeoTransform><VRTRasterBand dataType="UInt16" band="1">
<SimpleSource><SourceFilename>{}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("href", ["{own}", "file://{own}", "/vsicurl/{at}/own.tif", "{at}/own.vrt"])
def test_a_catalogue_cannot_name_files_of_this_machine(tmp_path, href):
    (tmp_path / "served").mkdir()
    own = write_band(tmp_path / "own.tif", ramp((128, 128), WEST), WEST)
    (tmp_path / "served" / "own.vrt").write_text(VIRTUAL.format(own))
    with running(Files(tmp_path / "served")) as files:
        named = href.format(own=own, at=files.address)
        wish = Wish(area((600_100, 5_599_000, 600_900, 5_599_800)), EVENT)
        with only("hostile", {b: (named, {}) for b in BANDS}, tmp_path) as api:
            found = search(wish, catalogue_of(api))
            with pytest.raises(SceneError):
                fetch(found.choice(), wish, found.catalogue, tmp_path / "scene")
    assert not list((tmp_path / "scene").glob("*.tif"))


def test_a_catalogue_cannot_lead_into_the_own_network(world, tmp_path, monkeypatch):
    found, wish, catalogue = found_in(world)
    monkeypatch.delenv("LANDSLIDE_PRIVATE_ADDRESSES")
    world.files.sent.clear()
    with pytest.raises(SceneError, match="leads into this machine or its network"):
        fetch(found.choice(), wish, catalogue, tmp_path / "scene")
    assert world.files.sent == {}


def test_planetary_computer_files_are_signed_with_its_token(monkeypatch):
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    asked = []

    def tokens(path, address):
        asked.append(path)
        body = json.dumps({"token": "sig=abc", "msft:expiry": until}).encode()
        return 200, "application/json", body

    Settings.get.cache_clear()
    TOKEN_CACHE.clear()
    with canned_api(tokens) as address:
        monkeypatch.setenv("PC_SDK_SAS_URL", f"{address}/token")
        sign = CATALOGUES["planetary-computer"].sign
        href = "https://sentinel2l2a01.blob.core.windows.net/sentinel2-l2/B02.tif"
        assert sign(href) == f"{href}?sig=abc"
    assert asked == ["/token/sentinel2l2a01/sentinel2-l2"]
    Settings.get.cache_clear()
    TOKEN_CACHE.clear()
    assert planetary_computer.sign_url("https://example.org/a.tif") == "https://example.org/a.tif"


def test_the_command_loads_and_says_what_to_run_next(world, tmp_path, monkeypatch):
    monkeypatch.setattr(cli_search, "catalogue_of",
                        lambda *given: replace(catalogue_of(*given), sign=signing))  # fmt: skip
    outline = tmp_path / "area.geojson"
    outline.write_text(shapely.to_geojson(area().shape))
    given = ["--area", str(outline), "--event", "2024-04-03", "--catalogue", world.api]
    folder = tmp_path / "scene"
    result = CliRunner().invoke(cli_search.app, ["search", *given, "--fetch", str(folder)])
    assert result.exit_code == 0, result.output
    line = result.stdout.splitlines()[-1].split(maxsplit=1)[1]
    assert line.startswith(f"landslide predict --s2 {folder}/s2.tif --s2 {folder}/scl.tif ")
    assert f"--s1-desc-pre {folder}/s1_desc_pre.tif" in line
    assert "--event 2024-04-03" in line
    assert (folder / "s1_desc_post.tif").is_file()
