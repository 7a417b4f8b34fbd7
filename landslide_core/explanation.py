"""What there is to say of why a tile got its verdict."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landslide_core.bands import OPTICAL
from landslide_core.calibration import Calibration
from landslide_core.learnt import Learnt

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


@dataclass(frozen=True)
class Share:
    """Log-odds of the ensemble that go when an input goes; above 0 it spoke for a landslide."""

    statistics: float
    picture: float

    @property
    def total(self) -> float:
        """Both parts."""
        return self.statistics + self.picture


@dataclass(frozen=True)
class Without:
    """What the whole system would have said of the tile without a sensor."""

    share: Share
    probability: float  # NaN where nothing would be left
    verdict: str


@dataclass(frozen=True)
class Attribution:
    """One tile's log-odds by sensor, band and pixel."""

    odds: float  # mean over members and two views, with everything there
    sensors: dict[str, Without]  # those that the tile has
    bands: dict[str, Share]  # those that the tile has
    pixels: Floats  # (12, 64, 64) log-odds that each pixel of each band adds to the picture's
    picture: float  # the members' mean log-odds by the picture, upright
    start: float  # what they give the mean picture; with the sum of `pixels`, `picture`


def sensor_of(band: str) -> str:
    """The sensor that a band comes from: "optical", "desc" or "asc"."""
    return "optical" if band in OPTICAL else band.partition("_")[0]
