"""The queue's SQLite file: made when first needed, one short transaction at a time."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from errno import ENOSPC
from pathlib import Path
from typing import Final

from filelock import FileLock

from landslide_core.errors import CannotWrite, NoSpace, QueueDamaged, RunError

_VERSION: Final = 1
_TIMEOUT: Final = 10.0  # s to wait for another process's transaction
_BYTES_FULL: Final = 100_000  # free, under which a failure is put down to a full disk
_TABLE: Final = """
CREATE TABLE jobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  out TEXT NOT NULL UNIQUE,
  inputs TEXT NOT NULL,
  options TEXT NOT NULL,
  device TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued'
    CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
  cancelling INTEGER NOT NULL DEFAULT 0,
  begun INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  stage TEXT NOT NULL DEFAULT '',
  done INTEGER NOT NULL DEFAULT 0,
  total INTEGER NOT NULL DEFAULT 0,
  rate REAL NOT NULL DEFAULT 0,
  created REAL NOT NULL,
  started REAL,
  finished REAL,
  heartbeat REAL,
  host TEXT,
  pid INTEGER,
  worker TEXT,
  error TEXT
)"""


class QueueFile:
    """Where the jobs of a folder are kept."""

    def __init__(self, folder: Path) -> None:
        self.path: Final = folder / "queue.sqlite"

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and nobody else writes meanwhile.

        Raises QueueDamaged, NoSpace or CannotWrite.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(self.path, timeout=_TIMEOUT, isolation_level=None)
            with closing(opened) as db:
                db.row_factory = sqlite3.Row
                self._prepare(db)
                # After a power cut the last changes may be gone, never half of one; a job whose
                # end is forgotten is taken up again and found whole.
                db.execute("PRAGMA synchronous = NORMAL")
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise self._told(error) from error

    def damaged(self, what: str) -> QueueDamaged:
        """The error of a file that cannot be read."""
        return QueueDamaged(
            f"{self.path} is no queue that can be read ({what}). Move it away for a new one to "
            "be made; runs that were begun go on with `landslide resume`."
        )

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Make the table where the file is new. Raises QueueDamaged for another version's."""
        if _version(db) == 0:
            with FileLock(self.path.with_suffix(".new")):  # one at a time changes the mode
                if _version(db) == 0:
                    self.path.chmod(0o600)  # addresses of inputs may hold signatures
                    db.execute("PRAGMA journal_mode = WAL")
                    db.executescript(
                        f"BEGIN IMMEDIATE; {_TABLE}; PRAGMA user_version = {_VERSION}; COMMIT"
                    )
        if (found := _version(db)) != _VERSION:
            raise self.damaged(f"it is of version {found}, not {_VERSION}")

    def _told(self, error: sqlite3.Error | OSError) -> RunError:
        """The one line for what a database or a disk says."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
            return self.damaged(str(error))
        if code == sqlite3.SQLITE_FULL or getattr(error, "errno", None) == ENOSPC or self._full():
            return NoSpace(
                f"The disk of {self.path.parent} is full; the queue needs some kB there. Free "
                "some space."
            )
        return CannotWrite(
            f"{self.path} cannot be written ({error}). Choose another folder for the queue, or "
            "give this user the right to write there."
        )

    def _full(self) -> bool:
        """Whether the disk is full: SQLite says "disk I/O error" where a side file can't grow."""
        parent = self.path.parent
        return parent.is_dir() and shutil.disk_usage(parent).free < _BYTES_FULL


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
