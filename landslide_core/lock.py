"""One writer a run: a lock that the kernel lets go of with its process, and who holds it."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from landslide_core.errors import RunBusy

_LOCK: Final = "lock"
_OWNER: Final = "owner.json"
_BEAT: Final = 5.0  # s between two signs of life


@contextmanager
def held(folder: Path, run: str) -> Iterator[None]:
    """Hold a run for writing; its owner's sign of life is renewed meanwhile. Raises RunBusy."""
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        found = owner(folder)
        who = f"process {found['pid']} on {found['host']}" if found else "another process"
        raise RunBusy(
            f"{run} is being written by {who}; a run has one writer. Wait for it, or stop it."
        ) from error
    began = _now()
    _sign(folder, began)
    stop = threading.Event()
    beat = threading.Thread(target=_live, args=(folder, began, stop), daemon=True)
    try:
        beat.start()
        yield
    finally:
        stop.set()
        beat.join()
        (folder / _OWNER).unlink(missing_ok=True)
        lock.release()


def _live(folder: Path, began: str, stop: threading.Event) -> None:
    while not stop.wait(_BEAT):
        _sign(folder, began)


def _sign(folder: Path, began: str) -> None:
    said = {"pid": os.getpid(), "host": socket.gethostname(), "began": began, "alive": _now()}
    try:
        beside = folder / f".{_OWNER}"
        beside.write_text(json.dumps(said))
        beside.replace(folder / _OWNER)
    except OSError:
        pass  # a full disk shows elsewhere; the kernel's lock holds without this note


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def owner(folder: Path) -> dict[str, Any] | None:
    """Who last held a run for writing: pid, host, since when, last sign of life."""
    try:
        found: dict[str, Any] = json.loads((folder / _OWNER).read_text())
        return found if {"pid", "host", "began", "alive"} <= set(found) else None
    except (OSError, ValueError, TypeError):
        return None


def is_held(folder: Path) -> bool:
    """Whether a living process holds the run."""
    if not (folder / _LOCK).is_file():
        return False
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False
