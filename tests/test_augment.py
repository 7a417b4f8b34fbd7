"""Random changes of training tiles: on copies, by the seed, and true to what they claim."""

import numpy as np
import pytest
import torch
from conftest import balanced, inputs_of, raw_patches

from landslide_core.bands import CHANNELS, OPTICAL
from landslide_core.combinations import COMBINATIONS, COMPLETE, blank_inputs, channels_without
from landslide_core.ensemble import view
from landslide_core.judgement import VIEWS
from landslide_core.training.augment import cloud_over, drop_inputs, erase, rescale, turn

OPTICAL_AT = [i for i, channel in enumerate(CHANNELS) if channel.name in OPTICAL]
RADAR_AT = slice(5, 13)
MEAN = torch.tensor([CHANNELS[i].mean for i in OPTICAL_AT])[:, None, None]
STD = torch.tensor([CHANNELS[i].std for i in OPTICAL_AT])[:, None, None]

CHANGES = {
    "turn": lambda tiles, rng: turn(tiles, tiles[:, 3] > 0, rng)[0],
    "erase": lambda tiles, rng: erase(tiles, 1.0, rng),
    "drop_inputs": lambda tiles, rng: drop_inputs(tiles, 1.0, rng),
    "cloud_over": lambda tiles, rng: cloud_over(tiles, 1.0, rng),
    "rescale": lambda tiles, rng: rescale(tiles, torch.ones(len(tiles), dtype=torch.bool), rng),
}


@pytest.fixture(scope="module")
def batch():
    """Six model inputs, complete, cloud free."""
    inputs = inputs_of(raw_patches(balanced(6)))[2]
    inputs[:, 0] = 0
    assert (inputs[:, 1:] != 0).all()
    return torch.from_numpy(inputs)


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_made_on_copies_by_the_seed(batch, name):
    change, before = CHANGES[name], batch.clone()
    first, again, other = (change(batch, np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert torch.equal(batch, before)
    assert first.untyped_storage().data_ptr() != batch.untyped_storage().data_ptr()
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, before)


@pytest.mark.parametrize("change", [erase, drop_inputs, cloud_over])
def test_only_the_share_asked_for_is_changed(batch, change):
    tiles = batch.repeat(30, 1, 1, 1)
    changed = (change(tiles, 0.3, np.random.default_rng(0)) != tiles).any(dim=(1, 2, 3))
    untouched = change(tiles, 0.0, np.random.default_rng(0))
    assert torch.equal(untouched, tiles)
    assert untouched.data_ptr() != tiles.data_ptr()
    assert 0.15 < changed.float().mean() < 0.45


def test_turning_gives_each_tile_one_of_the_eight_views_and_its_mask_the_same(batch):
    tiles = batch[:1].repeat(64, 1, 1, 1)
    masks = tiles[:, 3] > tiles[:, 3].median()
    turned, turned_masks = turn(tiles, masks, np.random.default_rng(0))
    views = [view(tiles[:1], i)[0] for i in range(len(VIEWS))]
    chosen = [[i for i, v in enumerate(views) if torch.equal(tile, v)] for tile in turned]
    assert all(len(match) == 1 for match in chosen)
    assert {match[0] for match in chosen} == set(range(8))
    assert torch.equal(turned_masks, turned[:, 3] > tiles[:, 3].median())
    assert turned_masks.dtype == torch.bool


def test_erasing_blanks_one_rectangle_in_all_channels(batch):
    clouded = batch.clone()
    clouded[:, 0] = 1
    for tile in erase(clouded, 1.0, np.random.default_rng(0)):
        gone = (tile == 0).all(dim=0)
        assert torch.equal((tile == 0).any(dim=0), gone)
        rows, cols = (gone.any(dim=axis).nonzero().flatten() for axis in (1, 0))
        tall, wide = len(rows), len(cols)
        assert 8 <= tall <= 24
        assert 8 <= wide <= 24
        assert gone.sum() == tall * wide
        assert rows[-1] - rows[0] + 1 == tall
        assert cols[-1] - cols[0] + 1 == wide


def test_dropping_inputs_leaves_one_of_the_combinations():
    tiles = torch.ones(1500, 13, 2, 2)
    gone_under = {tuple(channels_without(name)): name for name in COMBINATIONS}
    seen = set()
    for tile in drop_inputs(tiles, 1.0, np.random.default_rng(0)):
        gone = (tile == 0).all(dim=(1, 2))
        assert torch.equal((tile == 0).any(dim=2).any(dim=1), gone)  # channels go whole
        seen.add(gone_under[tuple(gone.nonzero().flatten().tolist())])
    assert seen == set(COMBINATIONS) - {COMPLETE}


@pytest.mark.parametrize("there", ["visible+nir", "desc_post+desc_pre", "visible+asc_post"])
def test_dropping_brings_nothing_back_and_leaves_no_tile_empty(batch, there):
    tiles = torch.from_numpy(blank_inputs(batch.numpy(), there)).repeat(40, 1, 1, 1)
    left = drop_inputs(tiles, 1.0, np.random.default_rng(0))
    assert not left[tiles == 0].any()
    assert (left[:, 1:] != 0).any(dim=(1, 2, 3)).all()
    assert not torch.equal(left, tiles)


def test_clouds_are_painted_over_optical_bands_and_flagged(batch):
    clouded = cloud_over(batch, 1.0, np.random.default_rng(0))
    painted = (clouded[:, OPTICAL_AT] != batch[:, OPTICAL_AT]).all(dim=1)
    assert torch.equal(clouded[:, 0] == 1, painted)
    untouched = ~painted[:, None].expand(-1, len(OPTICAL_AT), -1, -1)
    assert torch.equal(clouded[:, OPTICAL_AT][untouched], batch[:, OPTICAL_AT][untouched])
    assert torch.equal(clouded[:, RADAR_AT], batch[:, RADAR_AT])
    assert (painted.float().mean(dim=(1, 2)) > 0.04).all()
    assert (painted.float().mean(dim=(1, 2)) < 0.61).all()
    level = (clouded[:, OPTICAL_AT] * STD + MEAN)[painted[:, None].expand(-1, 4, -1, -1)]
    assert level.min() > 3000  # bright in every band


def test_clouds_keep_what_was_clouded_before(batch):
    before = batch.clone()
    before[:, 0, :8] = 1
    assert (cloud_over(before, 1.0, np.random.default_rng(0))[:, 0, :8] == 1).all()


def test_no_cloud_over_a_tile_without_an_optical_image(batch):
    radar = torch.from_numpy(blank_inputs(batch.numpy(), "desc_post+desc_pre+asc_post+asc_pre"))
    assert torch.equal(cloud_over(radar, 1.0, np.random.default_rng(0)), radar)


def test_rescaling_multiplies_the_chosen_tiles_reflectance_band_by_band(batch):
    chosen = torch.tensor([True, False, True, True, False, True])
    scaled = rescale(batch, chosen, np.random.default_rng(0))
    assert torch.equal(scaled[~chosen], batch[~chosen])
    others = [i for i in range(13) if i not in OPTICAL_AT]
    assert torch.equal(scaled[:, others], batch[:, others])
    ratio = (scaled[chosen][:, OPTICAL_AT] * STD + MEAN) / (
        batch[chosen][:, OPTICAL_AT] * STD + MEAN
    )
    bright = (batch[chosen][:, OPTICAL_AT] * STD + MEAN) > 100
    for tile, seen in zip(ratio, bright, strict=True):
        levels = [band[there].median() for band, there in zip(tile, seen, strict=True)]
        for band, there, level in zip(tile, seen, levels, strict=True):
            torch.testing.assert_close(band[there], level.expand(there.sum()), rtol=2e-3, atol=0)
        assert max(levels) / min(levels) < 1.6  # bands go together
        assert max(levels) != min(levels)


def test_rescaling_keeps_missing_pixels_missing(batch):
    holed = batch.clone()
    holed[:, OPTICAL_AT, :10] = 0
    everyone = torch.ones(len(holed), dtype=torch.bool)
    scaled = rescale(holed, everyone, np.random.default_rng(0))
    assert (scaled[:, OPTICAL_AT, :10] == 0).all()
    assert (scaled[:, OPTICAL_AT, 10:] != holed[:, OPTICAL_AT, 10:]).float().mean() > 0.99
