"""`landslide search`: scenes by place and date, and the chosen ones loaded."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from landslide_core.catalogue.area import area_of
from landslide_core.catalogue.candidates import Candidate, Pair
from landslide_core.catalogue.fetch import fetch as fetch_choice
from landslide_core.catalogue.search import CATALOGUES, PASSES, Choice, Found, Wish, catalogue_of
from landslide_core.catalogue.search import search as search_catalogue
from landslide_core.terminal import Json, app, progress_bars, say, show

Rank = Annotated[int, typer.Option(min=0, help="Number of the candidate to take; 0: none.")]
Days = Annotated[int, typer.Option(min=0, max=366, help="Days around the event to look at.")]
Collections = Annotated[
    list[str], typer.Option(help="Collection of the catalogue, instead of the usual; repeatable.")
]


@app.command()
def search(
    area: Annotated[str, typer.Option(help="File with polygons, or minlon,minlat,maxlon,maxlat.")],
    event: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day of the event.")],
    days_before: Days = 30,
    days_after: Days = 30,
    max_cloud: Annotated[float, typer.Option(min=0, max=100, help="Per cent of a tile.")] = 60.0,
    catalogue: Annotated[
        str, typer.Option(help=f"{', '.join(CATALOGUES)}, or the address of a STAC API.")
    ] = "planetary-computer",
    s2_collection: Collections = [],  # noqa: B006  typer copies the default
    s1_collection: Collections = [],  # noqa: B006
    optical: Rank = 1,
    descending: Rank = 1,
    ascending: Rank = 1,
    fetch: Annotated[
        Path | None, typer.Option(help="Load the choice into this folder, the area only.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find Sentinel-2 after an event and Sentinel-1 on both sides of it, and load them."""
    wish = Wish(area_of(area), event.date(), days_before, days_after, max_cloud)
    where = catalogue_of(catalogue, s2_collection, s1_collection)
    found = search_catalogue(wish, where)
    choice = found.choice(optical, descending, ascending)
    for warning in choice.warnings:
        say(f"warning: {warning}")
    result = _record(found, choice) if as_json else _lines(found, choice)
    if fetch is not None:
        with progress_bars() as progress:
            fetched = fetch_choice(choice, wish, where, fetch, progress)
        for warning in fetched.warnings:
            say(f"warning: {warning}")
        result["next"] = fetched.predict_line()
    show(result, as_json)


def _record(found: Found, choice: Choice) -> dict[str, Any]:
    """Candidates and choice as JSON."""
    return {
        "catalogue": found.catalogue.name,
        "optical": [acquisition.record() for acquisition in found.optical],
        **{PASSES[name]: [p.record() for p in pairs] for name, pairs in found.radar.items()},
        "choice": {
            "optical": choice.optical.record()["items"] if choice.optical else None,
            **{role: a.record()["items"] for role, a in choice.radar.items()},
        },
        "warnings": list(choice.warnings),
    }


def _lines(found: Found, choice: Choice) -> dict[str, Any]:
    """Candidates by kind and number, one line each; the chosen ones are marked."""
    lines = {}
    for i, acquisition in enumerate(found.optical, 1):
        mark = "*" if acquisition is choice.optical else " "
        lines[f"{mark} optical {i}"] = _told(acquisition)
    for name, words in PASSES.items():
        for i, pair in enumerate(found.radar[name], 1):
            mark = "*" if pair in (choice.desc, choice.asc) else " "
            lines[f"{mark} {words} {i}"] = _both(pair)
    return lines


def _both(pair: Pair) -> str:
    before = _told(pair.pre) if pair.pre else "nothing"
    return f"before: {before}; after: {_told(pair.post)}"


def _told(found: Candidate) -> str:
    """A candidate in a line: when, which satellite, which orbit, how cloudy, how much it covers."""
    orbit = f"orbit {found.relative_orbit}" if found.relative_orbit else ""
    unknown = "cloud unknown" if "B04" in found.granules[0].assets else ""
    cloud = f"cloud {found.cloud:.0f} %" if found.cloud is not None else unknown
    covers = f"covers {found.coverage:.0%}"
    words = (f"{found.time:%Y-%m-%d %H:%M}", found.platform, orbit, cloud, covers)
    return " ".join(filter(None, words))
