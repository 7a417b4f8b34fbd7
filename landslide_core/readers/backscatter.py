"""What the numbers of a Sentinel-1 product mean: dB, linear power or amplitude, and why."""

import re
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from landslide_core.errors import AmbiguousUnits
from landslide_core.pixels import DB_RANGE, POWER, BandSource, Floats, Unit, from_db
from landslide_core.readers.given import ROLE_WORDS
from landslide_core.readers.raster import RasterFile, sample, spread_of
from landslide_core.scene import Decision

ZEROS: Final = 0.01  # of a band in dB; exact zeros beyond are a fill, whatever is declared
FILL: Final = -100.0  # dB; a number below is a fill value that the file doesn't declare

# Words for a unit, in tags, band names and file names. "Linear" alone says neither power nor
# amplitude.
WORDS: Final[dict[Unit, re.Pattern[str]]] = {
    "amplitude": re.compile(r"(?<![a-z0-9])amplitudes?(?![a-z0-9])", re.IGNORECASE),
    "db": re.compile(r"(?<![a-z0-9])(db|decibels?)(?![a-z0-9])", re.IGNORECASE),
    "linear": re.compile(r"(?<![a-z0-9])(power|intensity)(?![a-z0-9])", re.IGNORECASE),
}
# ASF HyP3, S1x_yy_aaaaaaaaTbbbbbb_ppo_RTCzz_u_defklm_ssss_VV.tif: e is the scale, between d
# (gamma or sigma nought) and f (unmasked or water masked), k (filter), l (clipped), m (matched).
HYP3: Final = re.compile(r"_RTC\d+_[A-Z]_[gs](?P<scale>[pad])[uw][nf][ec][dm]_", re.IGNORECASE)
SCALES: Final[dict[str, Unit]] = {"p": "linear", "a": "amplitude", "d": "db"}
IN_WORDS: Final[dict[Unit, str]] = {
    "db": "dB",
    "linear": "linear power, to dB after resampling",
    "amplitude": "amplitude, squared to linear power, to dB after resampling",
}
# dB. Medians of linear power above these are rare in nature; amplitude taken for power doubles
# the dB, so -11 in VV and -18 in VH become -5.5 and -9.
BRIGHTEST: Final = {"vv": -6.0, "vh": -11.0}


@dataclass(frozen=True)
class Backscatter:
    """One polarisation of one file in its unit, the decision behind it and its mean level."""

    source: BandSource
    decision: Decision
    level: float  # dB
    warnings: tuple[str, ...]


def decide(
    file: RasterFile, index: int, polarisation: str, role: str, values: Floats
) -> Backscatter:
    """Decide the unit of a band from what the file says and from its valid values (scaled).

    Values tell dB from the others; only a tag or a name tells amplitude from power, else power
    is supposed, with a warning where it is very high. Raises AmbiguousUnits.
    """
    name = f"{ROLE_WORDS[role]}: {file.place.name}"
    scale, offset = file.scales[index - 1], file.offsets[index - 1]
    if file.dtypes[index - 1] in ("uint8", "int8") and (scale, offset) == (1.0, 0.0):
        raise AmbiguousUnits(
            f"{name} holds 8-bit numbers ({spread_of(values)}); calibrated backscatter is needed. "
            "An 8-bit file is a preview, stretched to be looked at: choose the product's own files."
        )
    whole = (scale, offset) == (1.0, 0.0) and not file.dtypes[index - 1].startswith("float")
    by_values = unit_of(values, whole)
    if by_values is None:
        raise AmbiguousUnits(
            f"{name} holds numbers that are neither dB nor linear power "
            f"({file.dtypes[index - 1]}, {spread_of(values)}); calibrated backscatter is needed. "
            "Calibrate to sigma or gamma nought, e.g. with SNAP, or take an RTC product."
        )
    said, evidence = stated_unit(file, index)
    fits = said is not None and (said in POWER) == (by_values in POWER)
    unit = said if said is not None and fits else by_values
    source, zeros, doubt = _zeros(file.source(index, unit, scale, offset))
    power = _power(values, unit)
    found = f"{file.place.name}: {f'{evidence}, ' if fits else ''}{spread_of(values)}{zeros}"
    return Backscatter(
        source,
        Decision(role, f"{polarisation.upper()} unit", found, IN_WORDS[unit]),
        level=_db(float(power.mean())),
        warnings=(
            *_doubts(name, polarisation, unit, power, evidence, fits),
            *([f"{name} {doubt}"] if doubt else []),
        ),
    )


def _zeros(source: BandSource) -> tuple[BandSource, str, str]:
    """A source without zeros that are a fill beside the declared one; evidence; a warning.

    Without a declared fill, zero is no data in dB. A declared one outside dB's range is none
    without being named, so it makes room.
    """
    if source.unit != "db" or source.nodata is None or source.offset:
        return source, "", ""
    share = float(np.mean(sample(source) == 0))
    if share <= ZEROS:
        return source, "", ""
    if DB_RANGE[0] < source.nodata * source.scale < DB_RANGE[1]:
        return (
            source,
            "",
            f"holds {share:.0%} of exactly 0 dB beside the no data value {source.nodata:g}; they "
            "were taken as numbers. If they are a fill, make them no data, e.g. with gdal_calc.py.",
        )
    return replace(source, nodata=None), f"; {share:.0%} exactly 0 dB: 0 is a fill too", ""


def _doubts(
    name: str, polarisation: str, unit: Unit, power: Floats, evidence: str, fits: bool
) -> tuple[str, ...]:
    """Warnings where the values contradict the file's word, or fit amplitude better."""
    doubts = []
    if evidence and not fits:
        doubts.append(
            f"{name} holds numbers that contradict its {evidence}; they were read as "
            f"{IN_WORDS[unit]}. Correct the file if that is wrong."
        )
    middle = _db(float(np.median(power)))
    if unit == "linear" and not fits and middle > BRIGHTEST[polarisation]:
        doubts.append(
            f"{name} was read as linear power, but its median of {middle:.1f} dB in "
            f"{polarisation.upper()} is very high: it may be amplitude. If so, say it in the "
            "file, e.g. with gdal_edit.py -mo UNITS=amplitude."
        )
    return tuple(doubts)


def stated_unit(file: RasterFile, index: int) -> tuple[Unit | None, str]:
    """The unit that a band's own unit, tags or names state, and where; (None, "") if none do."""
    tags = {key.lower(): value for key, value in file.tags.items()}
    for text, where in (
        (file.units[index - 1], "unit"),
        (tags.get("units", ""), "tag UNITS"),
        (tags.get("unit", ""), "tag UNIT"),
        (file.names[index - 1], "band name"),
    ):
        for unit, words in WORDS.items():
            if words.search(text.replace("_", " ")):
                return unit, f"{where} {text!r}"
    if hyp3 := HYP3.search(file.place.name):
        return SCALES[hyp3["scale"].lower()], "HyP3 file name"
    for unit, words in WORDS.items():
        if named := words.search(file.place.stem.replace("_", " ")):
            return unit, f"file name with {named[0]!r}"
    return None, ""


def unit_of(values: Floats, whole: bool) -> Unit | None:
    """Unit of backscatter by its values: dB, linear power, or None where it is neither.

    `whole` says that the file holds whole numbers without a scale: linear power, mostly below 1,
    can't be among them, amplitude digital numbers can.
    """
    possible = values[values > FILL]
    if possible.size < values.size / 20:
        return None
    low, middle, high = np.percentile(possible, (1, 50, 99))
    if low > -60 and -45 < middle < 0 and high < 40:
        return "db"
    if not whole and low >= 0 and middle < 2 and high < 100:
        return "linear"
    return None


def _power(values: Floats, unit: Unit) -> Floats:
    """Linear power of the values that can be in the unit."""
    if unit == "db":
        return from_db(values[values > FILL])
    positive = values[values > 0]
    return positive * positive if unit == "amplitude" else positive


def _db(power: float) -> float:
    return float(10.0 * np.log10(power))
