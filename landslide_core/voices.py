"""Small networks on a tile's statistics: even spread first, then several voices side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class VoiceShape:
    """How many small networks there are, and how large each is."""

    number: int = 4
    width: int = 128
    dropout: float = 0.3


class Spread(nn.Module):
    """Statistics -> scores of an even, normal spread, by quantiles of the training tiles.

    Outliers of backscatter and cloud would otherwise rule a network of sums. Piecewise linear
    between quantiles; what is not known becomes 0, the median.
    """

    knots: Tensor  # (count, 17)
    levels: Tensor  # (17,)

    def __init__(self, count: int, knots: int = 17) -> None:
        super().__init__()
        self.register_buffer("knots", torch.linspace(-1, 1, knots).repeat(count, 1))
        inner = (torch.arange(1, knots - 1) - 0.5) / (knots - 2)
        shares = torch.cat([torch.tensor([0.001]), inner, torch.tensor([0.999])])
        self.register_buffer("levels", torch.special.ndtri(shares))
        self.shares: Sequence[float] = shares.tolist()

    def fit(self, statistics: Tensor, known: Tensor) -> None:
        """Take the quantiles of known statistics (N, count)."""
        wanted = torch.tensor(self.shares, dtype=statistics.dtype)
        for i in range(statistics.shape[1]):
            column = statistics[known[:, i] > 0, i]
            if len(column):
                self.knots[i] = torch.quantile(column, wanted)

    def forward(self, statistics: Tensor, known: Tensor) -> Tensor:
        """Scores (N, count), ±3.1 at most."""
        start, width = self.knots[:, :-1], self.knots.diff(dim=1).clamp(min=1e-6)
        inside = ((statistics[..., None] - start) / width).clamp(0, 1)  # (N, count, knots − 1)
        return (self.levels[0] + (inside * self.levels.diff()).sum(dim=2)) * known


class Voices(nn.Module):
    """Several small networks on the same statistics, computed side by side; their mean log-odds."""

    def __init__(self, count: int, shape: VoiceShape) -> None:
        super().__init__()
        self.count, self.shape = count, shape
        self.spread = Spread(count)
        widths = (count, shape.width, shape.width, 1)
        self.weights = nn.ParameterList(
            torch.randn(shape.number, a, b) / a**0.5 for a, b in pairwise(widths)
        )
        self.bias = nn.Parameter(torch.zeros(shape.number, 1))
        self.norms = nn.ModuleList(nn.BatchNorm1d(shape.number * shape.width) for _ in widths[1:-1])
        self.dropout = nn.Dropout(shape.dropout)

    def each(self, scores: Tensor) -> Tensor:
        """Log-odds of every voice (voices, N) from evenly spread statistics (voices, N, count)."""
        x = scores
        for weight, norm in zip(self.weights, self.norms, strict=False):
            x = torch.bmm(x, weight).transpose(0, 1).flatten(1)  # (N, voices · width)
            x = self.dropout(functional.relu(norm(x)))
            x = x.unflatten(1, (self.shape.number, self.shape.width)).transpose(0, 1)
        return torch.bmm(x, self.weights[-1])[:, :, 0] + self.bias

    def of_scores(self, scores: Tensor) -> Tensor:
        """Mean log-odds (N,) from evenly spread statistics (N, count)."""
        return self.each(scores.expand(self.shape.number, -1, -1)).mean(dim=0)

    def forward(self, statistics: Tensor, known: Tensor) -> Tensor:
        """Mean log-odds (N,) from statistics (N, count) and which of them are known."""
        return self.of_scores(self.spread(statistics, known))
