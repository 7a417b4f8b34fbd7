"""The metadata documents that belong to a raster, and reading them without harm."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from landslide_core.errors import LandslideError
from landslide_core.places import Place
from landslide_core.readers.archives import members, read_text

LIMIT: Final = 2 * 2**20  # bytes of a document; the longest real ones hold 1.6 MB
ABOVE: Final = 5  # folders above a raster in which its product may end
MANY: Final = 32  # JSON files in a folder, above which they are somebody's data set
PRODUCTS: Final = ("MTD_MSIL2A.xml", "MTD_MSIL1C.xml")
T = TypeVar("T")

# Folders of a product's own layout: what lies above them is of the same product.
_LAYOUT: Final = re.compile(
    r"IMG_DATA|QI_DATA|GRANULE|R[126]0m|measurement|annotation|L(1C|2A)_T\w+"
    r"|S2[A-D]_(OPER|USER)_(MSI|PRD)_\w+(\.SAFE)?",
    re.IGNORECASE,
)
_KNOWN: Final = re.compile(
    r"MTD_MSIL(1C|2A)\.xml|MTD_TL\.xml|S2[A-D]_(OPER|USER)_MTD_(SAF)?L(1C|2A)_\w+\.xml"
    r"|metadata\.(xml|json)|(product|tile)Info\.json|manifest\.safe",
    re.IGNORECASE,
)
_TOP: Final = re.compile(  # the document of a whole product: above it is another's
    r"MTD_MSIL(1C|2A)\.xml|S2[A-D]_(OPER|USER)_MTD_SAFL(1C|2A)_\w+\.xml|manifest\.safe"
    r"|productInfo\.json",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Document:
    """A document near a raster; `sure` if the layout of folders says that it belongs to it."""

    place: Place
    stamp: tuple[int, int]  # time (ns) and bytes of the file or archive: another one, read anew
    sure: bool


def documents(place: Place) -> tuple[Document, ...]:
    """The documents that may belong to a raster, the nearest first; none where it is remote.

    From its folder up to the product's top. STAC items count that name the raster among their
    assets, else a folder's only one.
    """
    found: list[Document] = []
    items: list[Document] = []
    for folder in _folders(place):
        known = [folder.document(name) for name in folder.names if _KNOWN.fullmatch(name)]
        found += sorted(known, key=_made_from)
        if folder.sure and not items:
            stac = [d for d in _json_of(folder, place) if read(d, item_assets) is not None]
            named = [d for d in stac if place.name in (read(d, item_assets) or ())]
            items = named or (stac if len(stac) == 1 else [])
        if any(_TOP.fullmatch(document.place.name) for document in known):
            break
    return tuple(dict.fromkeys((*items, *found, *_beside(place))))


def _made_from(document: Document) -> bool:
    """Whether it is of level 1C: beside one of level 2A, it is that of what 2A was made from."""
    return "L1C" in document.place.name.upper()


def read(document: Document, parse: Callable[[str], T | None]) -> T | None:
    """What a parser makes of a document's text; the same document is parsed once."""
    parsed: T | None = _read(document, parse)
    return parsed


@lru_cache(maxsize=512)
def _read(document: Document, parse: Callable[[str], T | None]) -> T | None:
    place = document.place
    try:
        if place.member:
            return parse(read_text(Path(place.holder), place.member, LIMIT))
        with open(place.holder, "rb") as file:
            content = file.read(LIMIT + 1)  # what is cut off here doesn't parse
    except (OSError, LandslideError):
        return None
    return parse(content.decode("utf-8-sig", errors="replace"))


def xml_root(text: str) -> Element | None:
    """The root of an XML document; None where it is broken, too long or holds entities."""
    if len(text) > LIMIT:
        return None
    try:
        root: Element = fromstring(text.lstrip("\ufeff").strip())
    except (ParseError, DefusedXmlException, ValueError, RecursionError):
        return None
    return root


def local_name(element: Element) -> str:
    """An element's name without its namespace, which changes from version to version."""
    return str(element.tag).rpartition("}")[2]


def json_object(text: str) -> Mapping[str, Any] | None:
    """A JSON document that is an object; None for anything else."""
    if len(text) > LIMIT:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def item_assets(text: str) -> frozenset[str] | None:
    """Names of the files that a STAC item has as assets; None unless it is one."""
    item = json_object(text)
    if item is None or item.get("type") != "Feature" or "stac_version" not in item:
        return None
    assets = item.get("assets")
    listed = list(assets.values()) if isinstance(assets, dict) else []
    return frozenset(_last(asset["href"]) for asset in listed if _has_address(asset))


def _has_address(asset: object) -> bool:
    return isinstance(asset, dict) and isinstance(asset.get("href"), str)


def _last(address: str) -> str:
    """The file's name in an address or a path."""
    try:
        return PurePosixPath(urlsplit(address.replace("\\", "/")).path).name
    except ValueError:
        return ""


@dataclass(frozen=True)
class _Folder:
    """A folder on disk or in an archive, and the files in it."""

    path: PurePosixPath
    names: tuple[str, ...]
    archive: str  # "" on disk
    sure: bool

    def document(self, name: str) -> Document:
        path = str(self.path / name)
        place = Place(self.archive, path) if self.archive else Place(path)
        return Document(place, _stamp(place.holder), self.sure)


def _folders(place: Place) -> Iterator[_Folder]:
    """The folders from a raster's up to the top of its product."""
    if place.remote:
        return
    above = list(_own(place).parents)[: ABOVE + 1]
    safe = any(_is_safe(folder) for folder in above)
    archive, sure = place.holder if place.member else "", True
    for folder in above:
        yield _Folder(folder, _files(archive, str(folder), sure), archive, sure)
        if _is_safe(folder):
            return
        layout = _LAYOUT.fullmatch(folder.name) or folder.parent.name.upper() == "GRANULE"
        sure = sure and bool(safe or layout or place.member)


def _own(place: Place) -> PurePosixPath:
    """A raster's path on disk or in its archive."""
    return PurePosixPath(place.member) if place.member else place.path


def _is_safe(folder: PurePosixPath) -> bool:
    return folder.suffix.upper() == ".SAFE"


def _json_of(folder: _Folder, place: Place) -> list[Document]:
    """The JSON files of a folder that may be STAC items."""
    names = [name for name in folder.names if name.lower().endswith((".json", ".geojson"))]
    if len(names) > MANY:
        names = [name for name in names if name.split(".")[0] in place.name]
    return [folder.document(name) for name in names[:MANY]]


def _beside(place: Place) -> Iterator[Document]:
    """Documents named after a raster: of SNAP, beside its folder; annotations of Sentinel-1."""
    if place.remote:
        return
    folder = _own(place).parent
    path = folder.parent / f"{folder.stem}.dim"
    if folder.name.lower() == "measurement":
        path = folder.parent / "annotation" / f"{place.stem}.xml"
    elif folder.suffix != ".data":
        return
    archive = place.holder if place.member else ""
    if path.name in _files(archive, str(path.parent), True):
        yield _Folder(path.parent, (), archive, True).document(path.name)


def _files(archive: str, folder: str, sure: bool) -> tuple[str, ...]:
    """Names of the files in a folder, sorted; of one that may be anybody's only products' own."""
    if archive:
        return _listing(archive, _stamp(archive)).get(folder, ())
    try:
        if not sure:
            return tuple(name for name in PRODUCTS if Path(folder, name).is_file())
        with os.scandir(folder) as entries:
            return tuple(sorted(entry.name for entry in entries if entry.is_file()))
    except OSError:
        return ()


@lru_cache(maxsize=32)
def _listing(archive: str, stamp: tuple[int, int]) -> Mapping[str, tuple[str, ...]]:
    """Names of the files in an archive, by folder."""
    listed: dict[str, list[str]] = {}
    try:
        for member in members(Path(archive)):
            path = PurePosixPath(member)
            listed.setdefault(str(path.parent), []).append(path.name)
    except (OSError, LandslideError):
        return {}
    return {folder: tuple(sorted(names)) for folder, names in listed.items()}


def _stamp(holder: str) -> tuple[int, int]:
    try:
        found = os.stat(holder)
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size
