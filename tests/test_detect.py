"""Verdicts: by which rule, for which tiles, and the same whatever is read beside them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from affine import Affine
from conftest import CPU, EVEN, ORIGIN, TINY, scene_numbers, write_scene_files

from landslide_core.combinations import COMPLETE
from landslide_core.detect import all_votes, judge, judge_prepared
from landslide_core.engine import Account, Stream, stream_parts
from landslide_core.ensemble import Member
from landslide_core.features import filter_features, table_features
from landslide_core.grid import Tiling
from landslide_core.judgement import VERDICTS, Detections, Judgement
from landslide_core.network import LandslideFPN
from landslide_core.pace import Pace
from landslide_core.parts import parts_of
from landslide_core.preprocess import cloud_by_brightness, model_input
from landslide_core.readers.inputs import open_scene
from landslide_core.tiles import read_tiles


def says(odds, threshold=0.5):
    """A member whose every vote has the same log-odds."""
    network = LandslideFPN(TINY).eval()
    with torch.no_grad():
        network.statistics.weights[-1].zero_()
        network.statistics.bias.zero_()
        network.picture.answer.weight.zero_()
        network.picture.answer.bias.fill_(odds)
    return Member(network, threshold)


VOTES_ALONE = replace(EVEN, filter_weight=0.0, votes_weight=1.0)


def with_filter(bundle, limit, **parts):
    """The bundle with one filter threshold for every combination of inputs, and other parts."""
    limits = dict.fromkeys(bundle.prefilter.thresholds, limit)
    return replace(bundle, prefilter=replace(bundle.prefilter, thresholds=limits), **parts)


AT_ONCE = Pace(workers=1, height=512)


def detect(scene, bundle, stride=64, pace=AT_ONCE, account=None):
    """Every tile of a scene, through the engine."""
    tiling = Tiling(*scene.grid.shape, stride)
    stream = Stream(scene, tiling, bundle, all_votes(bundle, CPU), pace, account or Account())
    room = Judgement.room_for(len(tiling), len(bundle.members))
    for part, judged in stream_parts(stream, parts_of(tiling), lambda: None, None):
        room.scatter(part.places(tiling), judged)
    return Detections(tiling, room)


@pytest.fixture(scope="module")
def scene(scene_inputs):
    """The small scene, opened."""
    return open_scene(scene_inputs)


@pytest.fixture(scope="module")
def tiles(scene):
    """Pixels and cloud of the scene's second row of tiles: changed in column 2, none in 3."""
    tiling = Tiling(*scene.grid.shape)
    pixels, cloud = read_tiles(scene, [tiling.window(1, col) for col in range(4)])
    pixels.flags.writeable = False
    return pixels, cloud


@pytest.fixture(scope="module")
def whole(scene, bundle):
    """The scene's detections at stride 64."""
    return detect(scene, bundle)


def assert_same(one: Judgement, other: Judgement):
    """Everything equal; numbers of the network to the last digits."""
    np.testing.assert_array_equal(one.verdict, other.verdict)
    for name in ("filter_score", "cloud_fraction", "valid_fraction", "slope"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    for name in ("votes", "probability", "spread"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-5)


@pytest.mark.parametrize(
    ("probability", "verdict", "answer"),
    [
        (0.95, "landslide", True),
        (0.701, "landslide", True),
        (0.699, "uncertain", True),  # a yes, though not a sure one
        (0.501, "uncertain", True),
        (0.499, "uncertain", False),
        (0.301, "uncertain", False),
        (0.299, "stable", False),
        (0.05, "stable", False),
    ],
)
def test_verdict_and_answer_come_from_the_probability(bundle, tiles, probability, verdict, answer):
    """`EVEN` has its threshold at 0.5 and limits at 0.3 and 0.7."""
    member = says(float(np.log(probability / (1 - probability))))
    given = with_filter(bundle, -np.inf, members=(member,), calibration={COMPLETE: VOTES_ALONE})
    judged = judge(*tiles, given, all_votes(given, CPU))
    np.testing.assert_allclose(judged.probability[:3], probability, atol=1e-6)
    assert [VERDICTS[code] for code in judged.verdict] == [verdict] * 3 + ["no_data"]
    assert judged.says_landslide.tolist() == [answer] * 3 + [False]


def test_filter_and_votes_add_up_by_their_weights(bundle, tiles):
    members = says(3.0), says(-1.0)  # their mean log-odds are 1
    weights = replace(EVEN, filter_weight=0.8, votes_weight=1.5, bias=-0.2)
    given = with_filter(bundle, -np.inf, members=members, calibration={COMPLETE: weights})
    judged = judge(*tiles, given, all_votes(given, CPU))
    score = judged.filter_score[:3].astype(float)
    assert np.ptp(score) > 0.1
    odds = 0.8 * np.log(score / (1 - score)) + 1.5 * 1 - 0.2
    np.testing.assert_allclose(judged.probability[:3], 1 / (1 + np.exp(-odds)), atol=1e-6)


def test_each_tile_is_weighed_as_its_own_combination_of_inputs(bundle, tiles):
    """The second tile lacks a pass, of the third half a pass is there: nothing fits that."""
    pixels = tiles[0].copy()
    pixels[1, 8:] = np.nan
    pixels[2, 9] = np.nan
    calibration = {
        COMPLETE: replace(VOTES_ALONE, bias=1.0),
        "visible+nir+desc_post+desc_pre": replace(VOTES_ALONE, bias=-2.0),
    }
    given = with_filter(bundle, -np.inf, members=(says(0.0),), calibration=calibration)
    judged = judge(pixels, tiles[1], given, all_votes(given, CPU))
    odds = np.log(judged.probability[:3] / (1 - judged.probability[:3]))
    np.testing.assert_allclose(odds, [1.0, -2.0, 1.0], atol=1e-5)


@pytest.mark.parametrize("votes", [(1, 1, 1), (1, 1, 0), (1, 0), (0, 0, 0)])
def test_spread_and_agreement_are_of_the_votes(bundle, tiles, votes):
    members = tuple(says(20.0 if vote else -20.0) for vote in votes)
    given = with_filter(bundle, -np.inf, members=members)
    judged = judge(*tiles, given, all_votes(given, CPU))
    share = np.mean(votes)
    np.testing.assert_allclose(judged.spread[:3], np.sqrt(share * (1 - share)), atol=1e-6)
    np.testing.assert_allclose(judged.agreement[:3], share, atol=1e-6)


def test_each_vote_is_held_to_its_own_member_s_threshold(bundle, tiles):
    members = says(0.0, 0.4), says(0.0, 0.5), says(0.0, 0.6)  # every vote is 0.5
    given = with_filter(bundle, -np.inf, members=members)
    judged = judge(*tiles, given, all_votes(given, CPU))
    np.testing.assert_allclose(judged.agreement[:3], 2 / 3, atol=1e-6)


def test_tiles_without_data_are_unknown_and_nobody_judges_them(whole):
    judged = whole.tiles
    gone = judged.verdict == VERDICTS.index("no_data")
    assert np.flatnonzero(gone).tolist() == [0, 3, 7, 11]  # the hole, and the last 8 columns
    assert (judged.valid_fraction[gone] < 0.5).all()
    assert (judged.valid_fraction[~gone] >= 0.5).all()
    for name in ("probability", "spread", "agreement", "filter_score"):
        assert np.isnan(getattr(judged, name)[gone]).all(), name
    assert np.isnan(judged.votes[gone]).all()
    assert not judged.says_landslide[gone].any()


def test_valid_fraction_counts_pixels_with_any_band(whole):
    np.testing.assert_allclose(
        whole.tiles.valid_fraction.reshape(3, 4),
        [[0, 1, 1, 0.125], [1, 1, 1, 0.125], [0.5, 0.5, 0.5, 0.0625]],
    )


def test_dropped_tiles_have_a_score_and_no_votes(whole, bundle):
    judged = whole.tiles
    dropped = judged.verdict == VERDICTS.index("filtered_out")
    assert np.flatnonzero(dropped).tolist() == [1, 4, 5, 8, 9]  # where radar hasn't changed
    assert np.isnan(judged.votes[dropped]).all()
    assert np.isnan(judged.spread[dropped]).all()
    np.testing.assert_array_equal(judged.probability[dropped], judged.filter_score[dropped])
    assert not judged.says_landslide[dropped].any()
    limit = bundle.prefilter.thresholds[COMPLETE]
    seen = np.isfinite(judged.filter_score)
    np.testing.assert_array_equal(judged.filter_score[seen] < limit, dropped[seen])
    assert np.isfinite(judged.votes[seen & ~dropped]).all()


def test_a_filter_that_drops_everything_leaves_nothing_to_vote_on(bundle, tiles):
    given = with_filter(bundle, 2.0)
    judged = judge(*tiles, given, all_votes(given, CPU))
    assert [VERDICTS[code] for code in judged.verdict] == ["filtered_out"] * 3 + ["no_data"]
    assert np.isnan(judged.votes).all()


def test_nothing_but_no_data_is_judged_without_error(bundle):
    pixels = np.full((2, 12, 64, 64), np.nan, np.float32)
    judged = judge(pixels, np.zeros((2, 64, 64), bool), bundle, all_votes(bundle, CPU))
    assert [VERDICTS[code] for code in judged.verdict] == ["no_data"] * 2
    assert np.isnan(judged.cloud_fraction).all()


def test_cloud_fraction_is_of_the_pixels_the_optical_sensor_saw(bundle, tiles):
    pixels, cloud = (array[:1].copy() for array in tiles)
    cloud[:] = False
    cloud[0, :16] = True
    pixels[0, :4, :8] = np.nan  # half of the cloud, an eighth of the tile
    judged = judge(pixels, cloud, bundle, all_votes(bundle, CPU))
    np.testing.assert_allclose(judged.cloud_fraction, [8 / 56])
    pixels[0, :4] = np.nan
    unseen = judge(pixels, cloud, bundle, all_votes(bundle, CPU))
    assert np.isnan(unseen.cloud_fraction).all()  # not known, which is not 0
    assert VERDICTS[unseen.verdict[0]] != "no_data"


def test_a_missing_source_is_judged_by_its_own_threshold(bundle, tiles):
    pixels = tiles[0].copy()
    pixels[:, 8:] = np.nan  # no ascending pass
    limits = {**bundle.prefilter.thresholds, "visible+nir+desc_post+desc_pre": 2.0}
    changed = replace(bundle, prefilter=replace(bundle.prefilter, thresholds=limits))
    judged = judge(pixels, tiles[1], changed, all_votes(changed, CPU))
    assert [VERDICTS[code] for code in judged.verdict] == ["filtered_out"] * 3 + ["no_data"]


def test_prepared_tiles_get_the_same_judgement(bundle, tiles):
    pixels, cloud = (array[:3] for array in tiles)
    features = filter_features(table_features(pixels))
    prepared = judge_prepared(model_input(pixels, cloud), features, bundle, all_votes(bundle, CPU))
    assert_same(prepared, judge(pixels, cloud, bundle, all_votes(bundle, CPU)))
    np.testing.assert_array_equal(
        prepared.says_landslide, judge(pixels, cloud, bundle, all_votes(bundle, CPU)).says_landslide
    )


def test_judging_leaves_its_input_alone(bundle, tiles):
    before = tiles[0].copy()
    judge(*tiles, bundle, all_votes(bundle, CPU))
    np.testing.assert_array_equal(tiles[0], before)


@pytest.mark.parametrize("stride", [64, 32])
def test_tiles_come_in_the_tiling_s_order(scene, bundle, stride):
    found = detect(scene, bundle, stride)
    judged = found.tiles
    assert len(judged.verdict) == len(found.tiling)
    for i in (1, 2, len(found.tiling) // 2, len(found.tiling) - 1):
        window = found.tiling.window(*divmod(i, found.tiling.cols))
        pixels = scene.read(window)[None]
        alone = judge(pixels, cloud_by_brightness(pixels), bundle, all_votes(bundle, CPU))
        assert alone.valid_fraction[0] == judged.valid_fraction[i]
        np.testing.assert_array_equal(alone.filter_score[0], judged.filter_score[i])
        assert alone.verdict[0] == judged.verdict[i]


@pytest.mark.parametrize("pace", [Pace(1, 64), Pace(1, 128), Pace(3, 64)])
def test_how_much_is_done_at_once_does_not_matter(scene, bundle, monkeypatch, pace):
    monkeypatch.setattr("landslide_core.parts.WIDTH", 128)  # several parts, of two tiles' width
    monkeypatch.setattr("landslide_core.parts.HEIGHT", 128)
    at_once = detect(scene, bundle, 32)
    piecewise = detect(scene, bundle, 32, pace)
    assert_same(piecewise.tiles, at_once.tiles)
    assert at_once.tiles.placed.any()
    np.testing.assert_array_equal(piecewise.tiles.placed, at_once.tiles.placed)


def test_a_crop_along_tile_edges_gets_the_same_verdicts(bundle, whole, tmp_path):
    moved = ORIGIN @ Affine.translation(64, 64)
    inputs = write_scene_files(tmp_path, scene_numbers()[64:, 64:], moved)
    crop = detect(open_scene(inputs), bundle)
    assert (crop.tiling.rows, crop.tiling.cols) == (2, 3)
    kept = np.arange(12).reshape(3, 4)[1:, 1:].ravel()
    part = Judgement(**{name: values[kept] for name, values in vars(whole.tiles).items()})
    assert_same(crop.tiles, part)
    np.testing.assert_array_equal(crop.tiles.placed, part.placed)


def test_tiles_and_seconds_are_counted(scene, bundle):
    account = Account()
    detect(scene, bundle, account=account)
    assert account.tiles == 12
    assert set(account.seconds) == {"read", "filter", "ensemble"}
    assert all(value > 0 for value in account.seconds.values())
