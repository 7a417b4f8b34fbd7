"""Hand-crafted features of a tile, in physical units; nothing here depends on other tiles.

A *layer* is an image derived from the twelve bands (a band, a pre/post difference, a VV/VH
ratio, an index); a *feature* is one statistic of one layer, named "layer_statistic". The
*filter features* are those that the challenge's table of band statistics also holds, plus
ratios of them, so that a filter fitted on the table reads pixels too.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache, lru_cache, partial
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landslide_core.bands import ADDED, BAND_NAMES, INDEX, OPTICAL, STORED

Floats = NDArray[np.float32]
Column = NDArray[np.floating]

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
_CHUNK: Final = 8  # tiles at once: their float64 copies, a quarter MB each, stay in the cache


def layer(pixels: Floats, name: str) -> Floats:
    """One derived image (N, h, w) of pixels (N, 12, h, w); NaN where a band it needs is."""
    return _layer(pixels, name, lambda added: _optical(pixels, added))


def _optical(pixels: Floats, added: float) -> list[Floats]:
    """Red, green, blue and near infrared with a constant added, each (N, h, w)."""
    return [pixels[:, INDEX[key]] + np.float32(added) for key in OPTICAL]


def _layer(pixels: Floats, name: str, optical: Callable[[float], list[Floats]]) -> Floats:
    """One derived image; `optical` gives `_optical` of the same pixels, made anew or kept."""

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
    red, green, blue, nir = optical(ADDED if name in DN_INDICES else 0.0)
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
    """Quotient held to [−1, 1], written over both: dark, offset-corrected pixels are near 0/0."""
    np.copyto(under, np.float32(1), where=np.abs(under) < 1)
    np.divide(over, under, out=over)
    return np.clip(over, np.float32(-1), np.float32(1), out=over)


def statistics(images: Floats, quantiles: bool = True) -> Floats:
    """Statistics (N, 8) of images (N, h, w), or (N, 6) without the quantiles; NaN skipped.

    Standard deviation is the population's, skewness and kurtosis (Fisher) are biased, as in
    the challenge's table. An image with under half its pixels valid gives NaN throughout.
    """
    rows = images.reshape(len(images), -1)
    found = _of_whole(rows, quantiles)
    holed = np.flatnonzero(np.isnan(found[0]))
    found[:, holed] = _of_holed(rows[holed], quantiles)
    return np.ascontiguousarray(found.T)


def _of_whole(rows: Floats, quantiles: bool) -> Floats:
    """Statistics (8 or 6, N) of rows (N, pixels); NaN throughout where a pixel is missing."""
    sums = _Sums((len(rows),), rows.shape[1], quantiles)
    with np.errstate(invalid="ignore"):  # ∞ − ∞ is no number, which is what is asked
        for start in range(0, len(rows), _CHUNK):
            sums.add(rows[start : start + _CHUNK], slice(start, start + _CHUNK))
    return sums.statistics()


def _of_holed(rows: Floats, quantiles: bool) -> Floats:
    """Statistics (8 or 6, N) of rows with missing pixels: those that miss the same together."""
    valid = np.isfinite(rows)
    out = np.full((8 if quantiles else 6, len(rows)), np.nan, np.float32)
    alike: dict[bytes, list[int]] = {}
    enough = np.count_nonzero(valid, axis=1) >= _LEAST_VALID * rows.shape[1]
    for i in np.flatnonzero(enough).tolist():
        alike.setdefault(valid[i].tobytes(), []).append(i)
    for members in alike.values():
        there = np.compress(valid[members[0]], rows[members], axis=1)
        out[:, members] = _of_whole(there, quantiles)
    return out


class _Sums:
    """Moments, ends and neighbours of the quantiles of rows of pixels, chunk by chunk.

    The order of every sum is part of what the filter was fitted on: NumPy's pairwise sum for mean
    and variance, einsum's for the higher moments, in float64, row by row.
    """

    def __init__(self, shape: tuple[int, ...], pixels: int, quantiles: bool) -> None:
        self.moments = np.full((4, *shape), np.nan)  # the mean, central moments 2, 3, 4
        self.ends = np.full((6 if quantiles else 2, *shape), np.nan, np.float32)
        last = pixels - 1
        position = last * np.array((0.1, 0.9))
        before = position.astype(np.intp)
        self.share = position - before  # of the way from one neighbour to the next
        around = np.column_stack([before, np.minimum(before + 1, last)]).ravel()
        self.ranks = np.array([0, *around, last])
        # Memory that every chunk uses again: fresh pages cost more than sums.
        self.wide = np.empty((2, min(_CHUNK, shape[-1]), pixels))
        self.ordered = np.empty(self.wide.shape[1:], np.float32)

    def add(self, rows: Floats, *where: int | slice) -> None:
        """Take in a chunk of rows; where one misses a pixel, its mean is not finite."""
        centred, square = self.wide[:, : len(rows)]
        moments = self.moments[:, *where]
        mean = moments[0]
        np.copyto(centred, rows)
        np.add.reduce(centred, axis=1, out=mean)
        mean /= rows.shape[1]
        if not np.isfinite(mean).any():
            return
        for row, middle in zip(centred, mean, strict=True):  # faster than centred -= mean[:, None]
            np.subtract(row, middle, out=row)
        np.multiply(centred, centred, out=square)
        np.add.reduce(square, axis=1, out=moments[1])
        np.einsum("ij,ij->i", square, centred, out=moments[2])
        np.einsum("ij,ij->i", square, square, out=moments[3])
        moments[1:] /= rows.shape[1]
        ends = self._sorted(rows) if len(self.ends) > 2 else (rows.min(axis=1), rows.max(axis=1))
        self.ends[:, *where] = ends

    def _sorted(self, rows: Floats) -> Floats:
        """Least, greatest and what lies around the quantiles (6, n) of rows (n, pixels)."""
        ordered = self.ordered[: len(rows)]
        np.copyto(ordered, rows)
        ordered.sort(axis=1)
        found = ordered[:, self.ranks]
        if found.all():
            return found.T
        # −0 and 0 have no order: which of them comes where is as np.quantile and min find it.
        for i in np.flatnonzero(~found.all(axis=1)):
            found[i] = np.partition(rows[i], np.unique(self.ranks))[self.ranks]
            found[i, [0, -1]] = rows[i].min(), rows[i].max()
        return found.T

    def statistics(self) -> Floats:
        """The statistics (8 or 6, …) of all rows; NaN throughout where a pixel was missing."""
        mean, m2, m3, m4 = self.moments
        quantiles = len(self.ends) > 2
        out = np.empty((8 if quantiles else 6, *mean.shape), np.float32)
        flat = m2 <= 1e-12  # one value throughout has no shape
        safe = np.where(flat, 1.0, m2)
        out[0], out[1], out[2], out[3] = mean, np.sqrt(m2), self.ends[0], self.ends[-1]
        out[4] = np.where(flat, 0.0, m3 / safe**1.5)
        out[5] = np.where(flat, 0.0, m4 / safe**2 - 3)
        for i in range(2 if quantiles else 0):  # as np.quantile has it, to the bit
            low, high = self.ends[1 + 2 * i : 3 + 2 * i]
            share, step = self.share[i], high - low
            out[6 + i] = high - step * (1 - share) if share >= 0.5 else low + step * share
        out[:, ~np.isfinite(mean)] = np.nan
        return out


def tile_features(pixels: Floats, layers: Iterable[str] = LAYERS) -> pd.DataFrame:
    """All statistics of the layers of tiles (N, 12, 64, 64): one row a tile."""
    return _features(pixels, tuple(layers), STATISTICS)


def table_features(pixels: Floats) -> pd.DataFrame:
    """The features that the challenge's table holds too, from tiles (N, 12, 64, 64)."""
    return _features(pixels, tuple(TABLE_LAYERS), TABLE_STATISTICS)


def _features(pixels: Floats, layers: tuple[str, ...], kinds: tuple[str, ...]) -> pd.DataFrame:
    rows = pixels.reshape(*pixels.shape[:2], -1)
    sums = _Sums((len(layers), len(rows)), rows.shape[2], kinds == STATISTICS)
    with np.errstate(invalid="ignore"):
        for start in range(0, len(rows), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            for k, images in enumerate(_layers(rows[chunk], layers)):
                sums.add(images, k, chunk)
        found = sums.statistics()
        for i in np.flatnonzero(np.isnan(found[0]).any(axis=0)):
            holed = np.flatnonzero(np.isnan(found[0, :, i]))
            images = np.concatenate(list(_layers(rows[i : i + 1], [layers[k] for k in holed])))
            found[:, holed, i] = _of_holed(images, kinds == STATISTICS)
    columns = found.swapaxes(0, 1).reshape(-1, len(rows))  # all statistics of a layer together
    names = tuple(f"{layer}_{kind}" for layer in layers for kind in kinds)
    return pd.DataFrame(columns.T, columns=_index(names), copy=False)


def _layers(pixels: Floats, names: Iterable[str]) -> Iterator[Floats]:
    """Layers of the same pixels, one after the other; what several need is made once."""
    optical = cache(partial(_optical, pixels))
    for name in names:
        yield _layer(pixels, name, optical)


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
    columns = dict(zip(base.columns, base.to_numpy().T, strict=True))
    with np.errstate(all="ignore"):
        columns |= _ratios(columns)
        values = np.empty((len(columns), len(base)), np.float32)
        for row, column in zip(values, columns.values(), strict=True):
            row[:] = column
    return pd.DataFrame(values.T, index=base.index, columns=_index(tuple(columns)), copy=False)


@lru_cache
def _index(names: tuple[str, ...]) -> pd.Index:
    return pd.Index(names)  # takes longer to make than a small table to fill


def _ratios(base: Mapping[str, Column]) -> dict[str, Column]:
    """The features that filter_features adds, from columns (N,) of table features."""
    new: dict[str, Column] = {}
    for name in TABLE_LAYERS:
        new[f"{name}_range"] = base[f"{name}_max"] - base[f"{name}_min"]
        # Optical levels are compared with the offset left in: without it the mean of a dark
        # tile crosses zero and the quotient means nothing.
        level = base[f"{name}_mean"] + (ADDED if name in OPTICAL else 0.0)
        new[f"{name}_variation"] = base[f"{name}_std"] / np.maximum(np.abs(level), 1e-3)
    for orbit_pass in PASSES:
        for pol in ("vv", "vh"):
            stem = f"{orbit_pass}_{pol}"
            new[f"{stem}_pre_mean"] = base[f"{stem}_post_mean"] - base[f"{stem}_diff_mean"]
            post = np.maximum(base[f"{stem}_post_std"], 1e-3)
            new[f"{stem}_change"] = base[f"{stem}_diff_std"] / post
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
            new[f"{one}_{other}_contrast"] = (a - b) / np.maximum(a + b, 1.0)
    return new
