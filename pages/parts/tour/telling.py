"""The tour's sentences: what features and verdicts mean to who never saw one."""

from typing import Final

from landslide_core.explanation import TileExplanation
from landslide_core.features import INDICES
from pages.parts import wording
from pages.parts.why.filter_chart import place

_LIGHT: Final = {
    "red": "red light",
    "green": "green light",
    "blue": "blue light",
    "nir": "near infrared, in which plants shine",
}
_INDICES: Final = dict.fromkeys((*INDICES, "bndvi"), "greenness") | {"ndwi": "wetness"}
_STATISTICS: Final = {
    "mean": "Mean of {}",
    "std": "Unevenness of {}",
    "min": "Lowest {}",
    "max": "Highest {}",
    "skew": "Spots that stand out in {}",
    "kurt": "Rare extremes of {}",
    "q10": "Lowest tenth of {}",
    "q90": "Highest tenth of {}",
    "range": "Range of {}",
    "variation": "Patchiness of {}",
    "change": "Roughening of {}",
}
_ROWS: Final = " of the training rows"  # as `place` ends
_TIMES: Final = {"pre": "radar echo before", "post": "radar echo after"}


def feature(name: str) -> str:
    """What a filter feature measures: "Unevenness of radar change (VV, ascending)"."""
    stem, _, statistic = name.rpartition("_")
    if statistic == "contrast":
        return "Contrast of " + " and ".join(_LIGHT[band] for band in stem.split("_"))
    said = _STATISTICS.get(statistic)
    return said.format(_layer(stem)) if said else wording.feature(name)


def _layer(stem: str) -> str:
    parts = stem.split("_")
    if stem in _LIGHT:
        return _LIGHT[stem]
    if parts[0] == "passes" and len(parts) > 1:
        return f"difference of the two passes ({parts[1].upper()})"
    if parts[0] in wording.PASS_WORDS:
        what = _TIMES.get(parts[-1], "radar change")
        which = "VV − VH" if parts[1] == "ratio" else parts[1].upper()
        return f"{what} ({which}, {wording.PASS_WORDS[parts[0]].lower()})"
    words = _INDICES.get(parts[0])
    return f"{words} ({parts[0].upper()})" if words else wording.band(stem)


def reasons(why: TileExplanation, sign: int, count: int = 3) -> str:
    """The strongest reasons for (1) or against (−1) a landslide, as a Markdown list."""
    lines: list[str] = []
    for name, value, share in why.contributions:
        if share * sign > 0 and len(lines) < count:
            where = place(why.learnt, name, value).replace("than", "than in").removesuffix(_ROWS)
            whose = "" if lines else " of the tiles it learnt from"
            lines.append(f"- **{feature(name)}**{f': {where}{whose}' if where else ''}")
    return "\n".join(lines) or "- nothing"


def missed(why: TileExplanation, area: float, clouded: float) -> str:
    """Why a scar was missed, by what became of the tile that holds most of it."""
    ends = why.weighing.calibration if why.weighing else None
    said = {
        "filtered_out": (
            f"The filter dropped its tile: it scored {wording.number(why.filter_score)}, and "
            f"{wording.number(why.filter_threshold)} was needed to go on."
        ),
        "stable": (
            f"The members saw its tile and were not convinced: probability "
            f"{wording.number(why.probability)}."
        ),
        "uncertain": (
            f"Its tile is **uncertain** (probability {wording.number(why.probability)}"
            + (f", an alarm needs {wording.number(ends.upper)}" if ends else "")
            + "): no alarm, but it is on the list that people look through."
        ),
        "landslide": "Its tile is an alarm, but holds too little of the scar to count as found.",
    }[why.verdict]
    if clouded >= 0.1:
        said += f" Clouds hid {100 * clouded:.0f} % of the tile from the camera."
    return f"{said} {_size(area)}"


def _size(area: float) -> str:
    """How large a scar is beside a tile."""
    share = area / (640 * 640)
    return (
        f"The scar covers {area / 1e4:,.1f} hectares, as much as {100 * share:.2g} % of a tile."
        if share < 0.2
        else f"It is not small: {area / 1e4:,.1f} hectares."
    )
