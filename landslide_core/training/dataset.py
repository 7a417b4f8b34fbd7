"""Labelled tiles in memory, from patch folders and from simulated scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.errors import MissingLabels
from landslide_core.grid import Tiling, cut
from landslide_core.preprocess import cloud_by_brightness
from landslide_core.readers.patches import list_patches, read_labels, read_patches
from landslide_core.scene import CLOUD_CLASSES
from landslide_core.simulate import SimulationOptions, simulate

Floats = NDArray[np.float32]

LEAST_SCAR: Final = 10  # pixels of scar (0.1 ha) that make a tile a landslide tile


@dataclass(frozen=True)
class PatchSet:
    """Labelled tiles in physical units."""

    ids: tuple[str, ...]
    pixels: Floats  # (N, 12, 64, 64)
    cloud: NDArray[np.bool_]  # (N, 64, 64)
    labels: NDArray[np.int_]  # (N,) 0 or 1

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int_]) -> "PatchSet":
        """The patches of some rows, in their order."""
        ids = tuple(self.ids[i] for i in rows)
        return PatchSet(ids, self.pixels[rows], self.cloud[rows], self.labels[rows])


def load_patches(folder: Path, labels: Path) -> PatchSet:
    """Patches of a folder with their labels from a table with columns ID and label.

    Raises BadPatch, MissingLabels.
    """
    paths = list_patches(folder)
    ids = tuple(path.stem for path in paths)
    found = labels_of(ids, labels)
    pixels = read_patches(paths)
    return PatchSet(ids, pixels, cloud_by_brightness(pixels), found)


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


def simulated_tiles(seeds: Sequence[int], size: int, scars: int, stride: int) -> PatchSet:
    """Tiles of simulated scenes; a tile with at least LEAST_SCAR scar pixels is positive.

    Tiles with a smaller sliver of scar are left out: neither answer is right for them.
    """
    ids: list[str] = []
    pixels, cloud, labels = [], [], []
    tiling = Tiling(size, size, stride)
    for seed in seeds:
        scene = simulate(SimulationOptions(seed=seed, height=size, width=size, scars=scars))
        clouded = np.isin(scene.scene_class, CLOUD_CLASSES)
        layers = np.concatenate([scene.pixels, clouded[None], scene.scar_mask[None]])
        tiles = cut(layers.astype(np.float32), tiling)
        scar = np.nansum(tiles[:, -1], axis=(1, 2))
        clear = np.flatnonzero((scar == 0) | (scar >= LEAST_SCAR))
        ids += [f"simulated-{seed}-{i:05d}" for i in clear]
        pixels.append(tiles[clear, :-2])
        cloud.append(tiles[clear, -2] == 1)
        labels.append((scar[clear] >= LEAST_SCAR).astype(int))
    return PatchSet(
        tuple(ids), np.concatenate(pixels), np.concatenate(cloud), np.concatenate(labels)
    )
