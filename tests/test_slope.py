"""Slope from elevation, and the mask that drops flat tiles from the alarms."""

from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
from affine import Affine
from conftest import ORIGIN, SIZE, UTM, write_raster
from odc.geo.geobox import GeoBox

from landslide_core.errors import GridMismatch, RunStopped, SceneError
from landslide_core.folder import FILES
from landslide_core.grid import Grid, Tiling
from landslide_core.judgement import LANDSLIDE, NO_DATA, STABLE, Judgement
from landslide_core.pixels import BandSource
from landslide_core.plan import RunOptions
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.runs import predict_scene, resume_run
from landslide_core.scene import Scene
from landslide_core.slope import alarms, check_mask, mask_record, masked, slope_degrees, tile_slopes
from landslide_core.tiles import enclosing

SCENES = Path(__file__).parents[1] / "../shared/data/scenes"
GRID = Grid(GeoBox(SIZE, ORIGIN, UTM))
TILING = Tiling(*SIZE)


def plane(east, south, shape=(20, 30)):
    """Heights that rise by so many metres a metre to the east and to the south."""
    rows, cols = np.indices(shape)
    return (10 * (east * cols + south * rows)).astype(np.float32)


@pytest.mark.parametrize("degrees", [0, 1, 5, 30, 60])
@pytest.mark.parametrize("turn", [0, 45, 90, 200])
def test_a_plane_has_its_own_slope_whichever_way_it_faces(degrees, turn):
    rise = np.tan(np.radians(degrees))
    heights = plane(rise * np.cos(np.radians(turn)), rise * np.sin(np.radians(turn)))
    slopes = slope_degrees(heights)
    assert slopes.shape == (18, 28)
    assert slopes.dtype == np.float32
    np.testing.assert_allclose(slopes, degrees, atol=2e-3)


@pytest.mark.parametrize(
    ("row", "col", "height", "slope"),
    [
        (0, 1, 40, 45.0),  # due north counts twice: 2 · 40 / (8 · 10)
        (1, 2, 40, 45.0),
        (0, 0, 80, np.degrees(np.arctan(np.sqrt(2)))),  # a corner counts both ways
        (1, 1, 500, 0.0),  # the pixel itself doesn't count
    ],
)
def test_neighbours_weigh_as_in_horn_s_method(row, col, height, slope):
    heights = np.zeros((3, 3), np.float32)
    heights[row, col] = height
    assert slope_degrees(heights)[0, 0] == pytest.approx(slope)


def test_slope_is_unknown_beside_unknown_height():
    heights = plane(0.1, 0.2, (7, 7))
    heights[2, 2] = np.nan
    unknown = np.isnan(slope_degrees(heights))
    # Eight pixels around it; of itself Horn's method needs the neighbours alone.
    assert unknown[:3, :3].sum() == unknown.sum() == 8
    assert not unknown[1, 1]


def scene_with(path, resolution=10.0):
    """A scene of nothing but elevation."""
    with rasterio.open(path) as file:
        geobox = GeoBox(file.shape, file.transform, file.crs)
    return Scene(GRID, {}, elevation=(BandSource(str(path), 1, geobox, resolution, "metres"),))


def write_dem(path, heights, transform=ORIGIN, crs=UTM):
    """A DEM of the scene's pixels."""
    return write_raster(path, heights[None].astype(np.float32), None, transform, crs)


def slopes_of(scene):
    """Each tile's slope, (rows, cols)."""
    windows = list(TILING.windows())
    return tile_slopes(scene, enclosing(windows), windows).reshape(TILING.rows, TILING.cols)


@pytest.mark.parametrize(("width", "is_steep"), [(0, False), (1, False), (3, True), (32, True)])
def test_a_hillside_beside_a_plain_counts_and_a_stray_line_does_not(tmp_path, width, is_steep):
    """`width` columns of 64 in the second tile rise by 20°; 41 pixels are the hundredth."""
    heights = np.zeros(SIZE)
    heights[:, 80 : 80 + width] = np.arange(1, width + 1) * 10 * np.tan(np.radians(20))
    heights[20:, 80 : 80 + width] = 0  # of the first row of tiles only the upper part
    if width == 1:
        heights[1:, 80] = 0  # a single height, above its eight neighbours
    found = slopes_of(scene_with(write_dem(tmp_path / "dem.tif", heights)))
    assert found[0, 0] == 0
    assert (found[0, 1] >= 5) == is_steep


def test_tiles_that_the_dem_hardly_covers_are_unknown(tmp_path):
    heights = np.zeros(SIZE)
    heights[:, 64 : 64 + 7] = np.nan  # an eighth of the second column of tiles, with its border
    heights[:, 130:132] = np.nan  # less than a tenth of the third
    found = slopes_of(scene_with(write_dem(tmp_path / "dem.tif", heights)))
    assert np.isnan(found[:, 1]).all()
    np.testing.assert_array_equal(found[:, [0, 2]], 0)


def test_of_tiles_past_the_edge_the_part_on_the_scene_counts(tmp_path):
    """Eight columns and 32 rows of the last ones are there, their border has no slope."""
    found = slopes_of(scene_with(write_dem(tmp_path / "dem.tif", plane(np.tan(0.3), 0, SIZE))))
    np.testing.assert_allclose(found[:, :3], np.degrees(0.3), atol=2e-3)
    assert np.isnan(found[:, 3]).all()  # an eighth of eight columns is border: no_data anyhow


def test_without_a_dem_no_slope_is_known():
    assert np.isnan(slopes_of(Scene(GRID, {}))).all()


def write_coarse(path):
    """A rugged DEM in degrees, of about 30 m, around the scene."""
    box = GRID.geobox.footprint("EPSG:4326", npoints=50).boundingbox
    step = 0.0003
    transform = Affine(step, 0, box.left - 10 * step, 0, -step, box.top + 10 * step)
    shape = tuple(int(side / step) + 20 for side in (box.top - box.bottom, box.right - box.left))
    heights = np.cumsum(np.random.default_rng(3).normal(0, 4, shape), axis=1)
    return write_dem(path, heights, transform, "EPSG:4326")


def test_a_tile_s_slope_is_the_same_whatever_is_read_beside_it(tmp_path):
    scene = scene_with(write_coarse(tmp_path / "dem.tif"), 30.0)
    together = slopes_of(scene).ravel()
    alone = [tile_slopes(scene, window, [window])[0] for window in TILING.windows()]
    assert np.isfinite(together[:3]).all()
    np.testing.assert_array_equal(np.float32(alone), together)


def judged(verdict, slope):
    """A judgement of nothing but verdicts and slopes."""
    room = Judgement.room_for(len(verdict), 1)
    room.verdict[:], room.slope[:] = verdict, slope
    return room


def test_flat_landslides_raise_no_alarm_and_unknown_ground_does():
    tiles = judged(
        [LANDSLIDE, LANDSLIDE, LANDSLIDE, LANDSLIDE, STABLE, STABLE, NO_DATA],
        [4.9, 5.0, np.nan, 0.0, 30.0, 1.0, 1.0],
    )
    assert masked(tiles, 5).tolist() == [True, False, False, True, False, True, False]
    assert alarms(tiles, 5).tolist() == [False, True, True] + [False] * 4
    assert masked(tiles, 0).sum() == 0
    assert alarms(tiles, 0).tolist() == [True] * 4 + [False] * 3
    files = [{"role": "s2", "path": "/s2.tif"}, {"role": "dem", "path": "/dem.tif"}]
    assert mask_record(tiles, 5, files) == {
        "least_slope": 5,
        "dem": ["/dem.tif"],
        "masked_tiles": 3,
        "unknown_tiles": 1,
        "alarms": 2,
    }


@pytest.mark.parametrize("least", [-1.0, 90.0, float("nan")])
def test_a_least_slope_that_is_none_is_refused(least):
    with pytest.raises(SceneError, match=r"from 0 \(off\) to under 90"):
        check_mask(least, Scene(GRID, {}))


@pytest.fixture
def with_dem(scene_inputs, tmp_path):
    """The small scene with a DEM: sea level, and a hill of 25° in the third column of tiles."""
    heights = np.zeros(SIZE)
    heights[:, 140:] = np.arange(1, SIZE[1] - 139) * 10 * np.tan(np.radians(25))
    return replace(scene_inputs, dem=(write_dem(tmp_path / "dem.tif", heights),))


@pytest.fixture
def options(bundle_path):
    """How these tests judge."""
    return RunOptions(bundle_path, device="cpu", workers=1, least_slope=5.0)


def test_a_run_keeps_verdicts_and_drops_alarms_on_flat_ground(run, with_dem, options, tmp_path):
    """Water, at 0 m, is flat as well."""
    made = predict_scene(with_dem, replace(options, least_slope=26.0), tmp_path / "masked")
    hilly = predict_scene(with_dem, options, tmp_path / "hilly")
    for other in (made, hilly):
        for name in ("verdict.tif", "probability.tif", "spread.tif"):
            assert other.meta["sha256"][name] == run.meta["sha256"][name]
        assert other.meta["counts"] == run.meta["counts"]
    slides = run.tiles["verdict"] == "landslide"
    assert slides.sum() >= 2
    assert run.tiles["alarm"].equals(slides.rename("alarm"))
    assert run.tiles["slope"].isna().all()
    assert run.meta["slope_mask"]["least_slope"] == 0
    slope = hilly.tiles["slope"].to_numpy().reshape(3, 4)
    np.testing.assert_array_equal(slope[:, :2], 0)
    np.testing.assert_allclose(slope[:, 2], 25, atol=0.01)
    # The landslides lie in the third column, where radar has changed.
    assert hilly.tiles["alarm"].equals(slides.rename("alarm"))
    assert hilly.meta["slope_mask"]["alarms"] == slides.sum()
    assert hilly.meta["slope_mask"]["masked_tiles"] == 5  # of six one is the hole
    assert made.meta["slope_mask"]["alarms"] == 0
    assert not made.tiles["alarm"].any()
    assert made.meta["slope_mask"]["dem"] == [str(with_dem.dem[0].resolve())]
    package = geopandas.read_file(made.folder / "tiles.gpkg", layer="tiles")
    assert {"alarm", "slope"} <= set(package.columns)


def test_a_mask_without_a_dem_is_refused_before_anything_is_written(
    scene_inputs, options, tmp_path
):
    with pytest.raises(SceneError, match=r"no DEM; one is needed.*--dem"):
        predict_scene(scene_inputs, options, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_where_the_dem_ends_nothing_is_masked(scene_inputs, options, tmp_path):
    dem = write_dem(tmp_path / "dem.tif", np.zeros((SIZE[0], 64)))
    made = predict_scene(replace(scene_inputs, dem=(dem,)), options, tmp_path / "run")
    mask, tiles = made.meta["slope_mask"], made.tiles
    assert (tiles["alarm"] == (tiles["verdict"] == "landslide")).all()
    judged = tiles[tiles["verdict"] != "no_data"]
    assert mask["masked_tiles"] == (judged["col"] == 0).sum() > 0
    assert mask["unknown_tiles"] == (judged["col"] > 0).sum() > 0


def test_a_masked_run_resumes_to_the_same_bytes(with_dem, options, tmp_path, monkeypatch):
    whole = predict_scene(with_dem, options, tmp_path / "whole")
    for module in ("parts", "plan", "pace"):
        monkeypatch.setattr(f"landslide_core.{module}.WIDTH", 128)
        monkeypatch.setattr(f"landslide_core.{module}.HEIGHT", 128)
    out = tmp_path / "run"
    with pytest.raises(RunStopped):
        predict_scene(
            with_dem, options, out, stop=lambda: len(list(out.glob("parts/part_*.json"))) > 0
        )
    again = resume_run(out)
    assert again.meta["sha256"] == {name: whole.meta["sha256"][name] for name in FILES}
    assert again.meta["slope_mask"] == whole.meta["slope_mask"]


@pytest.mark.parametrize(
    ("name", "flat"), [("38D_378R_2_3", 16), ("433D_629L_3_1", 0), ("637U_59R_1_3", 8)]
)
def test_real_dems_tell_a_plain_from_hills(name, flat):
    """Whole metres: Tanzania's plateau, hills in Chile, Denmark. Their steps are of 3°."""
    path = SCENES / "terramind" / "DEM" / f"{name}.tif"
    if not path.is_file():
        pytest.skip("no ../shared/data/scenes/terramind here")
    with rasterio.open(path) as file:
        grid = Grid(GeoBox(file.shape, file.transform, file.crs))
    scene = replace(scene_with(path), grid=grid)
    windows = list(Tiling(*grid.shape).windows())
    assert (tile_slopes(scene, enclosing(windows), windows) < 5).sum() == flat


def test_a_dem_of_another_place_is_refused_and_one_of_a_part_is_told(tmp_path):
    pixels = np.full((4, 128, 128), 1500, np.uint16)
    write_raster(tmp_path / "s2.tif", pixels, ("B02", "B03", "B04", "B08"))
    heights = np.full((1, 128, 128), 300, np.float32)
    there = write_raster(tmp_path / "dem.tif", heights[:, :, :64])
    given = SceneInputs(s2=(tmp_path / "s2.tif",), s2_offset=0.0, dem=(there,))
    said = "Elevation model: dem.tif covers 50 % of the scene"
    assert any(said in warning for warning in open_scene(given).warnings)
    far = ORIGIN @ Affine.translation(5000, 0)
    away = write_raster(tmp_path / "away.tif", heights, transform=far)
    with pytest.raises(GridMismatch, match=r"Elevation model: away\.tif covers 0 %"):
        open_scene(replace(given, dem=(away,)))
