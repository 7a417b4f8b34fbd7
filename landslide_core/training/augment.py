"""Random changes of training batches; every function returns new tensors."""

import numpy as np
import torch
from torch import Tensor

from landslide_core.bands import (
    ASCENDING_CHANNELS,
    DESCENDING_CHANNELS,
    OPTICAL_CHANNELS,
)
from landslide_core.ensemble import VIEWS, view

_PASSES = (DESCENDING_CHANNELS, ASCENDING_CHANNELS)


def turn(inputs: Tensor, rng: np.random.Generator) -> Tensor:
    """Give each tile (N, C, h, w) one of the eight views at random."""
    out = torch.empty_like(inputs)
    chosen = torch.from_numpy(rng.integers(0, len(VIEWS), len(inputs)))
    for index in range(len(VIEWS)):
        here = chosen == index
        out[here] = view(inputs[here], index)
    return out


def erase(inputs: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Blank a random rectangle of 8 to 24 pixels a side in a share of the tiles."""
    out = inputs.clone()
    height, width = inputs.shape[-2:]
    for i in np.flatnonzero(rng.random(len(out)) < share):
        tall, wide = rng.integers(8, 25, 2)
        top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
        out[i, :, top : top + tall, left : left + wide] = 0
    return out


def drop_inputs(inputs: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Take away the optical image, a pass, or a pass's pre-event date in a share of the tiles.

    At least one post-event source stays; what goes becomes 0, as missing bands do.
    """
    out = inputs.clone()
    for i in np.flatnonzero(rng.random(len(out)) < share):
        gone = rng.integers(0, 2, 3).astype(bool)  # optical, descending, ascending
        if gone.all():
            gone[rng.integers(0, 3)] = False
        if gone[0]:
            out[i, OPTICAL_CHANNELS] = 0
        for channels, absent in zip(_PASSES, gone[1:], strict=True):
            if absent:
                out[i, channels] = 0
            elif rng.random() < 0.25:
                out[i, channels.start + 2 : channels.stop] = 0  # VV and VH before the event
    return out
