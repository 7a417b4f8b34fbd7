"""Tiles and bundle in, one verdict a tile out: read, filter, vote."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from landslide_core.bands import INDEX, OPTICAL
from landslide_core.bundle import Bundle
from landslide_core.combinations import combination_of
from landslide_core.drift import placed
from landslide_core.ensemble import Ballot, cast_votes
from landslide_core.features import filter_features, table_features
from landslide_core.judgement import (
    FILTERED_OUT,
    LANDSLIDE,
    LEAST_VALID,
    STABLE,
    UNCERTAIN,
    Judgement,
    heat_codes,
)
from landslide_core.preprocess import model_input
from landslide_core.rounds import Stakes

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Ask = Callable[[Floats, Stakes], Ballot]  # model inputs of tiles, what is at stake -> votes


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


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Add the seconds spent inside to a stage's account."""
    start = perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + perf_counter() - start
