"""Chips of the Landslide4Sense layout: real scars with pixel masks, optical bands only.

A file holds 14 layers, each divided by a mean. That mean is one number over the whole data set:
chips have means of 0.6 to 1.8 of their own, and the steps between a band's neighbouring values
are 1/mean in every chip. So a value times its mean is a whole number again, the product's own,
and NUMBERS is exact. The product is Level-1C (it has the cirrus band B10, and blue never falls
under 470): reflectance × 10⁴ at the top of the atmosphere, with no offset added. Scenes hold
reflectance of the ground; `without_haze` says how near to it a chip is brought.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from landslide_core.bands import BAND_NAMES, INDEX, OPTICAL
from landslide_core.errors import BadPatch, DatasetError, MissingLabels
from landslide_core.grid import Tiling, cut
from landslide_core.preprocess import cloud_by_brightness
from landslide_core.readers.patches import one_line
from landslide_core.training.dataset import PatchSet, decided, patch_set

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

SIZE: Final = 128  # pixels a side
LAYERS: Final = 14  # B1 to B12, slope, elevation
LAYER_OF: Final = {"red": 3, "green": 2, "blue": 1, "nir": 7}  # B4, B3, B2, B8

# Reflectance × 10⁴ per unit of a file: 1 / the step between neighbouring values of a band, the
# same in all chips. (The challenge's table has medians of 585, 663, 498, 2140, at the ground;
# using those would brighten red against green by 31 %.)
NUMBERS: Final = {"red": 445.1729, "green": 663.4164, "blue": 824.6317, "nir": 1941.3223}

# Median of the patches' minima in the challenge's table, reflectance × 10⁴ at the ground.
DARKEST: Final = {"red": 201.0, "green": 267.0, "blue": 231.0}

_DARK_SHARE: Final = 0.001  # of a chip's pixels: 16, so that one odd pixel decides nothing
_MOST: Final = 50.0  # a band's median above this is no multiple of its mean: 2.2 in red is snow


@dataclass(frozen=True)
class ChipSet:
    """Chips in a scene's bands and units, radar NaN."""

    names: tuple[str, ...]
    pixels: Floats  # (N, 12, 128, 128) reflectance × 10⁴
    cloud: Flags  # (N, 128, 128)
    masks: Flags  # (N, 128, 128) landslide pixels

    def __len__(self) -> int:
        return len(self.names)


def read_chips(folder: Path) -> ChipSet:
    """Read img/image_NAME.h5 and mask/mask_NAME.h5 of a folder.

    Raises DatasetError for a folder without chips, MissingLabels for one without its mask,
    BadPatch for a file that is not one.
    """
    paths = sorted((folder / "img").glob("image_*.h5"))
    if not paths:
        raise DatasetError(
            f"{folder / 'img'} holds no image_*.h5; chips of the Landslide4Sense layout are "
            "needed, img and mask beside each other. Check the path."
        )
    names = tuple(path.stem.removeprefix("image_") for path in paths)
    masks = np.stack([_read_mask(folder / "mask" / f"mask_{name}.h5") for name in names])
    pixels = np.full((len(paths), len(BAND_NAMES), SIZE, SIZE), np.nan, np.float32)
    for chip, path in zip(pixels, paths, strict=True):
        layers = _read_image(path)
        for name in OPTICAL:
            chip[INDEX[name]] = layers[..., LAYER_OF[name]] * NUMBERS[name]
    pixels = without_haze(pixels)
    return ChipSet(names, pixels, cloud_by_brightness(pixels), masks)


def without_haze(pixels: Floats) -> Floats:
    """Chips (N, 12, 128, 128) at the top of the atmosphere, the air's own light taken off.

    Dark-object subtraction (Chavez 1988), chip by chip: the darkest 0.1 % of red, green and blue
    come down to DARKEST, never up. Near infrared holds next to no such light.
    """
    clear = pixels.copy()
    for name, floor in DARKEST.items():
        band = clear[:, INDEX[name]]
        darkest = np.quantile(band, _DARK_SHARE, axis=(1, 2), keepdims=True)
        band -= np.maximum(darkest - floor, 0).astype(np.float32)
    return clear


def quarters(chips: ChipSet, stride: int = 64) -> PatchSet:
    """The chips' 64×64 tiles, "chip-NAME-ROW-COL" in pixels: four a chip, nine at stride 32.

    Tiles with a sliver of scar are left out, as among simulated tiles (`decided`).
    """
    tiling = Tiling(SIZE, SIZE, stride)
    layers = np.concatenate(
        [chips.pixels, chips.cloud[:, None], chips.masks[:, None]], axis=1, dtype=np.float32
    )
    tiles = np.concatenate([cut(chip, tiling) for chip in layers])
    masks = tiles[:, -1] == 1
    clear = decided(masks)
    ids = [f"chip-{name}-{w.row}-{w.col}" for name in chips.names for w in tiling.windows()]
    return patch_set(
        [ids[i] for i in clear],
        tiles[clear, :-2],
        tiles[clear, -2] == 1,
        masks[clear].any(axis=(1, 2)).astype(np.int_),
        masks[clear],
    )


def chip_of(ids: Sequence[str]) -> NDArray[np.str_]:
    """(N,) the chip's name of each quarter, to keep a chip's quarters on one side of a fold."""
    return np.array([name.removeprefix("chip-").rsplit("-", 2)[0] for name in ids])


def _read_image(path: Path) -> NDArray[Any]:
    """(128, 128, 14) layers of a chip, checked."""
    layers = _dataset(path, "img", (SIZE, SIZE, LAYERS))
    used = layers[..., list(LAYER_OF.values())]
    wrong = int((~np.isfinite(used)).sum())
    if wrong:
        raise BadPatch(
            f"{path.name} holds {wrong} NaN or infinite values; finite ones are needed in red, "
            "green, blue and near infrared. Leave the chip out."
        )
    level = float(np.median(used, axis=(0, 1)).max())
    if level > _MOST:
        raise BadPatch(
            f"{path.name} has a median of {level:.0f} in a band; bands divided by their mean, "
            "around 1, are needed. Divide them by the data set's means."
        )
    return layers


def _read_mask(path: Path) -> Flags:
    """(128, 128) landslide pixels of a chip, checked."""
    if not path.is_file():
        raise MissingLabels(
            f"There is no {path.name} in {path.parent}; every chip needs its mask. "
            "Add it or remove the image."
        )
    mask = _dataset(path, "mask", (SIZE, SIZE))
    if not np.isin(mask, (0, 1)).all():
        raise BadPatch(f"{path.name} holds other values than 0 and 1; a mask is needed. Mend it.")
    return np.asarray(mask == 1)


def _dataset(path: Path, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """A dataset of numbers of an HDF5 file."""
    try:
        with h5py.File(path) as file:
            found = np.asarray(file[name])
    except (OSError, KeyError, TypeError) as error:
        raise BadPatch(
            f"{path.name} does not read ({one_line(error)}); an HDF5 file with the dataset "
            f"{name} of shape {shape} is needed. Leave the chip out, or copy it again."
        ) from error
    if found.shape != shape or found.dtype.kind not in "fiub":
        raise BadPatch(
            f"{path.name}: {name} is {found.dtype} of shape {found.shape}; numbers of shape "
            f"{shape} are needed. Leave the chip out, or write it again."
        )
    return found
