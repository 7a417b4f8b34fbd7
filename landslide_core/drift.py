"""Where a scene's pixels lie among those the model learnt from, band by band, and how unlike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.bands import BAND_NAMES, OPTICAL, POLARISATIONS, RADAR_ROLES, radar_band
from landslide_core.manifest import QUANTILES

Floats = NDArray[np.float32]
Counts = NDArray[np.integer]
Learnt = Mapping[str, Sequence[float]]  # a band's values at QUANTILES, over the training's pixels

# Of a tile's pixels every fifth row and column, from the third on: 169, which a byte counts.
FIRST: Final = 2
STEP: Final = 5
# Shares of the training's pixels between whose values the scene's are counted: QUANTILES and the
# middles between them.
EDGES: Final = tuple(
    (QUANTILES[i // 2] + QUANTILES[(i + 1) // 2]) / 2 for i in range(2 * len(QUANTILES) - 1)
)
BINS: Final = len(EDGES) + 1  # what is beyond the training's lowest and highest counts too
_INNER: Final = slice(3, -3)  # the bins of the training's 1 to 99 %
_TOLD: Final = QUANTILES[1:-1]

LIKENESS: Final = ("usual", "unusual", "unlike")
# Limits of |shift| and of `outside` for unusual and unlike. Pieces of the training set, of 50 to
# 500 tiles: drawn at random none is even unusual; sorted by a band or a principal component 2 %
# are unlike in some band; of k-means clusters, alike in all bands as no scene is, 9 to 21 %, most
# of them all cloud or snow. Of ten real scenes one is, and that is of level 1C. All of five are
# with 1,000 taken from reflectance twice, reflectance a tenth, power read as dB, or numbers that
# were not calibrated.
SHIFTED: Final = (0.6, 0.8)
OUTSIDE: Final = (0.1, 0.25)
# A band alone cannot tell an offset of 1,000 left in from bright ground, as a fifth of the
# training's pixels is as bright; all visible bands together can. Without the offset none of the
# six real scenes of level 2A is over the limit, with it all are, and the level 1C.
BRIGHTER: Final = 0.7
VISIBLE: Final = ("red", "green", "blue")
# dB by which the median of VV exceeds that of VH: less in 0.1 % of the sorted pieces; 5.2 to 7.8
# in the real scenes, as much below 0 where they are swapped, and half of it, 2.8 to 4.2, where
# amplitude is read as power.
LEAST_GAP: Final = 4.0


@dataclass(frozen=True)
class BandDrift:
    """How one band of a scene compares with the training's pixels."""

    likeness: str  # one of LIKENESS
    outside: float  # share of its pixels beyond the training's 1 or 99 %; 0.02 where alike
    median_at: float  # share of the training's pixels under the scene's median; 0.5 where alike
    # The greatest gap between both cumulative distributions, −1..1; above 0: higher values.
    shift: float
    learnt: Mapping[str, float]  # "p1" to "p99" of the training's pixels, band's unit
    found: Mapping[str, float]  # the scene's, as far as the bins tell


def placed(pixels: Floats, learnt: Learnt) -> NDArray[np.uint8]:
    """How many of 169 pixels of tiles (N, 12, 64, 64) lie in each bin: (N, 12, BINS).

    NaN is counted nowhere, nor is a band whose quantiles are not known.
    """
    few = pixels[:, :, FIRST::STEP, FIRST::STEP].reshape(*pixels.shape[:2], -1)
    counts = np.zeros((*few.shape[:2], BINS), np.uint8)
    offsets = (BINS + 1) * np.arange(len(few))[:, None]
    for i, name in enumerate(BAND_NAMES):
        if name not in learnt:
            continue
        edges = np.interp(EDGES, QUANTILES, learnt[name]).astype(np.float32)
        bins = np.where(np.isnan(few[:, i]), BINS, np.searchsorted(edges, few[:, i], side="right"))
        found = np.bincount((bins + offsets).ravel(), minlength=(BINS + 1) * len(few))
        counts[:, i] = found.reshape(len(few), BINS + 1)[:, :BINS]
    return counts


def drift_of(counts: Counts, learnt: Learnt) -> dict[str, BandDrift]:
    """Each band's drift from counts (12, BINS) over all tiles; only the bands there are."""
    bands = {
        name: _compare(row, learnt[name])
        for name, row in zip(BAND_NAMES, counts, strict=True)
        if name in learnt and row.sum()
    }
    unlike = {*_offset_left_in(bands), *(n for pair in _narrow(bands) for n in pair)}
    return {
        name: replace(band, likeness="unlike") if name in unlike else band
        for name, band in bands.items()
    }


def outside(pixels: Floats, learnt: Mapping[str, float]) -> float:
    """Share of a band's pixels beyond the training's 1 or 99 %; 0 where there is no data."""
    known = pixels[np.isfinite(pixels)]
    if not known.size:
        return 0.0
    return float(np.mean((known < learnt["p1"]) | (known > learnt["p99"])))


def warning_of(drift: Mapping[str, BandDrift]) -> str | None:
    """One line on a scene that is unlike what the model learnt; None where it is not."""
    unlike = [name for name, band in drift.items() if band.likeness == "unlike"]
    if not unlike:
        return None
    said, checks = [], []
    narrow = _narrow(drift)
    if narrow:
        gaps = [f"{_signed(_gap(drift, vv, vh))} dB ({_image(vv)})" for vv, vh in narrow]
        said.append(f"VV − VH is {_listed(gaps)}, where {LEAST_GAP:g} dB and more are usual")
        checks.append("that VV and VH are not swapped")
    explained = {name for pair in narrow for name in pair}
    for how in ("higher", "lower", "more widely spread"):
        names = [n for n in unlike if _how(drift[n]) == how and _alone(n, drift, explained)]
        if names:
            words = _together(names, drift)
            verb = "is" if len(names) == 1 else "are"
            said.append(f"{_listed(words)} {verb} far {how}")
    if any(name in OPTICAL for name in unlike):
        checks.append("Sentinel-2's offset, scale and level, and for cloud, snow or haze")
    if any(name not in OPTICAL for name in unlike):
        checks.append("Sentinel-1's unit and calibration")
    return (
        f"This scene is unlike what the model learnt: {'; '.join(said)}. Treat its verdicts with "
        f"care; check {_listed(checks)}."
    )


def record(drift: Mapping[str, BandDrift]) -> dict[str, Any]:
    """The drift as JSON, rounded to what the bins can tell."""
    return {
        name: {
            "likeness": band.likeness,
            **{key: round(getattr(band, key), 4) for key in ("outside", "median_at", "shift")},
            **{
                key: {at: round(value, 3) for at, value in getattr(band, key).items()}
                for key in ("learnt", "found")
            },
        }
        for name, band in drift.items()
    }


def _compare(counts: Counts, quantiles: Sequence[float]) -> BandDrift:
    """A band's drift from its counts (BINS,) but for what other bands say of it."""
    total = int(counts.sum())
    under = np.cumsum(counts)[:-1] / total  # share of the scene's pixels under each edge
    gaps = np.asarray(EDGES) - under
    shift = float(gaps[np.abs(gaps).argmax()])
    beyond = 1 - float(counts[_INNER].sum()) / total
    places = np.interp((*_TOLD, 0.5), under, EDGES)
    level = sum(
        abs(shift) >= shifted or beyond >= out
        for shifted, out in zip(SHIFTED, OUTSIDE, strict=True)
    )
    return BandDrift(
        likeness=LIKENESS[level],
        outside=beyond,
        median_at=float(places[-1]),
        shift=shift,
        learnt=_named(quantiles[1:-1]),
        found=_named(np.interp(places[:-1], QUANTILES, quantiles).tolist()),
    )


def _named(values: Sequence[float]) -> dict[str, float]:
    return {f"p{100 * share:g}": float(v) for share, v in zip(_TOLD, values, strict=True)}


def _offset_left_in(drift: Mapping[str, BandDrift]) -> tuple[str, ...]:
    """The visible bands where all of them are so much brighter that an offset may be in them."""
    bright = all(name in drift and drift[name].shift >= BRIGHTER for name in VISIBLE)
    return VISIBLE if bright else ()


def _narrow(drift: Mapping[str, BandDrift]) -> list[tuple[str, str]]:
    """Pairs of VV and VH of one image whose medians lie closer than backscatter's do."""
    pairs = [tuple(radar_band(role, p) for p in POLARISATIONS) for role in RADAR_ROLES]
    return [
        (vv, vh)
        for vv, vh in pairs
        if _is_within(vv, drift) and _is_within(vh, drift) and _gap(drift, vv, vh) < LEAST_GAP
    ]


def _is_within(name: str, drift: Mapping[str, BandDrift]) -> bool:
    """Whether there is a band, and its median is where the bins are narrow."""
    return name in drift and _TOLD[0] < drift[name].median_at < _TOLD[-1]


def _gap(drift: Mapping[str, BandDrift], vv: str, vh: str) -> float:
    return drift[vv].found["p50"] - drift[vh].found["p50"]


def _how(band: BandDrift) -> str:
    if abs(band.shift) < SHIFTED[0]:
        return "more widely spread"
    return "higher" if band.shift > 0 else "lower"


def _alone(name: str, drift: Mapping[str, BandDrift], explained: set[str]) -> bool:
    """Whether a band is unlike by itself, not by its polarisations' gap alone."""
    band = drift[name]
    return name not in explained or abs(band.shift) >= SHIFTED[1] or band.outside >= OUTSIDE[1]


def _together(names: Sequence[str], drift: Mapping[str, BandDrift]) -> list[str]:
    """Bands in words, those of a sensor as one where all of it that is there is among them."""
    words = []
    for sensor, wanted in (("optical", True), ("radar", False)):
        there = [name for name in drift if (name in OPTICAL) == wanted]
        members = [name for name in names if name in there]
        whole = len(members) == len(there) > 2
        words += [f"all {sensor} bands"] if whole else [_words(name) for name in members]
    return words


def _words(name: str) -> str:
    """A band in words: "near infrared", "VV descending post-event"."""
    if name in OPTICAL:
        return "near infrared" if name == "nir" else name
    return f"{name.split('_')[1].upper()} {_image(name)}"


def _image(name: str) -> str:
    """A radar band's image in words: "descending post-event"."""
    orbit_pass, _, time = name.split("_")
    return f"{'descending' if orbit_pass == 'desc' else 'ascending'} {time}-event"


def _signed(value: float) -> str:
    return f"{value:.1f}".replace("-", "−")


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
