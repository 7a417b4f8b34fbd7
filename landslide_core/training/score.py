"""Scores of a finished run against truth polygons, and of stage 1 against a labelled table."""

from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile

import geopandas
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj.exceptions import ProjError
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from landslide_core.bands import PIXEL
from landslide_core.catalogue.outlines import FORMATS, polygons_of
from landslide_core.combinations import USUAL, blank
from landslide_core.errors import DatasetError, MissingLabels
from landslide_core.features import features_from_table, filter_features
from landslide_core.folder import Run, check_version
from landslide_core.judgement import VERDICTS
from landslide_core.prefilter import Prefilter
from landslide_core.training.dataset import LEAST_SCAR
from landslide_core.training.metrics import filter_scores, system_scores

LEAST_AREA: Final = LEAST_SCAR * PIXEL**2  # m² of scar that make a tile a landslide tile
# What a file that isn't made as it should be brings its readers to raise.
_UNREADABLE: Final = (
    *(OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RuntimeError),
    *(SyntaxError, EOFError, BadZipFile, ShapelyError, ProjError),
    *(DataSourceError, DataLayerError),
)


def score_run(run: Run, truth: Path) -> dict[str, Any]:
    """Score a run's verdicts against outlines of landslides.

    A tile is a landslide tile if outlines cover at least LEAST_AREA of it; tiles without data
    are left out. A scar counts as found if a tile called landslide covers a tenth of it. Raises
    DatasetError, and RunDamaged where an earlier version wrote the run.
    """
    check_version(run)
    outlines = _outlines(truth).to_crs(run.grid().crs)
    scarred = outlines.union_all()  # outlines may overlap: no ground counts twice
    tiles = run.tiles.to_crs(run.grid().crs)
    tiles = tiles[tiles["verdict"] != "no_data"].reset_index(drop=True)
    labels = _labels(tiles, scarred)
    called = tiles.geometry[tiles["verdict"] == "landslide"].union_all()
    found = outlines.intersection(called).area >= 0.1 * outlines.area
    verdicts = tiles["verdict"]
    return {
        **system_scores(
            labels,
            tiles["probability"].to_numpy(),
            tiles["says_landslide"].to_numpy(bool),
            (verdicts == "filtered_out").to_numpy(),
        ),
        "verdicts": {
            name: {
                "tiles": int((verdicts == name).sum()),
                "with_landslide": int(labels[verdicts == name].sum()),
            }
            for name in VERDICTS[1:]
        },
        "scars": len(outlines),
        "scars_found": int(found.sum()),
    }


def tiles_of_truth(run: Run, truth: Path) -> NDArray[np.floating]:
    """Labels of a run's tiles by outlines of landslides, in the table's order, as `score_run` has.

    1 or 0; NaN where a tile has no data. The file is read without GDAL's guessing: it may be
    anybody's. Raises DatasetError.
    """
    try:
        shapes = polygons_of(truth)
    except _UNREADABLE as error:
        raise DatasetError(
            f"{truth} does not read as {FORMATS} ({error}); outlines of landslides are needed. "
            "Choose another file."
        ) from error
    if not shapes:
        raise DatasetError(
            f"{truth} holds no polygon; outlines of landslides are needed. Choose another file."
        )
    grid = run.grid()
    outlines = geopandas.GeoSeries(shapes, crs="EPSG:4326").to_crs(grid.crs).make_valid()
    labels = _labels(run.tiles.to_crs(grid.crs), outlines.union_all()).astype(float)
    labels[(run.tiles["verdict"] == "no_data").to_numpy()] = np.nan
    return labels


def _labels(tiles: geopandas.GeoDataFrame, scarred: BaseGeometry) -> NDArray[np.int_]:
    """1 for tiles of which at least LEAST_AREA is scarred, both in the same CRS in metres."""
    area: NDArray[np.floating] = tiles.intersection(scarred).area.to_numpy()
    return (area >= LEAST_AREA).astype(int)


def _outlines(truth: Path) -> geopandas.GeoDataFrame:
    try:
        read = geopandas.read_file(truth)
    except DataSourceError as error:
        raise DatasetError(
            f"{truth} does not read as vector data ({error}); outlines of landslides are "
            "needed. Check --truth."
        ) from error
    if not isinstance(read, geopandas.GeoDataFrame) or read.crs is None:
        raise DatasetError(
            f"{truth} holds no geometries with a coordinate reference system; outlines that say "
            "where they lie are needed. Check --truth."
        )
    outlines = read[read.geom_type.isin(("Polygon", "MultiPolygon"))].reset_index(drop=True)
    if outlines.empty:
        raise DatasetError(
            f"{truth} holds {len(read)} features, none of them a polygon; outlines of landslides "
            "are needed. Check --truth."
        )
    return outlines.set_geometry(outlines.make_valid())


def score_table(prefilter: Prefilter, table: pd.DataFrame) -> dict[str, Any]:
    """Score stage 1 on labelled rows in the format of the challenge's band statistics.

    Under "inputs": what is kept and dropped of the same rows where whole inputs are missing.
    """
    if "label" not in table:
        raise MissingLabels(
            "The table has no column 'label'; labelled rows are needed to score. Add the column."
        )
    features = filter_features(features_from_table(table))
    labels = table["label"].to_numpy(np.int_)
    found = {
        words: _stage_1(prefilter, blank(features, name), labels) for name, words in USUAL.items()
    }
    return {
        **_stage_1(prefilter, features, labels),
        "inputs": {
            words: {name: scores[name] for name in ("recall", "dropped_fraction")}
            for words, scores in found.items()
        },
    }


def _stage_1(
    prefilter: Prefilter, features: pd.DataFrame, labels: NDArray[np.int_]
) -> dict[str, float]:
    score = prefilter.score(features)
    return filter_scores(labels, score, score < prefilter.threshold(features))
