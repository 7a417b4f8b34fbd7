"""`landslide predict` as a process of its own, on scenes of growing size."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from time import perf_counter, sleep
from typing import Any, Final

import numpy as np

from landslide_core.bands import RADAR_ROLES
from landslide_core.errors import RunError
from landslide_core.readers.given import SceneInputs

SIZES: Final = (1000, 2000, 4000, 10_980)
FITTED_FROM: Final = 2000  # pixels a side; in smaller scenes, starting up weighs too much
_PAUSE: Final = 0.2  # s between looks at the processes' memory


class RunFailed(RunError):
    """The program that was to be measured ended with an error."""


@dataclass(frozen=True)
class Usage:
    """What a process and its children took."""

    wall: float  # s
    cpu: float  # s, of all of them
    peak_tree: float  # bytes resident at once in all of them
    peak_process: float  # bytes resident in the largest of them


def predict(inputs: SceneInputs, extra: Sequence[str] = ()) -> tuple[Usage, dict[str, Any]]:
    """Run `landslide predict` on a scene; what it took, and its run.json. Raises RunFailed."""
    command = [sys.executable, "-m", "landslide_core", "predict", *extra]
    for path in inputs.s2:
        command += ["--s2", str(path)]
    for role in RADAR_ROLES:
        for path in inputs.given(role):
            command += [f"--s1-{role.replace('_', '-')}", str(path)]
    with TemporaryDirectory(prefix="bench-", dir=Path(inputs.s2[0]).parent) as folder:
        out = Path(folder) / "run"
        usage = measure([*command, "--out", str(out)])
        return usage, json.loads((out / "run.json").read_text())


def measure(command: Sequence[str]) -> Usage:
    """Run a command to its end and account for it and its children. Raises RunFailed.

    Memory is looked at every 0.2 s. The kernel's own peak of each process fills what lies between;
    not that of `wait4`, which starts from the size of the process that forked.
    """
    peak = largest = 0.0
    with TemporaryFile() as said:
        started = perf_counter()
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        while True:
            pid, status, used = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            family = [memory(process) for process in descendants(child.pid)]
            peak = max(peak, sum(now for now, _ in family))
            largest = max(largest, *(most for _, most in family))
            sleep(_PAUSE)
        wall = perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines() or ["no output"]
            raise RunFailed(
                f"{' '.join(command[:4])} … ended with {child.returncode} ({lines[-1]}); 0 is "
                "needed. Run it by hand."
            )
    return Usage(wall, used.ru_utime + used.ru_stime, max(peak, largest), largest)


def descendants(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it ended meanwhile
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def memory(pid: int) -> tuple[float, float]:
    """Bytes resident in a process, now and at most so far; shared pages count in each."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it ended meanwhile
        return 0.0, 0.0
    kilobytes = {line.partition(":")[0]: line.split()[1] for line in lines if line[:2] == "Vm"}
    now, most = (1024.0 * float(kilobytes.get(key, 0)) for key in ("VmRSS", "VmHWM"))
    return now, most


def growth(tiles: Sequence[float], seconds: Sequence[float]) -> float:
    """Exponent e of seconds ∝ tiles^e, by least squares in logarithms."""
    exponent, _ = np.polyfit(np.log(tiles), np.log(seconds), 1)
    return float(exponent)


def figures_of(size: int, usage: Usage, meta: dict[str, Any]) -> dict[str, Any]:
    """One row of the table: a scene's size, and what its run took."""
    counts = meta["counts"]
    tiles = sum(counts.values())
    return {
        "size": size,
        "tiles": tiles,
        "kept_share": 1 - (counts["filtered_out"] + counts["no_data"]) / tiles,
        "wall_s": usage.wall,
        "cpu_s": usage.cpu,
        "tiles_a_second": tiles / usage.wall,
        "peak_tree_bytes": usage.peak_tree,
        "peak_process_bytes": usage.peak_process,
        "stage_seconds": meta.get("seconds"),
        "device": meta.get("device"),
    }


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All rows, and the growth of time with tiles from 2,000² on."""
    fitted = [row for row in rows if row["size"] >= FITTED_FROM]
    found: dict[str, Any] = {"rows": list(rows)}
    if len(fitted) > 1:
        tiles = [row["tiles"] for row in fitted]
        found["fitted_sizes"] = [row["size"] for row in fitted]
        found["wall_exponent"] = growth(tiles, [row["wall_s"] for row in fitted])
        found["cpu_exponent"] = growth(tiles, [row["cpu_s"] for row in fitted])
    return found
