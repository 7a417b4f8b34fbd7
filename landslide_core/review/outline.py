"""An outline that somebody drew for a tile: checked, and cut at 180° as the tiles are."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import mapping, shape

from landslide_core.errors import BadReview

_MOST: Final = 10_000  # corners; a drawn outline has tens


def checked_outline(given: Any, tile: Any) -> dict[str, Any]:
    """A GeoJSON polygon or feature of one as a GeoJSON geometry, longitudes in -180..180°.

    Nothing is simplified. Raises BadReview unless it is valid and touches the tile (EPSG:4326).
    """
    middle = float(shapely.get_coordinates(tile)[0, 0])
    # Round the tile, maps that were dragged round the Earth and outlines already cut are alike.
    drawn = [_near(part, middle) for part in shapely.get_parts(_polygons(given))]
    for part in drawn:
        if not shapely.is_valid(part):
            raise BadReview(
                f"The outline is no valid polygon ({shapely.is_valid_reason(part)}). Draw it "
                "without crossing its own line."
            )
    whole = drawn[0] if len(drawn) == 1 else shapely.union_all(drawn)
    if not shapely.intersects(whole, _near(tile, middle)):
        raise BadReview("The outline lies outside the tile; it has to touch it. Draw it there.")
    outline: dict[str, Any] = mapping(_cut_at_180(whole))
    return outline


def _polygons(given: Any) -> Any:
    """A finite shapely Polygon or MultiPolygon, in two dimensions."""
    try:
        geometry = given["geometry"] if given["type"] == "Feature" else given
        with np.errstate(invalid="ignore"):  # NaN among the corners is said below
            found = shapely.force_2d(shape(geometry))
        kind = found.geom_type
        corners = shapely.get_coordinates(found)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        said = given.get("type") if isinstance(given, Mapping) else type(given).__name__
        raise BadReview(
            f"The outline ({said}) is no GeoJSON geometry; a Polygon or MultiPolygon is needed. "
            "Draw it again."
        ) from error
    if kind not in ("Polygon", "MultiPolygon") or not len(corners):
        raise BadReview(
            f"The outline is of type {kind} with {len(corners)} corners; a Polygon or MultiPolygon "
            "is needed. Draw it again."
        )
    lon, lat = corners.T
    if not (np.isfinite(corners).all() and (abs(lat) <= 90).all() and (abs(lon) <= 540).all()):
        raise BadReview(
            "The outline has corners that are no longitude and latitude; degrees (EPSG:4326) are "
            "needed. Draw it again."
        )
    if len(corners) > _MOST:
        raise BadReview(
            f"The outline has {len(corners):,} corners; {_MOST:,} at most are kept. Draw fewer."
        )
    return found


def _near(geometry: Any, longitude: float) -> Any:
    """A geometry with every corner less than half a turn from a longitude."""

    def turned(corners: NDArray[np.float64]) -> NDArray[np.float64]:
        away = np.round((corners[:, :1] - longitude) / 360)
        return corners - away * (360, 0)

    return shapely.transform(geometry, turned)


def _cut_at_180(whole: Any) -> Any:
    west, _, east, _ = shapely.bounds(whole)
    if west >= -180 and east <= 180:
        return whole  # corner by corner as it was drawn
    parts = []
    for turn in (-360, 0, 360):
        inside = shapely.intersection(whole, shapely.box(turn - 180, -90, turn + 180, 90))
        parts.append(shapely.transform(inside, lambda corners, by=turn: corners - (by, 0)))
    return shapely.union_all([part for part in parts if part.area > 0])
