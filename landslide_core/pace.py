"""How much of a scene is judged at once: by memory and processor cores."""

import os
from dataclasses import dataclass
from typing import Final

from landslide_core.bands import BANDS, TILE
from landslide_core.errors import NoMemory
from landslide_core.parts import HEIGHT, WIDTH
from landslide_core.pixels import block_cache

DEFAULT_MEMORY: Final = 2_000_000_000  # bytes, of the whole process
_BASE: Final = 750_000_000  # libraries, bundle, results; not GDAL's block cache
_COPIES: Final = 9.0  # float32 copies of all bands of a block alive at once, all stages


@dataclass(frozen=True)
class Pace:
    """How much is done at once; results are the same whatever it is."""

    workers: int
    height: int  # pixels read at once, of a part's height

    @staticmethod
    def of(memory: int, width: int, workers: int | None = None) -> "Pace":
        """As many workers, and as high blocks, as memory (bytes) allows for a scene's width.

        Raises NoMemory.
        """
        base = _BASE + block_cache(width)
        row = WIDTH * len(BANDS) * 4 * _COPIES  # bytes for one row of pixels of a part
        for count in range(workers or cores(), 0, -1):
            height = int((memory - base) / count / row)
            if height >= HEIGHT or (count == 1 and height >= TILE):
                return Pace(count, min(HEIGHT, height // TILE * TILE))
        raise NoMemory(
            f"{memory / 1e6:.0f} MB were allowed; at least {(base + row * TILE) / 1e6:.0f} MB are "
            "needed. Raise --memory."
        )


def cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
