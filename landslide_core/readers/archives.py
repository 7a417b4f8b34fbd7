"""Zip archives: the files in them that are safe to read, from the list of members alone."""

import io
import os
import re
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from landslide_core.errors import UnreadableRaster
from landslide_core.opening import SUFFIXES

MEMBERS: Final = 10_000  # a product of many granules has 3,000
DIRECTORY: Final = 8 * 2**20  # bytes of the list of members: 800 for each
# Deflate writes 258 bytes with two bits at best: whoever claims more is lying.
DEFLATE: Final = 1032
# An empty band, written without compression, comes near that when it is zipped; it is far smaller
# than a whole product, so only what is large and empty is refused.
RATIO: Final = 1000
LARGE: Final = 512 * 2**20  # bytes
UNPACKED: Final = 64 * 2**30  # bytes of all members; the largest products have 10 GB
TEXT: Final = 32 * 2**20  # bytes; the largest metadata of a product has 13 MB

_PACKED: Final = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")
# Line breaks, other control characters, and those that turn the direction of writing.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_ENDING: Final = 2**17  # bytes; an archive's last record and its comment have half of it at most
_HEADER: Final = 30  # bytes before a member's name and content, at least
_MARK: Final = b"PK\x01\x02"  # before each member in the list
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000  # flag bits: encrypted, strongly, the directory too
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, struct.error),
    *(OSError, EOFError, ValueError, NotImplementedError),
)


def is_archive(path: Path) -> bool:
    """Whether a file is a zip archive, by its suffix or its first bytes; it may be damaged."""
    if not os.path.isfile(path):  # never raises, also where nothing may be looked at
        return False
    if path.suffix.lower() in (".zip", *SUFFIXES):
        return path.suffix.lower() == ".zip"
    try:
        with path.open("rb") as file:
            return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")
    except OSError:
        return False


def members(archive: Path) -> tuple[str, ...]:
    """Names of the files in a zip that may be read, in its order; nothing is unpacked.

    Left out: folders, symbolic links, virtual rasters, and what macOS adds. Raises
    UnreadableRaster for an archive that is damaged, or that isn't safe to read.
    """
    with _opened(archive) as file:
        return tuple(info.filename for info in _checked(archive, file))


def read_text(archive: Path, member: str, limit: int = TEXT) -> str:
    """Text of a member, at most `limit` bytes, counted as they are unpacked.

    Raises UnreadableRaster.
    """
    with _opened(archive) as file:
        for info in _checked(archive, file):
            if info.filename == member:
                with file.open(info) as stream:
                    found = stream.read(limit + 1)
                if len(found) > limit:
                    raise UnreadableRaster(
                        f"{archive}: {_short(member)} unpacks to more than {size_in_words(limit)}; "
                        "metadata of ordinary size is needed. Download the product again."
                    )
                return found.decode(errors="replace")
    raise UnreadableRaster(
        f"{archive} holds no {_short(member)} that may be read; a complete product is needed. "
        "Download it again."
    )


def packed(archive: Path, member: str) -> int:
    """Bytes that a member takes in its zip. Raises UnreadableRaster."""
    with _opened(archive) as file:
        return next((i.compress_size for i in file.infolist() if i.filename == member), 0)


def size_in_words(count: int) -> str:
    """Bytes in words."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} B"


class _Cautious(io.FileIO):
    """A file for the zip module, which believes what an archive says of its list of members."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Bytes as ever. Raises UnreadableRaster for a list longer than it may be."""
        if size is None or size < 0:
            return super().read(_ENDING)  # the whole rest is asked for at the file's end alone
        found = b"" if size > DIRECTORY else super().read(size) or b""
        # Counted before a member is made of each; a name that holds the mark counts too.
        if size > DIRECTORY or found.count(_MARK) > MEMBERS:
            raise UnreadableRaster(
                f"{self.name} lists more than {MEMBERS:,} files, or claims to; one product is "
                "needed. Unpack it, and give the product's folder."
            )
        return found


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """A zip with its list of members read, and nothing else. Raises UnreadableRaster."""
    try:
        with _Cautious(archive) as raw, zipfile.ZipFile(raw) as file:
            yield file
    except _BROKEN as error:
        found = "is not there" if not archive.exists() else "is no complete zip archive"
        raise UnreadableRaster(
            f"{archive} {found} ({_short(str(error)) or type(error).__name__}); a zip of a product "
            "or of its rasters is needed. Download or copy it again."
        ) from error


def _checked(archive: Path, file: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members that may be read. Raises UnreadableRaster where any is unsafe."""
    infos = file.infolist()
    for info in infos:
        if wrong := _wrong_name(info.orig_filename) or _wrong_content(info):
            raise UnreadableRaster(
                f"{archive}: {_short(info.orig_filename)} {wrong}. Pack the product anew."
            )
    twice = [name for name, times in Counter(info.filename for info in infos).items() if times > 1]
    if twice:
        raise UnreadableRaster(
            f"{archive} holds {_short(twice[0])} more than once; each name once is needed. Pack "
            "the product anew."
        )
    _refuse_overlap(archive, infos, file.start_dir)
    unpacked = sum(info.file_size for info in infos)
    if unpacked > UNPACKED:
        raise UnreadableRaster(
            f"{archive} claims to unpack to {size_in_words(unpacked)}; at most "
            f"{size_in_words(UNPACKED)} is needed. Give each product in an archive of its own."
        )
    files = [info for info in infos if _may_be_read(info)]
    suffixes = {_suffix(info.filename) for info in files}
    if suffixes & set(_PACKED) and not suffixes & set(SUFFIXES):
        raise UnreadableRaster(
            f"{archive} is nested: it holds archives instead of rasters, which are needed. Unpack "
            "it, and give what is in it."
        )
    return files


def _wrong_name(name: str) -> str:
    """What is unsafe about a name, and what is needed; "" for a safe one."""
    needed = "; a plain relative name is needed"
    parts = name.removesuffix("/").split("/")
    if _CONTROL.search(name):
        return f"has control characters in its name{needed}"
    if "\\" in name or _DRIVE.match(name):
        return f"has a backslash or a drive in its name{needed}"
    if name.startswith("/"):
        return f"is an absolute name{needed}"
    if ".." in parts:
        return f"leads out of the archive{needed}"
    if "" in parts or "." in parts:
        return f"has an empty part in its name{needed}"
    return ""


def _wrong_content(info: zipfile.ZipInfo) -> str:
    """What is unsafe about a member's content, and what is needed; "" for a safe one."""
    if info.flag_bits & _ENCRYPTED:
        return "is encrypted; an archive without a password is needed"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is packed by method {info.compress_type}; deflate (8), or none (0), is needed"
    stored = info.compress_type == zipfile.ZIP_STORED
    most = info.compress_size * (1 if stored else DEFLATE)
    hollow = info.file_size > LARGE and info.file_size > RATIO * info.compress_size
    if info.file_size > most or hollow:
        claim = f"{size_in_words(info.file_size)} in {size_in_words(info.compress_size)}"
        return f"claims {claim}, over {RATIO:,}:1 or more than can be; true sizes are needed"
    if info.file_size == 0 and _suffix(info.filename) in SUFFIXES and _may_be_read(info):
        return "has 0 bytes; a raster is needed"
    return ""


def _refuse_overlap(archive: Path, infos: list[zipfile.ZipInfo], end: int) -> None:
    """Raise UnreadableRaster where members share bytes, or lie outside the archive.

    A few kilobytes shared by thousands of members unpack to any size.
    """
    ordered = sorted(infos, key=lambda info: info.header_offset)
    limits = [*(info.header_offset for info in ordered[1:]), end]
    for info, limit in zip(ordered, limits, strict=True):
        least = _HEADER + len(info.orig_filename) + info.compress_size
        if info.header_offset < 0 or info.header_offset + least > limit:
            raise UnreadableRaster(
                f"{archive}: {_short(info.orig_filename)} shares its bytes with another file or "
                "lies outside the archive; a complete zip is needed. Download it again."
            )


def _may_be_read(info: zipfile.ZipInfo) -> bool:
    """Whether a member is a plain file, and one that a product could have."""
    mode = stat.S_IFMT(info.external_attr >> 16)
    return (
        not info.is_dir()
        and mode in (0, stat.S_IFREG)
        and _suffix(info.filename) != ".vrt"  # names files that are elsewhere
        and not info.filename.startswith("__MACOSX/")
        and not info.filename.rpartition("/")[2].startswith("._")
    )


def _suffix(name: str) -> str:
    """How a name ends, ".tif"; plain text, as a path for each of thousands takes a second."""
    return f".{name.rpartition('/')[2].rpartition('.')[2].lower()}"


def _short(name: str) -> str:
    """A name from outside, fit for one line."""
    return repr(name if len(name) <= 80 else f"…{name[-79:]}")
