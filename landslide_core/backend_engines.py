"""What computes a member's picture: PyTorch, ONNX Runtime or OpenVINO, in constant shapes."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from landslide_core.backend_graph import OUTPUTS, folded, parts, picture_graph
from landslide_core.ensemble import Member
from landslide_core.errors import NoDevice
from landslide_core.network import Picture

Floats = NDArray[np.float32]
Seen = tuple[Floats, Floats]  # log-odds (rows,), and of each cell of the heat map (rows, 1024)
Say = Callable[[str], None]

_PACKAGES: Final = {"onnx": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino")}
_TORCH_ROWS: Final = 8  # smaller ones pay for calls, larger ones fall out of the cache
_CUDA_ROWS: Final = 256
_OPENVINO_ROWS: Final = 8


class Engine(Protocol):
    """Computes pictures; every call has the same shape, so that no row depends on the others."""

    @property
    def rows(self) -> int:
        """Tiles a call."""

    def run(self, member: int, tiles: Tensor) -> Seen:
        """What a member's picture says of held tiles (rows, 13, 64, 64)."""


def installed(engine: str) -> bool:
    """Whether an engine's packages are there."""
    return all(find_spec(package) for package in _PACKAGES.get(engine, ()))


def require(engine: str) -> None:
    """Raise NoDevice where an engine's packages are missing."""
    missing = [name for name in _PACKAGES.get(engine, ()) if not find_spec(name)]
    if missing:
        raise NoDevice(
            f"Backend {engine} was asked for and {' and '.join(missing)} is not installed; it "
            "needs that package. Install it, or choose --backend auto."
        )


class TorchEngine:
    """PyTorch, on a CPU or on CUDA."""

    def __init__(
        self, members: Sequence[Member], device: torch.device, bf16: bool, say: Say
    ) -> None:
        self.device, self.bf16, self.say = device, bf16, say
        self.rows = self.limit = _TORCH_ROWS if device.type == "cpu" else _CUDA_ROWS
        self.pictures = [_fold(member.network.picture).to(device) for member in members]

    def run(self, member: int, tiles: Tensor) -> Seen:
        if self.device.type == "cpu":
            return self._on_device(member, tiles)
        found: list[Seen] = []
        start = 0
        while start < len(tiles):
            try:
                found.append(self._on_device(member, tiles[start : start + self.limit]))
            except torch.cuda.OutOfMemoryError:
                self._retreat()
                continue
            start += len(found[-1][0])
        odds, heat = zip(*found, strict=True)
        return np.concatenate(odds), np.concatenate(heat)

    def _on_device(self, member: int, tiles: Tensor) -> Seen:
        seen = tiles.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=self._mixed):
            odds, heat = self.pictures[member](seen)
        return odds.float().cpu().numpy(), heat.flatten(1).float().cpu().numpy()

    @property
    def _mixed(self) -> bool:
        return self.bf16 and self.device.type == "cuda"

    def _retreat(self) -> None:
        """Take fewer tiles at once; with none left to spare, go on without the device."""
        torch.cuda.empty_cache()
        if self.limit > 1:
            self.limit //= 2
            self.say(f"The GPU's memory is full; going on with {self.limit} tiles at once.")
            return
        self.say("The GPU's memory is full; going on with the CPU.")
        self.device = torch.device("cpu")
        self.rows = self.limit = _TORCH_ROWS
        for picture in self.pictures:
            picture.to(self.device)


class OnnxEngine:
    """ONNX Runtime, tile by tile: its convolutions gain nothing from larger batches."""

    rows = 1

    def __init__(self, members: Sequence[Member]) -> None:
        import onnxruntime  # here, not above: it takes a fifth of a second

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.sessions = [
            onnxruntime.InferenceSession(
                picture_graph(member.network.picture, self.rows), options, ["CPUExecutionProvider"]
            )
            for member in members
        ]

    def run(self, member: int, tiles: Tensor) -> Seen:
        odds, heat = self.sessions[member].run(OUTPUTS, parts(tiles))
        return odds[:, 0], heat


class OpenvinoEngine:
    """OpenVINO in float32; one request a member, so one caller at a time."""

    rows = _OPENVINO_ROWS

    def __init__(self, members: Sequence[Member]) -> None:
        core: Any = import_module("openvino").Core()
        settings = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",  # left to itself it takes bf16 where it can
        }
        self.requests = []
        for member in members:
            model = core.read_model(picture_graph(member.network.picture, self.rows))
            self.requests.append(core.compile_model(model, "CPU", settings).create_infer_request())

    def run(self, member: int, tiles: Tensor) -> Seen:
        found = self.requests[member].infer(parts(tiles))
        odds, heat = (np.array(found[name]) for name in OUTPUTS)  # copies: the next run's place
        return odds[:, 0], heat


def _fold(picture: Picture) -> Picture:
    """A copy of a picture whose batch normalisations are part of the convolutions."""
    copy = deepcopy(picture).eval()
    blocks = [block for branch in copy.branches for block in branch.children()]
    for block in (*blocks, *copy.trunk, *copy.smooth):
        assert isinstance(block, nn.Sequential)
        block[0], block[1] = folded(block), nn.Identity()
    return copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
