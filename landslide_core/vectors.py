"""A run's tiles as files that maps and spreadsheets open: GeoJSON, KML and CSV."""

from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import shapely

from landslide_core.errors import RunDamaged
from landslide_core.folder import Run
from landslide_core.grid import lonlat
from landslide_core.judgement import VERDICTS
from landslide_core.outputs import VERDICT_COLOURS
from landslide_core.plan import tiling_of
from landslide_core.review.export import (
    outlines_of,
    plain_text,
    reviewed_tiles,
    state_of,
    write_package,
)

_NEEDED: Final = ("alarm", "votes_cast", "agreement", "slope")
_KML: Final = "http://www.opengis.net/kml/2.2"
_SHOWN: Final = ("uncertain", "landslide")  # folders that are ticked when the file is opened
_FILL: Final = {"uncertain": "66", "landslide": "99"}  # opacity of a tile's inside, hexadecimal
_INTRODUCTION: Final = (
    "Each square is a tile of 640 m × 640 m and what a model says of it; it is no outline of a "
    "landslide. Only a person who has looked can confirm one."
)


def tiles_of(run: Run, alarms_only: bool = False) -> geopandas.GeoDataFrame:
    """A run's tiles, EPSG:4326, or only the alarms that stand. Raises RunDamaged.

    Where somebody has begun to review the run, with what people say of each tile.
    """
    tiles = run.tiles
    if lacking := [name for name in _NEEDED if name not in tiles]:
        raise RunDamaged(
            f"{run.folder}/tiles.parquet has no column {', '.join(lacking)}: an earlier version "
            "wrote it; a run of this version is needed. Run the detection again."
        )
    state = state_of(run)
    if state is not None:
        tiles = reviewed_tiles(run, state)
    return tiles[standing(tiles)].reset_index(drop=True) if alarms_only else tiles


def standing(tiles: pd.DataFrame) -> pd.Series:
    """Which tiles raise an alarm after review, if there was one: what nobody called stable."""
    if "review_label" not in tiles:
        return tiles["alarm"]
    label = tiles["review_label"]
    return (tiles["alarm"] & (label != "stable")) | (label == "landslide")


def centres(run: Run, tiles: pd.DataFrame) -> tuple[Any, Any]:
    """Longitudes and latitudes (N,), °, of tiles' middles, cut at the scene's edge."""
    grid, tiling = run.grid(), tiling_of(run.meta)
    clipped = [grid.clip(tiling.window(int(r), int(c))) for r, c in zip(
        tiles["row"], tiles["col"], strict=True
    )]  # fmt: skip
    cols = [window.col + window.width / 2 for window in clipped]
    rows = [window.row + window.height / 2 for window in clipped]
    longitude, latitude = lonlat(grid.geobox, cols, rows)
    return np.asarray(longitude), np.asarray(latitude)


def write_geojson(run: Run, out: Path, alarms_only: bool = False) -> None:
    """Write GeoJSON by RFC 7946: EPSG:4326, rings by the right-hand rule, cut at 180°."""
    pyogrio.write_dataframe(
        tiles_of(run, alarms_only), out, driver="GeoJSON", layer="tiles", RFC7946="YES"
    )


def write_gpkg(run: Run, out: Path, alarms_only: bool = False) -> None:
    """Write a GeoPackage, layer "tiles"; of a run under review also what was drawn, "outlines"."""
    state = state_of(run)
    write_package(out, tiles_of(run, alarms_only), None if state is None else outlines_of(state))


def write_parquet(run: Run, out: Path, alarms_only: bool = False) -> None:
    """Write GeoParquet."""
    tiles_of(run, alarms_only).to_parquet(out, index=False)


def write_csv(run: Run, out: Path, alarms_only: bool = False) -> None:
    """Write every column but the outline, with the longitude and latitude of the tile's middle."""
    tiles = tiles_of(run, alarms_only)
    table = plain_text(pd.DataFrame(tiles.drop(columns="geometry")))
    longitude, latitude = centres(run, tiles)
    table.insert(1, "lon", longitude.round(6))
    table.insert(2, "lat", latitude.round(6))
    table.to_csv(out, index=False, lineterminator="\n")


def write_kml(run: Run, out: Path, alarms_only: bool = False) -> None:
    """Write KML for Google Earth: a folder a verdict, the calm ones hidden at first."""
    root = ElementTree.Element("kml", xmlns=_KML)
    document = ElementTree.SubElement(root, "Document")
    _text(document, "name", f"Landslide tiles: {run.folder.name}")
    simulated = "SIMULATED SCENE, no real place. " if run.meta["simulated"] else ""
    _text(document, "description", simulated + _INTRODUCTION)
    for verdict, colour in VERDICT_COLOURS.items():
        document.append(_style(verdict, colour))
    tiles = tiles_of(run, alarms_only)
    says = tiles["corrected"] if "corrected" in tiles else tiles["verdict"]
    for verdict in reversed(VERDICTS):
        rows = tiles[says == verdict]
        if len(rows):
            document.append(_folder(verdict, rows.sort_values("probability", ascending=False)))
    ElementTree.indent(root, " ")
    ElementTree.ElementTree(root).write(out, encoding="utf-8", xml_declaration=True)


def _style(verdict: str, colour: str) -> ElementTree.Element:
    style = ElementTree.Element("Style", id=verdict)
    red, green, blue = (colour[i : i + 2] for i in (1, 3, 5))
    line = ElementTree.SubElement(style, "LineStyle")
    _text(line, "color", f"ff{blue}{green}{red}")  # KML writes opacity, blue, green, red
    _text(line, "width", "2" if verdict in _SHOWN else "1")
    fill = ElementTree.SubElement(style, "PolyStyle")
    _text(fill, "color", f"{_FILL.get(verdict, '40')}{blue}{green}{red}")
    return style


def _folder(verdict: str, rows: geopandas.GeoDataFrame) -> ElementTree.Element:
    """Tiles of one verdict, the most probable first."""
    folder = ElementTree.Element("Folder")
    _text(folder, "name", f"{verdict} ({len(rows)})")
    shown = "1" if verdict in _SHOWN else "0"
    _text(folder, "visibility", shown)
    plain = rows.drop(columns="geometry")
    records = plain.to_dict("records")
    for record, outline in zip(records, rows.geometry, strict=True):
        place = ElementTree.SubElement(folder, "Placemark")
        _text(place, "name", _title(record))
        _text(place, "visibility", shown)
        _text(place, "styleUrl", f"#{verdict}")
        _facts(place, record)
        several = ElementTree.SubElement(place, "MultiGeometry")
        for polygon in shapely.get_parts(outline):
            ring = ElementTree.SubElement(several, "Polygon")
            _text(ring, "tessellate", "1")
            boundary = ElementTree.SubElement(ring, "outerBoundaryIs")
            line = ElementTree.SubElement(boundary, "LinearRing")
            turned = shapely.orient_polygons(polygon)
            points = shapely.get_coordinates(turned.exterior)
            _text(line, "coordinates", " ".join(f"{x:.7f},{y:.7f}" for x, y in points))
    return folder


def _title(record: dict[Any, Any]) -> str:
    known = pd.notna(record["probability"])
    title = f"Tile {record['tile_id']}" + (f", {record['probability']:.0%}" if known else "")
    said = record.get("review_label")
    return title + (f", {said} by {record['reviewed_by']}" if pd.notna(said) else "")


def _facts(place: ElementTree.Element, record: dict[Any, Any]) -> None:
    """What is known of a tile, as the table that Google Earth shows in its balloon."""
    table = ElementTree.SubElement(place, "ExtendedData")
    for name, value in record.items():
        if pd.notna(value):
            entry = ElementTree.SubElement(table, "Data", name=str(name))
            shown = f"{value:.4f}" if isinstance(value, float) else str(value)
            _text(entry, "value", shown)


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text
