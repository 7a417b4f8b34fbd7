"""Sentinel-1 GRD products: calibrated, free of noise and in their place on the scene's grid.

Images are made: in VV a pixel's number is 1,000 + its line, in VH 1,000 + its pixel, so that a
geocoded value tells from where in the image it came. The annotation is a real product's.
"""

import shutil
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from conftest import write_raster
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.windows import Window as Box

from landslide_core.errors import (
    CannotWrite,
    GridMismatch,
    SceneError,
    UnreadableRaster,
)
from landslide_core.grid import Grid, Window
from landslide_core.places import place_of
from landslide_core.readers.elevation import read_elevation
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.ground import heights as ground_heights
from landslide_core.readers.ground.annotation import read_annotation
from landslide_core.readers.ground.geocode import geocode, geocoded_path, utm_grid
from landslide_core.readers.ground.geometry import RadarGeometry, sight
from landslide_core.readers.ground.heights import terrain_of
from landslide_core.readers.ground.product import product_in
from landslide_core.readers.ground.tables import read_calibration, read_noise
from landslide_core.readers.inputs import open_scene

NAME = "S1A_IW_GRDH_1SDV_20200708T182643_20200708T182708_033367_03DDAA_9550"
REAL = Path("../shared/data/scenes/safe") / f"{NAME}.zip"
STEM = "s1a-iw-grd-{}-20200708t182643-20200708t182708-033367-03ddaa-{}"
LINES, PIXELS = 16_773, 25_242
PATCH, DIM = 40, 30  # pixels a side; a number whose square is about twice the noise
FIRST = 1_000  # number of line 0 and of pixel 0
UTM = "EPSG:32630"
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
GRID = Grid(GeoBox((140, 150), Affine(10, 0, 590_000, 0, -10, 795_000), UTM))
needs_real = pytest.mark.skipif(not REAL.is_file(), reason="the shared product is not there")


def numbers(polarisation, row, col, height, width):
    """The numbers of a part of a made image."""
    lines, pixels = np.mgrid[row : row + height, col : col + width]
    return (FIRST + (lines if polarisation == "vv" else pixels)).astype(np.uint16)


def write_measurement(path, polarisation, parts, patches=()):
    """An image of full size of which only some parts are there, with patches of one number."""
    profile = {"count": 1, "height": LINES, "width": PIXELS, "dtype": "uint16", "tiled": True}
    with rasterio.open(path, "w", "GTiff", sparse_ok=True, compress="lzw", **profile) as file:
        for row, col, height, width in parts:
            stored = numbers(polarisation, row, col, height, width)
            file.write(stored, 1, window=Box(col, row, width, height))
        # As much as a raster must hold that claims so many pixels, away from the others.
        row, col = (
            0 if at > size / 2 else size - 1_100
            for at, size in zip(parts[0], (LINES, PIXELS), strict=False)
        )
        noise = np.random.default_rng(1).integers(1, 2**16, (1_100, 1_100)).astype(np.uint16)
        file.write(noise, 1, window=Box(col, row, 1_100, 1_100))
        for row, col, number in patches:
            flat = np.full((PATCH, PATCH), number, np.uint16)
            file.write(flat, 1, window=Box(col, row, PATCH, PATCH))


@pytest.fixture(scope="session")
def safe(tmp_path_factory):
    """A SAFE folder: the real annotation, and images under GRID and around."""
    if not REAL.is_file():
        pytest.skip("the shared product is not there")
    folder = tmp_path_factory.mktemp("grd")
    with zipfile.ZipFile(REAL) as archive:
        for name in archive.namelist():
            if "/annotation/" in name or name.endswith("manifest.safe"):
                archive.extract(name, folder)
    safe = folder / f"{NAME}.SAFE"
    (safe / "measurement").mkdir()
    annotation = read_annotation(product_in(safe), f"annotation/{STEM.format('vv', '001')}.xml")
    line, pixel = (int(at) for at in seen(annotation, 590_700, 794_300, 200.0))
    part = (line - 700, pixel - 700, 1_400, 1_400)
    # VH has patches: without data, a little over the noise, under the noise.
    patches = [(line - 20, pixel - 20, 0), (line + 30, pixel - 20, DIM), (line - 70, pixel - 20, 5)]
    for polarisation, number in (("vv", "001"), ("vh", "002")):
        path = safe / "measurement" / f"{STEM.format(polarisation, number)}.tiff"
        write_measurement(path, polarisation, [part], patches if polarisation == "vh" else [])
    return safe


@pytest.fixture(scope="session")
def product(safe):
    """The made product."""
    return product_in(safe)


@pytest.fixture(scope="session")
def annotation(product):
    """The real annotation."""
    return read_annotation(product, product.channel("vv").annotation)


def seen(annotation, x, y, height):
    """Line and pixel of a place in UTM, each on its own: by the orbit and the polynomials."""
    lon, lat = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(x, y)
    geometry = RadarGeometry(annotation)
    line, slant = geometry.seen(*(np.full((1, 1), value) for value in (lon, lat, height)))
    return line[0, 0], geometry.pixel(line, slant)[0, 0]


def write_dem(path, height, columns=400, crs="EPSG:4979"):
    """A flat DEM around GRID, of as many columns of 0.001°; above the ellipsoid unless 2-D."""
    step = Affine(0.001, 0, -2.3, 0, -0.001, 7.3)
    profile = {"crs": crs, "transform": step, "dtype": "float32", "count": 1}
    with rasterio.open(path, "w", "GTiff", width=columns, height=300, **profile) as file:
        file.write(np.full((1, 300, columns), height, np.float32))
    return read_elevation((path,)).elevation[0]


def values_of(text):
    return np.array(text.split(), float)


def sigma_by_hand(safe, polarisation, line, pixel, dn):
    """(DN² − noise) / A² at a whole line and pixel, from the XML's vectors, step by step."""
    from xml.etree import ElementTree

    number = {"vv": "001", "vh": "002"}[polarisation]
    tables = safe / "annotation" / "calibration"
    stem = STEM.format(polarisation, number)

    def between(vectors, name):
        lines = [int(vector.findtext("line")) for vector in vectors]
        after = next(i for i, at in enumerate(lines) if at > line)
        near = [
            np.interp(pixel, values_of(v.findtext("pixel")), values_of(v.findtext(name)))
            for v in vectors[after - 1 : after + 1]
        ]
        share = (line - lines[after - 1]) / (lines[after] - lines[after - 1])
        return near[0] + (near[1] - near[0]) * share

    calibration = ElementTree.parse(tables / f"calibration-{stem}.xml")
    table = between(calibration.findall(".//calibrationVector"), "sigmaNought")
    root = ElementTree.parse(tables / f"noise-{stem}.xml")
    noise = between(root.findall(".//noiseRangeVector"), "noiseRangeLut")
    for vector in root.findall(".//noiseAzimuthVector"):
        left, right = (int(vector.findtext(f"{end}RangeSample")) for end in ("first", "last"))
        if left <= pixel <= right:
            along = (
                values_of(vector.findtext("line")),
                values_of(vector.findtext("noiseAzimuthLut")),
            )
            noise *= np.interp(line, *along)
    return (dn**2 - noise) / table**2, noise


def positions(safe, path, polarisation, line, pixel, at):
    """The image position (line in VV, pixel in VH) from which a geocoded pixel came."""
    with rasterio.open(path) as file:
        value = float(file.read(1)[at])
    table_and_noise = sigma_by_hand(safe, polarisation, round(line), round(pixel), 0.0)
    per_square = sigma_by_hand(safe, polarisation, round(line), round(pixel), 1.0)[0]
    per_square -= table_and_noise[0]  # 1 / A²
    return np.sqrt(value / per_square + table_and_noise[1]) - FIRST


@pytest.fixture(scope="session")
def flat(safe, tmp_path_factory):
    """Both polarisations on GRID, with flat DEMs at 0 m and at 1,000 m: files by both."""
    folder = tmp_path_factory.mktemp("flat")
    made = {}
    for height in (0, 1_000):
        dem = write_dem(folder / f"dem{height}.tif", height)
        for polarisation in ("vv", "vh"):
            out = folder / f"{polarisation}{height}.tif"
            made[polarisation, height] = geocode(safe, polarisation, GRID, (dem,), out)
    return made


def test_the_products_own_geolocation_grid_is_met(annotation):
    """210 points with heights, of which the annotation states line and pixel."""
    points, geometry = annotation.points, RadarGeometry(annotation)
    line, slant = geometry.seen(points.longitude, points.latitude, points.height)
    assert points.height.shape == (10, 21)
    assert np.abs(line - points.lines[:, None]).max() < 0.01
    assert np.abs(geometry.pixel(line, slant) - points.pixels).max() < 0.01


def test_a_lattice_is_as_exact_as_every_pixel_alone(annotation):
    view = sight(RadarGeometry(annotation), GRID)
    heights = np.random.default_rng(0).uniform(-400, 8_800, GRID.shape)
    line, pixel = view.at(Window(0, 0, *GRID.shape), heights, 0.5, 0.5)
    for row, col in ((0, 0), (17, 40), (139, 149), (80, 99)):
        x, y = GRID.transform @ (col + 0.5, row + 0.5)
        alone = seen(annotation, x, y, heights[row, col])
        assert (line[row, col], pixel[row, col]) == pytest.approx(alone, abs=0.01)


@pytest.mark.parametrize("height", [0, 1_000])
def test_every_pixel_comes_from_where_the_radar_saw_it(safe, annotation, flat, height):
    """Within a tenth of a pixel, and calibrated: an error of either shows in the position."""
    for row, col in ((3, 5), (20, 100), (70, 110), (135, 2), (130, 145)):
        x, y = GRID.transform @ (col + 0.5, row + 0.5)
        line, pixel = seen(annotation, x, y, height)
        for polarisation, wanted in (("vv", line), ("vh", pixel)):
            path = flat[polarisation, height].path
            found = positions(safe, path, polarisation, line, pixel, (row, col))
            assert found == pytest.approx(wanted, abs=0.1)


def test_noise_and_calibration_are_those_of_the_vectors(product, safe):
    channel = product.channel("vh")
    noise, table = (
        read_noise(product, channel.noise),
        read_calibration(product, channel.calibration),
    )
    for line, pixel in ((0, 0), (5_000, 8_477), (5_001, 8_478), (9_123, 17_321), (16_000, 25_000)):
        sigma, subtracted = sigma_by_hand(safe, "vh", line, pixel, 400.0)
        assert noise.over(line, pixel, 1, 1)[0, 0] == pytest.approx(subtracted, rel=1e-5)
        found = (400.0**2 - subtracted) / table.over(line, pixel, 1, 1)[0, 0] ** 2
        assert found == pytest.approx(sigma, rel=1e-5)
    part = noise.over(5_000, 8_400, 60, 200)  # across the seam of two swaths
    assert part[7, 100] == noise.over(5_007, 8_500, 1, 1)[0, 0]


def test_height_moves_a_pixel_away_from_the_sensor_by_its_tangent(safe, annotation, flat):
    """A place 1,000 m higher is imaged nearer by 1,000 m / tan(incidence), on the same line."""
    row, col = 120, 10
    x, y = GRID.transform @ (col + 0.5, row + 0.5)
    at = {height: seen(annotation, x, y, height) for height in (0, 1_000)}
    moved = {
        polarisation: [
            positions(safe, flat[polarisation, height].path, polarisation, *at[height], (row, col))
            for height in (0, 1_000)
        ]
        for polarisation in ("vv", "vh")
    }
    points = annotation.points
    j = np.searchsorted(points.pixels, at[0][1])
    incidence = np.radians(points.incidence[4, j - 1 : j + 1].mean())
    nearer = (moved["vh"][0] - moved["vh"][1]) * 10.0  # m; pixels count away from the sensor
    assert nearer == pytest.approx(1_000 / np.tan(incidence), rel=0.03)
    assert abs(moved["vv"][0] - moved["vv"][1]) < 1


def test_number_zero_is_no_data(flat):
    with rasterio.open(flat["vh", 0].path) as file:
        vh = file.read(1)
    with rasterio.open(flat["vv", 0].path) as file:
        vv = file.read(1)
    assert np.isnan(vh).sum() == pytest.approx(PATCH**2, rel=0.1)
    assert not np.isnan(vv).any()


def test_noise_is_subtracted_and_what_is_under_it_is_cut_off(safe, annotation, flat):
    """Sigma nought by hand in the middle of the dim patch; −40 dB where noise is all there is."""
    with rasterio.open(flat["vh", 0].path) as file:
        vh = file.read(1)
    lines, pixels = np.array(
        [
            [seen(annotation, *(GRID.transform @ (col + 0.5, row + 0.5)), 0) for col in (0, 149)]
            for row in (0, 139)
        ]
    ).transpose(2, 0, 1)  # at the grid's corners; straight between over 1.5 km
    middle = (int(at) for at in seen(annotation, 590_700, 794_300, 200.0))
    line, pixel = next(middle) + 50, next(middle)
    v, u = np.mgrid[0:140, 0:150] / np.array([139, 149])[:, None, None]
    off = sum(
        (
            corners[0, 0] * (1 - v) * (1 - u)
            + corners[0, 1] * (1 - v) * u
            + corners[1, 0] * v * (1 - u)
            + corners[1, 1] * v * u
            - at
        )
        ** 2
        for corners, at in ((lines, line), (pixels, pixel))
    )
    row, col = np.unravel_index(off.argmin(), off.shape)
    sigma, noise = sigma_by_hand(safe, "vh", line, pixel, float(DIM))
    assert noise > DIM**2 / 5  # so that leaving it in would show
    assert vh[row, col] == pytest.approx(sigma, rel=2e-3)
    assert 1_200 < (vh == np.float32(1e-4)).sum() < PATCH**2  # its edges take from around
    assert np.nanmin(vh) == np.float32(1e-4)


def test_the_file_says_what_it_is(flat):
    found = flat["vv", 0]
    with rasterio.open(found.path) as file:
        tags = file.tags()
        assert (file.crs.to_epsg(), file.shape) == (32630, GRID.shape)
        assert file.transform == GRID.transform
        assert (file.dtypes, file.descriptions) == (("float32",), ("VV",))
        assert np.isnan(file.nodata)
        assert file.profile["tiled"]
        assert file.compression.name == "deflate"
    wanted = {
        "UNITS": "power",
        "CALIBRATION": "sigma0",
        "ORBIT_PASS_DIRECTION": "ascending",
        "RELATIVE_ORBIT": "45",
        "ACQUISITION_START": "2020-07-08T18:26:43.249Z",
    }
    assert wanted.items() <= tags.items()
    assert found.decisions[0].decided == "ascending, relative orbit 45"
    assert "above the ellipsoid, by its CRS" in found.decisions[2].decided
    assert found.warnings == ()


def test_without_a_dem_the_displacement_is_told(safe, annotation, tmp_path):
    found = geocode(safe, "vv", GRID, (), tmp_path / "out.tif")
    (warning,) = found.warnings
    assert "without a DEM" in warning
    assert "1,000 m" in warning
    shift = float(warning.split("about ")[1].split(" m")[0].replace(",", ""))
    incidence = np.interp(21_170, annotation.points.pixels, annotation.points.incidence[4])
    assert shift == pytest.approx(1_000 / np.tan(np.radians(incidence)), abs=6)
    assert "Give --dem" in warning


def test_a_dem_of_a_part_is_used_there(safe, flat, tmp_path):
    """West of the DEM's edge its height counts, east of it the product's own heights."""
    dem = write_dem(tmp_path / "west.tif", 1_000, columns=122)
    found = geocode(safe, "vh", GRID, (dem,), tmp_path / "out.tif")
    with rasterio.open(found.path) as file, rasterio.open(flat["vh", 1_000].path) as other:
        part, whole = file.read(1), other.read(1)
    x, _ = Transformer.from_crs(4326, UTM, always_xy=True).transform(-2.178, 7.19)
    edge = int((x - 590_000) / 10)
    assert 20 < edge < 130
    np.testing.assert_array_equal(part[:, : edge - 15], whole[:, : edge - 15])
    assert (part[:, edge + 15 :] != whole[:, edge + 15 :]).all()
    assert any("leaves out" in warning for warning in found.warnings)


def test_a_dem_above_sea_level_is_told(safe, tmp_path):
    """EGM96 isn't part of PROJ as installed; where it is, heights are raised by it."""
    dem = write_dem(tmp_path / "dem.tif", 300, crs="EPSG:4326")
    found = geocode(safe, "vv", GRID, (dem,), tmp_path / "out.tif")
    words = found.decisions[2].decided
    assert "above sea level" in words
    assert ("EGM96" in words) != any("sea level" in warning for warning in found.warnings)


def test_heights_above_sea_level_are_raised_by_the_geoid(safe, flat, tmp_path, monkeypatch):
    """With a geoid 30 m above the ellipsoid: 970 m above sea level are 1,000 m above that."""
    geoid = Transformer.from_pipeline("+proj=pipeline +step +proj=affine +zoff=30")
    monkeypatch.setattr(ground_heights, "geoid", lambda: geoid)
    dem = write_dem(tmp_path / "dem.tif", 970, crs="EPSG:4326")
    found = geocode(safe, "vh", GRID, (dem,), tmp_path / "out.tif")
    assert "raised to the ellipsoid by EGM96" in found.decisions[2].decided
    assert found.warnings == ()
    with rasterio.open(found.path) as file, rasterio.open(flat["vh", 1_000].path) as other:
        np.testing.assert_allclose(file.read(1), other.read(1), rtol=2e-3)


def test_a_zip_gives_the_same_as_its_folder(safe, flat, tmp_path):
    archive = tmp_path / f"{NAME}.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(safe.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(safe.parent).as_posix())
    dem = write_dem(tmp_path / "dem.tif", 0)
    found = geocode(archive, "vh", GRID, (dem,), tmp_path / "out.tif")
    with rasterio.open(found.path) as file, rasterio.open(flat["vh", 0].path) as other:
        np.testing.assert_array_equal(file.read(1), other.read(1))
        assert file.tags() == other.tags()


def test_what_is_there_is_used_again(safe, tmp_path):
    out = geocoded_path(tmp_path, safe, "vv", GRID)
    first = geocode(safe, "vv", GRID, (), out)
    stamp = out.stat().st_mtime_ns
    stages = []
    assert geocode(safe, "vv", GRID, (), out, lambda *step: stages.append(step)) == first
    assert (out.stat().st_mtime_ns, stages) == (stamp, [])
    assert list(tmp_path.iterdir()) == [out]  # nothing is left beside it


def test_the_name_changes_with_what_it_is_made_from(safe, tmp_path):
    dem = write_dem(tmp_path / "dem.tif", 0)
    other = Grid(GRID.geobox_of(Window(0, 0, 64, 64)))
    names = {
        geocoded_path(tmp_path, safe, polarisation, grid, dems)
        for polarisation in ("vv", "vh")
        for grid in (None, GRID, other)
        for dems in ((), (dem,))
    }
    assert len(names) == 12
    before = geocoded_path(tmp_path, safe, "vv", GRID, (dem,))
    write_dem(tmp_path / "dem.tif", 10)
    assert geocoded_path(tmp_path, safe, "vv", GRID, (dem,)) != before
    assert "_VV_" in before.name


def test_a_failure_leaves_no_file(safe, tmp_path):
    elsewhere = Grid(GeoBox((64, 64), Affine(10, 0, 300_000, 0, -10, 5_000_000), UTM))
    with pytest.raises(GridMismatch, match="no data on the scene's grid"):
        geocode(safe, "vv", elsewhere, (), tmp_path / "out.tif")
    assert list(tmp_path.iterdir()) == []


def test_without_a_grid_the_image_has_its_own(annotation):
    grid = utm_grid(annotation)
    assert grid.crs == UTM
    assert (grid.transform.a, grid.transform.e) == (10, -10)
    assert grid.transform.c % 10 == grid.transform.f % 10 == 0
    points = annotation.points
    x, y = Transformer.from_crs(4326, UTM, always_xy=True).transform(
        points.longitude, points.latitude
    )
    col, row = ~grid.transform @ (x, y)
    assert col.min() > -1e-6
    assert row.min() > -1e-6
    assert (col.max(), row.max()) == pytest.approx((grid.width, grid.height), abs=1)


@needs_real
def test_a_missing_measurement_is_refused_at_once(tmp_path):
    started = time.perf_counter()
    with pytest.raises(UnreadableRaster, match="no measurement file for VV"):
        geocode(REAL, "vv", GRID, (), tmp_path / "out.tif")
    assert time.perf_counter() - started < 1
    assert product_in(REAL).name == NAME
    assert list(tmp_path.iterdir()) == []


def test_a_measurement_that_does_not_fit_is_refused(safe, tmp_path):
    copy = tmp_path / safe.name
    shutil.copytree(safe, copy)
    path = next((copy / "measurement").glob("*-vv-*.tiff"))
    profile = {"count": 1, "height": 100, "width": 100, "dtype": "uint16"}
    rasterio.open(path, "w", "GTiff", **profile).close()
    with pytest.raises(UnreadableRaster, match="100×100 pixels"):
        geocode(copy, "vv", GRID, (), tmp_path / "out.tif")
    path.write_bytes(b"II*\0nothing")
    with pytest.raises(UnreadableRaster, match="complete measurement"):
        geocode(copy, "vv", GRID, (), tmp_path / "out.tif")


def test_damaged_annotation_is_a_scene_error(safe, tmp_path):
    """Bytes changed all over the XML: refused in one line, or still the same timing."""
    copy = tmp_path / safe.name
    shutil.copytree(safe, copy, ignore=shutil.ignore_patterns("*.tiff"))
    product = product_in(copy)
    file = f"annotation/{STEM.format('vv', '001')}.xml"
    whole = (copy / file).read_bytes()
    rng = np.random.default_rng(1)
    refused = []
    for _ in range(4):
        broken = bytearray(whole)
        for at in rng.integers(0, len(whole), 300):
            broken[at] = rng.integers(32, 127)
        (copy / file).write_bytes(broken)
        try:
            read_annotation(product, file)
        except SceneError as error:
            refused.append(str(error))
    assert refused
    assert not any("\n" in message for message in refused)
    (copy / file).write_bytes(
        whole.replace(b"<product>", b'<!DOCTYPE a [<!ENTITY b "c">]><product>', 1)
    )
    with pytest.raises(UnreadableRaster):
        read_annotation(product, file)


def dimmed(safe, annotation, to):
    """A copy of the product as bright as ground is: numbers of some hundreds."""
    shutil.copytree(safe, to)
    line, pixel = (int(at) for at in seen(annotation, 590_700, 794_300, 200.0))
    part = Box(pixel - 700, line - 700, 1_400, 1_400)
    for path in (to / "measurement").iterdir():
        with rasterio.open(path, "r+") as file:
            file.write(file.read(1, window=part) // 40, 1, window=part)
    return to


def test_a_dem_is_read_by_its_own_scale_and_without_its_fill(safe, flat, tmp_path):
    stored = tmp_path / "dem.tif"
    write_dem(stored, 2_000)
    with rasterio.open(stored, "r+") as file:  # in half metres
        file.scales = (0.5,)
        heights = file.read(1)
        heights[:, 200] = -9999
        file.write(heights, 1)
    dem = read_elevation((stored,)).elevation
    assert dem[0].scale == 0.5
    read = terrain_of(dem, GRID).over(Window(0, 0, *GRID.shape))
    known = read[np.isfinite(read)]
    assert known.size > 0.9 * read.size
    np.testing.assert_allclose(known, 1_000, atol=0.01)


@pytest.mark.parametrize("content", ["virtual", "hollow"])
def test_a_measurement_is_a_plain_raster_that_holds_what_it_claims(safe, tmp_path, content):
    copy = shutil.copytree(safe, tmp_path / safe.name)
    path = next((copy / "measurement").glob("*-vv-*"))
    path.unlink()
    if content == "virtual":
        other = next((copy / "measurement").iterdir())
        path.write_text(
            f'<VRTDataset rasterXSize="{PIXELS}" rasterYSize="{LINES}"><VRTRasterBand band="1" '
            f'dataType="UInt16"><SimpleSource><SourceFilename>{other.absolute()}</SourceFilename>'
            "</SimpleSource></VRTRasterBand></VRTDataset>"
        )
    else:  # all of it in one strip
        profile = {"height": LINES, "width": PIXELS, "count": 1, "dtype": "uint16"}
        with rasterio.open(
            path, "w", "GTiff", **profile, blockysize=LINES, compress="deflate", sparse_ok=True
        ):
            pass
    with pytest.raises(UnreadableRaster):
        geocode(copy, "vv", GRID, (), tmp_path / "out.tif")


def test_a_cache_that_cannot_be_written_is_one_line(safe, tmp_path):
    (tmp_path / "file").touch()
    for folder in ("/dev/null/x", tmp_path / "file"):
        with pytest.raises(CannotWrite, match="LANDSLIDE_CACHE"):
            geocode(safe, "vv", GRID, (), Path(folder) / "out.tif")


@pytest.mark.parametrize("how", ["folder", "zip"])
def test_a_scene_takes_a_product_like_any_other_file(safe, annotation, tmp_path, monkeypatch, how):
    monkeypatch.setenv("LANDSLIDE_CACHE", str(tmp_path / "cache"))
    safe = dimmed(safe, annotation, tmp_path / safe.name)
    names = ("B02", "B03", "B04", "B08")
    pixels = np.full((4, *GRID.shape), 1500, np.uint16)
    write_raster(tmp_path / "s2.tif", pixels, names, GRID.transform, UTM)
    given = safe
    if how == "zip":
        given = tmp_path / f"{NAME}.zip"
        with zipfile.ZipFile(given, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(safe.rglob("*")):
                archive.write(file, file.relative_to(safe.parent))
    inputs = SceneInputs(s2=(tmp_path / "s2.tif",), s2_offset=0.0, asc_post=(given,))
    scene = open_scene(inputs)
    made = {name: scene.bands[f"asc_{name}_post"][0].path for name in ("vv", "vh")}
    window = Window(0, 0, *GRID.shape)
    for name, path in made.items():
        with rasterio.open(path) as file:
            power = file.read(1)
        np.testing.assert_allclose(
            scene.band(f"asc_{name}_post", window), 10 * np.log10(power), rtol=1e-6
        )
    said = {(d.role, d.subject): d.decided for d in scene.decisions}
    assert "2020-07-08 18:26" in said["asc_post", "acquisition"]
    assert "ascending" in said["asc_post", "acquisition"]
    assert any("--dem" in warning for warning in scene.warnings)
    sources = {place_of(opened).file for role, opened in scene.inputs if role == "asc_post"}
    assert all(file == given or given in file.parents for file in sources)
    again = open_scene(inputs)  # from the cache, and said alike
    assert again.decisions == scene.decisions
    assert len(list((tmp_path / "cache").iterdir())) == 2
    with pytest.raises(UnreadableRaster, match="no measurement file"):
        open_scene(SceneInputs(asc_post=(REAL,)))
