"""Sentinel-1 files of one role -> VV and VH backscatter."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from landslide_core.bands import POLARISATIONS, radar_band
from landslide_core.errors import AmbiguousUnits, MissingBands
from landslide_core.pixels import BandSource, Floats, Unit, from_db
from landslide_core.readers.raster import (
    RasterFile,
    Reading,
    check_resolution,
    expand,
    inspect,
    left_out,
    sample,
    sidecar,
    spread_of,
    stated,
    tags_as_text,
)
from landslide_core.scene import Decision

TOKEN: Final = re.compile(r"(?<![a-z0-9])(vv|vh|hh|hv)(?![a-z0-9])", re.IGNORECASE)
PASS_KEYS: Final = (
    "orbitProperties_pass",  # Earth Engine
    "ORBIT_PASS_DIRECTION",  # OPERA
    "sat:orbit_state",  # STAC
    "PASS",  # SNAP
    "ORBIT_DIRECTION",
)


FILL: Final = -100.0  # dB; a number below is a fill value that the file doesn't declare


@dataclass(frozen=True)
class _Found:
    """One polarisation of one file, and how it was recognised."""

    polarisation: str
    file: RasterFile
    index: int
    evidence: str


def read_sentinel1(paths: tuple[Path, ...], role: str) -> Reading:
    """Find VV and VH in the files of a role ("desc_pre", …) and what their numbers mean.

    One polarisation alone is taken with a warning. Raises MissingBands, AmbiguousUnits,
    GridMismatch and what `inspect` raises.
    """
    files = [inspect(path) for path in expand(paths)]
    found = [entry for file in files for entry in _entries(file)]
    bands: dict[str, tuple[BandSource, ...]] = {}
    decisions: list[Decision] = []
    warnings = _left_alone(files, found, role)
    levels: dict[str, float] = {}  # dB
    for entry in found:
        check_resolution(entry.file)
        values = sample(entry.file.source(entry.index, "class", *_own_scale(entry)))
        if not values.size:
            warnings.append(left_out(entry.file, entry.index, role))
            continue
        source, decision, level = _decide_unit(entry, role, values)
        name = radar_band(role, entry.polarisation)
        bands[name] = (*bands.get(name, ()), source)
        levels[entry.polarisation] = level
        taken = f"band {entry.index} of {entry.file.path.name} is {entry.polarisation.upper()}"
        decisions.append(Decision(role, entry.polarisation.upper(), entry.evidence, taken))
        decisions.append(decision)
    warnings += [
        f"{role}: no {polarisation.upper()} was found; it is carried as missing, and verdicts "
        "rest on the other bands."
        for polarisation in POLARISATIONS
        if all(entry.polarisation != polarisation for entry in found)
    ]
    if levels.get("vv", 0.0) < levels.get("vh", -np.inf):
        warnings.append(
            f"{role}: VV is weaker than VH ({levels['vv']:.1f} and {levels['vh']:.1f} dB on "
            "average), which nature hardly shows; the two may be exchanged. Check their order."
        )
    warnings += [warning for warning in (_pass_warning(file, role) for file in files) if warning]
    return Reading(
        bands=bands,
        decisions=tuple(decisions),
        warnings=tuple(dict.fromkeys(warnings)),
        files=tuple(dict.fromkeys(entry.file.path for entry in found)),
    )


def _entries(file: RasterFile) -> list[_Found]:
    """The polarisations of a file, by description, else file name, tags or the usual order."""
    described = [_polarisations(name) for name in file.names]
    if any(described):
        return [
            _Found(names[0], file, i, f"band named {file.names[i - 1]!r}")
            for i, names in enumerate(described, 1)
            if names and names[0] in POLARISATIONS
        ]
    in_name = _polarisations(file.path.stem)
    said = stated(tags_as_text(file), "POLARI[SZ]ATION") or ""
    for names, evidence in (
        (in_name, f"file name {file.path.name}"),
        (_polarisations(said), f"the file's tags ({said})"),
    ):
        if len(names) == file.count:
            return [
                _Found(name, file, i, evidence)
                for i, name in enumerate(names, 1)
                if name in POLARISATIONS
            ]
    if file.count == len(POLARISATIONS) and not in_name:
        evidence = "two bands without names: VV, VH is the usual order"
        return [_Found(name, file, i, evidence) for i, name in enumerate(POLARISATIONS, 1)]
    return []


def _polarisations(name: str) -> list[str]:
    return [found.lower() for found in TOKEN.findall(name)]


def _left_alone(files: Sequence[RasterFile], found: Sequence[_Found], role: str) -> list[str]:
    """Warnings for files without a known polarisation. Raises MissingBands if that's all."""
    unknown = [file for file in files if all(entry.file is not file for entry in found)]
    if not found:
        names = ", ".join(f"{file.path.name} ({file.count} bands)" for file in unknown)
        raise MissingBands(
            f"{role}: neither VV nor VH was recognised in {names}; a file named after its "
            "polarisation, named bands, or two bands in the order VV, VH are needed. Rename it, "
            "e.g. to scene_VV.tif."
        )
    return [f"{role}: {file.path.name} is neither VV nor VH and is left alone." for file in unknown]


def _own_scale(entry: _Found) -> tuple[float, float]:
    """Scale and offset that the file carries."""
    return entry.file.scales[entry.index - 1], entry.file.offsets[entry.index - 1]


def _decide_unit(entry: _Found, role: str, values: Floats) -> tuple[BandSource, Decision, float]:
    """The source in its unit, the decision behind it and the mean level in dB."""
    file, index = entry.file, entry.index
    scale, offset = _own_scale(entry)
    subject = f"{entry.polarisation.upper()} unit"
    whole = (scale, offset) == (1.0, 0.0) and not file.dtypes[index - 1].startswith("float")
    unit = unit_of(values, whole)
    if unit is None:
        raise AmbiguousUnits(
            f"{role}: {file.path.name} holds numbers that are neither dB nor linear power "
            f"({file.dtypes[index - 1]}, {spread_of(values)}); calibrated backscatter is needed. "
            "Calibrate to sigma or gamma nought, e.g. with SNAP, or take an RTC product."
        )
    power = values if unit == "linear" else from_db(values)
    level = float(10.0 * np.log10(power[values > (0 if unit == "linear" else FILL)].mean()))
    found = f"{file.path.name}: {spread_of(values)}"
    decided = "dB" if unit == "db" else "linear power, to dB after resampling"
    return (
        file.source(index, unit, scale, offset),
        Decision(role, subject, found, decided),
        level,
    )


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


def _pass_warning(file: RasterFile, role: str) -> str | None:
    """A warning where the file's metadata names the other orbit pass than its role."""
    text = f"{tags_as_text(file)}\n{sidecar(file.path)}"
    for key in PASS_KEYS:
        said = (stated(text, key) or "").lower()
        if said.startswith(("asc", "desc")) and not said.startswith(role.split("_")[0]):
            return (
                f"{role}: the metadata of {file.path.name} says its pass is {said}; it was read "
                "as the role says. Check which option it belongs to."
            )
    return None
