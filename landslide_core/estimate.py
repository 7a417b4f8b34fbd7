"""What a run will take, and what its inputs are worth, said before it begins: an estimate."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from landslide_core.bands import OPTICAL, POLARISATIONS, RADAR_ROLES, radar_band
from landslide_core.combinations import COMBINATIONS, GROUPS, PARTIAL
from landslide_core.devices import resolve_device
from landslide_core.drift import drift_of, placed, warning_of
from landslide_core.errors import NoMemory
from landslide_core.folder import RECORD, list_runs
from landslide_core.grid import Grid, Tiling
from landslide_core.pace import DEFAULT_MEMORY, Pace
from landslide_core.plan import RunOptions
from landslide_core.scene import Scene

LOOKED_AT: Final = 16  # tiles held against what the bundle learnt, before a run does it with all
NEWEST: Final = 5  # runs whose pace counts
JOULES: Final = 3.6e6  # in a kWh
# Where no run was made here yet: seconds of one worker for a tile, and before the first of them.
USUAL: Final = {"cpu": (0.006, 0.012, 0.06), "cuda": (0.002, 0.005, 0.03)}
START: Final = (3.0, 6.0, 15.0)
SPREAD: Final = (0.6, 1.7)  # how far from the likely time the range reaches at least
FEWER: Final = 4  # times fewer tiles, from which on a run's pace says little of a large scene's
WATTS: Final = {"cpu": 10.0, "cuda": 350.0}  # a core at work; a graphics card with its host


@dataclass(frozen=True)
class Span:
    """A figure and the range that it probably lies in."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> "Span":
        """Every end multiplied."""
        return Span(self.low * factor, self.likely * factor, self.high * factor)


@dataclass(frozen=True)
class Estimate:
    """What a run will take, and on what that rests."""

    tiles: int
    seconds: Span
    memory: int  # bytes, at most
    workers: int  # parts under way at once
    watt_hours: Span
    time_from: str  # on what the time rests, in words
    power_from: str


def estimate(
    grid: Grid, options: RunOptions, past: Sequence[Mapping[str, Any]], card: Mapping[str, Any]
) -> Estimate:
    """The estimate for a scene's grid; `past` are records of runs, `card` is the bundle's.

    Raises NoDevice, NoMemory, SceneTooSmall.
    """
    tiles = len(Tiling(grid.height, grid.width, options.stride))
    device = resolve_device(options.device).type
    memory = options.memory or DEFAULT_MEMORY
    pace = Pace.of(memory, grid.width, options.workers)
    seconds, time_from = _seconds(tiles, pace.workers, device, past)
    watts, power_from = _power(device, pace.workers, card)
    return Estimate(
        tiles=tiles,
        seconds=seconds,
        memory=least_memory(pace, memory, grid.width),
        workers=pace.workers,
        watt_hours=seconds.times(watts / 3600),
        time_from=time_from,
        power_from=power_from,
    )


def past_runs(folder: Path) -> list[dict[str, Any]]:
    """Records of the newest finished runs of a folder; those that don't read are passed over."""
    return list(islice(_records(folder), NEWEST))


def least_memory(pace: Pace, memory: int, width: int) -> int:
    """The least memory (bytes) for which the engine plans the same pace: what it will take."""
    low, high = 0, memory
    while high - low > 1_000_000:
        middle = (low + high) // 2
        try:
            same = Pace.of(middle, width, pace.workers) == pace
        except NoMemory:
            same = False
        low, high = (low, middle) if same else (middle, high)
    return high


def combination_of_bands(available: Collection[str]) -> str:
    """The input combination of a scene's bands; PARTIAL where a group is broken.

    An image from before the event tells nothing without one from after it.
    """
    needs = {"visible": {*OPTICAL} - {"nir"}, "nir": {"nir"}}
    needs |= {role: {radar_band(role, p) for p in POLARISATIONS} for role in RADAR_ROLES}
    there = {group: bands & set(available) for group, bands in needs.items()}
    for group in [group for group in needs if group.endswith("_pre")]:
        if not there[group.replace("_pre", "_post")]:
            there[group] = set()
    if not there["visible"]:
        there["nir"] = set()
    if any(bands and bands != needs[group] for group, bands in there.items()):
        return PARTIAL
    return "+".join(group for group in GROUPS if there[group])


def measured(card: Mapping[str, Any], combination: str) -> dict[str, float] | None:
    """Scores of a combination out of fold, "auc", "f1" and so on; None where none are known."""
    found = card.get("out_of_fold", {}).get("combinations", {}).get(combination)
    return (
        {key: float(found[key]) for key in ("auc", "f1", "recall", "precision")} if found else None
    )


def nearest(card: Mapping[str, Any], combination: str) -> str | None:
    """The combination with scores that uses most of these inputs and nothing else, if there is one.

    Of several the one that does worst: what more inputs add is not known, and not promised.
    """
    groups = set(combination.split("+"))
    below = [name for name in COMBINATIONS if set(name.split("+")) < groups]
    known = {name: scores["auc"] for name in below if (scores := measured(card, name))}
    return min(known, key=lambda name: (-len(name.split("+")), known[name]), default=None)


def unlike(scene: Scene, quantiles: Mapping[str, Sequence[float]]) -> str | None:
    """The warning where LOOKED_AT tiles spread over a scene are unlike what a bundle learnt."""
    tiling = Tiling(scene.grid.height, scene.grid.width)
    places = {len(tiling) * (2 * i + 1) // (2 * LOOKED_AT) for i in range(LOOKED_AT)}
    windows = [tiling.window(*divmod(place, tiling.cols)) for place in sorted(places)]
    counts = [placed(scene.read(window)[None], quantiles)[0] for window in windows]
    return warning_of(drift_of(np.sum(counts, axis=0, dtype=np.int64), quantiles))


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    for path in list_runs(folder):
        try:
            found = json.loads((path / RECORD).read_text())
            if {"seconds", "counts", "grid", "device"} <= found.keys():
                yield found
        except (OSError, ValueError, AttributeError):
            continue


def _seconds(
    tiles: int, workers: int, device: str, past: Sequence[Mapping[str, Any]]
) -> tuple[Span, str]:
    """Seconds by the clock, and what they rest on."""
    alike = [run for run in past if str(run["device"]).startswith(device)]
    works = [(_work(run), sum(run["counts"].values())) for run in alike]
    works = [(work, count) for work, count in works if count > 0 and work > 0]
    if not works:
        low, likely, high = (
            start + rate * tiles / workers for start, rate in zip(START, USUAL[device], strict=True)
        )
        words = "usual figures, as no run was made here yet: a wide range"
        return Span(low, likely, high), words
    rates = [work / count for work, count in works]
    rate = sum(work for work, _ in works) / sum(count for _, count in works)
    low, high = min(*rates, rate * SPREAD[0]), max(*rates, rate * SPREAD[1])
    words = f"the last {len(works)} runs here" if len(works) > 1 else "the one run made here"
    if max(count for _, count in works) * FEWER < tiles:
        low = min(low, USUAL[device][1])
        words += ", of fewer tiles, which take longer each"
    fixed = [float(run["seconds"].get("open", 0)) for run in alike]
    start = sum(fixed) / len(fixed)
    span = Span(*(start + one * tiles / workers for one in (low, rate, high)))
    return span, words


def _work(run: Mapping[str, Any]) -> float:
    """Seconds that all workers of a run spent on its tiles."""
    return sum(float(run["seconds"].get(stage, 0)) for stage in ("read", "filter", "ensemble"))


def _power(device: str, workers: int, card: Mapping[str, Any]) -> tuple[float, str]:
    """Watts, and where they come from."""
    energy = card.get("energy") or {}
    if device == "cpu" and energy.get("kwh") and energy.get("seconds"):
        watts = JOULES * float(energy["kwh"]) / float(energy["seconds"])
        how = "estimated" if "estimated" in str(energy.get("method")) else "measured"
        words = f"the mean while the bundle was trained ({how}, maybe on another machine)"
        return watts, f"{watts:.0f} W, {words}"
    if device == "cpu":
        return WATTS["cpu"] * workers, f"{WATTS['cpu']:.0f} W a core, assumed"
    return WATTS[device], f"{WATTS[device]:.0f} W for a graphics card and its host, assumed"
