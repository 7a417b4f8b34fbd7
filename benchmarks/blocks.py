"""The blocks that a benchmark scene is laid out with: landslide hills, and calm forest."""

from dataclasses import dataclass, replace

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from landslide_core.bands import PIXEL
from landslide_core.cover import Cover
from landslide_core.scars import make_scars
from landslide_core.sensing import make_atmosphere, optical, radar
from landslide_core.simulate import ORIGIN, SimulationOptions, simulate
from landslide_core.terrain import Terrain, make_terrain

Floats = NDArray[np.float32]

SCARS_PER_PIXEL = 48 / 1024**2  # as in the sample scene
CALM = 0.5  # relief of the forest blocks beside that of the hills


@dataclass(frozen=True)
class Block:
    """A square of simulated landscape, all sensors on one grid."""

    pixels: Floats  # (12, side, side) in the order of BAND_NAMES; reflectance × 10⁴ and dB
    scene_class: NDArray[np.uint8]  # (side, side)


def make_hills(seed: int, side: int) -> Block:
    """A block as the sample scene is made: nearly every tile of it passes the filter."""
    scars = max(1, round(SCARS_PER_PIXEL * side * side))
    made = simulate(SimulationOptions(seed=seed, height=side, width=side, scars=scars))
    return Block(made.pixels, made.scene_class)


def make_forest(seed: int, side: int) -> Block:
    """A block of closed forest, next to no cloud, no landslide: few of its tiles pass the filter.

    Of the challenge's real tiles about half are as even as these, and the filter drops them.
    """
    rng = np.random.default_rng(seed)
    terrain = _flattened(make_terrain(rng, side, side))
    cover = Cover(np.zeros((side, side), np.uint8), np.zeros((side, side), np.int32), 0)
    transform = Affine(PIXEL, 0, ORIGIN[0], 0, -PIXEL, ORIGIN[1])
    none = make_scars(rng, terrain, cover, 0, "EPSG:32645", transform)
    air = replace(make_atmosphere(rng), cloud=0.0)
    # The densest billow still shows as a wisp, on a tile or two.
    seen, scene_class = optical(rng, terrain, cover, none, air)
    echo = radar(rng, terrain, cover, none, air, SimulationOptions().looks)
    return Block(np.concatenate([seen, echo]), scene_class)


def _flattened(terrain: Terrain) -> Terrain:
    """The same relief at a share of its height."""
    rise = CALM * np.tan(np.radians(terrain.slope))
    return replace(
        terrain,
        elevation=terrain.elevation * CALM,
        east=terrain.east * CALM,
        north=terrain.north * CALM,
        slope=np.degrees(np.arctan(rise)),
    )
