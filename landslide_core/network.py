"""The multi-modal feature pyramid network, whole: statistics and picture of a tile."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from landslide_core.bands import ASCENDING_CHANNELS, DESCENDING_CHANNELS, OPTICAL_CHANNELS
from landslide_core.moments import COUNT, moments
from landslide_core.voices import Voices, VoiceShape

BRANCHES: Final = (OPTICAL_CHANNELS, DESCENDING_CHANNELS, ASCENDING_CHANNELS)
HOTTEST: Final = 8  # cells (0.32 ha) whose mean stands for the hottest part of a tile
# Standard deviations; clouds and corner reflectors lie further out and say no more.
FAR: Final = 10.0


@dataclass(frozen=True)
class NetworkOptions:
    """Widths of the network; the defaults cost 23.5 million multiply-adds a patch."""

    stem: int = 12
    branch: int = 16
    trunk: tuple[int, int, int] = (64, 96, 128)
    pyramid: int = 48
    hidden: int = 64
    dropout: float = 0.3
    voices: int = 4  # small networks on the tile's statistics, averaged
    voice: int = 128  # their width
    voice_dropout: float = 0.3

    @property
    def voice_shape(self) -> VoiceShape:
        """Number and size of the small networks on the tile's statistics."""
        return VoiceShape(self.voices, self.voice, self.voice_dropout)


class Look(NamedTuple):
    """What a network sees in N tiles, as log-odds."""

    statistics: Tensor  # (N,)
    picture: Tensor  # (N,) added to them
    heat: Tensor  # (N, 32, 32) of a landslide in each cell


def _conv(inputs: int, outputs: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Picture(nn.Module):
    """Three branches (optical, descending, ascending), one trunk, a 4-level feature pyramid."""

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
        self.heat = nn.Conv2d(o.pyramid, 1, 1)
        self.head = nn.Sequential(
            nn.Dropout(o.dropout),
            nn.Linear(2 * o.pyramid * len(widths) + 2, o.hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(o.dropout),
        )
        self.answer = nn.Linear(o.hidden, 1)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds (N,) and heat map (N, 32, 32)."""
        x = inputs.clamp(-FAR, FAR)
        seen = [branch(x[:, s]) for branch, s in zip(self.branches, BRANCHES, strict=True)]
        levels = [torch.cat(seen, dim=1)]  # C2 (N, 48, 32, 32)
        for stage in self.trunk:
            levels.append(stage(levels[-1]))  # C3 16², C4 8², C5 4²
        top: Tensor | None = None
        pooled = []
        for level, lateral, smooth in zip(
            reversed(levels), reversed(self.laterals), reversed(self.smooth), strict=True
        ):
            side = lateral(level)
            top = side if top is None else side + functional.interpolate(top, scale_factor=2)
            fused = smooth(top)  # P5 … P2 (N, 48, ·, ·)
            pooled += [fused.mean(dim=(2, 3)), fused.amax(dim=(2, 3))]
        heat = self.heat(fused)[:, 0]
        cells = heat.flatten(1)
        pooled += [cells.topk(HOTTEST, dim=1).values.mean(dim=1, keepdim=True)]
        pooled += [cells.mean(dim=1, keepdim=True)]
        return self.answer(self.head(torch.cat(pooled, dim=1)))[:, 0], heat


class LandslideFPN(nn.Module):
    """Log-odds of a landslide in a tile: of its statistics, plus what the picture adds.

    Input (N, 13, 64, 64) as `preprocess.model_input` makes it; output (N,) log-odds.
    """

    def __init__(self, options: NetworkOptions) -> None:
        super().__init__()
        self.statistics = Voices(COUNT, options.voice_shape)
        self.picture = Picture(options)
        # Channels last: convolutions run about twice as fast on CPUs and tensor cores.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def look(self, inputs: Tensor, known: tuple[Tensor, Tensor] | None = None) -> Look:
        """Both parts and the heat map; `known` saves computing `moments(inputs)` again."""
        picture, heat = self.picture(inputs)
        return Look(self.statistics(*(known or moments(inputs))), picture, heat)

    def forward(self, inputs: Tensor, known: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Log-odds (N,) of a landslide somewhere in the tile."""
        seen = self.look(inputs, known)
        return seen.statistics + seen.picture
