"""Metering: no network, no noise, no file elsewhere; what a killed run had used still counts."""

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import fields

import pytest

from landslide_core.errors import DatasetError
from landslide_core.training.energy import Energy, measured, total

LINE = {
    **{"what": "training", "kwh": 0.5, "kg_co2e": 0.2, "seconds": 3600.0},
    **{"cpu": "A", "country": "NPL", "method": "guessed"},
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Whoever opens a connection fails, and is remembered even where the failure is swallowed."""
    tried = []

    def refuse(_, address):
        tried.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    yield
    assert tried == []


def work(seconds=0.3):
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        sum(range(1000))


def test_a_block_of_work_is_metered(tmp_path):
    with measured("training", tmp_path) as meter:
        work()
        assert meter.used is None
        meter.checkpoint()
        first = meter.used
        work()
    used = meter.used
    assert 0.3 <= first.seconds <= used.seconds - 0.3
    assert used.seconds < 10
    assert 0 < first.kwh < used.kwh
    # The world's average that CodeCarbon 3 takes from the IEA: 475 g a kWh.
    assert used.kg_co2e == pytest.approx(0.475 * used.kwh)
    # Not beyond what a machine can draw, so no unit is off by a thousand.
    assert 0.1 < used.kwh * 3.6e6 / used.seconds < 2000  # watts
    assert used.country == "world average"
    assert used.cpu
    assert "processor" in used.method
    assert "memory" in used.method
    assert total(tmp_path) == used


def test_a_country_has_its_own_mix(tmp_path):
    with measured("training", tmp_path, "FRA") as meter:
        work()
    assert meter.used.country == "FRA"
    assert meter.used.kg_co2e < 0.2 * meter.used.kwh  # mostly nuclear


def test_an_unknown_country_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(DatasetError, match=r"'Atlantis'.*NPL"), measured("t", tmp_path, "Atlantis"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_config_cannot_turn_it_to_the_network_or_another_folder(tmp_path, monkeypatch):
    for name, value in {
        "OUTPUT_METHODS": "api,csv",
        "SAVE_TO_FILE": "true",
        "OUTPUT_DIR": str(tmp_path / "elsewhere"),
        "EMISSIONS_ENDPOINT": "http://127.0.0.1:9",
        "CO2_SIGNAL_API_TOKEN": "token",
        "ELECTRICITYMAPS_API_TOKEN": "token",
        "CLOUD_PROVIDER": "aws",
        "LOG_LEVEL": "debug",
    }.items():
        monkeypatch.setenv(f"CODECARBON_{name}", value)
    with measured("training", tmp_path / "here") as meter:
        work(0.1)
    assert meter.used.kwh > 0
    assert [path.name for path in tmp_path.rglob("*")] == ["here", "energy.jsonl"]


def test_an_error_in_the_block_passes_and_what_was_used_is_kept(tmp_path):
    def fail():
        with measured("training", tmp_path):
            work(0.1)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert total(tmp_path).kwh > 0


def test_it_prints_nothing_and_a_killed_run_keeps_what_it_had_flushed(tmp_path):
    """As a program of its own: three checkpoints, then an end that runs no `finally`."""
    script = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from landslide_core.training.energy import measured\n"
        "with measured('tuning', Path(sys.argv[1])) as meter:\n"
        "    for _ in range(3):\n"
        "        time.sleep(0.2)\n"
        "        meter.checkpoint()\n"
        "    sys.stdout.flush()\n"
        "    os._exit(9)\n"
    )
    folder, home = tmp_path / "work", tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(home), "TMPDIR": str(home)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (9, "", "")
    assert list(home.rglob("*")) == []
    lines = [json.loads(text) for text in (folder / "energy.jsonl").read_text().splitlines()]
    assert [line["what"] for line in lines] == ["tuning"] * 3
    assert total(folder).seconds == pytest.approx(sum(line["seconds"] for line in lines))
    assert 0.6 <= total(folder).seconds < 10


def test_runs_in_one_folder_add_up_and_a_cut_line_is_passed_over(tmp_path):
    other = {**LINE, "kwh": 0.25, "kg_co2e": 0.1, "seconds": 60.0, "cpu": "B"}
    text = "\n".join([json.dumps(LINE), json.dumps(other), json.dumps(LINE), '{"what": "tr'])
    (tmp_path / "energy.jsonl").write_text(text)
    assert total(tmp_path) == Energy(1.25, 0.5, 7260.0, "A | B", "NPL", "guessed")
    assert set(LINE) == {"what", *(field.name for field in fields(Energy))}


def test_nothing_measured_is_none_not_zero(tmp_path):
    assert total(tmp_path) is None
    (tmp_path / "energy.jsonl").write_text("")
    assert total(tmp_path) is None
