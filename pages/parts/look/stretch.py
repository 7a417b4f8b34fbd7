"""How bright: the values between which a layer's colours run, one choice for layers of a kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import streamlit as st

from landslide_core import layers, render
from landslide_core.layers import Layer
from landslide_core.readers.given import SceneInputs
from landslide_core.render import Floats, Limits
from pages.parts import cached, state
from pages.parts.look import cached_looks

USUAL, CLIP, FIXED = "Usual", "Percent clip", "Fixed limits"
Natural = Mapping[str, Limits]  # of a scene's optical bands
NEUTRAL: Final = 2.0  # %, the clip that is offered first


@dataclass(frozen=True)
class Scale:
    """What the slider of a group of layers measures; a unit shown is `factor` of the stored one."""

    words: str
    unit: str
    low: float
    high: float
    step: float
    factor: float = 1.0


_DB: Final = ("dB", -40.0, 10.0, 0.5)
SCALES: Final[dict[str, Scale]] = {
    "true-colour": Scale("True colour", "reflectance", -0.05, 1.0, 0.005, 1e-4),
    "false-colour": Scale("False colour", "reflectance of near infrared", -0.05, 1.2, 0.005, 1e-4),
    "ndvi": Scale("Vegetation", "NDVI", -1.0, 1.0, 0.05),
    "radar": Scale("Radar", "VV in dB; VH and VV − VH move with it", *_DB[1:]),
    "vv": Scale("Radar", "VV in dB", *_DB[1:]),
    "vh": Scale("Radar", "VH in dB", *_DB[1:]),
    "change": Scale("Change", "dB", -15.0, 15.0, 0.5),
}


def group(layer: Layer) -> str:
    """Layers of one group are stretched alike, so that before and after compare."""
    if layer.kind == "radar":
        return layer.name.rpartition("-")[2] if layer.palette else "radar"
    return "change" if layer.kind == "change" else layer.name


def values(layer: Layer, small: render.Overview) -> Floats:
    """The numbers that a layer's limits are in, the stored unit, (n,) without no data."""
    bands = cached_looks.planes(small, layer)
    match layer.kind:
        case "change":
            found = bands[0] - bands[1]
        case "index":
            found = render.ndvi(bands[0], bands[1])
        case _:
            found = bands if layer.name == "true-colour" else bands[0]
    finite: Floats = found[np.isfinite(found)]
    return finite


def clipped(shown: list[Layer], small: render.Overview, percent: float) -> Limits | None:
    """Limits that leave `percent` of the layers' values, taken together, beyond either end."""
    pooled = np.concatenate([values(layer, small) for layer in shown])
    if not pooled.size:
        return None
    low, high = (float(q) for q in np.percentile(pooled, (percent, 100 - percent)))
    if shown[0].kind == "change":  # no change stays in the middle of the palette
        high = max(abs(low), abs(high))
        low = -high
    return (low, high) if high > low else None


def usual(layer: Layer, natural: Natural) -> Limits:
    """The limits of a layer's first plane where nobody moved them."""
    return layers.limits_of(layer, natural)[0]


def controls(
    shown: list[Layer], inputs: SceneInputs, natural: Natural, key: str
) -> dict[str, Limits]:
    """Draw the controls of the layers shown; the limits that were moved, by group."""
    groups: dict[str, list[Layer]] = {}
    for layer in shown:
        if layer.stretches and layer not in groups.setdefault(group(layer), []):
            groups[group(layer)].append(layer)
    groups = {name: members for name, members in groups.items() if members}
    if not groups:
        st.caption("These pictures have no stretch.")
        return {}
    columns = st.columns(2)
    moved = {}
    for column, (name, members) in zip(columns, groups.items(), strict=False):
        with column:
            if found := _control(name, members, inputs, natural, f"{key} stretch {name}"):
                moved[name] = found
    if len(groups) == 1 and len(shown) > 1 and all(layer.stretches for layer in shown):
        st.caption("Both sides have the same stretch: equal colours are equal values.")
    return moved


def _control(
    name: str, members: list[Layer], inputs: SceneInputs, natural: Natural, key: str
) -> Limits | None:
    """One group's choice; None for the usual limits."""
    scale = SCALES[name]
    start, end = (value * scale.factor for value in usual(members[0], natural))
    how = st.segmented_control(
        f"Stretch: {scale.words}", (USUAL, CLIP, FIXED), default=USUAL, required=True, key=key
    )
    found: Limits | None = None
    if how == CLIP:
        percent = st.slider("Clip at either end (%)", 0.0, 5.0, NEUTRAL, 0.5, key=f"{key} clip")
        found = clipped(members, cached.overview(inputs), percent)
    elif how == FIXED:
        ends = (_on(start, scale), _on(end, scale))
        low, high = st.slider(
            f"From and to ({scale.unit})",
            *(scale.low, scale.high, ends, scale.step),
            format=f"%.{3 if scale.step < 0.01 else 2 if scale.step < 0.1 else 1}f",
            key=f"{key} ends",
        )
        found = (low / scale.factor, max(high, low + scale.step) / scale.factor)
    if how != USUAL:
        st.button(
            "Back to usual",
            icon=":material/restart_alt:",
            key=f"{key} back",
            on_click=state.forget_widgets,
            args=(key,),
        )
    shown_low, shown_high = (value * scale.factor for value in found or usual(members[0], natural))
    st.caption(f"From {_said(shown_low, scale)} to {_said(shown_high, scale)} {scale.unit}.")
    return found


def _on(value: float, scale: Scale) -> float:
    """A value on the slider."""
    stepped = round(value / scale.step) * scale.step
    return round(min(max(stepped, scale.low), scale.high), 4)


def _said(value: float, scale: Scale) -> str:
    return f"{value:.{3 if scale.factor < 1 else 2}f}".replace("-", "−")
