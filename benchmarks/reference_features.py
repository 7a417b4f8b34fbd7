"""Features the reference's way: one patch at a time, one layer at a time, a dict of values a patch.

Every definition is stated a second time here, apart from `landslide_core.features`, so that values
can be compared bit for bit and speeds as a ratio.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landslide_core.bands import ADDED, BAND_NAMES, OPTICAL

Image = NDArray[np.float32]


def patch_features(tiles: NDArray[np.float32], powers: bool = True) -> pd.DataFrame:
    """All statistics of all layers of tiles (N, 12, 64, 64): one row a tile.

    With `powers`, skewness and kurtosis are written as their formulas are, with ** 3 and ** 4.
    NumPy is slow at those where the base is negative; without, they are sums of products, in the
    order in which `landslide_core.features` adds them, and nothing but the way of working differs.
    """
    with np.errstate(invalid="ignore"):
        rows = [_of_patch(tile, powers) for tile in tiles]
    return pd.DataFrame(rows).astype(np.float32)


def _of_patch(tile: NDArray[np.float32], powers: bool) -> dict[str, float]:
    found = {}
    for name, image in _layers(tile).items():
        for statistic, value in _statistics(image, powers).items():
            found[f"{name}_{statistic}"] = value
    return found


def _layers(tile: NDArray[np.float32]) -> dict[str, Image]:
    """Bands, differences, ratios and indices of one tile (12, 64, 64)."""
    layers = dict(zip(BAND_NAMES, tile, strict=True))
    for p in ("desc", "asc"):
        for pol in ("vv", "vh"):
            layers[f"{p}_{pol}_diff"] = layers[f"{p}_{pol}_post"] - layers[f"{p}_{pol}_pre"]
    for p in ("desc", "asc"):
        for time in ("post", "pre"):
            layers[f"{p}_ratio_{time}"] = layers[f"{p}_vv_{time}"] - layers[f"{p}_vh_{time}"]
    r, g, b, n = (layers[band] for band in OPTICAL)
    layers["ndvi"] = _quotient(n - r, n + r)
    layers["savi"] = 1.5 * _quotient(n - r, n + r + 5000)
    layers["gndvi"] = _quotient(n - g, n + g)
    layers["evi"] = 2.5 * _quotient(n - r, n + 6 * r - 7.5 * b + 10_000)
    layers["ndwi"] = _quotient(g - n, g + n)
    layers["ngrdi"] = _quotient(g - r, g + r)
    g, b, n = g + ADDED, b + ADDED, n + ADDED
    layers["bndvi_dn"] = _quotient(n - b, n + b)
    layers["ndwi_dn"] = _quotient(g - n, g + n)
    return layers


def _quotient(over: Image, under: Image) -> Image:
    return np.clip(over / np.where(np.abs(under) < 1, 1, under), -1, 1)


def _statistics(image: Image, powers: bool) -> dict[str, float]:
    """The statistics of one image by name; NaN where under half of its pixels are there."""
    there = image[np.isfinite(image)]
    if there.size < image.size / 2:
        names = ("mean", "std", "min", "max", "skew", "kurt", "q10", "q90")
        return dict.fromkeys(names, np.nan)
    values = there.astype(np.float64)
    mean, variance = values.mean(), values.var()
    centred = values - mean
    if powers:
        third, fourth = (centred**3).mean(), (centred**4).mean()
    else:
        square = centred * centred
        third = np.einsum("i,i->", square, centred) / values.size
        fourth = np.einsum("i,i->", square, square) / values.size
    flat = variance <= 1e-12  # one value throughout has no shape
    low, high = np.quantile(there, (0.1, 0.9))
    return {
        "mean": mean,
        "std": np.sqrt(variance),
        "min": there.min(),
        "max": there.max(),
        "skew": 0.0 if flat else third / variance**1.5,
        "kurt": 0.0 if flat else fourth / variance**2 - 3,
        "q10": low,
        "q90": high,
    }
