"""Votes in rounds beside all votes: how often a verdict differs, and how far a probability."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import ours
from landslide_core.bundle import Bundle
from landslide_core.detect import all_votes, judge_prepared
from landslide_core.features import filter_features, table_features
from landslide_core.grid import Tiling
from landslide_core.judgement import Judgement
from landslide_core.preprocess import model_input
from landslide_core.readers.given import SceneInputs
from landslide_core.readers.inputs import open_scene
from landslide_core.tiles import cut_tiles, enclosing, read_block
from landslide_core.training.dataset import PatchSet, simulated_tiles
from landslide_core.training.prepare import load_prepared

_CHUNK = 128  # tiles judged at once


def of_scene(inputs: SceneInputs) -> PatchSet:
    """All tiles of a scene that have data in most of their pixels, without labels."""
    scene = open_scene(inputs)
    windows = list(Tiling(*scene.grid.shape).windows())
    ground = enclosing(windows)
    pixels, cloud = cut_tiles(*read_block(scene, ground), ground, windows)
    seen = np.isfinite(pixels).any(axis=1).mean(axis=(1, 2)) >= 0.5
    pixels, cloud = pixels[seen], cloud[seen]
    return PatchSet(
        ids=tuple(f"tile {i}" for i in np.flatnonzero(seen)),
        inputs=model_input(pixels, cloud),
        features=filter_features(table_features(pixels)),
        labels=np.zeros(len(pixels), int),
    )


def agree(bundle: Bundle, sets: dict[str, PatchSet], backend: str) -> dict[str, Any]:
    """For each set: tiles that enter the ensemble, and how rounds differ from all votes there."""
    panel = ours.ensemble(bundle, "cpu", backend)
    full = all_votes(bundle, torch.device("cpu"))
    found = {}
    for name, tiles in sets.items():
        parts: list[tuple[Judgement, Judgement]] = []
        for start in range(0, len(tiles), _CHUNK):
            part = slice(start, start + _CHUNK)
            given = np.asarray(tiles.inputs[part]), tiles.features[part], bundle
            parts.append((judge_prepared(*given, full), judge_prepared(*given, panel.ask)))
        wanted, asked = (Judgement.join(list(column)) for column in zip(*parts, strict=True))
        found[name] = compare(wanted, asked)
    return found


def compare(wanted: Judgement, asked: Judgement) -> dict[str, float]:
    """Rounds against all votes, on tiles that entered the ensemble."""
    entered = wanted.votes_cast > 0
    same = (wanted.verdict == asked.verdict) & (wanted.says_landslide == asked.says_landslide)
    apart = np.abs(wanted.probability - asked.probability)[entered]
    spread = np.abs(wanted.spread - asked.spread)[entered]
    return {
        "tiles": float(entered.sum()),
        "equal_verdicts_share": float(same[entered].mean()),
        "mean_probability_difference": float(apart.mean()),
        "greatest_probability_difference": float(apart.max()),
        "mean_spread_difference": float(spread.mean()),
        "mean_votes_cast": float(asked.votes_cast[entered].mean()),
    }


def sets_of(sample: SceneInputs, prepared: Path | None) -> dict[str, PatchSet]:
    """The sample scene, simulated scenes of unseen seeds and, where given, prepared patches."""
    found = {
        "sample scene": of_scene(sample),
        "simulated, unseen seeds": simulated_tiles(range(9000, 9004), 512, 16, stride=64),
    }
    return found if prepared is None else found | {"prepared patches": load_prepared(prepared)}
