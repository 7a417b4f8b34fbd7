"""Tiles and bundle in, one verdict a tile out: read, filter, vote."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from time import perf_counter
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from landslide_core.bands import BANDS, INDEX, OPTICAL, TILE
from landslide_core.bundle import Bundle
from landslide_core.combinations import combination_of
from landslide_core.drift import BINS, placed
from landslide_core.ensemble import VIEWS, Ballot, cast_votes
from landslide_core.features import filter_features, table_features
from landslide_core.grid import Tiling, Window
from landslide_core.network import HEAT
from landslide_core.preprocess import bright, model_input
from landslide_core.rounds import Stakes
from landslide_core.scene import Scene, grown

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Progress = Callable[[str, int, int], None]  # stage, tiles done, tiles in all
Ask = Callable[[Floats, Stakes], Ballot]  # model inputs of tiles, what is at stake -> votes

VERDICTS: Final = ("no_data", "filtered_out", "stable", "uncertain", "landslide")
NO_DATA, FILTERED_OUT, STABLE, UNCERTAIN, LANDSLIDE = range(5)

HEAT_STEP: Final = 1 / 254  # probability between two codes of a heat map
LEAST_VALID: Final = 0.5  # share of a tile's pixels with any band, under which it is no_data


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
    votes: Floats  # (N, members, 8); NaN where none was needed any more
    votes_cast: NDArray[np.uint8]  # (N,)
    slope: Floats  # (N,) degrees, of the steepest hundredth; NaN where no DEM tells
    placed: NDArray[np.uint8]  # (N, 12, BINS) sampled pixels among the training's, of tiles judged
    heat: NDArray[np.uint8]  # (N, 32, 32) where in it, by `heat_codes`; 0: not voted on

    @staticmethod
    def room_for(count: int, members: int) -> "Judgement":
        """A judgement of `count` tiles nobody has looked at yet."""
        probability, spread, agreement, score, cloud, valid, slope = np.full(
            (7, count), np.nan, np.float32
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
            votes_cast=np.zeros(count, np.uint8),
            slope=slope,
            placed=np.zeros((count, len(BANDS), BINS), np.uint8),
            heat=np.zeros((count, HEAT, HEAT), np.uint8),
        )

    def put(self, start: int, part: "Judgement") -> None:
        """Write a part's tiles into this judgement, from the given tile on."""
        for field in fields(Judgement):
            values = getattr(part, field.name)
            getattr(self, field.name)[start : start + len(values)] = values

    def scatter(self, places: NDArray[np.int_], part: "Judgement") -> None:
        """Write a part's tiles to their places in this judgement, (n,)."""
        for field in fields(Judgement):
            getattr(self, field.name)[places] = getattr(part, field.name)

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


def all_votes(bundle: Bundle, device: torch.device) -> Ask:
    """Every member on every view, by torch: what calibrations are fitted on."""
    return lambda inputs, stakes: cast_votes(bundle.members, inputs, device)


def judge(
    pixels: Floats,
    cloud: Flags,
    bundle: Bundle,
    ask: Ask,
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
        known = pixels[todo]
        judged.placed[todo] = placed(known, bundle.quantiles)
        with timed(clock, "filter"):
            features = filter_features(table_features(known))
        inputs = model_input(known, cloud[todo])
        _judge_known(judged, todo, inputs, features, bundle, ask, clock)
    return judged


def judge_prepared(inputs: Floats, features: pd.DataFrame, bundle: Bundle, ask: Ask) -> Judgement:
    """Both stages on tiles that are prepared already: model inputs (N, 13, 64, 64), features."""
    judged = Judgement.room_for(len(inputs), len(bundle.members))
    judged.valid_fraction[:] = 1
    judged.cloud_fraction[:] = inputs[:, 0].mean(axis=(1, 2))
    _judge_known(judged, np.arange(len(inputs)), inputs, features, bundle, ask, {})
    return judged


def _judge_known(
    judged: Judgement,
    tiles: NDArray[np.int_],
    inputs: Floats,
    features: pd.DataFrame,
    bundle: Bundle,
    ask: Ask,
    clock: dict[str, float],
) -> None:
    """Write what both stages say of some tiles into a judgement; inputs and features are theirs."""
    with timed(clock, "filter"):
        score = bundle.prefilter.score(features)
        dropped = score < bundle.prefilter.threshold(features)
    judged.filter_score[tiles] = score
    out, kept = tiles[dropped], tiles[~dropped]
    judged.verdict[out] = FILTERED_OUT
    judged.probability[out], judged.agreement[out] = score[dropped], 0.0
    if not len(kept):
        return
    names = combination_of(features[~dropped])
    stakes = Stakes.of([bundle.calibration_of(name) for name in names], score[~dropped])
    with timed(clock, "ensemble"):
        ballot = ask(inputs[~dropped], stakes)
    judged.votes[kept], judged.votes_cast[kept] = ballot.votes, ballot.cast
    judged.spread[kept], judged.agreement[kept] = ballot.spread, ballot.agreement
    if ballot.heat is not None:
        judged.heat[kept] = heat_codes(ballot.heat)
    for name in dict.fromkeys(names):
        rows = np.flatnonzero(np.array(names) == name)
        calibration, here = bundle.calibration_of(name), kept[rows]
        probability = calibration.probability(judged.filter_score[here], ballot.log_odds[rows])
        judged.probability[here] = probability
        judged.says_landslide[here] = probability >= calibration.threshold
        judged.verdict[here] = np.select(
            [probability >= calibration.upper, probability < calibration.lower],
            [LANDSLIDE, STABLE],
            UNCERTAIN,
        )


def heat_codes(heat: Floats) -> NDArray[np.uint8]:
    """Probabilities 0..1 as 1..255, in steps of HEAT_STEP; 0 is left for what is not known."""
    return np.asarray(np.rint(heat / HEAT_STEP) + 1, np.uint8)


def read_block(scene: Scene, window: Window) -> tuple[Floats, Flags]:
    """Pixels (12, height, width) and cloud flags (height, width) of a window of a scene."""
    pixels = scene.read(window)
    cloud = scene.read_cloud(window)
    if cloud is None:
        reach = scene.cloud.reach
        red = scene.band("red", grown(window, reach)) if reach else pixels[INDEX["red"]]
        cloud = scene.cloud.spread(bright(red))
    return pixels, cloud


def cut_tiles(
    pixels: Floats, cloud: Flags, ground: Window, windows: Sequence[Window]
) -> tuple[Floats, Flags]:
    """Tiles (N, 12, 64, 64) and their cloud flags (N, 64, 64) from what was read of `ground`."""
    places = [
        (
            slice(window.row - ground.row, window.row - ground.row + TILE),
            slice(window.col - ground.col, window.col - ground.col + TILE),
        )
        for window in windows
    ]
    return np.stack([pixels[:, r, c] for r, c in places]), np.stack(
        [cloud[r, c] for r, c in places]
    )


def enclosing(windows: Sequence[Window]) -> Window:
    """The least window that holds tiles' windows."""
    top, left = min(w.row for w in windows), min(w.col for w in windows)
    bottom, right = max(w.row for w in windows) + TILE, max(w.col for w in windows) + TILE
    return Window(top, left, bottom - top, right - left)


def read_tiles(scene: Scene, windows: Sequence[Window]) -> tuple[Floats, Flags]:
    """Pixels (N, 12, 64, 64) and cloud flags (N, 64, 64) of tiles that lie together."""
    ground = enclosing(windows)
    return cut_tiles(*read_block(scene, ground), ground, windows)


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the seconds spent inside to a stage's account."""
    start = perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + perf_counter() - start
