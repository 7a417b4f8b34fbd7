"""Detections -> files other programs open: GeoParquet, GeoPackage and COGs."""

import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import geopandas
import numpy as np
import pyogrio
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.windows import Window as RasterWindow
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

from landslide_core.errors import CannotWrite
from landslide_core.grid import Grid, Tiling
from landslide_core.judgement import CELL, HEAT, HEAT_STEP, NO_DATA, VERDICTS, Detections, Judgement
from landslide_core.opening import GDAL_OPTIONS
from landslide_core.qgis import by_verdict, write_style
from landslide_core.slope import alarms

UNDATED: Final = "2000-01-01T00:00:00.000Z"
VERDICT_NO_DATA: Final = 255  # in verdict.tif; codes 0.. are indices into VERDICTS
# Told apart with any colour vision, and darker in the order of alarm: at least 8 L* a step.
VERDICT_COLOURS: Final[dict[str, str]] = {
    "no_data": "#e8e8e8",
    "filtered_out": "#c9d3dc",
    "stable": "#8fbde4",
    "uncertain": "#e08e0b",
    "landslide": "#cc3a08",
}
# As people read them, the gravest first.
VERDICT_WORDS: Final[dict[str, str]] = {
    "landslide": "Landslide",
    "uncertain": "Uncertain",
    "stable": "Stable",
    "filtered_out": "Filtered out",
    "no_data": "No data",
}


def tile_table(
    grid: Grid, detections: Detections, least_slope: float = 0.0
) -> geopandas.GeoDataFrame:
    """One row a tile, in EPSG:4326: position, verdict, scores, each member's mean vote.

    `cloud_fraction` is a guess where the run's record has `cloud_from` "brightness", by the rule
    on bright red alone; NaN where no optical sensor saw the tile.

    A tile less steep than `least_slope` (degrees) keeps its verdict and raises no alarm.
    """
    tiling, tiles = detections.tiling, detections.tiles
    rows, cols = np.divmod(np.arange(len(tiling)), tiling.cols)
    asked = tiles.votes_cast > 0
    members = np.full((len(tiling), tiles.votes.shape[1]), np.nan, np.float32)
    members[asked] = np.nanmean(tiles.votes[asked], axis=2)
    columns: dict[str, Any] = {
        "tile_id": np.arange(len(tiling)),
        "row": rows,
        "col": cols,
        "verdict": [VERDICTS[code] for code in tiles.verdict],
        "alarm": alarms(tiles, least_slope),
        "probability": tiles.probability,
        "says_landslide": tiles.says_landslide,
        "spread": tiles.spread,
        "agreement": tiles.agreement,
        "votes_cast": tiles.votes_cast,
        "filter_score": tiles.filter_score,
        "cloud_fraction": tiles.cloud_fraction,
        "valid_fraction": tiles.valid_fraction,
        "slope": tiles.slope,
        **{f"member_{m:02d}": members[:, m] for m in range(members.shape[1])},
    }
    boxes = _outlines(grid, detections)
    table = geopandas.GeoDataFrame(columns, geometry=boxes, crs=grid.crs).to_crs("EPSG:4326")
    return table.set_geometry(_cut_at_180(table.geometry.to_numpy()), crs=table.crs)


def _outlines(grid: Grid, detections: Detections) -> NDArray[np.object_]:
    """The tiles' rectangles in the grid's CRS, cut at the grid's edge."""
    clipped = [grid.clip(window) for window in detections.tiling.windows()]
    left, top, wide, tall = np.array([(w.col, w.row, w.width, w.height) for w in clipped]).T
    corners = [(left, top), (left, top + tall), (left + wide, top + tall), (left + wide, top)]
    # Affine maps arrays of columns and rows alike, also on a rotated grid.
    rings = np.stack([np.stack(grid.transform @ corner, axis=-1) for corner in corners], axis=1)
    outlines: NDArray[np.object_] = shapely.polygons(rings)
    return outlines


def _cut_at_180(outlines: NDArray[np.object_]) -> NDArray[np.object_]:
    """Outlines in degrees, those across the antimeridian in two parts, one on either side of it.

    Drawn from 179.99° to -179.99° as they are, they would go round the Earth.
    """
    whole = outlines.copy()
    west, _, east, _ = shapely.bounds(outlines).T
    for i in np.flatnonzero(east - west > 180):
        lon, lat = shapely.get_coordinates(outlines[i]).T
        beyond = shapely.polygons(np.stack([np.where(lon < 0, lon + 360, lon), lat], axis=-1))
        near, past = (
            shapely.intersection(beyond, shapely.box(start, -90, start + 360, 90))
            for start in (-180, 180)
        )
        back = shapely.transform(past, lambda points: points - (360, 0))
        whole[i] = shapely.union_all([part for part in (near, back) if part.area > 0])
    return whole


def write_tiles(tiles: geopandas.GeoDataFrame, folder: Path) -> list[Path]:
    """Write tiles.parquet (GeoParquet) and tiles.gpkg (layer "tiles")."""
    parquet, package = folder / "tiles.parquet", folder / "tiles.gpkg"
    tiles.to_parquet(parquet, index=False)
    # The package notes when it was written; the same results shall be the same bytes.
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": UNDATED})
    try:
        tiles.to_file(package, layer="tiles", driver="GPKG")
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    style_tiles(package, "verdict")
    return [parquet, package]


def style_tiles(package: Path, column: str) -> None:
    """Let QGIS colour a GeoPackage's layer "tiles" by the verdict in a column. Raises OSError."""
    qml = by_verdict(column, VERDICT_COLOURS, VERDICT_WORDS)
    write_style(package, "tiles", qml, UNDATED)


def write_rasters(grid: Grid, detections: Detections, folder: Path) -> list[Path]:
    """Write probability.tif, spread.tif, verdict.tif and localisation.tif as COGs.

    They lie on the scene's grid; localisation has a cell for 2×2 of its pixels.
    """
    tiles, tiling = detections.tiles, detections.tiling
    seen = tiles.verdict != NO_DATA
    # Floats first: −1, which any verdict outranks, would wrap to 255 among the codes' uint8.
    coded = np.where(seen, tiles.verdict.astype(np.float32), np.float32(-1))
    verdict = tiling.cells(coded, "max")
    layers: Sequence[tuple[str, NDArray[Any], float]] = (
        ("probability", tiling.cells(tiles.probability, "mean"), np.nan),
        ("spread", tiling.cells(tiles.spread, "mean"), np.nan),
        ("verdict", np.where(verdict < 0, VERDICT_NO_DATA, verdict).astype(np.uint8), 255),
    )
    rasters = [
        _Raster(folder / f"{name}.tif", grid.geobox, values, tiling.stride, nodata)
        for name, values, nodata in layers
    ]
    where = localisation(tiling, tiles.heat)
    fine = GeoBox(where.shape, grid.transform @ Affine.scale(CELL), grid.geobox.crs)
    rasters.append(_Raster(folder / "localisation.tif", fine, where, 1, 0))
    return [_write_cog(raster) for raster in rasters]


def localisation(tiling: Tiling, heat: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Tiles' heat maps (N, 32, 32) in their places, cut at the grid's edge: (rows, columns).

    Where tiles overlap, the mean of those that were voted on; 0 where none was.
    """
    step = tiling.stride // CELL
    size = -(-tiling.height // CELL), -(-tiling.width // CELL)
    total, count = np.zeros(size, np.uint16), np.zeros(size, np.uint8)
    for tile in np.flatnonzero(heat.any(axis=(1, 2))):
        row, col = (step * at for at in divmod(int(tile), tiling.cols))
        here = total[row : row + HEAT, col : col + HEAT]
        here += heat[tile, : here.shape[0], : here.shape[1]]
        count[row : row + HEAT, col : col + HEAT] += 1
    half = count // 2  # rounds to the nearest code
    return np.asarray((total + half) // np.maximum(count, 1), np.uint8)


@dataclass(frozen=True)
class _Raster:
    """One result on its way into a file."""

    path: Path
    geobox: GeoBox
    cells: NDArray[Any]  # (rows, columns), each a square of `side` pixels
    side: int
    nodata: float


def _write_cog(result: _Raster) -> Path:
    """Blow cells up to pixels strip by strip, then turn the file into a COG."""
    path = result.path
    plain = path.with_suffix(".plain.tif")
    height, width = (int(side) for side in result.geobox.shape)
    profile = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": 1,
        "dtype": result.cells.dtype.name,
        "crs": str(result.geobox.crs),
        "transform": result.geobox.transform,
        "nodata": result.nodata,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "compress": "deflate",
    }
    with rasterio.Env(**GDAL_OPTIONS), rasterio.open(plain, "w", **profile) as raster:
        for top in range(0, height, 512):
            rows = np.arange(top, min(top + 512, height))
            pixels = result.cells[rows // result.side][:, np.arange(width) // result.side]
            raster.write(pixels, 1, window=RasterWindow(0, top, width, len(rows)))
        raster.set_band_description(1, path.stem)
        if path.stem == "verdict":
            raster.write_colormap(1, _colormap())
            raster.update_tags(**{f"verdict_{i}": name for i, name in enumerate(VERDICTS)})
        if path.stem == "localisation":  # codes 1 to 255 are probabilities 0 to 1
            raster.scales, raster.offsets = (HEAT_STEP,), (-HEAT_STEP,)
    with rasterio.Env(**GDAL_OPTIONS):  # a bounded block cache, here too
        cog_translate(
            plain,
            path,
            {**cog_profiles.get("deflate"), "blockxsize": 512, "blockysize": 512},
            # Other results are constant over a tile: nothing to average.
            overview_resampling="average" if path.stem == "localisation" else "nearest",
            in_memory=False,
            quiet=True,
            forward_band_tags=True,
            colormap=_colormap() if path.stem == "verdict" else None,
            config=GDAL_OPTIONS,
        )
    plain.unlink()
    return path


def _colormap() -> dict[int, tuple[int, int, int, int]]:
    colours = {
        code: tuple(bytes.fromhex(VERDICT_COLOURS[name][1:])) for code, name in enumerate(VERDICTS)
    }
    return {code: (r, g, b, 255) for code, (r, g, b) in colours.items()}


def write_predictions(path: Path, ids: Sequence[str], judgement: Judgement) -> Path:
    """Write the answers to challenge patches: ID, label, then what they rest on.

    Raises CannotWrite.
    """
    beside = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        beside.write_text(_predictions(ids, judgement))
        beside.replace(path)
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be written ({error.strerror}). Choose another --out."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return path


def _predictions(ids: Sequence[str], judgement: Judgement) -> str:
    with io.StringIO(newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("ID", "label", "verdict", "probability", "spread", "filter_score"))
        for i, name in enumerate(ids):
            numbers = (judgement.probability, judgement.spread, judgement.filter_score)
            writer.writerow(
                (
                    name,
                    int(judgement.says_landslide[i]),
                    VERDICTS[judgement.verdict[i]],
                    *("" if np.isnan(n[i]) else f"{n[i]:.6f}" for n in numbers),
                )
            )
        return file.getvalue()
