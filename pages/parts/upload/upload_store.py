"""Where uploads lie: FOLDER/ENTRY/NAME, a file or a folder, there once every byte of it is.

What is under way begins with a dot: `.NAME.SIZE.part` for a file, `.NAME/` for a folder.
"""

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TOKEN: Final = re.compile(r"[0-9a-f]{32}")  # a session's folder: 128 bits from the system
ENTRY: Final = re.compile(r"[0-9a-f]{32}")  # one upload, numbered by the browser
PART: Final = re.compile(r"\.(?P<name>.+)\.(?P<size>\d+)\.part")
RASTERS: Final = (".tif", ".tiff", ".jp2", ".zip")
BESIDE: Final = (".xml", ".json", ".geojson", ".safe")  # metadata, read beside their rasters
HIDDEN: Final = ".hidden"  # marks an entry taken off the list while a run still refers to it
GB: Final = 1_000_000_000


class Refused(Exception):
    """A request that is not answered: HTTP status, one line, and how many bytes are there."""

    def __init__(self, status: int, text: str, there: int | None = None) -> None:
        super().__init__(text)
        self.status, self.there = status, there


@dataclass(frozen=True)
class Sending:
    """A file on its way, as a request names it."""

    home: Path  # the session's folder / entry
    parts: tuple[str, ...]  # its safe name, and before that the folders it lies in
    size: int  # bytes
    count: int  # files of the entry

    @property
    def staged(self) -> Path:
        """Where the file comes to lie, until the whole folder is there."""
        if len(self.parts) == 1:
            return self.home / self.parts[0]
        return self.home.joinpath(f".{self.parts[0]}", *self.parts[1:])

    @property
    def part(self) -> Path:
        """Where its bytes are gathered."""
        return self.staged.with_name(f".{self.parts[-1]}.{self.size}.part")

    def is_whole(self) -> bool:
        """Whether the file has its name."""
        return self.home.joinpath(*self.parts).is_file() or self.staged.is_file()

    def there(self) -> int:
        """Bytes that are there. Raises Refused where another file has the name."""
        for path in (self.home.joinpath(*self.parts), self.staged):
            if path.is_file():
                if path.stat().st_size != self.size:
                    raise Refused(
                        409, f"Another {self.parts[-1]} is there already. Remove it first."
                    )
                return self.size
        return self.part.stat().st_size if self.part.is_file() else 0

    def finish(self) -> None:
        """Give the file its name, and the folder its own once it is the last."""
        os.replace(self.part, self.staged)
        _sync(self.staged.parent)
        tree, whole = self.home / f".{self.parts[0]}", self.home / self.parts[0]
        if len(self.parts) > 1 and sum(1 for _ in _files(tree)) == self.count:
            if not whole.exists():
                os.replace(tree, whole)
            _sync(self.home)


@dataclass(frozen=True)
class Entry:
    """An upload as it lies on the disk."""

    id: str
    name: str
    size: int  # bytes wanted, as far as known
    there: int  # bytes
    path: Path | None  # None while something is missing


def safe_name(name: str) -> str:
    """A file name without folders or odd characters, at most 120 characters long."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", re.split(r"[/\\]", name)[-1]).lstrip(".")
    return stem[-120:] or "file"


def entries(folder: Path) -> list[Entry]:
    """Uploads of a session, by name and age."""
    found = []
    for home in _homes(folder):
        if (home / HIDDEN).exists():
            continue
        for path in sorted(home.iterdir()):
            wanted = list(_wanted(path))
            name = path.name
            if part := PART.fullmatch(name):
                name = part["name"]
            whole = None if path.name.startswith(".") else path
            size, there = (
                (sum(column) for column in zip(*wanted, strict=True)) if wanted else (0, 0)
            )
            found.append(
                (home.stat().st_ctime, Entry(home.name, name.lstrip("."), size, there, whole))
            )
    return [entry for _, entry in sorted(found, key=lambda pair: (pair[1].name, pair[0]))]


def rasters(entry: Entry) -> dict[str, Path]:
    """What of an entry can be given a role, by its path in it; a SAFE product is one."""
    if entry.path is None:
        return {}
    if entry.path.is_file() or _is_safe(entry.path.name):
        return {entry.path.name: entry.path}
    found = []
    for top, folders, files in os.walk(entry.path):
        found += [Path(top, name) for name in folders if _is_safe(name)]
        folders[:] = [name for name in folders if not _is_safe(name)]
        found += [Path(top, name) for name in files if name.lower().endswith(RASTERS)]
    return {str(path.relative_to(entry.path.parent)): path for path in sorted(found)}


def remove(folder: Path, entry: str, used: bool) -> None:
    """Take an upload off the list; from the disk too where no run uses it."""
    home = folder / entry
    if used and home.is_dir():
        (home / HIDDEN).touch()
    else:
        shutil.rmtree(home, ignore_errors=True)


def held(folder: Path) -> tuple[int, int]:
    """Bytes that a session's uploads have or will have, and how many files they are."""
    sizes = [
        size for home in _homes(folder) for path in home.iterdir() for size, _ in _wanted(path)
    ]
    return sum(sizes), len(sizes)


def room(folder: Path) -> int:
    """Bytes that may still be written: 1 GB of the disk, or 5 % of a small one, stay free."""
    disk = shutil.disk_usage(folder)
    return disk.free - min(GB, disk.total // 20)


def _homes(folder: Path) -> list[Path]:
    """The entries' folders; what other parts keep in the session's folder is not theirs."""
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if ENTRY.fullmatch(path.name) and path.is_dir()]


def _wanted(path: Path) -> Iterator[tuple[int, int]]:
    """Bytes wanted and there, for each file at or below a path."""
    for file in [path] if path.is_file() else _files(path, parts=True):
        there = file.stat().st_size
        part = PART.fullmatch(file.name)
        yield int(part["size"]) if part else there, there


def _files(tree: Path, parts: bool = False) -> Iterator[Path]:
    for top, _, files in os.walk(tree):
        yield from (Path(top, name) for name in files if parts or not name.startswith("."))


def _is_safe(name: str) -> bool:
    return name.upper().endswith(".SAFE")


def _sync(folder: Path) -> None:
    """Have a folder's new names on the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
