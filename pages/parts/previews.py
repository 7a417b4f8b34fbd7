"""Pictures of a scene: optical, radar, change and cloud, with their legends."""

from collections.abc import Collection

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from landslide_core import render
from landslide_core.bands import INDEX, OPTICAL, RADAR_ROLES, radar_band
from pages.parts import theme, wording

_ZOOM = 6  # times: crisp pixels, not the browser's blur
CLOUD_COLOUR = (230, 60, 160)


def scene_previews(small: render.Overview, available: Collection[str]) -> None:
    """The previews of one sensor, of those that the bands allow."""
    names = []
    if set(available) & set(OPTICAL):
        names.append("Optical")
    passes = [p for p in wording.PASS_WORDS if _has(available, f"{p}_post")]
    names += [f"{wording.PASS_WORDS[p]} radar" for p in passes]
    if not names:
        st.info("There is no band to show: give the scene a Sentinel-2 or a post-event file.")
        return
    name = st.segmented_control("Show", names, default=names[0], required=True)
    if name == "Optical":
        _optical(small, available)
    else:
        _radar(
            small, available, next(p for p, words in wording.PASS_WORDS.items() if words in name)
        )


def _has(available: Collection[str], role: str) -> bool:
    return {radar_band(role, pol) for pol in ("vv", "vh")} <= set(available)


def _optical(small: render.Overview, available: Collection[str]) -> None:
    columns = st.columns(3)
    if {"red", "green", "blue"} <= set(available):
        true = render.optical(small.pixels, ("red", "green", "blue"))
        _picture(columns[0], true, "**True colour.** Red, green, blue.")
    else:
        true = None
        columns[0].caption("True colour needs the red, green and blue bands.")
    if {"nir", "red", "green"} <= set(available):
        false = render.optical(small.pixels, ("nir", "red", "green"))
        _picture(columns[1], false, "**False colour.** Near infrared as red: plants glow.")
    else:
        columns[1].caption("False colour needs the near infrared, red and green bands.")
    if small.cloud is None or true is None:
        columns[2].caption(
            "There is no scene classification: cloud is flagged tile by tile where red is bright."
        )
        return
    flagged = render.over(true, render.mask(small.cloud, CLOUD_COLOUR), 0.75)
    seen = np.isfinite(small.pixels[0])
    share = float(small.cloud[seen].mean()) if seen.any() else 0.0
    _picture(columns[2], flagged, f"**Cloud.** {share:.1%} flagged, in magenta.")


def _radar(small: render.Overview, available: Collection[str], orbit_pass: str) -> None:
    columns = st.columns(3)
    post = render.radar(small.pixels, f"{orbit_pass}_post")
    _picture(columns[0], post, "**After.** VV as red, VH as green, VV − VH as blue.")
    if not _has(available, f"{orbit_pass}_pre"):
        columns[1].caption("Change needs a file from before the event as well.")
        return
    for column, pol in zip(columns[1:], ("vv", "vh"), strict=True):
        layer = render.change(small.pixels, orbit_pass, pol)
        shown = render.colourise(layer, render.CHANGE_LIMITS, "orange-blue")
        _picture(column, shown, f"**Change in {pol.upper()}.** After − before.")
    with columns[1]:
        change_legend()


def change_legend() -> None:
    """Colour bar of the change pictures."""
    low, high = render.CHANGE_LIMITS
    theme.palette_legend(
        "Backscatter after − before (dB)",
        "orange-blue",
        [f"{low:.0f} darker".replace("-", "−"), "0", f"+{high:.0f} brighter"],
    )


def _picture(column: st.delta_generator.DeltaGenerator, shown: render.RGBA, caption: str) -> None:
    column.image(render.encode(shown), width="stretch")
    column.caption(caption)


def bands_of_tile(pixels: render.Floats, cloud: NDArray[np.bool_]) -> None:
    """One tile's bands (12, 64, 64): optical row, then a row a radar pass."""
    true = render.optical(pixels, ("red", "green", "blue"))
    pictures = [
        ("True colour", true),
        ("False colour", render.optical(pixels, ("nir", "red", "green"))),
        ("Cloud flag", render.over(true, render.mask(cloud, CLOUD_COLOUR), 0.75)),
    ]
    _tile_row("Optical", pictures if np.isfinite(pixels[:4]).any() else [])
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
        _tile_row(f"{words} pass", pictures if there else [])
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


def _tile_row(label: str, pictures: list[tuple[str, render.RGBA]]) -> None:
    st.markdown(f"**{label}**")
    if not pictures:
        st.caption("Not in this scene.")
        return
    columns = st.columns(6)
    for column, (caption, shown) in zip(columns, pictures, strict=False):
        big = shown.repeat(4, axis=0).repeat(4, axis=1)  # crisp pixels, not the browser's blur
        column.image(render.encode(big, "PNG"), width="stretch")
        column.caption(caption if np.any(shown[..., 3]) else f"{caption}: no data")
