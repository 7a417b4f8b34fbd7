"""Coastlines, borders and names of countries under a map; they need no internet."""

from typing import Final

from branca.element import MacroElement
from folium.template import Template

from pages.parts import scripts, theme

_LIGHT: Final = {
    "sea": "#d5dfe6",
    "land": "#eef1f2",
    "coast": "#74848f",
    "border": "#98a4ad",
    "ink": "#5a6670",
    "mark": "#c2410c",
}
_DARK: Final = {
    "sea": "#121a22",
    "land": "#212d38",
    "coast": "#7d8c97",
    "border": "#5f6e7a",
    "ink": "#a3afb8",
    "mark": "#f0883e",
}


class Outlines(MacroElement):
    """Fetched once the map is up; nothing where the app has no routes. pages/browser/outlines.js"""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
        {% if this.said.url %}
        landslideOutlines({{ this._parent.get_name() }}, {{ this.said|tojson }});
        {% endif %}
        {% endmacro %}
        """
    )

    def __init__(self) -> None:
        super().__init__()
        self.said = {"url": scripts.countries(), "colours": _DARK if theme.is_dark() else _LIGHT}
