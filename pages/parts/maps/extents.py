"""A small map of what each role covers, over the scene's grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import folium
import shapely
import streamlit as st
from odc.geo.geom import Geometry
from shapely.geometry.base import BaseGeometry
from streamlit_folium import st_folium

from landslide_core.bands import OPTICAL, POLARISATIONS, RADAR_ROLES, radar_band
from landslide_core.pixels import BandSource
from landslide_core.readers.recognise import outline_of
from landslide_core.scene import Scene
from pages.parts import theme
from pages.parts.maps import footprints
from pages.parts.maps.frame import blank
from pages.parts.maps.outlines import Outlines

HEIGHT: Final = 330
_STYLES: Final = {
    "s2": "optical",
    **{role: role.split("_")[0] for role in RADAR_ROLES},
}


@dataclass(frozen=True)
class Extent:
    """What a role covers."""

    shape: BaseGeometry  # longitude and latitude
    share: float  # of the grid, 0..1


def extents(scene: Scene) -> dict[str, Extent]:
    """What each role covers, by the outlines of its rasters; pixels without data count."""
    grid = scene.grid.footprint()
    found = {}
    for role, sources in _by_role(scene).items():
        geoboxes = list(dict.fromkeys(source.geobox for source in sources))
        if geoboxes:
            outlines = [box.footprint(scene.grid.crs, npoints=50) for box in geoboxes]
            covered: Geometry = outlines[0]
            for outline in outlines[1:]:
                covered = covered | outline
            shape = shapely.union_all([outline_of(box) for box in geoboxes])
            found[role] = Extent(shape, (covered & grid).area / grid.area)
    return found


def draw(scene: Scene, found: Mapping[str, Extent]) -> None:
    """Draw the map and its legend. Panning and zooming run no script."""
    area = outline_of(scene.grid.geobox)
    whole = shapely.union_all([area, *(extent.shape for extent in found.values())])
    west, south, east, north = whole.bounds
    frame = blank("Map of what each role covers")
    Outlines().add_to(frame)
    frame.fit_bounds(  # between the buttons and the inset
        [(south, west), (north, east)], padding_top_left=(52, 14), padding_bottom_right=(114, 14)
    )
    for role, extent in found.items():
        line = _line(role)
        weight = 2 if role.endswith("_pre") else 4
        _outline(
            extent.shape, line, weight, f"{theme.role(role)}: {100 * extent.share:.0f} %"
        ).add_to(frame)
    grid = footprints.Line("The scene's grid", theme.ink(), theme.ink(), None)
    _outline(area, grid, 1.5, grid.label, filled=True).add_to(frame)
    st_folium(
        frame,
        key=f"extents-{hash((scene.grid.geobox, tuple(found)))}-{theme.is_dark()}",
        height=HEIGHT,
        use_container_width=True,
        returned_objects=[],
    )
    _legend([grid, *dict.fromkeys(_line(role) for role in found)])


def _by_role(scene: Scene) -> dict[str, list[BandSource]]:
    names = {"s2": list(OPTICAL)}
    names |= {role: [radar_band(role, p) for p in POLARISATIONS] for role in RADAR_ROLES}
    found = {
        role: [source for name in bands for source in scene.bands.get(name, ())]
        for role, bands in names.items()
    }
    return {**found, "dem": list(scene.elevation)}


def _line(role: str) -> footprints.Line:
    if role in _STYLES:
        return footprints.LINES[_STYLES[role]]
    return footprints.Line("Elevation model", "#5b6670", "#aab4bc", "1 6", "dotted")


def _outline(
    shape: BaseGeometry, line: footprints.Line, weight: float, label: str, filled: bool = False
) -> folium.GeoJson:
    style = {
        "color": line.colour,
        "weight": weight,
        "dashArray": line.dashes or "",
        "fill": filled,
        "fillOpacity": 0.08,
    }
    return folium.GeoJson(
        shape.__geo_interface__, style_function=lambda _: style, tooltip=folium.Tooltip(label)
    )


def _legend(lines: list[footprints.Line]) -> None:
    samples = "".join(
        '<span style="display:inline-flex;align-items:center;gap:.5rem;margin-right:1.1rem">'
        f'<span style="width:2.2rem;border-top:3px {line.stroke} {line.colour}"></span>'
        f"{line.label}</span>"
        for line in lines
    )
    st.html(
        f'<div style="font-size:.8rem;line-height:1.6">{samples}'
        "<div>Thin: before the event. Thick: after it.</div></div>"
    )
