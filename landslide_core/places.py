"""Where a raster lies: in a file, in an archive or behind an address, and how GDAL opens it."""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

Given = Path | str  # what a user names: a path, or an address

ADDRESS: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]+)://(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_IN_ARCHIVE: Final = re.compile(r"(?s)/vsizip/\{(?P<archive>.*?)\}/(?P<member>.*)")
# How GDAL reads what lies behind an address; a scheme that isn't here is refused.
_PREFIXES: Final = {"http": "/vsicurl/http://", "https": "/vsicurl/https://", "s3": "/vsis3/"}
SCHEMES: Final = tuple(_PREFIXES)


@dataclass(frozen=True)
class Place:
    """A file, a member of a zip archive, or an address; text of it is what a user is told."""

    holder: str  # path of the file or the archive, or the address
    member: str = ""  # in the archive

    @property
    def remote(self) -> bool:
        """Whether it lies behind an address."""
        return is_address(self.holder)

    @property
    def file(self) -> Path | None:
        """The file on disk that holds the pixels: an archive for its members; None if remote."""
        return None if self.remote else Path(self.holder)

    @property
    def opened(self) -> str:
        """The name by which GDAL opens it."""
        if self.member:
            return f"/vsizip/{{{self.holder}}}/{self.member}"
        address = ADDRESS.fullmatch(self.holder)
        return (
            f"{_PREFIXES[address['scheme'].lower()]}{address['rest']}" if address else self.holder
        )

    @property
    def path(self) -> PurePosixPath:
        """All folders and the name, an archive as a folder; for names alone, never to open."""
        if self.member:
            return PurePosixPath(Path(self.holder).absolute(), self.member)
        if self.remote:
            return PurePosixPath(without_query(self.holder))
        return PurePosixPath(Path(self.holder).absolute())

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return self.path.stem

    def __str__(self) -> str:
        if self.member:
            return f"{self.holder}/{self.member}"
        return without_query(self.holder)


def place_of(opened: str) -> Place:
    """The place that GDAL opens by a name; the inverse of `Place.opened`."""
    if inside := _IN_ARCHIVE.fullmatch(opened):
        return Place(inside["archive"], inside["member"])
    for scheme, prefix in _PREFIXES.items():
        if opened.startswith(prefix):
            return Place(f"{scheme}://{opened.removeprefix(prefix)}")
    return Place(opened)


def stamp(opened: str) -> int:
    """Changes when the file on disk that GDAL opens by a name does; 0 behind an address."""
    file = place_of(opened).file
    return file.stat().st_mtime_ns if file else 0


def told(error: Exception, place: Place) -> str:
    """An error's own words; those about an address are left out, as its signature is in them."""
    return type(error).__name__ if place.remote else str(error)


def is_address(given: Given) -> bool:
    """Whether what a user names is an address rather than a path."""
    return isinstance(given, str) and ADDRESS.match(given) is not None


def without_query(address: str) -> str:
    """An address without what may be a signature or a password: query, fragment, user."""
    found = ADDRESS.fullmatch(address)
    if not found:
        return address
    rest = re.split(r"[?#]", found["rest"], maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    return f"{found['scheme']}://{host.rpartition('@')[2]}{slash}{path}"
