"""Numbers, features and verdicts in plain words."""

import re
from typing import Final

import numpy as np
import pandas as pd

from landslide_core.explain import TileExplanation
from landslide_core.features import INDICES, RATIOS

PASS_WORDS: Final = {"desc": "Descending", "asc": "Ascending"}
_BANDS: Final = {"red": "red", "green": "green", "blue": "blue", "nir": "near infrared"}
_STATISTICS: Final = {
    "mean": "mean",
    "std": "standard deviation",
    "min": "lowest value",
    "max": "highest value",
    "skew": "skewness",
    "kurt": "peakedness (kurtosis)",
    "q10": "10 % quantile",
    "q90": "90 % quantile",
    "range": "range",
    "variation": "variation relative to its level",
    "change": "roughness of change ÷ roughness after",
    "contrast": "contrast",
}
_INDICES: Final = {
    **{name: name.upper() for name in INDICES},
    "bndvi_dn": "Blue NDVI (on digital numbers)",
    "ndwi_dn": "NDWI (on digital numbers)",
}
_TIMES: Final = {"pre": "before", "post": "after", "diff": "change"}
_UNITLESS: Final = ("skew", "kurt", "variation", "change", "contrast")


def number(value: float) -> str:
    """A figure 0..1 with as many digits as it deserves; "–" where there is none."""
    if not np.isfinite(value):
        return "–"
    if 0 < value < 0.1:
        return "under 0.0005" if value < 0.0005 else f"{value:.2g}"
    return f"{value:.2f}"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+~$:|&!])", r"\\\1", " ".join(text.split()))


def literal(text: str) -> str:
    """A stranger's text as code, in which Markdown finds nothing, not even an address."""
    return f"`{' '.join(text.replace('`', ' ').split())[:80] or '?'}`"


def signed(value: float) -> str:
    """A figure with its sign: "+1.20", "−0.35"."""
    return f"{value:+.2f}".replace("-", "−")


def feature(name: str) -> str:
    """A filter feature in words: "desc_vv_diff_std" -> "Descending VV change: standard …"."""
    stem, _, statistic = name.rpartition("_")
    what = _STATISTICS.get(statistic, statistic)
    if statistic == "contrast":
        return f"{_layer_pair(stem)}: contrast"
    return f"{_layer(stem)}: {what}"


def measurements(features: pd.DataFrame) -> pd.DataFrame:
    """A tile's features, layers and statistics in words."""
    return features.rename(
        index=_layer, columns={key: words.capitalize() for key, words in _STATISTICS.items()}
    )


def _layer_pair(stem: str) -> str:
    one, other = stem.split("_")
    return f"{_BANDS[one]} to {_BANDS[other]}".capitalize()


def _layer(stem: str) -> str:
    parts = stem.split("_")
    if stem in _BANDS:
        return _BANDS[stem].capitalize()
    if stem in _INDICES:
        return _INDICES[stem]
    if parts[0] == "passes":
        return f"Ascending minus descending, {parts[1].upper()} {_TIMES[parts[2]]}"
    if parts[0] not in PASS_WORDS:  # a bundle may know features that this list does not
        return stem.replace("_", " ").capitalize()
    words = PASS_WORDS[parts[0]]
    if stem in RATIOS:
        return f"{words} VV − VH {_TIMES[parts[2]]}"
    if len(parts) == 2:
        return f"{words} {parts[1].upper()}"
    return f"{words} {parts[1].upper()} {_TIMES[parts[2]]}"


def feature_value(name: str, value: float) -> str:
    """A feature's value with its unit."""
    if not np.isfinite(value):
        return "no data"
    stem, _, statistic = name.rpartition("_")
    if statistic in _UNITLESS:
        text = f"{value:.2f}"
    elif stem in _INDICES:
        text = f"{value:.3f}"
    elif stem in _BANDS:
        text = f"{value / 1e4:.3f} reflectance"
    elif stem.split("_")[0] in (*PASS_WORDS, "passes"):
        text = f"{value:.1f} dB"
    else:
        text = f"{value:.1f}"
    return text.replace("-", "−")


def votes_for(why: TileExplanation) -> tuple[int, int]:
    """Votes at or above their member's threshold, of how many."""
    over = why.votes >= np.asarray(why.member_thresholds)[:, None]
    return int(over.sum()), int(over.size)


def verdict(why: TileExplanation) -> str:
    """Why the tile has its verdict, in two sentences."""
    if why.verdict == "no_data":
        return "Too few valid pixels to judge: neither the filter nor the ensemble was asked."
    yes, of = votes_for(why)
    score, limit = number(why.filter_score), number(why.filter_threshold)
    if why.verdict == "filtered_out":
        return (
            f"The negative filter gave {score}, under its threshold of {limit}, and dropped the "
            f"tile. The ensemble, asked now, gives {yes} of {of} votes for a landslide."
        )
    ending = {
        "landslide": "at least two thirds agree that there is one.",
        "stable": "at least two thirds agree that there is none.",
        "uncertain": "fewer than two thirds agree either way, so look at the bands yourself.",
    }[why.verdict]
    return (
        f"{yes} of {of} votes say landslide. The mean probability is {number(why.probability)} "
        f"with a spread of {number(why.spread)}; {ending}"
    )


def filter_sentence(why: TileExplanation) -> str:
    """What the filter did, and why."""
    score, limit = number(why.filter_score), number(why.filter_threshold)
    if not np.isfinite(why.filter_threshold):
        return (
            f"Score {score}; with this combination of missing bands the filter drops nothing, "
            "so the tile went on to the ensemble."
        )
    if why.filter_score < why.filter_threshold:
        return f"Score {score} is under the threshold {limit}: the tile was dropped."
    return f"Score {score} reaches the threshold {limit}: the tile went on to the ensemble."
