"""Tiles of a scene: their pixels and cloud, read a block at a time."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from landslide_core.bands import INDEX, TILE
from landslide_core.grid import Window
from landslide_core.preprocess import bright
from landslide_core.scene import Scene, grown

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
CloudFrom = Literal["layer", "brightness", "unknown"]

# What a reader of the numbers must know of them.
CLOUD_NOTES: Final[dict[CloudFrom, str]] = {
    "layer": "",
    "brightness": "The scene has no cloud layer: cloud was guessed where red is very bright. Thin "
    "cloud is missed by that, and snow or bright ground may be taken for it.",
    "unknown": "Where cloud lies is not known: the scene has neither a cloud layer nor a red band.",
}


def cloud_from(scene: Scene) -> CloudFrom:
    """Where a scene's cloud flags come from: its own layers, the rule on brightness, nowhere."""
    if scene.classes or scene.probabilities:
        return "layer"
    return "brightness" if "red" in scene.bands else "unknown"


def read_block(scene: Scene, window: Window) -> tuple[Floats, Flags]:
    """Pixels (12, height, width) and cloud flags (height, width) of a window of a scene."""
    pixels = scene.read(window)
    cloud = scene.read_cloud(window)
    if cloud is None:
        reach = scene.cloud.reach
        red = scene.band("red", grown(window, reach)) if reach else pixels[INDEX["red"]]
        cloud = scene.cloud.spread(bright(red))
    return pixels, cloud


def cut_tiles(
    pixels: Floats, cloud: Flags, ground: Window, windows: Sequence[Window]
) -> tuple[Floats, Flags]:
    """Tiles (N, 12, 64, 64) and their cloud flags (N, 64, 64) from what was read of `ground`."""
    places = [
        (
            slice(window.row - ground.row, window.row - ground.row + TILE),
            slice(window.col - ground.col, window.col - ground.col + TILE),
        )
        for window in windows
    ]
    return np.stack([pixels[:, r, c] for r, c in places]), np.stack(
        [cloud[r, c] for r, c in places]
    )


def enclosing(windows: Sequence[Window]) -> Window:
    """The least window that holds tiles' windows."""
    top, left = min(w.row for w in windows), min(w.col for w in windows)
    bottom, right = max(w.row for w in windows) + TILE, max(w.col for w in windows) + TILE
    return Window(top, left, bottom - top, right - left)


def read_tiles(scene: Scene, windows: Sequence[Window]) -> tuple[Floats, Flags]:
    """Pixels (N, 12, 64, 64) and cloud flags (N, 64, 64) of tiles that lie together."""
    ground = enclosing(windows)
    return cut_tiles(*read_block(scene, ground), ground, windows)
