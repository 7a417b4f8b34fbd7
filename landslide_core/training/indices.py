"""The challenge's two indices of surrogate pixels, and keeping them inside a row's range."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SWAPS = 200  # at most, of two pixels' values
_NEAR = 1e-4  # of the index's range


def normalised(first: Floats, second: Floats) -> Floats:
    """Normalised difference as the challenge computes it, offset included."""
    return (first - second) / (first + second + 1e-7)


def index_of(band: Floats, nir: Floats, greener: bool) -> Floats:
    """The table's "ndvi" of a blue band, or its "ndwi" of a green one."""
    return normalised(nir, band) if greener else normalised(band, nir)


def hold_to_range(band: Floats, nir: Floats, index: Floats, greener: bool) -> Floats:
    """The band with a few values swapped, so that its index stays inside that of `index`.

    Swapping leaves the band's own statistics exact: the pixel furthest outside takes the value
    of the one that keeps both nearest to where they should be.
    """
    low, high = index.min(), index.max()
    band = band.copy()
    current = index_of(band, nir, greener)

    def outside(values: Floats) -> Floats:
        over: Floats = np.maximum(np.maximum(low - values, values - high), 0)
        return over

    for _ in range(_SWAPS):
        far = outside(current)
        i = int(np.argmax(far))
        if far[i] <= _NEAR * (high - low):
            break
        mine = index_of(band, nir[i], greener)  # with every other pixel's value
        theirs = index_of(band[i], nir, greener)
        left = outside(mine) + outside(theirs)
        moved = np.abs(mine - current[i]) + np.abs(theirs - current)
        cost = left + 1e-3 * moved
        cost[i] = np.inf
        j = int(np.argmin(cost))
        if left[j] >= far[i] + far[j] - 1e-12:
            break
        band[i], band[j] = band[j], band[i]
        current[i], current[j] = mine[j], theirs[j]
    return band
