"""The map: verdict tiles over the scene's own picture, with nothing fetched from elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import folium
import geopandas as gpd
import numpy as np
import shapely
from branca.element import MacroElement
from folium.template import Template
from streamlit_folium import st_folium

from landslide_core import render
from landslide_core.detect import VERDICTS
from landslide_core.folder import Run
from landslide_core.outputs import VERDICT_COLOURS
from pages.parts import cached, state, theme, tiles, wording

MOST_DRAWN: Final = 1500  # tiles; past it those that nobody looks for are left out
HEIGHT: Final = 600
STEPS: Final = 24  # palette steps, so that tiles share styles and the page stays small
COLOURINGS: Final = {"probability": "Probability", "verdict": "Verdict", "spread": "Spread"}
PALETTES: Final = {"probability": ("viridis", 1.0), "spread": ("cividis", 0.5)}


@dataclass(frozen=True)
class Look:
    """How the map is drawn."""

    colouring: str = "probability"
    opacity: float = 0.6
    background: str | None = "true-colour"
    online: bool = False


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


def draw(run: Run, look: Look, selected: int | None) -> int | None:
    """Draw the map; returns the tile just clicked. Panning and zooming run no script."""
    said = st_folium(
        _frame(run),
        key=f"map-{Path(run.folder).name}",
        height=HEIGHT,
        use_container_width=True,
        returned_objects=["last_active_drawing", "last_object_clicked_count"],
        feature_group_to_add=[_ground(run, look), _tiles(run, look), _outline(run, selected)],
    )
    drawing, count = said.get("last_active_drawing"), said.get("last_object_clicked_count")
    if not drawing or not state.is_new(f"click-{Path(run.folder).name}", count):
        return None
    return int(drawing["properties"]["tile_id"])


def _frame(run: Run) -> folium.Map:
    """The empty map; it never changes for a run, so the view survives every rerun."""
    frame = blank()
    south_west, north_east = _bounds(run)
    frame.fit_bounds([south_west, north_east], padding=(8, 8))
    return frame


def blank(middle: tuple[float, float] = (0.0, 0.0), zoom: int = 1) -> folium.Map:
    """A map around a (latitude, longitude) without anything on it, and nothing from outside."""
    frame = folium.Map(
        middle,
        zoom_start=zoom,
        tiles=None,
        prefer_canvas=True,
        zoom_snap=0.25,
        font_size="0.8rem",
    )
    frame.default_js = [("leaflet", tiles.leaflet_url("leaflet.js"))]
    frame.default_css = [("leaflet_css", tiles.leaflet_url("leaflet.css"))]
    colour = "#1a242e" if theme.is_dark() else "#e9edf0"
    figure = frame.get_root()
    assert isinstance(figure, folium.Figure)
    figure.header.add_child(
        folium.Element(f"<style>.leaflet-container{{background:{colour}}}</style>")
    )
    _Corners().add_to(frame)
    return frame


def _bounds(run: Run) -> tuple[tuple[float, float], tuple[float, float]]:
    return render.web_map_bounds(render.shrink(run.grid(), cached.OVERVIEW)[1])


def _ground(run: Run, look: Look) -> folium.FeatureGroup:
    """Online street map if asked for, and the scene's picture."""
    group = folium.FeatureGroup("Background")
    if look.online:
        folium.TileLayer("OpenStreetMap").add_to(group)
    if look.background:
        south_west, north_east = _bounds(run)
        picture = folium.raster_layers.ImageOverlay(
            "http://localhost", bounds=[south_west, north_east], pixelated=False
        )
        picture.url = tiles.overlay_url(Path(run.folder), look.background)  # folium embeds paths
        picture.add_to(group)
    return group


def drawn(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The tiles to draw, the gravest on top; past MOST_DRAWN only those not dropped."""
    if len(frame) > MOST_DRAWN:
        frame = frame[~frame["verdict"].isin(("filtered_out", "no_data"))]
    return frame.sort_values("verdict", key=lambda column: column.map(VERDICTS.index))


def _tiles(run: Run, look: Look) -> folium.FeatureGroup:
    group = folium.FeatureGroup("Tiles")
    shown = drawn(_on_one_map(run.tiles))
    if shown.empty:
        return group
    as_points = len(shown) > MOST_DRAWN
    features = [_feature(row, as_points) for row in shown.to_dict("records")]
    folium.GeoJson(
        {"type": "FeatureCollection", "features": features},
        style_function=lambda feature: _style(feature["properties"], look),
        marker=folium.CircleMarker(radius=4) if as_points else None,
        tooltip=folium.GeoJsonTooltip(
            ["tile_id", "says", "chance", "spread_text"],
            ["Tile", "Verdict", "Probability", "Spread"],
        ),
    ).add_to(group)
    return group


def _feature(row: Mapping[str, Any], as_point: bool) -> dict[str, Any]:
    shape = row["geometry"].centroid if as_point else row["geometry"]
    corners = [shape.coords[0]] if as_point else list(shape.exterior.coords)
    rounded = [[round(x, 6), round(y, 6)] for x, y, *_ in corners]  # 1e-6° is 0.1 m
    return {
        "type": "Feature",
        "id": str(row["tile_id"]),
        "geometry": {
            "type": "Point" if as_point else "Polygon",
            "coordinates": rounded[0] if as_point else [rounded],
        },
        "properties": {
            "tile_id": int(row["tile_id"]),
            "verdict": str(row["verdict"]),
            "probability": _or_none(row["probability"]),
            "spread": _or_none(row["spread"]),
            "masked": _is_masked(row),
            "says": theme.VERDICT_WORDS[str(row["verdict"])]
            + (", no alarm: flat ground" if _is_masked(row) else ""),
            "chance": wording.number(row["probability"]),
            "spread_text": wording.number(row["spread"]),
        },
    }


def _is_masked(row: Mapping[str, Any]) -> bool:
    """Whether a landslide tile raises no alarm."""
    return row["verdict"] == "landslide" and not row.get("alarm", True)


def _or_none(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _style(properties: Mapping[str, Any], look: Look) -> dict[str, Any]:
    """Fill by the chosen colouring; the outline tells the verdict whatever the fill."""
    verdict = properties["verdict"]
    fill: str | None
    if look.colouring == "verdict":
        fill = VERDICT_COLOURS[verdict]
    else:
        fill = _palette_colour(properties[look.colouring], look.colouring)
    faint = verdict in ("filtered_out", "no_data")
    strength = look.opacity * (0.35 if faint else 1.0) if fill else 0.0
    style = {
        "fillColor": fill or "#888888",
        "fillOpacity": round(strength, 3),
        "color": "#ffffff" if verdict == "landslide" else "#10202c",
        "opacity": round((0.25 if faint else 0.9) * min(1.0, look.opacity * 1.6), 3),
        "weight": {"landslide": 2.2, "uncertain": 1.6}.get(verdict, 0.6),
    }
    dashes = "5 4" if verdict == "uncertain" else "1 5" if properties["masked"] else None
    return style | ({"dashArray": dashes} if dashes else {})


def _palette_colour(value: float | None, colouring: str) -> str | None:
    if value is None:
        return None
    palette, top = PALETTES[colouring]
    step = round(min(value / top, 1.0) * STEPS) / STEPS
    red, green, blue = render.palette_at(step, palette)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _on_one_map(tiles: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Tiles side by side: longitudes run on past 180° where a run lies across that.

    A tile that is cut there is whole again: its outline is convex.
    """
    west, _, east, _ = tiles.total_bounds
    if not east - west > 180:
        return tiles
    moved = shapely.transform(
        tiles.geometry.to_numpy(), lambda at: np.column_stack([at[:, 0] % 360, at[:, 1]])
    )
    return tiles.set_geometry(shapely.convex_hull(moved), crs=tiles.crs)


def _outline(run: Run, selected: int | None) -> folium.FeatureGroup:
    """The selected tile, ringed."""
    group = folium.FeatureGroup("Selected")
    every = _on_one_map(run.tiles)
    chosen = every[every["tile_id"] == selected] if selected is not None else None
    if chosen is not None and len(chosen):
        ring = [(y, x) for x, y, *_ in chosen.geometry.iloc[0].exterior.coords]
        for colour, weight in (("#000000", 6), ("#ffffff", 3)):
            folium.PolyLine(ring, color=colour, weight=weight, interactive=False).add_to(group)
    return group


def legend(look: Look) -> None:
    """What the fill means, on its fixed scale, and what the outlines mean."""
    if look.colouring == "verdict":
        theme.swatches([(words, VERDICT_COLOURS[v]) for v, words in theme.VERDICT_WORDS.items()])
        return
    palette, top = PALETTES[look.colouring]
    labels = {
        "probability": "Probability of a landslide",
        "spread": "Spread of the votes (standard deviation)",
    }
    ticks = [f"{top * share:g}" for share in (0, 0.25, 0.5, 0.75, 1)]
    theme.palette_legend(labels[look.colouring], palette, ticks)
