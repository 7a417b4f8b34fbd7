"""The reference's way from files to votes, stated again: everything in memory, patch by patch.

Per-patch features, a filter on a DataFrame, ten models in a loop, each image turned in Python,
batches of 32, float32 on torch. Its weights are random: what is measured is what it costs.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd
import rasterio
import torch
import xgboost
from numpy.typing import NDArray
from rasterio.warp import Resampling, reproject
from torch import Tensor, nn

from landslide_core.bands import ADDED, BAND_NAMES, INDEX, POLARISATIONS, RADAR_ROLES, radar_band
from landslide_core.grid import Tiling, cut
from landslide_core.judgement import VIEWS
from landslide_core.readers.given import SceneInputs
from landslide_core.training.reference import ReferenceFPN, ReferenceOptions

Floats = NDArray[np.float32]

MEMBERS: Final = 10
BATCH: Final = 32


def read_tiles(inputs: SceneInputs) -> Floats:
    """All tiles (N, 12, 64, 64) of a benchmark scene, every band read and warped whole."""
    with rasterio.open(inputs.s2[0]) as file:
        crs, transform, shape = file.crs, file.transform, file.shape
        pixels = np.full((len(BAND_NAMES), *shape), np.nan, np.float32)
        for name, plane in zip(("blue", "green", "red", "nir"), file.read(), strict=True):
            pixels[INDEX[name]] = np.where(plane == 0, np.nan, plane.astype(np.float32) - ADDED)
    for role in RADAR_ROLES:
        with rasterio.open(inputs.given(role)[0]) as file:
            stored = file.read()
            if file.tags()["UNITS"] == "dB":
                stored = 10 ** (stored / 10)
            power = np.zeros((len(stored), *shape), np.float32)
            reproject(
                stored,
                power,
                src_transform=file.transform,
                src_crs=file.crs,
                dst_transform=transform,
                dst_crs=crs,
                dst_nodata=0,
                resampling=Resampling.bilinear,
            )
        for polarisation, plane in zip(POLARISATIONS, power, strict=True):
            known = np.where(plane > 0, plane, np.nan)
            pixels[INDEX[radar_band(role, polarisation)]] = 10 * np.log10(known)
    return cut(pixels, Tiling(*shape))


def filter_scores(booster: xgboost.Booster, features: pd.DataFrame) -> Floats:
    """Filter scores (N,) of a table of features, a DMatrix for every 32 rows."""
    starts = range(0, len(features), BATCH)
    tables = (features.iloc[start : start + BATCH] for start in starts)
    parts = [booster.predict(xgboost.DMatrix(table)) for table in tables]
    return np.concatenate(parts)


def make_networks(count: int = MEMBERS) -> list[nn.Module]:
    """Reference networks with random weights, in evaluation mode."""
    networks: list[nn.Module] = []
    for seed in range(count):
        torch.manual_seed(seed)
        networks.append(ReferenceFPN(ReferenceOptions()).eval())
    return networks


def cast_votes(networks: Sequence[nn.Module], inputs: Floats) -> Floats:
    """Votes (N, members, 8) on model inputs (N, 13, 64, 64): probabilities, model by model."""
    votes = np.empty((len(inputs), len(networks), len(VIEWS)), np.float32)
    with torch.no_grad():
        for member, network in enumerate(networks):
            for view in range(len(VIEWS)):
                done = 0
                for batch in _batches(inputs, view):
                    cast = torch.sigmoid(network(batch)).numpy()
                    votes[done : done + len(cast), member, view] = cast
                    done += len(cast)
    return votes


def _batches(inputs: Floats, view: int) -> Iterator[Tensor]:
    """Batches of 32 images, each turned by itself."""
    for start in range(0, len(inputs), BATCH):
        images = [turned(image, view) for image in inputs[start : start + BATCH]]
        batch = torch.stack([torch.from_numpy(image) for image in images])
        yield batch.contiguous(memory_format=torch.channels_last)


def turned(image: Floats, view: int) -> Floats:
    """One image (13, h, w) under one of the eight views, a copy."""
    mirrored = np.flip(image, axis=-1) if view >= 4 else image
    return np.rot90(mirrored, view % 4, axes=(-2, -1)).copy()
