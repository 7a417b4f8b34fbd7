"""A small simulated scene, an unfitted bundle and a run of both, for tests of the app."""

from pathlib import Path

import numpy as np
import torch
import xgboost

from landslide_core.bands import BANDS
from landslide_core.bundle import Bundle, save_bundle
from landslide_core.calibration import Calibration
from landslide_core.combinations import COMBINATIONS
from landslide_core.ensemble import Member
from landslide_core.features import filter_features, table_features
from landslide_core.folder import Run
from landslide_core.manifest import CARD_TEXT, QUANTILES
from landslide_core.network import LandslideFPN, NetworkOptions
from landslide_core.plan import RunOptions
from landslide_core.prefilter import Prefilter
from landslide_core.readers.given import SceneInputs
from landslide_core.runs import predict_scene
from landslide_core.simulate import SimulationOptions, simulate, write_scene
from landslide_core.voices import Voices, VoiceShape


def write_tiny_scene(folder: Path, size: int = 320) -> SceneInputs:
    """Write a simulated scene and name its files by role."""
    write_scene(simulate(SimulationOptions(height=size, width=size, scars=4)), folder, 7)
    radar = {
        role: (folder / f"s1_{role}.tif",)
        for role in ("desc_pre", "desc_post", "asc_pre", "asc_post")
    }
    return SceneInputs(s2=(folder / "s2.tif", folder / "scl.tif"), **radar)


def write_tiny_bundle(path: Path, members: int = 2) -> Path:
    """Write a bundle that nothing was fitted to: its verdicts mean nothing."""
    rng = np.random.default_rng(0)
    tiles = rng.normal(0, 1, (64, 12, 64, 64)).astype(np.float32)
    tiles[:, :4] = 800 + 200 * tiles[:, :4]
    tiles[:, 4:] = -14 + 2 * tiles[:, 4:]
    features = filter_features(table_features(tiles))
    labels = rng.integers(0, 2, len(tiles))
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 3, "nthread": 1},
        xgboost.DMatrix(features.to_numpy(np.float32), labels),
        10,
    )
    thresholds = dict.fromkeys(COMBINATIONS, 0.5)
    torch.manual_seed(members)
    voices = Voices(features.shape[1], VoiceShape(number=2, width=8)).double().eval()
    options = NetworkOptions()
    networks = []
    for seed in range(members):
        torch.manual_seed(seed)
        networks.append(Member(LandslideFPN(options).eval(), 0.5))
    bundle = Bundle(
        name=path.name,
        path=path,
        sha256="",
        prefilter=Prefilter(booster, voices, tuple(features.columns), thresholds),
        members=tuple(networks),
        options=options,
        calibration=dict.fromkeys(COMBINATIONS, Calibration(0.5, 0.5, 0.0, 0.5, 0.4, 0.6)),
        quantiles={
            band.name: np.linspace(
                band.mean - 3 * band.std, band.mean + 3 * band.std, len(QUANTILES)
            ).tolist()
            for band in BANDS
        },
        card={"note": "unfitted"},
    )
    return save_bundle(bundle, {CARD_TEXT: b"Unfitted."})


def write_tiny_run(folder: Path, name: str = "tiny") -> Run:
    """Scene, bundle and run under one folder: scene/, models/default/ and runs/NAME/."""
    inputs = write_tiny_scene(folder / "scene")
    bundle = write_tiny_bundle(folder / "models" / "default")
    return predict_scene(inputs, RunOptions(bundle=bundle, device="cpu"), folder / "runs" / name)
