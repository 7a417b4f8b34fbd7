"""Where a filter feature lies among the rows that a bundle was fitted on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Shares of the rows whose values are kept of each feature.
SHARES: Final = (
    *(0.0, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.5),
    *(0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.975, 0.99, 1.0),
)
KINDS: Final = ("all", "landslide", "stable")  # rows
_DIGITS: Final = 6  # significant: more than any picture shows


@dataclass(frozen=True)
class Learnt:
    """Quantiles of each filter feature over the training rows, of all and of either label."""

    shares: Sequence[float]
    rows: Mapping[str, int]  # of each kind
    features: Mapping[str, Mapping[str, Sequence[float]]]  # values at the shares, by kind

    @staticmethod
    def of(features: pd.DataFrame, labels: NDArray[np.int_]) -> "Learnt":
        """From filter features (N, features) and labels (N,); what is never known is left out."""
        rows = {"all": np.full(len(labels), True), "landslide": labels == 1, "stable": labels == 0}
        return Learnt(
            SHARES,
            {kind: int(chosen.sum()) for kind, chosen in rows.items()},
            {
                str(name): {
                    kind: _quantiles(features[name].to_numpy(float)[chosen])
                    for kind, chosen in rows.items()
                }
                for name in features.columns
                if features[name].notna().any()
            },
        )

    @staticmethod
    def read(content: Mapping[str, Any]) -> "Learnt":
        """From what `written` gave. Raises KeyError, TypeError, ValueError."""
        found = Learnt(tuple(content["shares"]), content["rows"], content["features"])
        lengths = {len(values) for kinds in found.features.values() for values in kinds.values()}
        if lengths - {0, len(found.shares)} or set(found.rows) != set(KINDS):
            raise ValueError("its features' quantiles do not fit their shares")
        return found

    def written(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"shares": self.shares, "rows": self.rows, "features": self.features}

    def share_below(self, feature: str, value: float, kind: str = "all") -> float:
        """Share of the rows of a kind whose feature is lower, 0..1; NaN where it is not known."""
        values = self.features.get(feature, {}).get(kind, ())
        if not len(values) or not np.isfinite(value):
            return float("nan")
        level = np.flatnonzero(np.asarray(values) == np.float32(value))
        if len(level) > 1:  # many rows have this very value: the middle of them
            return float(np.mean([self.shares[level[0]], self.shares[level[-1]]]))
        return float(np.interp(value, values, self.shares))


def _quantiles(values: NDArray[np.float64]) -> list[float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return []
    return [float(f"{value:.{_DIGITS}g}") for value in np.quantile(known, SHARES)]
