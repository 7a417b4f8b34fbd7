"""Scene and bundle in, one verdict a tile out: read, filter, vote, block of tiles by block."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from time import perf_counter
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from landslide_core.bands import INDEX, OPTICAL, TILE
from landslide_core.bundle import Bundle
from landslide_core.combinations import combination_of
from landslide_core.ensemble import VIEWS, cast_votes
from landslide_core.features import filter_features, table_features
from landslide_core.grid import Tiling, Window
from landslide_core.preprocess import cloud_by_brightness, model_input
from landslide_core.scene import Scene

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Progress = Callable[[str, int, int], None]  # stage, tiles done, tiles in all

VERDICTS: Final = ("no_data", "filtered_out", "stable", "uncertain", "landslide")
NO_DATA, FILTERED_OUT, STABLE, UNCERTAIN, LANDSLIDE = range(5)

LEAST_VALID: Final = 0.5  # share of a tile's pixels with any band, under which it is no_data
_BLOCK: Final = 16  # tiles read at once: bounds memory whatever the scene's width


@dataclass(frozen=True)
class Judgement:
    """What both stages say of N tiles; NaN where a stage never saw the tile."""

    verdict: NDArray[np.uint8]  # (N,) index into VERDICTS
    probability: Floats  # (N,) calibrated; the filter's score where it dropped the tile
    says_landslide: Flags  # (N,) the yes or no that scores are computed from
    spread: Floats  # (N,) standard deviation of the votes, 0..0.5
    agreement: Floats  # (N,) share of votes over their member's threshold
    filter_score: Floats  # (N,)
    cloud_fraction: Floats  # (N,) of the pixels seen by the optical sensor
    valid_fraction: Floats  # (N,) pixels with data in any band
    votes: Floats  # (N, members, 8)

    @staticmethod
    def room_for(count: int, members: int) -> "Judgement":
        """A judgement of `count` tiles nobody has looked at yet."""
        probability, spread, agreement, score, cloud, valid = np.full(
            (6, count), np.nan, np.float32
        )
        return Judgement(
            verdict=np.full(count, NO_DATA, np.uint8),
            probability=probability,
            says_landslide=np.zeros(count, bool),
            spread=spread,
            agreement=agreement,
            filter_score=score,
            cloud_fraction=cloud,
            valid_fraction=valid,
            votes=np.full((count, members, len(VIEWS)), np.nan, np.float32),
        )

    def put(self, start: int, part: "Judgement") -> None:
        """Write a part's tiles into this judgement, from the given tile on."""
        for field in fields(Judgement):
            values = getattr(part, field.name)
            getattr(self, field.name)[start : start + len(values)] = values

    @staticmethod
    def join(parts: "list[Judgement]") -> "Judgement":
        """One judgement from several, in order."""
        return Judgement(
            **{
                f.name: np.concatenate([getattr(p, f.name) for p in parts])
                for f in fields(Judgement)
            }
        )


@dataclass(frozen=True)
class Detections:
    """A whole scene's judgement, tile by tile in the tiling's order."""

    tiling: Tiling
    tiles: Judgement
    seconds: dict[str, float]  # spent a stage


def judge(
    pixels: Floats,
    cloud: Flags,
    bundle: Bundle,
    device: torch.device,
    seconds: dict[str, float] | None = None,
) -> Judgement:
    """Both stages on tiles (N, 12, 64, 64) in physical units with cloud flags (N, 64, 64)."""
    clock = seconds if seconds is not None else {}
    present = np.isfinite(pixels)
    valid = present.any(axis=1).mean(axis=(1, 2)).astype(np.float32)
    seen = present[:, [INDEX[band] for band in OPTICAL]].all(axis=1)
    with np.errstate(invalid="ignore"):
        clouded = (cloud & seen).sum(axis=(1, 2)) / seen.sum(axis=(1, 2))
    judged = Judgement.room_for(len(pixels), len(bundle.members))
    judged.valid_fraction[:], judged.cloud_fraction[:] = valid, clouded
    todo = np.flatnonzero(valid >= LEAST_VALID)
    if len(todo):
        with _timed(clock, "filter"):
            features = filter_features(table_features(pixels[todo]))
        inputs = model_input(pixels[todo], cloud[todo])
        _judge_known(judged, todo, inputs, features, bundle, device, clock)
    return judged


def judge_prepared(
    inputs: Floats, features: pd.DataFrame, bundle: Bundle, device: torch.device
) -> Judgement:
    """Both stages on tiles that are prepared already: model inputs (N, 13, 64, 64), features."""
    judged = Judgement.room_for(len(inputs), len(bundle.members))
    judged.valid_fraction[:] = 1
    judged.cloud_fraction[:] = inputs[:, 0].mean(axis=(1, 2))
    _judge_known(judged, np.arange(len(inputs)), inputs, features, bundle, device, {})
    return judged


def _judge_known(
    judged: Judgement,
    tiles: NDArray[np.int_],
    inputs: Floats,
    features: pd.DataFrame,
    bundle: Bundle,
    device: torch.device,
    clock: dict[str, float],
) -> None:
    """Write what both stages say of some tiles into a judgement; inputs and features are theirs."""
    with _timed(clock, "filter"):
        score = bundle.prefilter.score(features)
        dropped = score < bundle.prefilter.threshold(features)
    judged.filter_score[tiles] = score
    out, kept = tiles[dropped], tiles[~dropped]
    judged.verdict[out] = FILTERED_OUT
    judged.probability[out], judged.agreement[out] = score[dropped], 0.0
    if not len(kept):
        return
    with _timed(clock, "ensemble"):
        ballot = cast_votes(bundle.members, inputs[~dropped], device)
    judged.votes[kept] = ballot.votes
    judged.spread[kept], judged.agreement[kept] = ballot.spread, ballot.agreement
    for name, rows in _by_combination(features[~dropped]).items():
        calibration, here = bundle.calibration_of(name), kept[rows]
        probability = calibration.probability(judged.filter_score[here], ballot.log_odds[rows])
        judged.probability[here] = probability
        judged.says_landslide[here] = probability >= calibration.threshold
        judged.verdict[here] = np.select(
            [probability >= calibration.upper, probability < calibration.lower],
            [LANDSLIDE, STABLE],
            UNCERTAIN,
        )


def _by_combination(features: pd.DataFrame) -> dict[str, NDArray[np.int_]]:
    """Positions of the rows of each input combination."""
    names = np.array(combination_of(features))
    return {name: np.flatnonzero(names == name) for name in dict.fromkeys(names.tolist())}


def read_tiles(scene: Scene, windows: list[Window]) -> tuple[Floats, Flags]:
    """Pixels (N, 12, 64, 64) and cloud flags (N, 64, 64) of tiles of one row of a tiling."""
    left = min(window.col for window in windows)
    right = max(window.col for window in windows) + TILE
    block = Window(windows[0].row, left, TILE, right - left)
    pixels = scene.read(block)
    cloud = scene.read_cloud(block)
    if cloud is None:
        cloud = cloud_by_brightness(pixels)
    starts = [window.col - left for window in windows]
    return (
        np.stack([pixels[:, :, start : start + TILE] for start in starts]),
        np.stack([cloud[:, start : start + TILE] for start in starts]),
    )


def detect(
    scene: Scene,
    bundle: Bundle,
    device: torch.device,
    stride: int = TILE,
    progress: Progress | None = None,
) -> Detections:
    """Judge every tile of a scene; memory does not grow with its size."""
    tiling = Tiling(scene.grid.height, scene.grid.width, stride)
    seconds = {"read": 0.0, "filter": 0.0, "ensemble": 0.0}
    bundle.to(device)
    # One room for all results, made first: small arrays kept block by block would lie between
    # the large ones that come and go, and the process would grow with every block.
    tiles = Judgement.room_for(len(tiling), len(bundle.members))
    done = 0
    for windows in _blocks(tiling):
        with _timed(seconds, "read"):
            pixels, cloud = read_tiles(scene, windows)
        tiles.put(done, judge(pixels, cloud, bundle, device, seconds))
        done += len(windows)
        if progress:
            progress("detect", done, len(tiling))
    return Detections(tiling, tiles, seconds)


def _blocks(tiling: Tiling) -> Iterator[list[Window]]:
    for row in range(tiling.rows):
        for first in range(0, tiling.cols, _BLOCK):
            last = min(first + _BLOCK, tiling.cols)
            yield [tiling.window(row, col) for col in range(first, last)]


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the seconds spent inside to a stage's account."""
    start = perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + perf_counter() - start
