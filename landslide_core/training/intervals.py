"""How sure a share or a mean over folds is."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

_NORMAL_95: Final = 1.959963984540054  # two-sided 95 % quantile of the standard normal


def wilson(hits: float, count: int) -> tuple[float, float]:
    """95 % interval of a share, `hits` of `count` > 0 (Wilson 1927); holds at 0 and 1 too."""
    share, square = hits / count, _NORMAL_95**2 / count
    middle = (share + square / 2) / (1 + square)
    half = np.sqrt(share * (1 - share) * square + square**2 / 4) / (1 + square)
    # At a share of 0 or 1 the bound is that share; rounding would leave 1e-17 of the difference.
    low = 0.0 if hits == 0 else float(middle - half)
    return low, 1.0 if hits == count else float(middle + half)


def fold_spread(
    folds: Sequence[Mapping[str, float]],
) -> dict[str, dict[str, float | None]]:
    """Mean and sample standard deviation of each score over the folds that know it."""
    spread: dict[str, dict[str, float | None]] = {}
    for name in folds[0]:
        values = np.array([fold[name] for fold in folds], float)
        values = values[np.isfinite(values)]
        spread[name] = {
            "mean": float(values.mean()) if len(values) else None,
            "std": float(values.std(ddof=1)) if len(values) > 1 else None,
        }
    return spread


def paired_difference(
    ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]
) -> dict[str, dict[str, float | None]]:
    """Mean and sample standard deviation of ours − theirs, fold by fold over the same folds."""
    pairs = list(zip(ours, theirs, strict=True))
    shared = [name for name in ours[0] if all(name in theirs_ for _, theirs_ in pairs)]
    return fold_spread([{name: a[name] - b[name] for name in shared} for a, b in pairs])
