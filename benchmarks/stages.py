"""Read, features, filter, ensemble: each the reference's way and ours, on one scene's tiles."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks import ours, reference
from benchmarks.floor import multiply_adds
from benchmarks.reference_features import patch_features
from benchmarks.timing import Stage
from landslide_core.bundle import Bundle
from landslide_core.calibration import Calibration
from landslide_core.combinations import COMPLETE
from landslide_core.ensemble import Ballot, cast_votes
from landslide_core.errors import SceneError
from landslide_core.features import filter_features, table_features
from landslide_core.judgement import VIEWS
from landslide_core.preprocess import cloud_by_brightness, model_input
from landslide_core.readers.given import SceneInputs
from landslide_core.rounds import Stakes

Floats = NDArray[np.float32]

NAMES: Final = ("read", "features", "filter", "ensemble")


class FewTiles(SceneError):
    """The scene has fewer whole tiles than the stages are to be timed on."""


@dataclass(frozen=True)
class StageOptions:
    """On how many tiles each stage is timed, and where the networks run."""

    features: int = 128
    filter: int = 512
    ensemble: int = 32  # a batch of the reference's
    device: str = "cpu"


def make_stages(inputs: SceneInputs, bundle: Bundle, options: StageOptions) -> list[Stage]:
    """All stages, ready to be timed. Raises FewTiles."""
    tiles = ours.read(inputs)
    whole = tiles[np.isfinite(tiles).all(axis=(1, 2, 3))]
    if len(whole) < max(options.features, options.ensemble):
        raise FewTiles(
            f"The scene has {len(whole)} whole tiles; "
            f"{max(options.features, options.ensemble)} are needed. Choose a larger --size."
        )
    return [
        Stage(
            "read",
            len(tiles),
            lambda: reference.read_tiles(inputs),
            lambda: ours.read(inputs),
            compare_tiles,
        ),
        _features(_spread(whole, options.features)),
        _filter(bundle, whole, options.filter),
        _ensemble(bundle, whole, options),
    ]


def _spread(tiles: Floats, count: int) -> Floats:
    """As many tiles, evenly chosen over the scene."""
    return np.asarray(tiles[np.linspace(0, len(tiles) - 1, count).astype(int)])


def _features(tiles: Floats) -> Stage:
    return Stage(
        "features",
        len(tiles),
        lambda: patch_features(tiles),
        lambda: ours.features(tiles),
        compare_features,
    )


def _filter(bundle: Bundle, whole: Floats, count: int) -> Stage:
    """The trees' scores of a table of features; tiles are repeated where the scene has fewer."""
    table = filter_features(table_features(whole))
    table = table.iloc[np.arange(count) % len(table)].reset_index(drop=True)
    named = table[list(bundle.prefilter.features)]
    return Stage(
        "filter",
        count,
        lambda: reference.filter_scores(bundle.prefilter.booster, named),
        lambda: ours.filter_scores(bundle.prefilter, table),
        compare_scores,
    )


def _ensemble(bundle: Bundle, whole: Floats, options: StageOptions) -> Stage:
    """Votes on tiles that the filter keeps: only those reach our networks."""
    features = filter_features(table_features(whole))
    score = bundle.prefilter.score(features)
    kept = np.flatnonzero(score >= bundle.prefilter.threshold(features))
    if len(kept) < options.ensemble:
        raise FewTiles(
            f"The filter keeps {len(kept)} tiles of the scene; {options.ensemble} are needed. "
            "Choose a larger --size."
        )
    chosen = kept[np.linspace(0, len(kept) - 1, options.ensemble).astype(int)]
    inputs = model_input(whole[chosen], cloud_by_brightness(whole[chosen]))
    networks = reference.make_networks()
    panel = ours.ensemble(bundle, options.device)
    stakes = Stakes.of([bundle.calibration_of(COMPLETE)] * len(chosen), score[chosen])
    # Of the votes that are cast: the rest of the saving shows in the ratio.
    cast = float(panel.ask(inputs, stakes).cast.mean())
    work = (
        len(networks) * len(VIEWS) * multiply_adds(networks[0]),
        cast * multiply_adds(bundle.members[0].network),
    )
    return Stage(
        "ensemble",
        len(inputs),
        lambda: reference.cast_votes(networks, inputs),
        lambda: panel.ask(inputs, stakes),
        lambda _, ballot: compare_votes(
            bundle.calibration_of(COMPLETE),
            score[chosen],
            cast_votes(bundle.members, inputs, torch.device("cpu")),
            ballot,
        ),
        work,
    )


def compare_tiles(theirs: Floats, found: Floats) -> dict[str, float]:
    """Greatest difference of optical bands, and the median and 99 % one of radar in dB."""
    optical = np.abs(theirs[:, :4] - found[:, :4])
    radar = np.abs(theirs[:, 4:] - found[:, 4:])
    return {
        "optical_greatest": float(np.nanmax(optical)),
        "radar_median_db": float(np.nanmedian(radar)),
        "radar_99_percent_db": float(np.nanquantile(radar, 0.99)),
    }


def compare_features(theirs: pd.DataFrame, found: pd.DataFrame) -> dict[str, float]:
    """Features that both have, and the share of their values that agree bit for bit."""
    shared = [name for name in theirs.columns if name in found.columns]
    one, other = theirs[shared].to_numpy(np.float32), found[shared].to_numpy(np.float32)
    same = (one == other) | (np.isnan(one) & np.isnan(other))
    far = np.abs(one - other) / np.maximum(np.abs(one), 1e-3)
    return {
        "features": float(len(shared)),
        "identical_share": float(same.mean()),
        "greatest_relative_difference": float(np.nanmax(far)),
    }


def compare_scores(theirs: Floats, found: Floats) -> dict[str, float]:
    """Share of identical scores; anything but all of them is a mistake."""
    if not np.array_equal(theirs, found):
        raise AssertionError("the filter's scores differ from those of a DataFrame")
    return {"identical_share": 1.0}


def compare_votes(
    calibration: Calibration, score: Floats, full: Ballot, ballot: Ballot
) -> dict[str, float]:
    """Verdicts and probabilities beside those of all votes of our own networks in float32."""
    wanted, found = (calibration.probability(score, b.log_odds) for b in (full, ballot))
    limits = (calibration.lower, calibration.upper)
    same = np.digitize(wanted, limits) == np.digitize(found, limits)
    apart = np.abs(wanted - found)
    return {
        "equal_verdicts_share": float(same.mean()),
        "mean_votes_cast": float(ballot.cast.mean()),
        "mean_probability_difference": float(apart.mean()),
        "greatest_probability_difference": float(apart.max()),
    }
