"""Sentinel-1 files of one role -> VV and VH backscatter."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from landslide_core.bands import POLARISATIONS, radar_band
from landslide_core.errors import MissingBands
from landslide_core.pixels import BandSource
from landslide_core.readers.backscatter import decide
from landslide_core.readers.files import expand
from landslide_core.readers.raster import (
    RasterFile,
    Reading,
    coarse,
    inspect,
    left_out,
    sample,
    sidecar,
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
    warnings += coarse((f"{role} {entry.polarisation.upper()}", entry.file) for entry in found)
    levels: dict[str, float] = {}  # dB
    for entry in found:
        file, index = entry.file, entry.index
        own = file.source(index, "class", file.scales[index - 1], file.offsets[index - 1])
        values = sample(own)
        if not values.size:
            warnings.append(left_out(file, index, role))
            continue
        backscatter = decide(file, index, entry.polarisation, role, values)
        name = radar_band(role, entry.polarisation)
        bands[name] = (*bands.get(name, ()), backscatter.source)
        levels[entry.polarisation] = backscatter.level
        warnings += backscatter.warnings
        taken = f"band {entry.index} of {entry.file.path.name} is {entry.polarisation.upper()}"
        decisions.append(Decision(role, entry.polarisation.upper(), entry.evidence, taken))
        decisions.append(backscatter.decision)
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
