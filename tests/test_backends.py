"""Every backend against the plain networks; the same bits in any company; what is refused."""

import numpy as np
import pytest
import torch

from landslide_core import backend_engines
from landslide_core.backend_engines import installed
from landslide_core.backends import BackendOptions, make_backend
from landslide_core.ensemble import Member, cast_votes, heat_map, view
from landslide_core.errors import NoDevice
from landslide_core.network import LandslideFPN, NetworkOptions

CPU = torch.device("cpu")
NAMES = [
    pytest.param(name, marks=pytest.mark.skipif(not installed(name), reason=f"no {name}"))
    for name in ("torch", "onnx", "openvino")
]
TILES, MEMBERS = 4, 2


@pytest.fixture(scope="module")
def members():
    """Networks with normalisations and quantiles as if they had been fitted to something."""
    made = []
    for seed in range(MEMBERS):
        torch.manual_seed(seed)
        network = LandslideFPN(NetworkOptions())
        for part in network.modules():
            if isinstance(part, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(part.weight, 0.8, 1.6)
                torch.nn.init.normal_(part.bias, 0, 0.2)
                part.running_mean.normal_(0, 0.2)
                part.running_var.uniform_(0.5, 1.5)
        made.append(Member(network.eval(), 0.5))
    return tuple(made)


@pytest.fixture(scope="module")
def inputs():
    """Tiles with gaps and with values beyond what networks look at, read-only."""
    tiles = np.random.default_rng(0).normal(0, 1, (TILES, 13, 64, 64)).astype(np.float32)
    tiles[:, 0] = tiles[:, 0] > 1
    tiles[1, 5:9, :, 40:] = 0
    tiles[2, 1:5, :9] = 40
    tiles.flags.writeable = False
    return tiles


@pytest.fixture(scope="module")
def odds(members, inputs):
    """Log-odds (tiles, members, 8) of the networks themselves, one tile and view at a time."""
    found = np.empty((TILES, MEMBERS, 8), np.float32)
    with torch.inference_mode():
        for i, tile in enumerate(torch.tensor(inputs)):
            for v in range(8):
                for m, member in enumerate(members):
                    found[i, m, v] = member.network(view(tile[None], v).contiguous())[0]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_log_odds_are_those_of_the_networks(name, members, inputs, odds):
    backend = make_backend(BackendOptions(name), members, CPU)
    assert backend.name == name
    found = backend.log_odds(inputs, range(MEMBERS), range(8))
    assert odds.std() > 0.1  # there is something to get wrong
    assert (odds.std(axis=2) > 1e-3).all()  # views among it
    np.testing.assert_allclose(found, odds, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_votes_are_those_that_were_cast_so_far(name, members, inputs):
    backend = make_backend(BackendOptions(name), members, CPU)
    ballot = cast_votes(members, inputs, CPU)
    found = backend.log_odds(inputs, range(MEMBERS), range(8))
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), ballot.votes, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_tile_has_the_same_bits_in_any_company(name, members, inputs):
    backend = make_backend(BackendOptions(name), members, CPU)
    whole = backend.log_odds(inputs, range(MEMBERS), range(8))
    rng = np.random.default_rng(1)
    for _ in range(5):
        rows = rng.permutation(TILES)[: rng.integers(1, TILES + 1)]
        some = rng.permutation(MEMBERS)[: rng.integers(1, MEMBERS + 1)]
        views = rng.permutation(8)[: rng.integers(1, 5)]
        part = backend.log_odds(inputs[rows], some.tolist(), views.tolist())
        np.testing.assert_array_equal(part, whole[np.ix_(rows, some, views)])


@pytest.mark.parametrize("name", NAMES)
def test_both_parts_add_up_and_only_the_picture_is_turned(name, members, inputs):
    backend = make_backend(BackendOptions(name), members, CPU)
    exact = backend.statistics(inputs)
    assert exact.shape == (TILES, MEMBERS)
    picture = backend.picture(inputs, [1, 0], [3, 6])
    assert picture.shape == (TILES, 2, 2)
    both = backend.log_odds(inputs, [1, 0], [3, 6])
    np.testing.assert_array_equal(both, exact[:, [1, 0], None] + picture)
    assert not np.allclose(picture[:, :, 0], picture[:, :, 1])


@pytest.mark.parametrize("name", ["torch", "onnx", "openvino"])
def test_the_heat_map_is_the_members_mean_upright(name, members, inputs):
    if not installed(name) and name != "torch":
        pytest.skip(f"no {name}")
    backend = make_backend(BackendOptions(name, threads=2), members, CPU)
    heat = np.full((len(inputs), 32, 32), 7, np.float32)
    with_heat = backend.picture(inputs, [0, 1], [0, 5], heat)
    np.testing.assert_allclose(heat, heat_map(members, inputs, CPU), atol=1e-5)
    np.testing.assert_array_equal(with_heat, backend.picture(inputs, [0, 1], [0, 5]))


@pytest.mark.skipif(not installed("onnx"), reason="no onnx")
def test_threads_change_nothing(members, inputs):
    one, two = (
        make_backend(BackendOptions("onnx", threads), members, CPU).log_odds(inputs, [0, 1], [0, 5])
        for threads in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


def test_members_stay_as_they_were(members, inputs):
    before = [value.clone() for value in members[0].network.state_dict().values()]
    for name in ("torch", "auto"):
        make_backend(BackendOptions(name), members, CPU).picture(inputs[:1], [0], [0])
    after = members[0].network.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_no_tiles_are_no_trouble(members):
    backend = make_backend(BackendOptions("torch"), members, CPU)
    none = np.empty((0, 13, 64, 64), np.float32)
    assert backend.log_odds(none, [0, 1], [0]).shape == (0, 2, 1)


def test_what_is_not_there_is_refused(members, monkeypatch):
    with pytest.raises(NoDevice, match="one of auto, torch"):
        make_backend(BackendOptions("tensorflow"), members, CPU)
    with pytest.raises(NoDevice, match="on cuda"):
        make_backend(BackendOptions("onnx"), members, torch.device("cuda"))
    gone = {"onnxruntime", "openvino"}
    monkeypatch.setattr(backend_engines, "find_spec", lambda name: None if name in gone else name)
    for name, package in (("onnx", "onnxruntime"), ("openvino", "openvino")):
        with pytest.raises(NoDevice, match=f"{package} is not installed"):
            make_backend(BackendOptions(name), members, CPU)
    assert make_backend(BackendOptions("auto"), members, CPU).name == "torch"


def test_a_full_gpu_takes_fewer_tiles_then_the_cpu_does_it(members, inputs, odds):
    """The memory is played: nothing here has a GPU."""
    heard = []
    engine = backend_engines.TorchEngine(members, CPU, False, heard.append)
    engine.device, engine.rows, engine.limit = torch.device("cuda"), 4, 4
    alone, asked = engine._on_device, []

    def cramped(member, tiles):
        asked.append((engine.device.type, len(tiles)))
        if engine.device.type == "cuda" and len(tiles) > room:
            raise torch.cuda.OutOfMemoryError("played")
        device, engine.device = engine.device, CPU
        try:
            return alone(member, tiles)
        finally:
            engine.device = device

    engine._on_device = cramped
    room = 2
    found = engine.run(1, torch.tensor(inputs[:4]))
    assert asked == [("cuda", 4), ("cuda", 2), ("cuda", 2)]
    assert [line.split("; ")[1] for line in heard] == ["going on with 2 tiles at once."]
    room = 0
    again = engine.run(1, torch.tensor(inputs[:4]))
    assert asked[-1] == ("cpu", 4)
    assert heard[-1].endswith("going on with the CPU.")
    for late, early in zip(again, found, strict=True):
        np.testing.assert_allclose(late, early, atol=1e-6)
    assert [part.shape for part in again] == [(4,), (4, 1024)]
