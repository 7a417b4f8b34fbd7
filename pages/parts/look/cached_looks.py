"""Pictures of a scene made small, kept; a part of `cached`."""

import numpy as np
import streamlit as st

from landslide_core import layers, render
from landslide_core.bands import INDEX
from landslide_core.looks import look_key
from landslide_core.readers.given import SceneInputs
from pages.parts import cached

Painted = tuple[str, tuple[render.Limits, ...]]  # a layer's name and the limits of its planes


@st.cache_data(max_entries=4, show_spinner=False)
def _natural(_small: render.Overview, stamp: str) -> dict[str, render.Limits]:
    return layers.natural_limits({name: _small.pixels[i] for name, i in INDEX.items()})


def natural(inputs: SceneInputs) -> dict[str, render.Limits]:
    """What a scene's optical bands are stretched to where nobody says more."""
    return _natural(cached.overview(inputs), look_key(inputs))


@st.cache_data(max_entries=64, show_spinner="Drawing the pictures …")
def _look(_small: render.Overview, stamp: str, painted: tuple[Painted, ...], on_map: bool) -> bytes:
    drawn = []
    for name, limits in painted:
        layer = layers.LAYERS[name]
        drawn.append(layers.paint(layer, planes(_small, layer), limits))
    picture = render.over(drawn[0], drawn[1], 0.75) if len(drawn) > 1 else drawn[0]
    if on_map:
        picture = render.to_web_map(picture, _small.geobox, cached.OVERVIEW)
    # Speckle's hues are lost in a lossy picture, which is no smaller there.
    return render.encode(picture, exact=layers.LAYERS[painted[-1][0]].kind == "change")


def planes(small: render.Overview, layer: layers.Layer) -> render.Floats:
    """A layer's bands of an overview, (bands, h, w)."""
    if layer.name != layers.CLOUD:
        planes: render.Floats = small.pixels[[INDEX[name] for name in layer.bands]]
        return planes
    assert small.cloud is not None  # else the layer is not offered
    return small.cloud[None].astype(np.float32)


def look(
    inputs: SceneInputs,
    layer: layers.Layer,
    moved: render.Limits | None = None,
    on_map: bool = False,
) -> bytes:
    """WebP of a layer of a scene made small, its stretch moved or not, warped for a map or not.

    Cloud lies over the true colours, where there are any.
    """
    small, bands = cached.overview(inputs), natural(inputs)
    true = layers.LAYERS["true-colour"]
    painted = [(layer.name, layers.limits_of(layer, bands, *(moved or ())))]
    if layer.name == layers.CLOUD and set(true.bands) <= set(cached.scene(inputs).available):
        painted.insert(0, (true.name, layers.limits_of(true, bands)))
    return _look(small, look_key(inputs), tuple(painted), on_map)
