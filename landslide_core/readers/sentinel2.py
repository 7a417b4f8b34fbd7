"""Sentinel-2 files -> red, green, blue, near infrared and scene classes."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from landslide_core.bands import BANDS, OPTICAL
from landslide_core.clouds import probability_scale
from landslide_core.errors import MissingBands
from landslide_core.pixels import BandSource
from landslide_core.places import Given, Place
from landslide_core.readers.acquisition import acquisition_of
from landslide_core.readers.files import METRES as FOLDERS
from landslide_core.readers.files import expand
from landslide_core.readers.metadata import product_of
from landslide_core.readers.product import ALL_BANDS
from landslide_core.readers.raster import (
    RasterFile,
    coarse,
    inspect,
    left_out,
    sample,
)
from landslide_core.readers.reading import Reading
from landslide_core.readers.reflectance import calibrate, reflectance_source
from landslide_core.scene import Decision

L1C_ORDER: Final = ALL_BANDS
L2A_ORDER: Final = tuple(band for band in ALL_BANDS if band != "B10")  # cirrus: nothing below
WANTED: Final = {band.sentinel: band.name for band in BANDS if band.name in OPTICAL}
COMMON_NAMES: Final = {"blue": "B02", "green": "B03", "red": "B04", "nir": "B08"}
TOKEN: Final = re.compile(
    r"(?<![a-z0-9])(?:b(?P<number>8a|0?[1-9]|1[0-2])|(?P<scl>scl)"
    r"|(?<!narrow[ _-])(?P<colour>blue|green|red|nir)"
    r"|(?P<cloud>cldprb|clp|cloud[ _-]?prob(?:ability)?))"
    r"(?![a-z0-9])(?![ _-]?edge)(?![ _-]?narrow)",
    re.IGNORECASE,
)
LAYERS: Final = {"SCL": "scene classes", "CLP": "cloud probability"}
METRES: Final = re.compile(r"(?<![a-z0-9])[1-6]0m(?![a-z0-9])", re.IGNORECASE)


def band_of(name: str) -> str | None:
    """Sentinel-2 band ("B04", "B8A", "SCL", "CLP") meant by a description or a file name."""
    found = TOKEN.search(name)
    if found is None:
        return None
    if found["scl"]:
        return "SCL"
    if found["cloud"]:
        return "CLP"
    if found["colour"]:
        return COMMON_NAMES[found["colour"].lower()]
    number = found["number"].upper()
    return "B8A" if number == "8A" else f"B{int(number):02d}"


@dataclass(frozen=True)
class _Found:
    """One band of one file, and the product it belongs to."""

    product: str  # the same for the files of one product
    band: str
    file: RasterFile
    index: int


@dataclass(frozen=True)
class _Chance:
    """A cloud-probability layer in per cent, and why it is taken for that."""

    source: BandSource
    decision: Decision
    warning: str | None


def read_sentinel2(
    paths: tuple[Given, ...], order: tuple[str, ...] | None, offset: float | None
) -> Reading:
    """Find the optical bands in files and folders, and what their numbers mean.

    `order` names the bands of a stack, in the file's order; `offset` is the DN to add where the
    caller knows it. Raises MissingBands, AmbiguousUnits, GridMismatch and what `inspect` raises.
    """
    files = [inspect(path) for path in expand(paths)]
    found = _finest([entry for file in files for entry in _entries(file, order)])
    _check_complete(files, found)
    wanted = [entry for entry in found if entry.band in WANTED]
    classes, clouds = ([e for e in found if e.band == band] for band in ("SCL", "CLP"))
    bands: dict[str, tuple[BandSource, ...]] = {}
    decisions: list[Decision] = []
    warnings: list[str] = []
    for product in dict.fromkeys(entry.product for entry in wanted):
        members = {e.band: (e.file, e.index) for e in wanted if e.product == product}
        calibration = calibrate(members, offset)
        if calibration.warning:
            warnings.append(calibration.warning)
        name = Path(product).name or Path(product).parent.name
        decided = calibration.decided or "left out"
        decisions.append(Decision("s2", f"{name}: units", calibration.found, decided))
        for band, (file, index) in members.items():
            if band in calibration.empty:
                warnings.append(left_out(file, index, "s2"))
                continue
            scale, added = calibration.scales[band], calibration.offsets[band]
            source = reflectance_source((file, index), scale, added)
            bands[WANTED[band]] = (*bands.get(WANTED[band], ()), source)
    decisions += [_placed(entry) for entry in (*wanted, *classes, *clouds)]
    chances = [_percent(entry) for entry in clouds]
    decisions += [chance.decision for chance in chances]
    warnings += [chance.warning for chance in chances if chance.warning]
    warnings += coarse((entry.band, entry.file) for entry in wanted)
    if any(_is_level_1c(file, found) for file in files):
        warnings.append(
            "The Sentinel-2 product looks like level 1C, reflectance above the atmosphere; the "
            "model was made for level 2A, at the surface. Expect more false alarms in haze."
        )
    used = {e.file.place: e.file for e in (*wanted, *classes, *clouds)}.values()
    return Reading(
        bands=bands,
        classes=tuple(entry.file.source(entry.index, "class") for entry in classes),
        decisions=tuple(decisions),
        warnings=tuple(warnings),
        probabilities=tuple(cloud.source for cloud in chances),
        acquisitions=tuple(filter(None, (acquisition_of(f, "S2") for f in used))),
        files=tuple(file.place for file in used),
    )


def _entries(file: RasterFile, order: tuple[str, ...] | None) -> list[_Found]:
    """The bands of a file, by the order given, else description, file name or the usual order."""
    named = [band_of(name) for name in file.names]
    if order is not None and file.count > 1:
        if len(order) != file.count:
            raise MissingBands(
                f"{file.place.name} holds {file.count} bands and {len(order)} names were given; "
                f"{file.count} are needed. Give --s2-bands one name a band, in the file's order."
            )
        named = [band_of(name) for name in order]
    elif not any(named) and file.count == 1:
        named = [band_of(file.place.stem)]
    elif not any(named):
        usual = {len(L2A_ORDER): L2A_ORDER, len(L1C_ORDER): L1C_ORDER}
        named = list(usual.get(file.count, ()))
    product = _product(file.place)
    return _single(
        [_Found(product, band, file, i) for i, band in enumerate(named, 1) if band is not None]
    )


def _single(entries: list[_Found]) -> list[_Found]:
    """A file's entries, one an optical band. Raises MissingBands for more: they aren't one date."""
    for band in WANTED:
        same = [entry for entry in entries if entry.band == band]
        if len(same) > 1:
            file = same[0].file
            names = ", ".join(file.names[e.index - 1] or f"band {e.index}" for e in same)
            raise MissingBands(
                f"{file.place.name} holds {len(same)} bands of {band} ({names}), as of several "
                "dates in one stack; one is needed. Cut the stack, e.g. with gdal_translate -b, "
                "or name its bands with --s2-bands."
            )
    return entries


def _product(place: Place) -> str:
    """What the files of one product have in common: folder, and name without band and metres."""
    folder = place.path.parent
    if folder.name in FOLDERS:  # R10m beside R20m: the same product
        folder = folder.parent
    safes = [parent for parent in place.path.parents if parent.suffix.upper() == ".SAFE"]
    stem = METRES.sub("", TOKEN.sub("", place.stem)).strip("_-. ")
    return f"{safes[0] if safes else folder}/{stem}"


def _finest(entries: Sequence[_Found]) -> list[_Found]:
    """Of a product's band at several resolutions (10, 20, 60 m), only the finest."""
    best: dict[tuple[str, str], _Found] = {}
    for entry in entries:
        key = (entry.product, entry.band)
        if key not in best or entry.file.resolution < 0.9 * best[key].file.resolution:
            best[key] = entry
    return list(best.values())


def _check_complete(files: Sequence[RasterFile], found: Sequence[_Found]) -> None:
    """Raises MissingBands unless every optical band is in some file."""
    seen = sorted({entry.band for entry in found})
    lacking = [band for band in WANTED if band not in seen]
    if not lacking:
        return
    unnamed = [f for f in files if all(f is not entry.file for entry in found)]
    nameless = ", ".join(f"{f.place.name} ({f.count} bands without known names)" for f in unnamed)
    raise MissingBands(
        f"Sentinel-2 {', '.join(lacking)} missing: found "
        f"{' and '.join(filter(None, (', '.join(seen), nameless)))}; B02, B03, B04 and B08 are "
        "needed. Add the band files, or name a stack's bands in the file's order, e.g. "
        "--s2-bands B02,B03,B04,B08."
    )


def _placed(entry: _Found) -> Decision:
    """Which band of which file was taken, and why."""
    described = entry.file.names[entry.index - 1]
    if band_of(described) == entry.band:
        found = f"named {described!r} in {entry.file.place.name}"
    elif entry.file.count == 1:
        found = f"file name {entry.file.place.name}"
    else:
        found = f"{entry.file.count} bands in {entry.file.place.name}, by their order"
    meaning = WANTED.get(entry.band, LAYERS.get(entry.band, ""))
    return Decision("s2", entry.band, found, f"band {entry.index} is {meaning}")


def _percent(entry: _Found) -> _Chance:
    """A cloud-probability layer in per cent, by its numbers and its name."""
    file, index = entry.file, entry.index
    name = file.names[index - 1] or file.place.stem
    whole = not file.dtypes[index - 1].startswith("float")
    scale, found, sure = probability_scale(sample(file.source(index, "class")), whole, name)
    decided = f"per cent = stored × {scale:.4g}"
    doubt = (
        f"{file.place.name}: it isn't certain whether cloud probability is stored as a share or "
        f"in per cent ({found}); per cent was supposed. If that is wrong, multiply it by 100."
    )
    return _Chance(
        file.source(index, "class", scale),
        Decision("s2", f"{entry.band} scale", f"{file.place.name}: {found}", decided),
        None if sure else doubt,
    )


def _is_level_1c(file: RasterFile, found: Sequence[_Found]) -> bool:
    """Whether names, metadata or a cirrus band (B10, only in level 1C) say level 1C."""
    product = product_of(file.place, file.tags)
    cirrus = any(e.file is file and e.band == "B10" for e in found)
    return cirrus or (product is not None and product.level == "L1C")
