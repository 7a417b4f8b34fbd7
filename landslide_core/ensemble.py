"""Stage 2: members, the eight views of a tile, votes and their spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from landslide_core.judgement import VIEWS
from landslide_core.moments import moments
from landslide_core.network import LandslideFPN

Floats = NDArray[np.float32]

UPRIGHT: Final = 0  # the view that is the tile itself


@dataclass(frozen=True)
class Member:
    """One network of the ensemble and its own F1-optimal threshold."""

    network: LandslideFPN
    threshold: float


@dataclass(frozen=True)
class Ballot:
    """The ensemble's opinion on N tiles, as far as it was asked."""

    votes: Floats  # (N, members, 8), each 0..1; NaN where none was cast
    log_odds: Floats  # (N,) mean over the votes cast: as many of every member
    thresholds: Floats  # (members,)
    heat: Floats | None = None  # (N, 32, 32) members' mean for each cell; None: not asked for

    @property
    def cast(self) -> NDArray[np.uint8]:
        """How many votes were cast on each tile, (N,)."""
        return np.asarray(np.isfinite(self.votes).sum(axis=(1, 2)), np.uint8)

    @property
    def spread(self) -> Floats:
        """Standard deviation over the votes cast, (N,), 0..0.5."""
        return np.asarray(np.nanstd(self.votes, axis=(1, 2)))

    @property
    def agreement(self) -> Floats:
        """Share of the votes cast that say landslide, each against its member's threshold, (N,)."""
        says = (self.votes >= self.thresholds[None, :, None]).sum(axis=(1, 2))  # NaN says nothing
        return np.asarray(says / self.cast, np.float32)


def view(tiles: Tensor, index: int) -> Tensor:
    """One of the eight views of tiles (N, C, h, w), in the order of VIEWS."""
    mirrored = tiles.flip(-1) if index >= 4 else tiles
    return torch.rot90(mirrored, index % 4, (-2, -1))


@torch.inference_mode()
def cast_votes(
    members: Sequence[Member], inputs: Floats, device: torch.device, batch: int = 32
) -> Ballot:
    """Let every member vote on every view of model inputs (N, 13, 64, 64).

    Networks must be on the device and in evaluation mode. A tile's votes do not depend on the
    tiles beside it, beyond the last float32 digit of a differently sized matrix product.
    """
    odds = np.empty((len(inputs), len(members), len(VIEWS)), np.float32)
    for start in range(0, len(inputs), batch):
        tiles = torch.tensor(inputs[start : start + batch], device=device)
        known = moments(tiles)  # the same for every view and member
        for v in range(len(VIEWS)):
            seen = view(tiles, v).contiguous(memory_format=torch.channels_last)
            for m, member in enumerate(members):
                cast = member.network(seen, known).float().cpu().numpy()
                odds[start : start + batch, m, v] = cast
    thresholds = np.array([member.threshold for member in members], np.float32)
    votes = np.asarray(1 / (1 + np.exp(-odds)), np.float32)
    return Ballot(votes, odds.mean(axis=(1, 2)), thresholds)


@torch.inference_mode()
def heat_map(members: Sequence[Member], inputs: Floats, device: torch.device) -> Floats:
    """Where in each tile: mean over members of each cell's probability, (N, 32, 32)."""
    tiles = torch.tensor(inputs, device=device).contiguous(memory_format=torch.channels_last)
    cells = [torch.sigmoid(member.network.picture(tiles)[1]) for member in members]
    return np.asarray(torch.stack(cells).mean(dim=0).float().cpu().numpy())
