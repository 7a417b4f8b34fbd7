"""What every map has: no ground of its own but the theme's, a name, and manners inside its page."""

from typing import Final

import folium
from branca.element import MacroElement
from folium.template import Template

from pages.parts import scripts, theme

Bounds = tuple[tuple[float, float], tuple[float, float]]  # two corners, latitude and longitude
# Ground, under words, links, edges.
_LIGHT: Final = ("#e9edf0", "rgba(255,255,255,.9)", "#0b6a82", "#c4ced6")
_DARK: Final = ("#1a242e", "rgba(20,29,38,.9)", "#5cc3dc", "#3a4a58")


class _Manners(MacroElement):
    """The frame's name, and how the map and the page share wheel, fingers and focus."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        if (window.frameElement) window.frameElement.title = {{ this.title|tojson }};
        mapManners({{ this._parent.get_name() }}, {{ this.limit|tojson }});
        {% endmacro %}
        """
    )

    def __init__(self, title: str, limit: Bounds | int) -> None:
        super().__init__()
        self.title, self.limit = title, limit


class _Corners(MacroElement):
    """A metric scale bar, and Leaflet's name without its flag."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        L.control.scale({imperial: false}).addTo({{ this._parent.get_name() }});
        {{ this._parent.get_name() }}.attributionControl.setPrefix(
            '<a href="https://leafletjs.com" target="_blank" rel="noopener">Leaflet</a>');
        {% endmacro %}
        """
    )


def blank(
    title: str,
    middle: tuple[float, float] = (0.0, 0.0),
    zoom: int = 1,
    script: str = "leaflet",
    limit: Bounds | int = 1,
) -> folium.Map:
    """A map around a (latitude, longitude) without anything on it, and nothing from outside.

    The title is its frame's, for those who hear the page; limit is what ends zooming out: bounds
    to stay around, or a zoom.
    """
    frame = folium.Map(
        middle,
        zoom_start=zoom,
        tiles=None,
        prefer_canvas=True,
        zoom_snap=0.25,
        font_size="0.8rem",
    )
    frame.default_js = [("leaflet", scripts.bundle(script))]
    frame.default_css = [("leaflet_css", scripts.found_at(scripts.LEAFLET / "leaflet.css"))]
    colour, glass, link, edge = _DARK if theme.is_dark() else _LIGHT
    figure = frame.get_root()
    assert isinstance(figure, folium.Figure)
    figure.header.add_child(
        folium.Element(
            f"<style>.leaflet-container{{background:{colour}}}"
            # Leaflet hands on a canvas's mouse only every 32 ms: what is drawn by hand would end
            # short of where the button was let go.
            ".leaflet-container canvas{pointer-events:none}"
            ".leaflet-container .leaflet-control-attribution,.leaflet-control-scale-line"
            f"{{background:{glass};color:{theme.ink()};text-shadow:none}}"
            f".leaflet-container .leaflet-control-attribution a{{color:{link}}}"
            f".leaflet-bar a,.leaflet-bar a:hover{{background-color:{glass};color:{theme.ink()};"
            f"border-color:{edge}}}.leaflet-bar a.leaflet-disabled{{opacity:.55}}"
            # Leaflet.draw has one picture of all its tools, dark on light.
            f".leaflet-draw-toolbar.leaflet-bar a{{background-color:#fff;border-color:#bbb"
            f"{';filter:invert(.87)' if theme.is_dark() else ''}}}"
            ".leaflet-marker-icon{touch-action:none}"
            "@media (pointer:coarse){.leaflet-touch .leaflet-control-zoom a"
            "{width:44px;height:44px;line-height:44px}.leaflet-draw{zoom:1.47}}</style>"
        )
    )
    _Manners(title, limit).add_to(frame)
    _Corners().add_to(frame)
    return frame
