"""Which tile to look at next."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from landslide_core.bands import OPTICAL, POLARISATIONS, RADAR_ROLES, radar_band
from landslide_core.combinations import COMPLETE, GROUPS
from landslide_core.folder import Run

_ORDER: Final = ("uncertain", "landslide", "stable", "filtered_out")  # of use, most first


def queue(run: Run, state: pd.DataFrame) -> list[int]:
    """Tiles by the use of looking at them, the same order every time; no_data is never asked.

    Not yet labelled ones first: uncertain, nearest to the decision threshold first; landslides,
    the least sure first; stable ones, nearest to a landslide first; then those filtered out,
    likewise. Labelled ones follow in the same order.
    """
    asked = state[state["verdict"] != "no_data"]
    verdict, probability = asked["verdict"], asked["probability"].fillna(0.0)
    near = (probability - decision_threshold(run.meta)).abs()
    within = near.where(verdict == "uncertain", -probability)  # likeliest first
    within = within.where(verdict != "landslide", probability)
    keys = pd.DataFrame(
        {
            "done": asked["label"].notna(),
            "kind": verdict.map({name: i for i, name in enumerate(_ORDER)}),
            "within": within,
        }
    )
    ordered = keys.sort_values(list(keys.columns), kind="stable")  # ties by tile
    return [int(tile) for tile in ordered.index]


def decision_threshold(meta: Mapping[str, Any]) -> float:
    """The probability of a yes or no, for the inputs that the run's scene has as a whole.

    A tile at a source's edge may have fewer and then another one; the table doesn't say which.
    """
    missing = set(meta["missing_bands"])
    there = "+".join(group for group in GROUPS if not missing & _bands_of(group))
    found = meta.get("calibration", {})
    fitted = found.get(there, found.get(COMPLETE))
    return float(fitted["threshold"]) if fitted else 0.5


def _bands_of(group: str) -> set[str]:
    """The bands of a group of inputs."""
    if group in RADAR_ROLES:
        return {radar_band(group, polarisation) for polarisation in POLARISATIONS}
    return {"nir"} if group == "nir" else set(OPTICAL) - {"nir"}
