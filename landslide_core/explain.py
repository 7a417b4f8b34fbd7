"""Why, for one tile: what it looks like, what the filter weighed, how the members voted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landslide_core.bundle import load_bundle
from landslide_core.detect import FILTERED_OUT, VERDICTS, judge, read_tiles
from landslide_core.ensemble import VIEWS, cast_votes
from landslide_core.errors import RunDamaged
from landslide_core.features import (
    LAYERS,
    STATISTICS,
    filter_features,
    table_features,
    tile_features,
)
from landslide_core.grid import Tiling
from landslide_core.preprocess import model_input
from landslide_core.readers.inputs import open_scene
from landslide_core.runs import Run, resolve_device

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TileExplanation:
    """One tile, computed anew from the run's inputs."""

    pixels: Floats  # (12, 64, 64)
    cloud: NDArray[np.bool_]  # (64, 64)
    features: pd.DataFrame  # all hand-crafted features: a row a layer, a column a statistic
    contributions: list[tuple[str, float, float]]  # feature, value, log-odds; strongest first
    bias: float  # log-odds before any feature
    filter_score: float
    filter_threshold: float  # −inf: this combination of inputs is never dropped
    votes: Floats  # (members, 8), also for a tile that the filter dropped; NaN without data
    member_thresholds: Floats  # (members,)
    views: tuple[str, ...]
    verdict: str
    probability: float
    spread: float


def check_inputs(run: Run) -> None:
    """Raise RunDamaged unless every file the run was made from is there, as large as it was."""
    for entry in run.meta["inputs"]:
        path = Path(entry["path"])
        if not path.is_file():
            raise RunDamaged(
                f"{path} is not there any more; the run was made from it. Put it back, or run the "
                "detection again on other files."
            )
        if (size := path.stat().st_size) != entry["bytes"]:
            raise RunDamaged(
                f"{path} has changed since the run was made ({size:,} bytes, then "
                f"{entry['bytes']:,}), so it no longer shows what was judged. Put the old file "
                "back, or run the detection again."
            )


def explain_tile(run: Run, tile_id: int) -> TileExplanation:
    """Read a tile again and take both stages apart.

    Raises SceneError or BundleError where inputs or bundle moved, RunDamaged where they are no
    longer those the run was made with or there is no such tile.
    """
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
    device = resolve_device("cpu")
    judgement = judge(pixels, cloud, bundle, device)
    features = filter_features(table_features(pixels))
    shares, bias = bundle.prefilter.contributions(features)
    votes = judgement.votes
    if judgement.verdict[0] == FILTERED_OUT:  # the ensemble was not asked then
        votes = cast_votes(bundle.members, model_input(pixels, cloud), device).votes
    names = bundle.prefilter.features
    values = features[list(names)].to_numpy()[0]
    order = np.argsort(-np.abs(shares[0]))
    return TileExplanation(
        pixels=pixels[0],
        cloud=cloud[0],
        features=pd.DataFrame(
            tile_features(pixels).to_numpy().reshape(len(LAYERS), len(STATISTICS)),
            index=list(LAYERS),
            columns=list(STATISTICS),
        ),
        contributions=[(names[i], float(values[i]), float(shares[0, i])) for i in order],
        bias=bias,
        filter_score=float(bundle.prefilter.score(features)[0]),
        filter_threshold=float(bundle.prefilter.threshold(features)[0]),
        votes=votes[0],
        member_thresholds=np.array([m.threshold for m in bundle.members], np.float32),
        views=VIEWS,
        verdict=VERDICTS[judgement.verdict[0]],
        probability=float(judgement.probability[0]),
        spread=float(judgement.spread[0]),
    )
