"""Scenes by place and date: what a STAC catalogue holds of an area around an event."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final, TypeVar

from pystac_client import Client
from shapely.errors import ShapelyError

from landslide_core.catalogue.area import Area
from landslide_core.catalogue.candidates import (
    Candidate,
    Pair,
    candidates_of,
    rank_optical,
    rank_radar,
)
from landslide_core.catalogue.granules import Granule, Pass, granule_of
from landslide_core.catalogue.service import CatalogueIO, quiet
from landslide_core.errors import CatalogueError, LandslideError
from landslide_core.places import is_address, without_query

PASSES: Final[Mapping[Pass, str]] = {"desc": "descending", "asc": "ascending"}
COVERED: Final = 0.95  # share of the area below which a candidate is worth a warning
_YEARS: Final = (2014, 2100)
_PAGE: Final = 100  # items
_MOST_PAGES: Final = 20
_UNCALIBRATED: Final = ("grd", "slc", "ocn")  # collections of radar without terrain correction

T = TypeVar("T")

# What an item that isn't made as it should be brings to raise.
_UNFIT: Final = (
    *(ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError),
    *(RecursionError, ShapelyError),
)


def _unsigned(address: str) -> str:
    """The address as it is."""
    return address


def _signed_by_planetary_computer(address: str) -> str:
    """The address of a file with a signature that its storage asks for."""
    import planetary_computer  # reads settings and environment

    signed: str = planetary_computer.sign_url(address)
    return signed


@dataclass(frozen=True)
class Catalogue:
    """A STAC API, its collections (preferred ones first), and how its files are signed."""

    name: str
    address: str
    optical: tuple[str, ...] = ("sentinel-2-l2a",)
    radar: tuple[str, ...] = ("sentinel-1-rtc",)
    sign: Callable[[str], str] = _unsigned  # address of a file -> one that may be read
    radar_note: str = ""  # why there is no radar


CATALOGUES: Final[Mapping[str, Catalogue]] = {
    "planetary-computer": Catalogue(
        "planetary-computer",
        "https://planetarycomputer.microsoft.com/api/stac/v1",
        sign=_signed_by_planetary_computer,
    ),
    "earth-search": Catalogue(
        "earth-search",
        "https://earth-search.aws.element84.com/v1",
        optical=("sentinel-2-c1-l2a", "sentinel-2-l2a"),
        radar=(),
        radar_note="Earth Search holds Sentinel-1 without calibration and terrain correction "
        "only, which isn't loaded; terrain-corrected gamma0 is needed. Search "
        "planetary-computer for it.",
    ),
}


@dataclass(frozen=True)
class Wish:
    """What is looked for: an area, the day of an event, and how far from it to look."""

    area: Area
    event: date
    days_before: int = 30
    days_after: int = 30
    max_cloud: float = 60.0  # %

    def __post_init__(self) -> None:
        if not _YEARS[0] <= self.event.year <= _YEARS[1]:
            raise CatalogueError(
                f"{self.event} is the day of the event; one from {_YEARS[0]} to {_YEARS[1]} is "
                "needed, since the Sentinels fly. Check the year."
            )


@dataclass(frozen=True)
class Choice:
    """What is to be loaded; None for what there isn't."""

    optical: Candidate | None
    desc: Pair | None
    asc: Pair | None
    notes: tuple[str, ...] = ()  # what the search had to say

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is lacking: in the catalogue, and of the area in these images."""
        return tuple(dict.fromkeys([*self.notes, *_poorly_covered(self)]))

    @property
    def radar(self) -> dict[str, Candidate]:
        """Acquisitions by role: "desc_pre" and so on."""
        pairs = {"desc": self.desc, "asc": self.asc}
        found = {f"{name}_pre": pair.pre for name, pair in pairs.items() if pair and pair.pre}
        return found | {f"{name}_post": pair.post for name, pair in pairs.items() if pair}


@dataclass(frozen=True)
class Found:
    """What a catalogue holds, best first, and what is lacking."""

    catalogue: Catalogue
    wish: Wish
    optical: tuple[Candidate, ...]
    radar: Mapping[Pass, tuple[Pair, ...]]
    notes: tuple[str, ...]  # what is lacking in the catalogue

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is lacking where the first candidates are taken."""
        return self.choice().warnings

    def choice(self, optical: int = 1, desc: int = 1, asc: int = 1) -> Choice:
        """The candidates of these ranks, from 1; 0 for none of a kind. Raises CatalogueError."""
        return Choice(
            _ranked("Sentinel-2 image", self.optical, optical),
            _ranked("descending pair", self.radar["desc"], desc),
            _ranked("ascending pair", self.radar["asc"], asc),
            self.notes,
        )


def catalogue_of(name: str, optical: Sequence[str] = (), radar: Sequence[str] = ()) -> Catalogue:
    """A preset by its name, else the STAC API at an address; with other collections if given.

    Raises CatalogueError for another name, or a radar collection that isn't calibrated.
    """
    if name not in CATALOGUES and not is_address(name):
        raise CatalogueError(
            f"{name[:200]!r} is no catalogue; {', '.join(CATALOGUES)} or the address of a STAC "
            "API, with http or https, is needed. Check --catalogue."
        )
    found = CATALOGUES.get(name) or Catalogue(without_query(name), name)
    for collection in radar:
        if any(word in collection.lower().split("-") for word in _UNCALIBRATED):
            raise CatalogueError(
                f"{collection} holds radar without calibration and terrain correction; "
                "terrain-corrected gamma0 is needed. Name a collection such as sentinel-1-rtc."
            )
    if optical:
        found = replace(found, optical=tuple(optical))
    return replace(found, radar=tuple(radar), radar_note="") if radar else found


def search(wish: Wish, catalogue: Catalogue) -> Found:
    """Look for Sentinel-2 after the event, and Sentinel-1 on both sides of it.

    What is lacking makes a warning. Raises CatalogueError where the catalogue doesn't answer as
    it should, or holds nothing at all.
    """
    notes: list[str] = []
    optical = _acquisitions(wish, catalogue, True, notes)
    radar = _acquisitions(wish, catalogue, False, notes)
    ranked = rank_optical(optical, wish.event, wish.max_cloud)
    pairs = {name: tuple(rank_radar(radar, wish.event, name)) for name in PASSES}
    if not ranked:
        notes.append(_no_optical(rank_optical(optical, wish.event, 100.0), wish))
    notes += [catalogue.radar_note] if catalogue.radar_note else _lacking(pairs, wish)
    if not ranked and not any(pairs.values()):
        raise CatalogueError(
            f"{catalogue.name} holds no usable Sentinel image of the area from {wish.days_before} "
            f"days before {wish.event} to {wish.days_after} days after; one is needed. Look "
            "farther with --days-after, allow more with --max-cloud, or try another catalogue."
        )
    return Found(catalogue, wish, tuple(ranked), pairs, tuple(dict.fromkeys(notes)))


def _acquisitions(
    wish: Wish, catalogue: Catalogue, optical: bool, notes: list[str]
) -> list[Candidate]:
    """All that the catalogue holds of a kind in the days asked for."""
    collections = catalogue.optical if optical else catalogue.radar
    before = 0 if optical else wish.days_before
    granules: list[Granule] = []
    unfit: list[str] = []
    for item in _items(catalogue, collections, wish, before) if collections else ():
        try:
            granules.append(granule_of(item, optical))
        except _UNFIT as error:
            unfit.append(f"{str(item.get('id'))[:80]} ({error})")
    if unfit:
        notes.append(f"{len(unfit)} items are not usable and left out, such as {unfit[0]}.")
    found = candidates_of(granules, wish.area)
    same_day = [a for a in found if a.time.date() == wish.event]
    if same_day:
        notes.append(
            f"{len(same_day)} Sentinel-{2 if optical else 1} images of {wish.event} itself are "
            "left out: whether they show the ground before or after the event isn't known."
        )
    return found


def _items(
    catalogue: Catalogue, collections: Sequence[str], wish: Wish, before: int
) -> list[dict[str, Any]]:
    """The items of collections over the area. Raises CatalogueError."""
    first, last = wish.event - timedelta(before), wish.event + timedelta(wish.days_after)
    query: dict[str, Any] = {
        "collections": list(collections),
        "intersects": wish.area.geojson(),
        "datetime": f"{first}T00:00:00Z/{last}T23:59:59Z",
        "limit": _PAGE,
    }
    try:
        with quiet("urllib3.connectionpool"), warnings.catch_warnings(action="ignore"):
            client = Client.open(catalogue.address, stac_io=CatalogueIO())
            return _gathered(client.search(**query).pages_as_dicts(), catalogue)
    except LandslideError:
        raise
    except Exception as error:  # broken JSON brings the client to raise whatever there is
        raise CatalogueError(
            f"{catalogue.name} answers with something else than STAC items "
            f"({type(error).__name__}); the address of a STAC API with item search is needed. "
            "Check --catalogue."
        ) from error


def _gathered(pages: Iterable[dict[str, Any]], catalogue: Catalogue) -> list[dict[str, Any]]:
    """The items of all pages. Raises CatalogueError where they go round, or on and on."""
    items: dict[tuple[str, str], dict[str, Any]] = {}
    for count, page in enumerate(pages, 1):
        known = len(items)
        items |= {(str(i.get("collection")), str(i["id"])): i for i in page["features"]}
        if len(items) == known or count > _MOST_PAGES:
            raise CatalogueError(
                f"{catalogue.name} sends page after page ({count}, {len(items)} items); at most "
                f"{_MOST_PAGES} of new items are read. Look at fewer days or a smaller area."
            )
    return list(items.values())


def _ranked(what: str, candidates: Sequence[T], rank: int) -> T | None:
    if rank == 0 or (rank == 1 and not candidates):
        return None
    if not 0 < rank <= len(candidates):
        raise CatalogueError(
            f"There is no {what} number {rank}: {len(candidates)} were found. Choose one of them."
        )
    return candidates[rank - 1]


def _no_optical(cloudy: Sequence[Candidate], wish: Wish) -> str:
    if not cloudy:
        return f"No Sentinel-2 image was found in the {wish.days_after} days after {wish.event}."
    best = min(a.cloud or 0.0 for a in cloudy)
    return (
        f"All {len(cloudy)} Sentinel-2 images after {wish.event} have more than "
        f"{wish.max_cloud:g} % of cloud, the clearest {best:.0f} %. Allow more with --max-cloud."
    )


def _lacking(pairs: Mapping[Pass, Sequence[Pair]], wish: Wish) -> list[str]:
    """A warning for each pass without radar from after, or before, the event."""
    warnings = []
    for name, words in PASSES.items():
        if not pairs[name]:
            warnings.append(f"No {words} Sentinel-1 image was found after {wish.event}.")
        elif pairs[name][0].pre is None:
            warnings.append(
                f"No {words} Sentinel-1 image from before {wish.event} has the same relative "
                "orbit as one from after it: no change can be seen in this pass."
            )
    return warnings


def _poorly_covered(choice: Choice) -> list[str]:
    """A warning for each image of a choice that covers less than 95 % of the area."""
    named = {"s2": choice.optical, **choice.radar}
    return [
        f"{role}: {found.time:%Y-%m-%d} covers {found.coverage:.0%} of the area; the rest is "
        "carried as missing there."
        for role, found in named.items()
        if found and found.coverage < COVERED
    ]
