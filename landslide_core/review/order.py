"""Which tile to look at next."""

from typing import Final

import pandas as pd

from landslide_core.folder import Run
from landslide_core.threshold import limits_of

_ORDER: Final = ("uncertain", "landslide", "stable", "filtered_out")  # of use, most first


def queue(run: Run, state: pd.DataFrame) -> list[int]:
    """Tiles by the use of looking at them, the same order every time; no_data is never asked.

    Not yet labelled ones first: uncertain, nearest to the decision threshold first; landslides,
    the least sure first; stable ones, nearest to a landslide first; then those filtered out,
    likewise. Labelled ones follow in the same order.
    """
    asked = state[state["verdict"] != "no_data"]
    verdict, probability = asked["verdict"], asked["probability"].fillna(0.0)
    near = (probability - limits_of(run.meta).get("threshold", 0.5)).abs()
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
