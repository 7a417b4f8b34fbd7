"""What the Find page goes on with after another page was looked at."""

from typing import Any

from landslide_core.catalogue.search import Found
from pages.parts import state


def drawn() -> list[dict[str, Any]]:
    """The GeoJSON features last drawn on the map."""
    features: list[dict[str, Any]] = state.kept("drawn", [])
    return features


def keep_drawn(features: list[dict[str, Any]]) -> None:
    """Remember what was drawn: the map forgets it when it is put up anew."""
    state.keep("drawn", features)


def found() -> tuple[Found, int] | None:
    """What the last search found, and the number of that search in this session."""
    last: tuple[Found, int] | None = state.kept("found", None)
    return last


def keep_found(new: Found) -> None:
    """Remember what a search found, and forget what was chosen of the last one."""
    last = found()
    state.keep("found", (new, last[1] + 1 if last else 1))
    state.keep("ranks", {})


def ranks() -> dict[str, int]:
    """The candidates chosen of the last search, "optical", "desc" and "asc": from 1, 0 for none."""
    chosen: dict[str, int] = state.kept("ranks", {})
    return chosen


def keep_rank(kind: str, rank: int) -> None:
    """Remember which candidate was chosen."""
    state.keep("ranks", {**ranks(), kind: rank})
