"""Virtual rasters (VRT): XML that names other files, checked before GDAL follows it.

They are read from the command line alone: an uploaded one, or one in an archive, could name any
file of the machine that the application runs on.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import TreeBuilder

from defusedxml.ElementTree import XMLParser, parse

from landslide_core.errors import UnreadableRaster
from landslide_core.places import ADDRESS

SIZE: Final = 2**20  # bytes of XML; a mosaic of 2,500 files
DEPTH: Final = 4  # virtual rasters within each other
FILES: Final = 5000  # different ones, in all

# Kinds that read no more than the files they name as sources. All in small letters: GDAL reads
# names of elements and attributes without regard to case.
_DATASETS: Final = ("", "vrtwarpeddataset")
_BANDS: Final = ("", "vrtsourcedrasterband", "vrtwarpedrasterband", "vrtderivedrasterband")
_NAMING: Final = ("sourcefilename", "sourcedataset")  # of a source, and of what is warped
# What runs a program, names further files, changes how they are opened or isn't a plain raster.
_FORBIDDEN: Final = {
    "pixelfunctioncode": "runs a program",
    "openoptions": "changes how its sources are opened",
    "geoloctransformer": "names files beside its sources",
    "rpctransformer": "names files beside its sources",
    "group": "has more than two dimensions",
}
# GDAL opens a source by what is in it: of all its formats, some fetch or include something.
_MAGIC: Final = (
    *(b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+"),  # TIFF, BigTIFF
    *(b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51"),  # JPEG 2000, in a file and bare
    b"EHFA_HEADER_TAG",  # Erdas Imagine
)


def check_virtual(path: Path) -> None:
    """Raise UnreadableRaster unless a virtual raster only joins rasters that are files here.

    Any file that the user can read will do, also a virtual raster, up to four deep; no address,
    no prefix of GDAL's (/vsi…), no program, no raw numbers. A path that isn't there is let pass.
    """
    if path.exists():
        _check(path, (), set())


def is_virtual(path: Path) -> bool:
    """Whether a file holds a virtual raster, whatever it is called."""
    try:
        with path.open("rb") as file:
            return file.read(1024).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<VRTDataset")
    except OSError:
        return False


def _check(path: Path, above: tuple[Path, ...], seen: set[Path]) -> None:
    """Check one virtual raster and those that it names; `above` are those that name it."""
    own = path.resolve()
    if own in above:
        raise _refusal(above[0], f"names itself, by {path.name}", "one that ends in files")
    if len(above) >= DEPTH:
        raise _refusal(above[0], f"is more than {DEPTH} virtual rasters deep", "a flat one")
    for source in _sources(path):
        if source.resolve() in seen and source.resolve() not in (*above, own):
            continue
        seen.add(source.resolve())
        if len(seen) > FILES:
            raise _refusal(path, f"names over {FILES:,} files", "fewer")
        if is_virtual(source):
            _check(source, (*above, own), seen)
        else:
            _refuse_other(path, source)


def _sources(path: Path) -> list[Path]:
    """The files that a virtual raster names. Raises UnreadableRaster for what is unsafe in it."""
    if not path.is_file() or path.stat().st_size > SIZE or b"<![CDATA[" in path.read_bytes():
        raise _refusal(path, f"is no plain file of at most {SIZE // 2**20} MB", "a small XML file")
    try:
        builder = TreeBuilder(insert_comments=True, insert_pis=True)  # GDAL ends a name at one
        root = parse(path, parser=XMLParser(target=builder, forbid_dtd=True)).getroot()
    except (ValueError, SyntaxError, LookupError, OSError) as error:  # ParseError is a SyntaxError
        raise _refusal(path, f"is no plain XML ({type(error).__name__})", "one") from error
    if _name(root) != "vrtdataset":
        raise _refusal(path, f"holds {_name(root)[:40]!a}", "a VRTDataset")
    return list(dict.fromkeys(_named(path, root)))


def _named(path: Path, root: Any) -> Iterator[Path]:
    """The files that the elements of a virtual raster name, each checked."""
    folder = path.resolve().parent  # where the VRT itself lies, like GDAL, if a link leads to it
    for element in root.iter():
        name, kind = _name(element), _attribute(element, "subclass").lower()
        text = (element.text or "").strip()
        if name == "vrtdataset" and (kind not in _DATASETS or element is not root):
            raise _refusal(path, f"holds a {kind[:40]!a} {name}", "a plain or a warped one")
        if name == "vrtrasterband" and kind not in _BANDS:
            raise _refusal(path, f"has a {kind[:40]!a}", "bands of rasters in files")
        if name in _FORBIDDEN:
            raise _refusal(path, f"{_FORBIDDEN[name]} ({name})", "a plain one")
        if name == "pixelfunctionlanguage" and text.upper() != "C":
            raise _refusal(path, f"runs {text[:40]!a}", "one without programs")
        if name in _NAMING:
            yield _file(path, folder, element)


def _name(element: Any) -> str:
    """An element's name in small letters and without its namespace; "" for a comment."""
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _attribute(element: Any, name: str) -> str:
    """An attribute by its name in small letters, "" where it isn't there."""
    return next((v for k, v in element.attrib.items() if k.rpartition("}")[2].lower() == name), "")


def _file(path: Path, folder: Path, element: Any) -> Path:
    """The file that an element names. Raises UnreadableRaster where it is none."""
    name = (element.text or "").lstrip()
    shown = ascii(name if len(name) <= 80 else f"{name[:79]}…").partition("?")[0]
    if name.replace("\\", "/").lower().startswith("/vsi") or ADDRESS.match(name):
        raise _refusal(path, f"names {shown}, an address or part of an archive", "a file")
    relative = _attribute(element, "relativetovrt")
    if len(element) or not name or "\0" in name or relative not in ("", "0", "1"):
        raise _refusal(path, f"names {shown} in a way of its own", "a plain name")
    found = folder / name if relative == "1" else Path(name)
    try:
        there = found.is_file()
    except OSError:  # an overlong name
        there = False
    if not there:
        raise _refusal(path, f"names {shown}, which is no file here", "every source")
    return found


def _refuse_other(path: Path, source: Path) -> None:
    """Raise UnreadableRaster unless a source is a raster in one of the usual formats."""
    try:
        with source.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise _refusal(path, f"names {source.name}, which can't be read", "every source") from error
    if not start.startswith(_MAGIC):
        raise _refusal(
            path,
            f"names {source.name}, which is no raster",
            "a source in GeoTIFF, JPEG 2000, Erdas Imagine or VRT",
        )


def _refusal(path: Path, found: str, wanted: str) -> UnreadableRaster:
    return UnreadableRaster(
        f"{path} {found}; {wanted} is needed. Give the rasters themselves, or write them out with "
        "gdal_translate."
    )
