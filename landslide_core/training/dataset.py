"""Labelled tiles as both stages see them, and the tiles of simulated scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landslide_core.errors import MissingLabels
from landslide_core.features import filter_features, table_features
from landslide_core.grid import Tiling, cut
from landslide_core.preprocess import model_input
from landslide_core.readers.patches import read_labels
from landslide_core.scene import CLOUD_CLASSES
from landslide_core.simulate import SimulationOptions, simulate

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

LEAST_SCAR: Final = 10  # pixels of scar (0.1 ha) that make a tile a landslide tile


@dataclass(frozen=True)
class PatchSet:
    """Labelled tiles, as the ensemble and as the filter see them."""

    ids: tuple[str, ...]
    inputs: Floats  # (N, 13, 64, 64) model input; may be a read-only memory map
    features: pd.DataFrame  # (N, 136) filter features
    labels: NDArray[np.int_]  # (N,) 0 or 1
    masks: Flags | None = None  # (N, 64, 64) landslide pixels, where they are known

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int_]) -> "PatchSet":
        """The patches of some rows, in their order."""
        return PatchSet(
            tuple(self.ids[i] for i in rows),
            self.inputs[rows],
            self.features.iloc[rows].reset_index(drop=True),
            self.labels[rows],
            None if self.masks is None else self.masks[rows],
        )


def patch_set(
    ids: Sequence[str],
    pixels: Floats,
    cloud: Flags,
    labels: NDArray[np.int_],
    masks: Flags | None = None,
) -> PatchSet:
    """Prepare tiles (N, 12, 64, 64) in physical units with their cloud flags (N, 64, 64)."""
    features = filter_features(table_features(pixels))
    return PatchSet(tuple(ids), model_input(pixels, cloud), features, labels, masks)


def labels_of(ids: Sequence[str], table: Path) -> NDArray[np.int_]:
    """Labels of patches by their IDs, from a CSV with ID and label. Raises MissingLabels."""
    known = read_labels(table)
    missing = [name for name in ids if name not in known]
    if missing:
        raise MissingLabels(
            f"{len(missing)} of {len(ids)} patches have no label in {table} (first: "
            f"{missing[0]}); every patch needs one. Add the rows or remove the files."
        )
    return np.array([known[name] for name in ids])


def decided(scar: Flags) -> NDArray[np.int_]:
    """Tiles whose masks (N, h, w) give a clear label: no scar, or at least LEAST_SCAR pixels.

    For a tile with a smaller sliver of scar neither answer is right.
    """
    area = scar.sum(axis=(1, 2))
    return np.flatnonzero((area == 0) | (area >= LEAST_SCAR))


def simulated_tiles(seeds: Sequence[int], size: int, scars: int, stride: int) -> PatchSet:
    """Tiles of simulated scenes, labelled by their scars; IDs "simulated-SEED-TILE"."""
    ids: list[str] = []
    pixels, cloud, masks = [], [], []
    tiling = Tiling(size, size, stride)
    for seed in seeds:
        scene = simulate(SimulationOptions(seed=seed, height=size, width=size, scars=scars))
        clouded = np.isin(scene.scene_class, CLOUD_CLASSES)
        layers = np.concatenate([scene.pixels, clouded[None], scene.scar_mask[None]])
        tiles = cut(layers.astype(np.float32), tiling)
        scar = tiles[:, -1] == 1  # NaN beyond the scene's edge is no scar
        clear = decided(scar)
        ids += [f"simulated-{seed}-{i:05d}" for i in clear]
        pixels.append(tiles[clear, :-2])
        cloud.append(tiles[clear, -2] == 1)
        masks.append(scar[clear])
    known = np.concatenate(masks)
    return patch_set(
        ids,
        np.concatenate(pixels),
        np.concatenate(cloud),
        np.asarray(known.any(axis=(1, 2)), np.int_),
        known,
    )
