"""Two pictures of one place on a map: under a divider, or side by side and moving together.

Panning, zooming and swiping stay in the browser: no script runs for them.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import streamlit as st

from landslide_core.render import Limits
from pages.parts import scripts


@dataclass(frozen=True)
class Picture:
    """One picture of a side: tiles where the address has {z}, {x} and {y}, else a whole image."""

    url: str  # as seen from a map's frame, or a data URI
    tiled: bool = False


@dataclass(frozen=True)
class Side:
    """What a side shows, from the bottom up, and what it is called."""

    label: str
    when: str
    pictures: tuple[Picture, ...]


def draw(mode: str, sides: tuple[Side, Side], bounds: tuple[Limits, Limits], key: str) -> None:
    """Draw a left and a right side; mode "swipe" or "side". Bounds: two corners (lat, lon).

    The view is the same for one key in both modes.
    """
    _component()(
        key=f"swipe {key}",
        data={
            "key": key,
            "mode": mode,
            "bounds": bounds,
            "left": asdict(sides[0]),
            "right": asdict(sides[1]),
            "leaflet": {
                kind: scripts.found_at(scripts.LEAFLET / f"leaflet.{kind}", scripts.BESIDE)
                for kind in ("js", "css")
            },
        },
    )


@lru_cache(maxsize=1)  # a name is registered once
def _component() -> Callable[..., Any]:
    return st.components.v2.component(
        "landslide_swipe",
        css=(scripts.BROWSER / "swipe.css").read_text(),
        js=scripts.module(*scripts.LOADING, "map-manners.js", "swipe.js"),
    )
