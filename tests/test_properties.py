"""Rasters of any place, grid, type, no-data value and band order: read right or refused.

LANDSLIDE_EXAMPLES=1000 tries that many, other ones every time.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from conftest import write_raster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import Transformer
from test_geometry import TOLERANCE, centres, degrees, offsets

from landslide_core.bands import INDEX
from landslide_core.errors import AmbiguousUnits
from landslide_core.grid import Window
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene

EXAMPLES = os.environ.get("LANDSLIDE_EXAMPLES")
profile = settings(
    max_examples=int(EXAMPLES or 60),
    derandomize=EXAMPLES is None,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

BANDS = ("B02", "B03", "B04", "B08")
METRE = 1 / 111_320  # °, of latitude
NODATA = {  # those that a type can hold
    "uint8": (None, 0),
    "int16": (None, 0, -9999),
    "uint16": (None, 0, 65535),
    "float32": (None, 0, -9999, float("nan"), 65535),
    "float64": (None, 0, -9999, float("nan"), 65535),
}


@dataclass(frozen=True)
class Case:
    """A raster to be written."""

    crs: str
    transform: Affine
    shape: tuple[int, int]
    dtype: str
    nodata: float | None
    hole: tuple[int, int, int, int]  # rows and columns without data, from and to
    layout: dict

    def cover(self, col, row, margin):
        """Whether positions lie in the raster, and outside its hole, by a margin of pixels.

        A negative margin asks how far they may lie outside and still be reached.
        """
        (top, bottom, left, right), (rows, cols) = self.hole, self.shape
        inside = (col > margin) & (col < cols - margin) & (row > margin) & (row < rows - margin)
        in_hole = (
            (col > left - margin)
            & (col < right + margin)
            & (row > top - margin)
            & (row < bottom + margin)
        )
        return inside & ~in_hole

    def punched(self, pixels):
        """Pixels with the hole filled: the file's no data, else 0."""
        top, bottom, left, right = self.hole
        pixels[:, top:bottom, left:right] = 0 if self.nodata is None else self.nodata
        return pixels


@st.composite
def grids(draw):
    """CRS, transform and shape of a raster anywhere between 75° S and 75° N."""
    lon = draw(st.sampled_from((-180.0, -0.001, 0.0, 87.0, 179.995)) | st.floats(-180, 180))
    lat = draw(st.sampled_from((-33.0, 0.0, 28.0)) | st.floats(-75, 75))
    zone = int((lon + 180) // 6) % 60
    near = draw(st.sampled_from((-1, 0, 0, 0, 1)))
    hemisphere = draw(st.sampled_from((32601, 32701)))
    crs = draw(
        st.sampled_from(
            (
                f"EPSG:{hemisphere + (zone + near) % 60}",
                "EPSG:4326",
                "EPSG:4269",
                f"+proj=laea +lat_0={lat:.3f} +lon_0={lon:.3f} +datum=WGS84 +units=m",
                f"+proj=tmerc +lat_0=0 +lon_0={lon:.3f} +datum=WGS84 +units=m",
            )
        )
    )
    metres = draw(st.sampled_from((5.0, 10.0, 20.0)) | st.floats(4, 50))
    rows, cols = (
        int(draw(st.integers(900, 1300)) / metres * (1.6 if metres > 9 else 1)) for _ in "yx"
    )
    turn = draw(
        st.sampled_from((Affine.scale(1, -1), Affine.scale(1, -1), Affine.scale(1, 1)))
        | st.floats(-180, 180).map(lambda angle: Affine.rotation(angle) @ Affine.scale(1, -1))
    )
    if "EPSG:4" in crs:
        x, y = lon + draw(st.sampled_from((0, 0, 360))) * (lon < 0), lat
        size = Affine.scale(metres * METRE / np.cos(np.radians(lat)), metres * METRE)
    else:
        x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
        size = Affine.scale(metres)
    middle = Affine.translation(-cols / 2, -rows / 2)
    return crs, Affine.translation(x, y) @ size @ turn @ middle, (rows, cols)


@st.composite
def cases(draw, dtypes):
    """Rasters with a hole, laid out in some way."""
    crs, transform, shape = draw(grids())
    dtype = draw(st.sampled_from(dtypes))
    (top, left), sides = ((draw(st.integers(0, size - 1)) for size in shape) for _ in "ab")
    bottom, right = (
        min(start + side // 3, size)
        for start, side, size in zip((top, left), sides, shape, strict=True)
    )
    tiled = draw(st.booleans())
    layout = {
        "tiled": tiled,
        "interleave": draw(st.sampled_from(("band", "pixel"))),
        "compress": draw(st.sampled_from((None, "deflate", "lzw", "zstd"))),
        "bigtiff": draw(st.sampled_from(("yes", "no"))),
        **({"blockxsize": 64, "blockysize": 32} if tiled else {}),
    }
    nodata = draw(st.sampled_from(NODATA[dtype]))
    return Case(crs, transform, shape, dtype, nodata, (top, bottom, left, right), layout)


def check_places(scene, case, found, at):
    """Every pixel of the scene has its own place (m), where the raster has data; else none."""
    wrong = np.hypot(*(found - offsets(scene.grid.crs, scene.grid.transform, scene.grid.shape, at)))
    lon, lat = degrees(scene.grid.crs, *(scene.grid.transform @ centres(scene.grid.shape)))
    x, y = Transformer.from_crs("EPSG:4326", case.crs, always_xy=True).transform(lon, lat)
    if "EPSG:4" in case.crs:  # around the Earth
        middle, _ = case.transform @ (case.shape[1] / 2, case.shape[0] / 2)
        x = middle + (x - middle + 180) % 360 - 180
    col, row = ~case.transform @ (x, y)
    sizes = [
        np.hypot(case.transform.a, case.transform.d),
        np.hypot(case.transform.b, case.transform.e),
    ]
    pixel = min(sizes) * (111_320 if "EPSG:4" in case.crs else 1)  # m, the least it may be
    reach = 0.6 + max(0.0, 5.5 / pixel)  # of bilinear, and of averages over a pixel of the scene
    clear, near = case.cover(col, row, reach), case.cover(col, row, -reach)
    assert clear.sum() > 100
    assert np.isfinite(wrong[clear]).all()
    assert wrong[clear].max() < TOLERANCE
    assert np.isnan(wrong[~near]).all()
    assert np.nanmax(wrong) < 0.75 * 1.5 * max(pixel, 10)  # at edges, the nearest one's


def read(scene, *bands):
    """All of a scene's pixels in some bands."""
    whole = scene.read(Window(0, 0, *scene.grid.shape))
    return whole[[INDEX[band] for band in bands]]


@profile
@given(
    case=cases(("uint8", "int16", "uint16", "uint16", "float32", "float64")),
    order=st.permutations(BANDS),
    named=st.booleans(),
)
def test_optical(case, order, named):
    at = degrees(case.crs, *(case.transform @ (case.shape[1] / 2, case.shape[0] / 2)))
    east, north = offsets(case.crs, case.transform, case.shape, at)
    planes = {
        "B04": 5000 + east,
        "B03": 5000 + north,
        "B02": 300 + 0 * east,
        "B08": 4000 + 0 * east,
    }
    pixels = np.stack([planes[band] for band in order])
    if case.dtype == "uint8":
        pixels = pixels / 50
    elif case.dtype.startswith("float"):
        pixels = pixels / 10_000
    pixels = case.punched(pixels).astype(case.dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = write_raster(
            Path(folder) / "a.tif",
            pixels,
            order if named else None,
            case.transform,
            case.crs,
            nodata=case.nodata,
            **case.layout,
        )
        inputs = SceneInputs(s2=(path,), s2_bands=None if named else tuple(order))
        if case.dtype == "uint8":
            with pytest.raises(AmbiguousUnits, match="8-bit"):
                open_scene(inputs)
            return
        scene = open_scene(inputs)
        red, green, blue, nir = read(scene, "red", "green", "blue", "nir")
    check_places(scene, case, np.stack([red, green]) - 5000, at)
    for plane, value in ((blue, 300), (nir, 4000)):
        np.testing.assert_allclose(plane[np.isfinite(plane)], value, atol=0.01)


@profile
@given(
    case=cases(("float32", "float64")),
    unit=st.sampled_from(("dB", "linear power", "amplitude")),
    vh_first=st.booleans(),
)
def test_radar(case, unit, vh_first):
    at = degrees(case.crs, *(case.transform @ (case.shape[1] / 2, case.shape[0] / 2)))
    east, north = offsets(case.crs, case.transform, case.shape, at)
    pixels = np.stack([-11 + east / 4000, -18 + north / 4000])
    if unit != "dB":
        pixels = 10 ** (pixels / (10 if unit == "linear power" else 20))
    if case.nodata == 65535:
        case = Case(**{**case.__dict__, "nodata": None})  # no dB, but a power
    pixels = case.punched(pixels[::-1] if vh_first else pixels).astype(case.dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = write_raster(
            Path(folder) / ("amplitude.tif" if unit == "amplitude" else "a.tif"),
            pixels,
            ("VH", "VV") if vh_first else ("VV", "VH"),
            case.transform,
            case.crs,
            nodata=case.nodata,
            **case.layout,
        )
        scene = open_scene(SceneInputs(desc_post=(path,)))
        vv, vh = read(scene, "desc_vv_post", "desc_vh_post")
    check_places(scene, case, np.stack([vv + 11, vh + 18]) * 4000, at)
