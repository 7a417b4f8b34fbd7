"""Pictures of a report: the map of alarms, and each top tile in light and in radar change."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import matplotlib
import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image, ImageDraw, ImageFont
from pyproj import Transformer

from landslide_core.bands import INDEX, OPTICAL, PIXEL, RADAR_ROLES, TILE, radar_band
from landslide_core.errors import RunDamaged, SceneError
from landslide_core.folder import Run, check_inputs
from landslide_core.grid import lonlat
from landslide_core.outputs import VERDICT_COLOURS
from landslide_core.plan import tiling_of
from landslide_core.readers.inputs import open_scene
from landslide_core.render import (
    CHANGE_LIMITS,
    Floats,
    change,
    colourise,
    optical,
    overview,
    palette_at,
    radar,
    shrink,
)
from landslide_core.report.findings import shown
from landslide_core.report.text import TopTile
from landslide_core.scene import Scene
from landslide_core.tiles import read_tiles
from landslide_core.vectors import standing, tiles_of

MAP: Final = 1200  # pixels, the map's longer side
CHIP: Final = 256  # pixels, a tile's side
CHANGE: Final = (
    "Radar change, after against before: orange, echo lost (−6 dB); blue, echo gained (+6 dB). "
    "Small specks are noise."
)
_CHANGED: Final = "Radar change"
_NOTHING: Final = (226, 230, 234)
_ROUND: Final = (1, 2, 5)


@dataclass(frozen=True)
class Figures:
    """Pictures with their captions, in the report's order."""

    map: Image.Image
    notes: tuple[str, ...]  # on the map
    chips: tuple[tuple[tuple[str, Image.Image], ...], ...]  # of each top tile: caption, picture
    missing: str  # why there is no picture of the scene; empty where there is

    @property
    def shows_change(self) -> bool:
        """Whether any tile's picture needs the colours of radar change explained."""
        return any(caption == _CHANGED for pictures in self.chips for caption, _ in pictures)


def figures_of(run: Run, top: Sequence[TopTile]) -> Figures:
    """Draw a run's map and tiles; where its inputs are gone, the map has no picture below it."""
    try:
        check_inputs(run)
        scene = open_scene(run.inputs())
        base, background = _picture(scene)
        chips = tuple(_chips(run, scene, tile) for tile in top)
        missing = ""
    except (RunDamaged, SceneError) as error:
        shape = shrink(run.grid(), MAP)[1].shape
        base, background, chips = np.full((*shape, 3), _NOTHING, np.uint8), "", ()
        missing = f"The scene cannot be shown: {_first_sentence(error)}"
    return Figures(_map(run, base, top), _notes(run, top, background), chips, missing)


def _notes(run: Run, top: Sequence[TopTile], background: str) -> tuple[str, ...]:
    """What the map's legend leaves open."""
    tiles = tiles_of(run)
    reviewed = bool((standing(tiles) != tiles["alarm"]).any())
    said = (
        (True, "Tiles that are not outlined are neither."),
        (reviewed, "As reviewers left it: with landslides they found, without alarms they denied."),
        (bool(background), f"Background: {background}."),
        (bool(top), "Numbers: the places to look at first."),
    )
    return tuple(line for holds, line in said if holds)


def _first_sentence(error: Exception) -> str:
    """What was found, without the paths of this machine."""
    words = str(error).split(". ")[0].split()
    return shown(" ".join(Path(w).name if w.startswith("/") else w for w in words) + ".")


def _picture(scene: Scene) -> tuple[NDArray[np.uint8], str]:
    """An overview (h, w, 3) of a scene, optical before radar, and what it shows."""
    if all(name in scene.bands for name in OPTICAL[:3]):
        seen = overview(scene, MAP, OPTICAL[:3])
        return _on_ground(optical(seen.pixels, ("red", "green", "blue"))), "Sentinel-2, true colour"
    for role in sorted(RADAR_ROLES, key=lambda r: not r.endswith("post")):
        bands = [radar_band(role, polarisation) for polarisation in ("vv", "vh")]
        if all(name in scene.bands for name in bands):
            seen = overview(scene, MAP, bands)
            return _on_ground(radar(seen.pixels, role)), "Sentinel-1, VV, VH and VV − VH"
    shape = shrink(scene.grid, MAP)[1].shape
    return np.full((*shape, 3), _NOTHING, np.uint8), ""


def _on_ground(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture with what has no data in grey."""
    return np.where(picture[..., 3:] > 0, picture[..., :3], _NOTHING).astype(np.uint8)


def _chips(run: Run, scene: Scene, tile: TopTile) -> tuple[tuple[str, Image.Image], ...]:
    """A top tile's pictures: optical where there is, radar change or else radar after."""
    tiling = tiling_of(run.meta)
    pixels = read_tiles(scene, [tiling.window(*divmod(tile.tile_id, tiling.cols))])[0][0]
    pictures = []
    if np.isfinite(pixels[INDEX["red"]]).any():
        pictures.append(("Optical", _enlarged(optical(pixels, ("red", "green", "blue")))))
    changes = [
        found
        for orbit_pass in ("desc", "asc")
        if np.isfinite(found := change(pixels, orbit_pass, "vv")).any()
    ]
    if changes:
        pictures.append((_CHANGED, _enlarged(colourise(_mean(changes), *_COLOURS))))
    else:
        after = [r for r in RADAR_ROLES if r.endswith("post") and _has(pixels, r)][:1]
        pictures += [("Radar after", _enlarged(radar(pixels, role))) for role in after]
    return tuple(pictures)


_COLOURS: Final = (CHANGE_LIMITS, "orange-blue")


def _has(pixels: Floats, role: str) -> bool:
    return bool(np.isfinite(pixels[INDEX[radar_band(role, "vv")]]).any())


def _mean(layers: Sequence[Floats]) -> Floats:
    """Mean of the layers that know a pixel, smoothed over 3×3: single looks are all speckle."""
    stack = np.stack(layers)
    padded = np.pad(stack, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    rows, cols = stack.shape[1:]
    near = np.concatenate(
        [padded[:, r : r + rows, c : c + cols] for r in range(3) for c in range(3)]
    )
    known = np.isfinite(near)
    total, count = np.where(known, near, 0).sum(axis=0), known.sum(axis=0)
    mean: Floats = np.where(count, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return mean


def _enlarged(picture: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(_on_ground(picture)).resize((CHIP, CHIP), Image.Resampling.BICUBIC)


def change_scale(width: int = 200, height: int = 14) -> Image.Image:
    """The colours of radar change from −6 to +6 dB."""
    colours = palette_at(np.linspace(0, 1, width), _COLOURS[1])
    return Image.fromarray(np.broadcast_to(colours, (height, width, 3)).copy())


def _map(run: Run, base: NDArray[np.uint8], top: Sequence[TopTile]) -> Image.Image:
    """Alarms and uncertain tiles over a picture of the scene, scale bar and north arrow."""
    grid = run.grid()
    factor = MAP / max(base.shape[:2])
    size = (round(base.shape[1] * factor), round(base.shape[0] * factor))
    picture = Image.fromarray(base).resize(size, Image.Resampling.BICUBIC)
    pixels_per_metre = factor / (shrink(grid, MAP)[0] * PIXEL)
    layer = Image.new("RGBA", picture.size)
    draw = ImageDraw.Draw(layer)
    _draw_tiles(run, draw, pixels_per_metre * PIXEL)
    stride = run.meta["stride"]
    cols = tiling_of(run.meta).cols
    for tile in top:
        row, col = divmod(tile.tile_id, cols)
        x, y = (n * stride * PIXEL * pixels_per_metre for n in (col, row))
        _number(draw, str(tile.rank), max(x, 0) + 17, max(y, 0) + 17)
    _north(draw, grid.geobox, picture.size)
    _scale_bar(draw, picture.size, pixels_per_metre)
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


def _draw_tiles(run: Run, draw: ImageDraw.ImageDraw, enlarged: float) -> None:
    """Outline the uncertain tiles and shade the alarms; `enlarged` is map pixels a scene pixel."""
    tiling, tiles = tiling_of(run.meta), tiles_of(run)
    alarm = standing(tiles).to_numpy(bool)
    unsure = ((tiles["verdict"] == "uncertain") & ~alarm).to_numpy()
    large = enlarged * TILE > 30  # small ones are filled, or nobody would see them
    fill, line = (50, 3) if large else (230, 1)
    looks = ((unsure, "uncertain", 0, 2 if large else 1), (alarm, "landslide", fill, line))
    for flags, name, fill, line in looks:
        colour = tuple(bytes.fromhex(VERDICT_COLOURS[name][1:]))
        for row, col in zip(*np.divmod(np.flatnonzero(flags), tiling.cols), strict=True):
            window = run.grid().clip(tiling.window(int(row), int(col)))
            ends = (
                *(window.col, window.row),
                *(window.col + window.width - 1, window.row + window.height - 1),
            )
            box = [round(end * enlarged) for end in ends]
            draw.rectangle(box, (*colour, fill), (*colour, 255), line)


def _number(draw: ImageDraw.ImageDraw, text: str, x: float, y: float) -> None:
    draw.ellipse((x - 15, y - 15, x + 15, y + 15), (255, 255, 255, 235), (0, 0, 0, 255), 2)
    draw.text((x, y), text, (0, 0, 0, 255), _font(20), anchor="mm")


def _north(draw: ImageDraw.ImageDraw, geobox: GeoBox, size: tuple[int, int]) -> None:
    """An arrow to true north at the map's middle, top right."""
    x, y = geobox.shape.x / 2, geobox.shape.y / 2
    (lon,), (lat,) = lonlat(geobox, [x], [y])
    into = Transformer.from_crs("EPSG:4326", geobox.crs, always_xy=True)
    north_x, north_y = ~geobox.transform @ into.transform(lon, lat + 0.001)
    ahead = np.array([north_x - x, north_y - y])
    ahead /= np.hypot(*ahead)
    aside = np.array([-ahead[1], ahead[0]])
    middle = np.array([size[0] - 48, 52])
    draw.ellipse((*(middle - 40), *(middle + 40)), (255, 255, 255, 215))
    foot = middle + 4 * ahead
    corners = (foot + 30 * ahead, foot - 6 * ahead + 11 * aside, foot - 6 * ahead - 11 * aside)
    draw.polygon([tuple(corner) for corner in corners], (0, 0, 0, 255))
    draw.text(tuple(middle - 20 * ahead), "N", (0, 0, 0, 255), _font(22), anchor="mm")


def _scale_bar(draw: ImageDraw.ImageDraw, size: tuple[int, int], pixels_per_metre: float) -> None:
    """A bar of a round length, about a fifth of the map, bottom left."""
    wanted = size[0] / 5 / pixels_per_metre
    power = 10 ** np.floor(np.log10(wanted))
    metres = max(step * power for step in _ROUND if step * power <= wanted)
    long = metres * pixels_per_metre
    left, bottom = 30, size[1] - 28
    draw.rectangle((left - 14, bottom - 42, left + long + 14, bottom + 14), (255, 255, 255, 215))
    draw.rectangle((left, bottom - 8, left + long, bottom), (0, 0, 0, 255))
    draw.rectangle((left + long / 2, bottom - 7, left + long - 1, bottom - 1), (255, 255, 255, 255))
    said = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    draw.text((left + long / 2, bottom - 12), said, (0, 0, 0, 255), _font(20), anchor="ms")


def _font(size: int) -> ImageFont.FreeTypeFont:
    """A font that is there wherever the project is: matplotlib brings it."""
    return ImageFont.truetype(str(font_file("DejaVuSans-Bold.ttf")), size)


def font_file(name: str) -> Path:
    """One of the fonts that matplotlib brings."""
    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
