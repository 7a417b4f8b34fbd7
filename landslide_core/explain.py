"""Why, for one tile: what it looks like, what each stage weighed, and where in it."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from landslide_core.bundle import Bundle, load_bundle
from landslide_core.calibration import log_odds
from landslide_core.combinations import COMPLETE, combination_of
from landslide_core.ensemble import heat_map, view
from landslide_core.errors import RunDamaged
from landslide_core.explanation import ErrorRates, TileExplanation, Weighing
from landslide_core.features import (
    LAYERS,
    STATISTICS,
    filter_features,
    table_features,
    tile_features,
)
from landslide_core.folder import Run, check_inputs, check_version
from landslide_core.grid import Tiling
from landslide_core.judgement import HEAT, ORDER, VIEWS
from landslide_core.moments import moments
from landslide_core.preprocess import model_input
from landslide_core.readers.inputs import open_scene
from landslide_core.tiles import read_tiles

Floats = NDArray[np.float32]


def explain_tile(run: Run, tile_id: int) -> TileExplanation:
    """Read a tile again and take both stages apart.

    Raises SceneError or BundleError where inputs or bundle moved, RunDamaged where they are no
    longer those the run was made with or there is no such tile.
    """
    check_version(run)
    bundle = load_bundle(run.bundle_path)
    if bundle.sha256 != run.meta["bundle"]["sha256"]:
        raise RunDamaged(
            f"The bundle at {run.bundle_path} has changed since the run was made, so its votes "
            "cannot be shown. Run the detection again."
        )
    check_inputs(run)
    scene = open_scene(run.inputs())
    tiling = Tiling(scene.grid.height, scene.grid.width, run.meta["stride"])
    if not 0 <= tile_id < len(tiling):
        raise RunDamaged(f"There is no tile {tile_id}; the run has 0 to {len(tiling) - 1}.")
    pixels, cloud = read_tiles(scene, [tiling.window(*divmod(tile_id, tiling.cols))])
    judged = run.tiles.set_index("tile_id").loc[tile_id]
    features = filter_features(table_features(pixels))
    return TileExplanation(
        pixels=pixels[0],
        cloud=cloud[0],
        features=pd.DataFrame(
            tile_features(pixels).to_numpy().reshape(len(LAYERS), len(STATISTICS)),
            index=list(LAYERS),
            columns=list(STATISTICS),
        ),
        **_filter_part(bundle, features),
        **_ensemble_part(bundle, pixels, cloud, features, _asked(judged, len(bundle.members))),
        votes_cast=int(judged["votes_cast"]),
        member_thresholds=np.array([m.threshold for m in bundle.members], np.float32),
        views=VIEWS,
        rates=_rates(bundle),
        learnt=bundle.learnt,
        verdict=str(judged["verdict"]),
        says_landslide=bool(judged["says_landslide"]),
        probability=float(judged["probability"]),
        spread=float(judged["spread"]),
    )


def _filter_part(bundle: Bundle, features: pd.DataFrame) -> dict[str, Any]:
    """What the filter weighed in one tile, as fields of the explanation."""
    shares, bias = bundle.prefilter.contributions(features)
    names = bundle.prefilter.features
    values = features[list(names)].to_numpy()[0]
    order = np.argsort(-np.abs(shares[0]))
    return {
        "contributions": [(names[i], float(values[i]), float(shares[0, i])) for i in order],
        "bias": bias,
        "filter_score": float(bundle.prefilter.score(features)[0]),
        "filter_threshold": float(bundle.prefilter.threshold(features)[0]),
    }


def _asked(judged: "pd.Series[Any]", members: int) -> tuple[int, ...]:
    """The views that the run showed the members; all of a dropped tile, none without data."""
    if judged["verdict"] == "no_data":
        return ()
    return ORDER[: int(judged["votes_cast"]) // members or len(ORDER)]


def _ensemble_part(
    bundle: Bundle,
    pixels: Floats,
    cloud: NDArray[np.bool_],
    features: pd.DataFrame,
    asked: tuple[int, ...],
) -> dict[str, Any]:
    """What the ensemble saw in one tile and what its votes weigh, as fields of the explanation."""
    if not asked:
        return {
            "statistics": np.full(len(bundle.members), np.nan, np.float32),
            "picture": np.full((len(bundle.members), len(VIEWS)), np.nan, np.float32),
            "heat": np.full((HEAT, HEAT), np.nan, np.float32),
            "weighing": None,
        }
    inputs = model_input(pixels, cloud)
    statistics, picture = look_at(bundle, inputs)
    name = combination_of(features)[0]
    return {
        "statistics": statistics,
        "picture": picture,
        "heat": heat_map(bundle.members, inputs, torch.device("cpu"))[0],
        "weighing": Weighing(
            combination=name,
            calibrated_for=name if name in bundle.calibration else COMPLETE,
            calibration=bundle.calibration_of(name),
            filter_odds=float(log_odds(bundle.prefilter.score(features))[0]),
            votes_odds=float((statistics[:, None] + picture[:, asked]).mean()),
        ),
    }


@torch.inference_mode()
def look_at(bundle: Bundle, inputs: Floats) -> tuple[Floats, Floats]:
    """Log-odds by one tile's statistics (members,), and what its picture adds (members, 8).

    Their sums are the log-odds that `ensemble.cast_votes` votes with. Input (1, 13, 64, 64).
    """
    tile = torch.tensor(inputs)
    known = moments(tile)
    # Channels last, as `cast_votes` has them: sums come out the same to the last digit.
    seen = [view(tile, v).contiguous(memory_format=torch.channels_last) for v in range(len(VIEWS))]
    networks = [member.network for member in bundle.members]
    statistics = [float(network.statistics(*known)[0]) for network in networks]
    picture = [[float(network.picture(shown)[0][0]) for shown in seen] for network in networks]
    return np.array(statistics, np.float32), np.array(picture, np.float32)


def _rates(bundle: Bundle) -> ErrorRates:
    measured = bundle.card.get("out_of_fold", {}).get("verdicts", {})
    return ErrorRates(bundle.card.get("alpha"), measured.get("missed"), measured.get("false_alarm"))
