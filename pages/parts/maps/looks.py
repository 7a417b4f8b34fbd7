"""Looks at scenes: which there are, and making those that are missing in processes of their own."""

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Lock
from time import time
from typing import Final

from landslide_core.looks import being_made, command, lock_of, look_key, to_stdin
from landslide_core.readers.given import SceneInputs
from pages.parts import state

KEY: Final = re.compile(r"[0-9a-f]{64}")
MOST: Final = 20  # looks kept
AT_ONCE: Final = 2  # processes
_BORN: Final = 60.0  # s in which a process must have said something, or taken its lock
_SHARE: Final = re.compile(r"(\d{1,3}) %")
_PREFIX: Final = "landslide: "

_making: Final[dict[Path, subprocess.Popen[bytes]]] = {}
_lock: Final = Lock()


@dataclass(frozen=True)
class Ready:
    """A look that can be shown."""

    key: str
    path: Path


@dataclass(frozen=True)
class Making:
    """A look under way."""

    share: float  # 0..1


@dataclass(frozen=True)
class Failed:
    """A look that could not be made."""

    line: str


State = Ready | Making | Failed


def folder() -> Path:
    """Where looks are kept, out of the way of runs."""
    return state.runs_folder() / ".looks"


def path_of(key: str) -> Path | None:
    """The look of a key, if it is one and is there."""
    path = folder() / f"{key}.tif"
    return path if KEY.fullmatch(key) and path.is_file() else None


def state_of(inputs: SceneInputs) -> State:
    """How a scene's look stands; where there is none, it is begun. Never waits for it."""
    key = look_key(inputs)
    path = folder() / f"{key}.tif"
    try:
        with _lock:
            return _found(key, path) or _begin(inputs, path)
    except OSError as error:
        return Failed(
            f"The map's picture cannot be made in {path.parent} ({error.strerror}). Free some "
            "space there, or make it writable."
        )


def again(inputs: SceneInputs) -> State:
    """Forget that a look failed, and begin anew."""
    _log_of(folder() / f"{look_key(inputs)}.tif").unlink(missing_ok=True)
    return state_of(inputs)


def _found(key: str, path: Path) -> State | None:
    """How a look stands; None where nobody has begun it."""
    process = _making.get(path)
    if (process and process.poll() is None) or being_made(path):
        return Making(_share(path))
    _making.pop(path, None)
    if path.is_file():
        with suppress(OSError):  # it can be shown where nothing can be written, too
            os.utime(path)  # the oldest to be looked at goes first
        return Ready(key, path)
    log = _log_of(path)
    if not log.is_file():
        return None
    said = _lines(log)
    if not said and process is None and time() - log.stat().st_mtime < _BORN:
        return Making(0.0)  # another server has just begun it
    return Failed(_last_words(said))


def _begin(inputs: SceneInputs, path: Path) -> State:
    """Start the process that makes a look, unless enough are at work."""
    if sum(one.poll() is None for one in _making.values()) >= AT_ONCE:
        return Making(0.0)
    path.parent.mkdir(parents=True, exist_ok=True)
    tidy()
    # A file without a name: a pipe that is full would have to be waited for.
    with TemporaryFile(dir=path.parent) as scene:
        scene.write(to_stdin(inputs))
        scene.seek(0)
        with _log_of(path).open("wb") as log:
            _making[path] = subprocess.Popen(
                command(path),
                cwd=state.ROOT,
                stdin=scene,
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )
    return Making(0.0)


def tidy() -> None:
    """Remove what processes that died left behind, and the looks not seen for longest."""
    kept, room = 0, float(os.environ.get("LANDSLIDE_LOOKS_GB", "20")) * 1e9
    at_work = any(being_made(path.with_suffix(".tif")) for path in folder().glob("*.lock"))
    for left in folder().glob(".*"):
        if not at_work:
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    for path in sorted(folder().glob("*.tif"), key=lambda p: p.stat().st_mtime, reverse=True):
        kept, room = kept + 1, room - path.stat().st_size
        if kept >= MOST or room < 0:  # one more is about to be made
            for file in (path, lock_of(path), _log_of(path)):
                file.unlink(missing_ok=True)


def _log_of(path: Path) -> Path:
    return path.with_suffix(".log")


def _lines(log: Path) -> list[str]:
    try:
        return [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return []


def _share(path: Path) -> float:
    told = [found for line in _lines(_log_of(path)) if (found := _SHARE.fullmatch(line.strip()))]
    return min(1.0, int(told[-1][1]) / 100) if told else 0.0


def _last_words(said: list[str]) -> str:
    """The last line of a process that died, or that it said nothing."""
    last = said[-1].strip().removeprefix(_PREFIX) if said else ""
    if not last or _SHARE.fullmatch(last):
        return "Making the map's picture was stopped, maybe for want of memory. Try again."
    return last
