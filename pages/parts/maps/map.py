"""The map: a run's layers and its tiles, with nothing fetched from elsewhere unless asked for."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final

import folium
import shapely
from branca.element import MacroElement
from folium.elements import JSCSSMixin
from folium.template import Template
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry
from streamlit_folium import st_folium

from landslide_core import layers, render
from landslide_core.bands import TILE
from landslide_core.errors import LandslideError, RunDamaged
from landslide_core.folder import Run, check_inputs
from landslide_core.outputs import VERDICT_COLOURS
from pages.parts import cached, scripts, serving, state, theme
from pages.parts.maps import features, looks, tiles
from pages.parts.maps.frame import Bounds, blank

HEIGHT: Final = 680
STEPS: Final = 24  # palette steps of the tiles' colours
SCALES: Final = {
    "probability": ("Probability of a landslide", "viridis", 1.0),
    "spread": ("Spread of the votes (standard deviation)", "cividis", 0.5),
}
LABEL_COLOURS: Final = {"landslide": "landslide", "stable": "stable", "unsure": "uncertain"}
MOST_CORNERS: Final = 2000  # of an area drawn by hand
_INLINE_PICTURES: Final = 2  # without routes every picture travels with the page


@dataclass(frozen=True)
class Said:
    """What was just done on the map; nothing else of it ever reaches the server."""

    tile: int | None = None  # clicked now
    open: bool = False  # twice, or with Enter
    area: BaseGeometry | None = None  # drawn, and still there; degrees


class _Plugin(JSCSSMixin, MacroElement):
    """Our own script on the map, and what it is told; see pages/browser/map.js."""

    # drawnItems is streamlit-folium's name for what is drawn; it would define it otherwise.
    _template = Template(
        """
        {% macro script(this, kwargs) %}
        window.drawnItems = [];
        window.landslide = landslideMap({{ this._parent.get_name() }}, {{ this.said|tojson }});
        {% endmacro %}
        """
    )

    def __init__(self, said: Mapping[str, Any]) -> None:
        super().__init__()
        self.said = said
        self.default_css = [
            ("leaflet_draw_css", scripts.found_at(scripts.DRAW / "leaflet.draw.css")),
            ("map_css", scripts.found_at(scripts.BROWSER / "map.css")),
        ]


class _Selection(MacroElement):
    """The selected tile's outline and the reviewers' labels, told whenever they change."""

    _template = Template(
        "{% macro script(this, kwargs) %}"
        "window.landslide.select({{ this.ring|tojson }});"
        "window.landslide.reviewed({{ this.labels|tojson }});{% endmacro %}"
    )

    def __init__(self, ring: list[list[float]] | None, labels: dict[int, str]) -> None:
        super().__init__()
        self.ring = ring
        self.labels = labels


def draw(run: Run, selected: int | None) -> Said:
    """Draw the map; returns what was done on it. Only choosing a tile or an area runs a script.

    Raises RunDamaged.
    """
    found = features.placed(run)
    group = folium.FeatureGroup("Selected")
    _Selection(_ring(found, selected), cached.review_labels(run)).add_to(group)
    name = Path(run.folder).name
    said = st_folium(
        _frame(run, found),
        key=f"map-{name}",
        height=HEIGHT,
        use_container_width=True,
        returned_objects=[],  # the script tells by itself, and only what matters
        feature_group_to_add=[group],
    )
    area = drawn_area(said.get("area"))
    place = _place(said.get("place"))
    if not state.is_new(f"click-{name}", said.get("at")) or place is None:
        return Said(area=area)
    return Said(features.tile_at(found, *place), said.get("open") is True, area)


def _place(told: Any) -> tuple[float, float] | None:
    """Latitude and longitude, as the browser tells them."""
    match told:
        case [int() | float() as latitude, int() | float() as longitude]:
            known = isfinite(latitude) and isfinite(longitude)
            return (float(latitude), float(longitude)) if known else None
    return None


def drawn_area(told: Any) -> BaseGeometry | None:
    """The area of a GeoJSON polygon that the browser tells; None where it is none."""
    if not isinstance(told, dict) or told.get("type") != "Polygon":
        return None
    try:
        shape = shapely.geometry.shape(told)
    except (KeyError, TypeError, ValueError, IndexError, ShapelyError):
        return None
    corners = shapely.get_coordinates(shape)
    if not 4 <= len(corners) <= MOST_CORNERS or not (abs(corners) <= (720, 90)).all():
        return None
    whole = shapely.make_valid(shape)
    return whole if whole.area > 0 else None


def _frame(run: Run, found: features.Placed) -> folium.Map:
    """The map without a selection; it stays the same for a run, and with it the view."""
    frame = blank("Map of the run", script="map", limit=_bounds(run))
    _Plugin(_settings(run, found)).add_to(frame)
    return frame


def _bounds(run: Run) -> Bounds:
    return render.web_map_bounds(render.shrink(run.grid(), cached.OVERVIEW)[1])


def _ring(found: features.Placed, tile: int | None) -> list[list[float]] | None:
    rows = (found.ids == tile).nonzero()[0] if tile is not None else []
    if not len(rows):
        return None
    return [[y, x] for x, y in shapely.get_coordinates(found.outlines[rows[0]]).round(6).tolist()]


def _settings(run: Run, found: features.Placed) -> dict[str, Any]:
    """All that the map's script is told."""
    served, folder = serving.are_routes_there(), Path(run.folder)
    shown = _layers(run)
    counts = features.histogram(found)
    pictures = [layer["name"] for layer in shown if layer["kind"] in ("optical", "radar")]
    names = {layer["name"] for layer in shown}
    plain = "none" if pictures and len(found.ids) <= features.MOST else "probability"
    return {
        "run": folder.name,
        "bounds": _bounds(run),
        "dark": theme.is_dark(),
        "total": len(found.ids),
        "share": run.meta["stride"] / TILE,  # of a tile's side, that no other tile's middle covers
        "masked": bool(found.masked.any()),
        "features": features.url(folder) if served else None,
        "inline": None if served else features.within(found),
        "layers": shown,
        "verdicts": [
            {"name": name, "words": words, "colour": VERDICT_COLOURS[name], "counts": counts[name]}
            for name, words in reversed(theme.VERDICT_WORDS.items())
        ],
        "labels": {
            name: {"words": words, "colour": VERDICT_COLOURS[LABEL_COLOURS[name]]}
            for name, words in theme.LABEL_WORDS.items()
        },
        "scales": {
            name: {"title": title, "top": top, "colours": _ramp(palette), "ticks": _ticks(top)}
            for name, (title, palette, top) in SCALES.items()
        },
        "look": {
            "layer": next(iter(pictures), "none"),
            "lo": 1.0,
            "result": plain if plain in names else "none",
            "ro": 0.6,
            "colour": "probability",
            "to": 0.55,
            "t": 0.0,
            "base": "none",
        },
    }


def _layers(run: Run) -> list[dict[str, Any]]:
    """The layers that can be shown, as the script takes them; begins to make the scene's."""
    folder = Path(run.folder)
    every = layers.of_run(run)
    try:
        check_inputs(run)
        if serving.are_routes_there():
            looks.state_of(run.inputs())
    except RunDamaged:  # the page says so: results alone can be shown
        every = [layer for layer in every if layer.kind == "result"]
    shown = [_layer(layer, folder) for layer in every]
    return [layer for layer in shown if layer["tiles"] or layer["overlay"]]


def _layer(layer: layers.Layer, folder: Path) -> dict[str, Any]:
    served = serving.are_routes_there()
    stand_in = layer.name in cached.PICTURES
    overlay = tiles.overlay_url(folder, layer.name) if stand_in and served else None
    if stand_in and not served and layer.name in list(cached.PICTURES)[:_INLINE_PICTURES]:
        overlay = _inline(folder, layer.name)
    return {
        "name": layer.name,
        "title": layer.title,
        "kind": layer.kind,
        "unit": layer.unit,
        "note": layer.note,
        "smooth": layer.smooth,
        "scale": layer.name if layer.name in SCALES else None,
        "colours": list(render.PALETTES[layer.palette]) if layer.palette else [],
        "ticks": list(layer.ticks),
        "classes": [(theme.VERDICT_WORDS.get(n, n), colour) for _, n, colour in layer.classes],
        "tiles": tiles.tile_url(folder, layer.name) if served else None,
        "overlay": overlay,
    }


def _inline(folder: Path, layer: str) -> str | None:
    """A run's picture inside its address, for an app without routes."""
    try:
        return f"data:image/webp;base64,{b64encode(cached.overlay(folder.name, layer)).decode()}"
    except (KeyError, LandslideError):
        return None


def _ramp(palette: str) -> list[str]:
    steps = render.palette_at([step / STEPS for step in range(STEPS + 1)], palette)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in steps.tolist()]


def _ticks(top: float) -> list[str]:
    return [f"{top * share:g}" for share in (0, 0.25, 0.5, 0.75, 1)]
