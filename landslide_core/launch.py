"""Starting a worker that outlives whoever starts it."""

import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Final

from landslide_core.devices import resolve_device
from landslide_core.errors import CannotWrite
from landslide_core.jobs import place_of
from landslide_core.lock import is_held

IDLE: Final = 300.0  # s without a job after which a worker in the background ends
_REST: Final = 10.0  # s before a worker that failed to start is started again

_started: Final[dict[Path, tuple[subprocess.Popen[bytes], float]]] = {}


def command(folder: Path, device: str, idle: float | None) -> list[str]:
    """The command of a worker."""
    words = [sys.executable, "-m", "landslide_core", "jobs", "work"]
    words += ["--queue", str(folder.absolute()), "--device", device]
    return words if idle is None else [*words, "--idle", str(idle)]


def start_worker(
    folder: Path, device: str = "auto", idle: float = IDLE
) -> subprocess.Popen[bytes] | None:
    """Start a worker that outlives this process; None where the device has one.

    Raises NoDevice, CannotWrite.
    """
    device = resolve_device(device).type
    folder = folder.absolute()
    place = place_of(folder, device)
    if is_held(place) or _just_started(place):
        return None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "worker.log").open("ab") as log:
            process = subprocess.Popen(
                command(folder, device, idle),
                cwd=Path(__file__).parents[1],  # where the package is found, installed or not
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise CannotWrite(
            f"No worker can be started for {folder} ({error.strerror}). Choose another folder, or "
            "free some space."
        ) from error
    _started[place] = process, monotonic()
    return process


def _just_started(place: Path) -> bool:
    """Whether a worker that this process started is on its way, or failed a moment ago."""
    if place not in _started:
        return False
    process, then = _started[place]
    ended = process.poll()
    return ended is None or (ended != 0 and monotonic() - then < _REST)
