"""Recognise a Sentinel-1 SAFE, folder or zip, and find the files of a polarisation in it."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from landslide_core.errors import MissingBands, MissingCRS, UnreadableRaster
from landslide_core.places import Place
from landslide_core.readers import archives

LIMIT: Final = 32 * 2**20  # bytes of one annotation; real ones have less than 3 million
# s1a-iw-grd-vv-….xml in a SAFE; iw-vv.xml where a bucket has renamed the files.
_NAME: Final = re.compile(
    r"(?:(?:rfi-)?s1[a-d]-)?(?:iw|ew|wv|s|is|n|en)\d?-(?:(?P<type>grd|slc|ocn|raw)[fhm]?-)?"
    r"(?:\d{3}-)?(?P<polarisation>vv|vh|hh|hv)(?:-[\w-]+)?\.(?:xml|tiff?)",
    re.IGNORECASE,
)
_SAFE_TYPE: Final = re.compile(r"(?<![a-z0-9])S1[A-D]_\w\w_(GRD|SLC|OCN|RAW)", re.IGNORECASE)
_NOISE: Final = "noise"
_CALIBRATION: Final = "calibration"


@dataclass(frozen=True)
class Channel:
    """The files of one polarisation; "" for one that isn't there."""

    annotation: str = ""
    calibration: str = ""
    noise: str = ""
    measurement: str = ""


@dataclass(frozen=True)
class Product:
    """A Sentinel-1 product: its folder or zip, what it is and its files by polarisation."""

    holder: Path
    inside: bool  # in a zip archive
    kind: str  # "GRD", "SLC", …
    channels: Mapping[str, Channel]
    manifest: str = ""

    @property
    def name(self) -> str:
        """The product's name, without .SAFE and .zip."""
        top = PurePosixPath(self.manifest).parent.name
        name = top or self.holder.name
        return re.sub(r"\.(zip|safe)$", "", re.sub(r"\.zip$", "", name, flags=re.I), flags=re.I)

    def place(self, file: str) -> Place:
        """Where one of its files lies."""
        return Place(str(self.holder), file) if self.inside else Place(str(Path(self.holder, file)))

    def text(self, file: str) -> str:
        """Text of one of its XML files. Raises UnreadableRaster."""
        if self.inside:
            return archives.read_text(self.holder, file, LIMIT)
        path = Path(self.holder, file)
        try:
            if path.stat().st_size > LIMIT:
                raise UnreadableRaster(
                    f"{path} has more than {LIMIT >> 20} MB; the annotation of a Sentinel-1 "
                    "product is needed. Download the product again."
                )
            return path.read_text(errors="replace")
        except OSError as error:
            raise UnreadableRaster(
                f"{path} cannot be read ({error.strerror}); the complete product is needed. "
                "Download it again."
            ) from error

    def channel(self, polarisation: str) -> Channel:
        """The files of "vv" or "vh". Raises MissingCRS, MissingBands, UnreadableRaster.

        Asks for a ground range product, complete but for the noise.
        """
        if self.kind != "GRD":
            raise MissingCRS(
                f"{self.holder} is a Sentinel-1 {self.kind} product, in slant range; ground range "
                "(GRD) or pixels in a map projection are needed. Terrain-correct it (e.g. SNAP, "
                "HyP3) and give the GeoTIFFs, or give the GRD product."
            )
        channel = self.channels.get(polarisation)
        if channel is None:
            has = ", ".join(name.upper() for name in sorted(self.channels))
            raise MissingBands(
                f"{self.holder} holds {has}; {polarisation.upper()} is needed. Choose a product "
                "with that polarisation."
            )
        for part in ("measurement", "annotation", "calibration"):
            if not getattr(channel, part):
                raise UnreadableRaster(
                    f"{self.holder} has no {part} file for {polarisation.upper()}; the complete "
                    "product is needed. Download it again."
                )
        return channel


def product_in(path: Path) -> Product | None:
    """The Sentinel-1 product that a folder or a zip is or holds; None where there is none.

    Raises UnreadableRaster for several products, or for measurements without annotation.
    """
    if os.path.isdir(path):  # never raises
        inside, names = False, _below(path)
    elif archives.is_archive(path):
        inside, names = True, list(archives.members(path))
    else:
        return None
    found: dict[str, dict[str, dict[str, str]]] = {}  # by folder of the product
    kinds: dict[str, list[str]] = {}
    for name in names:
        for top, polarisation, part, kind in _part_of(name):
            found.setdefault(top, {}).setdefault(polarisation, {})[part] = name
            kinds.setdefault(top, []).append(kind)
    if not found:
        return None
    if len(found) > 1:
        raise UnreadableRaster(
            f"{path} holds {len(found)} Sentinel-1 products; one is needed. Give one at a time."
        )
    ((top, parts),) = found.items()
    channels = {name: Channel(**files) for name, files in parts.items()}
    if not any(channel.annotation for channel in channels.values()):
        raise UnreadableRaster(
            f"{path} holds measurements without annotation; both are needed to calibrate and "
            "geocode them. Give the whole SAFE product."
        )
    manifest = str(PurePosixPath(top, "manifest.safe"))
    return Product(
        holder=path,
        inside=inside,
        kind=_kind(kinds[top], top, path),
        channels=channels,
        manifest=manifest if manifest in names else "",
    )


def _below(folder: Path) -> list[str]:
    """The files of a SAFE folder, or of those in a folder, that may matter: relative paths."""
    patterns = ("manifest.safe", "annotation/*.xml", "annotation/calibration/*.xml")
    return [
        file.relative_to(folder).as_posix()
        for start in ("", "*/")
        for pattern in (*patterns, "measurement/*.tif*")
        for file in sorted(folder.glob(start + pattern))
        if file.is_file()
    ]


def _part_of(name: str) -> Iterable[tuple[str, str, str, str]]:
    """The product's folder, polarisation, part and type that a file's path tells; or nothing."""
    path = PurePosixPath(name)
    file, folder = path.name.lower(), path.parent
    part = ""
    if folder.name == "measurement":
        part, top = "measurement", folder.parent
    elif folder.name == "annotation":
        part, top = "annotation", folder.parent
    elif folder.name == "calibration" and folder.parent.name == "annotation":
        part, top = file.partition("-")[0], folder.parent.parent
        file = file.partition("-")[2]
    if part not in ("measurement", "annotation", _CALIBRATION, _NOISE):
        return
    if (part == "measurement") == file.endswith(".xml"):
        return
    if named := _NAME.fullmatch(file):
        kind = (named["type"] or "").upper()
        yield str(top) if str(top) != "." else "", named["polarisation"].lower(), part, kind


def _kind(said: list[str], top: str, path: Path) -> str:
    """The product's type, from its files' names or its own; GRD is left where none tells."""
    by_name = _SAFE_TYPE.search(f"{top} {path.name}")
    types = Counter(kind for kind in said if kind)
    if types:
        return types.most_common(1)[0][0]
    return by_name[1].upper() if by_name else "GRD"
