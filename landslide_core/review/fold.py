"""From events to what holds: undone, redone, and what is left of each tile."""

from collections.abc import Iterable
from typing import Any, Final

from shapely.geometry import shape

from landslide_core.errors import BadReview
from landslide_core.review.journal import LABELLING, Event

ASPECTS: Final = (
    *("label", "reviewer", "when", "comment"),
    *("outline", "outlined_by", "outlined_at", "outlined_as"),
)


def live(events: Iterable[Event]) -> list[Event]:
    """The events that hold, oldest first: neither undos nor revoked by an undo that holds."""
    return [event for event in _unrevoked(events) if event.action != "undo"]


def said_by(event: Event, label: str | None) -> dict[str, Any]:
    """What an event changes of its tile's row; `label` is the one the tile has by then."""
    signed = {"reviewer": event.reviewer, "when": event.time}
    said: dict[str, Any] = {}
    if event.action in LABELLING:
        said |= {"label": event.value, **signed}
    elif label is None:
        said |= signed
    if event.action == "outline":
        drawn = None if event.value is None else shape(event.value)
        said |= {"outline": drawn, "outlined_by": event.reviewer, "outlined_at": event.time}
    if event.comment or event.action == "comment":
        said["comment"] = event.comment or None
    return said


def to_undo(events: tuple[Event, ...], reviewer: str, wanted: str | None) -> Event:
    """The event of an id, or the reviewer's last one that stands. Raises BadReview."""
    standing = _unrevoked(events)
    if wanted is None:
        own = [e for e in standing if e.reviewer == reviewer.strip() and e.action != "undo"]
        if not own:
            raise BadReview(f"There is nothing of {reviewer} to undo. Name an event by its id.")
        return own[-1]
    found = [event for event in standing if event.id == wanted]
    if not found:
        known = any(event.id == wanted for event in events)
        raise BadReview(
            f"Event {wanted} is {'revoked already' if known else 'not of this review'}. Choose "
            "one that stands."
        )
    return found[0]


def to_redo(events: tuple[Event, ...], reviewer: str) -> Event:
    """The reviewer's last undo that stands, with nothing of theirs done since. Raises BadReview."""
    kinds = {event.id: event.action for event in events}
    own = [event for event in _unrevoked(events) if event.reviewer == reviewer.strip()]
    while own and own[-1].action == "undo" and kinds.get(own[-1].value) == "undo":
        own.pop()  # a redo
    if not own or own[-1].action != "undo":
        raise BadReview(f"There is no undo of {reviewer} to take back. Review the tile again.")
    return own[-1]


def _unrevoked(events: Iterable[Event]) -> list[Event]:
    """Events that no undo revokes, unless that undo is revoked itself; oldest first."""
    revoked: set[str] = set()
    kept: list[Event] = []
    for event in reversed(list(events)):  # an undo comes after what it revokes
        if event.id in revoked:
            continue
        kept.append(event)
        if event.action == "undo":
            revoked.add(event.value)
    return kept[::-1]
