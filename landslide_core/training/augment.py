"""Random changes of training batches; every function returns new tensors."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from landslide_core.bands import CHANNELS, OPTICAL, TILE
from landslide_core.combinations import COMBINATIONS, channels_without
from landslide_core.ensemble import view
from landslide_core.judgement import VIEWS

_OPTICAL = [i for i, channel in enumerate(CHANNELS) if channel.name in OPTICAL]
_MEAN = torch.tensor([CHANNELS[i].mean for i in _OPTICAL])[:, None, None]
_STD = torch.tensor([CHANNELS[i].std for i in _OPTICAL])[:, None, None]
_CLOUD_LEVEL = (4800.0, 10_000.0)  # reflectance × 10⁴


def turn(tiles: Tensor, masks: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Give each tile (N, C, h, w) and its mask (N, h, w) one of the eight views at random."""
    turned, turned_masks = torch.empty_like(tiles), torch.empty_like(masks)
    chosen = torch.from_numpy(rng.integers(0, len(VIEWS), len(tiles)))
    for index in range(len(VIEWS)):
        here = chosen == index
        turned[here] = view(tiles[here], index)
        turned_masks[here] = view(masks[here], index)
    return turned, turned_masks


def erase(tiles: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Blank a random rectangle of 8 to 24 pixels a side in a share of the tiles."""
    out = tiles.clone()
    height, width = tiles.shape[-2:]
    for i in np.flatnonzero(rng.random(len(out)) < share):
        tall, wide = rng.integers(8, 25, 2)
        top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
        out[i, :, top : top + tall, left : left + wide] = 0
    return out


def drop_inputs(tiles: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Give a share of the tiles one of the incomplete input combinations at random.

    Whole groups go (optical, near infrared, a pass, a pre-event date) and become 0, as missing
    bands do. Nothing that is not there comes back; a tile that would be left empty stays.
    """
    out = tiles.clone()
    for i in np.flatnonzero(rng.random(len(out)) < share):
        name = COMBINATIONS[int(rng.integers(1, len(COMBINATIONS)))]
        left = out[i].clone()
        left[channels_without(name)] = 0
        if left[1:].any():
            out[i] = left
    return out


def cloud_over(tiles: Tensor, share: float, rng: np.random.Generator) -> Tensor:
    """Paint clouds over a share of the tiles that have an optical image, and flag them."""
    out = tiles.clone()
    for i in np.flatnonzero(rng.random(len(out)) < share):
        if not out[i, _OPTICAL].any():
            continue
        coarse = torch.from_numpy(rng.standard_normal((1, 1, 6, 6)).astype(np.float32))
        field = functional.interpolate(coarse, size=(TILE, TILE), mode="bicubic")[0, 0]
        cloudy = field > torch.quantile(field, float(rng.uniform(0.4, 0.95)))
        level = float(rng.uniform(*_CLOUD_LEVEL)) * (1 + 0.15 * field)
        painted = (level[None] - _MEAN) / _STD
        out[i, _OPTICAL] = torch.where(cloudy, painted, out[i, _OPTICAL])
        out[i, 0] = torch.where(cloudy, 1.0, out[i, 0])
    return out


def rescale(tiles: Tensor, chosen: Tensor, rng: np.random.Generator) -> Tensor:
    """Multiply the optical reflectance of the chosen tiles (N,) by random levels near 1.

    For images without an absolute scale: 20 % common to all bands, 7 % a band.
    """
    out = tiles.clone()
    for i in torch.nonzero(chosen)[:, 0].tolist():
        level = np.exp(0.2 * rng.standard_normal() + 0.07 * rng.standard_normal(len(_OPTICAL)))
        bands = out[i, _OPTICAL]
        scaled = (bands * _STD + _MEAN) * torch.from_numpy(level.astype(np.float32))[:, None, None]
        out[i, _OPTICAL] = torch.where(bands != 0, (scaled - _MEAN) / _STD, bands)
    return out
