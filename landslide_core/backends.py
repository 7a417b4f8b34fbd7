"""The ensemble's log-odds by the fastest way that is there: `torch`, `onnx` or `openvino`.

A tile's log-odds are the same bits whatever tiles come with it, and however many: every
computation has a constant shape, filled up with empty tiles where there are too few.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landslide_core.backend_engines import (
    Engine,
    OnnxEngine,
    OpenvinoEngine,
    Say,
    TorchEngine,
    installed,
    require,
)
from landslide_core.backend_graph import hold
from landslide_core.bands import CHANNELS, TILE
from landslide_core.ensemble import UPRIGHT, Member, view
from landslide_core.errors import NoDevice
from landslide_core.moments import COUNT, moments

Floats = NDArray[np.float32]

BACKENDS: Final = ("auto", "torch", "onnx", "openvino")
_VOICE_ROWS: Final = 16  # tiles whose statistics are read at once


def _silent(line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class BackendOptions:
    """How the ensemble is computed."""

    name: str = "auto"  # one of BACKENDS
    threads: int = 1  # tiles computed side by side, `onnx` only; torch has a setting of its own
    bf16: bool = False  # on CUDA, half the precision; verdicts near a limit may then differ


class Backend:
    """All members of a bundle, ready to look at tiles."""

    def __init__(
        self,
        name: str,
        engine: Engine,
        members: Sequence[Member],
        device: torch.device,
        threads: int,
    ) -> None:
        self.name, self.members, self.threads = name, len(members), threads
        self._engine, self._device = engine, device
        self._voices: list[nn.Module] = [
            deepcopy(member.network.statistics).eval().to(device) for member in members
        ]

    def log_odds(self, inputs: Floats, members: Sequence[int], views: Sequence[int]) -> Floats:
        """Log-odds (n, members, views) of model inputs (n, 13, 64, 64), of both parts together."""
        exact = self.statistics(inputs)[:, list(members), None]
        return np.asarray(exact + self.picture(inputs, members, views))

    @torch.inference_mode()
    def statistics(self, inputs: Floats) -> Floats:
        """What every member makes of the tiles' statistics, log-odds (n, all members)."""
        found = np.empty((len(inputs), self.members), np.float32)
        for start in range(0, len(inputs), _VOICE_ROWS):
            part = inputs[start : start + _VOICE_ROWS]
            known = [torch.zeros(_VOICE_ROWS, COUNT, device=self._device) for _ in range(2)]
            for i, tile in enumerate(part):
                for kind, value in zip(known, moments(self._tensor(tile)[None]), strict=True):
                    kind[i] = value[0]
            for m, voices in enumerate(self._voices):
                found[start : start + len(part), m] = voices(*known)[: len(part)].cpu().numpy()
        return found

    def picture(
        self,
        inputs: Floats,
        members: Sequence[int],
        views: Sequence[int],
        heat: Floats | None = None,
    ) -> Floats:
        """What members add for what they see in views, log-odds (n, members, views).

        `heat` (n, 32, 32) takes up the members' mean of each cell's probability in the upright
        view, which must be among the views.
        """
        looks = [(i, v) for i in range(len(inputs)) for v in views]
        found = np.empty((len(looks), len(members)), np.float32)
        starts = range(0, len(looks), self._engine.rows)
        if heat is not None:
            heat[:] = 0

        def look(start: int) -> None:
            part = looks[start : start + self._engine.rows]
            tiles = torch.zeros(self._engine.rows, len(CHANNELS), TILE, TILE)
            for row, (i, v) in enumerate(part):
                tiles[row] = hold(view(torch.tensor(inputs[i]), v))
            for column, member in enumerate(members):
                odds, cells = self._engine.run(member, tiles)
                found[start : start + len(part), column] = odds[: len(part)]
                if heat is not None:
                    _add_heat(heat, part, cells, len(members))

        if self.threads > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(look, starts))
        else:
            for start in starts:
                look(start)
        shape = (len(inputs), len(views), len(members))
        return np.ascontiguousarray(found.reshape(shape).transpose(0, 2, 1))

    def _tensor(self, tile: Floats) -> Tensor:
        return torch.tensor(tile, device=self._device)


def _add_heat(heat: Floats, part: Sequence[tuple[int, int]], cells: Floats, members: int) -> None:
    """Add one member's share of the mean of upright views; each tile has one caller."""
    for row, (tile, seen) in enumerate(part):
        if seen == UPRIGHT:
            heat[tile] += (1 / (1 + np.exp(-cells[row])) / members).reshape(heat.shape[1:])


def make_backend(
    options: BackendOptions,
    members: Sequence[Member],
    device: torch.device,
    say: Say = _silent,
) -> Backend:
    """The backend that is asked for; `auto` is torch on CUDA, else the fastest installed.

    `say` hears of a GPU whose memory is full. Raises NoDevice where it is not to be had.
    """
    name = _choose(options.name, device)
    require(name)
    engine: Engine
    if name == "torch":
        engine = TorchEngine(members, device, options.bf16, say)
    elif name == "onnx":
        engine = OnnxEngine(members)
    else:
        engine = OpenvinoEngine(members)
    threads = options.threads if name == "onnx" else 1
    return Backend(name, engine, members, device, threads)


def _choose(name: str, device: torch.device) -> str:
    if name not in BACKENDS:
        raise NoDevice(
            f"Backend {name} was asked for; one of {', '.join(BACKENDS)} is needed. Choose one."
        )
    if name == "auto":
        return "onnx" if device.type == "cpu" and installed("onnx") else "torch"
    if device.type != "cpu" and name != "torch":
        raise NoDevice(
            f"Backend {name} was asked for on {device}; it computes on the CPU only. Choose "
            "--backend torch or --device cpu."
        )
    return name
