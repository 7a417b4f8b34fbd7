"""Granules -> what a satellite took in one overflight, and which ones suit an area and an event."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import shapely
from shapely.geometry.base import BaseGeometry

from landslide_core.catalogue.area import Area
from landslide_core.catalogue.granules import Granule, Pass

OVERFLIGHT: Final = timedelta(minutes=20)  # from the first granule over an area to the last
_REPLACED: Final = 0.9  # share of a granule under newer ones of its tile that makes it redundant
_ADDS: Final = 0.002  # share of the area a further granule must add to be worth its loading


@dataclass(frozen=True)
class Candidate:
    """The granules of one overflight that cover an area, the one that covers most of it first."""

    granules: tuple[Granule, ...]
    coverage: float  # share of the area, 0..1
    cloud: float | None  # %, of the granules by their share of the area; None if one doesn't tell

    @property
    def id(self) -> str:
        """The items' ids."""
        return ", ".join(granule.id for granule in self.granules)

    @property
    def time(self) -> datetime:
        """When its first granule was taken."""
        return min(granule.time for granule in self.granules)

    @property
    def platform(self) -> str:
        """The satellite."""
        return self.granules[0].platform

    @property
    def orbit_pass(self) -> Pass | None:
        """Ascending or descending, where that is stated."""
        return self.granules[0].orbit_pass

    @property
    def relative_orbit(self) -> int | None:
        """Which of the satellite's tracks it was taken from."""
        return self.granules[0].relative_orbit

    @property
    def footprint(self) -> BaseGeometry:
        """Its outline, EPSG:4326, longitudes running on past 180°."""
        return shapely.union_all([granule.footprint for granule in self.granules])

    @property
    def clear(self) -> float:
        """The share of the area that it shows, cloud taken to be spread evenly; unknown as none."""
        return self.coverage * (1 - (self.cloud or 0.0) / 100)

    def record(self) -> dict[str, Any]:
        """What is told of it, as JSON."""
        return {
            "items": [granule.id for granule in self.granules],
            "collection": self.granules[0].collection,
            "time": self.time.isoformat(timespec="seconds"),
            "platform": self.platform,
            "pass": self.orbit_pass,
            "relative_orbit": self.relative_orbit,
            "cloud": None if self.cloud is None else round(self.cloud, 1),
            "coverage": round(self.coverage, 3),
            "bands": {band: asset.key for band, asset in self.granules[0].assets.items()},
            "footprint": shapely.geometry.mapping(self.footprint),
        }


@dataclass(frozen=True)
class Pair:
    """Radar from before and after an event, in one pass and from one track."""

    pre: Candidate | None
    post: Candidate

    @property
    def coverage(self) -> float:
        """The share of the area, 0..1, that the poorer of the two covers."""
        return min(self.post.coverage, self.pre.coverage if self.pre else self.post.coverage)

    @property
    def days(self) -> float:
        """Days from the one to the other."""
        return (self.post.time - self.pre.time) / timedelta(days=1) if self.pre else float("inf")

    def record(self) -> dict[str, Any]:
        """What is told of it, as JSON."""
        return {
            "pre": self.pre.record() if self.pre else None,
            "post": self.post.record(),
            "coverage": round(self.coverage, 3),
        }


def candidates_of(granules: Iterable[Granule], area: Area) -> list[Candidate]:
    """Granules by overflight, oldest first; those that don't touch the area are left out."""
    groups: list[list[Granule]] = []
    for granule in sorted(granules, key=lambda g: (*_track(g), g.time, g.id)):
        last = groups[-1][-1] if groups else None
        if last and _track(last) == _track(granule) and granule.time - last.time < OVERFLIGHT:
            groups[-1].append(granule)
        else:
            groups.append([granule])
    found = [_acquisition(_newest(group), area) for group in groups]
    return sorted((a for a in found if a.coverage > 0), key=lambda a: (a.time, a.id))


def rank_optical(found: Iterable[Candidate], event: date, max_cloud: float) -> list[Candidate]:
    """What was taken after the event's day, not cloudier than allowed: the clearest first.

    What doesn't tell its cloud may be overcast: it comes last.
    """
    after = [a for a in found if a.time >= _day_after(event) and (a.cloud or 0.0) <= max_cloud]
    return sorted(after, key=lambda a: (a.cloud is None, -round(a.clear, 2), a.time))


def rank_radar(found: Sequence[Candidate], event: date, orbit_pass: Pass) -> list[Pair]:
    """Pairs of a pass, best first: both dates, then what they cover, then the nearest dates.

    Of a track every later image is paired with the last one before the event that covers as
    much. The event's own day is left out: which side of the event it shows isn't known.
    """
    of_pass = [a for a in found if a.orbit_pass == orbit_pass]
    pairs = []
    for post in (a for a in of_pass if a.time >= _day_after(event)):
        before = [
            a
            for a in of_pass
            if a.relative_orbit == post.relative_orbit is not None and a.time < _midnight(event)
        ]
        joint = [Pair(pre, post) for pre in before] or [Pair(None, post)]
        pairs.append(min(joint, key=lambda pair: (-round(pair.coverage, 1), pair.days)))
    return sorted(pairs, key=lambda p: (p.pre is None, -round(p.coverage, 1), p.days, p.post.time))


def _track(granule: Granule) -> tuple[str, str, int]:
    """What granules of one overflight have in common, besides the time."""
    return granule.platform, granule.orbit_pass or "", granule.relative_orbit or 0


def _newest(group: Sequence[Granule]) -> list[Granule]:
    """Granules that no newer ones of their tile replace.

    Catalogues keep what was processed again beside what was before. But two granules of a tile
    may also be its two halves, from two datastrips.
    """
    newest: list[Granule] = []
    for granule in sorted(group, key=lambda g: (g.baseline, g.id), reverse=True):
        newer = [g.footprint for g in newest if g.tile and g.tile == granule.tile]
        shared = granule.footprint.intersection(shapely.union_all(newer)).area
        if shared < _REPLACED * granule.footprint.area:
            newest.append(granule)
    return newest


def _acquisition(group: Sequence[Granule], area: Area) -> Candidate:
    """The fewest granules of an overflight that cover what all of them do."""
    left = {granule.id: (granule, area.overlap(granule.footprint)) for granule in group}
    shares = {name: area.covered(part) for name, (_, part) in left.items()}
    taken: list[Granule] = []
    covered, share = shapely.Polygon(), 0.0
    while left:
        joint = {n: shapely.union(covered, part) for n, (_, part) in left.items()}
        best = max(joint, key=lambda n: (round(joint[n].area, 9), n))
        gained = area.covered(joint[best]) - share
        if gained <= (_ADDS if taken else 0.0):
            break
        taken.append(left.pop(best)[0])
        covered, share = joint[best], share + gained
    return Candidate(tuple(taken), min(share, 1.0), _cloud(taken, shares))


def _cloud(taken: Sequence[Granule], shares: Mapping[str, float]) -> float | None:
    """Cloud (%) of granules by their share of the area; None where one doesn't tell it."""
    told = [(shares[g.id], g.cloud) for g in taken if g.cloud is not None]
    weight = sum(part for part, _ in told)
    if len(told) < len(taken) or not weight:
        return None
    return sum(part * percent for part, percent in told) / weight


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _day_after(day: date) -> datetime:
    return _midnight(day) + timedelta(days=1)
