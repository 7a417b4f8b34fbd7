"""A Sentinel-2 product as it describes itself, and what its XML documents say."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Final

from landslide_core.readers.documents import local_name, xml_root
from landslide_core.readers.names import (
    Facts,
    facts_in_name,
    number,
    official,
    platform_of,
    utc,
)

# Every band by its band_id in the product's metadata, which is also the order of level 1C stacks.
ALL_BANDS: Final = (
    *("B01", "B02", "B03", "B04", "B05", "B06", "B07"),
    *("B08", "B8A", "B09", "B10", "B11", "B12"),
)
ADDED_SINCE: Final = 4.0  # the processing baseline from which on the agency adds to its numbers
_ROOT: Final = re.compile(r"Level-(?P<level>1C|2A)p?_(User_Product|Tile_ID)")
_QUANTIFICATION: Final = (
    *("BOA_QUANTIFICATION_VALUE", "L2A_BOA_QUANTIFICATION_VALUE"),
    "QUANTIFICATION_VALUE",
)


@dataclass(frozen=True)
class Product:
    """What a Sentinel-2 product says of itself; None or nothing where it doesn't say."""

    source: str = ""  # the documents that said it
    level: str | None = None  # "L1C" or "L2A"
    baseline: float | None = None  # the agency's processing baseline
    offsets: Mapping[str, float] = field(default_factory=dict)  # DN to add, by band
    scales: Mapping[str, float] = field(default_factory=dict)  # reflectance of one DN, by band
    quantification: float | None = None  # DN of reflectance 1
    boa_offset_applied: bool | None = None  # whether a provider took the offset out again
    platform: str | None = None  # "S2A"
    time: datetime | None = None  # of sensing, UTC
    tile: str | None = None  # "45RTL"
    relative_orbit: int | None = None
    cloud: float | None = None  # %

    def offset(self, band: str) -> float | None:
        """DN to add to a band; None where that isn't said.

        Nothing was added before baseline 04.00, whatever a catalogue says of such a product.
        """
        if self.boa_offset_applied or (self.baseline or ADDED_SINCE) < ADDED_SINCE:
            return 0.0
        return self.offsets.get(band)

    @property
    def facts(self) -> Facts:
        """What it says of its acquisition."""
        return Facts(
            platform=self.platform or "S2",
            time=self.time,
            day=self.time.date() if self.time else None,
            relative_orbit=self.relative_orbit,
            tile=self.tile,
            product=self.level,
            baseline=self.baseline,
        )

    def contradicts(self, other: "Product") -> bool:
        """Whether both cannot be of one product."""
        levels = self.level and other.level and self.level != other.level
        return bool(levels) or self.facts.contradicts(other.facts)

    def filled(self, other: "Product") -> "Product":
        """This product, with another's word where this one says nothing."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "source"}
        lacking = {n: getattr(other, n) for n, v in own.items() if v is None or v == {}}
        added = {n: v for n, v in lacking.items() if not (v is None or v == {})}
        source = ", ".join(filter(None, (self.source, other.source))) if added else self.source
        return replace(self, **added, source=source)


def parse_product_xml(text: str) -> Product | None:
    """What a product's or a granule's XML of any generation says; None for anything else."""
    root = xml_root(text)
    kind = _ROOT.fullmatch(local_name(root)) if root is not None else None
    if root is None or kind is None:
        return None
    first: dict[str, str] = {}  # by element; of those that come once
    bands: dict[str, str] = {}  # by band_id
    added: dict[str, dict[str, str]] = {"BOA_ADD_OFFSET": {}, "RADIO_ADD_OFFSET": {}}
    granules: list[str] = []
    for element in root.iter():
        name, said = local_name(element), (element.text or "").strip()
        first.setdefault(name, said)
        if name in added:
            added[name][element.get("band_id", "")] = said
        elif name == "Spectral_Information":
            bands[element.get("bandId", "")] = element.get("physicalBand", "")
        elif name in ("Granule", "Granules"):
            granules.append(element.get("granuleIdentifier", ""))
    stated = added["BOA_ADD_OFFSET"] or added["RADIO_ADD_OFFSET"]
    offsets = {band_named(bands.get(i) or _by_id(i)): number(said) for i, said in stated.items()}
    named = _named((first.get("PRODUCT_URI"), first.get("PRODUCT_URI_2A"), *_tile_ids(first)))
    times = ("SENSING_TIME", "PRODUCT_START_TIME", "DATATAKE_SENSING_START")
    return Product(
        source=kind[0],
        level=f"L{kind['level']}",
        baseline=official(number(first.get("PROCESSING_BASELINE"))) or named.baseline,
        offsets={band: added for band, added in offsets.items() if band and added is not None},
        quantification=positive(first.get(key) for key in _QUANTIFICATION),
        platform=platform_of(first.get("SPACECRAFT_NAME")) or named.platform,
        time=next((t for key in times if (t := utc(first.get(key)))), None),
        tile=named.tile or _only_tile(granules),
        relative_orbit=orbit_of(first.get("SENSING_ORBIT_NUMBER")) or named.relative_orbit,
        cloud=percent(
            first.get("CLOUDY_PIXEL_PERCENTAGE") or first.get("Cloud_Coverage_Assessment")
        ),
    )


def band_named(name: object) -> str | None:
    """ "B02" from "B2", "B02" or "b02"; None for anything that is no band of Sentinel-2."""
    found = re.fullmatch(r"B(8A|\d{1,2})", str(name).strip(), re.IGNORECASE)
    band = f"B{found[1].upper().zfill(2)}" if found else None
    return band if band in ALL_BANDS else None


def orbit_of(value: object) -> int | None:
    """A relative orbit of Sentinel-2, 1 to 143."""
    found = number(value)
    return int(found) if found is not None and 1 <= found <= 143 else None


def percent(value: object) -> float | None:
    """A number from 0 to 100."""
    found = number(value)
    return found if found is not None and 0 <= found <= 100 else None


def positive(values: Iterable[object]) -> float | None:
    """The first of some values that is a positive number."""
    return next((n for value in values if (n := number(value)) is not None and n > 0), None)


def _by_id(band_id: str) -> str:
    index = int(band_id) if re.fullmatch(r"\d{1,2}", band_id) else len(ALL_BANDS)
    return ALL_BANDS[index] if index < len(ALL_BANDS) else ""


def _tile_ids(first: Mapping[str, str]) -> list[str | None]:
    return [first.get(key) for key in ("TILE_ID_2A", "L2A_TILE_ID", "TILE_ID")]


def _named(names: Iterable[str | None]) -> Facts:
    """What the first of some names says that says anything."""
    return next((facts for name in names if (facts := facts_in_name(name or ""))), Facts())


def _only_tile(granules: Iterable[str]) -> str | None:
    """The tile of a product's granules; None where it has several, as old ones do."""
    tiles = {_named([granule]).tile for granule in granules}
    return tiles.pop() if len(tiles) == 1 else None
