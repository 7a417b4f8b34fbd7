"""Previews: scaling, palettes, overviews read by strips, and warping to the web map."""

import io
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from PIL import Image
from pyproj import Transformer

from landslide_core import render
from landslide_core.bands import BAND_NAMES, INDEX
from landslide_core.grid import Grid, Window


def grid(height: int, width: int) -> Grid:
    return Grid(GeoBox((height, width), Affine(10, 0, 300_000, 0, -10, 3_100_000), "EPSG:32645"))


@dataclass
class Coordinates:
    """A scene whose bands hold their own row (band 0) and column (the others)."""

    grid: Grid
    windows: list[Window] = field(default_factory=list)

    def read(self, window: Window) -> render.Floats:
        self.windows.append(window)
        rows, cols = np.mgrid[
            window.row : window.row + window.height, window.col : window.col + window.width
        ].astype(np.float32)
        pixels = np.stack([rows] + [cols] * (len(BAND_NAMES) - 1))
        pixels[:, (rows >= self.grid.height) | (cols >= self.grid.width)] = np.nan
        return pixels

    def band(self, name: str, window: Window) -> render.Floats:
        plane: render.Floats = self.read(window)[INDEX[name]]
        return plane

    def read_cloud(self, window: Window) -> np.ndarray:
        return np.zeros((window.height, window.width), np.bool_)


def test_overview_is_the_block_mean_and_reads_strips() -> None:
    scene = Coordinates(grid(1300, 1000))
    small = render.overview(scene, longest=256)  # type: ignore[arg-type]
    step, geobox = render.shrink(scene.grid, 256)
    assert step == 6
    assert small.pixels.shape == (12, 217, 167)
    assert geobox.shape == (217, 167)
    assert small.pixels[0, 10, 0] == pytest.approx(10 * 6 + 2.5)
    assert small.pixels[1, 0, 20] == pytest.approx(20 * 6 + 2.5)
    assert max(window.height for window in scene.windows) <= 128
    assert np.isfinite(small.pixels).all()  # the overhang is left out of the mean
    assert small.cloud is not None
    assert not small.cloud.any()


def test_an_overview_of_some_bands_reads_only_these() -> None:
    class Some(Coordinates):
        asked: ClassVar[set[str]] = set()

        def band(self, name: str, window: Window) -> render.Floats:
            self.asked.add(name)
            return super().band(name, window)

    whole = render.overview(Coordinates(grid(300, 200)), 100)  # type: ignore[arg-type]
    some = render.overview(Some(grid(300, 200)), 100, ("nir", "red"))  # type: ignore[arg-type]
    wanted = [INDEX["red"], INDEX["nir"]]
    assert Some.asked == {"red", "nir"}
    assert some.cloud is None
    np.testing.assert_array_equal(some.pixels[wanted], whole.pixels[wanted])
    assert np.isnan(np.delete(some.pixels, wanted, axis=0)).all()


def test_a_small_scene_is_not_enlarged() -> None:
    scene = Coordinates(grid(70, 90))
    small = render.overview(scene)  # type: ignore[arg-type]
    assert small.pixels.shape == (12, 70, 90)
    assert small.geobox.transform == scene.grid.transform


def test_composite_hides_pixels_without_data() -> None:
    layer = np.array([[0.0, 5.0], [10.0, np.nan]], np.float32)
    layer.flags.writeable = False
    picture = render.composite([layer] * 3, [(0.0, 10.0)] * 3)
    assert picture[..., 3].tolist() == [[255, 255], [255, 0]]
    assert picture[..., 0].tolist() == [[0, 128], [255, 0]]


def test_optical_keeps_hues_and_does_not_stretch_noise() -> None:
    pixels = np.full((12, 8, 8), np.nan, np.float32)
    for name, level in (("red", 500.0), ("green", 520.0), ("blue", 510.0), ("nir", 2500.0)):
        pixels[INDEX[name]] = level
    picture = render.optical(pixels, ("red", "green", "blue"))
    assert np.ptp(picture[0, 0, :3].astype(int)) < 30
    assert (picture[..., 3] == 255).all()


def test_everything_draws_without_data() -> None:
    empty = np.full((12, 8, 8), np.nan, np.float32)
    for picture in (
        render.optical(empty, ("red", "green", "blue")),
        render.optical(empty, ("nir", "red", "green")),
        render.radar(empty, "asc_post"),
        render.colourise(render.change(empty, "desc", "vv"), render.CHANGE_LIMITS, "orange-blue"),
    ):
        assert not picture.any()


def test_change_is_post_minus_pre() -> None:
    pixels = np.zeros((12, 4, 4), np.float32)
    pixels[INDEX["asc_vh_post"]] = -14.0
    pixels[INDEX["asc_vh_pre"]] = -17.0
    assert (render.change(pixels, "asc", "vh") == 3.0).all()


@pytest.mark.parametrize("name", render.PALETTES)
def test_palettes_run_end_to_end(name: str) -> None:
    first, last = render.PALETTES[name][0], render.PALETTES[name][-1]
    ends = render.palette_at(np.array([0.0, 1.0]), name)
    assert ["#" + bytes(colour).hex() for colour in ends] == [first, last]


@pytest.mark.parametrize("name", ["viridis", "cividis", "grey"])
def test_sequential_palettes_grow_lighter(name: str) -> None:
    colours = render.palette_at(np.linspace(0, 1, 25), name).astype(float)
    light = colours @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > 0).all()


def test_mask_over_a_picture() -> None:
    base = np.full((2, 2, 4), 100, np.uint8)
    flag = np.array([[True, False], [False, False]])
    laid = render.over(base, render.mask(flag, (200, 0, 0)), 0.5)
    assert laid[0, 0].tolist() == [150, 50, 50, 100]
    assert (laid[1] == 100).all()


def test_web_map_picture_lies_where_its_bounds_say() -> None:
    """A bright pixel of the scene comes out at its own longitude and latitude."""
    here = grid(400, 600)
    picture = np.zeros((400, 600, 4), np.uint8)
    picture[..., 3] = 255
    picture[100:110, 450:460, 0] = 255
    warped = render.to_web_map(picture, here.geobox)
    (south, west), (north, east) = render.web_map_bounds(here.geobox)
    rows, cols = np.nonzero(warped[..., 0] > 128)
    x, y = here.transform @ (455.0, 105.0)
    lon, lat = Transformer.from_crs("EPSG:32645", "EPSG:4326", always_xy=True).transform(x, y)
    height, width = warped.shape[:2]
    assert max(height, width) <= 1024
    assert (cols.mean() + 0.5) / width == pytest.approx((lon - west) / (east - west), abs=1 / width)
    # Over 4 km the Mercator scale is constant to 1e-4, so latitude may be taken as linear.
    assert (rows.mean() + 0.5) / height == pytest.approx(
        (north - lat) / (north - south), abs=1 / height
    )


def test_web_map_picture_is_held_to_its_size() -> None:
    warped = render.to_web_map(np.full((900, 300, 4), 255, np.uint8), grid(900, 300).geobox, 256)
    assert max(warped.shape[:2]) == 256


@pytest.mark.parametrize("form", ["WEBP", "PNG"])
def test_encoded_pictures_open(form: str) -> None:
    shown = Image.open(io.BytesIO(render.encode(np.full((5, 7, 4), 90, np.uint8), form)))
    assert shown.size == (7, 5)
    assert shown.mode == "RGBA"
