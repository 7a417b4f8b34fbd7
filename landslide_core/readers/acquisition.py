"""When and from where an image was taken: from the file's tags, documents near it and names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from typing import Any, Final

from odc.geo.geobox import GeoBox
from odc.geo.geom import point

from landslide_core.places import Place
from landslide_core.readers.documents import (
    documents,
    json_object,
    local_name,
    read,
    xml_root,
)
from landslide_core.readers.metadata import product_near
from landslide_core.readers.names import (
    Facts,
    day_of,
    facts_in_name,
    facts_in_path,
    number,
    platform_of,
    relative_orbit,
    tile_of,
    utc,
)
from landslide_core.readers.raster import RasterFile

# Keys of tags and properties, in capitals; who writes them.
PASS_KEYS: Final = (
    "ORBITPROPERTIES_PASS",  # Earth Engine
    "ORBIT_PASS_DIRECTION",  # OPERA
    "SAT:ORBIT_STATE",  # STAC
    "PASS",  # SNAP, and the product's own manifest
    *("ORBIT_DIRECTION", "ORBIT_PASS"),
)
ORBIT_KEYS: Final = (
    *("RELATIVEORBITNUMBER_START", "TRACK_NUMBER", "SAT:RELATIVE_ORBIT"),
    *("REL_ORBIT", "RELATIVEORBITNUMBER", "SENSING_ORBIT_NUMBER"),
)
ABSOLUTE_KEYS: Final = (
    *("ORBITNUMBER_START", "ABSOLUTE_ORBIT_NUMBER", "SAT:ABSOLUTE_ORBIT"),
    *("ABS_ORBIT", "ORBITNUMBER", "ABSOLUTEORBITNUMBER"),
)
TIME_KEYS: Final = (  # never TIFFTAG_DATETIME: that is when the file was written
    *("SYSTEM:TIME_START", "ZERO_DOPPLER_START_TIME", "SENSING_START", "DATETIME"),
    *("START_DATETIME", "FIRST_LINE_TIME", "STARTTIME", "PRODUCT_START_TIME"),
    *("ACQUISITION_START", "ACQUISITION_TIME"),
)
DAY_KEYS: Final = ("ACQUISITION_DATE", "DATE_ACQUIRED")
PLATFORM_KEYS: Final = (
    *("PLATFORM", "PLATFORM_ID", "MISSION", "MISSIONID", "SPACECRAFT_NAME"),
    "INSTRUMENT_NAME",
)
TILE_KEYS: Final = ("BURST_ID", "MGRS_TILE", "S2:MGRS_TILE", "GRID:CODE")
TYPE_KEYS: Final = ("PRODUCT_TYPE", "PRODUCTTYPE", "SAR:PRODUCT_TYPE", "PROCESSING_LEVEL")
NAME_KEYS: Final = ("SYSTEM:INDEX", "PRODUCT_ID", "PRODUCT_URI", "PRODUCT", "ID", "SYSTEM:ID")
TYPES: Final = {"S2MSI1C": "L1C", "S2MSI2A": "L2A", "LEVEL-1C": "L1C", "LEVEL-2A": "L2A"}

DAWN: Final = 6.0  # h, local solar time at which Sentinel-1 descends; it ascends 12 hours later
NEAR: Final = 2.5  # h around them, as the orbit leans and the swath lies beside it
HIGH: Final = 70.0  # degrees of latitude, beyond which local time says little


@dataclass(frozen=True)
class Acquisition:
    """When an image was taken, from which orbit, and what said so."""

    sensor: str | None  # "S1" or "S2"
    platform: str | None  # "S1A"
    time: datetime | None  # UTC
    day: date
    orbit_pass: str | None  # "asc" or "desc"; of Sentinel-1 only
    relative_orbit: int | None
    tile: str | None  # "45RTL", or an OPERA burst
    product: str | None  # "GRD", "RTC", "L1C", "L2A"
    evidence: str


def acquisition_of(file: RasterFile, sensor: str | None = None) -> Acquisition | None:
    """The acquisition that a raster shows; None where not even its day is known.

    Its tags are trusted most, then documents near it, then names, and a plain date in a name
    least. `sensor` ("S1" or "S2") is what the caller knows it to be: words on the other one are
    left aside.
    """
    whole = Facts(platform=sensor)
    taken: list[str] = []
    doubts: list[str] = []
    for source, facts in _sources(file.place, file.tags):
        if whole.sensor and facts.sensor and whole.sensor != facts.sensor:
            continue
        if whole.contradicts(facts):
            doubts.append(f"{source} contradicts it ({_words(facts)}) and was not followed")
            continue
        filled = whole.filled(facts)
        if filled != whole:
            taken.append(source)
        whole = filled
    by_sun = None
    if whole.sensor != "S2" and whole.orbit_pass is None and whole.time is not None:
        by_sun = pass_by_sun(whole.time, *_middle(file.geobox))
    if by_sun is not None:
        whole = replace(whole, orbit_pass=by_sun)
        taken.append("the pass from the local solar time")
    if whole.day is None:
        return None
    return Acquisition(
        sensor=whole.sensor,
        platform=whole.platform if whole.platform and len(whole.platform) == 3 else None,
        time=whole.time,
        day=whole.day,
        orbit_pass=None if whole.sensor == "S2" else whole.orbit_pass,
        relative_orbit=whole.relative_orbit,
        tile=whole.tile,
        product=whole.product,
        evidence="; ".join((", ".join(taken), *doubts)),
    )


def facts_in_properties(values: Mapping[str, Any]) -> Facts | None:
    """What tags, Earth Engine's or STAC's properties say of an acquisition, if anything."""
    said = {str(key).upper(): value for key, value in values.items()}
    known = (facts_in_name(str(said[key])) for key in NAME_KEYS if key in said)
    named = next(filter(None, known), Facts())
    platform = next((p for key in PLATFORM_KEYS if (p := platform_of(said.get(key)))), None)
    platform = platform or named.platform
    time = next((when for key in TIME_KEYS if (when := utc(said.get(key)))), None)
    days = [str(said[key]) for key in DAY_KEYS if key in said]
    orbit = next((int(n) for key in ORBIT_KEYS if (n := number(said.get(key)))), None)
    absolute = next((int(n) for key in ABSOLUTE_KEYS if (n := number(said.get(key)))), None)
    if orbit is None and absolute is not None and platform:
        orbit = relative_orbit(platform, absolute)
    facts = Facts(
        platform=platform,
        time=time,
        day=time.date() if time else next((d for d in map(day_of, days) if d), None),
        orbit_pass=next((p for key in PASS_KEYS if (p := pass_of(said.get(key)))), None),
        relative_orbit=orbit if orbit and 1 <= orbit <= 175 else None,
        tile=next((t for key in TILE_KEYS if (t := _where(said.get(key)))), None),
        product=next((p for key in TYPE_KEYS if (p := _type(said.get(key)))), None),
    )
    # A processed file keeps its first product's name: what it says itself counts more.
    facts = facts.filled(named)
    return None if facts.empty else facts


def pass_of(value: object) -> str | None:
    """ "asc" or "desc" from "ASCENDING", "descending", "A"; None for anything else."""
    said = str(value).strip().lower()
    if said in ("a", "d"):
        return "asc" if said == "a" else "desc"
    return next((name for name in ("asc", "desc") if said.startswith(name)), None)


def pass_by_sun(time: datetime, longitude: float, latitude: float) -> str | None:
    """Sentinel-1's pass over a place (degrees): it descends at dawn and ascends at dusk."""
    hour = (time.hour + time.minute / 60 + longitude / 15) % 24
    if abs(latitude) <= HIGH:
        for name, middle in (("desc", DAWN), ("asc", DAWN + 12)):
            if abs(hour - middle) <= NEAR:
                return name
    return None


def _sources(place: Place, tags: Mapping[str, str]) -> Iterator[tuple[str, Facts]]:
    """(what it is, what it says) of everything that speaks of a raster, the best first."""
    if (said := facts_in_properties(tags)) is not None:
        yield "the file's tags", said
    own = facts_in_name(place.name) or Facts()
    for document in documents(place):
        said = read(document, _radar_facts) if document.sure else None
        if said is not None and not said.contradicts(own):  # else it is of another product
            yield document.place.name, said
    if (product := product_near(place)) is not None:
        yield product.source, product.facts
    for name, said in facts_in_path(place.path):
        yield name if name.startswith("the ") else f"name {name}", said


def _radar_facts(text: str) -> Facts | None:
    """What a document says of a Sentinel-1 acquisition; None for anything else."""
    is_xml = text.lstrip("\ufeff \t\r\n").startswith("<")
    said: Mapping[str, Any] = _xml_properties(text) if is_xml else json_object(text) or {}
    if not is_xml and said.get("type") in ("Feature", "Image"):  # of STAC and of Earth Engine
        properties = said.get("properties")
        said = {"id": said.get("id"), **(properties if isinstance(properties, dict) else {})}
    facts = facts_in_properties(said)
    return facts if facts is not None and facts.sensor == "S1" else None


def _xml_properties(text: str) -> dict[str, str]:
    """Element names with their first text, of a Sentinel-1 manifest, annotation or SNAP header."""
    root = xml_root(text)
    if root is None or local_name(root) not in ("XFDU", "product", "Dimap_Document"):
        return {}
    said: dict[str, str] = {}
    for element in root.iter():
        key = element.get("name", "") if element.tag == "MDATTR" else local_name(element)
        said.setdefault(key, (element.text or "").strip())
    if "familyName" in said and "number" in said:  # of a manifest
        said["platform"] = f"{said['familyName']}{said['number']}"
    return said


def _where(value: object) -> str | None:
    """A tile, or a burst as OPERA's names write it, from "t069_147174_iw2"."""
    said = str(value).strip().upper().replace("_", "-")
    is_burst = said.startswith("T") and said.count("-") == 2 and "-IW" in said
    return said if is_burst else tile_of(value)


def _type(value: object) -> str | None:
    said = str(value).strip().upper()
    if said in TYPES:
        return TYPES[said]
    return next((name for name in ("GRD", "RTC", "SLC") if said.startswith(name)), None)


def _middle(geobox: GeoBox) -> tuple[float, float]:
    """Longitude and latitude of a raster's middle, degrees."""
    x, y = geobox.transform @ (geobox.shape.x / 2, geobox.shape.y / 2)
    longitude, latitude = point(x, y, geobox.crs).to_crs("EPSG:4326").coords[0]
    return longitude, latitude


def _words(facts: Facts) -> str:
    said = (getattr(facts, f.name) for f in fields(facts) if f.name not in ("time", "baseline"))
    return ", ".join(str(value) for value in said if value is not None)
