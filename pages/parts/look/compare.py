"""Two layers of a scene beside each other: which, how stretched, and with what legends."""

from base64 import b64encode
from collections.abc import Collection
from typing import Final

import streamlit as st

from landslide_core import render
from landslide_core.layers import CLOUD, LAYERS, Layer
from landslide_core.looks import facts, look_key
from landslide_core.readers.given import SceneInputs
from landslide_core.render import Limits
from landslide_core.scene import Scene
from pages.parts import cached, serving, state, wording
from pages.parts.look import cached_looks, gallery, stretch, swipe
from pages.parts.maps import looks, tiles

Pair = tuple[str, str]  # names of the layers on the left and on the right
_OPTICAL: Final = ("true-colour", "false-colour", "ndvi")


def presets(names: Collection[str]) -> dict[str, Pair]:
    """Pairs worth comparing, of the layers that a scene offers, the most telling first."""
    found: dict[str, Pair] = {}
    changes = []
    for orbit_pass, words in wording.PASS_WORDS.items():
        ends = [end for end in ("", "-vv", "-vh") if f"{orbit_pass}-pre{end}" in names]
        ends = [end for end in ends if f"{orbit_pass}-post{end}" in names]
        if ends:
            pair = (f"{orbit_pass}-pre{ends[0]}", f"{orbit_pass}-post{ends[0]}")
            found[f"{words} before | after"] = pair
        changes += [name for name in names if name.startswith(f"{orbit_pass}-change")]
    optical = [name for name in _OPTICAL if name in names]
    if {"true-colour", "false-colour"} <= set(names):
        found["True | false colour"] = ("true-colour", "false-colour")
    if optical and changes:
        found["Optical | radar change"] = (optical[0], changes[0])
    if len(changes) > 1 and changes[0][:4] != changes[-1][:4]:
        other = next(name for name in changes if name[:4] != changes[0][:4])
        found["Change by pass"] = (changes[0], other)
    return found


def boxes(offered: list[Layer], key: str) -> dict[str, str]:
    """Keys of the two boxes and their first choices; another scene's offer has its own."""
    names = [layer.name for layer in offered]
    usual = next(iter(presets(names).values()), (names[0], names[-1]))
    stem = f"{key} {' '.join(names)}"
    return {f"{stem} left": usual[0], f"{stem} right": usual[1]}


def draw(mode: str, inputs: SceneInputs, scene: Scene, offered: list[Layer], key: str) -> None:
    """Pickers, the map in a mode ("swipe" or "side"), legends and stretch."""
    pair = _pickers(offered, key)
    stands = looks.state_of(inputs) if serving.are_routes_there() else None
    look = stands if isinstance(stands, looks.Ready) else None
    natural = facts(look.path).natural if look else cached_looks.natural(inputs)
    place, columns = st.container(), st.columns(2)
    moved = stretch.controls(list(pair), inputs, natural, key)
    limits = [moved.get(stretch.group(layer)) for layer in pair]
    for column, layer, limit in zip(columns, pair, limits, strict=True):
        with column:
            st.markdown(f"**{layer.title}**")
            gallery.legend(layer, limit, natural)
    with place:
        left, right = (
            _side(inputs, scene, look, layer, limit)
            for layer, limit in zip(pair, limits, strict=True)
        )
        bounds = render.web_map_bounds(render.shrink(scene.grid, cached.OVERVIEW)[1])
        swipe.draw(mode, (left, right), bounds, f"{key} {look_key(inputs)}")
        if isinstance(stands, looks.Making):
            _wait(inputs)
        elif isinstance(stands, looks.Failed):
            st.caption(f"This is the small picture. {wording.escaped(stands.line)}")
            if st.button("Make the full one again"):
                looks.again(inputs)
                st.rerun(scope="fragment")


@st.fragment(run_every=1)
def _wait(inputs: SceneInputs) -> None:
    """Until the full picture is there; then it takes the small one's place."""
    stands = looks.state_of(inputs)
    if not isinstance(stands, looks.Making):
        st.rerun()
    st.progress(stands.share, "This is the small picture; the full one is being made.")


def _pickers(offered: list[Layer], key: str) -> tuple[Layer, Layer]:
    """Presets as buttons, and a box for either side."""
    names = [layer.name for layer in offered]
    left, right = boxes(offered, key)
    with st.container(horizontal=True):
        for words, pair in presets(names).items():
            _setter(words, {left: pair[0], right: pair[1]}, f"{left} {words}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = [_box("On the left", names, left)]
        between = st.container(width="content")
        chosen.append(_box("On the right", names, right))
    with between:
        st.button(
            "Exchange",
            key=f"{left} exchange",
            icon=":material/swap_horiz:",
            on_click=state.set_widgets,
            args=({left: chosen[1], right: chosen[0]},),
            help="What is on the left goes to the right.",
        )
    return LAYERS[chosen[0]], LAYERS[chosen[1]]


def _box(words: str, names: list[str], key: str) -> str:
    return str(st.selectbox(words, names, format_func=lambda name: LAYERS[name].title, key=key))


def _setter(words: str, values: dict[str, str], key: str) -> None:
    st.button(words, key=key, on_click=state.set_widgets, args=(values,))


def _side(
    inputs: SceneInputs,
    scene: Scene,
    look: looks.Ready | None,
    layer: Layer,
    moved: Limits | None,
) -> swipe.Side:
    """A side of the map: tiles of the look, else the overview's picture."""

    pictures = []
    if look is None:
        pictures.append(
            swipe.Picture(_inline(cached_looks.look(inputs, layer, moved, on_map=True)))
        )
    else:
        true = LAYERS["true-colour"]
        if layer.name == CLOUD and set(true.bands) <= set(scene.available):
            pictures.append(swipe.Picture(tiles.look_url(look.key, true.name), tiled=True))
        asked = f"?low={moved[0]:.6g}&high={moved[1]:.6g}" if moved else ""
        pictures.append(swipe.Picture(tiles.look_url(look.key, layer.name) + asked, tiled=True))
    return swipe.Side(layer.title, gallery.dates(scene, layer), tuple(pictures))


def _inline(picture: bytes) -> str:
    """At most some hundred kB: the overview, not the scene."""
    return f"data:image/webp;base64,{b64encode(picture).decode()}"
