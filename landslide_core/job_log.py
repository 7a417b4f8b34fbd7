"""What a job's worker tells, for people to read, and how fast it comes along."""

import traceback
from collections import deque
from datetime import datetime
from pathlib import Path
from time import monotonic
from typing import Final

from landslide_core.errors import RunDamaged
from landslide_core.plan import read_plan

_STAGES: Final = {
    "checksums": "Hashing the files",
    "detect": "Judging tiles",
    "write": "Writing the results",
}
_WINDOW: Final = 10.0  # s over which a rate is taken


class JobLog:
    """One file a job, a line with its time for everything that happens."""

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def tell(self, line: str) -> None:
        """Add a line."""
        now = datetime.now().astimezone().isoformat(" ", "seconds")
        try:
            with self.path.open("a") as file:
                file.write(f"{now}  {line}\n")
        except OSError:
            pass  # a full disk must not end a run for the sake of its log

    def trace(self, error: Exception) -> None:
        """Add where an error that nobody expected came from."""
        self.tell("".join(traceback.format_exception(error)).rstrip())


class Tally:
    """Stage, tiles and rate of a run under way; written by one thread, read by another."""

    def __init__(self, log: JobLog, out: Path) -> None:
        self._log: Final = log
        self._out: Final = out
        self._began: Final = monotonic()
        self._seen: deque[tuple[float, int]] = deque()
        self.now = ("", 0, 0)
        self.rate = 0.0  # of the stage's tiles a second, over the last ten seconds or so

    @property
    def elapsed(self) -> str:
        """Time since the job was taken, in words."""
        return in_words(monotonic() - self._began)

    def tell(self, stage: str, done: int, total: int) -> None:
        """Take note of progress; a new stage is worth a line."""
        if stage != self.now[0]:
            self._seen.clear()
            self.rate = 0.0
            self._log.tell(f"{_STAGES.get(stage, stage)}: {done:,} of {total:,}")
            if stage == "detect":
                self._tell_plan()
        self.now = stage, done, total
        self._pace(monotonic(), done)

    def tell_rate(self) -> None:
        """A line on how far it is, where tiles are judged."""
        stage, done, total = self.now
        if stage != "detect":
            return
        line = f"{done:,} of {total:,} tiles"
        if self.rate > 0:
            line += f", {self.rate:.1f} a second, {in_words((total - done) / self.rate)} left"
        self._log.tell(line)

    def _pace(self, now: float, done: int) -> None:
        """Tiles often come in bursts, so the window reaches back to the last but one at least."""
        if self._seen and self._seen[-1][1] == done:
            return
        self._seen.append((now, done))
        while len(self._seen) > 2 and now - self._seen[1][0] > _WINDOW:
            self._seen.popleft()
        (then, before), spent = self._seen[0], now - self._seen[0][0]
        self.rate = (done - before) / spent if spent > 0 and then < now else 0.0

    def _tell_plan(self) -> None:
        """What was decided on reading the files."""
        try:
            plan = read_plan(self._out)
        except RunDamaged:
            return
        grid = plan["grid"]
        self._log.tell(f"Scene of {grid['width']}×{grid['height']} pixels, {grid['crs']}")
        for made in plan["decisions"]:
            what = f"{made['role']}, {made['subject']}: {made['found']}"
            self._log.tell(f"Decision on {what} → {made['decided']}")
        for warning in plan["warnings"]:
            self._log.tell(f"Warning: {warning}")


def in_words(seconds: float) -> str:
    """A time span: "under a second", "45 s", "3 min", "2 h 5 min"."""
    if seconds < 1:
        return "under a second"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
