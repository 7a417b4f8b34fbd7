"""Killed, out of disk, damaged: a run goes on and ends in the same bytes."""

import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import rasterio
from conftest import scene_numbers, write_scene_files

from landslide_core import pace, parts, plan, runs
from landslide_core.errors import NoMemory, NoSpace, RunBusy, RunDamaged, RunStopped
from landslide_core.folder import (
    FILES,
    PARTS,
    begun_runs,
    damages,
    kept_tiles,
    list_runs,
    open_run,
    remove_run,
)
from landslide_core.grid import Tiling
from landslide_core.lock import is_held, owner
from landslide_core.plan import RunOptions
from landslide_core.runs import predict_scene, resume_run

SIZE = (400, 460)
PART = 128  # pixels a side of these tests' parts: sixteen of them
KILLS = 6
SEED = 20


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Small parts, so that a small scene has many."""
    cut_small(monkeypatch.setattr)


def cut_small(put):
    for module in (parts, plan, pace):
        put(module, "WIDTH", PART)
        put(module, "HEIGHT", PART)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A scene of 7×8 tiles."""
    return write_scene_files(tmp_path_factory.mktemp("resume"), scene_numbers(SIZE))


@pytest.fixture
def options(bundle_path):
    """How these tests judge."""
    return RunOptions(bundle_path, device="cpu", workers=2)


@pytest.fixture(scope="module")
def expected(inputs, bundle_path, tmp_path_factory):
    """Hashes of the results of a run that nothing happened to."""
    out = tmp_path_factory.mktemp("expected") / "run"
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch.setattr)
        made = predict_scene(inputs, RunOptions(bundle_path, device="cpu", workers=1), out)
    return made.meta["sha256"]


def work(inputs, options, out):
    """What the processes that are killed do: begin a run, or go on with it."""
    cut_small(setattr)
    if (out / "plan.json").is_file():
        resume_run(out, workers=2)
    else:
        predict_scene(inputs, options, out)


@pytest.fixture(scope="module")
def server():
    """Starts processes that have everything imported already."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["landslide_core.runs", "test_resume"])
    return context


def test_a_run_killed_again_and_again_ends_in_the_same_bytes(
    inputs, options, expected, server, tmp_path
):
    rng, out = random.Random(SEED), tmp_path / "run"
    killed = 0
    for round_ in range(KILLS):
        process = server.Process(target=work, args=(inputs, options, out))
        process.start()
        wanted = rng.randrange(3 * (round_ + 1))  # parts done at the moment it is killed
        while len(list((out / PARTS).glob("part_*.json"))) < wanted and process.is_alive():
            time.sleep(0.001)
        process.join(rng.uniform(0, 0.02))
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.join()
        if not (out / "plan.json").is_file():  # killed before the plan was whole: begin again
            shutil.rmtree(out, ignore_errors=True)
    assert killed >= 2
    assert resume_run(out).meta["sha256"] == expected
    assert damages(out) == {}
    assert {name: parts.sha256_of(out / name) for name in FILES} == expected


def test_stopping_keeps_what_is_done_and_resume_does_only_the_rest(
    inputs, options, expected, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    told = []

    def stop():
        return len(list((out / PARTS).glob("*.json"))) >= 3 + 1  # and the owner's note

    with pytest.raises(RunStopped):
        predict_scene(inputs, options, out, stop=stop)
    kept = sorted(path.name for path in (out / PARTS).glob("part_*.json"))
    assert 3 <= len(kept) < 16
    assert not is_held(out / PARTS)
    with pytest.raises(RunDamaged, match=r"begun and not finished.*landslide resume"):
        open_run(out)
    assert list_runs(tmp_path) == []
    assert begun_runs(tmp_path) == [out]
    stamps = {name: (out / PARTS / name).stat().st_mtime_ns for name in kept}
    run = resume_run(out, progress=lambda *step: told.append(step))
    assert run.meta["sha256"] == expected
    assert stamps == {name: (out / PARTS / name).stat().st_mtime_ns for name in kept}
    first = next(step for step in told if step[0] == "detect")
    assert 0 < first[1] < first[2] == 56


def test_a_damaged_part_is_found_and_judged_again(inputs, options, expected, tmp_path):
    out = tmp_path / "run"
    predict_scene(inputs, options, out)
    assert damages(out) == {}
    victim = out / PARTS / "part_00005.npz"
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    (out / PARTS / "part_00007.json").unlink()
    (out / "verdict.tif").write_bytes(b"not a raster")
    wrong = damages(out)
    assert wrong == {
        "part_00005": "its bytes have changed",
        "part_00007": "not done",
        "verdict.tif": "its bytes have changed",
    }
    assert resume_run(out).meta["sha256"] == expected
    assert damages(out) == {}


def test_resuming_a_whole_run_does_nothing(inputs, options, tmp_path, monkeypatch):
    made = predict_scene(inputs, options, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*") if p.is_file()}
    monkeypatch.setattr(runs, "stream_parts", None)
    assert resume_run(tmp_path / "run").meta == made.meta
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert before == after


@pytest.mark.parametrize("what", ["input", "bundle", "plan"])
def test_resume_refuses_what_is_no_longer_the_same(inputs, bundle_path, tmp_path, what):
    bundle = shutil.copytree(bundle_path, tmp_path / "bundle")
    files = shutil.copytree(inputs.s2[0].parent, tmp_path / "scene")
    moved = type(inputs)(
        s2=tuple(files / p.name for p in inputs.s2),
        desc_post=tuple(files / p.name for p in inputs.desc_post),
    )
    out = tmp_path / "run"
    options = RunOptions(bundle, device="cpu")
    with pytest.raises(RunStopped):
        predict_scene(moved, options, out, stop=lambda: True)
    if what == "input":
        with rasterio.open(moved.s2[0], "r+") as raster:
            raster.write(raster.read(1) + 1, 1)
    elif what == "bundle":
        manifest = json.loads((bundle / "manifest.json").read_text())
        manifest["member_thresholds"][0] += 0.1
        (bundle / "manifest.json").write_text(json.dumps(manifest))
    else:
        (out / "plan.json").write_text("{")
    with pytest.raises(RunDamaged, match=r"changed since|not the one|no plan"):
        resume_run(out)


def test_one_writer_a_run(inputs, options, server, tmp_path):
    out = tmp_path / "run"
    process = server.Process(target=work, args=(inputs, options, out))
    process.start()
    try:
        deadline = time.monotonic() + 60
        while not (out / PARTS).is_dir() or not is_held(out / PARTS):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        with pytest.raises(RunBusy, match=f"process {process.pid} on .*one writer"):
            resume_run(out)
        with pytest.raises(RunBusy, match="being written"):
            remove_run(out)
        assert owner(out / PARTS)["pid"] == process.pid
    finally:
        process.kill()
        process.join()
    assert not is_held(out / PARTS)  # the kernel let go of it
    remove_run(out)
    assert not out.exists()
    with pytest.raises(RunDamaged, match="nothing was removed"):
        remove_run(tmp_path)


@contextmanager
def small_disk(folder, size):
    """A file system of so many bytes."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here ({done.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("room", [12_288, 24_576, 49_152, 81_920, 131_072])
def test_a_full_disk_is_one_line_and_resume_ends_the_same(
    inputs, options, expected, tmp_path, monkeypatch, room
):
    """From hardly the plan to all parts and some of the results: what fits stays."""
    monkeypatch.setattr(runs, "_check_space", lambda *_: None)  # else it is said beforehand
    with small_disk(tmp_path / "disk", room) as disk:
        out = disk / "run"
        with pytest.raises(NoSpace, match="disk filled up"):
            predict_scene(inputs, options, out)
        if not out.exists():  # not even the plan fitted: nothing was kept
            assert room == 12_288
            return
        done = len(list((out / PARTS).glob("part_*.json")))
        assert room < 50_000 or done > 0
        subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
        assert resume_run(out).meta["sha256"] == expected


def test_memory_decides_workers_and_block_height_not_results(inputs, options, expected, tmp_path):
    with pytest.raises(NoMemory, match=r"were allowed; at least .* MB are needed"):
        pace.Pace.of(1_000_000, 500, 2)
    small, large = (pace.Pace.of(size, 500, 8) for size in (825_000_000, 40_000_000_000))
    assert (small.workers, small.height) != (large.workers, large.height)
    assert large == pace.Pace(8, PART)
    assert (
        pace.Pace.of(1_500_000_000, 500, 99).workers
        > pace.Pace.of(1_500_000_000, 10_980, 99).workers
    )  # a wide scene needs a larger block cache
    made = predict_scene(
        inputs, RunOptions(options.bundle, device="cpu", memory=825_000_000), tmp_path / "run"
    )
    assert made.meta["sha256"] == expected


def test_parts_cover_every_tile_once():
    for stride in (64, 32):
        tiling = Tiling(*SIZE, stride)
        found = np.concatenate([part.places(tiling) for part in parts.parts_of(tiling)])
        assert sorted(found) == list(range(len(tiling)))
        for part in parts.parts_of(tiling):
            blocks = list(parts.tiles_high(part, tiling, 96))
            assert sum(map(len, blocks)) == len(part)
            windows = [w for block in blocks for w in block.windows(tiling)]
            assert windows == part.windows(tiling)


@pytest.mark.parametrize("stride", [64, 32])
def test_a_small_scene_has_parts_enough_to_lose_little(monkeypatch, stride):
    for module in (parts, plan, pace):
        monkeypatch.setattr(module, "WIDTH", 1024)
        monkeypatch.setattr(module, "HEIGHT", 512)
    for side in (500, 1024, 2000):
        cut = parts.parts_of(Tiling(side, side, stride))
        assert len(cut) >= 8
        assert max(map(len, cut)) <= sum(map(len, cut)) / 4
    assert parts.part_shape(Tiling(10_980, 10_980, stride)) == (512, 1024)


def test_a_run_goes_on_in_the_parts_it_was_begun_in(
    inputs, options, expected, tmp_path, monkeypatch
):
    out, whole = tmp_path / "run", {"height": 256, "width": 256}

    def stop():
        return len(list((out / PARTS).glob("part_*.json"))) > 0

    with monkeypatch.context() as patch:
        for module in (parts, plan, pace):
            patch.setattr(module, "WIDTH", 256)
            patch.setattr(module, "HEIGHT", 256)
        patch.setattr(parts, "_FEW", 1)
        with pytest.raises(RunStopped):
            predict_scene(inputs, replace(options, workers=1), out, stop=stop)
        done, tiles = kept_tiles(out)
        assert 0 < done < tiles == 7 * 8
        patch.setattr(parts, "_FEW", 8)  # a new run's parts would be smaller
        assert json.loads((out / "plan.json").read_text())["parts"] == whole
        assert resume_run(out).meta["sha256"] == expected
        assert kept_tiles(out) == (tiles, tiles)
        assert damages(out) == {}


def test_a_part_that_is_not_done_is_not_read(tmp_path):
    with pytest.raises(RunDamaged, match=r"not done.*landslide resume"):
        parts.PartStore(tmp_path).read(parts.Part(3, 0, 0, 1, 1))


def test_a_disk_that_others_fill_meanwhile_is_said_at_once(
    inputs, options, expected, tmp_path, monkeypatch
):
    usage, asked = shutil.disk_usage(tmp_path), []

    def filling(path):
        asked.append(path)
        return usage if len(asked) < 4 else usage._replace(free=3_000_000)

    with monkeypatch.context() as patch:
        patch.setattr(runs.shutil, "disk_usage", filling)
        with pytest.raises(NoSpace, match=r"3 MB are free.*landslide resume"):
            predict_scene(inputs, options, tmp_path / "run")
    assert 0 < len(list((tmp_path / "run" / PARTS).glob("part_*.json"))) < 16
    assert resume_run(tmp_path / "run").meta["sha256"] == expected


def test_files_added_to_a_folder_meanwhile_are_refused(inputs, options, tmp_path):
    folder = tmp_path / "radar"
    folder.mkdir()
    shutil.copy(inputs.desc_post[0], folder / "a.tif")
    given = replace(inputs, desc_post=(folder,))
    predict_scene(given, options, tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()
    shutil.copy(inputs.desc_pre[0], folder / "b.tif")
    with pytest.raises(RunDamaged, match=r"b\.tif has changed since"):
        resume_run(tmp_path / "run")
    (folder / "b.tif").unlink()
    assert resume_run(tmp_path / "run").meta["sha256"]
