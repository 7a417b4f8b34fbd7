"""Hand-crafted features of a tile, in physical units; nothing here depends on other tiles.

A *layer* is an image derived from the twelve bands (a band, a pre/post difference, a VV/VH
ratio, an index); a *feature* is one statistic of one layer, named "layer_statistic". The
*filter features* are those that the challenge's table of band statistics also holds, plus
ratios of them, so that a filter fitted on the table reads pixels too.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landslide_core.bands import ADDED, BAND_NAMES, INDEX, OPTICAL, STORED

Floats = NDArray[np.float32]

STATISTICS: Final = ("mean", "std", "min", "max", "skew", "kurt", "q10", "q90")
PASSES: Final = ("desc", "asc")
DIFFERENCES: Final = tuple(f"{p}_{pol}_diff" for p in PASSES for pol in ("vv", "vh"))
RATIOS: Final = tuple(f"{p}_ratio_{time}" for p in PASSES for time in ("post", "pre"))
INDICES: Final = ("ndvi", "savi", "gndvi", "evi", "ndwi", "ngrdi")
DN_INDICES: Final = ("bndvi_dn", "ndwi_dn")  # as in the challenge's table, offset left in
LAYERS: Final = (*BAND_NAMES, *DIFFERENCES, *RATIOS, *INDICES, *DN_INDICES)

# The table's columns by layer: bands 1-12 in their stored order, then the two indices. Its first
# band is blue, so what it calls NDVI is the blue index (NIR − blue)/(NIR + blue).
TABLE_LAYERS: Final[dict[str, str]] = {
    **{name: f"band{i}" for i, name in enumerate(STORED, 1)},
    "bndvi_dn": "ndvi",
    "ndwi_dn": "ndwi",
}
TABLE_STATISTICS: Final = ("mean", "std", "min", "max", "skew", "kurt")

_LEAST_VALID = 0.5  # share of a tile's pixels below which a layer's statistics mean nothing


def layer(pixels: Floats, name: str) -> Floats:
    """One derived image (N, h, w) of pixels (N, 12, h, w); NaN where a band it needs is."""

    def band(key: str) -> Floats:
        return pixels[:, INDEX[key]]

    if name in INDEX:
        return band(name)
    if name in DIFFERENCES:  # dB, post − pre
        stem = name.removesuffix("_diff")
        return band(f"{stem}_post") - band(f"{stem}_pre")
    if name in RATIOS:  # VV/VH is a difference in dB
        orbit_pass, _, time = name.split("_")
        return band(f"{orbit_pass}_vv_{time}") - band(f"{orbit_pass}_vh_{time}")
    offset = ADDED if name in DN_INDICES else 0.0
    red, green, blue, nir = (band(key) + np.float32(offset) for key in OPTICAL)
    match name:
        case "ndvi":  # Rouse et al. 1974
            return _ratio(nir - red, nir + red)
        case "bndvi_dn":  # Wang et al. 2007
            return _ratio(nir - blue, nir + blue)
        case "gndvi":  # Gitelson et al. 1996
            return _ratio(nir - green, nir + green)
        case "ndwi" | "ndwi_dn":  # McFeeters 1996
            return _ratio(green - nir, green + nir)
        case "ngrdi":  # Tucker 1979
            return _ratio(green - red, green + red)
        case "savi":  # Huete 1988, L = 0.5; reflectance 0..1
            return 1.5 * _ratio(nir - red, nir + red + 5000)
        case "evi":  # Huete et al. 2002; reflectance 0..1
            return 2.5 * _ratio(nir - red, nir + 6 * red - 7.5 * blue + 10_000)
    raise KeyError(name)


def _ratio(over: Floats, under: Floats) -> Floats:
    """Quotient held to [−1, 1]: dark and offset-corrected pixels come near 0/0."""
    safe = np.where(np.abs(under) < 1, np.float32(1), under)
    return np.clip(over / safe, np.float32(-1), np.float32(1))


def statistics(images: Floats, quantiles: bool = True) -> Floats:
    """Statistics (N, 8) of images (N, h, w), or (N, 6) without the quantiles; NaN skipped.

    Standard deviation is the population's, skewness and kurtosis (Fisher) are biased, as in
    the challenge's table. An image with under half its pixels valid gives NaN throughout.
    """
    flat = images.reshape(len(images), -1)
    out = np.full((len(flat), 8 if quantiles else 6), np.nan, np.float32)
    valid = np.isfinite(flat).mean(axis=1)
    whole = valid == 1
    if whole.any():
        out[whole] = _moments(flat[whole], quantiles)
    for i in np.flatnonzero((valid >= _LEAST_VALID) & ~whole):
        out[i] = _moments(flat[i][np.isfinite(flat[i])][None], quantiles)[0]
    return out


def _moments(rows: Floats, quantiles: bool) -> NDArray[np.float64]:
    mean = rows.mean(axis=1, dtype=np.float64)
    centred = rows - mean[:, None]
    square = centred * centred
    m2 = square.mean(axis=1)
    m3 = np.einsum("ij,ij->i", square, centred) / rows.shape[1]
    m4 = np.einsum("ij,ij->i", square, square) / rows.shape[1]
    flat = m2 <= 1e-12  # one value throughout has no shape
    safe = np.where(flat, 1.0, m2)
    columns = [
        mean,
        np.sqrt(m2),
        rows.min(axis=1),
        rows.max(axis=1),
        np.where(flat, 0.0, m3 / safe**1.5),
        np.where(flat, 0.0, m4 / safe**2 - 3),
    ]
    if quantiles:
        columns += list(np.quantile(rows, (0.1, 0.9), axis=1))
    return np.column_stack(columns)


def tile_features(pixels: Floats, layers: Iterable[str] = LAYERS) -> pd.DataFrame:
    """All statistics of the layers of tiles (N, 12, 64, 64): one row a tile."""
    columns = {}
    for name in layers:
        for statistic, column in zip(STATISTICS, statistics(layer(pixels, name)).T, strict=True):
            columns[f"{name}_{statistic}"] = column
    return pd.DataFrame(columns)


def table_features(pixels: Floats) -> pd.DataFrame:
    """The features that the challenge's table holds too, from tiles (N, 12, 64, 64)."""
    columns = {}
    for name in TABLE_LAYERS:
        values = statistics(layer(pixels, name), quantiles=False).T
        for statistic, column in zip(TABLE_STATISTICS, values, strict=True):
            columns[f"{name}_{statistic}"] = column
    return pd.DataFrame(columns)


def features_from_table(table: pd.DataFrame) -> pd.DataFrame:
    """The same features from rows of the challenge's table, the optical offset taken out."""
    columns = {}
    for name, prefix in TABLE_LAYERS.items():
        for statistic in TABLE_STATISTICS:
            column = table[f"{prefix}_{statistic}"].to_numpy(np.float32)
            if name in OPTICAL and statistic in ("mean", "min", "max"):
                if statistic == "min":  # DN 0 is no data: the least valid value is not known
                    column = np.where(column == 0, np.nan, column)
                column = column - np.float32(ADDED)
            columns[f"{name}_{statistic}"] = column.astype(np.float32)
    return pd.DataFrame(columns, index=table.index)


def filter_feature_names() -> tuple[str, ...]:
    """Names of all filter features, in order."""
    base = [f"{name}_{statistic}" for name in TABLE_LAYERS for statistic in TABLE_STATISTICS]
    return tuple(filter_features(pd.DataFrame(columns=base, dtype=np.float32)).columns)


def filter_features(base: pd.DataFrame) -> pd.DataFrame:
    """Table features plus ratios of them: ranges, variation, and contrasts between bands."""
    new: dict[str, pd.Series] = {}
    for name in TABLE_LAYERS:
        new[f"{name}_range"] = base[f"{name}_max"] - base[f"{name}_min"]
        # Optical levels are compared with the offset left in: without it the mean of a dark
        # tile crosses zero and the quotient means nothing.
        level = base[f"{name}_mean"] + (ADDED if name in OPTICAL else 0.0)
        new[f"{name}_variation"] = base[f"{name}_std"] / level.abs().clip(lower=1e-3)
    for orbit_pass in PASSES:
        for pol in ("vv", "vh"):
            stem = f"{orbit_pass}_{pol}"
            new[f"{stem}_pre_mean"] = base[f"{stem}_post_mean"] - base[f"{stem}_diff_mean"]
            new[f"{stem}_change"] = base[f"{stem}_diff_std"] / base[f"{stem}_post_std"].clip(
                lower=1e-3
            )
        new[f"{orbit_pass}_ratio_post_mean"] = (
            base[f"{orbit_pass}_vv_post_mean"] - base[f"{orbit_pass}_vh_post_mean"]
        )
    for pol in ("vv", "vh"):
        for kind in ("post", "diff"):
            for statistic in ("mean", "std"):
                new[f"passes_{pol}_{kind}_{statistic}"] = (
                    base[f"asc_{pol}_{kind}_{statistic}"] - base[f"desc_{pol}_{kind}_{statistic}"]
                )
    for i, one in enumerate(OPTICAL):
        for other in OPTICAL[i + 1 :]:
            a, b = (base[f"{band}_mean"] + ADDED for band in (one, other))
            new[f"{one}_{other}_contrast"] = (a - b) / (a + b).clip(lower=1.0)
    return pd.concat([base, pd.DataFrame(new, index=base.index)], axis=1).astype(np.float32)
