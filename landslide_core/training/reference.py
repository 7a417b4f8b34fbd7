"""The reference network, stated again: the baseline that ours is compared with, never shipped."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from landslide_core.network import BRANCHES, Look


@dataclass(frozen=True)
class ReferenceOptions:
    """Widths of the network; the defaults cost 173 million multiply–adds a patch."""

    branch: tuple[int, ...] = (16, 32)
    trunk: tuple[int, ...] = (64, 128, 256)
    pyramid: int = 128  # not stated; 128 gives the stated cost, 64 would be 4 % under it
    dropout: float = 0.3  # not stated; as ours


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    # Not stated beyond width and stride; 3×3, normalised over the batch, rectified is the usual.
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ReferenceFPN(nn.Module):
    """Three branches at full resolution, one trunk, a pyramid P2–P4 pooled into a linear head.

    Input (N, 13, 64, 64) as `preprocess.model_input` makes it; output (N,) log-odds.
    """

    def __init__(self, options: ReferenceOptions) -> None:
        super().__init__()
        o = options
        # Stated: optical with cloud (5 channels), descending (4), ascending (4); full resolution.
        self.branches = nn.ModuleList(
            nn.Sequential(*(_conv(a, b) for a, b in pairwise((s.stop - s.start, *o.branch))))
            for s in BRANCHES
        )
        # Stated: stride 2. One convolution a stage: a second one would cost 113 million more.
        widths = (o.branch[-1] * len(BRANCHES), *o.trunk)
        self.trunk = nn.ModuleList(_conv(a, b, stride=2) for a, b in pairwise(widths))
        # Stated: laterals to P2–P4. 1×1 with bias (Lin et al. 2017); their 3×3 smoothing
        # after the sum would cost 198 million, more than the whole is stated to.
        self.laterals = nn.ModuleList(nn.Conv2d(width, o.pyramid, 1) for width in o.trunk)
        # Stated: one linear head with dropout, on what global pooling leaves of each level.
        self.dropout = nn.Dropout(o.dropout)
        self.answer = nn.Linear(o.pyramid * len(o.trunk), 1)
        # Stated: channels last.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, inputs: Tensor, known: object = None) -> Tensor:
        """Log-odds (N,) of a landslide in the tile.

        `known` is what `ensemble.cast_votes` hands every network; this one has no use for it.
        """
        seen = [branch(inputs[:, s]) for branch, s in zip(self.branches, BRANCHES, strict=True)]
        x = torch.cat(seen, dim=1)  # (N, 96, 64, 64)
        levels = []  # C2 (N, 64, 32, 32), C3 (N, 128, 16, 16), C4 (N, 256, 8, 8)
        for stage in self.trunk:
            x = stage(x)
            levels.append(x)
        top: Tensor | None = None
        pooled = []
        for level, lateral in zip(reversed(levels), reversed(self.laterals), strict=True):
            side = lateral(level)
            top = side if top is None else side + functional.interpolate(top, scale_factor=2)
            pooled.append(top.mean(dim=(2, 3)))  # P4 … P2
        odds: Tensor = self.answer(self.dropout(torch.cat(pooled, dim=1)))[:, 0]
        return odds

    def look(self, inputs: Tensor) -> Look:
        """The same as forward, for the training loop: no statistics, and no heat map."""
        logits = self(inputs)
        return Look(torch.zeros_like(logits), logits, logits.new_empty(0))
