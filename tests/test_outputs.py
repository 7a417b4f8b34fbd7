"""What other programs open: rasters and tables at the right place, with the same numbers."""

import csv
import sqlite3
from contextlib import closing
from errno import ENOSPC
from xml.etree import ElementTree

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
from affine import Affine
from conftest import ORIGIN, SIZE, UTM
from rio_cogeo.cogeo import cog_validate

from landslide_core.drift import BINS
from landslide_core.explain import explain_tile
from landslide_core.grid import Tiling
from landslide_core.judgement import HEAT, VERDICTS, Judgement, heat_codes
from landslide_core.outputs import (
    VERDICT_COLOURS,
    VERDICT_NO_DATA,
    VERDICT_WORDS,
    localisation,
    style_tiles,
    write_predictions,
)

RASTERS = ("probability", "spread", "verdict")


@pytest.fixture(params=["run", "run_32"])
def any_run(request):
    """The run at stride 64, then at stride 32."""
    return request.getfixturevalue(request.param)


def raster(run, name):
    """Pixels of one of the run's rasters, no data as NaN."""
    with rasterio.open(run.folder / f"{name}.tif") as file:
        pixels = file.read(1)
        if np.isnan(file.nodata):
            return pixels
        return np.where(pixels == file.nodata, np.nan, pixels)


@pytest.mark.parametrize("name", RASTERS)
def test_rasters_are_valid_cogs_on_the_scene_s_grid(any_run, name):
    path = any_run.folder / f"{name}.tif"
    valid, errors, warnings = cog_validate(path)
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as file:
        assert file.crs.to_string() == UTM
        assert file.transform == ORIGIN
        assert file.shape == SIZE
        assert file.count == 1
        assert file.descriptions == (name,)
        assert file.dtypes[0] == ("uint8" if name == "verdict" else "float32")
        assert file.nodata == 255 if name == "verdict" else np.isnan(file.nodata)


def test_the_localisation_is_a_cog_of_cells_on_the_scene_s_grid(any_run):
    path = any_run.folder / "localisation.tif"
    assert cog_validate(path) == (True, [], [])
    with rasterio.open(path) as file:
        assert file.crs.to_string() == UTM
        assert file.transform == ORIGIN @ Affine.scale(2)
        assert file.shape == (SIZE[0] // 2, SIZE[1] // 2)
        assert (file.dtypes[0], file.nodata) == ("uint8", 0)
        code_of_one = (1 - file.offsets[0]) / file.scales[0]
    assert code_of_one == pytest.approx(255)


def test_the_localisation_is_the_members_heat_map_in_its_place(run):
    voted = run.tiles[run.tiles["votes_cast"] > 0]
    assert len(voted)
    with rasterio.open(run.folder / "localisation.tif") as file:
        codes, scale, offset = file.read(1), file.scales[0], file.offsets[0]
    for tile in voted.itertuples():
        row, col = 32 * tile.row, 32 * tile.col
        found = codes[row : row + 32, col : col + 32]
        heat = explain_tile(run, tile.tile_id).heat[: found.shape[0], : found.shape[1]]
        np.testing.assert_allclose(found * scale + offset, heat, atol=0.5 / 254 + 1e-4)
    passed_over = codes.copy()
    for tile in voted.itertuples():
        passed_over[32 * tile.row : 32 * tile.row + 32, 32 * tile.col : 32 * tile.col + 32] = 0
    assert not passed_over.any()


def test_heat_of_tiles_that_overlap_is_averaged():
    tiling = Tiling(96, 65, 32)  # two rows and two columns of tiles; 65 pixels are 33 cells
    heat = np.zeros((4, HEAT, HEAT), np.uint8)
    heat[0], heat[2] = 101, 204  # the upper and the lower tile on the left
    found = localisation(tiling, heat)
    assert found.shape == (48, 33)
    assert set(found[:16, :32].ravel()) == {101}
    assert set(found[16:32, :32].ravel()) == {153}  # 152.5, rounded
    assert set(found[32:, :32].ravel()) == {204}
    assert not found[:, 32].any()


def test_probabilities_and_their_codes():
    codes = heat_codes(np.array([0.0, 0.5, 1.0], np.float32))
    assert codes.tolist() == [1, 128, 255]


def test_the_verdict_raster_names_and_colours_its_codes(run):
    with rasterio.open(run.folder / "verdict.tif") as file:
        tags, colours = file.tags(), file.colormap(1)
    assert [tags[f"verdict_{i}"] for i in range(len(VERDICTS))] == list(VERDICTS)
    assert len({colours[i] for i in range(len(VERDICTS))}) == len(VERDICTS)


def test_tile_corners_agree_with_the_raster_to_a_tenth_of_a_pixel(any_run):
    tiles = any_run.tiles
    assert tiles.crs == "EPSG:4326"
    stride, (height, width) = any_run.meta["stride"], SIZE
    for tile in tiles.to_crs(UTM).itertuples():
        corners = np.array(tile.geometry.exterior.coords[:-1])
        cols, rows = ~ORIGIN @ (corners[:, 0], corners[:, 1])
        top, left = tile.row * stride, tile.col * stride
        bottom, right = min(top + 64, height), min(left + 64, width)
        expected = [(left, top), (left, bottom), (right, bottom), (right, top)]
        np.testing.assert_allclose(np.column_stack([cols, rows]), expected, atol=0.1)


def test_geopackage_and_parquet_hold_the_same(any_run):
    package = geopandas.read_file(any_run.folder / "tiles.gpkg", layer="tiles")
    tiles = any_run.tiles
    assert package.crs == tiles.crs
    assert list(package.columns) == list(tiles.columns)
    pd.testing.assert_frame_equal(
        pd.DataFrame(package.drop(columns="geometry")),
        pd.DataFrame(tiles.drop(columns="geometry")),
        check_dtype=False,
        rtol=1e-6,
    )
    assert package.geometry.geom_equals_exact(tiles.geometry, 1e-9).all()


def test_the_table_has_a_row_a_tile_and_the_promised_columns(any_run):
    tiles = any_run.tiles
    promised = ["tile_id", "row", "col", "verdict", "probability", "spread", "filter_score"]
    promised += ["cloud_fraction", "valid_fraction", "member_00", "member_01"]
    assert set(promised) <= set(tiles.columns)
    assert tiles["tile_id"].tolist() == list(range(len(tiles)))
    assert set(tiles["verdict"]) <= set(VERDICTS)
    assert tiles["verdict"].nunique() > 2
    voted = tiles[~tiles["verdict"].isin(["no_data", "filtered_out"])]
    assert voted[["member_00", "member_01"]].notna().all(axis=None)
    # The bundle's limits are 0.3 and 0.7.
    by_limits = np.select(
        [voted["probability"] >= 0.7, voted["probability"] < 0.3],
        ["landslide", "stable"],
        "uncertain",
    )
    assert voted["verdict"].tolist() == by_limits.tolist()


def test_the_value_at_a_tile_s_centre_is_the_table_s(run):
    rasters = {name: raster(run, name) for name in RASTERS}
    for tile in run.tiles.itertuples():
        row = (64 * tile.row + min(64 * tile.row + 64, SIZE[0])) // 2
        col = (64 * tile.col + min(64 * tile.col + 64, SIZE[1])) // 2
        for name in ("probability", "spread"):
            np.testing.assert_array_equal(rasters[name][row, col], np.float32(getattr(tile, name)))
        code = VERDICTS.index(tile.verdict)
        expected = np.nan if tile.verdict == "no_data" else code
        np.testing.assert_array_equal(rasters["verdict"][row, col], expected)


def test_at_stride_32_each_pixel_is_reduced_over_the_tiles_that_hold_it(run_32):
    tiles = run_32.tiles
    rasters = {name: raster(run_32, name) for name in RASTERS}
    for row, col in [(0, 0), (40, 40), (63, 100), (64, 128), (100, 159), (159, 199), (97, 33)]:
        over = tiles[
            (tiles["row"] * 32 <= row)
            & (row < tiles["row"] * 32 + 64)
            & (tiles["col"] * 32 <= col)
            & (col < tiles["col"] * 32 + 64)
        ]
        assert len(over) > 0
        for name in ("probability", "spread"):
            np.testing.assert_allclose(rasters[name][row, col], over[name].mean(), rtol=1e-5)
        codes = [VERDICTS.index(v) for v in over["verdict"] if v != "no_data"]
        expected = max(codes) if codes else np.nan
        np.testing.assert_array_equal(rasters["verdict"][row, col], expected)


def test_no_data_is_255_where_verdict_0_would_read_as_a_verdict(run):
    with rasterio.open(run.folder / "verdict.tif") as file:
        pixels = file.read(1)
    assert (pixels[:64, :64] == VERDICT_NO_DATA).all()  # the hole
    assert (pixels[:64, 64:128] != VERDICT_NO_DATA).all()
    assert 0 not in pixels


def test_predictions_of_patches_are_readable_answers(tmp_path):
    values = np.array([0.9, 0.1, np.nan, 0.5], np.float32)
    judgement = Judgement(
        verdict=np.array([4, 1, 0, 3], np.uint8),
        probability=values,
        says_landslide=np.array([True, False, False, True]),
        spread=values,
        agreement=np.array([0.9, 0.0, np.nan, 0.5], np.float32),
        filter_score=values,
        cloud_fraction=values,
        valid_fraction=values,
        votes=np.zeros((4, 2, 8), np.float32),
        votes_cast=np.array([16, 0, 0, 16], np.uint8),
        slope=values,
        placed=np.zeros((4, 12, BINS), np.uint8),
        heat=np.zeros((4, HEAT, HEAT), np.uint8),
    )
    path = write_predictions(tmp_path / "p.csv", ["A", "B", "C", "007"], judgement)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["ID"] for row in rows] == ["A", "B", "C", "007"]
    assert [row["label"] for row in rows] == ["1", "0", "0", "1"]
    assert [row["verdict"] for row in rows] == ["landslide", "filtered_out", "no_data", "uncertain"]
    assert [row["probability"] for row in rows] == ["0.900000", "0.100000", "", "0.500000"]


def test_qgis_finds_a_default_style_by_verdict(run):
    package = run.folder / "tiles.gpkg"
    (kept,) = pyogrio.read_dataframe(package, layer="layer_styles").to_dict("records")
    # What QGIS asks for: no catalogue, no schema, the layer and its geometry column.
    named = ("f_table_catalog", "f_table_schema", "f_table_name", "f_geometry_column")
    assert [kept[name] for name in named] == ["", "", "tiles", "geom"]
    assert pyogrio.read_info(package, layer="tiles")["geometry_name"] == "geom"
    assert kept["useAsDefault"]
    root = ElementTree.fromstring(kept["styleQML"])
    renderer = root.find("renderer-v2")
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "verdict")
    told = {one.get("value"): one for one in renderer.iter("category")}
    assert {name: one.get("label") for name, one in told.items()} == VERDICT_WORDS
    fills = {
        symbol.get("name"): symbol.find("layer/Option/Option[@name='color']").get("value")
        for symbol in renderer.iter("symbol")
    }
    for name, colour in VERDICT_COLOURS.items():
        *rgb, opacity = map(int, fills[told[name].get("symbol")].split(","))
        assert bytes(rgb) == bytes.fromhex(colour[1:])
        assert 0 < opacity < 255


def test_a_style_leaves_the_layers_as_they_were(run):
    package = run.folder / "tiles.gpkg"
    assert [name for name, _ in pyogrio.list_layers(package)] == ["tiles", "layer_styles"]
    assert len(geopandas.read_file(package)) == len(run.tiles)  # the first layer, unasked
    with closing(sqlite3.connect(package)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        kinds = dict(file.execute("SELECT table_name, data_type FROM gpkg_contents"))
    assert kinds == {"tiles": "features", "layer_styles": "attributes"}


def test_a_disk_full_of_the_style_is_told_as_any_full_disk(run, tmp_path, monkeypatch):
    class Full:
        def __init__(self, path):
            raise _full()

    def _full():
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        return error

    monkeypatch.setattr("landslide_core.qgis.sqlite3.connect", Full)
    with pytest.raises(OSError, match="disk is full") as told:
        style_tiles(tmp_path / "tiles.gpkg", "verdict")
    assert told.value.errno == ENOSPC
