"""The optional speckle filter of radar."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.pixels import from_db, to_db

Floats = NDArray[np.float32]

# Equivalent number of looks of Sentinel-1 IW GRD at high resolution (Sentinel-1 Product
# Definition). One number for every scene: an estimate would move with the window it is made on.
LOOKS: Final = 4.4


def despeckle(decibels: Floats, side: int) -> Floats:
    """One polarisation filtered in linear power: (height, width) dB of a window, NaN = no data.

    From dB of the window and half a side, which is odd, round it. The local linear minimum mean
    square error estimate under multiplicative noise: J.-S. Lee, Digital image enhancement and
    noise filtering by use of local statistics, IEEE TPAMI 2(2), 1980. The mean where the valid
    pixels within `side` × `side` differ by no more than speckle does, the pixel itself where
    they differ by far more. Pixels without data count for nothing and stay without.
    """
    power = from_db(decibels)
    valid = np.isfinite(power)
    known = np.where(valid, power, np.float32(0))
    noise = np.float32(1 / LOOKS)  # variance of speckle whose mean is 1
    reach = side // 2
    own = power[reach : len(power) - reach, reach : power.shape[1] - reach]
    count = _sums(valid.astype(np.float32), side)
    with np.errstate(invalid="ignore", divide="ignore"):  # 0 / 0 where nothing is valid
        mean = _sums(known, side) / count
        squared = mean * mean
        ground = _sums(known * known, side) / count / (1 + noise) - squared  # its variance
        np.maximum(ground, 0, out=ground)
        share = ground / (ground + squared * noise)
        return to_db(mean + share * (own - mean))


def _sums(values: Floats, side: int) -> Floats:
    """Sums over all squares of a side, in one order, so that they are the same in any window.

    A running sum would be quicker, but its rounding starts at the window's edge.
    """
    height, width = (size - side + 1 for size in values.shape)
    rows = values[:height].copy()
    for step in range(1, side):
        rows += values[step : step + height]
    total = rows[:, :width].copy()
    for step in range(1, side):
        total += rows[:, step : step + width]
    return total
