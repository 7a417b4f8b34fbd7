"""What reviewers said of a run, event by event: a file that only grows and outlives any crash."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any, Final, Literal

from filelock import FileLock, Timeout
from shapely.geometry import shape

from landslide_core.errors import CannotWrite, NoSpace, RunBusy, RunDamaged

Action = Literal["accept", "reject", "relabel", "outline", "comment", "undo"]
LABELLING: Final = ("accept", "reject", "relabel")
LABELS: Final = ("landslide", "stable", "unsure")
JOURNAL: Final = "review.jsonl"
FORMAT: Final = 1
_LOCK: Final = ".review.lock"
_PATIENCE: Final = 10.0  # s to wait for another writer; one event takes milliseconds
_POLL: Final = 0.01  # s


@dataclass(frozen=True)
class Event:
    """One thing a reviewer did; never changed afterwards."""

    id: str
    time: str  # UTC, ISO 8601
    run: str  # identity of the run it is about
    tile: int
    reviewer: str
    action: Action
    value: Any = None  # a label; a GeoJSON geometry or None; of an undo, the event it revokes
    comment: str = ""
    format: int = FORMAT

    @staticmethod
    def now(
        run: str, tile: int, reviewer: str, action: Action, value: Any = None, comment: str = ""
    ) -> "Event":
        """An event of this moment."""
        return Event(uuid.uuid4().hex, _now(), run, tile, reviewer, action, value, comment)

    def line(self) -> bytes:
        """The event as a line of the journal."""
        text = json.dumps(asdict(self), ensure_ascii=False, allow_nan=False)
        return text.encode() + b"\n"


class Journal:
    """A run's review.jsonl, one event a line: read as far as it goes, appended to by many."""

    def __init__(self, folder: Path, run: str, tiles: int) -> None:
        self.path: Final = folder / JOURNAL
        self.run: Final = run  # identity
        self.tiles: Final = tiles
        self.torn = 0  # bytes of a last line that a crash cut short
        self._events: list[Event] = []
        self._size = 0  # bytes of whole lines
        self._inode = 0

    @property
    def events(self) -> tuple[Event, ...]:
        """The events read so far, oldest first."""
        return tuple(self._events)

    def refresh(self) -> None:
        """Read what was appended since. Raises RunDamaged where a whole line is no event of it."""
        try:
            with self.path.open("rb") as file:
                found = os.fstat(file.fileno())
                if found.st_ino != self._inode or found.st_size < self._size:
                    self._forget()  # another file than before
                self._inode = found.st_ino
                file.seek(self._size)
                fresh = file.read()
        except FileNotFoundError:
            self._forget()
            return
        except OSError as error:
            raise RunDamaged(
                f"{self.path} cannot be read ({error.strerror}); the run's review is kept there. "
                "Put it right, or move it away to review anew."
            ) from error
        whole, end, tail = fresh.rpartition(b"\n")
        if end:
            start = len(self._events) + 1
            lines = whole.split(b"\n")
            self._events += [self._event(line, start + i) for i, line in enumerate(lines)]
        self._size += len(whole) + len(end)
        self.torn = len(tail)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer, with all events read. Raises RunBusy, CannotWrite, RunDamaged."""
        if not self.path.parent.is_dir():  # the lock would make it anew
            raise RunDamaged(f"{self.path.parent} is not there any more. Choose another run.")
        lock = FileLock(self.path.parent / _LOCK)
        try:
            lock.acquire(timeout=_PATIENCE, poll_interval=_POLL)
        except Timeout as error:
            raise RunBusy(
                f"{self.path} has been held by another process for {_PATIENCE:g} s; nothing was "
                "kept. Try again."
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            self.refresh()
            yield
        finally:
            lock.release()

    def append(self, event: Event) -> Event:
        """Keep an event, on disk when this returns; to be called inside `writing`.

        Its time becomes that of this moment, never before the last event's: what waited for its
        turn was said earlier than it counts. Raises NoSpace or CannotWrite; the journal is then
        as it was.
        """
        event = replace(event, time=max([_now(), *(last.time for last in self._events[-1:])]))
        line = event.line()
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            if self.torn:  # what a crash cut short: nobody was told that it was kept
                os.ftruncate(file, self._size)
            _write(file, line)
            os.fsync(file)
            if not self._size:
                _keep_name(self.path.parent)
            self._inode = os.fstat(file).st_ino
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(file, self._size)
            raise self._unwritable(error) from error
        finally:
            os.close(file)
        self._events.append(event)
        self._size += len(line)
        self.torn = 0
        return event

    def _forget(self) -> None:
        self.torn, self._size, self._inode, self._events = 0, 0, 0, []

    def _event(self, line: bytes, number: int) -> Event:
        try:
            said = json.loads(line)
            if said["format"] != FORMAT:
                raise ValueError(f"format {said['format']}, not {FORMAT}")
            event = Event(**said)
            if not 0 <= event.tile < self.tiles or not _sound(event):
                raise ValueError(f"{event.action} of tile {event.tile}: {event.value!r:.60}")
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise RunDamaged(
                f"{self.path}: line {number} is no review event of this version ({error}). Put "
                "back a whole copy of the file, or remove that line."
            ) from error
        if event.run != self.run:
            raise RunDamaged(
                f"{self.path}: line {number} is about another run; a review belongs to the run it "
                "was made on. Move the file back to that run."
            )
        return event

    def _unwritable(self, error: OSError) -> NoSpace | CannotWrite:
        if error.errno in (ENOSPC, EDQUOT):
            return NoSpace(f"{self.path}: the disk is full; nothing was kept. Free some space.")
        return CannotWrite(
            f"{self.path} cannot be written ({error.strerror}); nothing was kept. Copy the run "
            "folder to a place that can be written."
        )


def _now() -> str:
    """This moment; of two, the later is the greater text."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _sound(event: Event) -> bool:
    """Whether an event's value is one that its action takes. Raises what shapely does."""
    if event.action in LABELLING:
        return event.value in LABELS
    if event.action == "undo":
        return isinstance(event.value, str)
    if event.action == "outline":
        return event.value is None or bool(shape(event.value).is_valid)
    return event.action == "comment"


def _write(file: int, line: bytes) -> None:
    """Write all of a line; the kernel may take it in pieces."""
    while line:
        line = line[os.write(file, line) :]


def _keep_name(folder: Path) -> None:
    """Make a new file's name in a folder outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
