"""Which role each of the recognised files may play: by the event's day, else by names and order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from landslide_core.readers.dates import PASSES
from landslide_core.readers.given import ROLES
from landslide_core.readers.recognise import Recognised
from landslide_core.readers.sentinel2 import LAYERS, WANTED

LEFT_OUT: Final = "out"
UNKNOWN: Final = "unknown"
CHOICES: Final = (*ROLES, LEFT_OUT, UNKNOWN)

_SAME_PASS: Final = timedelta(hours=1)  # between slices and granules, also across midnight
_TIMES: Final = {"pre": "before", "post": "after"}


@dataclass(frozen=True)
class Proposal:
    """A role, or that a file is left out, or that nobody can tell; and why."""

    role: str  # one of CHOICES
    reason: str


Proposals = dict[int, Proposal]  # by the file's place in the list


def propose(found: Sequence[Recognised], event: date | None = None) -> list[Proposal]:
    """A role for each file, in their order."""
    proposals = {i: alone for i, one in enumerate(found) if (alone := _alone(one))}
    rest = {i: one for i, one in enumerate(found) if i not in proposals}
    proposals |= _elsewhere(rest)
    rest = {i: one for i, one in rest.items() if i not in proposals}
    proposals |= {
        i: Proposal("dem", "an elevation model") for i, r in rest.items() if r.sensor == "DEM"
    }
    proposals |= _optical({i: r for i, r in rest.items() if r.sensor == "S2"}, event)
    for orbit_pass in PASSES:
        images = {i: r for i, r in rest.items() if r.orbit_pass == orbit_pass}
        proposals |= _radar(images, orbit_pass, event)
    return [proposals[i] for i in range(len(found))]


def event_of(found: Iterable[Recognised]) -> date | None:
    """The day of the event that all files that name one agree on."""
    days = {one.event for one in found} - {None}
    return days.pop() if len(days) == 1 else None


def _alone(one: Recognised) -> Proposal | None:
    """What can be said of a file by itself; None where others must be looked at."""
    if one.sensor == "vector":
        return Proposal(LEFT_OUT, "a table or outlines, not an image")
    if one.sensor == "result":
        return Proposal(LEFT_OUT, "truth or a result by its name, not an input")
    if one.problem:
        return Proposal(LEFT_OUT, one.problem)
    if one.sensor is None:
        return Proposal(UNKNOWN, "neither tags nor names say what it is")
    if one.sensor == "S2" and one.bands and not {*one.bands} & {*WANTED, *LAYERS}:
        return Proposal(LEFT_OUT, f"{', '.join(one.bands)} is not among the bands that count")
    if one.sensor == "S1":
        if one.level == "SLC":
            return Proposal(LEFT_OUT, "in slant range (SLC); ground range or RTC is needed")
        if one.bands and not {*one.bands} & {"VV", "VH"}:
            return Proposal(LEFT_OUT, f"{', '.join(one.bands)}; VV and VH are needed")
        if one.orbit_pass is None:
            return Proposal(UNKNOWN, "whether the pass is descending or ascending is not known")
    return None


def _elsewhere(files: Mapping[int, Recognised]) -> Proposals:
    """Files that lie apart from most others; where no place has the most, nobody can tell."""
    places: list[tuple[set[int], list[Recognised]]] = []
    for i, one in files.items():
        if one.outline is None:
            continue
        near = [place for place in places if any(_meet(one, other) for other in place[1])]
        joined = ({i}.union(*(p[0] for p in near)), [one, *(r for p in near for r in p[1])])
        places = [*(place for place in places if place not in near), joined]
    if len(places) < 2:
        return {}
    places.sort(key=lambda place: len(place[0]), reverse=True)
    if len(places[0][0]) == len(places[1][0]):
        reason = f"the files lie at {len(places)} places; choose those of one"
        return {i: Proposal(UNKNOWN, reason) for members, _ in places for i in members}
    return {
        i: Proposal(LEFT_OUT, "lies elsewhere than the other files")
        for members, _ in places[1:]
        for i in members
    }


def _meet(one: Recognised, other: Recognised) -> bool:
    if one.outline is None or other.outline is None:
        return False
    return bool(one.outline.intersects(other.outline))


def _optical(images: Mapping[int, Recognised], event: date | None) -> Proposals:
    """Sentinel-2: the first images after the event; those without a date go with them."""
    proposals = {
        i: Proposal("s2", "no date is known: make sure that it is from after the event")
        if one.said != "pre"
        else Proposal(LEFT_OUT, "from before the event, by its name")
        for i, one in images.items()
        if one.day is None
    }
    dated = {i: one for i, one in images.items() if one.day is not None}
    before, after, unclear = _sides(dated, event)
    for i in before:
        proposals[i] = Proposal(LEFT_OUT, f"{_when(dated[i], event)}; only images after it count")
    for i in unclear:
        proposals[i] = _cannot_tell(event)
    taken = _nearest({i: dated[i] for i in after}, event, latest=False)
    surface = {i for i in taken if dated[i].level != "L1C"}
    for i in after:
        if i not in taken:
            proposals[i] = Proposal(LEFT_OUT, f"{_when(dated[i], event)}; another one is nearer")
        elif surface and i not in surface:
            proposals[i] = Proposal(LEFT_OUT, "level 2A of the same day is there")
        else:
            proposals[i] = Proposal("s2", _when(dated[i], event))
    return proposals


def _radar(images: Mapping[int, Recognised], orbit_pass: str, event: date | None) -> Proposals:
    """A pass of Sentinel-1: the nearest images on both sides of the event, of one orbit if any."""
    before, after, unclear = _sides(images, event)
    proposals = {i: _cannot_tell(event) for i in unclear}
    kinds = {i: (one.orbit, one.level) for i, one in images.items()}
    both = {kinds[i] for i in before} & {kinds[i] for i in after}
    kind = None
    if both and len(set(kinds.values())) > 1:
        kind = min(
            sorted(both, key=str),
            key=lambda kind: _days_apart(
                *([images[i] for i in side if kinds[i] == kind] for side in (before, after))
            ),
        )
    for time, side, latest in (("pre", before, True), ("post", after, False)):
        of_kind = {i: images[i] for i in side if kind is None or kinds[i] == kind}
        taken = _nearest(of_kind, event, latest)
        for i in side:
            when = _when(images[i], event) or f"{_TIMES[time]} the event, by its name"
            if i in taken:
                proposals[i] = Proposal(f"{orbit_pass}_{time}", when)
            elif i not in of_kind:
                reason = f"{when}; of another relative orbit or level than the pair taken"
                proposals[i] = Proposal(LEFT_OUT, reason)
            else:
                proposals[i] = Proposal(LEFT_OUT, f"{when}; another one is nearer")
    return proposals


Sides = tuple[list[int], list[int], list[int]]


def _sides(images: Mapping[int, Recognised], event: date | None) -> Sides:
    """Images before the event, after it, and those of which nobody can tell.

    By date where the event's day is known, else by name, else by order where two dates are there.
    """
    sides: dict[str | None, list[int]] = {"pre": [], "post": [], None: []}
    for i, one in images.items():
        dated = event and one.day and ("pre" if one.day < event else "post")
        sides[dated or one.said].append(i)
    days = sorted({one.day for one in images.values() if one.day})
    optical = all(one.sensor == "S2" for one in images.values())
    if event is None and len(sides[None]) == len(images):
        if len(days) == 1 and optical:
            return [], list(images), []
        if len(days) == 2 and all(one.day for one in images.values()):
            first = [i for i, one in images.items() if one.day == days[0]]
            return first, [i for i in images if i not in first], []
    return sides["pre"], sides["post"], sides[None]


def _nearest(images: Mapping[int, Recognised], event: date | None, latest: bool) -> set[int]:
    """The images of the day nearest to the event, slices of one pass together.

    Before the event that is the last day, after it the first. An image of the event's own day
    counts as after it, but one of a later day is surer. Without dates all of them.
    """
    dated = {i: one for i, one in images.items() if one.day}
    days = sorted({one.day for one in dated.values() if one.day}, reverse=latest)
    if not days:
        return set(images)
    best = next((day for day in days if day != event), days[0])
    times = [one.time for one in dated.values() if one.day == best and one.time]
    return {
        i
        for i, one in dated.items()
        if one.day == best
        or (one.time and any(abs(one.time - other) <= _SAME_PASS for other in times))
    }


def _days_apart(before: Iterable[Recognised], after: Iterable[Recognised]) -> int:
    """Days between the nearest images of both sides; 0 where a side has no date."""
    last = max((one.day for one in before if one.day), default=None)
    first = min((one.day for one in after if one.day), default=None)
    return (first - last).days if first and last else 0


def _when(one: Recognised, event: date | None) -> str:
    """ "8 days before the event"; by its name or the order of dates where the day isn't known."""
    if event is None or one.day is None:
        return {"pre": "before the event, by its name", "post": "after the event, by its name"}.get(
            one.said or "", "by the dates alone" if one.day else ""
        )
    days = (one.day - event).days
    if days == 0:
        return "of the event's own day: it may be from before it"
    count = f"{abs(days)} day{'s' if abs(days) > 1 else ''}"
    return f"{count} {'before' if days < 0 else 'after'} the event"


def _cannot_tell(event: date | None) -> Proposal:
    why = "no date is known" if event else "give the day of the event"
    return Proposal(UNKNOWN, f"before or after? {why[0].upper()}{why[1:]}")
