"""What one member learns from: tiles of several sources, joined, and the split inside a fold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from landslide_core.training.dataset import PatchSet

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Labels = NDArray[np.int_]


@dataclass(frozen=True)
class Examples:
    """Tiles to train on."""

    inputs: Floats  # (N, 13, 64, 64)
    labels: Labels  # (N,)
    masks: Flags  # (N, 64, 64) landslide pixels
    located: Flags  # (N,) the mask is known
    scored: Flags  # (N,) of the labelled patches: thresholds are chosen on these alone
    unscaled: Flags  # (N,) reflectance has no absolute level
    groups: NDArray[np.str_]  # (N,) tiles of one group overlap and are never split apart

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int_]) -> "Examples":
        """Some of the tiles, in their order."""
        return Examples(*(getattr(self, name)[rows] for name in Examples.__dataclass_fields__))


def join(
    patches: PatchSet, simulated: PatchSet | None = None, chips: PatchSet | None = None
) -> Examples:
    """Labelled patches, tiles of simulated scenes and of real chips as one set of examples.

    A tile without a landslide has a known, empty mask wherever it comes from.
    """
    sets = [part for part in (patches, simulated, chips) if part is not None]
    size = patches.inputs.shape[-2:]
    masks = [
        np.zeros((len(part), *size), bool) if part.masks is None else part.masks for part in sets
    ]
    known = [part.labels == 0 if part.masks is None else np.ones(len(part), bool) for part in sets]
    return Examples(
        inputs=np.concatenate([part.inputs for part in sets]),
        labels=np.concatenate([part.labels for part in sets]),
        masks=np.concatenate(masks),
        located=np.concatenate(known),
        scored=_marks(sets, patches),
        unscaled=_marks(sets, chips),
        groups=np.array([group for part in sets for group in groups_of(part)]),
    )


def _marks(sets: Sequence[PatchSet], wanted: PatchSet | None) -> Flags:
    return np.concatenate([np.full(len(part), part is wanted) for part in sets])


def groups_of(patches: PatchSet) -> list[str]:
    """The scene or chip of each tile, its own ID for a patch: "simulated-1000", "chip-38"."""
    parts = [name.split("-") for name in patches.ids]
    return ["-".join(p[:2]) if p[0] in ("simulated", "chip") else "-".join(p) for p in parts]


def inner_split(
    examples: Examples, share: float, seed: int
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Rows to fit on and rows set aside: patches stratified by label, others by whole groups."""
    patches = np.flatnonzero(examples.scored)
    fitted, aside = train_test_split(
        patches, test_size=share, stratify=examples.labels[patches], random_state=seed
    )
    others = np.flatnonzero(~examples.scored)
    rng = np.random.default_rng(seed)
    for kind in ("simulated-", "chip-"):
        names = sorted({name for name in examples.groups[others] if name.startswith(kind)})
        if len(names) < 2:
            fitted = np.concatenate([fitted, others[np.isin(examples.groups[others], names)]])
            continue
        kept_out = rng.choice(names, max(1, round(share * len(names))), replace=False)
        of_kind = others[np.isin(examples.groups[others], names)]
        out = np.isin(examples.groups[of_kind], kept_out)
        fitted = np.concatenate([fitted, of_kind[~out]])
        aside = np.concatenate([aside, of_kind[out]])
    return np.sort(fitted), np.sort(aside)
