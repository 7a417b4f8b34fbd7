"""A member's picture as an ONNX graph of one constant shape, its normalisation folded in.

Built by hand: the exporter takes seconds a member, and what it writes keeps the batch open.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from landslide_core.bands import TILE
from landslide_core.judgement import HEAT
from landslide_core.network import BRANCHES, FAR, HOTTEST, Picture

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

_OPSET: Final = 18
_IR_VERSION: Final = 8
_BLOCK: Final = 16  # channels that runtimes compute together; others are laid out anew each time
INPUTS: Final = ("optical", "descending", "ascending")  # in the order of BRANCHES
OUTPUTS: Final = ("log_odds", "heat")


def picture_graph(picture: Picture, rows: int) -> bytes:
    """The picture's log-odds (rows, 1) and heat map (rows, 1024) as a serialised model.

    Inputs (rows, ·, 64, 64) as `parts` gives them; both outputs are in log-odds.
    """
    from onnx import TensorProto, helper

    sheet = _Sheet(rows)
    sheet.name(_answer(sheet, picture), OUTPUTS[0])
    seen = (s.stop - s.start for s in BRANCHES)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (rows, width, TILE, TILE))
        for name, width in zip(INPUTS, seen, strict=True)
    ]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (rows, width))
        for name, width in zip(OUTPUTS, (1, HEAT * HEAT), strict=True)
    ]
    graph = helper.make_graph(sheet.nodes, "picture", inputs, outputs, sheet.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    model.ir_version = _IR_VERSION
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def parts(tiles: Tensor) -> dict[str, NDArray[np.float32]]:
    """What each branch sees of held tiles (rows, 13, 64, 64), by the graph's inputs."""
    array = tiles.numpy()
    cut = {k: array[:, s] for k, s in zip(INPUTS, BRANCHES, strict=True)}
    return {k: np.ascontiguousarray(part) for k, part in cut.items()}


def hold(tiles: Tensor) -> Tensor:
    """Tiles as far as the picture looks at their values: what it does first, done once for all."""
    return tiles.clamp(-FAR, FAR)


def folded(block: nn.Module) -> nn.Conv2d:
    """A block's convolution with its batch normalisation folded into weight and bias."""
    conv, norm = list(block.children())[:2]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(conv.eval(), norm.eval())


class _Sheet:
    """Nodes and constants of a graph that is being written; a value is known by its name."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def constant(self, value: Tensor | NDArray[Any]) -> str:
        from onnx import numpy_helper

        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def put(self, kind: str, *inputs: str, outputs: int = 1, **attributes: Any) -> list[str]:
        from onnx import helper

        names = [f"{kind}_{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, **attributes))
        return names

    def one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.put(kind, *inputs, **attributes)[0]

    def name(self, value: str, name: str) -> str:
        """Give the last node's only output another name."""
        assert list(self.nodes[-1].output) == [value]
        self.nodes[-1].output[0] = name
        return name

    def conv(self, x: str, conv: nn.Module) -> str:
        assert isinstance(conv, nn.Conv2d)
        assert conv.bias is not None
        pad = int(conv.padding[0])
        return self.one(
            *("Conv", x, self.constant(conv.weight), self.constant(conv.bias)),
            kernel_shape=list(conv.kernel_size),
            strides=list(conv.stride),
            pads=[pad] * 4,
            group=conv.groups,
        )

    def block(self, x: str, block: nn.Module) -> str:
        return self.one("Relu", self.conv(x, folded(block)))

    def flat(self, x: str, width: int) -> str:
        return self.one("Reshape", x, self.constant(np.array([self.rows, width])))

    def linear(self, x: str, linear: nn.Linear) -> str:
        weight, bias = self.constant(linear.weight), self.constant(linear.bias)
        return self.one("Gemm", x, weight, bias, transB=1)


@torch.no_grad()
def _answer(sheet: _Sheet, picture: Picture) -> str:
    """What `Picture.forward` does with held tiles, in its order."""
    seen = list(INPUTS)
    for i, branch in enumerate(picture.branches):
        convs = _padded([folded(block) for block in branch.children()])
        for conv in convs:
            seen[i] = sheet.one("Relu", sheet.conv(seen[i], conv))
    levels = [sheet.one("Concat", *seen, axis=1)]
    for stage in picture.trunk:
        levels.append(sheet.block(levels[-1], stage))
    fused, pooled = _pyramid(sheet, picture, levels)
    cells = sheet.name(sheet.flat(sheet.conv(fused, picture.heat), HEAT * HEAT), OUTPUTS[1])
    most = sheet.constant(np.array([HOTTEST]))
    hottest = sheet.put("TopK", cells, most, outputs=2, axis=1, sorted=0)[0]
    axis = sheet.constant(np.array([1]))
    pooled += [sheet.one("ReduceMean", part, axis, keepdims=1) for part in (hottest, cells)]
    hidden = next(part for part in picture.head if isinstance(part, nn.Linear))
    head = sheet.one("Relu", sheet.linear(sheet.one("Concat", *pooled, axis=1), hidden))
    return sheet.linear(head, picture.answer)


def _padded(convs: Sequence[nn.Conv2d]) -> Sequence[nn.Conv2d]:
    """A chain of convolutions whose inner channels are made up to whole blocks by empty ones."""
    for one, next_ in pairwise(convs):
        more = -one.out_channels % _BLOCK
        assert one.bias is not None
        one.weight = nn.Parameter(functional.pad(one.weight, (0, 0, 0, 0, 0, 0, 0, more)))
        one.bias = nn.Parameter(functional.pad(one.bias, (0, more)))
        next_.weight = nn.Parameter(functional.pad(next_.weight, (0, 0, 0, 0, 0, more)))
    return convs


def _pyramid(sheet: _Sheet, picture: Picture, levels: Sequence[str]) -> tuple[str, list[str]]:
    """The finest level of the pyramid, and mean and maximum of every level."""
    double = sheet.constant(np.array([1, 1, 2, 2], np.float32))
    coarse_first = zip(
        reversed(levels), reversed(picture.laterals), reversed(picture.smooth), strict=True
    )
    top, fused, pooled = "", "", []
    width = picture.heat.in_channels
    for level, lateral, smooth in coarse_first:
        side = sheet.conv(level, lateral)
        if top:
            nearest = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
            grown = sheet.one("Resize", top, "", double, nearest_mode="floor", **nearest)
            side = sheet.one("Add", side, grown)
        top = side
        fused = sheet.block(top, smooth)
        kinds = ("GlobalAveragePool", "GlobalMaxPool")
        pooled += [sheet.flat(sheet.one(kind, fused), width) for kind in kinds]
    return fused, pooled
