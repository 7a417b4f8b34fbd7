"""Products in ground range among what was given, geocoded into the cache to be read like others."""

import os
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from landslide_core.bands import POLARISATIONS
from landslide_core.grid import Grid
from landslide_core.pixels import BandSource
from landslide_core.places import Given, Place, is_address
from landslide_core.readers.given import ROLE_WORDS
from landslide_core.readers.ground.geocode import Geocoded, Progress, geocode, geocoded_path
from landslide_core.readers.ground.product import Product, product_in


@dataclass(frozen=True)
class Frame:
    """Where and how products in ground range are geocoded."""

    grid: Grid | None = None  # the scene's; None: one around the product
    dem: tuple[BandSource, ...] = ()  # metres


def split(paths: Sequence[Given]) -> tuple[list[Product], list[Given]]:
    """The Sentinel-1 products in slant or ground range among what was given, and the rest."""
    local = [path for path in paths if not is_address(path)]
    found = {path: product for path in local if (product := product_in(Path(path)))}
    return list(found.values()), [path for path in paths if path not in found]


def sources_of(product: Product) -> list[Place]:
    """The files that a product's backscatter is made from."""
    named = [channel for name, channel in product.channels.items() if name in POLARISATIONS]
    return [product.place(file) for channel in named for file in astuple(channel) if file]


def cache_folder() -> Path:
    """Where geocoded products are kept: LANDSLIDE_CACHE, else the user's own cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("LANDSLIDE_CACHE") or home / "landslide")


def ready(product: Product, role: str, frame: Frame, progress: Progress) -> list[Geocoded]:
    """The polarisations of a product that the model takes, geocoded."""
    made = []
    for polarisation in [p for p in POLARISATIONS if p in product.channels] or [POLARISATIONS[0]]:
        product.channel(polarisation)  # complete, or refused before anything is written
        out = geocoded_path(cache_folder(), product.holder, polarisation, frame.grid, frame.dem)
        found = geocode(product.holder, polarisation, frame.grid, frame.dem, out, progress)
        decisions = tuple(replace(d, role=role) for d in found.decisions)
        warnings = tuple(f"{ROLE_WORDS[role]}: {warning}" for warning in found.warnings)
        made.append(Geocoded(found.path, decisions, warnings))
    return made
