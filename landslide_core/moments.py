"""A tile's plain statistics, computed inside the network.

Convolutions would need far more examples than there are to learn how much a tile's statistics
say, so the network is handed them: eight numbers of every band, change and index, and contrasts
between them. None depends on how a tile is turned.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import torch
from torch import Tensor

from landslide_core.bands import ADDED, BANDS, OPTICAL

_INDEX: Final = {band.name: i for i, band in enumerate(BANDS)}
_CHANGES: Final = tuple(
    (f"{p}_{pol}_post", f"{p}_{pol}_pre") for p in ("desc", "asc") for pol in ("vv", "vh")
)
_INDICES: Final = (("nir", "blue"), ("green", "nir"))  # those of the challenge's table
# Pre-event bands are left out: post-event bands and changes tell them.
LAYERS: Final = (
    *(band.name for band in BANDS if not band.name.endswith("_pre")),
    *(f"{post}_change" for post, _ in _CHANGES),
    *(f"{one}_{other}_index" for one, other in _INDICES),
)
# mean, deviation, least, greatest, skewness, kurtosis, range, variation (deviation over level)
MOMENTS: Final = 8
# Contrasts that trees find useful and a small network would have to learn: of VV with VH, of the
# ascending with the descending pass, of the optical levels; and how much of a pass has changed.
_DIFFERENCES: Final = (
    ("desc_vv_post", "desc_vh_post"),
    ("asc_vv_post", "asc_vh_post"),
    *((f"asc_{layer}", f"desc_{layer}") for layer in ("vv_post", "vh_post")),
    *((f"asc_{layer}_post_change", f"desc_{layer}_post_change") for layer in ("vv", "vh")),
)
_LEVELS: Final = tuple(combinations(OPTICAL, 2))
_SHARES: Final = tuple((f"{post}_change", post) for post, _ in _CHANGES)
COUNT: Final = MOMENTS * len(LAYERS) + 2 * (len(_DIFFERENCES) + len(_SHARES)) + len(_LEVELS) + 1
_PLAIN: Final = len(LAYERS) - len(_CHANGES) - len(_INDICES)  # layers that are bands
_KEPT: Final = tuple(_INDEX[name] for name in LAYERS[:_PLAIN])
# From a layer's own unit to one with a meaning: optical levels with the offset left in, so that
# dark tiles stay away from 0/0, and dB; changes and indices as they are.
_SCALE: Final = (*(BANDS[i].std for i in _KEPT), *(1.0,) * (len(LAYERS) - _PLAIN))
_ORIGIN: Final = (
    *(BANDS[i].mean + (ADDED if BANDS[i].name in OPTICAL else 0) for i in _KEPT),
    *(0.0,) * (len(LAYERS) - _PLAIN),
)
_LEAST_VALID = 0.5  # share of a tile's pixels below which a layer's statistics mean nothing


def moments(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Statistics (N, COUNT) of model inputs (N, 13, h, w), and which of them are known.

    In model inputs an exact 0 stands for no data (`preprocess.model_input`): such pixels are
    left out, and a layer of which less than half is there is not known.
    """
    layers, there = _layers(inputs)
    flat, seen = layers.flatten(2), there.flatten(2)
    share = seen.mean(dim=2)
    count = share.clamp(min=1e-6)
    mean = (flat * seen).mean(dim=2) / count
    centred = (flat - mean[..., None]) * seen
    square = centred * centred
    variance = (square.mean(dim=2) / count).clamp(min=1e-8)
    deviation = variance.sqrt()
    skewness = (square * centred).mean(dim=2) / count / (variance * deviation)
    kurtosis = (square * square).mean(dim=2) / count / (variance * variance)
    away = (1 - seen) * 1e4
    least, most = (flat + away).amin(dim=2), (flat - away).amax(dim=2)
    level = (mean * inputs.new_tensor(_SCALE) + inputs.new_tensor(_ORIGIN)).abs().clamp(min=1e-3)
    variation = deviation * inputs.new_tensor(_SCALE) / level
    kinds = [mean, deviation, least, most, skewness, kurtosis, most - least, variation]
    known = (share >= _LEAST_VALID).to(flat.dtype)
    more, more_known = _contrasts(mean, deviation, level, known)
    cloud = inputs[:, 0].mean(dim=(1, 2))[:, None]
    return (
        torch.cat([torch.stack(kinds, dim=2).flatten(1), more, cloud], dim=1),
        torch.cat([known.repeat_interleave(MOMENTS, dim=1), more_known, known[:, :1]], dim=1),
    )


def _contrasts(
    mean: Tensor, deviation: Tensor, level: Tensor, known: Tensor
) -> tuple[Tensor, Tensor]:
    """Comparisons of layers with each other, and which of them are known."""
    one, other = _places(_DIFFERENCES)
    bright, dark = _places(_LEVELS)
    part, whole = _places(_SHARES)
    values = [
        mean[:, one] - mean[:, other],
        deviation[:, one] - deviation[:, other],
        _normalised(level[:, bright], level[:, dark]),
        deviation[:, part] / deviation[:, whole].clamp(min=1e-3),
        mean[:, whole] - mean[:, part],  # the level before the event
    ]
    both = [known[:, a] * known[:, b] for a, b in ((one, other), (bright, dark), (part, whole))]
    return torch.cat(values, dim=1), torch.cat([both[0], *both, both[2]], dim=1)


def _places(pairs: Sequence[tuple[str, str]]) -> tuple[list[int], list[int]]:
    """Numbers of the layers named first, and of those named second."""
    return [LAYERS.index(one) for one, _ in pairs], [LAYERS.index(other) for _, other in pairs]


def _layers(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Bands (z-scores), changes and indices (N, L, h, w), and 1 where each has data, else 0."""
    bands = inputs[:, 1:]
    there = (bands != 0).to(inputs.dtype)
    post, pre = ([_INDEX[name] for name in names] for names in zip(*_CHANGES, strict=True))
    levels = {
        name: bands[:, _INDEX[name]] * BANDS[_INDEX[name]].std + (BANDS[_INDEX[name]].mean + ADDED)
        for name in OPTICAL
    }
    index = torch.stack([_normalised(levels[a], levels[b]) for a, b in _INDICES], dim=1)
    one, other = ([_INDEX[name] for name in names] for names in zip(*_INDICES, strict=True))
    kept = list(_KEPT)
    return (
        torch.cat([bands[:, kept], bands[:, post] - bands[:, pre], index], dim=1),
        torch.cat(
            [there[:, kept], there[:, post] * there[:, pre], there[:, one] * there[:, other]], dim=1
        ),
    )


def _normalised(one: Tensor, other: Tensor) -> Tensor:
    """Normalised difference of two levels, held to ±1 where their sum comes near 0."""
    return ((one - other) / (one + other).clamp(min=50.0)).clamp(-1, 1)
