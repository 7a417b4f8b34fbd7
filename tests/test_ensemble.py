"""The eight views, the votes, and the network they come from."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CPU, TINY, balanced, inputs_of, raw_patches

from landslide_core.ensemble import Ballot, Member, cast_votes, heat_map, view
from landslide_core.judgement import VIEWS
from landslide_core.moments import moments
from landslide_core.network import LandslideFPN, NetworkOptions
from landslide_core.preprocess import model_input

ALL = range(len(VIEWS))


@pytest.fixture(scope="module")
def members():
    """Three unfitted members."""
    networks = []
    for seed in range(3):
        torch.manual_seed(seed)
        networks.append(Member(LandslideFPN(TINY).eval(), 0.5))
    return networks


@pytest.fixture(scope="module")
def inputs():
    """Five read-only model inputs."""
    made = inputs_of(raw_patches(balanced(5)))[2]
    made.flags.writeable = False
    return made


@pytest.fixture
def asymmetric():
    """A tile that no turn or mirror maps onto itself."""
    return torch.arange(36.0).reshape(1, 1, 6, 6)


def test_there_are_eight_different_views_and_the_first_is_the_tile(asymmetric):
    assert len(VIEWS) == len(set(VIEWS)) == 8
    seen = {tuple(view(asymmetric, i).flatten().tolist()) for i in ALL}
    assert len(seen) == 8
    assert torch.equal(view(asymmetric, 0), asymmetric)


def test_the_views_form_a_group(asymmetric):
    views = [view(asymmetric, i) for i in ALL]
    for first in views:
        after = [[k for k in ALL if torch.equal(view(first, i), views[k])] for i in ALL]
        assert sorted(after) == [[k] for k in ALL]  # closed, and each reached exactly once


def test_every_view_can_be_undone(asymmetric):
    for i in ALL:
        assert any(torch.equal(view(view(asymmetric, i), j), asymmetric) for j in ALL)


def test_a_vote_is_the_member_s_answer_to_the_view(members, inputs):
    votes = cast_votes(members, inputs, CPU).votes
    tiles = torch.from_numpy(inputs.copy())
    with torch.inference_mode():
        for v in (0, 3, 6):
            expected = torch.sigmoid(members[1].network(view(tiles, v)))
            np.testing.assert_allclose(votes[:, 1, v], expected, atol=1e-5)


def test_votes_have_their_shape_and_range_and_leave_inputs_alone(members, inputs):
    before = inputs.copy()
    ballot = cast_votes(members, inputs, CPU)
    assert ballot.votes.shape == (5, 3, 8)
    assert ballot.votes.dtype == np.float32
    assert ((ballot.votes > 0) & (ballot.votes < 1)).all()
    assert np.ptp(ballot.votes, axis=2).min() > 0  # views differ
    assert np.ptp(ballot.votes, axis=1).min() > 0  # and members
    np.testing.assert_array_equal(inputs, before)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_batch_size_does_not_change_votes(members, inputs, batch):
    votes = cast_votes(members, inputs, CPU, batch).votes
    np.testing.assert_allclose(votes, cast_votes(members, inputs, CPU, 32).votes, atol=1e-5)


def test_spread_and_agreement_over_all_votes():
    votes = np.zeros((2, 2, 8), np.float32)
    votes[0, 0] = 0.5
    votes[1] = 0.25
    ballot = Ballot(votes, np.zeros(2, np.float32), np.array([0.5, 0.3], np.float32))
    np.testing.assert_allclose(ballot.spread, [0.25, 0.0])
    np.testing.assert_allclose(ballot.agreement, [0.5, 0.0])  # a vote at the threshold says yes


def test_the_shipped_network_gives_one_logit_a_tile(inputs):
    network = LandslideFPN(NetworkOptions()).eval()
    with torch.inference_mode():
        logits = network(torch.from_numpy(inputs[:2].copy()))
    assert logits.shape == (2,)
    assert torch.isfinite(logits).all()


def test_missing_channels_are_zeros_and_give_a_finite_answer(members):
    nothing = np.full((1, 12, 64, 64), np.nan, np.float32)
    inputs = model_input(nothing, np.zeros((1, 64, 64), bool))
    assert not inputs.any()
    assert np.isfinite(cast_votes(members, inputs, CPU).votes).all()


def test_the_mean_log_odds_are_over_members_and_views(members, inputs):
    ballot = cast_votes(members, inputs, CPU)
    odds = np.log(ballot.votes.astype(float) / (1 - ballot.votes.astype(float)))
    np.testing.assert_allclose(ballot.log_odds, odds.mean(axis=(1, 2)), atol=1e-4)
    assert np.ptp(ballot.log_odds) > 1e-3


def test_certain_votes_keep_their_log_odds(members, inputs):
    """A vote of 1.0 in float32 would have none of its own."""
    sure = LandslideFPN(TINY).eval()
    with torch.no_grad():
        sure.picture.answer.bias.fill_(40.0)
    ballot = cast_votes([Member(sure, 0.5)], inputs, CPU)
    assert (ballot.votes == 1).all()
    np.testing.assert_allclose(ballot.log_odds, 40, atol=2)


def test_values_beyond_ten_deviations_say_no_more_to_the_picture(members, inputs):
    def looked_at(level):
        changed = torch.from_numpy(inputs.copy())
        changed[:, 3, 10:20, 10:20] = level
        with torch.inference_mode():
            return members[0].network.look(changed)

    far, further, near = looked_at(10.0), looked_at(1e6), looked_at(5.0)
    assert torch.equal(far.picture, further.picture)
    assert torch.equal(far.heat, further.heat)
    assert (far.picture != near.picture).any()
    assert torch.isfinite(further.statistics).all()
    # Evenly spread statistics stay within ±3.1 whatever a pixel holds.
    assert (further.statistics - far.statistics).abs().max() < 20


def test_the_answer_is_what_both_parts_add_up_to(members, inputs):
    tiles = torch.from_numpy(inputs.copy())
    with torch.inference_mode():
        seen = members[0].network.look(tiles)
        torch.testing.assert_close(members[0].network(tiles), seen.statistics + seen.picture)
    assert seen.heat.shape == (5, 32, 32)
    assert seen.statistics.std() > 0
    assert seen.picture.std() > 0


def test_statistics_are_the_mean_of_the_voices(members, inputs):
    part = members[0].network.statistics
    known = moments(torch.from_numpy(inputs.copy()))
    with torch.inference_mode():
        scores = part.spread(*known).expand(TINY.voices, -1, -1)
        each = part.each(scores)
        assert each.shape == (TINY.voices, 5)
        assert (each[0] != each[1]).all()  # started and trained apart
        torch.testing.assert_close(part(*known), each.mean(dim=0))


def test_the_heat_map_is_the_mean_probability_of_each_cell(members, inputs):
    heat = heat_map(members, inputs, CPU)
    assert heat.shape == (5, 32, 32)
    with torch.inference_mode():
        cells = [
            torch.sigmoid(m.network.picture(torch.from_numpy(inputs.copy()))[1]) for m in members
        ]
    np.testing.assert_allclose(heat, torch.stack(cells).mean(dim=0), atol=1e-5)


@pytest.mark.parametrize("first", [0, 5, 9])
def test_every_branch_reaches_the_answer(members, inputs, first):
    changed = inputs.copy()
    changed[:, first] = 3.0
    votes = cast_votes(members, changed, CPU).votes
    assert (votes != cast_votes(members, inputs, CPU).votes).all()


def test_widths_are_options(inputs):
    wide = LandslideFPN(replace(TINY, trunk=(8, 12, 16), pyramid=12)).eval()
    assert cast_votes([Member(wide, 0.5)], inputs[:1], CPU).votes.shape == (1, 1, 8)
