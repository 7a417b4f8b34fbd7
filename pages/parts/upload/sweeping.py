"""Uploads that nobody needs any more: old ones that no run and no job refers to."""

import os
import re
import shutil
import time
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

from landslide_core.errors import QueueDamaged
from landslide_core.folder import RECORD
from landslide_core.plan import PLAN
from pages.parts import state
from pages.parts.run import jobs

_SESSION: Final = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}")  # other folders there are not ours
_DAY: Final = 86_400.0  # s


def sweep() -> None:
    """Remove uploads older than LANDSLIDE_KEEP_UPLOADS_DAYS, else 7, that no run refers to."""
    oldest = time.time() - _DAY * float(os.environ.get("LANDSLIDE_KEEP_UPLOADS_DAYS", 7))
    uploads = state.runs_folder() / ".uploads"
    sessions = [p for p in uploads.glob("*") if _SESSION.fullmatch(p.name) and p.is_dir()]
    old = [path for session in sessions for path in _below(session) if _newest(path) < oldest]
    told = _told() if old else ""
    if told is None:
        return  # who cannot be asked may refer to any of them
    for path in old:
        if _mark(path) not in told:
            shutil.rmtree(path, ignore_errors=True)
    for session in sessions:
        with suppress(OSError):  # not empty, or another page has swept too
            if session.stat().st_mtime < oldest:
                session.rmdir()


def is_used(entry: Path) -> bool:
    """Whether a run or a job refers to an upload; so too where that cannot be told."""
    told = _told()
    return told is None or _mark(entry) in told


def _mark(entry: Path) -> str:
    """What a record that refers to a file of the upload holds."""
    return f"{entry.parent.name}/{entry.name}/"


def _told() -> str | None:
    """What runs, begun ones too, and jobs say of their inputs; None where one does not read."""
    folder = state.runs_folder()
    try:
        said = [path.read_text() for name in (RECORD, PLAN) for path in folder.glob(f"*/{name}")]
        if (folder / ".jobs").is_dir():
            said += [str(job.inputs.record()) for job in jobs.queue_of(folder).jobs()]
    except (OSError, QueueDamaged):
        return None
    return "\n".join(said)


def _below(session: Path) -> list[Path]:
    try:
        return list(session.iterdir())
    except OSError:  # its page has gone on with another folder
        return []


def _newest(path: Path) -> float:
    """When something at or below a path last changed, s since 1970; never, where it went."""
    try:
        found = [path, *path.rglob("*")] if path.is_dir() else [path]
        return max(p.lstat().st_mtime for p in found)
    except OSError:
        return inf
