"""Whether the dates and orbits of a scene's images fit together, and what is told of them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from landslide_core.readers.acquisition import Acquisition
from landslide_core.readers.given import ROLE_WORDS
from landslide_core.scene import Decision

APART: Final = 60  # days; beyond that, seasons change more than landslides do
PASSES: Final = {"desc": "descending", "asc": "ascending"}

Acquisitions = Mapping[str, Sequence[Acquisition]]  # by role: "s2", "desc_pre", …


def check_dates(acquisitions: Acquisitions, event: date | None = None) -> tuple[str, ...]:
    """Warnings where roles, dates, orbits and the event's date do not fit together."""
    given = {role: tuple(found) for role, found in acquisitions.items() if found}
    warnings = [warning for role in given for warning in _of_role(role, given[role])]
    for orbit in PASSES:
        pre, post = given.get(f"{orbit}_pre", ()), given.get(f"{orbit}_post", ())
        if pre and post:
            warnings += _of_pair(orbit, pre, post)
        if post and "s2" in given:
            warnings += _beside_optical(orbit, post, given["s2"])
    if event is not None:
        warnings += _of_event(given, event)
    return tuple(warnings)


def taken(acquisitions: Acquisitions) -> tuple[Decision, ...]:
    """What is known of each role's acquisitions, once."""
    decisions = {
        (role, words(acquisition)): acquisition.evidence  # of the first file that says so
        for role, found in acquisitions.items()
        for acquisition in reversed(found)
    }
    return tuple(
        Decision(role, "acquisition", evidence, said)
        for (role, said), evidence in decisions.items()
    )


def words(acquisition: Acquisition) -> str:
    """ "2020-06-07 01:08 UTC, S1A GRD, descending, relative orbit 107"."""
    time = acquisition.time
    when = f"{time:%Y-%m-%d %H:%M} UTC" if time else acquisition.day.isoformat()
    satellite = " ".join(filter(None, (acquisition.platform, acquisition.product)))
    orbit = acquisition.relative_orbit
    said = (
        when,
        satellite,
        PASSES.get(acquisition.orbit_pass or "", ""),
        f"relative orbit {orbit}" if orbit else "",
        acquisition.tile or "",
    )
    return ", ".join(filter(None, said))


def _of_role(role: str, found: Sequence[Acquisition]) -> Iterator[str]:
    """Warnings on the images of one role: several dates or orbits, the other pass."""
    if _last(found) - _first(found) > timedelta(days=1) or _passes_apart(found):
        days = ", ".join(str(day) for day in sorted({a.day for a in found}))
        yield (
            f"{ROLE_WORDS[role]}: images of several dates ({days}); one date is best, so that "
            "before and after are clear. Give the images of one date."
        )
    orbits = sorted({a.relative_orbit for a in found if a.relative_orbit})
    if role != "s2" and len(orbits) > 1:
        yield (
            f"{ROLE_WORDS[role]}: images of relative orbits {', '.join(map(str, orbits))}; one is "
            "needed, as each sees slopes from another side. Give the images of one relative orbit."
        )
    wanted = role.split("_")[0]
    other = next((a for a in found if a.orbit_pass not in (None, wanted)), None)
    if wanted in PASSES and other is not None:
        yield (
            f"{ROLE_WORDS[role]}: the image of {other.day} was taken on the "
            f"{PASSES[other.orbit_pass or '']} pass ({other.evidence}); {PASSES[wanted]} is "
            "wanted. It was read as the role says: check which role it belongs to."
        )


def _passes_apart(found: Sequence[Acquisition]) -> bool:
    """Whether images of neighbouring days are more than a pass across midnight."""
    times = [a.time for a in found if a.time is not None]
    if _first(found) == _last(found):
        return False
    return len(times) < len(found) or max(times) - min(times) > timedelta(hours=1)


def _of_pair(orbit: str, pre: Sequence[Acquisition], post: Sequence[Acquisition]) -> Iterator[str]:
    """Warnings on a pass's images before and after: order, geometry, time between them."""
    first, last = _last(pre), _first(post)
    image = f"Sentinel-1 {PASSES[orbit]}: the image from before"
    if first >= last:
        yield (
            f"{image} is of {first} and that from after of {last}; the one from before must be "
            "the earlier. They may be exchanged: check both roles."
        )
    elif (last - first).days > APART:
        yield (
            f"{image} ({first}) and that from after ({last}) are {(last - first).days} days "
            f"apart; at most {APART} are best, as fields and forests change too. Choose closer "
            "dates."
        )
    kinds = [{a.product for a in found if a.product} for found in (pre, post)]
    if all(kinds) and kinds[0] != kinds[1]:
        was, now = (" and ".join(sorted(found)) for found in kinds)
        yield (
            f"{image} is a {was} product and that from after a {now} one: their backscatter is "
            "defined differently (gamma nought, sigma nought, flattened or not), and every slope "
            "shows a change; the same kind is needed. Choose images of one kind."
        )
    before = {a.relative_orbit for a in pre if a.relative_orbit}
    after = {a.relative_orbit for a in post if a.relative_orbit}
    if before and after and before != after:
        yield (
            f"{image} is of relative orbit {_listed(before)} and that from after of "
            f"{_listed(after)}; the same one is needed: from another, slopes look different and "
            "the change is unreliable. Choose images of one relative orbit."
        )


def _beside_optical(
    orbit: str, post: Sequence[Acquisition], optical: Sequence[Acquisition]
) -> Iterator[str]:
    """A warning where radar and optical image show the place at different times."""
    apart = min(abs((a.day - b.day).days) for a in post for b in optical)
    if apart > APART:
        yield (
            f"From after the event, Sentinel-2 ({_first(optical)}) and Sentinel-1 {PASSES[orbit]} "
            f"({_first(post)}) are {apart} days apart; at most {APART} are best, as both should "
            "show the same ground. Choose closer dates."
        )


def _of_event(given: Acquisitions, event: date) -> Iterator[str]:
    """Warnings for images on the wrong side of the event; its own day fits both."""
    for role, found in given.items():
        if role.endswith("_pre") and _last(found) > event:
            yield (
                f"{ROLE_WORDS[role]}: the image is of {_last(found)}, after the event ({event}); "
                "one from before it is needed. Choose an earlier one, or correct the event's date."
            )
        if (role == "s2" or role.endswith("_post")) and _first(found) < event:
            yield (
                f"{ROLE_WORDS[role]}: the image is of {_first(found)}, before the event "
                f"({event}): its landslides cannot be seen in it; a later image is needed. Choose "
                "one, or correct the event's date."
            )


def _first(found: Sequence[Acquisition]) -> date:
    return min(acquisition.day for acquisition in found)


def _last(found: Sequence[Acquisition]) -> date:
    return max(acquisition.day for acquisition in found)


def _listed(orbits: set[int]) -> str:
    return " and ".join(str(orbit) for orbit in sorted(orbits))
