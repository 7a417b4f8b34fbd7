"""One file of a fetched scene: optical bands, scene classes or radar of one acquisition."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from landslide_core.catalogue.candidates import Candidate
from landslide_core.catalogue.granules import Granule
from landslide_core.catalogue.mosaic import Layer, Remote, Tell, check_files, read, write_cog
from landslide_core.catalogue.search import PASSES
from landslide_core.pixels import Floats
from landslide_core.readers.reflectance import DARK_WITHOUT, VISIBLE, dark_pixels

OPTICAL_BANDS: Final = ("B02", "B03", "B04", "B08")
NO_REFLECTANCE: Final = -32768
WARNING: Final = "FETCH_WARNING"  # tag of a file
_GLANCE: Final = 512  # pixels a side that the offset is checked on
_FEW: Final = 0.02  # share of pixels that may be dark for another reason, such as a seam or shadow


def write_optical(path: Path, found: Candidate, geobox: GeoBox, remote: Remote, tell: Tell) -> None:
    """Reflectance × 10⁴ as int16, each granule's offset taken out before it joins the others."""
    notes: list[str] = []
    offsets: dict[str, Floats] = {}
    tops = [check_files(granule, OPTICAL_BANDS, geobox, remote) for granule in found.granules]
    for granule in found.granules:
        offsets[granule.id] = _offsets(granule, geobox, remote, notes)

    def strip(box: GeoBox) -> NDArray[Any]:
        pixels = np.full((len(OPTICAL_BANDS), *box.shape), np.nan, np.float32)
        for granule in found.granules:
            if not np.isnan(pixels[0]).any():
                break
            stored = read(granule, OPTICAL_BANDS, box, remote, "bilinear")
            empty = np.isnan(pixels).any(axis=0) & np.isfinite(stored).all(axis=0)
            np.copyto(pixels, stored + offsets[granule.id], where=empty)
        whole = np.clip(np.rint(pixels), NO_REFLECTANCE + 1, -NO_REFLECTANCE - 1)
        whole[whole == 0] = 1  # readers take 0 for no data
        return np.where(np.isnan(whole), NO_REFLECTANCE, whole).astype(np.int16)

    said = {"BOA_ADD_OFFSET": "0", "OFFSETS_TAKEN_OUT": _in_words(offsets)}
    tags = _tags(found) | said | ({WARNING: " ".join(notes)} if notes else {})
    write_cog(
        path, geobox, Layer(OPTICAL_BANDS, "int16", NO_REFLECTANCE, tags), tops[0], strip, tell
    )


def _offsets(granule: Granule, geobox: GeoBox, remote: Remote, notes: list[str]) -> Floats:
    """DN to add to each band (4, 1, 1): as the item states, unless the pixels prove it wrong.

    Catalogues are known to call for −1000 where it has been taken out already: then the darkest
    pixels of all visible bands would lie far below zero.
    """
    glance = geobox.zoom_out(max(1.0, max(geobox.shape) / _GLANCE))
    stored = read(granule, OPTICAL_BANDS, glance, remote, "nearest")
    samples = {b: s[np.isfinite(s)] for b, s in zip(OPTICAL_BANDS, stored, strict=True)}
    stated = [granule.assets[band].offset for band in OPTICAL_BANDS]
    if any(values.size for values in samples.values()):
        shown, sure, evidence = dark_pixels(samples)
        if None in stated:
            notes += [] if sure else [f"{granule.id} states no offset; {evidence}."]
            stated = [shown] * len(stated)
        elif sure and shown == 0 and min(s for s in stated if s is not None) < -500:
            wrong = _dark(samples)
            notes.append(
                f"{granule.id} calls for an offset of {stated[0]:g}, "
                + (
                    f"which its pixels prove wrong ({evidence}); none was applied."
                    if wrong
                    else f"which a few pixels speak against ({evidence}); it was applied."
                )
            )
            stated = [0.0] * len(stated) if wrong else stated
    return np.array([offset or 0.0 for offset in stated], np.float32)[:, None, None]


def _dark(samples: Mapping[str, Floats]) -> bool:
    """Whether every visible band is too dark for +1,000 in it, in more than a few odd pixels."""
    visible = [samples[band] for band in VISIBLE if samples[band].size]
    return bool(visible) and all(np.quantile(v, _FEW) < DARK_WITHOUT for v in visible)


def write_classes(path: Path, found: Candidate, geobox: GeoBox, remote: Remote, tell: Tell) -> None:
    """Scene classes, by nearest neighbour, the granules in the order of the bands'."""
    tops = [check_files(granule, ("SCL",), geobox, remote) for granule in found.granules]

    def strip(box: GeoBox) -> NDArray[Any]:
        classes = np.full((1, *box.shape), np.nan, np.float32)
        for granule in found.granules:
            if not np.isnan(classes).any():
                break
            classes = np.where(
                np.isnan(classes), read(granule, ("SCL",), box, remote, "nearest"), classes
            )
        return np.nan_to_num(classes).astype(np.uint8)

    write_cog(path, geobox, Layer(("SCL",), "uint8", 0, _tags(found)), tops[0], strip, tell)


def write_radar(path: Path, found: Candidate, geobox: GeoBox, remote: Remote, tell: Tell) -> None:
    """Gamma0 in linear power, averaged where granules overlap."""
    bands = tuple(
        band for band in ("VV", "VH") if all(band in granule.assets for granule in found.granules)
    )
    tops = [check_files(granule, bands, geobox, remote) for granule in found.granules]

    def strip(box: GeoBox) -> NDArray[Any]:
        total = np.zeros((len(bands), *box.shape), np.float32)
        count = np.zeros(total.shape, np.uint8)
        for granule in found.granules:
            power = read(granule, bands, box, remote, "bilinear")
            valid = np.isfinite(power) & (power > 0)
            np.add(total, power, out=total, where=valid)
            count += valid
        return np.where(count, total / np.maximum(count, 1), np.nan).astype(np.float32)

    tags = _tags(found) | {"UNITS": "power", "BACKSCATTER": "gamma0"}
    write_cog(path, geobox, Layer(bands, "float32", float("nan"), tags), tops[0], strip, tell)


def _tags(found: Candidate) -> dict[str, str]:
    """What a file says of where it comes from."""
    said = {
        "ACQUISITION_DATE": f"{found.time:%Y-%m-%d}",
        "ACQUISITION_TIME": found.time.isoformat(),
        "PLATFORM": found.platform,
        "STAC_ITEMS": " ".join(granule.id for granule in found.granules),
        "ORBIT_PASS_DIRECTION": PASSES[found.orbit_pass] if found.orbit_pass else "",
        "RELATIVE_ORBIT": str(found.relative_orbit or ""),
    }
    return {key: value for key, value in said.items() if value}


def _in_words(offsets: Mapping[str, Floats]) -> str:
    return "; ".join(f"{name}: {' '.join(f'{o:g}' for o in v.flat)}" for name, v in offsets.items())
