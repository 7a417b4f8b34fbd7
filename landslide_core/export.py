"""A bundle's networks as one ONNX file: every member, every view, for use outside of Python.

The filter (stage 1) and the calibration stay behind: they need the bundle.
"""

import json
import logging
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from landslide_core.bands import BANDS, CHANNELS, INDEX, TILE
from landslide_core.bundle import Bundle
from landslide_core.contract import IR_VERSION, LEAST, MOST, OPSET, metadata
from landslide_core.ensemble import Member, cast_votes, heat_map, view
from landslide_core.errors import BundleError, CannotWrite
from landslide_core.folder import refuse_existing
from landslide_core.judgement import HEAT, LEAST_VALID, VIEWS
from landslide_core.moments import moments
from landslide_core.network import LandslideFPN
from landslide_core.preprocess import CLOUD_RED, cloud_by_brightness, model_input

if TYPE_CHECKING:
    from onnx import ModelProto

Floats = NDArray[np.float32]

_OUTPUTS: Final = ("probability", "spread", "votes", "log_odds", "heat")
_MAPS: Final = ("probability_map", "heat_map")
_TOLERANCE: Final = 1e-4
_TRIALS: Final = (1, 3)  # batch sizes that are compared with the bundle itself


class _Ensemble(nn.Module):
    """Model inputs (N, 13, 64, 64) -> `_OUTPUTS`, as `cast_votes` and `heat_map` give them."""

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.members = nn.ModuleList(member.network for member in members)

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        seen = torch.cat([view(inputs, v) for v in range(len(VIEWS))])
        # The same for every view and member; left to the members, each would compute its own.
        statistics, there = (part.repeat(len(VIEWS), 1) for part in moments(inputs))
        odds, heat = [], []
        for network in cast(Iterable[LandslideFPN], self.members):
            look = network.look(seen, (statistics, there))
            odds.append((look.statistics + look.picture).unflatten(0, (len(VIEWS), -1)))
            heat.append(torch.sigmoid(look.heat.unflatten(0, (len(VIEWS), -1))[0]))
        log_odds = torch.stack(odds).permute(2, 0, 1)  # (N, members, 8)
        votes = torch.sigmoid(log_odds)
        probability = votes.mean(dim=(1, 2))
        deviation = votes - probability[:, None, None]
        spread = (deviation * deviation).mean(dim=(1, 2)).sqrt()
        return probability, spread, votes, log_odds.mean(dim=(1, 2)), torch.stack(heat).mean(dim=0)


class _Maps(nn.Module):
    """Physical bands (N, 12, 64, 64) -> `_MAPS`, (N, 1, 64, 64) each, NaN where data lack."""

    mean: Tensor
    std: Tensor

    def __init__(self, members: Sequence[Member]) -> None:
        super().__init__()
        self.ensemble = _Ensemble(members)
        for name in ("mean", "std"):
            values = torch.tensor([getattr(band, name) for band in BANDS])
            self.register_buffer(name, values[:, None, None])

    def forward(self, bands: Tensor) -> tuple[Tensor, ...]:
        there = (bands > LEAST) & (bands < MOST)  # NaN is neither
        scores = torch.where(there, (bands - self.mean) / self.std, 0.0)
        cloud = (scores[:, [INDEX["red"]]] > CLOUD_RED).to(scores.dtype)
        probability, _, _, _, heat = self.ensemble(torch.cat([cloud, scores], dim=1))
        valid = there.any(dim=1).to(scores.dtype).mean(dim=(1, 2))[:, None, None, None]
        drawn = (
            probability[:, None, None, None].expand(-1, 1, TILE, TILE),
            functional.interpolate(heat[:, None], scale_factor=TILE // HEAT),
        )
        return tuple(torch.where(valid >= LEAST_VALID, map_, torch.nan) for map_ in drawn)


def export_onnx(bundle: Bundle, path: Path, raster: bool = False) -> Path:
    """Write a bundle's ensemble (on the CPU) as one ONNX file, compared with it beforehand.

    Input `inputs` (batch, 13, 64, 64) as `preprocess.model_input` makes it; outputs probability
    and spread of the votes (batch,), votes (batch, members, 8), their mean log-odds (batch,) and
    heat (batch, 32, 32). With `raster`, for tools that read rasters: input `bands`
    (batch, 12, 64, 64) in physical units; outputs probability_map and heat_map
    (batch, 1, 64, 64). The file's metadata say the rest.

    Raises RunBusy where the file is there already, CannotWrite, BundleError where answers differ.
    """
    refuse_existing(path)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise CannotWrite(
            f"{path} is a folder or lies in none; a file in an existing folder is needed. "
            "Choose another --out."
        )
    model = _graph(bundle, raster)
    for key, value in metadata(bundle, raster).items():
        model.metadata_props.add(key=key, value=json.dumps(value, ensure_ascii=False))
    content = model.SerializeToString(deterministic=True)
    _compare(content, bundle, raster)
    beside = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be written ({error.strerror}). Choose another --out."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return path


def _graph(bundle: Bundle, raster: bool) -> "ModelProto":
    """The checked graph, without the exporter's notes: they name files of this machine."""
    import onnx  # here, not above: no other command should pay a fifth of a second for it

    network = (_Maps if raster else _Ensemble)(bundle.members).eval()
    channels = len(BANDS if raster else CHANNELS)
    with _quiet():
        program: Any = torch.onnx.export(
            network,
            (torch.zeros(2, channels, TILE, TILE),),
            dynamo=True,
            opset_version=OPSET,
            input_names=["bands" if raster else "inputs"],
            output_names=_MAPS if raster else _OUTPUTS,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
        )
    model: onnx.ModelProto = program.model_proto
    graph = model.graph
    del graph.value_info[:]
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    graph.name = "landslide"
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "landslide", version("landslide")
    onnx.checker.check_model(model, full_check=True)
    return model


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back the exporter's remarks, which are about its own packages."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _compare(content: bytes, bundle: Bundle, raster: bool) -> None:
    """Raise BundleError where the file's answers are not those of the bundle's own path."""
    import onnxruntime  # here, not above: as onnx

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, ["CPUExecutionProvider"])
    for count in _TRIALS:
        pixels = _trial(count)
        wanted = _answers(bundle, pixels, raster)
        given = pixels if raster else model_input(pixels, cloud_by_brightness(pixels))
        found = session.run(list(wanted), {session.get_inputs()[0].name: given})
        for (name, right), answer in zip(wanted.items(), found, strict=True):
            if not np.allclose(answer, right, _TOLERANCE, _TOLERANCE, equal_nan=True):
                worst = np.nanmax(np.abs(answer - right))
                raise BundleError(
                    f"The exported {name} differs from the bundle's by {worst:.1g}; at most "
                    f"{_TOLERANCE:g} is allowed. Nothing was written; report it with the versions "
                    "that `landslide doctor` prints."
                )


def _trial(count: int) -> Floats:
    """Random pixels (N, 12, 64, 64) with bright cloud and gaps; the last tile lacks most data."""
    rng = np.random.default_rng(count)
    mean, std = (np.array([getattr(b, k) for b in BANDS])[:, None, None] for k in ("mean", "std"))
    pixels = (mean + std * rng.normal(size=(count, len(BANDS), TILE, TILE))).astype(np.float32)
    pixels[:, INDEX["red"], :9, :9] = 9000
    pixels[:, 4:8, :, 50:] = np.nan
    if count > 1:
        pixels[-1, :, 20:] = np.nan
    return pixels


def _answers(bundle: Bundle, pixels: Floats, raster: bool) -> dict[str, Floats]:
    """What the bundle itself says of pixels, by output."""
    inputs = model_input(pixels, cloud_by_brightness(pixels))
    ballot = cast_votes(bundle.members, inputs, torch.device("cpu"))
    heat = heat_map(bundle.members, inputs, torch.device("cpu"))
    probability = ballot.votes.mean(axis=(1, 2))
    if not raster:
        answers = (probability, ballot.spread, ballot.votes, ballot.log_odds, heat)
        return dict(zip(_OUTPUTS, answers, strict=True))
    lacking = np.isfinite(pixels).any(axis=1).mean(axis=(1, 2)) < LEAST_VALID
    drawn = np.ones((2, len(pixels), 1, TILE, TILE), np.float32)
    drawn[0] *= probability[:, None, None, None]
    drawn[1] *= np.kron(heat, np.ones((TILE // HEAT, TILE // HEAT), np.float32))[:, None]
    drawn[:, lacking] = np.nan
    return dict(zip(_MAPS, drawn, strict=True))
