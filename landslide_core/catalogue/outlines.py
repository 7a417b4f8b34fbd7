"""The polygons of a vector file, in the few formats that cannot lead elsewhere.

GDAL decides by content, and some of its formats are addresses to ask or files to open. So
GeoJSON and KML are read here, and GDAL is given nothing but GeoPackages and shapefiles.
"""

import io
import json
import os.path
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import geopandas
import shapely
from defusedxml.ElementTree import fromstring
from shapely.geometry.base import BaseGeometry

LARGEST_FILE: Final = 32 * 2**20  # bytes, unpacked
FORMATS: Final = "GeoJSON, GeoPackage, KML or a shapefile"
_GEOPACKAGE: Final = (b"GPKG", b"GP10", b"GP11")  # SQLite's application id
_SHAPEFILE: Final = b"\x00\x00\x27\x0a"
_SHAPEFILE_PARTS: Final = (".shp", ".shx", ".dbf", ".prj", ".cpg")
_CRS: Final = re.compile(r"(?i)(?:urn:ogc:def:crs:)?(EPSG|OGC):(?:[\w.]*:)?(\w+)")


def polygons_of(path: Path) -> list[BaseGeometry]:
    """The polygons of a file, in EPSG:4326. Raises ValueError, or what the formats' readers do."""
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    _check_size(len(content))
    if content.startswith(_SHAPEFILE) and path.suffix.lower() == ".shp":
        parts = {part: path.with_suffix(part) for part in _SHAPEFILE_PARTS}
        present = {part: file for part, file in parts.items() if os.path.isfile(file)}
        _check_size(sum(file.stat().st_size for file in present.values()))
        return _shapefile({part: file.read_bytes() for part, file in present.items()})
    return _polygons(content)


def _polygons(content: bytes) -> list[BaseGeometry]:
    """Polygons of a file that is whole in itself, by its first bytes."""
    if content.startswith(b"SQLite format 3\0") and content[68:72] in _GEOPACKAGE:
        return _by_gdal({".gpkg": content})
    if content.startswith(b"PK\x03\x04"):
        return _zipped(content)
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return _geojson(json.loads(text))
    if text.startswith(b"<"):
        return list(_kml(content))
    raise ValueError("it is in none of these formats")


def _geojson(said: dict[str, Any]) -> list[BaseGeometry]:
    """Polygons of parsed GeoJSON; of its old way to name a CRS only codes are taken."""
    kind = said.get("type")
    if kind == "FeatureCollection":
        shapes = [feature.get("geometry") for feature in said["features"]]
    else:
        shapes = [said.get("geometry") if kind == "Feature" else said]
    found = [shapely.geometry.shape(shape) for shape in shapes if shape]
    crs = "EPSG:4326"
    if said.get("crs"):
        name = _CRS.fullmatch(str(said["crs"].get("properties", {}).get("name")))
        if not name:
            raise ValueError("its CRS is not named by a code")
        crs = ":".join(name.groups()).upper()
    return _of_table(geopandas.GeoSeries(found, crs=crs))


def _kml(content: bytes) -> Iterator[BaseGeometry]:
    """Polygons of a KML document, wherever they are in it."""
    root = fromstring(content, forbid_dtd=True)
    if _local(root) != "kml":
        raise ValueError("it is XML, but not KML")
    for element in root.iter():
        if _local(element) == "Polygon":
            rings = [
                (_local(side), [_corner(corner) for corner in (ring.text or "").split()])
                for side in element
                for ring in side.iter()
                if _local(ring) == "coordinates"
            ]
            outer = [ring for side, ring in rings if side == "outerBoundaryIs"]
            if len(outer) != 1:
                raise ValueError("a polygon of it has no outer boundary, or several")
            yield shapely.Polygon(outer[0], [r for side, r in rings if side == "innerBoundaryIs"])


def _corner(text: str) -> tuple[float, float]:
    """Longitude and latitude of "longitude,latitude,height"."""
    x, y, *_ = text.split(",")
    return float(x), float(y)


def _local(element: Any) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def _zipped(content: bytes) -> list[BaseGeometry]:
    """Polygons of a KMZ file, or of the one shapefile in an archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {m.filename: m for m in archive.infolist()}
        wanted = [n for n in sorted(members) if Path(n).suffix.lower() in (".kml", ".shp")]
        wanted = [n for n in wanted if not n.startswith("__MACOSX/")]
        if len(wanted) != 1:
            raise ValueError(f"it is an archive with {len(wanted)} KML files and shapefiles, not 1")
        stem = wanted[0][:-4].lower()
        chosen = {n: m for n, m in members.items() if n[:-4].lower() == stem}
        _check_size(sum(member.file_size for member in chosen.values()))
        if wanted[0].lower().endswith(".kml"):
            return list(_kml(archive.read(wanted[0])))
        return _shapefile(
            {n[-4:].lower(): archive.read(n) for n in chosen if n[-4:].lower() in _SHAPEFILE_PARTS}
        )


def _shapefile(parts: dict[str, bytes]) -> list[BaseGeometry]:
    """Polygons of a shapefile by the content of its parts."""
    if not parts[".shp"].startswith(_SHAPEFILE):
        raise ValueError("its .shp file is no shapefile")
    return _by_gdal(parts)


def _by_gdal(parts: dict[str, bytes]) -> list[BaseGeometry]:
    """Polygons of a GeoPackage or shapefile: its parts by suffix.

    They are read from a copy: GDAL takes some characters of a path for more than a name.
    """
    main = ".shp" if ".shp" in parts else next(iter(parts))
    with TemporaryDirectory() as folder:
        for part, content in parts.items():
            Path(folder, f"area{part}").write_bytes(content)
        return _of_table(geopandas.read_file(Path(folder, f"area{main}"), engine="pyogrio"))


def _of_table(table: geopandas.GeoDataFrame | geopandas.GeoSeries) -> list[BaseGeometry]:
    """The polygons of a table in EPSG:4326."""
    shapes = table.geometry
    outlines = (shapes if shapes.crs is None else shapes.to_crs("EPSG:4326")).force_2d()
    return list(outlines[outlines.geom_type.isin(("Polygon", "MultiPolygon"))].make_valid())


def _check_size(size: int) -> None:
    """Raise ValueError for more than may be read."""
    if size > LARGEST_FILE:
        raise ValueError(f"it has more than {LARGEST_FILE / 2**20:.0f} MB")
