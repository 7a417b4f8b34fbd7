"""The ONNX file against hand-computed votes, the bundle's own path, and what QGIS will read."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import TINY
from torch import nn

from landslide_core import export
from landslide_core.bands import BAND_NAMES, CHANNELS, INDEX
from landslide_core.ensemble import Member, cast_votes, heat_map
from landslide_core.errors import BundleError, CannotWrite, RunBusy
from landslide_core.export import export_onnx
from landslide_core.judgement import VIEWS
from landslide_core.network import LandslideFPN, Look
from landslide_core.preprocess import cloud_by_brightness, model_input

CPU = torch.device("cpu")
CARD = (
    "# Card\n\n## Licence and attribution\n\nCC BY-SA 4.0. Fitted on\nsome table.\n\n## More\n\nNo."
)


class Corner(nn.Module):
    """Log-odds: the top left pixel of one channel; heat: red, 2×2 pixels a cell."""

    def __init__(self, channel):
        super().__init__()
        self.channel = channel

    def picture(self, inputs):
        return inputs[:, self.channel, 0, 0], inputs[:, 1, ::2, ::2]

    def look(self, inputs, known=None):
        odds, heat = self.picture(inputs)
        return Look(torch.zeros_like(odds), odds, heat)

    def forward(self, inputs, known=None):
        return self.look(inputs, known).picture


def bundle_of(folder, *networks):
    """As much of a bundle as an export reads."""
    folder.mkdir(exist_ok=True)
    (folder / "card.md").write_text(CARD)
    members = tuple(Member(network.eval(), 0.4) for network in networks)
    return SimpleNamespace(name="small", path=folder, sha256="ab" * 32, members=members, card={})


def fitted(seed):
    """A small network whose votes differ from tile to tile and from view to view."""
    torch.manual_seed(seed)
    network = LandslideFPN(replace(TINY, voices=1))
    for part in network.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(part.running_mean, 0, 0.2)
            nn.init.uniform_(part.running_var, 0.5, 2)
    nn.init.normal_(network.picture.answer.weight, 0, 30)
    nn.init.normal_(network.picture.heat.weight, 0, 3)
    return network


def run(path, **inputs):
    """Every output of a file by name."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def metadata(path):
    """A file's metadata, each value read from its JSON."""
    return {item.key: json.loads(item.value) for item in onnx.load(path).metadata_props}


def sigmoid(odds):
    return 1 / (1 + np.exp(-np.asarray(odds, float)))


@pytest.fixture(scope="module")
def corners(tmp_path_factory):
    return bundle_of(tmp_path_factory.mktemp("bundle"), Corner(1), Corner(2))


@pytest.fixture(scope="module")
def plain(corners, tmp_path_factory):
    return export_onnx(corners, tmp_path_factory.mktemp("onnx") / "plain.onnx")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    return bundle_of(tmp_path_factory.mktemp("bundle"), fitted(0), Corner(0))


@pytest.fixture(scope="module")
def raster(real, tmp_path_factory):
    return export_onnx(real, tmp_path_factory.mktemp("onnx") / "raster.onnx", raster=True)


def pixels_of(count):
    """Physical pixels (N, 12, 64, 64), every one there."""
    rng = np.random.default_rng(5)
    pixels = rng.normal(-14, 3, (count, 12, 64, 64))
    pixels[:, :4] = rng.gamma(4, 200, (count, 4, 64, 64))
    return pixels.astype(np.float32)


def test_votes_follow_the_views_and_the_members_by_hand(plain):
    inputs = np.zeros((2, 13, 64, 64), np.float32)
    # Red corners: top left 1, top right 2, bottom right 3, bottom left 4; green has one corner.
    inputs[1, 1, [0, 0, -1, -1], [0, -1, -1, 0]] = 1, 2, 3, 4
    inputs[1, 2, 0, -1] = 5
    found = run(plain, inputs=inputs)
    # Turning to the left brings the top right corner to the top left; a mirror swaps the two.
    assert (VIEWS[1], VIEWS[4]) == ("90°", "mirrored 0°")
    votes = sigmoid([[1, 2, 3, 4, 2, 1, 4, 3], [0, 5, 0, 0, 0, 0, 0, 0]])
    votes[1, 4] = sigmoid(5)
    np.testing.assert_allclose(found["votes"][0], 0.5)  # the other tile stays out of it
    np.testing.assert_allclose(found["votes"][1], votes, atol=1e-6)
    np.testing.assert_allclose(found["probability"], [0.5, votes.mean()], atol=1e-6)
    np.testing.assert_allclose(found["spread"], [0, votes.std()], atol=1e-6)
    np.testing.assert_allclose(found["log_odds"], [0, (20 + 10) / 16], atol=1e-6)
    assert found["heat"].shape == (2, 32, 32)
    np.testing.assert_allclose(found["heat"][1, 0, [0, 31]], sigmoid([1, 0]), atol=1e-6)


@pytest.mark.parametrize("count", [1, 5])
def test_any_number_of_tiles_gets_answers(plain, count):
    inputs = np.zeros((count, 13, 64, 64), np.float32)
    inputs[:, 1:3] = np.arange(count)[:, None, None, None]
    found = run(plain, inputs=inputs)
    assert found["votes"].shape == (count, 2, 8)
    np.testing.assert_allclose(found["probability"], sigmoid(np.arange(count)), atol=1e-6)


def test_rasters_are_normalised_inside(raster, real):
    pixels = pixels_of(3)
    pixels[0, INDEX["red"], :20] = 8000  # over six deviations: cloud, at two of four corners
    pixels[0, INDEX["red"], 40:] = 4000  # five deviations: none
    pixels[1, 4:8] = np.nan  # no descending pass
    pixels[2, :, :33] = np.nan  # less than half of the tile is there
    inputs = model_input(pixels, cloud_by_brightness(pixels))
    votes = cast_votes(real.members, inputs, CPU).votes
    assert votes[:2, 0].std(axis=1).min() > 1e-3  # views disagree: a mix-up would show
    np.testing.assert_allclose(sorted(votes[0, 1]), sigmoid([0] * 4 + [1] * 4), atol=1e-6)
    expected, heat = votes.mean(axis=(1, 2)), heat_map(real.members, inputs, CPU)
    for missing in (np.nan, -9999, -3.4e38):
        found = run(raster, bands=np.nan_to_num(pixels, nan=missing))
        assert found["probability_map"].shape == found["heat_map"].shape == (3, 1, 64, 64)
        for tile in (0, 1):
            np.testing.assert_allclose(found["probability_map"][tile], expected[tile], atol=1e-4)
            np.testing.assert_allclose(found["heat_map"][tile, 0, 1::2, ::2], heat[tile], atol=1e-4)
        assert np.isnan(found["probability_map"][2]).all()
        assert np.isnan(found["heat_map"][2]).all()


def test_what_the_qgis_plugin_does_to_values_is_undone(raster):
    told = metadata(raster)
    pixels = pixels_of(1)
    scaled = np.float32(pixels / 255)
    mean, std = (np.float32(told[f"standardization_{k}"])[:, None, None] for k in ("mean", "std"))
    np.testing.assert_allclose((scaled - mean) / std, pixels, rtol=1e-6)
    found = run(raster, bands=pixels)["probability_map"] * told["reg_output_scaling"]
    assert 0 < found.astype(np.uint8).max() <= 100  # it keeps whole numbers


def test_metadata_say_how_to_use_the_file(plain, raster):
    told = metadata(plain)
    assert [channel["name"] for channel in told["input"]["channels"]] == [c.name for c in CHANNELS]
    red = {"name": "red", "sentinel": "B04", "unit": "reflectance × 10⁴"}
    assert told["input"]["channels"][1] == {**red, "mean": 588.4096, "std": 684.5686}
    assert (told["bundle"], told["bundle_sha256"]) == ("small", "ab" * 32)
    assert told["licence"] == "CC BY-SA 4.0. Fitted on some table."
    assert all(part in told["left_out"] for part in ("filter", "calibration"))
    assert onnx.load(plain).opset_import[0].version == told["opset"]
    assert "model_type" not in told  # only a map is for the plugin
    told = metadata(raster)
    assert [channel["name"] for channel in told["input"]["channels"]] == list(BAND_NAMES)
    assert told["model_type"] == "Regressor"
    assert (told["resolution"], told["tile_size"], told["tiles_overlap"]) == (1000, 64, 0)
    assert len(told["class_names"]) == len(onnx.load(raster).graph.output)


def test_the_same_bundle_gives_the_same_bytes_and_no_path_of_this_machine(
    plain, raster, corners, tmp_path
):
    assert export_onnx(corners, tmp_path / "again.onnx").read_bytes() == plain.read_bytes()
    for path in (plain, raster):
        assert b".py" not in path.read_bytes()
        assert str(Path(__file__).parent).encode() not in path.read_bytes()


def test_a_file_with_other_answers_is_not_written(plain, corners, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_graph", lambda bundle, raster: bare(plain))
    other = bundle_of(corners.path, Corner(1), Corner(3))
    with pytest.raises(BundleError, match="differs from the bundle's"):
        export_onnx(other, tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def bare(path):
    """A file's model as it is before its metadata are written."""
    model = onnx.load(path)
    del model.metadata_props[:]
    return model


def test_nothing_is_overwritten_and_nothing_left_behind(plain, corners, tmp_path, monkeypatch):
    before = plain.read_bytes()
    with pytest.raises(RunBusy):
        export_onnx(corners, plain)
    assert plain.read_bytes() == before
    for path in (tmp_path, tmp_path / "none" / "a.onnx"):
        with pytest.raises(CannotWrite):
            export_onnx(corners, path)

    def full(path, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_graph", lambda bundle, raster: bare(plain))
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CannotWrite, match="No space left"):
        export_onnx(corners, tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []
