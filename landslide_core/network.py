"""The multi-modal feature pyramid network, whole."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from landslide_core.bands import ASCENDING_CHANNELS, CHANNELS, DESCENDING_CHANNELS, OPTICAL_CHANNELS

BRANCHES = (OPTICAL_CHANNELS, DESCENDING_CHANNELS, ASCENDING_CHANNELS)
# Channel numbers of each post-event radar channel and of its pre-event one.
_CHANGES = tuple((s.start + i, s.start + 2 + i) for s in BRANCHES[1:] for i in range(2))
_FAR = 10.0  # standard deviations; clouds and corner reflectors lie further out and say no more


@dataclass(frozen=True)
class NetworkOptions:
    """Widths of the network; the defaults cost 24 million multiply-adds a patch."""

    stem: int = 12
    branch: int = 16
    trunk: tuple[int, int, int] = (64, 96, 128)
    pyramid: int = 48
    hidden: int = 96
    dropout: float = 0.3


def _conv(inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _spread_of(inputs: Tensor) -> Tensor:
    """Mean, deviation, least and greatest of each channel and post − pre change, (N, 68).

    Global pooling of the input itself: convolutions would need far more examples than there
    are to learn that a tile's plain statistics say much.
    """
    post, pre = (list(column) for column in zip(*_CHANGES, strict=True))
    flat = torch.cat([inputs, inputs[:, post] - inputs[:, pre]], dim=1).flatten(2)
    deviation, mean = torch.std_mean(flat, dim=2, correction=0)
    return torch.cat([mean, deviation, flat.amin(dim=2), flat.amax(dim=2)], dim=1)


class LandslideFPN(nn.Module):
    """Three branches (optical, descending, ascending), one trunk, a 4-level feature pyramid.

    Input (N, 13, 64, 64) as `preprocess.model_input` makes it; output (N,) logits.
    """

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        o = options
        self.branches = nn.ModuleList(
            nn.Sequential(_conv(s.stop - s.start, o.stem, stride=2), _conv(o.stem, o.branch))
            for s in BRANCHES
        )
        widths = (o.branch * len(BRANCHES), *o.trunk)
        self.trunk = nn.ModuleList(_conv(a, b, stride=2) for a, b in pairwise(widths))
        self.laterals = nn.ModuleList(nn.Conv2d(width, o.pyramid, 1) for width in widths)
        self.smooth = nn.ModuleList(_conv(o.pyramid, o.pyramid, groups=o.pyramid) for _ in widths)
        numbers = 4 * (len(CHANNELS) + len(_CHANGES))
        self.plain = nn.Sequential(
            nn.BatchNorm1d(numbers), nn.Linear(numbers, o.hidden), nn.ReLU(inplace=True)
        )
        self.head = nn.Sequential(
            nn.Dropout(o.dropout),
            nn.Linear(2 * o.pyramid * len(widths) + o.hidden, o.hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(o.dropout),
        )
        self.answer = nn.Linear(o.hidden, 1)
        # Channels last: convolutions run about twice as fast on CPUs and tensor cores.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits (N,) of a landslide somewhere in the tile."""
        x = inputs.clamp(-_FAR, _FAR)
        seen = [branch(x[:, s]) for branch, s in zip(self.branches, BRANCHES, strict=True)]
        levels = [torch.cat(seen, dim=1)]  # C2 (N, 48, 32, 32)
        for stage in self.trunk:
            levels.append(stage(levels[-1]))  # C3 16², C4 8², C5 4²
        top: Tensor | None = None
        pooled = [self.plain(_spread_of(x))]
        for level, lateral, smooth in zip(
            reversed(levels), reversed(self.laterals), reversed(self.smooth), strict=True
        ):
            side = lateral(level)
            top = side if top is None else side + functional.interpolate(top, scale_factor=2)
            fused = smooth(top)  # P5 … P2 (N, 48, ·, ·)
            pooled += [fused.mean(dim=(2, 3)), fused.amax(dim=(2, 3))]
        logits: Tensor = self.answer(self.head(torch.cat(pooled, dim=1)))[:, 0]
        return logits
