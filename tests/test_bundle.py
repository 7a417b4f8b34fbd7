"""A bundle folder: same answers after a round trip, no pickles, every damage noticed."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from conftest import CPU, EVEN, balanced, inputs_of, raw_patches

from landslide_core.bands import BAND_NAMES
from landslide_core.bundle import load_bundle, save_bundle
from landslide_core.combinations import COMBINATIONS, COMPLETE
from landslide_core.ensemble import cast_votes
from landslide_core.errors import BundleCorrupt, BundleIncompatible, BundleNotFound
from landslide_core.manifest import QUANTILES

FILES = (
    "prefilter.json",
    "prefilter.safetensors",
    "card.json",
    "card.md",
    "member_00.safetensors",
    "member_01.safetensors",
)


@pytest.fixture
def copied(bundle_path, tmp_path):
    """A copy of the bundle folder that may be damaged."""
    return shutil.copytree(bundle_path, tmp_path / "copy")


def edit_manifest(folder, change):
    """Load the manifest, change it in place, write it back."""
    manifest = json.loads((folder / "manifest.json").read_text())
    change(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_bundle_holds_what_it_was_saved_with(bundle, bundle_path, prefilter, features):
    assert bundle.name == "small"
    assert bundle.card == {"note": "for tests"}
    assert bundle.prefilter.features == prefilter.features
    assert bundle.prefilter.thresholds == prefilter.thresholds
    np.testing.assert_array_equal(bundle.prefilter.score(features), prefilter.score(features))
    assert (bundle_path / "card.md").read_text() == "For tests.\n"


def test_saved_and_loaded_again_it_votes_bit_for_bit(bundle, tmp_path, features):
    again = load_bundle(save_bundle(replace(bundle, path=tmp_path / "again"), {}))
    inputs = inputs_of(raw_patches(balanced(3)))[2]
    first, second = (cast_votes(b.members, inputs, CPU) for b in (bundle, again))
    np.testing.assert_array_equal(first.votes, second.votes)
    np.testing.assert_array_equal(first.thresholds, second.thresholds)
    np.testing.assert_array_equal(bundle.prefilter.score(features), again.prefilter.score(features))


def test_loaded_networks_are_in_evaluation_mode(bundle):
    assert not any(member.network.training for member in bundle.members)


def test_calibration_and_quantiles_are_kept(bundle):
    assert bundle.calibration == dict.fromkeys(COMBINATIONS, EVEN)
    assert set(bundle.quantiles) == set(BAND_NAMES)
    for found in bundle.quantiles.values():
        assert len(found) == len(QUANTILES)
        assert sorted(found) == list(found)


def test_a_combination_without_its_own_calibration_is_weighed_as_complete(bundle):
    other = replace(EVEN, bias=1.0)
    given = replace(bundle, calibration={COMPLETE: EVEN, "visible+nir": other})
    assert given.calibration_of("visible+nir") == other
    for name in ("partial", "", "asc_post", COMPLETE):
        assert given.calibration_of(name) == EVEN


def saved_hash(bundle, folder, files=None, **changes):
    """The identity of a bundle with some parts changed, saved and loaded again."""
    return load_bundle(save_bundle(replace(bundle, path=folder, **changes), files or {})).sha256


def test_what_was_fitted_is_the_identity_and_the_card_is_not(bundle, tmp_path):
    same = saved_hash(bundle, tmp_path / "a")
    assert same == bundle.sha256
    assert saved_hash(bundle, tmp_path / "b", card={"energy": 3}) == same
    assert saved_hash(bundle, tmp_path / "c", files={"curve.png": b"1"}) == same
    first, second = bundle.members
    other = {
        "threshold": {"members": (replace(first, threshold=first.threshold + 1e-6), second)},
        "weights": {"members": (second, first)},
        "calibration": {"calibration": {**bundle.calibration, COMPLETE: replace(EVEN, upper=0.71)}},
        "quantiles": {"quantiles": {**bundle.quantiles, "red": [0.0] * len(QUANTILES)}},
        "filter": {"prefilter": replace(bundle.prefilter, thresholds={COMPLETE: 0.5})},
    }
    hashes = [saved_hash(bundle, tmp_path / name, **parts) for name, parts in other.items()]
    assert len({same, *hashes}) == 1 + len(other)


def test_further_files_are_written_and_verified(bundle, tmp_path):
    folder = save_bundle(replace(bundle, path=tmp_path / "with"), {"curve.png": b"pixels"})
    assert (folder / "curve.png").read_bytes() == b"pixels"
    load_bundle(folder)
    (folder / "curve.png").write_bytes(b"others")
    with pytest.raises(BundleCorrupt, match=r"curve\.png has sha256"):
        load_bundle(folder)


def test_nothing_in_it_needs_unpickling(bundle_path):
    files = {path.name for path in bundle_path.iterdir()}
    assert files == {"manifest.json", *FILES}
    for name in files:
        head = (bundle_path / name).read_bytes()[:9]
        assert not head.startswith((b"\x80", b"PK"))  # a pickle, or torch's zip of pickles
        if name.endswith(".json"):
            json.loads((bundle_path / name).read_text())
        if name.endswith(".safetensors"):
            assert head[8:9] == b"{"  # after its length comes a JSON header


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_is_noticed(copied, name):
    content = bytearray((copied / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copied / name).write_bytes(content)
    with pytest.raises(BundleCorrupt, match=rf"{name} has sha256 .*Restore the folder"):
        load_bundle(copied)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_noticed(copied, name):
    (copied / name).unlink()
    with pytest.raises(BundleCorrupt, match=f"lacks {name}.*Restore the folder"):
        load_bundle(copied)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', "\x00\xff"])
def test_a_manifest_that_is_none_is_corrupt(copied, text):
    (copied / "manifest.json").write_text(text)
    with pytest.raises(BundleCorrupt, match=r"manifest\.json does not read"):
        load_bundle(copied)


@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_no_bundle_is_said_with_a_remedy(tmp_path, folder):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleNotFound, match=f"{folder}.*landslide train"):
        load_bundle(tmp_path / folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(format=1),
        lambda manifest: manifest["bands"].reverse(),
        lambda manifest: manifest.pop("bands"),
        lambda manifest: manifest["normalisation"][0].reverse(),
        lambda manifest: manifest["network"].update(pyramid=16),
        lambda manifest: manifest["network"].update(depth=3),
        lambda manifest: manifest.pop("filter"),
        lambda manifest: manifest.pop("normalisation"),
        lambda manifest: manifest["member_thresholds"].append(0.5),
        lambda manifest: manifest["member_thresholds"].clear(),
        lambda manifest: manifest["calibration"].pop(COMPLETE),
        lambda manifest: manifest["calibration"][COMPLETE].pop("lower"),
        lambda manifest: manifest.pop("quantiles"),
    ],
    ids=[
        *("format", "bands", "no bands", "normalisation", "width", "option", "no filter"),
        *("no normalisation", "a member too many", "no members"),
        *("no calibration", "half a calibration", "no quantiles"),
    ],
)
def test_a_bundle_of_another_version_is_incompatible(copied, change):
    edit_manifest(copied, change)
    with pytest.raises((BundleIncompatible, BundleCorrupt), match=r"[Ff]it it again") as caught:
        load_bundle(copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["format", "bands", "network"])
def test_what_this_version_cannot_use_is_called_incompatible(copied, key):
    edit_manifest(copied, lambda manifest: manifest.update({key: {"pyramid": 3}}))
    with pytest.raises(BundleIncompatible):
        load_bundle(copied)


def test_a_half_written_bundle_never_loads(bundle, copied, monkeypatch):
    """Writing over a bundle and failing midway leaves no manifest, so nothing that loads."""

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr("safetensors.torch.save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_bundle(replace(bundle, path=copied), {})
    with pytest.raises(BundleNotFound):
        load_bundle(copied)
