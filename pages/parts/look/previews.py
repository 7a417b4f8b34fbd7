"""Looking at a scene before detection, and at one tile of it after."""

from collections.abc import Collection
from typing import Final

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from landslide_core import layers, render
from landslide_core.bands import INDEX, OPTICAL, RADAR_ROLES, radar_band
from landslide_core.errors import LandslideError
from landslide_core.layers import Layer
from landslide_core.readers.given import SceneInputs
from landslide_core.scene import Scene
from landslide_core.tiles import CLOUD_NOTES, CloudFrom
from pages.parts import state, theme, wording
from pages.parts.look import compare, gallery

_ZOOM = 6  # times: crisp pixels, not the browser's blur
CLOUD_COLOUR = (230, 60, 160)
CLOUD_WORDS: Final[dict[CloudFrom, str]] = {
    "layer": "Cloud flag",
    "brightness": "As bright as cloud",
    "unknown": "Cloud, not known",
}
WAYS: Final = {"Swipe": "swipe", "Side by side": "side", "Gallery": ""}


def panel(inputs: SceneInputs, scene: Scene, key: str) -> None:
    """Ways to look at a scene: all pictures, or two of them under a divider or side by side."""
    offered = gallery.in_order(
        layers.of_scene(scene.available, bool(scene.classes or scene.probabilities))
    )
    if not offered:
        st.info("There is no band to show: give the scene a Sentinel-2 or a post-event file.")
        return
    _panel(inputs, scene, offered, key)


@st.fragment
def _panel(inputs: SceneInputs, scene: Scene, offered: list[Layer], key: str) -> None:
    state.start_widgets(compare.boxes(offered, key))
    way = st.segmented_control(
        "Look",
        WAYS,
        default="Swipe" if len(offered) > 1 else "Gallery",
        required=True,
        key=f"{key} way",
    )
    try:
        if way == "Gallery" or len(offered) < 2:
            gallery.draw(inputs, scene, offered, key)
        else:
            compare.draw(WAYS[way], inputs, scene, offered, key)
    except LandslideError as error:
        theme.problem(error)


def change_legend() -> None:
    """Colour bar of the change pictures."""
    low, high = render.CHANGE_LIMITS
    theme.palette_legend(
        "Backscatter after − before (dB)",
        "orange-blue",
        [f"{low:.0f} darker".replace("-", "−"), "0", f"+{high:.0f} brighter"],
    )


def bands_of_tile(
    pixels: render.Floats,
    cloud: NDArray[np.bool_],
    missing: Collection[str],
    cloud_from: CloudFrom,
) -> None:
    """One tile's bands (12, 64, 64): optical row, then a row a radar pass.

    `missing` are the bands that the whole scene lacks; `cloud_from` is what its flags rest on.
    """
    true = render.optical(pixels, ("red", "green", "blue"))
    pictures = [
        ("True colour", true),
        ("False colour", render.optical(pixels, ("nir", "red", "green"))),
        (
            CLOUD_WORDS[cloud_from] if cloud.any() else f"{CLOUD_WORDS[cloud_from]}: none",
            render.over(true, render.mask(cloud, CLOUD_COLOUR), 0.75),
        ),
    ]
    seen = bool(np.isfinite(pixels[:4]).any())
    _tile_row("Optical", pictures if seen else [], set(OPTICAL) - {*missing})
    changes = False
    for orbit_pass, words in wording.PASS_WORDS.items():
        pictures = []
        for pol in ("vv", "vh"):
            stem, limits = f"{pol.upper()} ", render.RADAR_LIMITS[pol]
            pre, post = (
                pixels[INDEX[radar_band(f"{orbit_pass}_{time}", pol)]] for time in ("pre", "post")
            )
            pictures += [
                (stem + "before", render.colourise(pre, limits, "grey")),
                (stem + "after", render.colourise(post, limits, "grey")),
                (
                    stem + "change",
                    render.colourise(post - pre, render.CHANGE_LIMITS, "orange-blue"),
                ),
            ]
        wanted = [radar_band(role, "vv") for role in RADAR_ROLES if role.startswith(orbit_pass)]
        there = any(np.isfinite(pixels[INDEX[name]]).any() for name in wanted)
        _tile_row(f"{words} pass", pictures if there else [], set(wanted) - {*missing})
        changes |= there
    if seen and CLOUD_NOTES[cloud_from]:
        st.caption(CLOUD_NOTES[cloud_from])
    if changes:
        change_legend()


def heat_of_tile(pixels: render.Floats, heat: render.Floats, opacity: float) -> None:
    """A tile's heat map (32, 32) over what each sensor saw of it (12, 64, 64)."""
    side = pixels.shape[-1] // len(heat)
    hot = render.colourise(heat, (0.0, 1.0), "viridis").repeat(side, axis=0).repeat(side, axis=1)
    hottest = np.array(np.unravel_index(heat.argmax(), heat.shape))  # row and column
    seen = [(name, ground) for name, ground in _greys(pixels) if ground[..., 3].any()]
    for column, (name, ground) in zip(st.columns(4), seen, strict=False):
        laid = render.over(ground, hot, opacity).repeat(_ZOOM, axis=0).repeat(_ZOOM, axis=1)
        _frame(laid, hottest * side * _ZOOM, side * _ZOOM)
        column.image(render.encode(laid, "PNG"), width="stretch")
        column.caption(name)
    theme.palette_legend("Landslide in the cell", "viridis", ["0", "0.5", "1"])


def _frame(picture: render.RGBA, corner: NDArray[np.int_], side: int) -> None:
    """Draw a white frame in a black one around a square of a picture, in place."""
    rows, cols = np.ogrid[: picture.shape[0], : picture.shape[1]]
    row, col = corner + (side - 1) / 2
    away = np.maximum(abs(rows - row), abs(cols - col)) - side / 2
    picture[(away > 2) & (away < 8), :3] = 0
    picture[(away > 2) & (away < 5), :3] = 255


def _greys(pixels: render.Floats) -> list[tuple[str, render.RGBA]]:
    """Each sensor's picture in grey, so that any hue on it is the heat map's."""
    optical = render.optical(pixels, ("red", "green", "blue"))
    optical[..., :3] = optical[..., :3].mean(axis=-1, keepdims=True).astype(np.uint8)
    return [
        ("Optical", optical),
        *(
            (
                f"{words} VH, after",
                render.colourise(
                    pixels[INDEX[radar_band(f"{orbit_pass}_post", "vh")]],
                    render.RADAR_LIMITS["vh"],
                    "grey",
                ),
            )
            for orbit_pass, words in wording.PASS_WORDS.items()
        ),
    ]


def _tile_row(label: str, pictures: list[tuple[str, render.RGBA]], elsewhere: set[str]) -> None:
    """A row of pictures; without any, whether the scene has such bands elsewhere."""
    st.markdown(f"**{label}**")
    if not pictures:
        st.caption("No data in this tile." if elsewhere else "Not in this scene.")
        return
    columns = st.columns(6)
    for column, (caption, shown) in zip(columns, pictures, strict=False):
        big = shown.repeat(4, axis=0).repeat(4, axis=1)  # crisp pixels, not the browser's blur
        column.image(render.encode(big, "PNG"), width="stretch")
        column.caption(caption if np.any(shown[..., 3]) else f"{caption}: no data")
