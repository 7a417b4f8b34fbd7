"""What is told of a geocoded product: decisions, warnings and the file's tags."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from landslide_core.bands import PIXEL
from landslide_core.grid import Grid
from landslide_core.readers.ground.geometry import places
from landslide_core.readers.ground.heights import UNDULATION, Terrain
from landslide_core.readers.ground.image import FLOOR, Image, Piece
from landslide_core.readers.ground.product import Product
from landslide_core.scene import Decision

CLEAN_EDGES: Final = (2, 90)  # the processor's version from which a product's edges are clean
COARSE: Final = 1.5 * PIXEL  # m


@dataclass(frozen=True)
class Facts:
    """What a geocoded file is made from."""

    product: Product
    polarisation: str  # "vv" or "vh"
    image: Image
    grid: Grid
    terrain: Terrain
    misfit: float  # pixels, at most, from the product's own geolocation grid
    orbit: int | None  # relative orbit
    version: tuple[int, ...]  # of the processor


@dataclass
class Counts:
    """Pixels geocoded so far."""

    valid: int = 0
    floored: int = 0
    with_dem: int = 0

    def add(self, piece: Piece) -> None:
        """Count a further part."""
        self.valid += piece.valid
        self.floored += piece.floored
        self.with_dem += piece.with_dem


def decisions(facts: Facts, counts: Counts) -> tuple[Decision, ...]:
    """What was decided and on what evidence, without a role."""
    name, product, image = facts.polarisation.upper(), facts.product.name, facts.image
    annotation, noise = image.geometry.annotation, image.noise
    orbit = f", relative orbit {facts.orbit}" if facts.orbit else ""
    along = f" and {len(noise.along)} azimuth vectors" if noise and noise.along else ""
    tables = f"{len(image.calibration.lines)} vectors of sigmaNought"
    if noise:
        tables += f", noise of {len(noise.across.lines)} vectors{along}"
    return (
        Decision("", f"{name} pass", f"annotation of {product}", f"{annotation.orbit_pass}{orbit}"),
        Decision(
            "",
            f"{name} calibration",
            f"{tables}; {100 * counts.floored / counts.valid:.2g} % of the pixels under the noise",
            f"sigma nought = (DN²{' − noise' if noise else ''}) / sigmaNought², not flattened by "
            f"the terrain, {10 * math.log10(FLOOR):.0f} dB at least",
        ),
        Decision(
            "",
            f"{name} geocoding",
            f"orbit and timing meet the product's geolocation grid to {facts.misfit:.2g} pixels",
            f"range and Doppler, {_heights(facts, counts)}",
        ),
    )


def warnings_of(facts: Facts, counts: Counts) -> tuple[str, ...]:
    """What a user should know of the geocoded file."""
    name, noise = facts.product.name, facts.image.noise
    along, across = facts.image.geometry.annotation.spacing
    found = []
    if counts.with_dem < counts.valid:
        found.append(_without_dem(facts, counts))
    if facts.terrain.unshifted and counts.with_dem:
        found.append(
            f"{name}: the DEM's heights are supposed to count from sea level, which lies up to "
            f"{UNDULATION:.0f} m off the ellipsoid, and PROJ has no geoid grid: pixels may lie up "
            f"to {UNDULATION * _per_metre(facts):.0f} m off in range. Give a DEM whose CRS has "
            "ellipsoidal heights, or install PROJ's us_nga_egm96_15.tif (projsync)."
        )
    if noise is None or not any(values.any() for values in noise.across.values):
        found.append(
            f"{name}: the product states no thermal noise, so none was removed; dark ground, "
            "above all in VH, is too bright."
        )
    if facts.version and facts.version < CLEAN_EDGES:
        found.append(
            f"{name}: products of processor version {'.'.join(map(str, facts.version))} hold "
            "noise along their edges, which is read as very dark ground. Clip the scene to the "
            "inner part of the image."
        )
    if max(along, across) > COARSE:
        found.append(
            f"{name} has pixels of {max(along, across):.0f} m; the model was made for "
            f"{PIXEL:.0f} m: expect missed landslides."
        )
    return tuple(found)


def tags(facts: Facts) -> dict[str, str]:
    """The file's tags, in words that the readers know."""
    annotation = facts.image.geometry.annotation
    return {
        "UNITS": "power",
        "CALIBRATION": "sigma0",
        "POLARISATION": facts.polarisation.upper(),
        "ORBIT_PASS_DIRECTION": annotation.orbit_pass,
        "ABSOLUTE_ORBIT": str(annotation.orbit_number),
        **({"RELATIVE_ORBIT": str(facts.orbit)} if facts.orbit else {}),
        "ACQUISITION_START": f"{np.datetime_as_string(annotation.start, 'ms')}Z",
        "SOURCE_PRODUCT": facts.product.name,
    }


def _heights(facts: Facts, counts: Counts) -> str:
    coarse = "the coarse heights of the product's geolocation grid"
    if not counts.with_dem:
        return f"at {coarse}"
    share = counts.with_dem / counts.valid
    rest = f" on {100 * share:.0f} % of the pixels, else {coarse}" if share < 1 else ""
    return f"at the heights of the DEM{rest} ({facts.terrain.datum})"


def _without_dem(facts: Facts, counts: Counts) -> str:
    """The warning for pixels without a height of their own."""
    what, remedy = "without a DEM", "Give --dem."
    if facts.terrain.dems:
        share = 1 - counts.with_dem / counts.valid
        what = f"the DEM leaves out {share:.1%} of the pixels, which were geocoded without one"
        remedy = "Give a DEM of the whole scene."
    return (
        f"{facts.product.name}: {what}; terrain 1,000 m above the product's coarse heights lies "
        f"about {round(1000 * _per_metre(facts), -1):,.0f} m too near to the sensor. {remedy}"
    )


def _per_metre(facts: Facts) -> float:
    """Metres that a metre of height shifts on the ground, at the middle of the grid."""
    middle = (np.array([[size / 2]]) for size in facts.grid.shape)
    lon, lat = places(facts.grid, *middle)
    incidence = facts.image.geometry.incidence(float(lon[0, 0]), float(lat[0, 0]))
    return 1 / math.tan(math.radians(incidence))
