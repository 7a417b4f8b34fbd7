"""Map tiles: the right colour at the right place, for runs and looks alone, from many threads."""

import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from math import asinh, floor, pi, radians, tan
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import rasterio
from affine import Affine
from paging import get
from PIL import Image
from pyproj import Transformer

from landslide_core import layers, levels, looks, render
from landslide_core.bands import BAND_NAMES
from landslide_core.folder import Run, open_run
from landslide_core.layers import LAYERS
from landslide_core.outputs import VERDICT_COLOURS
from pages.parts.maps import looks as making
from pages.parts.maps import painting, tiles

KEY = "a" * 64


def at(lon: float, lat: float, z: int) -> tuple[int, int, int, int]:
    """Tile column and row of a place, and the pixel in it: row and column."""
    x, y = (lon + 180) / 360 * 2**z, (1 - asinh(tan(radians(lat))) / pi) / 2 * 2**z
    return floor(x), floor(y), int(y % 1 * 256), int(x % 1 * 256)


def lonlat(raster, row: float, col: float) -> tuple[float, float]:
    x, y = raster.transform @ (col, row)
    return Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True).transform(x, y)


def picture(body: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"))


def write_raster(path: Path, values: np.ndarray, crs: str, origin: Affine, nodata: float) -> Path:
    """A raster (h, w) or (n, h, w) as it is."""
    stack = values.reshape(-1, *values.shape[-2:])
    profile = {"driver": "GTiff", "dtype": stack.dtype, "nodata": nodata, "crs": crs}
    count, height, width = stack.shape
    size = {"count": count, "height": height, "width": width}
    with rasterio.open(path, "w", **profile, **size, transform=origin) as raster:
        raster.write(stack)
    return path


@pytest.fixture(scope="module")
def made_look(made: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The look at the tiny run's scene."""
    return looks.make_look(made.inputs(), tmp_path_factory.mktemp("looks") / "look.tif")


@pytest.fixture
def look(with_run: Path, made: Run, made_look: Path) -> str:
    """That look, where the server keeps them; its key."""
    making.folder().mkdir()
    key = looks.look_key(made.inputs())
    shutil.copy(made_look, making.folder() / f"{key}.tif")
    return key


class TestColours:
    @pytest.mark.parametrize(("name", "top"), [("probability", 1.0), ("spread", 0.5)])
    def test_a_tiles_pixel_is_the_palettes_colour(
        self, with_run: Path, name: str, top: float
    ) -> None:
        with rasterio.open(with_run / "tiny" / f"{name}.tif") as raster:
            values = raster.read(1)
            rows, cols = np.nonzero(np.isfinite(values))
            spots = [(rows[i], cols[i]) for i in range(0, len(rows), len(rows) // 7)]
            places = [lonlat(raster, row + 0.5, col + 0.5) for row, col in spots]
        for (row, col), place in zip(spots, places, strict=True):
            x, y, down, right = at(*place, 15)
            status, body = get(f"/tiles/tiny/{name}/15/{x}/{y}.webp")
            assert status == 200
            palette = {"probability": "viridis", "spread": "cividis"}[name]
            wanted = render.palette_at(min(values[row, col] / top, 1), palette)
            assert picture(body)[down, right].tolist() == [*wanted.tolist(), 255]

    def test_verdicts_have_their_colours(self, with_run: Path) -> None:
        with rasterio.open(with_run / "tiny" / "verdict.tif") as raster:
            code = raster.read(1)[160, 160]
            place = lonlat(raster, 160.5, 160.5)
        x, y, down, right = at(*place, 16)
        shown = picture(get(f"/tiles/tiny/verdict/16/{x}/{y}@2x.webp")[1])
        colour = list(VERDICT_COLOURS.values())[code]
        assert shown.shape == (512, 512, 4)
        assert shown[2 * down, 2 * right].tolist() == [*bytes.fromhex(colour[1:]), 255]

    def test_a_share_kept_in_bytes_is_painted_by_its_scale(self, tmp_path: Path) -> None:
        stored = np.full((64, 64), 51, np.uint8)  # 51 ÷ 255 = 0.2
        stored[:, 32:] = 255
        path = write_raster(
            tmp_path / "l.tif", stored, "EPSG:32645", Affine(10, 0, 3e5, 0, -10, 3.1e6), 255
        )
        with rasterio.open(path, "r+") as raster:
            raster.scales = (1 / 255,)
            place = lonlat(raster, 32, 16)
        x, y, down, right = at(*place, 16)
        body = painting.tile(path, LAYERS["localisation"], (16, x, y))
        wanted = render.palette_at(0.2, "viridis").tolist()
        assert picture(body)[down, right].tolist() == [*wanted, 255]

    def test_change_is_post_minus_pre_and_may_be_stretched(self, tmp_path: Path) -> None:
        planes = np.full((13, 64, 64), np.nan, np.float32)
        planes[levels.BANDS.index("desc_vv_post")] = -10.0
        planes[levels.BANDS.index("desc_vv_pre")] = -13.0
        path = write_raster(
            tmp_path / "look.tif",
            levels._stored(levels.BANDS, planes),
            "EPSG:32645",
            Affine(10, 0, 3e5, 0, -10, 3.1e6),
            levels.NO_DATA,
        )
        with rasterio.open(path, "r+") as raster:
            raster.update_tags(
                available='["desc_vv_post", "desc_vv_pre"]', has_cloud="false", natural="{}"
            )
            place = lonlat(raster, 32, 32)
        x, y, down, right = at(*place, 15)
        layer = LAYERS["desc-change-vv"]
        for stretch, share in (((None, None), 9 / 12), ((-4.0, 4.0), 7 / 8), ((3.0, None), 0.0)):
            shown = picture(painting.tile(path, layer, (15, x, y), 256, stretch))
            wanted = render.palette_at(share, "orange-blue").tolist()
            assert shown[down, right, :3].tolist() == wanted
        with pytest.raises(KeyError):
            painting.tile(path, LAYERS["asc-change-vv"], (15, x, y))


class TestPlace:
    @pytest.mark.parametrize("zoom", [13, 14, 15])
    def test_georeference_holds_to_a_pixel(self, tmp_path: Path, zoom: int) -> None:
        values = np.zeros((400, 500), np.float32)
        values[200:240, 300:340] = 1.0
        path = write_raster(
            tmp_path / "p.tif", values, "EPSG:32645", Affine(10, 0, 3e5, 0, -10, 3.1e6), np.nan
        )
        with rasterio.open(path) as raster:
            lon, lat = lonlat(raster, 220, 320)
        x, y, _, _ = at(lon, lat, zoom)
        grid = np.vstack(
            [
                np.hstack(
                    [
                        picture(painting.tile(path, LAYERS["probability"], (zoom, x + i, y + j)))
                        for i in (-1, 0, 1)
                    ]
                )
                for j in (-1, 0, 1)
            ]
        )
        rows, cols = np.nonzero(grid[..., 0] > 200)
        fx, fy = (lon + 180) / 360 * 2**zoom, (1 - asinh(tan(radians(lat))) / pi) / 2 * 2**zoom
        assert cols.mean() + 0.5 == pytest.approx((fx - x + 1) * 256, abs=1)
        assert rows.mean() + 0.5 == pytest.approx((fy - y + 1) * 256, abs=1)

    def test_both_sides_of_the_antimeridian(self, tmp_path: Path) -> None:
        """A raster of zone 60 that lies across 180°: tiles at either end of the map show it."""
        values = np.linspace(0, 1, 4000, dtype=np.float32).reshape(1, -1).repeat(400, axis=0)
        middle = Transformer.from_crs("EPSG:4326", "EPSG:32660", always_xy=True).transform(180, -17)
        origin = Affine(10, 0, middle[0] - 20_000, 0, -10, middle[1] + 2000)
        path = write_raster(tmp_path / "p.tif", values, "EPSG:32660", origin, np.nan)
        for lon in (179.95, -179.95):
            x, y, down, right = at(lon, -17.0, 12)
            shown = picture(painting.tile(path, LAYERS["probability"], (12, x, y)))
            east = Transformer.from_crs("EPSG:4326", "EPSG:32660", always_xy=True).transform(
                lon, -17
            )[0]
            share = (east - origin.c) / 40_000
            wanted = render.palette_at(share, "viridis").astype(int)
            assert np.abs(shown[down, right, :3].astype(int) - wanted).max() <= 2
        x, y, _, _ = at(0.0, -17.0, 12)
        assert painting.tile(path, LAYERS["probability"], (12, x, y)) == painting.nothing(256)

    def test_zoomed_far_out(self, with_run: Path) -> None:
        status, body = get("/tiles/tiny/probability/0/0/0.webp")
        assert (status, picture(body).shape) == (200, (256, 256, 4))

    def test_past_the_edge_there_is_nothing_to_see(self, with_run: Path) -> None:
        status, body = get("/tiles/tiny/probability/12/0/0.webp")
        assert status == 200
        assert not picture(body).any()


class TestRoutes:
    def test_pictures_of_a_run_are_its_look(self, with_run: Path, look: str) -> None:
        run = open_run(with_run / "tiny")
        (south, west), (north, east) = render.web_map_bounds(run.grid().geobox)
        x, y, _, _ = at((west + east) / 2, (south + north) / 2, 13)
        for layer in layers.of_run(run):
            status, body = get(f"/tiles/tiny/{layer.name}/13/{x}/{y}.webp")
            assert status == 200, layer
            if layer.kind != "result":
                assert get(f"/look/{look}/{layer.name}/13/{x}/{y}.webp") == (200, body)
            if layer.name not in ("cloud", "localisation"):
                assert picture(body).any(), layer

    def test_all_layers_of_the_scene_are_offered(self, with_run: Path, look: str) -> None:
        run = open_run(with_run / "tiny")
        offered = {layer.name for layer in layers.of_run(run)}
        assert {"probability", "verdict", "spread", "true-colour", "ndvi", "cloud"} <= offered
        assert "desc-post-vv" not in offered  # the composite shows it
        path = making.path_of(look)
        assert path is not None
        shown = {layer.name for layer in looks.facts(path).layers}
        results = {layer.name for layer in LAYERS.values() if layer.kind == "result"}
        assert offered - results == shown

    def test_addresses_open(self, with_run: Path, look: str) -> None:
        fill = {"z": 3, "x": 6, "y": 3, "r": ""}
        for url in (
            tiles.tile_url(with_run / "tiny", "probability"),
            tiles.look_url(look, "true-colour"),
        ):
            assert url.startswith("../../")
            path, _, query = url.format(**fill).removeprefix("../..").partition("?")
            assert get(path, "", query)[0] == 200
            assert get(f"/slides{path}", "slides", query)[0] == 200

    def test_moved_inputs_leave_the_results(
        self, with_run: Path, look: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert get("/tiles/tiny/true-colour/5/0/0.webp")[0] == 200
        scl = open_run(with_run / "tiny").inputs().s2[1]
        moved = Path(scl).rename(Path(scl).with_suffix(".away"))
        try:
            status, body = get("/tiles/tiny/true-colour/5/0/0.webp")
            assert (status, len(body.splitlines())) == (404, 1)
            assert b"is not there any more" in body
            assert get("/tiles/tiny/verdict/5/0/0.webp")[0] == 200
        finally:
            moved.rename(scl)

    def test_a_look_not_made_yet(self, with_run: Path, look: str) -> None:
        path = making.path_of(look)
        assert path is not None
        away = path.rename(path.with_name("away"))
        try:
            status, body = get("/tiles/tiny/ndvi/5/0/0.webp")
            assert status == 404
            assert b"isn't made yet" in body
        finally:
            away.rename(path)

    @pytest.mark.parametrize(
        "path",
        [
            "/tiles/other/probability/1/0/0.webp",
            "/tiles/tiny/secrets/1/0/0.webp",
            "/tiles/../tiny/probability/1/0/0.webp",
            "/tiles/%2e%2e/probability/1/0/0.webp",
            "/tiles/..%2Fruns%2Ftiny/probability/1/0/0.webp",
            "/tiles/.looks/probability/1/0/0.webp",
            "/tiles/.hidden/probability/1/0/0.webp",
            "/tiles/tiny/..%2Fprobability/1/0/0.webp",
            "/tiles/tiny/probability/23/0/0.webp",
            "/tiles/tiny/probability/1/2/0.webp",
            "/tiles/tiny/probability/1/0/2.webp",
            "/tiles/tiny/probability/1/-1/0.webp",
            f"/tiles/tiny/probability/1/{10**300}/0.webp",
            f"/tiles/tiny/probability/{'9' * 5000}/0/0.webp",
            f"/tiles/tiny/probability/1/{'9' * 5000}/0@2x.webp",
            "/tiles/tiny/probability/1/0/\u0663.webp",
            f"/look/{KEY}/true-colour/1/0/0.webp",
            f"/look/..%2F{KEY}/true-colour/1/0/0.webp",
            "/look/tiny/true-colour/1/0/0.webp",
            f"/look/{KEY}/probability/1/0/0.webp",
        ],
    )
    def test_nothing_else(self, with_run: Path, path: str) -> None:
        (with_run / ".hidden").mkdir(exist_ok=True)
        for name in ("run.json", "probability.tif"):
            (with_run / ".hidden" / name).write_bytes((with_run / "tiny" / name).read_bytes())
        assert get(path)[0] == 404
        assert get(unquote(path))[0] == 404  # as a server hands it on

    def test_a_run_of_an_older_version(self, with_run: Path) -> None:
        run = open_run(with_run / "tiny")
        (with_run / "tiny" / "localisation.tif").unlink(missing_ok=True)
        assert get("/tiles/tiny/localisation/1/0/0.webp")[0] == 404
        offered = [layer.name for layer in layers.of_run(run)]
        assert offered[:4] == ["probability", "verdict", "spread", "true-colour"]

    @pytest.mark.parametrize(
        "query", ["low=1&high=0", "low=nan", "high=inf", "low=a", "low=2", "low=0.5&high=0.5"]
    )
    def test_a_stretch_that_is_none(self, with_run: Path, query: str) -> None:
        path = "/tiles/tiny/probability/1/0/0.webp"
        assert get(path, query=query)[0] == 400
        assert get(path, query="low=0.2&high=0.4&v=1")[0] == 200

    @pytest.mark.parametrize("layer", ["probability", "verdict", "true-colour", "desc-change-vv"])
    def test_limits_past_all_measure(self, with_run: Path, look: str, layer: str) -> None:
        path = f"/tiles/tiny/{layer}/5/0/0.webp"
        assert get(path, query="low=-1e308&high=1e308")[0] in (200, 400)

    def test_a_sharp_tile_has_twice_the_pixels(self, with_run: Path) -> None:
        body = get("/tiles/tiny/probability/1/0/0@2x.webp")[1]
        assert picture(body).shape == (512, 512, 4)

    def test_many_at_once_are_as_right_as_one(self, with_run: Path, look: str) -> None:
        with rasterio.open(with_run / "tiny" / "probability.tif") as raster:
            place = lonlat(raster, 160, 160)
        x, y, _, _ = at(*place, 14)
        paths = [
            f"/tiles/tiny/{layer}/14/{x + i}/{y + j}.webp"
            for layer in ("probability", "verdict", "true-colour", "desc-post", "ndvi")
            for i in (0, 1)
            for j in (0, 1)
        ] * 2
        alone = {path: get(path) for path in paths}
        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(get, paths))
        assert len(paths) == 40
        assert together == [alone[path] for path in paths]
        assert {status for status, _ in together} == {200}


def test_a_composites_stretch_moves_all_its_planes() -> None:
    vv, vh, ratio = layers.limits_of(LAYERS["asc-post"], {}, -20.0, -4.0)
    assert vv == (-20.0, -4.0)
    assert vh == pytest.approx((-26.0, -10.0))
    assert ratio == pytest.approx((1 + 13 / 11, 14 - 26 / 11))
    natural = {"visible": (100.0, 1100.0)}
    assert layers.limits_of(LAYERS["true-colour"], natural) == ((100.0, 1100.0),) * 3
    assert layers.limits_of(LAYERS["true-colour"], natural, high=600.0) == ((100.0, 600.0),) * 3


def test_ndvi_by_hand() -> None:
    nir, red = np.array([[3000.0, 1000.0, 0.0]]), np.array([[1000.0, 1000.0, 0.0]])
    found = render.ndvi(nir.astype(np.float32), red.astype(np.float32))
    np.testing.assert_array_equal(found, [[0.5, 0.0, np.nan]])


def test_every_layer_paints_and_has_a_legend() -> None:
    for layer in LAYERS.values():
        planes = np.full((len(layer.bands) or 1, 4, 4), np.nan, np.float32)
        assert not layers.paint(layer, planes, layers.limits_of(layer, {})).any()
        assert layer.note
        assert bool(layer.palette) == bool(layer.ticks), layer
        if layer.palette:
            assert layer.palette in render.PALETTES
    assert layers.of_scene(BAND_NAMES, False)[0] == LAYERS["true-colour"]
    assert layers.of_scene((), True) == [LAYERS["cloud"]]
