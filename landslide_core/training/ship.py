"""From prepared patches to a bundle folder with its measured card."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from landslide_core.bands import BANDS
from landslide_core.bundle import Bundle, load_bundle, save_bundle
from landslide_core.learnt import Learnt
from landslide_core.manifest import CARD_TEXT, QUANTILES
from landslide_core.network import LandslideFPN, NetworkOptions
from landslide_core.training.boosting import boosting_alone
from landslide_core.training.calibrate import ALPHA
from landslide_core.training.card import card_text
from landslide_core.training.crossvalidate import Fold, Plan, Sources, split
from landslide_core.training.dataset import simulated_tiles
from landslide_core.training.energy import measured, total
from landslide_core.training.examples import groups_of
from landslide_core.training.figures import card_figures
from landslide_core.training.fit import Report
from landslide_core.training.measure import (
    chips_out_of_fold,
    final_calibration,
    on_unseen,
    out_of_fold,
)
from landslide_core.training.prefilter import fit_prefilter
from landslide_core.training.reality import distance, errors
from landslide_core.training.train import (
    SCENE_SCARS,
    SCENE_SIZE,
    TEST_SEEDS,
    TrainInputs,
    cross_validate,
)
from landslide_core.training.tuned import Tuning, keep_tuning

_TABLE: Final = (
    'CC BY-SA 4.0. Fitted on statistics of "Zindi / ITU AI for Good, Classification for Landslide '
    'Detection".'
)
_PATCHES: Final = "Fitted on patches whose licence is for those to state who provided them."
_CHIPS: Final = " Fitted also on chips of Landslide4Sense (IARAI)."


def train_bundle(
    inputs: TrainInputs,
    plan: Plan,
    out: Path,
    work: Path,
    device: torch.device,
    report: Report,
    workers: int = 1,
    tuning: Tuning | None = None,
) -> Bundle:
    """Cross-validate, fit what ships on all rows, measure, write. Resumes fold by fold.

    Rows that the plan's options were tuned on are left out of every figure. Raises DatasetError
    where the data do not fit together.
    """
    report("reading patches and simulating scenes")
    training = cross_validate(inputs, plan, work, device, report, workers)
    sources, folds = training.sources, training.folds
    labels = sources.patches.labels
    reported, chips = _reported(sources, tuning)
    if tuning is not None:
        keep_tuning(training.folder, tuning)
    with measured("fit what ships, measure", training.folder):
        report("fitting the filter on all rows")
        features = sources.patches.features if sources.table is None else sources.table
        bundle = Bundle(
            name=out.name,
            path=out,
            sha256="",
            prefilter=fit_prefilter(features, labels, plan.filter),
            members=tuple(fold.system.members[0] for fold in folds),
            options=plan.network,
            calibration=final_calibration(folds, labels),
            quantiles=band_quantiles(sources.patches.inputs),
            card={},
            learnt=Learnt.of(features, labels),
        )
        report("gradient boosting alone, in the same folds")
        found = out_of_fold(folds, labels, reported)
        found["boosting"] = boosting_alone(features, labels, split(labels, plan.train), reported)
        report("scoring on simulated scenes of other seeds")
        unseen = simulated_tiles(_test_seeds(inputs), SCENE_SIZE, SCENE_SCARS, stride=64)
        card = {
            **_described(out.name, sources, inputs, plan, folds),
            "out_of_fold": found,
            "simulated_unseen": on_unseen(bundle, unseen, device),
            "chips_out_of_fold": chips_out_of_fold(folds, sources, chips),
            "calibration": {name: asdict(fit) for name, fit in bundle.calibration.items()},
        }
        card["data"]["simulated"]["test_tiles"] = len(unseen)
        if tuning is not None:
            card["tuning"] = tuning.described(sources.patches.ids)
        if sources.table is not None:
            report("measuring the distance between surrogate patches and their rows")
            card["reality"] = _reality(sources, plan.train.seed)
    if energy := total(training.folder):
        card["energy"] = asdict(energy)
    figures = card_figures(card)
    bundle = Bundle(**{**vars(bundle), "card": card})
    save_bundle(bundle, {CARD_TEXT: card_text(card).encode(), **figures})
    return load_bundle(out)


def _test_seeds(inputs: TrainInputs) -> tuple[int, ...]:
    """No more scenes to test on than to train on, but one: a quick training stays quick."""
    return TEST_SEEDS[: max(1, inputs.scenes)]


def _reported(
    sources: Sources, tuning: Tuning | None
) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
    """Which patches and which chip tiles figures may be of; None means all of them."""
    if tuning is None:
        return None, None
    chips = None if sources.chips is None else ~tuning.saw(groups_of(sources.chips))
    return ~tuning.saw(sources.patches.ids), chips


def headline(card: Mapping[str, Any]) -> dict[str, Any]:
    """The few figures a training is remembered by."""
    pooled = card["out_of_fold"]["pooled"]
    names = ("f1", "precision", "recall", "auc", "ece", "filter_recall", "dropped_fraction")
    return {name: pooled[name] for name in names}


def _described(
    name: str, sources: Sources, inputs: TrainInputs, plan: Plan, folds: list[Fold]
) -> dict[str, Any]:
    """What the bundle is and what it was fitted on."""
    patches, simulated, chips = sources.patches, sources.simulated, sources.chips
    from_table = sources.table is not None
    data: dict[str, Any] = {
        "patches": {
            "rows": len(patches),
            "positives": int(patches.labels.sum()),
            "pixels": "surrogate: arranged by a generator from each row's statistics"
            if from_table
            else "as given",
            "features": "table" if from_table else "pixels",
        },
        "simulated": {
            "train_scenes": inputs.scenes,
            "train_tiles": 0 if simulated is None else len(simulated),
            "test_scenes": len(_test_seeds(inputs)),
        },
    }
    if chips is not None:
        data["chips"] = {
            "chips": len(set(groups_of(chips))),
            "tiles": len(chips),
            "positives": int(chips.labels.sum()),
        }
    return {
        "name": name,
        "members": len(folds),
        "plan": asdict(plan),
        "data": data,
        "alpha": ALPHA,
        "curves": [fold.curve for fold in folds],
        "member_thresholds": [fold.system.members[0].threshold for fold in folds],
        "network": network_cost(plan.network),
        "licence": (_TABLE if from_table else _PATCHES) + ("" if chips is None else _CHIPS),
    }


def network_cost(options: NetworkOptions) -> dict[str, float]:
    """Weights of one member, and its million multiply–adds for one view of one tile."""
    model = LandslideFPN(options).eval()
    return {"parameters": sum(p.numel() for p in model.parameters()), "mmac": mmac(model)}


def mmac(model: torch.nn.Module) -> float:
    """Million multiply–adds of convolutions and matrix products for one tile (13, 64, 64)."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.rand(1, 13, 64, 64))
    return float(counter.get_total_flops() / 2 / 1e6)


def band_quantiles(inputs: NDArray[np.float32]) -> dict[str, list[float]]:
    """Quantiles of each band's pixels over the tiles, in physical units, for a drift warning."""
    few = np.asarray(inputs[:, 1:, ::4, ::4])  # every sixteenth pixel says as much
    return {
        band.name: (
            np.quantile(few[:, i][few[:, i] != 0], QUANTILES) * band.std + band.mean
        ).tolist()
        for i, band in enumerate(BANDS)
        if (few[:, i] != 0).any()
    }


def _reality(sources: Sources, seed: int) -> dict[str, Any]:
    """Distance to reality of the surrogate patches, and what they miss of the statistics."""
    assert sources.table is not None
    made = sources.patches.features
    missed = errors(sources.table, made)
    return {
        **distance(sources.table, made, sources.patches.labels, seed),
        "errors": {" ".join(key): row for key, row in missed.to_dict(orient="index").items()},
    }
