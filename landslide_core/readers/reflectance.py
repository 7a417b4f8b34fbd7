"""What the numbers of a Sentinel-2 product mean: scale and offset, and on what evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from landslide_core.bands import ADDED
from landslide_core.errors import AmbiguousUnits
from landslide_core.pixels import BandSource, Floats
from landslide_core.readers.metadata import product_of
from landslide_core.readers.product import ADDED_SINCE, Product
from landslide_core.readers.raster import RasterFile, sample

Place = tuple[RasterFile, int]  # a file and a band of it, from 1

VISIBLE: Final = ("B02", "B03", "B04")
FULL_SCALE: Final = 10_000.0  # reflectance 1
FILL: Final = 65_535.0  # DN; a fill of 16-bit files that don't declare one

# The darkest pixels (0.1 % quantile) of the visible bands. With +1,000 in the numbers they pile
# up there: of 5,717 real 640 m patches the median minimum is 1,170 and 95 % are above 820.
# Without it, water, shadow and forest stay under 700 even in haze.
DARK_WITHOUT: Final = 700.0
DARK_EITHER: Final = 800.0
DARK_WITH: Final = (850.0, 1300.0)


@dataclass(frozen=True)
class Calibration:
    """How stored numbers become reflectance × 10⁴ (stored × scale + offset), and why."""

    scales: Mapping[str, float]  # by Sentinel-2 band
    offsets: Mapping[str, float]
    found: str
    warning: str | None = None
    empty: tuple[str, ...] = ()  # bands without a valid pixel

    @property
    def decided(self) -> str:
        """The formula in words; one for all bands unless they differ."""
        formulas = {
            band: f"reflectance × 10⁴ = {_formula(self.scales[band], self.offsets[band])}"
            for band in self.scales
        }
        if len(set(formulas.values())) == 1:
            return next(iter(formulas.values()))
        return "; ".join(f"{band}: {formula}" for band, formula in formulas.items())


def _formula(scale: float, offset: float) -> str:
    """ "stored − 1000", "stored × 0.5 + 100"; factors of one and sums of zero are not told."""
    times = "" if scale == 1 else f" × {scale:g}"
    plus = f" {'−' if offset < 0 else '+'} {abs(offset):g}" if offset else ""
    return f"stored{times}{plus}"


def reflectance_source(place: Place, scale: float = 1.0, offset: float = 0.0) -> BandSource:
    """A band as reflectance × 10⁴ = stored × scale + offset, without an undeclared fill."""
    file, index = place
    source = file.source(index, "reflectance", scale, offset)
    undeclared = source.nodata is None and file.dtypes[index - 1] == "uint16"
    return replace(source, nodata=FILL) if undeclared else source


def calibrate(places: Mapping[str, Place], given: float | None) -> Calibration:
    """Decide scale and offset of one product's bands; `given` is the DN offset the caller knows.

    The offset given replaces the offset alone: reflectance × 10⁴ = (stored + given) × scale.
    In this order: floats between 0 and 1 are reflectance; the caller's word; the file's own
    scale and offset; the product's metadata; the darkest pixels. Raises AmbiguousUnits.
    """
    samples = {band: sample(reflectance_source(place)) for band, place in places.items()}
    _refuse_previews(places)
    empty = tuple(band for band, values in samples.items() if not values.size)
    filled = {band: place for band, place in places.items() if band not in empty}
    if not filled:
        return Calibration({}, {}, "no valid pixel", empty=empty)
    return replace(_decide(filled, samples, given), empty=empty)


def _decide(
    places: Mapping[str, Place], samples: Mapping[str, Floats], given: float | None
) -> Calibration:
    """Scale and offset of bands that all hold valid pixels."""
    own = [_stored_scale(place) for place in places.values()]
    if any(
        scale != 1.0 if given is not None else (scale, offset) != (1.0, 0.0)
        for scale, offset in own
    ):
        return _own_scale(places, samples, given)
    high = max(float(np.quantile(samples[band], 0.99)) for band in places)
    if all(_is_float(place) for place in places.values()) and high <= 200:
        if high > 2:
            raise AmbiguousUnits(
                f"{_name(places)}: 99 % of the numbers are below {high:.3g}; reflectance (0 to 1) "
                "or digital numbers (0 to 10,000) are needed. Convert the file to reflectance."
            )
        found = f"floats, 99 % below {high:.3g}: reflectance from 0 to 1"
        doubt = _float_doubt(places, samples) if given is None else None
        return _same(places, FULL_SCALE, given or 0.0, found, doubt)
    if given is not None:
        scales = {band: _product_scale(place, band) for band, place in places.items()}
        added = {band: given * scale for band, scale in scales.items()}
        return Calibration(scales, added, "the offset was given")
    return _from_product(places, samples)


def _float_doubt(places: Mapping[str, Place], samples: Mapping[str, Floats]) -> str | None:
    """The warning where floats seem to hold the +1,000 still, unless the product had none."""
    said = _stated(places)
    if said and not any(said.offsets.values()):
        return None
    shown, sure, evidence = dark_pixels(
        {band: values * np.float32(FULL_SCALE) for band, values in samples.items()}
    )
    if not (sure and shown):
        return None
    stated = f" and {said.found}" if said else ""
    return (
        f"{_name(places)}: reflectance seems to hold the +1,000 of newer Sentinel-2 products still "
        f"(× 10⁴: {evidence}{stated}); nothing was taken out. If it does, say --s2-offset -1000."
    )


def _from_product(places: Mapping[str, Place], samples: Mapping[str, Floats]) -> Calibration:
    """Offset of digital numbers: what the metadata says, else what the darkest pixels show."""
    shown, sure, evidence = dark_pixels(samples)
    if said := _stated(places):
        clash = sure and any(abs(offset - shown) > 500 for offset in said.offsets.values())
        return replace(said, warning=_clash(places, said, evidence) if clash else None)
    doubt = None
    if not sure:
        doubt = (
            f"{_name(places)}: it isn't certain whether the +1,000 of newer Sentinel-2 products "
            f"is in the numbers ({evidence}); {shown:+g} was added. If that is wrong, say "
            f"--s2-offset {0 if shown else -1000}."
        )
    return _same(places, 1.0, shown, evidence, doubt)


def dark_pixels(samples: Mapping[str, Floats]) -> tuple[float, bool, str]:
    """(offset to add, whether that's certain, evidence) from the visible bands' darkest pixels."""
    filled = {band: values for band, values in samples.items() if values.size}
    chosen = {band: values for band, values in filled.items() if band in VISIBLE} or filled
    darkest = {band: float(np.quantile(values, 0.001)) for band, values in chosen.items()}
    numbers = ", ".join(f"{band} {value:.0f}" for band, value in darkest.items())
    evidence = f"darkest pixels (0.1 %) {numbers}"
    low, high = min(darkest.values()), max(darkest.values())
    if low < DARK_WITHOUT:
        return 0.0, True, f"{evidence}: no +1,000 in the numbers"
    sure = low >= DARK_WITH[0] and high <= DARK_WITH[1]
    if low >= DARK_EITHER:
        return -ADDED, sure, f"{evidence}: +1,000 in the numbers"
    return 0.0, False, f"{evidence}: rather no +1,000 in the numbers"


def _stated(places: Mapping[str, Place]) -> Calibration | None:
    """Scale and offset of each band as its product states them; None unless all are stated.

    A baseline from 04.00 on alone proves nothing: some providers take the offset out again.
    """
    scales, offsets, found = {}, {}, []
    for band, (file, _) in places.items():
        product = product_of(file.place, file.tags)
        offset = product.offset(band) if product else None
        if product is None or offset is None:
            return None
        scales[band] = _scale_of(product, band)
        offsets[band] = offset * scales[band]
        found.append(_word_of(product))
    return Calibration(scales, offsets, "; ".join(dict.fromkeys(found)))


def _scale_of(product: Product, band: str) -> float:
    """Reflectance × 10⁴ of one DN of a band."""
    return round(
        FULL_SCALE * product.scales.get(band, 1 / (product.quantification or FULL_SCALE)), 6
    )


def _product_scale(place: Place, band: str) -> float:
    """Reflectance × 10⁴ of one DN as a file's product states it, else 1."""
    product = product_of(place[0].place, place[0].tags)
    return _scale_of(product, band) if product else 1.0


def _word_of(product: Product) -> str:
    """Which word of a product's its offset is."""
    if product.boa_offset_applied:
        return f"{product.source}: the offset is taken out already"
    if product.baseline is not None and product.baseline < ADDED_SINCE:
        return f"processing baseline {product.baseline:05.2f}: before 04.00 nothing was added"
    return f"offset of the product's metadata ({product.source})"


def _own_scale(
    places: Mapping[str, Place], samples: Mapping[str, Floats], given: float | None
) -> Calibration:
    """The scale that the file carries for each band, and its offset unless one was given."""
    own = {band: _stored_scale(place) for band, place in places.items()}
    if given is not None:
        own = {band: (scale, given * scale) for band, (scale, _) in own.items()}
    top = max(
        float(np.quantile(samples[band], 0.99)) * scale + offset
        for band, (scale, offset) in own.items()
    )
    if not 0 < top <= 2:
        raise AmbiguousUnits(
            f"{_name(places)}: the file's own scale and offset give values up to {top:.4g}; "
            "reflectance, 0 to 1, is needed. Correct them, e.g. with gdal_edit.py -scale 0.0001."
        )
    scales = {band: round(scale * FULL_SCALE, 6) for band, (scale, _) in own.items()}
    offsets = {band: round(offset * FULL_SCALE, 3) for band, (_, offset) in own.items()}
    if given is not None:
        return Calibration(scales, offsets, "scale stored in the file; the offset was given")
    found = "scale and offset stored in the file"
    shown, sure, evidence = dark_pixels(
        {band: values * np.float32(scales[band]) for band, values in samples.items()}
    )
    clash = sure and any(abs(offset - shown) > 500 for offset in offsets.values())
    own_word = Calibration(scales, offsets, found)
    return replace(own_word, warning=_clash(places, own_word, evidence) if clash else None)


def _refuse_previews(places: Mapping[str, Place]) -> None:
    if any(file.dtypes[index - 1] in ("uint8", "int8") for file, index in places.values()):
        raise AmbiguousUnits(
            f"{_name(places)} holds 8-bit numbers; reflectance or digital numbers of 16 bits are "
            "needed. An 8-bit file is a preview: choose the product's band files."
        )


def _clash(places: Mapping[str, Place], said: Calibration, evidence: str) -> str:
    added = -ADDED / next(iter(said.scales.values()))  # in stored numbers, as the option is
    return (
        f"{_name(places)}: the pixels contradict the {said.found} ({evidence}); the latter was "
        f"kept. Say --s2-offset 0 or --s2-offset {added:g} if the pixels are right."
    )


def _same(
    places: Mapping[str, Place], scale: float, offset: float, found: str, warning: str | None = None
) -> Calibration:
    return Calibration(dict.fromkeys(places, scale), dict.fromkeys(places, offset), found, warning)


def _stored_scale(place: Place) -> tuple[float, float]:
    file, index = place
    return file.scales[index - 1], file.offsets[index - 1]


def _is_float(place: Place) -> bool:
    file, index = place
    return file.dtypes[index - 1].startswith("float")


def _name(places: Mapping[str, Place]) -> str:
    return next(iter(places.values()))[0].place.name
