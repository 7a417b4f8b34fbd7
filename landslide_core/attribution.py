"""What each input did to the ensemble's log-odds of one tile, and where in its picture.

Two questions, two methods. *What would change without it?* A pass, the optical bands or one band
are taken away as missing inputs are (0 in the model input: statistics at the training's median,
picture at the mean), and every member is asked again: occlusion (Zeiler & Fergus
2014). *Where did the picture's share come from?* Integrated gradients (Sundararajan et al. 2017)
from the mean picture, all 0, which add up to what the picture says more than it would of that.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from landslide_core.bands import BAND_NAMES, INDEX
from landslide_core.bundle import Bundle
from landslide_core.combinations import GROUPS, blank, blank_inputs, combination_of
from landslide_core.ensemble import view
from landslide_core.explanation import Attribution, Share, Without, sensor_of
from landslide_core.features import filter_features, table_features
from landslide_core.judgement import ORDER
from landslide_core.moments import moments
from landslide_core.preprocess import model_input

Floats = NDArray[np.float32]

SENSORS: Final[dict[str, tuple[str, ...]]] = {  # by the groups of inputs that go with it
    "optical": ("visible", "nir"),
    "desc": ("desc_post", "desc_pre"),
    "asc": ("asc_post", "asc_pre"),
}
_STEPS: Final = 8  # of the path along which gradients are added up


def attribute(bundle: Bundle, pixels: Floats, cloud: NDArray[np.bool_]) -> Attribution:
    """Take one tile (12, 64, 64) with its cloud flag (64, 64) apart; it must hold data.

    The picture is looked at upright and, for sensors, in one more view: a run asks for no more
    where the verdict is plain (`rounds`), and all eight would take seconds.
    """
    inputs = model_input(pixels[None], cloud[None])
    there = [name for name in BAND_NAMES if inputs[0, 1 + INDEX[name]].any()]
    sensors = [name for name in SENSORS if any(sensor_of(band) == name for band in there)]
    kept = ["+".join(g for g in GROUPS if g not in SENSORS[name]) for name in sensors]
    whole = _asked(bundle, [inputs, *(blank_inputs(inputs, left) for left in kept)], ORDER[:2])
    bands = _asked(bundle, [inputs, *(_without_band(inputs, name) for name in there)], ORDER[:1])
    features = filter_features(table_features(pixels[None]))
    where, upright, start = picture_shares(bundle, inputs)
    return Attribution(
        odds=float(whole[0].sum()),
        sensors={
            name: Without(
                Share(*(whole[0] - whole[1 + i]).tolist()),
                *_judged(bundle, blank(features, kept[i]), float(whole[1 + i].sum())),
            )
            for i, name in enumerate(sensors)
        },
        bands={name: Share(*(bands[0] - bands[1 + i]).tolist()) for i, name in enumerate(there)},
        pixels=where,
        picture=upright,
        start=start,
    )


def picture_shares(
    bundle: Bundle, inputs: Floats, steps: int = _STEPS
) -> tuple[Floats, float, float]:
    """Integrated gradients of the members' pictures of one model input (1, 13, 64, 64).

    Log-odds by band and pixel (12, 64, 64), the mean log-odds of the picture and of a picture
    all 0. The cloud flag stays as it is on the whole way. What the steps miss of the way is given
    to the pixels by their weight, so that the shares add up.
    """
    tile = torch.tensor(inputs)
    base = torch.zeros_like(tile)
    base[:, 0] = tile[:, 0]
    places = (torch.arange(steps) + 0.5) / steps
    path = (base + places[:, None, None, None] * (tile - base)).contiguous(
        memory_format=torch.channels_last
    )
    slopes, ends = torch.zeros_like(tile[0]), torch.zeros(2)
    for member in bundle.members:
        along = path.clone().requires_grad_()
        slopes += torch.autograd.grad(member.network.picture(along)[0].sum(), along)[0].mean(dim=0)
        with torch.no_grad():
            ends += member.network.picture(torch.cat([base, tile]))[0]
    slopes, ends = slopes / len(bundle.members), ends / len(bundle.members)
    shares = (slopes * (tile - base)[0])[1:]
    return _completed(shares, float(ends[1] - ends[0])), float(ends[1]), float(ends[0])


def _without_band(inputs: Floats, name: str) -> Floats:
    left = np.array(inputs)
    left[:, 1 + INDEX[name]] = 0
    return left


@torch.inference_mode()
def _asked(bundle: Bundle, variants: list[Floats], views: Sequence[int]) -> Floats:
    """Members' mean log-odds by statistics, and by picture over some views: (N, 2)."""
    tiles = torch.tensor(np.concatenate(variants))
    known = moments(tiles)
    networks = [member.network for member in bundle.members]
    statistics = torch.stack([network.statistics(*known) for network in networks]).mean(dim=0)
    picture = torch.zeros(len(tiles))
    for v in views:
        seen = view(tiles, v).contiguous(memory_format=torch.channels_last)
        for network in networks:
            picture += network.picture(seen)[0]
    return torch.stack([statistics, picture / (len(views) * len(networks))], dim=1).numpy()


def _judged(bundle: Bundle, features: pd.DataFrame, odds: float) -> tuple[float, str]:
    """Probability and verdict of both stages on what is left of a tile."""
    name = combination_of(features)[0]
    if not name:
        return float("nan"), "no_data"
    score = bundle.prefilter.score(features)
    if score[0] < bundle.prefilter.threshold(features)[0]:
        return float(score[0]), "filtered_out"
    fit = bundle.calibration_of(name)
    probability = float(fit.probability(score, np.array([odds], np.float32))[0])
    if probability >= fit.upper:
        return probability, "landslide"
    return probability, "stable" if probability < fit.lower else "uncertain"


def _completed(shares: Tensor, wanted: float) -> Floats:
    """Shares that add up to what is wanted."""
    weight = shares.abs() / shares.abs().sum().clamp(min=1e-12)
    return (shares + weight * (wanted - shares.sum())).numpy()
