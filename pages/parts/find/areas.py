"""The area to look at: drawn on the map, two corners, or a file with polygons."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import shapely
import streamlit as st
from shapely.affinity import translate

from landslide_core.catalogue.area import Area, area_of, continuous
from landslide_core.errors import LandslideError, SceneError
from pages.parts import cached, state, theme
from pages.parts.find import remembered
from pages.parts.page_words import in_page_words
from pages.parts.upload.uploads import keep

DRAW: Final = "Draw"
ENDINGS: Final = ("geojson", "json", "gpkg", "kml")
MOST: Final = 10  # MB of a file with polygons


def way() -> str:
    """How the area is given."""
    given = st.segmented_control(
        "Area", list(WAYS), default=DRAW, required=True, key="find-way", persist_state="session"
    )
    return str(given)


def chosen(given: str) -> Area | None:
    """The area and its size; None where there is none yet, or one that can't be used."""
    try:
        found: Area | None = WAYS[given]()
    except LandslideError as error:
        theme.problem(in_page_words(error))
        return None
    if found:
        box, middle = found.window(found.utm), found.shape.centroid
        st.caption(
            f"{box.shape.x / 100:.1f} × {box.shape.y / 100:.1f} km around {place(middle)}, "
            f"{found.utm}."
        )
    return found


def place(point: shapely.Point) -> str:
    """A point in words: "28.21° N, 85.32° E"."""
    east = (point.x + 180) % 360 - 180
    return (
        f"{abs(point.y):.2f}° {'N' if point.y >= 0 else 'S'}, "
        f"{abs(east):.2f}° {'E' if east >= 0 else 'W'}"
    )


def area_of_drawings(features: Sequence[Mapping[str, Any]]) -> Area | None:
    """What was drawn, together; a map that was turned round the Earth says longitudes past 180°.

    Raises SceneError for what is too small, too large or too near a pole.
    """
    shapes = [shapely.make_valid(shapely.geometry.shape(f["geometry"])) for f in features]
    turned = [translate(s, xoff=-360.0 * ((s.bounds[0] + 180) // 360)) for s in shapes if s.area]
    return Area(continuous(shapely.union_all(turned))) if turned else None


def area_of_corners(text: str) -> Area:
    """The area between two corners; never a file, which `area_of` takes too. Raises SceneError."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise SceneError(
            f"{text[:80]!r} is not two corners; four numbers are needed. Give "
            "minlon,minlat,maxlon,maxlat in degrees."
        )
    return area_of(",".join(f"{number:.7f}" for number in numbers))


def _drawn() -> Area | None:
    st.caption(
        "Draw a rectangle or a polygon with the tools at the map's upper left. Close by, without a "
        "street map, “Corners” is the surer way."
    )
    return area_of_drawings(remembered.drawn())


def _corners() -> Area | None:
    text = st.text_input(
        "Corners in degrees",
        placeholder="minlon,minlat,maxlon,maxlat",
        key="find-corners",
        persist_state="session",
        help="West, south, east and north, such as 85.25,28.15,85.40,28.28. Across the "
        "antimeridian the first longitude is larger than the third number.",
    )
    return area_of_corners(text) if text.strip() else None


def _file() -> Area | None:
    file = st.file_uploader(
        "Polygons as GeoJSON, GeoPackage or KML",
        type=list(ENDINGS),
        max_upload_size=MOST,
        key="find-file",
    )
    if file is None:
        return None
    (path,) = keep([file], state.uploads_folder()).values()
    return cached.area(path)


WAYS: Final = {DRAW: _drawn, "Corners": _corners, "File": _file}
