"""When a tile has had votes enough, by numbers that can be checked by hand."""

import numpy as np
import pytest

from landslide_core.calibration import Calibration
from landslide_core.ensemble import Member
from landslide_core.rounds import Rounds, Stakes, vote

HALF = Calibration(0.0, 1.0, 0.0, threshold=0.5, lower=0.25, upper=0.75)  # z is the mean vote
FULL = Rounds(views=(8,))


class Played:
    """A backend whose log-odds are given; it notes what it was asked for."""

    def __init__(self, statistics, picture):
        self.exact, self.shown = np.float32(statistics), np.float32(picture)
        self.asked = []

    def statistics(self, inputs):
        return self.exact[inputs[:, 0, 0, 0].astype(int)]

    def picture(self, inputs, members, views, heat=None):
        tiles = inputs[:, 0, 0, 0].astype(int)
        self.asked.append((tiles.tolist(), len(list(members)), list(views)))
        if heat is not None:
            heat[:] = tiles[:, None, None]
        return self.shown[np.ix_(tiles, list(members), list(views))]


def ask(statistics, picture, rounds, calibrations=None, rows=None, score=0.5):
    """Votes on played tiles, their number in the first pixel; and what the backend was asked."""
    rows = np.arange(len(statistics)) if rows is None else np.array(rows)
    inputs = np.zeros((len(rows), 13, 1, 1), np.float32)
    inputs[:, 0, 0, 0] = rows
    inputs.flags.writeable = False
    backend = Played(statistics, picture)
    members = [Member(None, threshold) for threshold in np.linspace(0.4, 0.6, picture.shape[1])]
    told = calibrations or [HALF] * len(rows)
    stakes = Stakes.of(told, np.full(len(rows), score, np.float32))
    return vote(backend, members, inputs, stakes, rounds), backend.asked


def test_a_clear_tile_gets_one_view_and_a_close_one_all():
    # Limits lie at −1.0986, 0 and 1.0986; the third tile sits on the threshold.
    statistics = np.array([[3.0] * 4, [-4.0] * 4, [0.0] * 4])
    tally, asked = ask(statistics, np.zeros((3, 4, 8)), Rounds(floor=0.2))
    assert tally.cast.tolist() == [4, 4, 32]
    assert [tiles for tiles, _, _ in asked] == [[0, 1, 2], [2], [2], [2]]
    assert sorted(v for _, _, views in asked for v in views) == list(range(8))
    assert np.isnan(tally.votes[0]).sum() == 28
    assert np.isfinite(tally.votes[2]).all()
    np.testing.assert_allclose(tally.log_odds, [3, -4, 0])


@pytest.mark.parametrize(("away", "settled"), [(0.205, True), (0.195, False)])
def test_the_floor_counts_from_the_nearest_limit(away, settled):
    for limit in (-np.log(3), 0, np.log(3)):
        for side in (-1, 1):
            statistics = np.full((1, 4), limit + side * away)
            tally, _ = ask(statistics, np.zeros((1, 4, 8)), Rounds(floor=0.2))
            assert (tally.cast[0] == 4) == settled


@pytest.mark.parametrize(("errors", "settled"), [(2.0, True), (2.3, False)])
def test_members_that_disagree_are_asked_again(errors, settled):
    # Pictures −1, −1, 1, 1: deviation √(4/3); with 4 of 32 votes the standard error is
    # √(4/3) · √((1 − 4/32)/4) = 0.5401. The mean is 1.1 beyond the upper limit: 2.04 of them.
    picture = np.repeat([[[-1.0], [-1.0], [1.0], [1.0]]], 8, axis=2)
    statistics = np.full((1, 4), np.log(3) + 1.1)
    tally, _ = ask(statistics, picture, Rounds(errors=errors, floor=0.0))
    assert (tally.cast[0] == 4) == settled


def test_members_that_differ_in_statistics_alone_are_not():
    """Statistics are known of every member; their disagreement is no error of the mean."""
    statistics = np.array([[2.0, -6.0, 8.0, 8.0]])  # mean 3
    tally, _ = ask(statistics, np.zeros((1, 4, 8)), Rounds())
    assert tally.cast[0] == 4
    assert tally.log_odds[0] == 3


def test_limits_are_those_of_the_calibration():
    """z = 0.5 · log-odds 0.8 + 2 · mean − 1, against log-odds of the limits."""
    own = Calibration(0.5, 2.0, -1.0, threshold=0.6, lower=0.1, upper=0.9)
    stakes = Stakes.of([own], np.float32([0.8]))
    nearest = (np.log(9) - (0.5 * np.log(4) + 2 * 1.0 - 1)) / 2  # the upper limit, from below
    assert stakes.clearance(np.array([1.0]))[0] == pytest.approx(nearest, abs=1e-6)
    weightless = Calibration(1.0, 0.0, 0.0, threshold=0.5, lower=0.4, upper=0.6)
    assert Stakes.of([weightless], np.float32([0.5])).clearance(np.array([1.0]))[0] == np.inf


def test_a_tile_gets_the_same_votes_in_any_company():
    rng = np.random.default_rng(0)
    statistics, picture = rng.normal(0, 1, (9, 4)), rng.normal(0, 0.4, (9, 4, 8))
    whole, _ = ask(statistics, picture, Rounds())
    assert len(set(whole.cast.tolist())) > 1
    rows = [7, 2, 5]
    part, _ = ask(statistics, picture, Rounds(), rows=rows)
    for name in ("votes", "log_odds", "cast", "spread", "agreement"):
        np.testing.assert_array_equal(getattr(part, name), getattr(whole, name)[rows])


def test_spread_and_agreement_are_of_the_votes_cast():
    statistics = np.array([[3.0, 3.0, 3.0, -1.0]])
    tally, _ = ask(statistics, np.zeros((1, 4, 8)), Rounds())
    votes = 1 / (1 + np.exp(-statistics[0]))
    assert tally.cast[0] == 4
    assert tally.spread[0] == pytest.approx(votes.std(), abs=1e-6)
    assert tally.agreement[0] == 0.75


def test_all_votes_give_the_full_ballot():
    rng = np.random.default_rng(1)
    statistics, picture = rng.normal(0, 2, (5, 4)), rng.normal(0, 0.4, (5, 4, 8))
    tally, asked = ask(statistics, picture, FULL)
    odds = statistics[:, :, None] + picture
    assert len(asked) == 1
    assert (tally.cast == 32).all()
    np.testing.assert_allclose(tally.log_odds, odds.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(tally.votes, 1 / (1 + np.exp(-odds)), atol=1e-6)


def test_verdicts_in_rounds_are_those_of_all_votes():
    """On 2,000 tiles whose pictures vary by member and by view, many of them near a limit."""
    rng = np.random.default_rng(2)
    statistics = rng.normal(0, 1.5, (2000, 10))
    picture = rng.normal(0, 0.15, (2000, 10, 1)) + rng.normal(0, 0.05, (2000, 10, 8))
    full, _ = ask(statistics, picture, FULL)
    quick, _ = ask(statistics, picture, Rounds())
    limits = np.array([-np.log(3), 0, np.log(3)])
    classes = [(t.log_odds[:, None] >= limits).sum(axis=1) for t in (full, quick)]
    assert (classes[0] == classes[1]).mean() >= 0.998
    assert quick.cast.mean() < 40


def test_rounds_that_never_end_are_refused():
    for views in ((1, 2), (4, 2, 8), ()):
        with pytest.raises(ValueError, match="rise to 8"):
            Rounds(views=views)


def test_the_heat_map_is_asked_for_once_and_of_every_tile():
    """What the backend wrote in the first round is kept, though later rounds have fewer tiles."""
    statistics = np.array([[9.0, 9.0], [0.1, 0.1], [9.0, 9.0]])
    ballot, asked = ask(statistics, np.zeros((3, 2, 8)), Rounds())
    assert [len(tiles) for tiles, _, _ in asked] == [3, 1, 1, 1][: len(asked)]
    assert ballot.heat.shape == (3, 32, 32)
    assert ballot.heat[:, 0, 0].tolist() == [0.0, 1.0, 2.0]
