"""Votes in rounds: a tile gets no more of them once its verdict is settled.

Every member votes at least once, so what members disagree on is known exactly; further views
narrow down only how a tile's turning changes what they see, which is little.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from landslide_core.backends import Backend
from landslide_core.calibration import Calibration, log_odds
from landslide_core.ensemble import UPRIGHT, Ballot, Member
from landslide_core.judgement import HEAT, ORDER, VIEWS

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Rounds:
    """When a tile has had votes enough; with `views=(8,)` it always gets all of them."""

    views: tuple[int, ...] = (1, 2, 4, 8)  # that every member has seen after each round
    errors: float = 3.0  # standard errors of the mean vote to stay off every limit
    floor: float = 0.05  # log-odds of the mean vote to stay off it at least

    def __post_init__(self) -> None:
        if list(self.views) != sorted(set(self.views)) or self.views[-1:] != (len(VIEWS),):
            raise ValueError(f"rounds of {self.views} views; they must rise to {len(VIEWS)}")


@dataclass(frozen=True)
class Stakes:
    """What N tiles' votes decide: z = evidence + weight · mean vote, held against limits."""

    evidence: Doubles  # (N,) log-odds, all that is known before the votes
    weight: Doubles  # (N,)
    limits: Doubles  # (N, 3) log-odds of lower, threshold and upper

    @staticmethod
    def of(calibrations: Sequence[Calibration], filter_score: Floats) -> "Stakes":
        """Stakes of tiles with their input combination's calibration and filter scores (N,)."""
        rows = np.array(
            [
                (c.filter_weight, c.bias, c.votes_weight, c.lower, c.threshold, c.upper)
                for c in calibrations
            ]
        ).reshape(-1, 6)
        evidence = rows[:, 0] * log_odds(filter_score) + rows[:, 1]
        limits = np.asarray(log_odds(rows[:, 3:]), np.float64)
        return Stakes(np.asarray(evidence, np.float64), rows[:, 2], limits)

    def take(self, tiles: NDArray[np.int_]) -> "Stakes":
        """The stakes of some tiles, in their order."""
        return Stakes(self.evidence[tiles], self.weight[tiles], self.limits[tiles])

    def clearance(self, mean_vote: Doubles) -> Doubles:
        """How far the mean vote may move before z meets a limit, log-odds (N,)."""
        z = self.evidence + self.weight * mean_vote
        away = np.abs(z[:, None] - self.limits).min(axis=1)
        reach = np.full(len(z), np.inf)  # votes without weight move nothing
        np.divide(away, np.abs(self.weight), out=reach, where=self.weight != 0)
        return reach


def vote(
    backend: Backend, members: Sequence[Member], inputs: Floats, stakes: Stakes, rounds: Rounds
) -> Ballot:
    """Let members vote on tiles (N, 13, 64, 64), round by round, until each verdict is settled.

    A tile's votes, and how many, do not depend on the tiles beside it.
    """
    exact = backend.statistics(inputs)  # (N, members)
    picture = np.full((len(inputs), len(members), len(VIEWS)), np.nan, np.float32)
    heat = np.zeros((len(inputs), HEAT, HEAT), np.float32)
    open_ = np.arange(len(inputs))
    seen = 0
    for views in rounds.views:
        new = ORDER[seen:views]
        cells = heat if UPRIGHT in new else None  # the first round, when every tile is open
        shown = backend.picture(inputs[open_], range(len(members)), new, cells)
        picture[open_[:, None], :, np.array(new)] = shown.transpose(0, 2, 1)
        seen = views
        looked = picture[open_][:, :, ORDER[:seen]].astype(np.float64)
        settled = _settled(exact[open_], looked, stakes.take(open_), rounds)
        open_ = open_[~settled]
        if not len(open_):
            break
    odds = exact[:, :, None] + picture
    return Ballot(
        votes=np.asarray(1 / (1 + np.exp(-odds)), np.float32),
        log_odds=np.asarray(np.nanmean(odds, axis=(1, 2), dtype=np.float64), np.float32),
        thresholds=np.array([member.threshold for member in members], np.float32),
        heat=heat,
    )


def _settled(exact: Floats, looked: Doubles, stakes: Stakes, rounds: Rounds) -> NDArray[np.bool_]:
    """Whether more votes would hardly change a verdict (N,), from pictures (N, members, views).

    Statistics are known of every member, so only the picture's mean is in doubt. Its error is
    taken as if the votes cast had been drawn at random from all (Cochran 1977, 2.5): more than it
    is, as every member has its equal share.
    """
    cast, of_all = looked.shape[1] * looked.shape[2], looked.shape[1] * len(VIEWS)
    mean = exact.mean(axis=1, dtype=np.float64) + looked.mean(axis=(1, 2))
    if cast < 2:
        return np.zeros(len(mean), bool)
    deviation = looked.std(axis=(1, 2), ddof=1)
    error = deviation * np.sqrt((1 - cast / of_all) / cast)
    return np.asarray(stakes.clearance(mean) > np.maximum(rounds.floor, rounds.errors * error))
