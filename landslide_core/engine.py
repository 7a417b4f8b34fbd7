"""The stream: parts of a scene are read, filtered and voted on by a few workers at a time.

Every worker is a thread that takes one part through all stages; libraries compute without
Python's lock, so as many workers as cores keep them busy. Nothing here decides anything: a part's
judgement depends on the scene and the bundle alone, not on workers, block heights or batches.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Event, Lock
from typing import Final

import torch

from landslide_core.bundle import Bundle
from landslide_core.detect import Ask, judge, timed
from landslide_core.errors import RunStopped
from landslide_core.grid import Tiling
from landslide_core.judgement import Judgement
from landslide_core.pace import Pace
from landslide_core.parts import Part, tiles_high
from landslide_core.scene import Scene
from landslide_core.slope import tile_slopes
from landslide_core.threads import one_thread
from landslide_core.tiles import cut_tiles, enclosing, read_block

Stop = Callable[[], bool]

_CHUNK: Final = 64  # tiles judged at once
_PATIENCE: Final = 0.3  # s after which a request to stop is asked for again


class Account:
    """What all workers have done so far: tiles judged, and seconds by stage."""

    def __init__(self) -> None:
        self._lock: Final = Lock()
        self.tiles = 0
        self.seconds: Final[dict[str, float]] = {}

    def add(self, tiles: int, spent: dict[str, float]) -> None:
        """Take up what one worker did."""
        with self._lock:
            self.tiles += tiles
            for stage, seconds in spent.items():
                self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds


@dataclass(frozen=True)
class Stream:
    """A scene on its way through both stages."""

    scene: Scene
    tiling: Tiling
    bundle: Bundle
    ask: Ask
    pace: Pace
    account: Account

    def judge_part(self, part: Part, halt: Event) -> Judgement:
        """One part through all stages. Raises RunStopped once `halt` is set."""
        room = Judgement.room_for(len(part), len(self.bundle.members))
        done = 0
        for block in tiles_high(part, self.tiling, self.pace.height):
            spent: dict[str, float] = {}
            windows = block.windows(self.tiling)
            ground = enclosing(windows)
            with timed(spent, "read"):
                pixels, cloud = read_block(self.scene, ground)
                slopes = tile_slopes(self.scene, ground, windows)
            self.account.add(0, spent)
            for start in range(0, len(windows), _CHUNK):
                if halt.is_set():
                    raise RunStopped("The run was stopped.")
                spent = {}
                chunk = windows[start : start + _CHUNK]
                tiles = cut_tiles(pixels, cloud, ground, chunk)
                judged = judge(*tiles, self.bundle, self.ask, spent)
                judged.slope[:] = slopes[start : start + _CHUNK]
                room.put(done, judged)
                done += len(chunk)
                self.account.add(len(chunk), spent)
        return room


def stream_parts(
    stream: Stream, parts: Sequence[Part], tell: Callable[[], None], stop: Stop | None
) -> Iterator[tuple[Part, Judgement]]:
    """Judge parts, yielding each when it is done; no more are under way than there are workers.

    `tell` is called a few times a second. Raises RunStopped soon after `stop` says so, and
    whatever a worker raised.
    """
    halt = Event()
    todo = iter(parts)
    under_way: dict[Future[Judgement], Part] = {}
    with one_thread(torch.device("cpu")), ThreadPoolExecutor(stream.pace.workers) as pool:
        try:
            while True:
                while len(under_way) < stream.pace.workers and (part := next(todo, None)):
                    under_way[pool.submit(stream.judge_part, part, halt)] = part
                if not under_way:
                    return
                finished, _ = wait(under_way, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
                if stop is not None and stop():
                    raise RunStopped("The run was stopped.")
                for future in finished:
                    yield under_way.pop(future), future.result()
                tell()
        finally:
            halt.set()
