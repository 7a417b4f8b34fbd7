"""Parts of a Sentinel-1 annotation, and one error for whatever is damaged in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from numpy.typing import NDArray

from landslide_core.errors import UnreadableRaster
from landslide_core.readers.ground.product import Product

Doubles = NDArray[np.floating]


def parse(product: Product, file: str, text: str) -> Any:
    """The root of an XML file, without entities or a DTD of its own. Raises UnreadableRaster."""
    try:
        return ElementTree.fromstring(text, forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise _damaged(product, file, error) from error


@contextmanager
def whole(product: Product, file: str) -> Iterator[None]:
    """Turn what a damaged annotation leads to into UnreadableRaster."""
    try:
        yield
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise _damaged(product, file, error) from error


def below(element: Any, path: str) -> Any:
    """An element under another. Raises LookupError."""
    found = element.find(path)
    if found is None:
        raise LookupError(f"no {path}")
    return found


def text_of(element: Any, path: str) -> str:
    """Text of an element under another. Raises LookupError."""
    found = element.findtext(path)
    if not found:
        raise LookupError(f"no {path}")
    return str(found)


def number(element: Any, path: str) -> float:
    """The number in an element."""
    return float(text_of(element, path))


def numbers(element: Any, path: str) -> Doubles:
    """The numbers in an element, all finite."""
    found = np.array(text_of(element, path).split(), np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"{path} that isn't finite")
    return found


def time_of(element: Any, path: str) -> np.datetime64:
    """The time in an element."""
    return np.datetime64(text_of(element, path).rstrip("Z"), "ns")


def _damaged(product: Product, file: str, error: Exception) -> UnreadableRaster:
    return UnreadableRaster(
        f"{product.place(file)} is no whole Sentinel-1 annotation ({str(error)[:80]}); one is "
        "needed to calibrate and geocode. Download the product again."
    )
