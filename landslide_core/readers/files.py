"""Files, folders, archives and addresses as users name them -> raster files."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

from landslide_core.errors import MissingCRS, UnreadableRaster
from landslide_core.opening import SUFFIXES
from landslide_core.places import Given, Place, is_address
from landslide_core.readers.addresses import check_address, private_allowed
from landslide_core.readers.archives import is_archive, members
from landslide_core.readers.virtual import check_virtual

MOST: Final = 20_000  # files looked at below a folder
METRES: Final = ("R10m", "R20m", "R60m")  # folders of level 2A, in a SAFE and as AWS keeps them
_RADAR_FOLDERS: Final = ("measurement", "annotation")  # of a Sentinel-1 SAFE
CLOUD_PROBABILITY: Final = "MSK_CLDPRB_"  # a SAFE keeps it beside its bands, in QI_DATA


@dataclass(frozen=True)
class Tree:
    """The files below a folder or in a zip archive, by their path there."""

    top: Path
    names: tuple[PurePosixPath, ...]  # sorted
    zipped: bool = False

    @property
    def above(self) -> tuple[str, ...]:
        """Names of the tree's own folder and those above it."""
        return tuple(p.name for p in (self.top.absolute(), *self.top.absolute().parents))

    def place(self, name: PurePosixPath) -> Place:
        """Where a file of the tree lies."""
        if self.zipped:
            return Place(str(self.top.absolute()), str(name))
        return Place(str(self.top / name))

    def below(self, folder: PurePosixPath) -> "Tree":
        """The part of the tree under a folder; names stay as they are."""
        return Tree(self.top, tuple(n for n in self.names if n.is_relative_to(folder)), self.zipped)


def tree_of(path: Path) -> Tree | None:
    """What lies below a folder or in an archive; None for a file that is neither.

    Raises UnreadableRaster for an archive that isn't safe to read.
    """
    if os.path.isdir(path):  # never raises, also where nothing may be looked at
        files = (file for file in path.rglob("*") if file.is_file())
        found = [PurePosixPath(file.relative_to(path).as_posix()) for file in islice(files, MOST)]
        return Tree(path, tuple(sorted(found)))
    if is_archive(path):
        if "}" in str(path.absolute()):  # ends the archive's name in GDAL's own names
            raise UnreadableRaster(
                f"{path} has a brace in its path; one without is needed. Rename it."
            )
        return Tree(path, tuple(sorted(map(PurePosixPath, members(path)))), zipped=True)
    return None


def expand(given: Sequence[Given]) -> list[Place]:
    """The raster files meant: a folder or archive stands for its rasters, a SAFE for its bands.

    A folder may also lie inside a SAFE, or hold one. Raises UnreadableRaster for a folder without
    rasters or with several products, and for what isn't safe to read.
    """
    places: list[Place] = []
    for one in given:
        if not str(one):
            raise UnreadableRaster(
                "An empty name was given; a file, a folder or an address is needed. Check the "
                "variable it came from."
            )
        if is_address(one) or str(one).lower().startswith("/vsi"):
            places.append(Place(check_address(str(one), private_allowed())))
            continue
        tree = tree_of(Path(one))
        found = list(map(tree.place, _rasters_of(tree))) if tree else [Place(str(one))]
        for place in found:
            if place.file and place.path.suffix.lower() == ".vrt":
                check_virtual(place.file)
        places += found
    return list(dict.fromkeys(places))


def products_of(tree: Tree) -> list[PurePosixPath]:
    """The folders in a tree that are SAFE products, by name; the top isn't among them."""
    folders = {parent for name in tree.names for parent in name.parents}
    return sorted(folder for folder in folders if _is_safe(folder.name))


def _rasters_of(tree: Tree) -> list[PurePosixPath]:
    """The rasters that a tree stands for."""
    if any(folder in name.parts[:-1] for name in tree.names for folder in _RADAR_FOLDERS):
        raise MissingCRS(
            f"{tree.top} is a Sentinel-1 product in slant or ground range; rasters in a map "
            "projection are needed. Give it with one of the --s1 options."
        )
    loose = _rasters(name for name in tree.names if len(name.parts) == 1)
    inside = any(_is_safe(name) or name == "IMG_DATA" for name in tree.above)
    if loose and not _is_safe(tree.top.name):
        return loose
    product = None if inside else _one(tree, products_of(tree))
    for found in (
        _bands_of(tree.below(product) if product else tree, inside),
        loose,
        _by_metres(tree),
        _only_folder(tree),
    ):
        if found:
            return found
    raise UnreadableRaster(
        f"{tree.top} holds no raster; a product, or a folder with one file a band, is needed. "
        "Name the files themselves."
    )


def _one(tree: Tree, products: Sequence[PurePosixPath]) -> PurePosixPath | None:
    """The only one of some products. Raises UnreadableRaster for several."""
    if len(products) > 1:
        raise UnreadableRaster(
            f"{tree.top} holds {len(products)} products ({products[0].name}, …); one is needed. "
            "Name the products themselves."
        )
    return products[0] if products else None


def _bands_of(product: Tree, inside: bool) -> list[PurePosixPath]:
    """Rasters under IMG_DATA, above or below a product's top, and its cloud probability.

    Other masks lie elsewhere; what a granule calls PVI or TCI is a preview.
    """
    every = inside and "IMG_DATA" in product.above
    bands = [n for n in _rasters(product.names) if every or "IMG_DATA" in n.parts[:-1]]
    return bands and bands + [
        name for name in _rasters(product.names) if name.name.startswith(CLOUD_PROBABILITY)
    ]


def _by_metres(tree: Tree) -> list[PurePosixPath]:
    """The rasters of one tile's folders R10m, R20m and R60m, as AWS keeps level 2A."""
    found = _rasters(name for name in tree.names if name.parent.name in METRES)
    return found if len({name.parent.parent for name in found}) == 1 else []


def _only_folder(tree: Tree) -> list[PurePosixPath]:
    """The rasters of an archive's single folder; people zip folders rather than files."""
    found = _rasters(tree.names)
    return found if tree.zipped and len({name.parent for name in found}) == 1 else []


def _rasters(names: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    return sorted(name for name in names if name.suffix.lower() in SUFFIXES)


def _is_safe(name: str) -> bool:
    return name.upper().endswith(".SAFE")
