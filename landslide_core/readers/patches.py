"""Challenge patches (`ID.npy`) and their labels -> pixels in the scene's bands and units."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landslide_core.bands import ADDED, BAND_NAMES, INDEX, OPTICAL, STORED, STORED_INDEX, TILE
from landslide_core.errors import BadPatch, DatasetError, MissingLabels
from landslide_core.pixels import Floats

SHAPE: Final = (TILE, TILE, len(STORED))


def one_line(error: BaseException) -> str:
    """An error's own words in one line; pandas and NumPy use several."""
    return " ".join(str(error).split())


def list_patches(folder: Path) -> list[Path]:
    """The patch files of a folder, by name. Raises DatasetError where there is none."""
    paths = sorted(folder.glob("*.npy"))
    if not paths:
        raise DatasetError(
            f"{folder} holds no *.npy file; a folder of patches, ID.npy each, is needed. "
            "Check the path."
        )
    return paths


def read_patch(path: Path) -> Floats:
    """Read one patch: (12, 64, 64) float32, reflectance × 10⁴ and dB, NaN = no data.

    Raises BadPatch for a file that is not one, or holds NaN or infinity.
    """
    try:
        raw = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _bad(path, f"is not a readable array ({one_line(error)})") from error
    if not isinstance(raw, np.ndarray):
        raw.close()
        raise _bad(path, "holds several arrays")
    if raw.shape != SHAPE:
        raise _bad(path, f"has shape {raw.shape}")
    if raw.dtype.kind not in "fiu":
        raise _bad(path, f"holds {raw.dtype}")
    wrong = int((~np.isfinite(raw)).sum())
    if wrong:
        raise _bad(path, f"holds {wrong} NaN or infinite values")
    return to_bands(raw)


def read_patches(paths: Sequence[Path]) -> Floats:
    """Read patches: (N, 12, 64, 64) float32, as `read_patch` does. Raises BadPatch."""
    patches = np.empty((len(paths), len(BAND_NAMES), TILE, TILE), np.float32)
    for patch, path in zip(patches, paths, strict=True):
        patch[:] = read_patch(path)
    return patches


def to_bands(raw: NDArray[Any]) -> Floats:
    """Stored patches (…, 64, 64, 12) to the scene's bands (…, 12, 64, 64) and units, float32.

    Optical DN 0 becomes NaN, before the offset is taken out; pre = post − difference.
    """
    stored = {name: raw[..., i] for name, i in STORED_INDEX.items()}
    bands = np.empty((*raw.shape[:-3], len(BAND_NAMES), *raw.shape[-3:-1]), np.float32)
    for name, i in INDEX.items():
        if name in OPTICAL:
            bands[..., i, :, :] = np.where(stored[name] == 0, np.nan, stored[name] - ADDED)
        elif name.endswith("_pre"):
            stem = name.removesuffix("_pre")
            bands[..., i, :, :] = stored[f"{stem}_post"] - stored[f"{stem}_diff"]
        else:
            bands[..., i, :, :] = stored[name]
    return bands


def read_labels(path: Path) -> dict[str, int]:
    """Labels by patch ID, 1 for a landslide, from a CSV with the columns ID and label.

    Raises MissingLabels.
    """
    try:
        table = pd.read_csv(path, dtype={"ID": str})
    except (OSError, ValueError) as error:
        raise MissingLabels(
            f"{path} cannot be read ({one_line(error)}); a CSV with the columns ID and label is "
            "needed. Check the path."
        ) from error
    if not {"ID", "label"} <= set(table.columns):
        raise MissingLabels(
            f"{path} has the columns {', '.join(map(str, table.columns))}; ID and label are "
            "needed. Rename them."
        )
    if not table["label"].isin((0, 1)).all() or table["ID"].duplicated().any():
        raise MissingLabels(
            f"{path} has labels other than 0 and 1, or an ID twice; one 0 or 1 an ID is needed. "
            "Correct the table."
        )
    return dict(zip(table["ID"], table["label"].astype(int), strict=True))


def _bad(path: Path, found: str) -> BadPatch:
    return BadPatch(
        f"{path.name} {found}; finite numbers of shape {SHAPE} are needed. Leave the file out, or "
        "write it again as float64."
    )
