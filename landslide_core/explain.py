"""Why, for one tile: what it looks like, what each stage weighed, and where in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from landslide_core.bundle import Bundle, load_bundle
from landslide_core.calibration import Calibration, log_odds
from landslide_core.combinations import COMPLETE, combination_of
from landslide_core.detect import read_tiles
from landslide_core.ensemble import VIEWS, heat_map, view
from landslide_core.errors import RunDamaged
from landslide_core.features import (
    LAYERS,
    STATISTICS,
    filter_features,
    table_features,
    tile_features,
)
from landslide_core.folder import Run
from landslide_core.grid import Tiling
from landslide_core.learnt import Learnt
from landslide_core.moments import moments
from landslide_core.network import HEAT
from landslide_core.places import is_address
from landslide_core.preprocess import model_input
from landslide_core.readers.inputs import open_scene
from landslide_core.rounds import ORDER

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Weighing:
    """How a tile's evidence adds up to its probability, all in log-odds."""

    combination: str  # of the tile's inputs
    calibrated_for: str  # the combination whose weights were taken, as this one has none
    calibration: Calibration
    filter_odds: float  # of the filter's score
    votes_odds: float  # mean over the votes that the run asked for

    @property
    def filter_part(self) -> float:
        """What the filter adds."""
        return self.calibration.filter_weight * self.filter_odds

    @property
    def votes_part(self) -> float:
        """What the votes add."""
        return self.calibration.votes_weight * self.votes_odds

    @property
    def total(self) -> float:
        """Both parts and the bias."""
        return self.filter_part + self.votes_part + self.calibration.bias

    @property
    def probability(self) -> float:
        """The total as a probability."""
        return float(1 / (1 + np.exp(-self.total)))


@dataclass(frozen=True)
class ErrorRates:
    """What a bundle's card says of its verdicts; None where it does not."""

    promised: float | None  # what both rates below are held to
    missed: float | None  # share of landslide tiles called stable or filtered out, out of fold
    false_alarm: float | None  # share of stable tiles called landslide, out of fold


@dataclass(frozen=True)
class TileExplanation:
    """One tile: its verdict as the run has it, what led there computed anew from its inputs."""

    pixels: Floats  # (12, 64, 64)
    cloud: NDArray[np.bool_]  # (64, 64)
    features: pd.DataFrame  # all hand-crafted features: a row a layer, a column a statistic
    contributions: list[tuple[str, float, float]]  # feature, value, log-odds; strongest first
    bias: float  # log-odds before any feature
    filter_score: float
    filter_threshold: float  # −inf: this combination of inputs is never dropped
    # What the ensemble says, also of a tile that the filter dropped; NaN without data.
    statistics: Floats  # (members,) log-odds by the tile's statistics, the same in every view
    picture: Floats  # (members, 8) log-odds that the picture adds, view by view
    heat: Floats  # (32, 32) probability of a landslide in each cell of 2×2 pixels
    votes_cast: int  # in the run, which stops asking once a verdict is settled; 0: none
    member_thresholds: Floats  # (members,)
    views: tuple[str, ...]
    weighing: Weighing | None  # None without data; of a dropped tile, what would have been
    rates: ErrorRates
    learnt: Learnt | None  # where features lay in the training; None: the bundle does not say
    verdict: str
    says_landslide: bool
    probability: float
    spread: float

    @property
    def votes(self) -> Floats:
        """Probability by each member and view, (members, 8)."""
        return np.asarray(1 / (1 + np.exp(-(self.statistics[:, None] + self.picture))))


def check_version(run: Run) -> None:
    """Raise RunDamaged where a version before votes in rounds wrote the run."""
    if "votes_cast" not in run.tiles:
        raise RunDamaged(
            f"{run.folder}/tiles.parquet has no column votes_cast: an earlier version wrote it, "
            "by another rule for votes; a run of this version is needed. Run the detection again."
        )


def check_inputs(run: Run) -> None:
    """Raise RunDamaged unless every file the run was made from is there, as large as it was.

    What lies behind an address is asked for when it is read.
    """
    for entry in run.meta["inputs"]:
        if is_address(entry["path"]):
            continue
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
