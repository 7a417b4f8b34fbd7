"""The product that a Sentinel-2 raster belongs to, from its tags, documents near it and names."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from landslide_core.places import Place
from landslide_core.readers.catalogues import (
    parse_aws,
    parse_earth_engine,
    parse_stac_item,
    product_in_tags,
)
from landslide_core.readers.documents import Document, documents, read
from landslide_core.readers.names import Facts, facts_in_name, facts_in_path
from landslide_core.readers.product import Product, parse_product_xml


def product_of(place: Place, tags: Mapping[str, str]) -> Product | None:
    """What is known of a raster's product: its tags first, then documents, then names."""
    said = (product_in_tags(tags), product_near(place), product_named(place.path))
    return _together([product for product in said if product is not None])


def product_near(place: Place) -> Product | None:
    """What the documents of a raster's product say, together; None where there are none.

    One that names another tile or day than the raster's own name is of another product.
    """
    own = facts_in_name(place.name) or Facts()
    found = []
    for document in documents(place):
        product = read(document, parse_product)
        if product is not None and _belongs(product, document, own):
            if product.boa_offset_applied is not None and place.name.lower().endswith(".jp2"):
                # Earth Search says it of the GeoTIFFs it makes, not of the agency's own files.
                product = replace(product, boa_offset_applied=None, offsets={}, scales={})
            found.append(replace(product, source=document.place.name))
    return _together(found)


def product_named(path: PurePosixPath) -> Product | None:
    """What names of a file and the folders above say of a Sentinel-2 product."""
    found = [
        Product(
            source=f"name {name}",
            level=facts.product,
            baseline=facts.baseline,
            platform=facts.platform,
            time=facts.time,
            tile=facts.tile,
            relative_orbit=facts.relative_orbit,
        )
        for name, facts in facts_in_path(path)
        if facts.sensor == "S2"
    ]
    return _together(found)


def parse_product(text: str) -> Product | None:
    """What any known kind of document says of a Sentinel-2 product; None for anything else."""
    if text.lstrip("\ufeff \t\r\n").startswith("<"):
        return parse_product_xml(text)
    return parse_stac_item(text) or parse_earth_engine(text) or parse_aws(text)


def _belongs(product: Product, document: Document, own: Facts) -> bool:
    """Whether a document near a raster is of its product, by the raster's own name."""
    if product.facts.contradicts(own):
        return False
    return document.sure or bool(own.tile and own.day and product.tile and product.time)


def _together(products: list[Product]) -> Product | None:
    """Several words on one product as one, the first counting most; what contradicts is left."""
    if not products:
        return None
    whole = products[0]
    for product in products[1:]:
        if not whole.contradicts(product):
            whole = whole.filled(product)
    return whole
