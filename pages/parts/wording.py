"""Numbers, features and inputs in plain words."""

import re
from typing import Final

import numpy as np
import pandas as pd

from landslide_core.combinations import PARTIAL, USUAL
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
_GROUPS: Final = {
    "visible": "visible",
    "nir": "near infrared",
    **{
        f"{key}_{time}": f"{words.lower()} {_TIMES[time]}"
        for key, words in PASS_WORDS.items()
        for time in ("pre", "post")
    },
}
_UNITLESS: Final = ("skew", "kurt", "variation", "change", "contrast")


def number(value: float) -> str:
    """A figure 0..1 with as many digits as it deserves; "–" where there is none."""
    if not np.isfinite(value):
        return "–"
    if 0 < value < 0.1:
        return "under 0.0005" if value < 0.0005 else f"{value:.2g}"
    return f"{value:.2f}"


def percent(share: float) -> str:
    """A share 0..1 as a percentage of two digits: "2 %", "1.4 %"."""
    return f"{100 * share:.2g} %"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>()#+~$:|&!])", r"\\\1", " ".join(text.split()))


def literal(text: str) -> str:
    """A stranger's text as code, in which Markdown finds nothing, not even an address."""
    return f"`{' '.join(text.replace('`', ' ').split())[:80] or '?'}`"


def signed(value: float) -> str:
    """A figure with its sign: "+1.20", "−0.35"."""
    return f"{value:+.2f}".replace("-", "−")


def plain(value: float) -> str:
    """A figure as short as it can be told: "−22", "0.35"."""
    return f"{value:.3g}".replace("-", "−")


def span(low: float, high: float, unit: str) -> str:
    """A range with its unit: "−22 … 0 dB"; reflectance as a share of one."""
    if unit == "reflectance × 10⁴":
        return f"{low / 1e4:.3f} … {high / 1e4:.3f} reflectance".replace("-", "−")
    return f"{plain(low)} … {plain(high)} {unit}".rstrip()


def combination(name: str) -> str:
    """An input combination in words: those of its everyday name, else its groups."""
    if name in USUAL:
        return USUAL[name]
    if name in ("", PARTIAL):
        return "some bands of a group missing"
    return ", ".join(_GROUPS[group] for group in name.split("+"))


def feature(name: str) -> str:
    """A filter feature in words: "desc_vv_diff_std" -> "Descending VV change: standard …"."""
    stem, _, statistic = name.rpartition("_")
    what = _STATISTICS.get(statistic, statistic)
    if statistic == "contrast":
        return f"{_layer_pair(stem)}: contrast"
    return f"{_layer(stem)}: {what}"


def band(name: str) -> str:
    """A band in words: "desc_vv_post" -> "Descending VV after"."""
    return _layer(name)


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
