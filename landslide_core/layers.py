"""The one table of what a map can show: each layer's bands, colours, limits and legend."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from landslide_core import render
from landslide_core.bands import OPTICAL, POLARISATIONS
from landslide_core.folder import Run
from landslide_core.judgement import VERDICTS
from landslide_core.outputs import VERDICT_COLOURS
from landslide_core.plan import cloud_from_of
from landslide_core.render import (
    CHANGE_LIMITS,
    RADAR_LIMITS,
    RATIO_LIMITS,
    RGBA,
    Floats,
    Limits,
)

Kind = Literal["result", "optical", "index", "radar", "change"]

CLOUD: Final = "cloud"  # the flag, beside a scene's twelve bands
CLOUD_COLOUR: Final = "#e63ca0"
NDVI_LIMITS: Final[Limits] = (-0.2, 0.9)
VISIBLE: Final = ("red", "green", "blue")
GAMMA: Final = {"true-colour": 1.5, "false-colour": 1.3}
_PASSES: Final = {"desc": "Descending", "asc": "Ascending"}
_TIMES: Final = {"post": "after", "pre": "before"}


@dataclass(frozen=True)
class Layer:
    """A layer of the map. Its legend is a palette with ticks, classes, or the note alone."""

    name: str
    title: str
    kind: Kind
    bands: tuple[str, ...] = ()  # of a scene, in the order that `paint` takes; none of a result
    palette: str | None = None  # of render.PALETTES
    limits: tuple[Limits, ...] = ()  # by default, one a plane; none where the scene sets them
    unit: str = ""
    ticks: tuple[str, ...] = ()  # evenly along the palette
    classes: tuple[tuple[int, str, str], ...] = ()  # code, name, colour; other codes see-through
    note: str = ""

    @property
    def stretches(self) -> bool:
        """Whether its limits may be moved."""
        return not self.classes

    @property
    def smooth(self) -> bool:
        """Whether values between pixels mean something; a tile's verdict has hard edges."""
        return not (self.classes or self.kind == "result")


_ONE: Final[Limits] = (0.0, 1.0)
_QUARTERS: Final = ("0", "0.25", "0.5", "0.75", "1")
_LAYERS: Final = (
    # A result lies in the run's folder as a raster of its name.
    Layer(
        "probability",
        "Probability",
        "result",
        palette="viridis",
        limits=(_ONE,),
        ticks=_QUARTERS,
        note="Probability of a landslide in the tile.",
    ),
    Layer(
        "verdict",
        "Verdict",
        "result",
        classes=tuple((i, name, VERDICT_COLOURS[name]) for i, name in enumerate(VERDICTS)),
        note="The tile's verdict.",
    ),
    Layer(
        "spread",
        "Spread of the votes",
        "result",
        palette="cividis",
        limits=((0.0, 0.5),),
        ticks=("0", "0.125", "0.25", "0.375", "0.5"),
        note="Standard deviation of the votes: how much the members disagree.",
    ),
    Layer(
        "localisation",
        "Where in the tile",
        "result",
        palette="viridis",
        limits=(_ONE,),
        ticks=_QUARTERS,
        note="The members' heat maps: which part of a tile looks like a landslide.",
    ),
    Layer(
        "true-colour",
        "True colour",
        "optical",
        VISIBLE,
        unit="reflectance × 10⁴",
        note="Red, green and blue, as the eye would see it.",
    ),
    Layer(
        "false-colour",
        "False colour",
        "optical",
        ("nir", "red", "green"),
        unit="reflectance × 10⁴",
        note="Near infrared as red: plants glow, bare ground is pale.",
    ),
    Layer(
        "ndvi",
        "Vegetation (NDVI)",
        "index",
        ("nir", "red"),
        palette="brown-teal",
        limits=(NDVI_LIMITS,),
        ticks=("−0.2", "0.35", "0.9"),
        note="Bare ground is brown, dense plants are teal.",
    ),
    Layer(
        "cloud",
        "Cloud",
        "index",
        (CLOUD,),
        classes=((1, "Cloud", CLOUD_COLOUR),),
        note="What the scene classification or the cloud probability says is cloud.",
    ),
    *(
        Layer(
            f"{orbit_pass}-change-{pol}",
            f"{words} change, {pol.upper()}",
            "change",
            (f"{orbit_pass}_{pol}_post", f"{orbit_pass}_{pol}_pre"),
            "orange-blue",
            (CHANGE_LIMITS,),
            "dB",
            ("−6 darker", "0", "+6 brighter"),
            note="Backscatter after − before.",
        )
        for orbit_pass, words in _PASSES.items()
        for pol in POLARISATIONS
    ),
    *(
        Layer(
            f"{orbit_pass}-{time}",
            f"{words} radar, {when}",
            "radar",
            (f"{orbit_pass}_vv_{time}", f"{orbit_pass}_vh_{time}"),
            limits=(RADAR_LIMITS["vv"], RADAR_LIMITS["vh"], RATIO_LIMITS),
            unit="dB",
            note="VV as red, VH as green, VV − VH as blue.",
        )
        for orbit_pass, words in _PASSES.items()
        for time, when in _TIMES.items()
    ),
    *(
        Layer(
            f"{orbit_pass}-{time}-{pol}",
            f"{words} {pol.upper()}, {when}",
            "radar",
            (f"{orbit_pass}_{pol}_{time}",),
            "grey",
            (RADAR_LIMITS[pol],),
            "dB",
            ("−22", "−11", "0") if pol == "vv" else ("−28", "−17", "−6"),
            note="Smooth ground and water are dark, slopes that face the radar bright.",
        )
        for orbit_pass, words in _PASSES.items()
        for time, when in _TIMES.items()
        for pol in POLARISATIONS
    ),
)
LAYERS: Final[dict[str, Layer]] = {layer.name: layer for layer in _LAYERS}


def of_scene(available: Collection[str], has_cloud: bool) -> list[Layer]:
    """What a scene's bands allow. A band in grey only where its composite cannot be had."""
    there = {*available, *((CLOUD,) if has_cloud else ())}
    able = [layer for layer in LAYERS.values() if layer.bands and there.issuperset(layer.bands)]
    shown = {band for one in able if one.kind == "radar" and not one.palette for band in one.bands}
    return [one for one in able if not (one.palette == "grey" and shown.issuperset(one.bands))]


def of_run(run: Run) -> list[Layer]:
    """Results that lie in a run's folder, then what its scene's bands allow."""
    results = [
        layer
        for layer in LAYERS.values()
        if layer.kind == "result" and (run.folder / f"{layer.name}.tif").is_file()
    ]
    missing = set(run.meta["missing_bands"])
    names = {band for layer in LAYERS.values() for band in layer.bands} - {CLOUD} - missing
    return [*results, *of_scene(names, cloud_from_of(run.meta) == "layer")]


def limits_of(
    layer: Layer, natural: Mapping[str, Limits], low: float | None = None, high: float | None = None
) -> tuple[Limits, ...]:
    """Limits of a layer's planes: its own, or what is natural for the scene's optical bands.

    `natural` holds limits by band, and of "visible" bands together. `low` and `high` replace the
    first plane's; the others' move in proportion, so that a composite keeps its hues.
    """
    limits = layer.limits
    if layer.name == "true-colour":
        limits = (natural.get("visible", (0.0, render.LEAST_SPAN)),) * 3
    elif layer.kind == "optical":
        limits = tuple(natural.get(band, (0.0, render.LEAST_SPAN)) for band in layer.bands)
    if not limits or (low is None and high is None):
        return limits
    start, end = limits[0]
    first = (start if low is None else low) - start, (end if high is None else high) - start
    below, above = (moved / (end - start) for moved in first)
    return tuple((lo + below * (hi - lo), lo + above * (hi - lo)) for lo, hi in limits)


def paint(layer: Layer, pixels: Floats, limits: tuple[Limits, ...]) -> RGBA:
    """A layer's bands, or the values of a result, (bands, h, w) -> colours; NaN is see-through."""
    if layer.classes:
        return _coded(layer, pixels[0])
    if layer.kind == "optical":
        return render.composite(list(pixels), limits, GAMMA[layer.name])
    if layer.palette is None:
        vv, vh = pixels
        return render.composite((vv, vh, vv - vh), limits)
    values = pixels[0]
    if layer.kind == "change":
        values = pixels[0] - pixels[1]
    elif layer.name == "ndvi":
        values = render.ndvi(*pixels)
    return render.colourise(values, limits[0], layer.palette)


def _coded(layer: Layer, codes: Floats) -> RGBA:
    picture = np.zeros((*codes.shape, 4), np.uint8)
    for code, _, colour in layer.classes:
        picture[codes == code] = (*bytes.fromhex(colour[1:]), 255)
    return picture


def natural_limits(pixels: Mapping[str, Floats]) -> dict[str, Limits]:
    """Limits of a scene's optical bands, (h, w) each, and of the visible ones together."""
    found = {name: render.natural_limits(pixels[name]) for name in OPTICAL}
    return {**found, "visible": render.natural_limits(np.stack([pixels[n] for n in VISIBLE]))}
