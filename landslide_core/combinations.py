"""Which inputs a tile has: visible, near infrared, the two passes and their pre-event dates.

Everything fitted (trees, thresholds, calibration) is kept per *input combination*, named by its
groups: "visible+nir+desc_post+desc_pre". A pre-event date alone tells nothing, and near infrared
is never used without the visible bands.
"""

from itertools import product
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from landslide_core.bands import CHANNELS, OPTICAL, POLARISATIONS
from landslide_core.features import DN_INDICES, PASSES

Floats = NDArray[np.float32]

GROUPS: Final = ("visible", "nir", "desc_post", "desc_pre", "asc_post", "asc_pre")
_OPTICAL_STATES: Final = (("visible", "nir"), ("visible",), ())
_PASS_STATES: Final = {p: ((f"{p}_post", f"{p}_pre"), (f"{p}_post",), ()) for p in ("desc", "asc")}
COMBINATIONS: Final[tuple[str, ...]] = tuple(
    "+".join(groups)
    for optical, desc, asc in product(_OPTICAL_STATES, *_PASS_STATES.values())
    if (groups := (*optical, *desc, *asc))
)
COMPLETE: Final = COMBINATIONS[0]
PARTIAL: Final = "partial"  # a group is there in part; nothing was fitted for that

# The combinations an analyst meets most, and what to call them.
USUAL: Final[dict[str, str]] = {
    COMPLETE: "everything",
    "visible+nir": "optical only",
    "desc_post+desc_pre+asc_post+asc_pre": "radar only",
    "desc_post+desc_pre": "descending pass only",
    "asc_post+asc_pre": "ascending pass only",
    "visible+nir+desc_post+desc_pre": "optical and descending pass",
    "visible+nir+asc_post+asc_pre": "optical and ascending pass",
    "visible+nir+desc_post+asc_post": "no pre-event dates",
    "visible+desc_post+desc_pre+asc_post+asc_pre": "no near infrared",
}


def combination_of(features: pd.DataFrame) -> list[str]:
    """Each row's input combination; PARTIAL where a group is broken, "" where nothing is there."""
    needs = {
        "visible": [f"{band}_mean" for band in OPTICAL if band != "nir"],
        "nir": ["nir_mean"],
        **{f"{p}_post": [f"{p}_{pol}_post_mean" for pol in POLARISATIONS] for p in PASSES},
        **{f"{p}_pre": [f"{p}_{pol}_diff_mean" for pol in POLARISATIONS] for p in PASSES},
    }
    has = {group: features[columns].notna() for group, columns in needs.items()}
    broken = np.any([table.any(axis=1) & ~table.all(axis=1) for table in has.values()], axis=0)
    whole = np.column_stack([has[group].all(axis=1) for group in GROUPS])
    return [
        PARTIAL if broken[i] else "+".join(g for g, there in zip(GROUPS, row, strict=True) if there)
        for i, row in enumerate(whole)
    ]


def blank(features: pd.DataFrame, combination: str) -> pd.DataFrame:
    """The features as they would be with only the combination's groups there, NaN elsewhere."""
    kept = set(combination.split("+"))
    gone = [not _groups_of(name) <= kept for name in features.columns]
    values = features.to_numpy(np.float32, copy=True)
    values[:, gone] = np.nan
    return pd.DataFrame(values, features.index, features.columns)


def channels_without(combination: str) -> list[int]:
    """Channels of the model input (N, 13, h, w) that are 0 under a combination."""
    kept = set(combination.split("+"))
    return [i for i, channel in enumerate(CHANNELS) if _group_of_channel(channel.name) not in kept]


def blank_inputs(inputs: Floats, combination: str) -> Floats:
    """Model inputs as they would be with only the combination's groups there, 0 elsewhere."""
    blanked = np.array(inputs)
    blanked[:, channels_without(combination)] = 0
    return blanked


def _group_of_channel(channel: str) -> str:
    if channel == "nir":
        return "nir"
    orbit_pass, _, time = channel.partition("_")
    return f"{orbit_pass}_{time.split('_')[-1]}" if orbit_pass in PASSES else "visible"


def _groups_of(feature: str) -> set[str]:
    """The input groups a filter feature is computed from."""
    head = feature.split("_")[0]
    compares = any(part in feature for part in ("_diff", "_pre", "_change"))
    if head == "passes":
        times = ("post", "pre") if compares else ("post",)
        return {f"{p}_{time}" for p in PASSES for time in times}
    if head in PASSES:
        return {f"{head}_post", f"{head}_pre"} if compares else {f"{head}_post"}
    if feature.endswith("_contrast"):
        return {"nir" if band == "nir" else "visible" for band in feature.split("_")[:2]}
    if feature.startswith(DN_INDICES):
        return {"visible", "nir"}
    return {"nir"} if head == "nir" else {"visible"}
