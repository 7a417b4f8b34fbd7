"""A raster cut into files is read as if it had never been cut."""

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from test_scene import ALL, GRID, ORIGIN, UTM, source_of, write

from landslide_core.errors import UnreadableRaster
from landslide_core.grid import Window
from landslide_core.pixels import BandSource
from landslide_core.scene import Scene
from landslide_core.shards import joined

DEGREES = GeoBox.from_bbox(
    GRID.geobox.footprint("EPSG:4326").buffer(0.002).boundingbox, "EPSG:4326", resolution=1e-4
)
GEOBOXES = {
    "same grid": GRID.geobox,
    "shifted": GeoBox((125, 205), ORIGIN @ Affine.translation(-1.4, -2.7), UTM),
    "turned": GeoBox((300, 300), ORIGIN @ Affine.translation(-20, 40) @ Affine.rotation(-20), UTM),
    "30 m": GeoBox((60, 80), Affine(30, 0, 499_790, 0, -30, 3_100_310), UTM),
    "5 m": GeoBox((300, 500), Affine(5, 0, 499_902, 0, -5, 3_100_101), UTM),
    "degrees": DEGREES,
}
SIZES = {"30 m": 30.0, "5 m": 5.0}


def cut(path, geobox, pixels, unit, size=10.0, pieces=3):
    """Write (bands, height, width) whole and in 3 × 3 pieces; give one source, and the pieces'."""
    crs, transform = str(geobox.crs), geobox.transform
    whole = write(path / "whole.tif", pixels, transform, crs)
    rows = np.linspace(0, pixels.shape[1], pieces + 1).astype(int)
    cols = np.linspace(0, pixels.shape[2], pieces + 1).astype(int)
    shards = []
    for i in range(pieces):
        for k in range(pieces):
            part = pixels[:, rows[i] : rows[i + 1], cols[k] : cols[k + 1]]
            corner = transform @ Affine.translation(int(cols[k]), int(rows[i]))
            file = write(path / f"{i}{k}.tif", part, corner, crs)
            shards.append(source_of(file, unit, resolution=size))
    return source_of(whole, unit, resolution=size), tuple(shards)


def numbers(shape, unit):
    """Values of a unit with scattered gaps."""
    rng = np.random.default_rng(7)
    if unit == "class":
        return rng.integers(0, 12, (1, *shape)).astype(np.uint8)
    values = rng.gamma(4.4, 0.02, (1, *shape)).astype(np.float32)
    values[rng.random(values.shape) < 0.01] = 0
    if unit == "db":
        with np.errstate(divide="ignore"):
            return np.where(values > 0, 10 * np.log10(values), -9999).astype(np.float32)
    return values


@pytest.mark.parametrize("unit", ["db", "linear", "reflectance"])
@pytest.mark.parametrize("name", GEOBOXES)
def test_pieces_have_the_values_of_the_whole(tmp_path, name, unit):
    geobox = GEOBOXES[name]
    pixels = numbers(geobox.shape, unit)
    whole, shards = cut(tmp_path, geobox, pixels, unit, SIZES.get(name, 10.0))
    band = "red" if unit == "reflectance" else "asc_vv_pre"
    expected = Scene(GRID, {band: (whole,)}).band(band, ALL)
    scene = Scene(GRID, {band: shards})
    assert np.isfinite(expected).mean() > 0.9
    if name == "degrees":  # the corner of a piece rounds otherwise in the last bit
        np.testing.assert_allclose(scene.band(band, ALL), expected, rtol=1e-5)
    else:
        np.testing.assert_array_equal(scene.band(band, ALL), expected)
    found = scene.band(band, ALL)
    for window in (Window(37, 51, 13, 70), Window(30, 60), Window(64, 90, 1, 1)):
        rows = slice(window.row, window.row + window.height)
        cols = slice(window.col, window.col + window.width)
        np.testing.assert_array_equal(scene.band(band, window), found[rows, cols])


def test_classes_and_elevation_of_pieces_are_those_of_the_whole(tmp_path):
    geobox = GEOBOXES["30 m"]
    for unit in ("class", "metres"):
        (tmp_path / unit).mkdir()
        pixels = numbers(geobox.shape, unit)
        whole, shards = cut(tmp_path / unit, geobox, pixels, unit, 30.0)
        if unit == "class":
            one, many = (Scene(GRID, {}, classes=s).read_cloud(ALL) for s in ((whole,), shards))
        else:
            one, many = (
                Scene(GRID, {}, elevation=s).read_elevation(ALL) for s in ((whole,), shards)
            )
        np.testing.assert_array_equal(one, many)


def test_a_plane_has_no_step_where_tiles_of_elevation_meet(tmp_path):
    rows, cols = np.indices((60, 80)) + 0.5
    plane = (2000 - 12 * rows + 9 * cols)[None].astype(np.float32)
    _, shards = cut(tmp_path, GEOBOXES["30 m"], plane, "metres", 30.0)
    found = Scene(GRID, {}, elevation=shards).read_elevation(ALL)
    np.testing.assert_allclose(np.diff(found, axis=0), -4, atol=2e-3)
    np.testing.assert_allclose(np.diff(found, axis=1), 3, atol=2e-3)


def source(corner=(0, 0), shape=(10, 10), unit="linear", name="a", offset=(0.0, 0.0)):
    """A source without a file, at (row, column) of a grid."""
    place = ORIGIN @ Affine.translation(corner[1] + offset[1], corner[0] + offset[0])
    return BandSource(f"{name}{corner}.tif", 1, GeoBox(shape, place, UTM), 10.0, unit)


def test_pieces_lie_where_they_belong():
    right, left, below = source((0, 10)), source((0, 0)), source((10, 0), (5, 20))
    (one,) = joined((right, left, below))
    assert one.geobox == GeoBox((15, 20), ORIGIN, UTM)
    assert one.shards == ((0, 10, right), (0, 0, left), (10, 0, below))


@pytest.mark.parametrize(
    "other",
    [
        source((0, 9)),  # overlaps: another acquisition, or a margin
        source((0, 10), unit="db"),
        source((0, 10), offset=(0.3, 0)),  # pixels that don't coincide
    ],
)
def test_what_overlaps_or_differs_stays_apart(other):
    assert joined((source(), other)) == (source(), other)


def test_order_and_dates_are_kept():
    dates = [(source((0, 0), name=name), source((0, 10), name=name)) for name in "ab"]
    first, second = joined((*dates[0], *dates[1]))
    assert [shard for *_, shard in first.shards] == list(dates[0])
    assert [shard for *_, shard in second.shards] == list(dates[1])
    assert joined((source(), source())) == (source(),)
    assert joined(()) == ()


def test_a_piece_that_vanished_is_named(tmp_path):
    _, shards = cut(tmp_path, GRID.geobox, numbers(GRID.shape, "linear"), "linear")
    (tmp_path / "12.tif").unlink()
    with pytest.raises(UnreadableRaster, match=r"12\.tif"):
        Scene(GRID, {"asc_vv_pre": shards}).read(ALL)
