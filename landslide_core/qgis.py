"""A GeoPackage that QGIS opens in our colours: its table of styles, and a style by verdict."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from errno import EIO, ENOSPC
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

TABLE: Final = "layer_styles"
# As QGIS makes it. It looks a layer's style up by name and geometry column, where catalogue and
# schema are empty and no NULL, and takes the one that is marked as the default.
_CREATE: Final = f"""CREATE TABLE {TABLE} (
 id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
 f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256),
 f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
 useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
 update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')))"""
_REGISTER: Final = (
    "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change)"
    " VALUES (?, 'attributes', ?, '', ?)"
)
_KEEP: Final = (
    f"INSERT INTO {TABLE} (f_table_catalog, f_table_schema, f_table_name, f_geometry_column,"
    " styleName, styleQML, styleSLD, useAsDefault, description, owner, ui, update_time)"
    " SELECT '', '', table_name, column_name, ?, ?, '', 1, ?, '', NULL, ?"
    " FROM gpkg_geometry_columns WHERE table_name = ?"
)
_CALM: Final = 90  # opacity of 255: what lies below stays to be seen
_LOUD: Final = 165
_ALARMING: Final = ("landslide", "uncertain")


def write_style(package: Path, layer: str, qml: str, when: str) -> None:
    """Add the style that QGIS takes for a layer of a GeoPackage. Raises OSError.

    `when` is the time that is noted (UTC, ISO 8601): the same results shall be the same bytes.
    """
    try:
        with closing(sqlite3.connect(package)) as file, file:
            file.execute(_CREATE)
            file.execute(_REGISTER, (TABLE, TABLE, when))
            file.execute(_KEEP, ("verdicts", qml, "Tiles by verdict", when, layer))
    except sqlite3.Error as error:
        full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
        raise OSError(ENOSPC if full else EIO, str(error)) from error


def by_verdict(column: str, colours: Mapping[str, str], words: Mapping[str, str]) -> str:
    """A QML style that fills tiles by the verdict in a column; `words` are the legend's, in order.

    Colours are "#rrggbb".
    """
    root = ElementTree.Element("qgis", version="3.22.0", styleCategories="Symbology")
    kind = {"type": "categorizedSymbol", "attr": column, "symbollevels": "0"}
    renderer = ElementTree.SubElement(root, "renderer-v2", kind | {"enableorderby": "0"})
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    for i, (verdict, label) in enumerate(words.items()):
        told = {"symbol": str(i), "value": verdict, "label": label, "render": "true"}
        ElementTree.SubElement(categories, "category", told)
        symbols.append(_symbol(str(i), colours[verdict], verdict in _ALARMING))
    ElementTree.SubElement(root, "layerGeometryType").text = "2"  # polygons
    text = ElementTree.tostring(root, encoding="unicode")
    return f"<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n{text}"


def _symbol(name: str, colour: str, loud: bool) -> ElementTree.Element:
    """A fill with an edge in the same colour."""
    symbol = ElementTree.Element(
        "symbol", {"type": "fill", "name": name, "alpha": "1", "clip_to_extent": "1"}
    )
    layer = ElementTree.SubElement(
        symbol, "layer", {"class": "SimpleFill", "enabled": "1", "locked": "0", "pass": "0"}
    )
    rgb = ",".join(str(part) for part in bytes.fromhex(colour[1:]))
    settings = {
        "color": f"{rgb},{_LOUD if loud else _CALM}",
        "style": "solid",
        "outline_color": f"{rgb},255",
        "outline_style": "solid",
        "outline_width": "0.5" if loud else "0.2",
        "outline_width_unit": "MM",
        "joinstyle": "miter",
    }
    options = ElementTree.SubElement(layer, "Option", {"type": "Map"})
    for setting, value in settings.items():
        told = {"type": "QString", "name": setting, "value": value}
        ElementTree.SubElement(options, "Option", told)
    return symbol
