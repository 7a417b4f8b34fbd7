"""The simulator: same seed same scene, scars that behave like scars, files that read back."""

import subprocess
import sys
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.features import rasterize
from rasterio.warp import Resampling, reproject
from scipy import ndimage

from landslide_core.bands import BAND_NAMES, INDEX
from landslide_core.errors import SceneTooSmall
from landslide_core.simulate import MARGIN, Simulated, SimulationOptions, simulate, write_scene
from landslide_core.terrain import drained, fractal, receivers

SMALL = SimulationOptions(seed=3, height=320, width=288, scars=9)


@pytest.fixture(scope="module")
def scene() -> Simulated:
    simulated = simulate(SMALL)
    for array in (simulated.pixels, simulated.scar_mask, simulated.scene_class):
        array.flags.writeable = False
    return simulated


@pytest.fixture(scope="module")
def folder(scene, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("scene")
    write_scene(scene, path, SMALL.seed)
    return path


def around(mask):
    """Ring of pixels 3 to 8 pixels off a mask."""
    return ndimage.binary_dilation(mask, iterations=8) & ~ndimage.binary_dilation(
        mask, iterations=3
    )


def test_shapes_types_and_units(scene):
    assert scene.pixels.shape == (12, 320, 288)
    assert len(BAND_NAMES) == 12
    assert scene.pixels.dtype == np.float32
    assert np.isfinite(scene.pixels).all()
    assert scene.scar_mask.dtype == bool
    assert scene.scar_mask.shape == scene.scene_class.shape == scene.elevation.shape == (320, 288)
    optical, radar = scene.pixels[:4], scene.pixels[4:]
    assert optical.min() > 0
    assert optical.max() <= 12000
    assert radar.min() > -60
    assert radar.max() < 25
    assert -12 < np.median(scene.pixels[INDEX["desc_vv_post"]]) < -5
    assert set(np.unique(scene.scene_class)) <= {3, 4, 5, 6, 8, 9}


def test_same_seed_same_scene_other_seed_other(scene):
    again = simulate(SMALL)
    np.testing.assert_array_equal(again.pixels, scene.pixels)
    assert again.scars.equals(scene.scars)
    other = simulate(SimulationOptions(seed=4, height=320, width=288, scars=9))
    assert not np.allclose(other.elevation, scene.elevation, atol=50)


def test_as_many_scars_as_asked_and_all_inside(scene):
    assert len(scene.scars) == SMALL.scars
    assert list(scene.scars.columns) == ["id", "area_m2", "length_m", "slope", "geometry"]
    assert scene.scars.is_valid.all()
    assert scene.scars.crs == scene.crs
    outlines = rasterize(scene.scars.geometry, (320, 288), transform=scene.transform)
    np.testing.assert_array_equal(outlines > 0, scene.scar_mask)
    assert (scene.scars.slope > 8).all()


def test_no_scars_is_a_scene_too():
    scene = simulate(SimulationOptions(seed=3, height=128, width=128, scars=0))
    assert not scene.scar_mask.any()
    assert len(scene.scars) == 0


def test_a_scene_smaller_than_a_tile_is_refused():
    with pytest.raises(SceneTooSmall, match="at least 64"):
        SimulationOptions(height=63)


def test_scars_are_long_and_run_downhill(scene):
    assert (scene.scars.length_m**2 / scene.scars.area_m2).median() > 2
    for outline in scene.scars.geometry:
        inside = rasterize([outline], (320, 288), transform=scene.transform) > 0
        at = np.argwhere(inside)
        axis = np.linalg.svd(at - at.mean(0), full_matrices=False)[2][0]
        place = (at - at.mean(0)) @ axis
        height = scene.elevation[inside]
        assert abs(np.corrcoef(place, height)[0, 1]) > 0.5


def test_scars_show_in_both_sensors(scene):
    clear = ~np.isin(scene.scene_class, (3, 8, 9))
    inside, outside = scene.scar_mask & clear, around(scene.scar_mask) & clear
    red, nir = scene.pixels[INDEX["red"]], scene.pixels[INDEX["nir"]]
    ndvi = (nir - red) / (nir + red)
    assert ndvi[inside].mean() < ndvi[outside].mean() - 0.15
    assert red[inside].mean() > 1.3 * red[outside].mean()
    for name in ("desc_vv", "desc_vh", "asc_vv", "asc_vh"):
        post, pre = scene.pixels[INDEX[f"{name}_post"]], scene.pixels[INDEX[f"{name}_pre"]]
        change = np.abs(post - pre)
        assert change[inside].mean() > change[outside].mean() + 0.3


def test_slopes_facing_the_satellite_shine(scene):
    east = np.gradient(ndimage.gaussian_filter(scene.elevation, 2), 10.0)[1]
    faces_east, faces_west = east < -0.3, east > 0.3
    descending, ascending = (scene.pixels[INDEX[f"{p}_vv_post"]] for p in ("desc", "asc"))
    assert descending[faces_east].mean() > descending[faces_west].mean() + 2
    assert ascending[faces_west].mean() > ascending[faces_east].mean() + 2


def test_files_read_back_where_they_lie(scene, folder):
    with rasterio.open(folder / "s2.tif") as source:
        assert source.descriptions == ("B02", "B03", "B04", "B08")
        assert source.nodata == 0
        assert source.scales == (0.0001,) * 4
        assert source.offsets == (-0.1,) * 4
        assert source.tags()["SIMULATED"].startswith("yes")
        assert (source.transform.c, source.transform.f) == scene.transform @ (MARGIN, MARGIN)
        reflectance = source.read(3) * 1.0 - 1000
        bounds = source.bounds
    inner = slice(MARGIN, -MARGIN)
    np.testing.assert_allclose(reflectance, scene.pixels[INDEX["red"], inner, inner], atol=0.51)
    with rasterio.open(folder / "scl.tif") as source:
        assert source.res == (20.0, 20.0)
        assert source.bounds == bounds
    with rasterio.open(folder / "s1_desc_pre.tif") as source:
        assert source.descriptions == ("VV", "VH")
        assert source.tags()["ORBIT_PASS"] == "DESCENDING"
        assert source.bounds.left < bounds.left
        assert source.bounds.top > bounds.top
        np.testing.assert_allclose(
            source.read(2), scene.pixels[INDEX["desc_vh_pre"]], atol=1 / 32 + 1e-4
        )


def test_ascending_files_cover_the_optical_ones_from_another_zone(scene, folder):
    with rasterio.open(folder / "s2.tif") as source:
        shape, transform, crs = source.shape, source.transform, source.crs
    with rasterio.open(folder / "s1_asc_post.tif") as source:
        assert source.crs.to_epsg() == 32644
        assert source.nodata == 0
        back = np.zeros(shape, np.float32)
        reproject(
            rasterio.band(source, 1),
            back,
            dst_transform=transform,
            dst_crs=crs,
            resampling=Resampling.bilinear,
        )
    assert (back > 0).all()
    inner = slice(MARGIN, -MARGIN)
    truth = 10 ** (scene.pixels[INDEX["asc_vv_post"], inner, inner] / 10)
    smooth = [ndimage.gaussian_filter(np.log(power), 1) for power in (back, truth)]
    assert np.corrcoef(smooth[0].ravel(), smooth[1].ravel())[0, 1] > 0.95


def test_truth_is_longitude_and_latitude(scene, folder):
    truth = gpd.read_file(folder / "truth.geojson")
    assert truth.crs.to_epsg() == 4326
    assert len(truth) == len(scene.scars)
    back = truth.to_crs(scene.crs)
    assert np.allclose(back.area, scene.scars.area, rtol=0.01)
    assert np.allclose(back.centroid.x, scene.scars.centroid.x, atol=0.5)


def test_writing_twice_gives_the_same_bytes(scene, folder, tmp_path):
    paths = write_scene(scene, tmp_path / "again", SMALL.seed)
    assert {path.name for path in paths} == {path.name for path in folder.iterdir()}
    for path in paths:
        assert path.read_bytes() == (folder / path.name).read_bytes(), path.name
    assert "Simulated" in (folder / "README.md").read_text(encoding="utf-8")


def test_importing_writes_and_prints_nothing(tmp_path):
    root = Path(__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import landslide_core.simulate"
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout == b""
    assert list(tmp_path.iterdir()) == []


def test_water_gathers_downstream():
    valley = np.add.outer(np.arange(6.0, 0, -1), abs(np.arange(5) - 2.0))
    area = drained(receivers(valley), np.ones(30)).reshape(6, 5)
    assert area[-1, 2] == 30
    assert area[0, 0] == 1


def test_noise_is_standardised():
    noise = fractal(np.random.default_rng(0), (50, 41), 2.0, 20)
    assert noise.shape == (50, 41)
    assert abs(noise.mean()) < 1e-3
    assert noise.std() == pytest.approx(1, abs=1e-3)
