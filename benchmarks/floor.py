"""The floor: the least time the machine's own matrix product would need for the same work."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from time import perf_counter, process_time
from typing import Any, Final

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from landslide_core.bands import CHANNELS, TILE

SIZES: Final = (256, 512, 768, 1024, 1536, 2048)
_SECONDS: Final = 0.4  # spent on each size


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch compute on `count` threads inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def measure_peak(sizes: Sequence[int] = SIZES, seconds: float = _SECONDS) -> dict[str, float]:
    """float32 multiply-adds a second of one thread, by the side of square matrices.

    The best of many products each, in CPU seconds: on a shared machine others only take away.
    """
    found = {}
    with threads(1), torch.inference_mode():
        for size in sizes:
            one, other = torch.rand(2, size, size)
            out = torch.empty(size, size)
            found[str(size)] = size**3 / _least(partial(torch.mm, one, other, out=out), seconds)
    return found


def _least(product: Callable[[], Any], seconds: float) -> float:
    """The least CPU seconds that one call took."""
    least, end = float("inf"), perf_counter() + seconds
    while perf_counter() < end:
        start = process_time()
        product()
        least = min(least, process_time() - start)
    return least


def least_seconds(multiply_adds: float, peak: float) -> float:
    """CPU seconds that multiply-adds take at a peak of so many a second."""
    return multiply_adds / peak


def multiply_adds(network: nn.Module) -> int:
    """Multiply-adds of a network for one tile: convolutions and matrix products."""
    tile = torch.zeros(1, len(CHANNELS), TILE, TILE)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(tile)
    return int(counter.get_total_flops()) // 2
