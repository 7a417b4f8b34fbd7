"""Two ways to do one thing, timed in turns in one process."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One stage of the work, done the reference's way and ours."""

    name: str
    tiles: int  # that one call works on
    reference: Callable[[], Any]
    ours: Callable[[], Any]
    compare: Callable[[Any, Any], dict[str, float]]  # results of both -> how far they agree
    multiply_adds: tuple[float, float] | None = None  # a tile: the reference's, ours


@dataclass(frozen=True)
class Taken:
    """What one call took."""

    cpu: float  # s, of all threads of this process
    wall: float  # s


@dataclass(frozen=True)
class Timing:
    """What both ways took over all rounds."""

    stage: Stage
    reference: tuple[Taken, ...]
    ours: tuple[Taken, ...]
    agreement: dict[str, float]

    def figures(self, peak: float | None = None) -> dict[str, Any]:
        """Ratios and rates; `peak` multiply-adds a second of one thread gives shares of it.

        Of several rounds the least counts: on a shared machine others only take away.
        """
        ratios = [r.cpu / o.cpu for r, o in zip(self.reference, self.ours, strict=True)]
        found: dict[str, Any] = {
            "tiles": self.stage.tiles,
            "rounds": len(self.ours),
            "cpu_ratio": _least(self.reference, "cpu") / _least(self.ours, "cpu"),
            "cpu_ratio_rounds": [min(ratios), max(ratios)],
            "wall_ratio": _least(self.reference, "wall") / _least(self.ours, "wall"),
            "agreement": self.agreement,
        }
        for i, (way, taken) in enumerate((("reference", self.reference), ("ours", self.ours))):
            cpu, wall = _least(taken, "cpu"), _least(taken, "wall")
            found[way] = {
                "cpu_ms_a_tile": 1000 * cpu / self.stage.tiles,
                "wall_ms_a_tile": 1000 * wall / self.stage.tiles,
                "tiles_a_second": self.stage.tiles / wall,
            }
            if peak and self.stage.multiply_adds:
                floor = self.stage.multiply_adds[i] * self.stage.tiles / peak
                found[way] |= {
                    "million_multiply_adds_a_tile": self.stage.multiply_adds[i] / 1e6,
                    "floor_ms_a_tile": 1000 * floor / self.stage.tiles,
                    "share_of_peak": floor / cpu,
                }
        return found


def alternate(stage: Stage, rounds: int) -> Timing:
    """Time both ways in turns, so that what else the machine does falls on both."""
    reference, ours = [], []
    for _ in range(rounds):
        theirs, taken = _timed(stage.reference)
        reference.append(taken)
        found, taken = _timed(stage.ours)
        ours.append(taken)
    return Timing(stage, tuple(reference), tuple(ours), stage.compare(theirs, found))


def _timed(work: Callable[[], Any]) -> tuple[Any, Taken]:
    cpu, wall = process_time(), perf_counter()
    result = work()
    return result, Taken(process_time() - cpu, perf_counter() - wall)


def _least(taken: tuple[Taken, ...], clock: str) -> float:
    return min(float(getattr(one, clock)) for one in taken)
