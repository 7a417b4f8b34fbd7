"""From a table and patches to a bundle folder with its measured card."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from landslide_core.bundle import Bundle, load_bundle, save_bundle
from landslide_core.errors import DatasetError, MissingLabels
from landslide_core.network import NetworkOptions
from landslide_core.prefilter import COMPLETE, FilterOptions
from landslide_core.training.crossvalidate import (
    Plan,
    Sources,
    cross_validate,
    fit_final_filter,
    judge_all,
    judgement_scores,
    out_of_fold,
)
from landslide_core.training.dataset import LEAST_SCAR, load_patches, simulated_tiles
from landslide_core.training.fit import Report, TrainOptions
from landslide_core.training.surrogate import read_table

# Simulated scenes to train on and to test on never share a seed; the sample scene has its own.
_TRAIN_SEED: Final = 1000
_TEST_SEEDS: Final = (9000, 9001, 9002, 9003)
_SCENE_SIZE: Final = 512  # pixels a side
_SCENE_SCARS: Final = 16


@dataclass(frozen=True)
class TrainInputs:
    """Where the data lie."""

    table: Path  # band statistics with labels
    patches: Path  # a folder of ID.npy and labels.csv, for the same IDs
    scenes: int  # simulated scenes to train on beside


def plan_of(members: int, epochs: int, seed: int) -> Plan:
    """The training plan the command line offers; everything else stays at its default."""
    return Plan(
        NetworkOptions(),
        TrainOptions(members=members, epochs=epochs, seed=seed),
        FilterOptions(seed=seed),
    )


def train_bundle(
    inputs: TrainInputs, plan: Plan, out: Path, work: Path, device: torch.device, report: Report
) -> Bundle:
    """Cross-validate, fit the filter that ships, measure, write. Resumes fold by fold.

    Raises DatasetError where table and patches do not fit together.
    """
    report("reading patches and simulating scenes")
    sources = _sources(inputs)
    folds = cross_validate(sources, plan, work, device, report)
    report("fitting the filter on all rows")
    prefilter = fit_final_filter(sources, plan.filter)
    members = tuple(fold.member for fold in folds)
    report("scoring on simulated scenes of other seeds")
    unseen = simulated_tiles(_TEST_SEEDS, _SCENE_SIZE, _SCENE_SCARS, stride=64)
    bundle = Bundle(out.name, out, "", prefilter, members, plan.network, {})
    simulated = judgement_scores(judge_all(bundle, unseen, device), unseen.labels)
    card = {
        "name": out.name,
        "patches": {
            "pixels": "surrogate: real labels and band statistics, invented arrangement",
            "rows": len(sources.patches),
            "positives": int(sources.patches.labels.sum()),
        },
        "simulated": {
            "train_scenes": inputs.scenes,
            "train_tiles": 0 if sources.simulated is None else len(sources.simulated),
            "test_scenes": len(_TEST_SEEDS),
            "least_scar_pixels": LEAST_SCAR,
        },
        "plan": asdict(plan),
        "out_of_fold": out_of_fold(folds, sources.patches.labels),
        "simulated_unseen": simulated,
        "filter_threshold": prefilter.thresholds[COMPLETE],
        "member_thresholds": [member.threshold for member in members],
    }
    save_bundle(out, prefilter, members, plan.network, card, card_text(card))
    return load_bundle(out)


def _sources(inputs: TrainInputs) -> Sources:
    patches = load_patches(inputs.patches, inputs.patches / "labels.csv")
    table = read_table(inputs.table).set_index("ID", drop=False)
    if "label" not in table:
        raise MissingLabels(
            f"{inputs.table} has no column 'label'; labelled rows are needed to fit. Add it."
        )
    absent = [name for name in patches.ids if name not in table.index]
    if absent:
        raise DatasetError(
            f"{len(absent)} patches have no row in {inputs.table} (first: {absent[0]}); every "
            "patch needs its row of band statistics. Use the table the patches were made from."
        )
    table = table.loc[list(patches.ids)].reset_index(drop=True)
    if not np.array_equal(table["label"].to_numpy(), patches.labels):
        raise DatasetError(
            f"{inputs.table} and {inputs.patches}/labels.csv disagree on labels. Use the labels "
            "that belong to the table."
        )
    seeds = range(_TRAIN_SEED, _TRAIN_SEED + inputs.scenes)
    simulated = (
        simulated_tiles(seeds, _SCENE_SIZE, _SCENE_SCARS, stride=32) if inputs.scenes else None
    )
    return Sources(patches, table, simulated)


_COLUMNS: Final = (
    "f1", "precision", "recall", "auc", "average_precision", "brier", "ece", "filter_recall",
    "dropped_fraction",
)  # fmt: skip


def card_text(card: Mapping[str, Any]) -> str:
    """The model card as Markdown; every figure comes from the card itself."""
    patches, simulated, found = card["patches"], card["simulated"], card["out_of_fold"]
    lines = [
        f"# Model card: {card['name']}",
        "",
        f"Two stages: an XGBoost negative filter, then {len(card['member_thresholds'])} feature "
        "pyramid networks that vote on eight views of each 64×64 tile.",
        "",
        "## What it was fitted on",
        "",
        f"- **{patches['rows']} surrogate patches** ({patches['positives']} positive). Labels and",
        "  per-band statistics are real (see Licence); the arrangement of the pixels is invented",
        "  by a generator that never sees the label. The filter was fitted on the real",
        "  statistics themselves.",
        f"- **{simulated['train_tiles']} tiles of {simulated['train_scenes']} simulated scenes**:",
        "  invented terrain and pixels, labels from the outlines of the simulated scars (a tile",
        f"  counts with at least {simulated['least_scar_pixels']} scar pixels, 0.1 ha).",
        "",
        "**No real labelled Sentinel pixels were used: none were to be had. How well the networks",
        "do on real scenes is not known.**",
        "",
        "## Surrogate patches, out of fold",
        "",
        "Each row is judged by the filter and the one member that never saw it, thresholds from",
        "inner splits; tiles that the filter drops count as negative answers.",
        "",
        "| fold | " + " | ".join(name.replace("_", " ") for name in _COLUMNS) + " |",
        "|---" * (len(_COLUMNS) + 1) + "|",
        *(_row(str(k + 1), scores) for k, scores in enumerate(found["folds"])),
        _row("**all**", found["pooled"]),
        "",
        "The members together have seen every row, so the ensemble as a whole has no honest figure",
        "on these rows; single members out of fold are the nearest to one.",
        "",
        f"Filter alone: AUC {found['filter']['auc']:.4f}, average precision "
        f"{found['filter']['average_precision']:.4f}, recall {found['filter']['recall']:.4f} at "
        f"{found['filter']['dropped_fraction']:.1%} dropped.",
        "",
        f"## Simulated scenes of seeds never trained on ({simulated['test_scenes']} scenes)",
        "",
        "| | " + " | ".join(name.replace("_", " ") for name in _COLUMNS) + " |",
        "|---" * (len(_COLUMNS) + 1) + "|",
        _row("all", card["simulated_unseen"]),
        "",
        "## Limits",
        "",
        "- Probabilities are corrected for the sampling of the training only; they are not",
        "  calibrated on real scenes.",
        "- With inputs missing (no optical image, one pass, no pre-event date) the filter uses",
        "  thresholds of its own; the networks saw such tiles in training, but their thresholds",
        "  were chosen on complete ones.",
        "- `uncertain` means that fewer than two thirds of the votes agree. Its error rate has",
        "  not been measured.",
        "",
        "## Licence and attribution",
        "",
        'CC BY-SA 4.0. Fitted on statistics of "Zindi / ITU AI for Good, Classification for',
        'Landslide Detection".',
        "",
    ]
    return "\n".join(lines)


def _row(name: str, scores: Mapping[str, float]) -> str:
    return f"| {name} | " + " | ".join(f"{scores[column]:.3f}" for column in _COLUMNS) + " |"
