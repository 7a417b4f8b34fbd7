"""What catalogues and providers say of a Sentinel-2 product: STAC, Earth Engine, AWS, tags."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from landslide_core.readers.documents import item_assets, json_object
from landslide_core.readers.names import (
    Facts,
    facts_in_name,
    number,
    official,
    platform_of,
    tile_of,
    utc,
)
from landslide_core.readers.product import (
    ALL_BANDS,
    Product,
    band_named,
    orbit_of,
    percent,
    positive,
)

Values = Mapping[str, Any]
COMMON: Final = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08", "nir08": "B8A"}
SQUARES: Final = ("mgrs", "sentinel")  # prefixes of a tile's parts
TIMES: Final = ("SYSTEM:TIME_START", "PRODUCT_START_TIME", "DATATAKE_1_DATATAKE_SENSING_START")
_ADDED: Final = re.compile(r"(?P<kind>BOA|RADIO)_ADD_OFFSET(?:_(?P<band>B\d{1,2}|B8A))?")


def parse_stac_item(text: str) -> Product | None:
    """What a STAC item of Sentinel-2 says; None for anything else.

    Where `boa_offset_applied` is False, Earth Search's items are often wrong: then the pixels
    are the better witness.
    """
    if item_assets(text) is None:
        return None
    item = json_object(text) or {}
    said = _mapping(item.get("properties"))
    named = facts_in_name(str(said.get("s2:product_uri") or item.get("id"))) or Facts()
    collection = str(item.get("collection"))
    platform = platform_of(said.get("platform")) or named.platform
    known = any(key.startswith("s2:") for key in said) or "sentinel-2" in collection
    if not known and (platform or "")[:2] != "S2":
        return None
    assets = list(_band_assets(_mapping(item.get("assets"))))
    scales = {band: scale for band, scale, _ in assets if scale}
    offsets = {
        band: round(offset / scale, 3)
        for band, scale, offset in assets
        if scale and offset is not None
    }
    applied = said.get("earthsearch:boa_offset_applied", said.get("sentinel:boa_offset_applied"))
    return Product(
        source="STAC item",
        level=_level(said.get("s2:product_type"), said.get("product:type"), collection)
        or named.product,
        baseline=_baseline(
            said, "s2:processing_baseline", "processing:version", "sentinel:processing_baseline"
        )
        or named.baseline,
        offsets=offsets,
        scales=scales,
        boa_offset_applied=applied if isinstance(applied, bool) else None,
        platform=platform if platform and platform.startswith("S2") else None,
        time=utc(said.get("datetime")) or utc(said.get("start_datetime")),
        tile=_tile(said) or named.tile,
        relative_orbit=orbit_of(said.get("sat:relative_orbit")) or named.relative_orbit,
        cloud=percent(said.get("eo:cloud_cover")),
    )


def parse_earth_engine(text: str) -> Product | None:
    """What the properties of an Earth Engine image, saved as JSON, say; None for anything else."""
    said = json_object(text) or {}
    if said.get("type") == "Image":  # as the API writes it
        said = {"system:id": said.get("id"), **_mapping(said.get("properties"))}
    if not said.keys() & {"system:index", "system:id", "PRODUCT_ID", "MGRS_TILE"}:
        return None
    return product_in_tags(said, "Earth Engine properties")


def product_in_tags(tags: Values, source: str = "the file's tags") -> Product | None:
    """What tags of a file, or properties of an Earth Engine image, say of its product.

    Earth Engine's harmonized collections took the offset out of the numbers and still name it.
    """
    said = {key.upper(): value for key, value in tags.items()}
    collection = str(said.get("SYSTEM:ID", ""))
    names = ("PRODUCT_ID", "PRODUCT_URI", "PRODUCT_URI_2A", "DATASTRIP_ID", "SYSTEM:INDEX")
    known = [facts for key in names if (facts := facts_in_name(str(said.get(key))))]
    named = known[0] if known else Facts()
    offsets = _stated_offsets(said)
    if "SYSTEM:INDEX" in said and not collection:
        offsets = {}  # of either collection: the numbers may have it or not
    product = Product(
        source=source,
        level=_level(said.get("PROCESSING_LEVEL"), said.get("PRODUCT_TYPE"), collection)
        or named.product,
        baseline=_baseline(said, "PROCESSING_BASELINE") or named.baseline,
        offsets=offsets,
        quantification=positive(
            said.get(key) for key in ("BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE")
        ),
        boa_offset_applied=True if "HARMONIZED" in collection else None,
        platform=platform_of(said.get("SPACECRAFT_NAME")) or named.platform,
        time=next((t for key in TIMES if (t := utc(said.get(key)))), named.time),
        tile=tile_of(said.get("MGRS_TILE")) or named.tile,
        relative_orbit=orbit_of(said.get("SENSING_ORBIT_NUMBER")) or named.relative_orbit,
        cloud=percent(said.get("CLOUDY_PIXEL_PERCENTAGE", said.get("CLOUD_COVERAGE_ASSESSMENT"))),
    )
    if (product.platform or "S2")[:2] != "S2":
        return None
    told = (product.level, product.baseline, product.offsets, product.quantification, product.tile)
    return product if any(told) else None


def parse_aws(text: str) -> Product | None:
    """What productInfo.json or tileInfo.json of the public buckets says; None for anything else."""
    said = json_object(text) or {}
    named = facts_in_name(str(said.get("productName") or said.get("name"))) or Facts()
    square = [str(said.get(key, "")) for key in ("utmZone", "latitudeBand", "gridSquare")]
    tile = tile_of("".join(square)) if all(square) else None
    if "path" not in said or (named.sensor != "S2" and tile is None):
        return None
    return Product(
        source="productInfo.json" if tile is None else "tileInfo.json",
        level=named.product,
        baseline=named.baseline,
        platform=named.platform,
        time=utc(said.get("timestamp")) or named.time,
        tile=tile or named.tile,
        relative_orbit=named.relative_orbit,
        cloud=percent(said.get("cloudyPixelPercentage")),
    )


def _band_assets(assets: Values) -> Iterator[tuple[str, float | None, float | None]]:
    """(band, scale, offset) of the assets that are one band; Earth Search's originals aside."""
    for key, asset in assets.items():
        if not isinstance(asset, dict) or key.endswith("-jp2"):
            continue
        described = [_entries(asset.get(name)) for name in ("eo:bands", "bands", "raster:bands")]
        if any(len(entries) > 1 for entries in described):
            continue
        values = {**asset}
        for entries in described:
            values |= entries[0] if entries else {}
        names = (values.get("name"), key.split("_")[0])
        common = values.get("common_name", values.get("eo:common_name", key))
        band = next(filter(None, map(band_named, names)), COMMON.get(str(common)))
        if band:
            scale = positive((values.get("scale"), values.get("raster:scale")))
            yield band, scale, number(values.get("offset", values.get("raster:offset")))


def _stated_offsets(said: Values) -> dict[str, float]:
    """Offsets by band of properties such as BOA_ADD_OFFSET_B2; of all bands where it is one."""
    stated: dict[str, dict[str, float]] = {"BOA": {}, "RADIO": {}}
    for key, value in said.items():
        found, added = _ADDED.fullmatch(key), number(value)
        if found and added is not None:
            band = band_named(found["band"]) if found["band"] else None
            bands = ALL_BANDS if not found["band"] else (band,) if band else ()
            stated[found["kind"]] |= dict.fromkeys(bands, added)
    return stated["BOA"] or stated["RADIO"]


def _level(*said: object) -> str | None:
    """ "L2A" or "L1C" from "Level-2A", "S2MSI2A", "sentinel-2-l2a" or "COPERNICUS/S2_SR"."""
    for text in map(str, said):
        if found := re.search(r"(?:LEVEL-|MSI|-L|^L)(1C|2A)", text, re.IGNORECASE):
            return f"L{found[1].upper()}"
        if found := re.match(r"COPERNICUS/S2(_SR)?(_HARMONIZED)?(/|$)", text):
            return "L2A" if found[1] else "L1C"
    return None


def _baseline(said: Values, *keys: str) -> float | None:
    return next((b for key in keys if (b := official(number(said.get(key))))), None)


def _tile(said: Values) -> str | None:
    """The tile of a STAC item in the words of the Planetary Computer, new and old Earth Search."""
    parts = ("utm_zone", "latitude_band", "grid_square")
    joined = ["".join(str(said.get(f"{p}:{part}", "")) for part in parts) for p in SQUARES]
    codes = (said.get("s2:mgrs_tile"), said.get("grid:code"), *joined)
    return next(filter(None, map(tile_of, codes)), None)


def _entries(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
