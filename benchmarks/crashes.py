"""Runs killed at random moments, each gone on with: do they all end in the same bytes?"""

import multiprocessing
import os
import random
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from landslide_core import engine, parts, plan
from landslide_core.folder import PARTS, damages
from landslide_core.plan import PLAN, RunOptions
from landslide_core.readers.given import SceneInputs
from landslide_core.runs import predict_scene, resume_run

_PART: Final = 256  # pixels a side: a small scene has many parts, and many moments between them


@dataclass(frozen=True)
class Crashes:
    """What is run, and how often it is killed."""

    inputs: SceneInputs
    options: RunOptions
    folder: Path
    kills: int = 30
    seed: int = 0


def crash(asked: Crashes) -> dict[str, Any]:
    """Kill as many runs as asked, each at a moment of its own, resume each, compare the hashes."""
    cut_small()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["benchmarks.crashes"])
    begun = time.perf_counter()
    whole = predict_scene(asked.inputs, asked.options, asked.folder / "whole")
    seconds = time.perf_counter() - begun
    rng = random.Random(asked.seed)
    found: list[dict[str, Any]] = []
    while len(found) < asked.kills:
        out = asked.folder / f"killed_{len(found):02d}"
        process = context.Process(target=_work, args=(asked.inputs, asked.options, out))
        process.start()
        process.join(rng.uniform(0, 1.3 * seconds))
        if not process.is_alive():  # it was through before the moment came
            shutil.rmtree(out, ignore_errors=True)
            continue
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        done = len(list((out / PARTS).glob("part_*.json")))
        if (out / PLAN).is_file():
            ended = resume_run(out)
        else:  # killed before there was a plan: begun anew
            shutil.rmtree(out, ignore_errors=True)
            ended = predict_scene(asked.inputs, asked.options, out)
        same = ended.meta["sha256"] == whole.meta["sha256"] and damages(out) == {}
        found.append({"parts_done": done, "same": same})
        shutil.rmtree(out)
    return {
        "kills": len(found),
        "same": sum(one["same"] for one in found),
        "parts": len(list((asked.folder / "whole" / PARTS).glob("part_*.json"))),
        "parts_done_when_killed": [one["parts_done"] for one in found],
        "seconds_of_a_whole_run": seconds,
    }


def cut_small() -> None:
    """Small parts from here on, in this process."""
    for module in (parts, plan, engine):
        vars(module).update(WIDTH=_PART, HEIGHT=_PART)


def _work(inputs: SceneInputs, options: RunOptions, out: Path) -> None:
    cut_small()
    predict_scene(inputs, options, out)
