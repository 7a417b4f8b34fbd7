"""What the names of a product's files and folders say: sensor, time, tile, orbit, level."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Final

FIRST: Final = date(2014, 4, 3)  # Sentinel-1A's launch: no acquisition is older
REPEAT: Final = 175  # orbits of a Sentinel-1 repeat cycle of 12 days
# Relative orbit = (absolute - this) mod 175 + 1. Sentinel-1C was moved in June 2026.
ORBIT_SHIFT: Final = {"S1A": 73, "S1B": 27, "S1C": 172, "S1D": 42}
S1C_MOVED: Final = (8018, 99)  # last absolute orbit before the move, and the shift after it
SEN2COR: Final = 90.0  # baselines from here on (99.99) mean "made by the user", not a baseline
DEPTH: Final = 3  # names in which a plain date is looked for: the file's and two folders'

_TIME: Final = r"\d{8}T\d{6}(?!\d)"
_TILE: Final = r"\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z][A-HJ-NP-V]"
_LEVEL: Final = "L1C|L2A"
# The first that fits a name counts, so those with more in them come first.
_PATTERNS: Final = tuple(
    re.compile(rf"(?<![A-Za-z0-9]){pattern}", re.IGNORECASE)
    for pattern in (
        rf"(?P<platform>S2[A-D])_MSI(?P<level>{_LEVEL})p?_(?P<time>{_TIME})"
        rf"(?:_N(?P<baseline>\d{{4}}))?(?:_R(?P<orbit>\d{{3}}))?(?:_T(?P<tile>{_TILE}))?",
        rf"(?P<platform>S2[A-D])_(?:OPER|USER)_(?:PRD|MTD)_(?:MSI|SAF)(?P<level>{_LEVEL})_\w+?"
        rf"_R(?P<orbit>\d{{3}})_V(?P<time>{_TIME})",
        # old granules: the time in their names is that of their making
        rf"(?P<platform>S2[A-D])_(?:OPER|USER)_(?:MSI|MTD)_(?P<level>{_LEVEL})_TL_\w+?_{_TIME}"
        rf"_A\d{{6}}_T(?P<tile>{_TILE})(?:_N(?P<baseline>\d\d\.\d\d))?",
        rf"(?P<platform>S2[A-D])_(?:OPER|USER)_MSI_(?P<level>{_LEVEL})_DS_\w+?_S(?P<time>{_TIME})"
        rf"_N(?P<baseline>\d\d\.\d\d)",
        rf"(?P<level>{_LEVEL})_T(?P<tile>{_TILE})_A\d{{6}}_(?P<time>{_TIME})",
        rf"(?P<time>{_TIME})_{_TIME}_T(?P<tile>{_TILE})(?![A-Z0-9])",  # Earth Engine
        rf"(?P<platform>S2[A-D])_T?(?P<tile>{_TILE})_(?P<time>\d{{8}}(?:T\d{{6}})?)(?:_\d+)?"
        rf"_(?P<level>{_LEVEL})",  # Earth Search
        rf"SENTINEL(?P<platform>2[A-D])_(?P<time>\d{{8}}-\d{{6}})-\d+_(?P<level>{_LEVEL})"
        rf"_T(?P<tile>{_TILE})",  # Theia
        rf"(?:(?P<level>{_LEVEL})_)?T(?P<tile>{_TILE})_(?P<time>{_TIME})",
        rf"OPERA_L2_(?P<level>RTC)-S1_(?P<burst>T(?P<orbit>\d{{3}})-\d{{6}}-IW\d)"
        rf"_(?P<time>{_TIME})Z_{_TIME}Z_(?P<platform>S1[A-D])",
        rf"(?P<platform>S1[A-D])_(?:IW|EW|S\d)_(?P<time>{_TIME})_[SD][HV][PRO]_(?P<level>RTC)\d\d",
        rf"(?P<platform>S1[A-D])_(?:IW|EW|WV|S\d)_(?P<level>GRD|SLC)[FHM_]_\d[SA][DS][HV]"
        rf"_(?P<time>{_TIME})(?:_{_TIME}_(?P<absolute>\d{{6}}))?(?P<rtc>\w*_RTC)?",
        rf"(?P<platform>S1[A-D])-(?:IW|EW|S)\d?-(?P<level>GRD|SLC)-[HV]{{2}}-(?P<time>{_TIME})"
        rf"-{_TIME}-(?P<absolute>\d{{6}})",
    )
)
_FOLDERS: Final = re.compile(  # of the public buckets: tiles/45/R/TL/2020/1/1/0
    r"/(?P<zone>\d{1,2})/(?P<belt>[C-HJ-NP-X])/(?P<square>[A-HJ-NP-Z][A-HJ-NP-V])"
    r"/(?P<year>20\d\d)/(?P<month>\d{1,2})/(?P<day>\d{1,2})/\d+/"
)
_DATE: Final = re.compile(
    r"(?<!\d)(?P<year>20\d\d)(?P<mark>[-_.]?)(?P<month>[01]\d)(?P=mark)(?P<day>[0-3]\d)(?!\d)"
)


@dataclass(frozen=True)
class Facts:
    """What one source says of an acquisition; None where it says nothing."""

    platform: str | None = None  # "S1A", "S2B"; "S1" or "S2" where the unit isn't known
    time: datetime | None = None  # UTC
    day: date | None = None
    orbit_pass: str | None = None  # "asc" or "desc"
    relative_orbit: int | None = None
    tile: str | None = None  # "45RTL", or the burst "T069-147174-IW2"
    product: str | None = None  # "GRD", "RTC", "L1C", "L2A"
    baseline: float | None = None

    @property
    def sensor(self) -> str | None:
        """ "S1" or "S2"."""
        return self.platform[:2] if self.platform else None

    @property
    def empty(self) -> bool:
        """Whether nothing is said."""
        return self == Facts()

    def contradicts(self, other: "Facts") -> bool:
        """Whether both cannot be of one product: other satellite, tile, orbit, pass or day.

        A neighbouring day is none: a pass may cross midnight.
        """
        if self.day and other.day and abs((self.day - other.day).days) > 1:
            return True
        return any(
            mine and yours and mine != yours
            for mine, yours in (
                (self.sensor, other.sensor),
                ((self.platform or "")[2:], (other.platform or "")[2:]),
                (self.tile, other.tile),
                (self.relative_orbit, other.relative_orbit),
                (self.orbit_pass, other.orbit_pass),
            )
        )

    def filled(self, other: "Facts") -> "Facts":
        """These facts, with another's where these say nothing."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        lacking = {n: getattr(other, n) for n, v in own.items() if v is None and n != "time"}
        if self.day is None or self.day == other.day:
            lacking["time"] = self.time or other.time
        if self.platform and len(self.platform) == 2 and other.sensor == self.platform:
            lacking["platform"] = other.platform
        return replace(self, **lacking)


def facts_in_name(name: str) -> Facts | None:
    """What a product's, granule's or band's name says; None for any other name."""
    for pattern in _PATTERNS:
        if found := pattern.search(name):
            return _facts({key: said.upper() for key, said in found.groupdict("").items()})
    return None


def _facts(said: Mapping[str, str]) -> Facts | None:
    """The facts in the parts of a name; None where its time cannot be one."""
    time = utc(said["time"].replace("-", "T")) if "time" in said else None
    day = time.date() if time else day_of(said.get("time", "")[:8])
    if said.get("time") and day is None:
        return None
    platform = platform_of(said.get("platform") or "S2")
    orbit = int(said.get("orbit") or 0) or None
    if said.get("absolute"):
        orbit = relative_orbit(platform or "", int(said["absolute"]))
    baseline = said.get("baseline", "").replace(".", "")
    return Facts(
        platform=platform,
        time=time,
        day=day,
        relative_orbit=orbit,
        tile=said.get("burst") or tile_of(said.get("tile")),
        product="RTC" if said.get("rtc") else said.get("level") or None,
        baseline=official(int(baseline) / 100) if baseline else None,
    )


def facts_in_path(path: PurePosixPath) -> Iterator[tuple[str, Facts]]:
    """(name, what it says) of a file's name and the folders above, the nearest first.

    A plain date comes last, and only where a name holds a single one: it is weak evidence.
    """
    dated = False
    for name in reversed(path.parts):
        if (facts := facts_in_name(name)) is not None:
            dated |= facts.day is not None
            yield name, facts
    if found := _FOLDERS.search(str(path)):
        day = day_of(f"{found['year']}{int(found['month']):02d}{int(found['day']):02d}")
        if day is not None:
            tile = tile_of(found["zone"] + found["belt"] + found["square"])
            yield found[0].strip("/"), Facts("S2", day=day, tile=tile)
            dated = True
    for name in () if dated else list(reversed(path.parts))[:DEPTH]:
        days = {day_of(f["year"] + f["month"] + f["day"]) for f in _DATE.finditer(name)} - {None}
        if len(days) == 1 and facts_in_name(name) is None:
            yield f"the date in {name}", Facts(day=days.pop())
            return


def relative_orbit(platform: str, absolute: int) -> int | None:
    """A Sentinel-1 unit's relative orbit (1 to 175) from its absolute one."""
    shift = ORBIT_SHIFT.get(platform)
    if platform == "S1C" and absolute > S1C_MOVED[0]:
        shift = S1C_MOVED[1]
    return None if shift is None else (absolute - shift) % REPEAT + 1


def platform_of(value: object) -> str | None:
    """ "S1A" from "Sentinel-1A", "SENTINEL-1A", "s1a" or "2A"; None for anything else."""
    said = str(value).strip().upper()
    found = re.fullmatch(r"(?:S|SENTINEL[-_ ]?)([12][A-D]?)|([12][A-D])", said)
    return f"S{found[1] or found[2]}" if found else None


def tile_of(value: object) -> str | None:
    """ "45RTL" from "T45RTL", "MGRS-45RTL" or "45RTL"; None for anything else."""
    found = re.fullmatch(rf"(?:MGRS-)?T?({_TILE})", str(value).strip(), re.IGNORECASE)
    return found[1].upper().zfill(5) if found else None


def official(baseline: float | None) -> float | None:
    """A processing baseline, None where it stands for "none of the agency's"."""
    return baseline if baseline is not None and 0 < baseline < SEN2COR else None


def number(value: object) -> float | None:
    """A finite number from JSON, XML or a tag; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def utc(value: object) -> datetime | None:
    """A plausible time from ISO 8601, SNAP's "08-JUL-2020 18:26:43.2" or milliseconds."""
    text = str(value).strip()
    try:
        if re.fullmatch(r"\d{12,14}(\.0*)?", text):
            found = datetime.fromtimestamp(float(text) / 1000, UTC)
        elif re.match(r"\d\d-[A-Z]{3}-\d{4} ", text, re.IGNORECASE):
            found = datetime.strptime(text.split(".")[0], "%d-%b-%Y %H:%M:%S")
        elif len(text) >= 15:  # shorter ones are days without a time
            found = datetime.fromisoformat(text)
        else:
            return None
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if FIRST <= found.date() <= _today() else None


def day_of(digits: str) -> date | None:
    """A plausible day from eight digits: of Sentinel's time, and not to come."""
    try:
        found = date.fromisoformat(digits)
    except ValueError:
        return None
    return found if FIRST <= found <= _today() else None


def _today() -> date:
    return datetime.now(UTC).date()
