"""The map of the Find page: the area, drawn here or given, and footprints of what was chosen."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import folium
import shapely
import streamlit as st
from branca.element import MacroElement
from folium.plugins import Draw
from folium.template import Template
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry
from streamlit_folium import st_folium

from landslide_core.catalogue.area import Area
from landslide_core.catalogue.candidates import Candidate
from pages.parts import scripts, theme
from pages.parts.maps.degrees import Degrees
from pages.parts.maps.frame import blank
from pages.parts.maps.outlines import Outlines

if TYPE_CHECKING:
    from landslide_core.catalogue.search import Choice

HEIGHT: Final = 520
LABEL_PLACES: Final = {"optical": (0.0, 1.0), "desc": (1.0, 1.0), "asc": (0.0, 0.0)}  # x, y


@dataclass(frozen=True)
class Line:
    """How the footprints of a kind are drawn: told apart by dashes as well as by colour."""

    label: str
    on_light: str
    on_dark: str
    dashes: str | None = None  # as the map takes them, in pixels
    stroke: str = "solid"  # the same in the legend

    @property
    def colour(self) -> str:
        """For the theme that is shown."""
        return self.on_dark if theme.is_dark() else self.on_light


LINES: Final = {
    "optical": Line("Sentinel-2", "#0072b2", "#56b4e9"),
    "desc": Line("Sentinel-1 descending", "#d55e00", "#e69f00", "12 7", "dashed"),
    "asc": Line("Sentinel-1 ascending", "#a3447c", "#cc79a7", "2 7", "dotted"),
}


@dataclass(frozen=True)
class Look:
    """What the map shows."""

    area: Area | None
    choice: "Choice | None"
    drawing: bool  # whether there are tools to draw an area
    whole: bool  # all of the footprints, not just the area
    online: bool


class _View(MacroElement):
    """Moves the map when what it should show has changed, not at every rerun."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        if (window.shown !== {{ this.key|tojson }}) {
            window.shown = {{ this.key|tojson }};
            window.map.fitBounds({{ this.corners|tojson }},
                {paddingTopLeft: [64, 28], // between the tools and the inset
                    paddingBottomRight: [28 + 0.26 * window.map.getSize().x, 28],
                    maxZoom: 15, animate: false});
        }
        {% endmacro %}
        """
    )

    def __init__(self, key: str, bounds: tuple[float, float, float, float]) -> None:
        super().__init__()
        west, south, east, north = bounds
        self.key, self.corners = key, [[south, west], [north, east]]


def draw(look: Look) -> list[dict[str, Any]] | None:
    """Draw the map; returns the GeoJSON features drawn on it, None where none were since it is up.

    Panning and zooming run no script.
    """
    said = st_folium(
        _frame(look.drawing),
        key=f"find-{look.drawing}-{theme.is_dark()}",
        height=HEIGHT,
        use_container_width=True,
        returned_objects=["all_drawings"],
        feature_group_to_add=[_marks(look)],
    )
    features: list[dict[str, Any]] | None = said.get("all_drawings")
    return features


def legend(choice: "Choice | None") -> None:
    """Which line is what."""
    lines = [("Area", theme.ink(), "solid")]
    for kind, candidates in _chosen(choice):
        days = " and ".join(f"{found.time:%Y-%m-%d}" for found in candidates)
        line = LINES[kind]
        lines.append((f"{line.label}, {days}", line.colour, line.stroke))
    samples = "".join(
        '<span style="display:inline-flex;align-items:center;gap:.5rem;margin-right:1.3rem">'
        f'<span style="width:2.6rem;border-top:4px {stroke} {colour}"></span>{label}</span>'
        for label, colour, stroke in lines
    )
    st.html(f'<div style="font-size:.85rem;line-height:1.7">{samples}</div>')


def _frame(drawing: bool) -> folium.Map:
    """The empty map; it stays the same from rerun to rerun, and with it the view."""
    frame = blank("Map of the area and of what was found", (20.0, 20.0), 2)
    Outlines().add_to(frame)
    Degrees().add_to(frame)
    if drawing:
        shape = {"shapeOptions": {"color": theme.ink(), "weight": 3}, "showArea": False}
        kinds = dict.fromkeys(("polyline", "circle", "marker", "circlemarker"), False)
        options = {**kinds, "rectangle": shape, "polygon": {**shape, "allowIntersection": False}}
        tools = Draw(draw_options=options, show_geometry_on_click=False)
        tools.default_js = [("leaflet_draw", scripts.bundle("draw"))]
        tools.default_css = [
            ("leaflet_draw_css", scripts.found_at(scripts.DRAW / "leaflet.draw.css"))
        ]
        tools.add_to(frame)
    ground = "rgba(26,36,46,.82)" if theme.is_dark() else "rgba(255,255,255,.85)"
    figure = frame.get_root()
    assert isinstance(figure, folium.Figure)
    figure.header.add_child(
        folium.Element(
            f"<style>.degrees{{font-size:.7rem;color:{theme.ink()};opacity:.75;"
            f"text-shadow:{','.join([f'0 0 3px {ground}'] * 3)};"
            "white-space:nowrap;text-align:center}.degrees.end{text-align:right}"
            f".pointer,.footprint{{font-size:.75rem;padding:0 .35rem;color:{theme.ink()};"
            f"background:{ground};border-radius:.2rem;white-space:nowrap;width:max-content}}"
            ".pointer:empty{display:none}</style>"
        )
    )
    return frame


def _marks(look: Look) -> folium.FeatureGroup:
    """Area and footprints, and the part of the Earth to look at."""
    group = folium.FeatureGroup("Area and footprints")
    if look.online:
        folium.TileLayer("OpenStreetMap").add_to(group)
    if look.area is None:
        return group
    seen = [look.area.shape]
    for kind, candidates in _chosen(look.choice):
        line = LINES[kind]
        shapes = [_beside(found.footprint, look.area) for found in candidates]
        for shape in shapes:
            _outline(shape, line.colour, 3, line.dashes).add_to(group)
        _label(shapely.union_all(shapes), kind).add_to(group)
        seen += shapes if look.whole else []
    _outline(look.area.shape, theme.ink(), 3, None).add_to(group)
    bounds = shapely.union_all(seen).bounds
    # What was just drawn is in view; moving the map then would only be in the way.
    key = "drawn" if look.drawing and not look.whole else str(bounds)
    _View(key, bounds).add_to(group)
    return group


def _chosen(choice: "Choice | None") -> Iterator[tuple[str, list[Candidate]]]:
    """What was chosen, by kind."""
    if choice and choice.optical:
        yield "optical", [choice.optical]
    for kind, pair in (("desc", choice and choice.desc), ("asc", choice and choice.asc)):
        if pair:
            yield kind, [found for found in (pair.pre, pair.post) if found]


def _outline(
    shape: BaseGeometry, colour: str, weight: int, dashes: str | None
) -> folium.PolyLine | folium.Polygon:
    polygons = [part for part in getattr(shape, "geoms", [shape]) if part.geom_type == "Polygon"]
    rings = [[(round(y, 6), round(x, 6)) for x, y, *_ in p.exterior.coords] for p in polygons]
    return folium.PolyLine(
        rings, color=colour, weight=weight, dash_array=dashes, opacity=1.0, interactive=False
    )


def _label(shape: BaseGeometry, kind: str) -> folium.Marker:
    """The footprints' kind, at a corner of its own."""
    west, south, east, north = shape.bounds
    x, y = LABEL_PLACES[kind]
    # Inside of the corner, whichever that is: the label's own size isn't known here.
    shift = f"transform:translate({-100 * x:.0f}%,{-100 * (1 - y):.0f}%)"
    html = f'<div class="footprint" style="{shift}">{LINES[kind].label}</div>'
    at = (south + y * (north - south), west + x * (east - west))
    icon = folium.DivIcon(html=html, class_name="label", icon_size=(0, 0), icon_anchor=(0, 0))
    return folium.Marker(at, icon=icon, interactive=False, keyboard=False)


def _beside(shape: BaseGeometry, area: Area) -> BaseGeometry:
    """An outline in the turn of longitudes that the area is in."""
    turns = round((area.shape.centroid.x - shape.centroid.x) / 360)
    return translate(shape, xoff=360.0 * turns)
