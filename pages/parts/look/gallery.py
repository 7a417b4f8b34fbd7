"""All pictures that a scene's bands allow, each with its legend."""

from typing import Final

import streamlit as st

from landslide_core import layers
from landslide_core.layers import CLOUD, LAYERS, Layer
from landslide_core.readers.given import SceneInputs
from landslide_core.render import Limits
from landslide_core.scene import Scene
from pages.parts import cached, theme, wording
from pages.parts.look import cached_looks, stretch
from pages.parts.look.stretch import Natural

_PRIMARIES: Final = ("#ff0000", "#00b000", "#0000ff")  # of a composite; the names say the rest
_GROUPS: Final = {
    "Optical": ("true-colour", "false-colour", "ndvi", CLOUD),
    "Descending radar": ("desc-",),
    "Ascending radar": ("asc-",),
}


def in_order(offered: list[Layer]) -> list[Layer]:
    """Sensor by sensor, before, after and then the change."""
    stems = [stem for group in _GROUPS.values() for stem in group]
    times = ["-pre", "-post", "-change", ""]

    def rank(layer: Layer) -> tuple[int, int]:
        stem = next(i for i, stem in enumerate(stems) if layer.name.startswith(stem))
        return stem, next(i for i, time in enumerate(times) if time in layer.name)

    return sorted(offered, key=rank)


def draw(inputs: SceneInputs, scene: Scene, offered: list[Layer], key: str) -> None:
    """The pictures sensor by sensor, and how strongly they are clipped."""
    percent = st.slider(
        "Clip at either end (%)",
        *(0.0, 5.0, 0.0, 0.5),
        key=f"{key} gallery clip",
        help="0 leaves the usual limits, which are the same for every scene in radar and NDVI. "
        "More is stretched to this scene, before and after alike.",
    )
    small = cached.overview(inputs)
    moved: dict[str, Limits] = {}
    if percent:
        for name in {stretch.group(layer) for layer in offered if layer.stretches}:
            members = [layer for layer in offered if stretch.group(layer) == name]
            if found := stretch.clipped(members, small, percent):
                moved[name] = found
    for title, stems in _GROUPS.items():
        members = [layer for layer in offered if layer.name.startswith(stems)]
        if members:
            st.markdown(f"**{title}**")
            _rows(inputs, scene, members, moved)
    missing = _missing(offered)
    if missing:
        st.caption(f"Not shown, as bands are missing: {missing}.")


def _rows(
    inputs: SceneInputs, scene: Scene, members: list[Layer], moved: dict[str, Limits]
) -> None:
    for start in range(0, len(members), 4):
        row = members[start : start + 4]
        for column, layer in zip(st.columns(4), row, strict=False):
            with column:
                limits = moved.get(stretch.group(layer)) if layer.stretches else None
                st.image(cached_looks.look(inputs, layer, limits), width="stretch")
                when = dates(scene, layer)
                st.markdown(f"{layer.title}  \n:small[{when}]" if when else layer.title)
                legend(layer, limits, cached_looks.natural(inputs))


def legend(layer: Layer, moved: Limits | None, natural: Natural) -> None:
    """What a layer's colours mean, with the limits they now have."""
    if layer.classes:
        theme.swatches([(words, colour) for _, words, colour in layer.classes])
        st.caption(layer.note)
    elif layer.palette:
        unit = f" ({layer.unit})" if layer.unit else ""
        ticks = _ticks(*moved) if moved else list(layer.ticks)
        theme.palette_legend(layer.note.rstrip(".") + unit, layer.palette, ticks)
    else:
        limits = layers.limits_of(layer, natural, *(moved or ()))
        theme.swatches(
            [
                (f"{name} {wording.span(*pair, layer.unit)}", colour)
                for name, colour, pair in zip(_planes(layer), _PRIMARIES, limits, strict=True)
            ]
        )
        st.caption(layer.note)


def _planes(layer: Layer) -> tuple[str, ...]:
    """What a composite shows as red, green and blue."""
    if layer.kind == "radar":
        return ("VV", "VH", "VV − VH")
    return tuple(wording.band(name) for name in layer.bands)


def _ticks(low: float, high: float) -> list[str]:
    return [wording.plain(value) for value in (low, (low + high) / 2, high)]


def dates(scene: Scene, layer: Layer) -> str:
    """When a layer's images were taken, where that is known: "2021-06-07 → 2021-06-19"."""
    days = []
    for role in roles(layer):
        said = [d.decided for d in scene.decisions if (d.role, d.subject) == (role, "acquisition")]
        days.append(", ".join(sorted({words.split(",")[0] for words in said})))
    return " → ".join(days) if all(days) else ""


def roles(layer: Layer) -> list[str]:
    """The files that a layer is made from, the earlier first."""
    if layer.kind in ("optical", "index"):
        return ["s2"]
    if layer.kind == "change":
        stem = layer.name.split("-")[0]
        return [f"{stem}_pre", f"{stem}_post"]
    return ["_".join(layer.name.split("-")[:2])]


def _missing(offered: list[Layer]) -> str:
    """Titles of the pictures that are not there, but for single bands."""
    there = {layer.name for layer in offered}
    wanted = [one for one in LAYERS.values() if one.bands and one.palette != "grey"]
    return ", ".join(
        one.title[0].lower() + one.title[1:] for one in wanted if one.name not in there
    )
