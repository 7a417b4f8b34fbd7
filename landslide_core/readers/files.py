"""Files and folders as users name them -> raster files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from landslide_core.errors import MissingCRS, UnreadableRaster

SUFFIXES: Final = (".tif", ".tiff", ".jp2", ".img", ".vrt")


def expand(paths: tuple[Path, ...]) -> list[Path]:
    """The raster files meant by paths: a folder stands for those in it, a SAFE for its bands.

    A folder may also lie inside a SAFE, or hold one. Raises UnreadableRaster for a folder
    without rasters or with several products, MissingCRS for a Sentinel-1 SAFE.
    """
    files: list[Path] = []
    for path in paths:
        files += _rasters_of(path) if path.is_dir() else [path]
    return list(dict.fromkeys(files))


def _rasters_of(folder: Path) -> list[Path]:
    """The rasters of a folder, else of the part of a SAFE that it is, else of the SAFE in it."""
    if _is_safe(folder):
        return _rasters_of_safe(folder)
    if found := _rasters(folder.iterdir()):
        return found
    above = (folder, *folder.absolute().parents)
    inside = any(_is_safe(parent) or parent.name == "IMG_DATA" for parent in above)
    if inside and (found := _bands_below(folder)):
        return found
    safes = sorted(inner for inner in folder.iterdir() if inner.is_dir() and _is_safe(inner))
    if len(safes) == 1:
        return _rasters_of_safe(safes[0])
    if safes:
        raise UnreadableRaster(
            f"{folder} holds {len(safes)} products ({safes[0].name}, …); one is needed. "
            "Name the products themselves."
        )
    raise _no_raster(folder)


def _rasters_of_safe(safe: Path) -> list[Path]:
    """The band files of a Sentinel-2 SAFE. Raises MissingCRS for one of Sentinel-1."""
    if safe.name.upper().startswith("S1") or (safe / "measurement").is_dir():
        geometry = "slant range" if "_SLC_" in safe.name.upper() else "ground range"
        raise MissingCRS(
            f"{safe} is a {geometry} product: terrain-correct it (e.g. SNAP, HyP3) and give the "
            "GeoTIFFs; pixels in a map projection are needed."
        )
    if found := _bands_below(safe):
        return found
    raise _no_raster(safe)


def _bands_below(folder: Path) -> list[Path]:
    """Rasters under IMG_DATA, above or below a folder of a SAFE; its masks lie elsewhere."""
    return _rasters(file for file in folder.rglob("*") if "IMG_DATA" in file.absolute().parts)


def _rasters(files: Iterable[Path]) -> list[Path]:
    return sorted(file for file in files if file.suffix.lower() in SUFFIXES and file.is_file())


def _is_safe(folder: Path) -> bool:
    return folder.suffix.upper() == ".SAFE"


def _no_raster(folder: Path) -> UnreadableRaster:
    return UnreadableRaster(
        f"{folder} holds no raster; a folder with one file a band is needed. "
        "Name the files themselves."
    )
