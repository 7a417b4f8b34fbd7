"""What a Sentinel-1 product's annotation says: timing, orbit and geometry of its image."""

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.errors import MissingCRS
from landslide_core.readers.ground.product import Product
from landslide_core.readers.ground.xml import (
    Doubles,
    below,
    number,
    parse,
    text_of,
    time_of,
    whole,
)

LIGHT: Final = 299_792_458.0  # m/s
LARGEST: Final = 200_000  # lines or pixels; the longest strips have less than half


@dataclass(frozen=True)
class GridPoints:
    """The annotation's own geolocation grid, (n, m) each: image places and where they lie."""

    lines: Doubles  # (n,)
    pixels: Doubles  # (m,)
    longitude: Doubles
    latitude: Doubles
    height: Doubles  # m
    incidence: Doubles  # degrees
    slant: Doubles  # m
    time: Doubles  # s since the first line


@dataclass(frozen=True)
class Annotation:
    """Timing and geometry of a ground range image; times in seconds since its first line."""

    lines: int
    pixels: int
    line_time: float  # s between lines
    spacing: tuple[float, float]  # m, of lines and of pixels
    start: np.datetime64  # of the first line
    orbit_pass: str  # "ascending" or "descending"
    orbit_number: int
    points: GridPoints
    orbit: Any  # xarray: positions (axis, azimuth_time), m, Earth-fixed
    conversion_times: Doubles  # (k,) s
    slant_origin: Doubles  # (k,) m
    to_ground: Doubles  # (k, degree + 1), powers of slant range − origin, rising


def read_annotation(product: Product, file: str) -> Annotation:
    """Parse a polarisation's annotation. Raises UnreadableRaster, MissingCRS for slant range."""
    text = product.text(file)
    root = parse(product, file, text)
    with whole(product, file):
        if root.findtext("adsHeader/productType") != "GRD":
            raise MissingCRS(
                f"{product.holder} is no ground range product "
                f"({root.findtext('adsHeader/productType')}); a GRD product is needed. "
                "Terrain-correct it (e.g. SNAP, HyP3) and give the GeoTIFFs."
            )
        image = below(root, "imageAnnotation/imageInformation")
        start = time_of(image, "productFirstLineUtcTime")
        orbit, conversion = _by_library(text)
        annotation = Annotation(
            lines=int(text_of(image, "numberOfLines")),
            pixels=int(text_of(image, "numberOfSamples")),
            line_time=number(image, "azimuthTimeInterval"),
            spacing=(number(image, "azimuthPixelSpacing"), number(image, "rangePixelSpacing")),
            start=start,
            orbit_pass=text_of(root, "generalAnnotation/productInformation/pass").lower(),
            orbit_number=int(text_of(root, "adsHeader/absoluteOrbitNumber")),
            points=_points(root, start),
            orbit=orbit.position,
            conversion_times=seconds(conversion.azimuth_time.values, start),
            slant_origin=np.asarray(conversion.sr0.values, np.float64),
            to_ground=np.asarray(conversion.srgrCoefficients.values, np.float64),
        )
        _plausible(annotation)
    return annotation


def read_manifest(product: Product) -> tuple[int | None, tuple[int, ...]]:
    """Relative orbit, and the version of the processor as (2, 36); None and () where unknown."""
    if not product.manifest:
        return None, ()
    root = parse(product, product.manifest, product.text(product.manifest))
    orbit, version = None, ""
    for element in root.iter():
        name = str(element.tag).rpartition("}")[2]
        if name == "relativeOrbitNumber" and (element.text or "").strip().isdigit():
            orbit = int(element.text)
        if name == "software" and "IPF" in element.get("name", "") and not version:
            version = element.get("version", "")
    digits = version.split(".")
    return orbit, tuple(map(int, digits)) if all(map(str.isdigit, digits)) else ()


def seconds(times: NDArray[Any], start: np.datetime64) -> Doubles:
    """Seconds from a start to times."""
    return np.asarray((times - start) / np.timedelta64(1, "ns"), np.float64) / 1e9


def _by_library(text: str) -> tuple[Any, Any]:
    """Orbit and slant to ground range conversion. Raises ValueError."""
    # Schemas and labelled arrays take a second to import: only where a product is opened.
    from xarray_sentinel.sentinel1 import open_coordinate_conversion_dataset, open_orbit_dataset

    conversion: Any = io.StringIO(text)  # a file serves, which its annotations don't say
    try:
        return open_orbit_dataset(io.StringIO(text)), open_coordinate_conversion_dataset(conversion)
    except Exception as error:  # what its schema and its arrays raise has no common base
        raise ValueError(f"orbit or conversion: {error}") from error


def _points(root: Any, start: np.datetime64) -> GridPoints:
    """The geolocation grid; every line of it has the same pixels."""
    elements = root.findall("geolocationGrid/geolocationGridPointList/geolocationGridPoint")

    def values(name: str) -> Doubles:
        return np.array([number(element, name) for element in elements])

    line, pixel = values("line"), values("pixel")
    lines, pixels = np.unique(line), np.unique(pixel)
    shape = lines.size, pixels.size
    order = np.lexsort((pixel, line))

    def grid(found: Doubles) -> Doubles:
        return found[order].reshape(shape)

    if min(shape) < 2 or (grid(pixel) != pixels).any():
        raise ValueError("an irregular geolocation grid")
    times = np.array([time_of(element, "azimuthTime") for element in elements])
    longitude = values("longitude")  # in one stretch across the antimeridian
    longitude = longitude[0] + (longitude - longitude[0] + 180) % 360 - 180
    return GridPoints(
        lines=lines,
        pixels=pixels,
        longitude=grid(longitude),
        latitude=grid(values("latitude")),
        height=grid(values("height")),
        incidence=grid(values("incidenceAngle")),
        slant=grid(values("slantRangeTime")) * LIGHT / 2,
        time=grid(seconds(times, start)),
    )


def _plausible(found: Annotation) -> None:
    """Raise ValueError for numbers that no image has."""
    tables = (found.orbit.values, found.to_ground, found.slant_origin, found.conversion_times)
    points = found.points
    grids = (points.longitude, points.latitude, points.height, points.slant, points.time)
    if not all(np.isfinite(table).all() for table in (*tables, *grids)):
        raise ValueError("numbers that aren't finite")
    size = 0 < found.lines <= LARGEST and 0 < found.pixels <= LARGEST
    step = 0 < found.line_time < 0.1 and all(0.5 <= side <= 200 for side in found.spacing)
    place = (np.abs(points.latitude) <= 90).all() and (np.abs(points.height) < 10_000).all()
    angle = ((points.incidence > 5) & (points.incidence < 70)).all()
    if not (size and step and place and angle and found.orbit_pass in ("ascending", "descending")):
        raise ValueError("size, timing or geometry that no Sentinel-1 image has")
