"""Scenes whose pixels say where they lie: read right to a fifth of a pixel, or refused.

The places come from pyproj and plain trigonometry, never from the code that reads.
"""

from dataclasses import dataclass

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from conftest import scene_numbers, write_optical, write_radar, write_raster
from pyproj import Geod, Transformer

from landslide_core import render
from landslide_core.bands import INDEX, RADAR_ROLES
from landslide_core.errors import GridMismatch, MissingCRS, SceneError
from landslide_core.grid import Window
from landslide_core.plan import RunOptions
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.runs import predict_scene

SHAPE = (110, 90)  # rows and columns, so that exchanged ones show
WGS84 = (6_378_137.0, 1 / 298.257223563)  # semi-major axis, m, and flattening
TOLERANCE = 2.0  # m: a fifth of a pixel of the scene
DEGREE = 1e-4  # about 11 m of latitude
GEOD = Geod(ellps="WGS84")


def geocentric(lon, lat, ellipsoid=WGS84):
    """X, Y, Z in metres of places on an ellipsoid: (3, ...)."""
    axis, flattening = ellipsoid
    squared = flattening * (2 - flattening)
    lon, lat = np.radians(lon), np.radians(lat)
    across = axis / np.sqrt(1 - squared * np.sin(lat) ** 2)
    x, y = across * np.cos(lat) * np.cos(lon), across * np.cos(lat) * np.sin(lon)
    return np.stack([x, y, across * (1 - squared) * np.sin(lat)])


def plane(at, xyz):
    """Metres east and north of a place (lon, lat), on the plane that touches the Earth there."""
    lon, lat = np.radians(at)
    x, y, z = xyz - geocentric(*at).reshape(3, *[1] * (xyz.ndim - 1))
    east = -np.sin(lon) * x + np.cos(lon) * y
    north = -np.sin(lat) * (np.cos(lon) * x + np.sin(lon) * y) + np.cos(lat) * z
    return np.stack([east, north])


def degrees(crs, x, y):
    """Longitude and latitude of coordinates in a CRS, x first."""
    return np.array(Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y))


def centres(shape):
    """Columns and rows of all pixel centres, (height, width) each."""
    return np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)


def offsets(crs, transform, shape, at):
    """Metres east and north of a place for every pixel centre: (2, height, width)."""
    lon, lat = degrees(crs, *(transform @ centres(shape)))
    return plane(at, geocentric(lon, lat))


# How metres east and north are written: reflectance in red and green, dB in VV and VH.
def as_reflectance(east, north):
    flat = np.ones_like(east)
    return np.stack([0.3 + east / 1e5, 0.3 + north / 1e5, 0.2 * flat, 0.4 * flat])


def as_numbers(east, north):
    flat = np.ones_like(east)
    return np.stack([5000 + 2 * east, 5000 + 2 * north, 300 * flat, 4000 * flat]).round()


def as_decibels(east, north):
    return np.stack([-11 + east / 4000, -18 + north / 4000])


def decoded(pixels, role):
    """Metres east and north from what was read of a role: (2, height, width)."""
    if role == "s2":
        return (pixels[[INDEX["red"], INDEX["green"]]] - 3000.0) * 10
    if role == "s2 numbers":
        return (pixels[[INDEX["red"], INDEX["green"]]] - 5000.0) / 2
    vv, vh = (pixels[INDEX[f"desc_{name}_post"]] for name in ("vv", "vh"))
    return np.stack([(vv + 11.0) * 4000, (vh + 18.0) * 4000])


S2_NAMES, S1_NAMES = ("B04", "B03", "B02", "B08"), ("VV", "VH")
WRITTEN = {
    "s2": (as_reflectance, np.float32, S2_NAMES),
    "s2 numbers": (as_numbers, np.uint16, S2_NAMES),
    "s1": (as_decibels, np.float32, S1_NAMES),
}


@dataclass(frozen=True)
class Raster:
    """Where a raster lies."""

    crs: str
    transform: Affine
    shape: tuple[int, int] = SHAPE

    @property
    def middle(self):
        """Longitude and latitude."""
        rows, cols = self.shape
        return tuple(degrees(self.crs, *(self.transform @ (cols / 2, rows / 2))))

    def write(self, path, at, role="s2", **profile):
        """A file whose pixels say how far east and north of a place they lie."""
        pixels, dtype, names = WRITTEN[role]
        values = pixels(*offsets(self.crs, self.transform, self.shape, at)).astype(dtype)
        return write_raster(path, values, names, self.transform, self.crs, **profile)


def around(lon, lat, crs, size=10.0, shape=SHAPE, turn=None):
    """A north-up raster (else turned) around a place, pixels of a size in the CRS's units."""
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    middle = Affine.translation(-shape[1] / 2, -shape[0] / 2)
    place = Affine.translation(x, y) @ Affine.scale(size, -size)
    return Raster(crs, place @ (Affine.identity() if turn is None else turn) @ middle, shape)


def in_degrees(lon, lat, crs="EPSG:4326", wide=1.0):
    """A north-up raster in degrees (or gon) around numbers that may lie past 180.

    Pixels may be wider than high, as degrees of longitude shrink.
    """
    corner = lon - wide * DEGREE * SHAPE[1] / 2, lat + DEGREE * SHAPE[0] / 2
    return Raster(crs, Affine(wide * DEGREE, 0, corner[0], 0, -DEGREE, corner[1]))


def farthest(scene, raster, at, role="s2"):
    """How far from its place the worst pixel was read (m): inside the raster, and anywhere.

    Inside is asked of ground points spread over the raster, each in the scene's pixel that holds
    it; without a value there the distance is infinite.
    """
    pixels = scene.read(Window(0, 0, *scene.grid.shape))
    wrong = np.hypot(*(decoded(pixels, role) - offsets(*_of(scene), at)))
    rows, cols = raster.shape
    col, row = np.meshgrid(np.linspace(4, cols - 4, 23), np.linspace(4, rows - 4, 23))
    lon, lat = degrees(raster.crs, *(raster.transform @ (col, row)))
    x, y = Transformer.from_crs("EPSG:4326", scene.grid.crs, always_xy=True).transform(lon, lat)
    col, row = (np.floor(axis).astype(int) for axis in ~scene.grid.transform @ (x, y))
    on = (row >= 0) & (col >= 0) & (row < scene.grid.height) & (col < scene.grid.width)
    inside = np.where(on, wrong[np.where(on, row, 0), np.where(on, col, 0)], np.inf)
    return np.nan_to_num(inside, nan=np.inf).max(), np.nanmax(wrong)


def _of(scene):
    return scene.grid.crs, scene.grid.transform, scene.grid.shape


def check_places(folder, raster, role="s2", **profile):
    """Write and read one raster; the scene that it gives."""
    path = raster.write(folder / "a.tif", raster.middle, role, **profile)
    given = {"desc_post": (path,)} if role == "s1" else {"s2": (path,)}
    scene = open_scene(SceneInputs(**given))
    inside, anywhere = farthest(scene, raster, raster.middle, role)
    assert inside < TOLERANCE
    source = next(iter(scene.bands.values()))[0]
    # At an edge, a pixel may hold the value of the nearest one: half a diagonal away.
    assert anywhere < 0.75 * max(source.resolution, 10)
    return scene


UTM45 = "EPSG:32645"
KM = "+proj=utm +zone=45 +datum=WGS84 +units=km"
TURNS = {
    "south up": Affine.scale(1, -1),
    "mirrored": Affine.scale(-1, 1),
    "turned by 33°": Affine.rotation(33),
    "turned by 90°": Affine.rotation(90),
    "turned by 180°": Affine.rotation(180),
    "sheared": Affine.shear(25, 10),
    "rows and columns exchanged": Affine(0, 1, 0, 1, 0, 0),
    "long pixels": Affine.scale(1, 3),
    "wide pixels": Affine.scale(2.5, 1),
}
PLACES = {
    "UTM": around(87, 28, UTM45),
    "UTM, 20 m": around(87, 28, UTM45, 20),
    "UTM, 4 m": around(87, 28, UTM45, 4, (230, 210)),
    "UTM, not quite 10 m": around(87, 28, UTM45, 10.00009),
    "UTM, a third of a pixel off": around(87.00003, 28.00004, UTM45),
    "south": around(87, -33, "EPSG:32745"),
    "south, 20 m": around(87, -33, "EPSG:32745", 20),
    "south in a northern zone": around(87, -33, UTM45),
    "south in a northern zone, 20 m": around(87, -33, UTM45, 20),
    "north in a southern zone, 20 m": around(87, 12, "EPSG:32745", 20),
    "equator": around(87, 0, UTM45),
    "equator in degrees": in_degrees(87, 0),
    "two zones away": around(101, 28, UTM45),
    "degrees": in_degrees(87, 28),
    "degrees, south": in_degrees(-70.3, -33.4),
    "degrees, far north": in_degrees(25, 79, wide=5),
    "degrees, at the last latitudes": in_degrees(25, 83.9, wide=9),
    "zone border in degrees": in_degrees(90, 28),
    "Greenwich": in_degrees(0, 51),
    "longitude 359.99 to 360.01": in_degrees(360, 51),
    "longitude 200": in_degrees(200, -16),
    "antimeridian in degrees": in_degrees(180, -16.5),
    "antimeridian in degrees below -180": in_degrees(-180, -16.5),
    "antimeridian, north": in_degrees(180, 66, wide=2),
    "antimeridian in another datum": in_degrees(180, -44, "EPSG:4167"),
    "antimeridian in zone 60": around(180, -16.5, "EPSG:32760"),
    "antimeridian in zone 1, 20 m": around(180, -16.5, "EPSG:32701", 20),
    "antimeridian, polar": around(180, 72, "EPSG:3413"),
    "antimeridian, Pacific Mercator": around(180, 1, "EPSG:3832"),
    "NAD83": in_degrees(-100, 40, "EPSG:4269"),
    "SIRGAS 2000": in_degrees(-50, -10, "EPSG:4674"),
    "CRS84": in_degrees(87, 28, "OGC:CRS84"),
    "with heights": in_degrees(87, 28, "EPSG:4979"),
    "gon from Paris": in_degrees(2, 50, "EPSG:4807"),
    "northing first in the authority's order": around(19, 52, "EPSG:2180"),
    "zone number in the easting": around(27, 62, "EPSG:2393"),
    "axes to the west and south": around(29, -25, "EPSG:2053"),
    "Europe's equal areas": around(10, 50, "EPSG:3035"),
    "polar stereographic": around(30, 79, "EPSG:3413"),
    "UPS, axes by name": around(30, 83, "EPSG:5041"),
    "Antarctica": around(30, -75, "EPSG:3031"),
    "US survey feet": around(-74, 40.7, "EPSG:2263", 32.8),
    "feet": around(-110.2, 34, "EPSG:2222", 32.8),
    "sinusoidal": around(100, 30, "+proj=sinu +R=6371007.181"),
    "web Mercator": around(87, 28, "EPSG:3857", 11.3),
    **{name: around(87, 28, UTM45, turn=turn) for name, turn in TURNS.items()},
}
# Pixels that are smaller on the ground than in the units of their CRS.
ON_THE_GROUND = {
    "web Mercator at 60°": around(9, 60, "EPSG:3857", 20, (150, 150)),
    "web Mercator at 75°": around(9, 75, "EPSG:3857", 240),
}


@pytest.mark.parametrize("raster", PLACES.values(), ids=PLACES)
def test_every_pixel_lies_where_it_says(tmp_path, raster):
    check_places(tmp_path, raster)


@pytest.mark.parametrize(
    "name", ["UTM, 20 m", "antimeridian in degrees", "sheared", "axes to the west and south"]
)
def test_every_radar_pixel_lies_where_it_says(tmp_path, name):
    check_places(tmp_path, PLACES[name], "s1")


@pytest.mark.parametrize("raster", ON_THE_GROUND.values(), ids=ON_THE_GROUND)
def test_a_pixel_s_size_is_that_on_the_ground(tmp_path, raster):
    source = check_places(tmp_path, raster).bands["red"][0]
    (west, east), (south, north) = degrees(
        raster.crs, *(raster.transform @ (np.array([44, 45]), np.array([55, 55])))
    )
    assert source.resolution == pytest.approx(GEOD.inv(west, south, east, north)[2], rel=0.01)


def test_pixels_in_kilometres_are_no_smaller_for_it(tmp_path):
    raster = around(87, 28, KM, 0.02)
    path = raster.write(tmp_path / "a.tif", raster.middle)
    scene = open_scene(SceneInputs(s2=(path,)))
    assert scene.bands["red"][0].resolution == pytest.approx(20, rel=0.01)  # else reading hangs
    assert farthest(scene, raster, raster.middle)[0] < TOLERANCE


PAIRS = {
    "S1 in the next zone": (around(90, 28, UTM45), around(90, 28, "EPSG:32646")),
    "S2 in the next zone": (around(90, 28, "EPSG:32646"), around(90, 28, UTM45)),
    "S1 in zone 60, S2 in zone 1": (
        around(180, -16.5, "EPSG:32701"),
        around(180, -16.5, "EPSG:32760"),
    ),
    "S1 in zone 1, S2 in zone 60": (
        around(180, -16.5, "EPSG:32760"),
        around(180, -16.5, "EPSG:32701"),
    ),
    "S1 around 180°, S2 around -180°": (in_degrees(-180, -16.5), in_degrees(180, -16.5)),
    "S1 around -180°, S2 in zone 60": (around(180, 50, "EPSG:32660"), in_degrees(-180, 50)),
    "S1 at 190°, S2 at -170°": (in_degrees(-170, -16.5), in_degrees(190, -16.5)),
    "S1 north of the equator, S2 south of it": (
        around(87, 0, "EPSG:32745"),
        around(87, 0, "EPSG:32645"),
    ),
    "S1 turned, S2 in web Mercator": (
        around(87, 28, "EPSG:3857", 11.3),
        around(87, 28, UTM45, 10, turn=Affine.rotation(-12)),
    ),
}


@pytest.mark.parametrize(("optical", "radar"), PAIRS.values(), ids=PAIRS)
def test_a_pair_lies_together(tmp_path, optical, radar):
    at = optical.middle
    s2, s1 = optical.write(tmp_path / "s2.tif", at), radar.write(tmp_path / "s1.tif", at, "s1")
    scene = open_scene(SceneInputs(s2=(s2,), desc_post=(s1,)))
    assert farthest(scene, optical, at)[0] < TOLERANCE
    inner = Raster(radar.crs, radar.transform @ Affine.translation(25, 30), (50, 40))
    assert farthest(scene, inner, at, "s1")[0] < TOLERANCE
    assert farthest(scene, inner, at, "s1")[1] < 7.5


def test_two_halves_of_a_pass_meet_at_the_antimeridian(tmp_path):
    optical = around(180, -16.5, "EPSG:32760")
    at = optical.middle
    s2 = optical.write(tmp_path / "s2.tif", at)
    step = Affine.scale(DEGREE, -DEGREE)
    halves = []
    for name, west in (("west", 179.99), ("east", -180.0)):
        half = Raster("EPSG:4326", Affine.translation(west, -16.49) @ step, (200, 100))
        halves.append(half.write(tmp_path / f"{name}.tif", at, "s1"))
    scene = open_scene(SceneInputs(s2=(s2,), desc_post=tuple(halves)))
    assert not any("covers" in warning for warning in scene.warnings)
    inside, anywhere = farthest(scene, optical, at, "s1")
    assert max(inside, anywhere) < TOLERANCE  # also where they meet


def test_another_zone_s_scene_that_lies_elsewhere_is_refused(tmp_path):
    """The same numbers in two zones are two places."""
    optical, radar = around(87, 28, UTM45), around(81, 28, "EPSG:32644")
    at = optical.middle
    s2, s1 = optical.write(tmp_path / "s2.tif", at), radar.write(tmp_path / "s1.tif", at, "s1")
    with pytest.raises(SceneError):
        open_scene(SceneInputs(s2=(s2,), desc_post=(s1,)))


def test_an_old_datum_is_shifted(tmp_path):
    """ED50 to WGS 84 by three numbers (EPSG:1133, good to 15 m); unshifted it is 130 m off."""
    raster = in_degrees(10, 50, "EPSG:4230")
    lon, lat = raster.transform @ centres(SHAPE)
    moved = geocentric(lon, lat, (6_378_388.0, 1 / 297.0)) + np.reshape((-87, -98, -121), (3, 1, 1))
    at = raster.middle
    pixels = as_reflectance(*plane(at, moved)).astype(np.float32)
    path = write_raster(tmp_path / "a.tif", pixels, S2_NAMES, raster.transform, raster.crs)
    scene = open_scene(SceneInputs(s2=(path,)))
    assert farthest(scene, raster, at)[0] < 15


def test_a_pixel_is_an_area_also_where_the_file_says_point(tmp_path):
    raster = around(87, 28, UTM45, 20)
    path = raster.write(tmp_path / "a.tif", raster.middle)
    area = path.read_bytes()
    with rasterio.open(path, "r+") as file:
        file.update_tags(AREA_OR_POINT="Point")
    assert path.read_bytes() != area
    with rasterio.Env(GTIFF_POINT_GEO_IGNORE=True), rasterio.open(path) as file:
        tied = file.transform  # what the file has is the middle of its first pixel
    assert (tied.c, tied.f) == pytest.approx((raster.transform.c + 10, raster.transform.f - 10))
    scene = open_scene(SceneInputs(s2=(path,)))
    assert farthest(scene, raster, raster.middle)[0] < TOLERANCE


@pytest.mark.parametrize("name", ["UTM, 20 m", "turned by 33°", "antimeridian in degrees"])
def test_a_world_file_names_the_middle_of_a_pixel(tmp_path, name):
    check_places(tmp_path, PLACES[name], TFW="YES", PROFILE="BASELINE")
    assert (tmp_path / "a.tfw").exists()


@pytest.mark.parametrize(
    "name", ["UTM", "UTM, 20 m", "degrees", "antimeridian in degrees", "axes to the west and south"]
)
def test_a_jpeg_2000_lies_where_it_says(tmp_path, name):
    raster = PLACES[name]
    at = raster.middle
    files = []
    for i, band in enumerate(S2_NAMES):
        values = as_numbers(*offsets(raster.crs, raster.transform, raster.shape, at))
        path = tmp_path / f"a_{band}.jp2"
        write_raster(
            path,
            values[i : i + 1].astype(np.uint16),
            None,
            raster.transform,
            raster.crs,
            driver="JP2OpenJPEG",
            QUALITY="100",
            REVERSIBLE="YES",
        )
        files.append(path)
    scene = open_scene(SceneInputs(s2=tuple(files)))
    assert farthest(scene, raster, at, "s2 numbers")[0] < TOLERANCE


HALF_WORLD = 20_037_508.34  # m, web Mercator's x at 180°
NOWHERE = {
    "North Pole in degrees": (in_degrees(15, 88, wide=9), GridMismatch, r"88\.0° N.*84° N"),
    "South Pole in degrees": (in_degrees(15, -85, wide=9), GridMismatch, r"85\.0° S.*80° S"),
    "North Pole, UPS": (around(30, 90, "EPSG:5041"), GridMismatch, r"90\.0° N"),
    "South Pole": (around(30, -90, "EPSG:3031"), GridMismatch, r"90\.0° S"),
    "web Mercator's top": (around(30, 84.9, "EPSG:3857", 50), GridMismatch, r"84\.9° N"),
    "past the pole": (in_degrees(15, 95), MissingCRS, "nowhere on Earth"),
    "feet taken for degrees": (
        Raster("EPSG:4326", Affine(32.8, 0, 985_000, 0, -32.8, 211_000)),
        MissingCRS,
        "nowhere on Earth",
    ),
    "numbers without end": (
        Raster(UTM45, Affine(10, 0, np.inf, 0, -10, 3.1e6)),
        MissingCRS,
        "nowhere on Earth",
    ),
}
PAST_THE_EDGE = {
    "web Mercator past 180°": Raster("EPSG:3857", Affine(10, 0, HALF_WORLD - 450, 0, -10, -1.8e6)),
    "web Mercator past -180°": Raster("EPSG:3857", Affine(10, 0, -HALF_WORLD - 450, 0, -10, 5e6)),
    "sinusoidal past its edge": around(179.998, 60, "+proj=sinu +R=6371007.181"),
    "no numbers": Raster(UTM45, Affine(10, 0, np.nan, 0, -10, 3.1e6)),
    "pixels without height": Raster(UTM45, Affine(10, 0, 5e5, 0, 0, 3.1e6)),
    "pixels on one line": Raster(UTM45, Affine(10, 10, 5e5, 10, 10, 3.1e6)),
    "a zone's numbers far outside of it": Raster(UTM45, Affine(10, 0, 1.5e7, 0, -10, 3.1e6)),
    "past a zone's pole": Raster(UTM45, Affine(10, 0, 5e5, 0, -10, 2.9e7)),
}


def plain(path, raster):
    """A file without places in its pixels: some of them have none."""
    pixels = np.full((4, *raster.shape), 0.2, np.float32)
    return write_raster(path, pixels, S2_NAMES, raster.transform, raster.crs)


@pytest.mark.parametrize(("raster", "error", "words"), NOWHERE.values(), ids=NOWHERE)
def test_what_lies_in_no_zone_is_refused(tmp_path, raster, error, words):
    with pytest.raises(error, match=words):
        open_scene(SceneInputs(s2=(plain(tmp_path / "a.tif", raster),)))


@pytest.mark.parametrize("raster", PAST_THE_EDGE.values(), ids=PAST_THE_EDGE)
def test_what_has_no_one_place_is_refused(tmp_path, raster):
    with pytest.raises(SceneError, match="nowhere on Earth"):
        open_scene(SceneInputs(s2=(plain(tmp_path / "a.tif", raster),)))


# ---- what a run writes

CORNER = Affine.translation(*around(180, -16.5, "EPSG:32760").transform @ (-40, -30))
FIJI = CORNER @ Affine.scale(10, -10)


@pytest.fixture(scope="module")
def fiji(tmp_path_factory, bundle_path):
    """A run in zone 60 whose tiles lie on both sides of the antimeridian."""
    folder = tmp_path_factory.mktemp("fiji")
    raw, more = scene_numbers(), {"transform": FIJI, "crs": "EPSG:32760"}
    radar = {
        role: (write_radar(folder / f"s1_{role}.tif", raw, role, **more),) for role in RADAR_ROLES
    }
    inputs = SceneInputs(s2=(write_optical(folder / "s2.tif", raw, **more),), **radar)
    return predict_scene(inputs, RunOptions(bundle_path, device="cpu"), folder / "run")


def tile_places(run):
    """Longitude and latitude of points in every tile: (N, 2, 9)."""
    inside = np.linspace(1, 63, 3)
    col, row = (axis.ravel() for axis in np.meshgrid(inside, inside))
    cols = 64 * run.tiles["col"].to_numpy()[:, None] + col
    rows = 64 * run.tiles["row"].to_numpy()[:, None] + row
    on = (cols < 200) & (rows < 160)  # the last tiles overhang
    return np.stack(degrees("EPSG:32760", *(FIJI @ (cols, rows))), axis=1), on


@pytest.mark.parametrize("name", ["tiles.parquet", "tiles.gpkg"])
def test_outlines_do_not_go_round_the_earth(fiji, name):
    path = fiji.folder / name
    tiles = geopandas.read_parquet(path) if name.endswith("parquet") else geopandas.read_file(path)
    outlines = tiles.geometry.force_2d()
    assert outlines.is_valid.all()
    parts = outlines.explode()
    assert len(parts) == len(tiles) + 3  # one column of three tiles is cut
    west, _, east, _ = parts.bounds.to_numpy().T
    assert (west >= -180).all()
    assert (east <= 180).all()
    assert (east - west < 0.01).all()
    assert (west > 0).any()
    assert (east < 0).any()
    heights = np.minimum(64, 160 - 64 * tiles["row"])
    widths = np.minimum(64, 200 - 64 * tiles["col"])
    sizes = [abs(GEOD.geometry_area_perimeter(outline)[0]) for outline in outlines]
    np.testing.assert_allclose(sizes, heights * widths * 100, rtol=0.002)
    places, on = tile_places(fiji)
    for outline, (lon, lat), there in zip(outlines, places, on, strict=True):
        assert shapely.contains_xy(outline, lon[there], lat[there]).all()


def test_rasters_of_a_run_lie_where_the_tiles_do(fiji):
    places, on = tile_places(fiji)
    with rasterio.open(fiji.folder / "probability.tif") as file:
        pixels = file.read(1)
        into = Transformer.from_crs("EPSG:4326", file.crs, always_xy=True)
        for (lon, lat), there, chance in zip(places, on, fiji.tiles["probability"], strict=True):
            col, row = ~file.transform @ into.transform(lon[there], lat[there])
            found = pixels[np.floor(row).astype(int), np.floor(col).astype(int)]
            np.testing.assert_array_equal(found, np.float32(chance))
    assert fiji.tiles["probability"].nunique() > 3  # places can be told apart


def test_the_picture_for_the_map_lies_across_the_antimeridian(fiji):
    geobox = fiji.grid().geobox
    (south, west), (north, east) = render.web_map_bounds(geobox)
    assert (north - south, east - west) == pytest.approx((0.0147, 0.0189), abs=0.0005)
    assert abs((west + east) / 2 % 360 - 180) < 0.01
    full = np.zeros((*geobox.shape, 4), np.uint8)
    full[..., 0], full[..., 1], full[..., 3] = np.arange(200), np.arange(160)[:, None], 255
    warped = render.to_web_map(full, geobox)
    height, width = warped.shape[:2]
    assert width == pytest.approx(200, rel=0.05)
    lon, lat = degrees("EPSG:32760", *(FIJI @ (50.5, 40.5)))
    at = warped[
        int((north - lat) / (north - south) * height),
        int((lon % 360 - west) / (east - west) * width),
    ]
    assert at[:2].astype(int) == pytest.approx((50, 40), abs=1)


def test_the_app_s_map_draws_tiles_side_by_side(fiji):
    from pages.parts.maps import features as app_features

    drawn = app_features.within(app_features.placed(fiji))
    rings = [np.array(f["geometry"]["coordinates"][0]) for f in drawn["features"]]
    longitudes = np.concatenate(rings)[:, 0]
    assert np.ptp(longitudes) < 0.03  # Leaflet would draw -179.99 on the other side of the map
