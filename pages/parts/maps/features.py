"""Tiles as the map asks for them: those in view, the one at a place, those in an area."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Final
from urllib.parse import quote

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Geod
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from landslide_core.errors import LandslideError
from landslide_core.folder import Run, open_run
from landslide_core.judgement import VERDICTS
from pages.parts import cached, scripts, state

MOST: Final = 1500  # tiles in one answer; past it points, and the calmest are left out
_PLACING: Final = Lock()
_FORGET: Final = {"Cache-Control": "no-store"}
Box = tuple[float, float, float, float]  # west, south, east, north, °


@dataclass(frozen=True)
class Placed:
    """A run's tiles beside each other on one map, ready to be found by place; arrays are (N,)."""

    ids: NDArray[np.int64]
    codes: NDArray[np.int64]  # indices into VERDICTS
    probability: NDArray[np.float64]  # rounded to 4 digits, as the browser has it; NaN unknown
    spread: NDArray[np.float64]
    masked: NDArray[np.bool_]  # landslide tiles that raise no alarm
    outlines: NDArray[np.object_]
    centres: NDArray[np.float64]  # (N, 2) longitude, latitude
    tree: shapely.STRtree

    @property
    def gravity(self) -> NDArray[np.float64]:
        """Rank: by verdict, then by probability."""
        return np.asarray(self.codes * 2.0 + np.nan_to_num(self.probability), np.float64)


def routes(base: str = "") -> list[BaseRoute]:
    """The tiles of a run by place."""
    return [
        Route(f"{base}/features/{{run}}", _features),
    ]


def url(run: Path) -> str:
    """Where a run's tiles are asked for, as seen from the map's frame."""
    return f"{scripts.ROOT}/features/{quote(run.name)}?v={cached.run_stamp(run)}"


def placed(run: Run) -> Placed:
    """A run's tiles, indexed once. Raises RunDamaged."""
    return _once(Path(run.folder), cached.run_stamp(Path(run.folder)))


def _once(folder: Path, stamp: str) -> Placed:
    with _PLACING:  # maps that open together wait for one index, instead of making one each
        return _placed(folder, stamp)


@lru_cache(maxsize=4)  # a route has no session for Streamlit's caches
def _placed(folder: Path, stamp: str) -> Placed:
    table = open_run(folder).tiles
    outlines = on_one_map(table)
    alarm = table["alarm"] if "alarm" in table else np.ones(len(table), bool)
    codes = table["verdict"].map({name: code for code, name in enumerate(VERDICTS)})
    return Placed(
        ids=table["tile_id"].to_numpy(np.int64),
        codes=codes.to_numpy(np.int64),
        probability=table["probability"].to_numpy(np.float64).round(4),
        spread=table["spread"].to_numpy(np.float64).round(4),
        masked=((table["verdict"] == "landslide") & ~np.asarray(alarm)).to_numpy(bool),
        outlines=outlines,
        centres=shapely.get_coordinates(shapely.centroid(outlines)),
        tree=shapely.STRtree(outlines),
    )


def on_one_map(table: gpd.GeoDataFrame) -> NDArray[np.object_]:
    """Outlines side by side: longitudes run on past 180° where a run lies across that.

    A tile that is cut there is whole again: its outline is convex.
    """
    outlines: NDArray[np.object_] = table.geometry.to_numpy()
    west, _, east, _ = table.total_bounds
    if not east - west > 180:
        return outlines
    moved = shapely.transform(outlines, lambda at: np.column_stack([at[:, 0] % 360, at[:, 1]]))
    whole: NDArray[np.object_] = shapely.convex_hull(moved)
    return whole


def within(found: Placed, box: Box | None = None) -> dict[str, Any]:
    """GeoJSON of the tiles in a box, or of all, the gravest last.

    Past MOST they are the gravest ones' centres; "total" says how many there are.
    """
    rows = np.arange(len(found.ids)) if box is None else found.tree.query(shapely.box(*box))
    total = len(rows)
    rows = rows[np.argsort(found.gravity[rows], kind="stable")][-MOST:]
    if total > MOST:
        shapes = [("Point", at) for at in found.centres[rows].round(6).tolist()]
    else:
        corners = shapely.get_coordinates(found.outlines[rows]).round(6)  # 1e-6° is 0.1 m
        ends = np.cumsum(shapely.get_num_coordinates(found.outlines[rows]))[:-1]
        shapes = [("Polygon", [ring.tolist()]) for ring in np.split(corners, ends)][:total]
    return {
        "type": "FeatureCollection",
        "total": total,
        "thinned": total > MOST,
        "features": [_feature(found, row, *shape) for row, shape in zip(rows, shapes, strict=True)],
    }


def _feature(found: Placed, row: int, kind: str, coordinates: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {
            "tile": int(found.ids[row]),
            "verdict": VERDICTS[found.codes[row]],
            "probability": _or_none(found.probability[row]),
            "spread": _or_none(found.spread[row]),
            "masked": bool(found.masked[row]),
        },
    }


def _or_none(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def tile_at(found: Placed, latitude: float, longitude: float) -> int | None:
    """The tile at a place; where tiles overlap, the one whose middle is drawn there."""
    point = _beside(found, shapely.Point(longitude, latitude))
    rows = found.tree.query(point, "intersects")
    if not len(rows):
        return None
    away = found.centres[rows] - shapely.get_coordinates(point)  # °
    away[:, 0] *= np.cos(np.radians(latitude))
    return int(found.ids[rows[np.hypot(*away.T).argmin()]])


def inside(found: Placed, area: BaseGeometry) -> NDArray[np.intp]:
    """Rows of the tiles whose centre lies in an area."""
    there = shapely.contains_xy(_beside(found, area), found.centres)
    return np.flatnonzero(there)


def square_kilometres(area: BaseGeometry) -> float:
    """The area on the ellipsoid."""
    return abs(float(Geod(ellps="WGS84").geometry_area_perimeter(area)[0])) / 1e6


def _beside(found: Placed, shape: BaseGeometry) -> BaseGeometry:
    """A shape in the turn of longitudes that the tiles are in."""
    turns = round((float(found.centres[:, 0].mean()) - shape.centroid.x) / 360)
    return translate(shape, xoff=360.0 * turns)


def histogram(found: Placed) -> dict[str, list[int]]:
    """Tiles of a verdict by probability: 101 counts, the k-th of k/100 up to under (k+1)/100."""
    edges = np.arange(101) / 100
    known = np.isfinite(found.probability)
    at = np.searchsorted(edges, found.probability[known], side="right") - 1
    return {
        name: np.bincount(at[found.codes[known] == code], minlength=101).tolist()
        for code, name in enumerate(VERDICTS)
    }


def _features(request: Request) -> Response:
    """The tiles of a listed run in `?bbox=west,south,east,north`; 404 for others, 400 for noise."""
    try:
        folder = {path.name: path for path in state.runs()}[request.path_params["run"]]
        box = _box(request.query_params.get("bbox", ""))
        answer = json.dumps(within(_once(folder, cached.run_stamp(folder)), box))
    except (KeyError, LandslideError):
        return PlainTextResponse("There is no such run.", 404, headers=_FORGET)
    except ValueError as error:
        return PlainTextResponse(str(error), 400, headers=_FORGET)
    headers = {"Cache-Control": "private, max-age=3600"}  # the address has the run's stamp
    return Response(answer, media_type="application/geo+json", headers=headers)


def _box(text: str) -> Box:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ValueError("bbox wants west,south,east,north in degrees.") from error
    if not (-720 <= west < east <= 720 and -90 <= south < north <= 90):
        raise ValueError("bbox wants west under east and south under north, in degrees.")
    return west, south, east, north
