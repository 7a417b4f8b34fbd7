"""Sentinel-1 files of one role -> VV and VH backscatter."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from landslide_core.bands import POLARISATIONS, radar_band
from landslide_core.errors import MissingBands
from landslide_core.pixels import BandSource
from landslide_core.places import Given, Place
from landslide_core.readers.acquisition import acquisition_of
from landslide_core.readers.backscatter import decide
from landslide_core.readers.files import expand
from landslide_core.readers.given import ROLE_WORDS
from landslide_core.readers.ground.geocode import Progress
from landslide_core.readers.ground.ready import Frame, ready, sources_of, split
from landslide_core.readers.raster import (
    RasterFile,
    coarse,
    inspect,
    left_out,
    sample,
)
from landslide_core.readers.reading import Reading
from landslide_core.scene import Decision

TOKEN: Final = re.compile(r"(?<![a-z0-9])(vv|vh|hh|hv)(?![a-z0-9])", re.IGNORECASE)
# What is reckoned from a polarisation, such as VH/VV or a spread over time, is none itself.
DERIVED: Final = re.compile(
    r"/|\s-\s|(?<![a-z])(ratio|div|minus|diff(erence)?|std(dev)?|var(iance)?|count)(?![a-z])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Found:
    """One polarisation of one file, and how it was recognised."""

    polarisation: str
    file: RasterFile
    index: int
    evidence: str


def read_sentinel1(
    paths: tuple[Given, ...],
    role: str,
    frame: Frame,
    progress: Progress = lambda stage, done, total: None,
) -> Reading:
    """Find VV and VH in the files of a role ("desc_pre", …) and what their numbers mean.

    Ground range products are geocoded on the frame's grid first, into the cache folder. One
    polarisation alone is taken with a warning. Raises MissingBands, AmbiguousUnits, GridMismatch,
    what `inspect` raises and what `geocode` raises.
    """
    products, others = split(paths)
    geocoded = [ready(product, role, frame, progress) for product in products]
    files = [inspect(path) for path in expand(others)]
    files += [inspect(Place(str(found.path))) for made in geocoded for found in made]
    found = [entry for file in files for entry in _single(_entries(file), role)]
    bands: dict[str, tuple[BandSource, ...]] = {}
    decisions = [d for made in geocoded for one in made for d in one.decisions]
    warnings = [w for made in geocoded for one in made for w in one.warnings]
    warnings += _left_alone(files, found, role)
    warnings += coarse(
        (f"{ROLE_WORDS[role]}: {entry.polarisation.upper()}", entry.file) for entry in found
    )
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
        taken = f"band {entry.index} of {entry.file.place.name} is {entry.polarisation.upper()}"
        decisions.append(Decision(role, entry.polarisation.upper(), entry.evidence, taken))
        decisions.append(backscatter.decision)
    warnings += [
        f"{ROLE_WORDS[role]}: no {polarisation.upper()} was found; it is carried as missing, and "
        "verdicts rest on the other bands."
        for polarisation in POLARISATIONS
        if all(entry.polarisation != polarisation for entry in found)
    ]
    if levels.get("vv", 0.0) < levels.get("vh", -np.inf):
        warnings.append(
            f"{ROLE_WORDS[role]}: VV is weaker than VH ({levels['vv']:.1f} and "
            f"{levels['vh']:.1f} dB on average), which nature hardly shows; the two may be "
            "exchanged. Check their order."
        )
    made_here = {one.path for made in geocoded for one in made}
    used = {entry.file.place: entry.file for entry in found}.values()
    return Reading(
        bands=bands,
        acquisitions=tuple(filter(None, (acquisition_of(f, "S1") for f in used))),
        decisions=tuple(decisions),
        warnings=tuple(dict.fromkeys(warnings)),
        files=(
            *(file.place for file in used if file.place.file not in made_here),
            *chain.from_iterable(map(sources_of, products)),
        ),
    )


def _entries(file: RasterFile) -> list[_Found]:
    """The polarisations of a file, by description, else file name, tags or the usual order.

    A description with two of them, or with a word for something derived, names none.
    """
    described = [_polarisations(name) for name in file.names]
    if any(described):
        return [
            _Found(names[0], file, i, f"band named {file.names[i - 1]!r}")
            for i, names in enumerate(described, 1)
            if len(names) == 1
            and names[0] in POLARISATIONS
            and not DERIVED.search(file.names[i - 1])
        ]
    if DERIVED.search(file.place.stem.replace("_", " ")):
        return []
    in_name = _polarisations(file.place.stem)
    tags = {key.upper().replace("S", "Z"): value for key, value in file.tags.items()}
    said = tags.get("POLARIZATION", "")
    for names, evidence in (
        (in_name, f"file name {file.place.name}"),
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


def _single(entries: list[_Found], role: str) -> list[_Found]:
    """A file's entries, one a polarisation. Raises MissingBands for more: they aren't one date."""
    for polarisation in POLARISATIONS:
        same = [entry for entry in entries if entry.polarisation == polarisation]
        if len(same) > 1:
            file = same[0].file
            names = ", ".join(file.names[e.index - 1] or f"band {e.index}" for e in same)
            raise MissingBands(
                f"{ROLE_WORDS[role]}: {file.place.name} holds {len(same)} bands of "
                f"{polarisation.upper()} ({names}), as of several dates in one stack; one is "
                "needed. Cut the stack, e.g. with gdal_translate -b."
            )
    return entries


def _polarisations(name: str) -> list[str]:
    return [found.lower() for found in TOKEN.findall(name)]


def _left_alone(files: Sequence[RasterFile], found: Sequence[_Found], role: str) -> list[str]:
    """Warnings for files without a known polarisation. Raises MissingBands if that's all."""
    unknown = [file for file in files if all(entry.file is not file for entry in found)]
    if not found:
        names = ", ".join(f"{file.place.name} ({file.count} bands)" for file in unknown)
        raise MissingBands(
            f"{ROLE_WORDS[role]}: neither VV nor VH was recognised in {names}; a file named after "
            "its polarisation, named bands, or two bands in the order VV, VH are needed. Rename "
            "it, e.g. to scene_VV.tif."
        )
    return [
        f"{ROLE_WORDS[role]}: {file.place.name} is neither VV nor VH and is left alone."
        for file in unknown
    ]
