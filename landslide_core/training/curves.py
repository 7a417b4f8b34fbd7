"""What a score is worth at every threshold: counts, from which all curves of it follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """Points by falling threshold; all shares are (K,), 0..1."""

    threshold: Floats
    recall: Floats  # of the landslide tiles, those at or over the threshold
    precision: Floats  # of the tiles at or over it, those with a landslide
    alarms: Floats  # of the stable tiles, those at or over it: the false alarm rate
    under: Floats  # of all tiles, those under it: what a filter would drop


def threshold_counts(labels: NDArray[Any], score: NDArray[Any], most: int) -> dict[str, Any]:
    """Tiles at or over each threshold: `hits` with a landslide, `alarms` without one.

    Of the distinct scores at most `most` are kept as thresholds, evenly along the precision,
    recall and false alarms that they give; the counts at each are those of all tiles.
    """
    labels, score = np.asarray(labels) == 1, np.asarray(score, float)
    order = np.argsort(-score, kind="stable")
    last = np.flatnonzero(np.diff(score[order], append=-np.inf))  # of tiles that score alike
    hits, alarms = np.cumsum(labels[order])[last], np.cumsum(~labels[order])[last]
    shares = np.array([hits / max(hits[-1], 1), alarms / max(alarms[-1], 1), hits / (last + 1)])
    path = np.concatenate([[0.0], np.abs(np.diff(shares)).sum(axis=0).cumsum()])
    kept = np.unique(np.searchsorted(path, np.linspace(0, path[-1], most)).clip(0, len(path) - 1))
    return {
        "threshold": score[order][last][kept].tolist(),
        "hits": hits[kept].tolist(),
        "alarms": alarms[kept].tolist(),
    }


def curve_of(counts: Mapping[str, Sequence[float]]) -> Curve:
    """The shares behind `threshold_counts`; its last point holds every tile."""
    hits, alarms = (np.array(counts[name], float) for name in ("hits", "alarms"))
    everything = hits[-1] + alarms[-1]
    return Curve(
        np.array(counts["threshold"], float),
        hits / max(hits[-1], 1),
        hits / (hits + alarms),
        alarms / max(alarms[-1], 1),
        1 - (hits + alarms) / everything,
    )


def reaching(curve: Curve, recall: float) -> int:
    """Index of the highest threshold kept whose recall is at least this."""
    return int(np.argmax(curve.recall >= recall - 1e-12))


def marked(verdicts: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> tuple[float, ...]:
    """Recall, precision and false alarm rate of calling tiles with these verdicts landslides.

    NaN where no tile has them, or where a class has no tile.
    """
    judged = {name: row for name, row in verdicts.items() if name != "no_data"}
    called = [judged[name] for name in names]
    hits, tiles = sum(row["landslides"] for row in called), sum(row["tiles"] for row in called)
    landslides = sum(row["landslides"] for row in judged.values())
    stable = sum(row["tiles"] for row in judged.values()) - landslides

    def share(part: int, whole: int) -> float:
        return part / whole if whole else float("nan")

    return share(hits, landslides), share(hits, tiles), share(tiles - hits, stable)
