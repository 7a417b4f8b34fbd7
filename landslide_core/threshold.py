"""What another threshold would call, and how it would do where the truth is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from landslide_core.bands import OPTICAL, PIXEL, POLARISATIONS, RADAR_ROLES, radar_band
from landslide_core.combinations import COMPLETE, GROUPS
from landslide_core.folder import Run
from landslide_core.neighbours import TOUCHING
from landslide_core.plan import tiling_of

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Called:
    """What is called a landslide."""

    tiles: int
    groups: int  # of tiles that touch or overlap
    km2: float  # ground under them, not of the scars in them


@dataclass(frozen=True)
class Confusion:
    """Answers against the truth."""

    hits: int
    false_alarms: int
    missed: int
    rightly_no: int

    @property
    def count(self) -> int:
        """Tiles whose truth is known."""
        return self.hits + self.false_alarms + self.missed + self.rightly_no

    @property
    def precision(self) -> float:
        """Share of what is called that is one; NaN where nothing is called."""
        return _share(self.hits, self.hits + self.false_alarms)

    @property
    def recall(self) -> float:
        """Share of the landslide tiles that is called; NaN where there is none."""
        return _share(self.hits, self.hits + self.missed)

    @property
    def f1(self) -> float:
        """Harmonic mean of both."""
        return _share(2 * self.hits, 2 * self.hits + self.false_alarms + self.missed)


def judged_probability(run: Run) -> NDArray[np.float64]:
    """Probability of each tile in the table's order, compared with thresholds; −1: never called.

    What the filter dropped never is, as in the run: the ensemble gave it no probability.
    """
    judged = ~run.tiles["verdict"].isin(("filtered_out", "no_data"))
    return np.where(judged, run.tiles["probability"], -1.0)


def called(run: Run, chosen: Flags) -> Called:
    """Count, groups and ground of chosen tiles, in the table's order."""
    tiling, grid = tiling_of(run.meta), run.grid()
    marks = np.zeros(len(tiling))
    marks[run.tiles["tile_id"].to_numpy()[chosen]] = 1
    cells = np.nan_to_num(tiling.cells(marks, "max")) > 0
    # Cells of the last row and column hang over the scene's edge.
    high = np.diff(np.minimum(np.arange(len(cells) + 1) * tiling.stride, grid.height))
    wide = np.diff(np.minimum(np.arange(cells.shape[1] + 1) * tiling.stride, grid.width))
    ground = float((cells * high[:, None] * wide).sum()) * PIXEL**2 / 1e6
    return Called(int(chosen.sum()), int(ndimage.label(cells, TOUCHING)[1]), ground)


def confusion(chosen: Flags, labels: NDArray[np.floating]) -> Confusion:
    """Answers against labels, 1 or 0 and NaN where the truth is not known."""
    yes, no = labels == 1, labels == 0
    return Confusion(
        hits=int((chosen & yes).sum()),
        false_alarms=int((chosen & no).sum()),
        missed=int((~chosen & yes).sum()),
        rightly_no=int((~chosen & no).sum()),
    )


def limits_of(meta: Mapping[str, Any]) -> dict[str, float]:
    """The bundle's lower limit, threshold and upper limit for the inputs a run's scene has.

    A tile at a source's edge may have fewer inputs and then others. Empty where the run has none.
    """
    missing = set(meta["missing_bands"])
    there = "+".join(group for group in GROUPS if not missing & _bands_of(group))
    found = meta.get("calibration", {})
    fitted = found.get(there, found.get(COMPLETE, {}))
    return {name: float(fitted[name]) for name in ("lower", "threshold", "upper") if name in fitted}


def _bands_of(group: str) -> set[str]:
    """The bands of a group of inputs."""
    if group in RADAR_ROLES:
        return {radar_band(group, polarisation) for polarisation in POLARISATIONS}
    return {"nir"} if group == "nir" else set(OPTICAL) - {"nir"}


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
