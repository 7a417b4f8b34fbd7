"""Arrays to uint8 previews: composites, palettes, decimated overviews, warping to the web map."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from PIL import Image
from rasterio.enums import Resampling
from rasterio.transform import array_bounds, from_bounds
from rasterio.warp import calculate_default_transform, reproject, transform_bounds

from landslide_core.bands import BAND_NAMES, INDEX, OPTICAL, TILE, radar_band
from landslide_core.grid import Grid, Window, lonlat
from landslide_core.scene import Scene

Floats = NDArray[np.float32]
RGBA = NDArray[np.uint8]  # (h, w, 4); alpha 0 where there is no data

Limits = tuple[float, float]
# Fixed, so that pictures of different dates and scenes compare.
RADAR_LIMITS: Final[dict[str, Limits]] = {"vv": (-22.0, 0.0), "vh": (-28.0, -6.0)}  # dB
RATIO_LIMITS: Final[Limits] = (1.0, 14.0)  # VV − VH, dB
CHANGE_LIMITS: Final[Limits] = (-6.0, 6.0)  # post − pre, dB
RADIUS: Final = 6_378_137.0  # m, of the sphere of web maps
LEAST_SPAN: Final = 400.0  # reflectance × 10⁴: a flat tile is not stretched into noise

# Palettes as evenly spaced anchors; all read alike under the common colour-vision deficiencies.
PALETTES: Final[dict[str, tuple[str, ...]]] = {
    # matplotlib's viridis and cividis, sampled at ninths and tenths
    "viridis": (
        *("#440154", "#482878", "#3e4989", "#31688e", "#26828e"),
        *("#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"),
    ),
    "cividis": (
        *("#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678"),
        *("#a59c74", "#c3b369", "#e1cc55", "#fee838"),
    ),
    "grey": ("#000000", "#ffffff"),
    # ColorBrewer PuOr's orange with Blues: orange is loss, blue is gain
    "orange-blue": (
        *("#7f3b08", "#b35806", "#e08214", "#fdb863", "#f7f7f7"),
        *("#92c5de", "#4393c3", "#2166ac", "#053061"),
    ),
    # ColorBrewer BrBG: bare ground is brown, plants are teal
    "brown-teal": (
        *("#543005", "#8c510a", "#bf812d", "#dfc27d", "#f5f5f5"),
        *("#80cdc1", "#35978f", "#01665e", "#003c30"),
    ),
}


@dataclass(frozen=True)
class Overview:
    """A scene made small enough to look at: every `step`-th pixel's block average."""

    pixels: Floats  # (12, h, w), reflectance × 10⁴ and dB
    cloud: NDArray[np.bool_] | None  # (h, w)
    geobox: GeoBox


def overview(scene: Scene, longest: int = 1024, names: Sequence[str] = BAND_NAMES) -> Overview:
    """Read a scene strip by strip into an overview of at most `longest` pixels a side.

    Where only some bands are named, the others are left NaN and cloud is not read.
    """
    step, geobox = shrink(scene.grid, longest)
    rows, cols = int(geobox.shape.y), int(geobox.shape.x)
    pixels = np.full((len(BAND_NAMES), rows, cols), np.nan, np.float32)
    cloud: NDArray[np.bool_] | None = None
    block = max(1, 2 * TILE // step)  # overview rows per strip
    for top in range(0, rows, block):
        height = min(block, rows - top)
        window = Window(top * step, 0, height * step, cols * step)
        if names == BAND_NAMES:
            pixels[:, top : top + height] = shrunk(scene.read(window), names, step)
            flag = scene.read_cloud(window)
        else:
            planes = np.stack([scene.band(name, window) for name in names])
            wanted = [INDEX[name] for name in names]
            pixels[wanted, top : top + height] = shrunk(planes, names, step)
            flag = None
        if flag is not None:
            cloud = np.zeros((rows, cols), np.bool_) if cloud is None else cloud
            cloud[top : top + height] = flag[::step, ::step]
    return Overview(pixels, cloud, geobox)


def shrink(grid: Grid, longest: int = 1024) -> tuple[int, GeoBox]:
    """Pixels per overview pixel, and the overview's geobox; its last row may overhang."""
    step = max(1, -(-max(grid.height, grid.width) // longest))
    shape = (-(-grid.height // step), -(-grid.width // step))
    return step, GeoBox(shape, grid.transform @ Affine.scale(step), grid.geobox.crs)


def shrunk(planes: Floats, names: Sequence[str], step: int) -> Floats:
    """Mean of the valid pixels of each step × step block of named bands (n, h, w); else NaN.

    Radar's dB are averaged in linear power, as what a larger pixel would have scattered.
    """
    if step == 1:
        return planes
    count, height, width = planes.shape
    small = np.empty((count, height // step, width // step), np.float32)
    for out, plane, name in zip(small, planes, names, strict=True):
        if name in OPTICAL:
            out[:] = _block_mean(plane, step)
        else:
            out[:] = 10 * np.log10(_block_mean(10 ** (plane.astype(np.float64) / 10), step))
    return small


def _block_mean(plane: NDArray[Any], step: int) -> NDArray[Any]:
    """Mean of the valid pixels of each step × step block; NaN where there is none."""
    valid = np.isfinite(plane)
    filled = np.where(valid, plane, 0)
    shares = [(slice(i, None, step), slice(j, None, step)) for i, j in np.ndindex(step, step)]
    total = sum(filled[share] for share in shares)
    seen = sum(valid[share].astype(np.float32) for share in shares)
    return np.where(seen, total / np.maximum(seen, 1), np.nan)


def scale(image: Floats, limits: Limits) -> Floats:
    """Bring values between limits to 0..1, clipped; NaN stays."""
    low, high = limits
    scaled: Floats = np.clip((image - low) / (high - low), 0, 1)
    return scaled


def natural_limits(images: Floats) -> Limits:
    """The 1 % and 97 % quantiles over all bands together, at least LEAST_SPAN apart.

    So high a share is left to saturate because clouds would darken everything else.
    """
    finite = images[np.isfinite(images)]
    if not finite.size:
        return 0.0, LEAST_SPAN
    low, high = (float(q) for q in np.quantile(finite, (0.01, 0.97)))
    middle, half = (low + high) / 2, max(high - low, LEAST_SPAN) / 2
    return middle - half, middle + half


def composite(layers: Sequence[Floats], limits: Sequence[Limits], gamma: float = 1.0) -> RGBA:
    """Red, green and blue layers (h, w) to RGBA; see-through where any of them is NaN."""
    scaled = np.stack(
        [scale(layer, limit) for layer, limit in zip(layers, limits, strict=True)], axis=-1
    )
    valid: NDArray[np.bool_] = np.asarray(np.isfinite(scaled).all(axis=-1))
    colour = np.where(valid[..., None], scaled, 0) ** (1 / gamma)
    return np.dstack([np.rint(colour * 255), valid * 255]).astype(np.uint8)


def optical(pixels: Floats, names: tuple[str, str, str]) -> RGBA:
    """Three optical bands of (12, h, w) as a picture, stretched alike so that hues keep.

    ("red", "green", "blue") is true colour; ("nir", "red", "green") shows vegetation red.
    """
    layers = [pixels[INDEX[name]] for name in names]
    if "nir" in names:  # far brighter than the visible bands: each gets its own range
        return composite(layers, [natural_limits(layer) for layer in layers], gamma=1.3)
    return composite(layers, [natural_limits(np.stack(layers))] * 3, gamma=1.5)


def radar(pixels: Floats, role: str) -> RGBA:
    """VV, VH and VV − VH of a radar role of (12, h, w) as red, green and blue."""
    vv, vh = (pixels[INDEX[radar_band(role, pol)]] for pol in ("vv", "vh"))
    return composite((vv, vh, vv - vh), (RADAR_LIMITS["vv"], RADAR_LIMITS["vh"], RATIO_LIMITS))


def change(pixels: Floats, orbit_pass: str, polarisation: str) -> Floats:
    """Post − pre of one pass and polarisation of (12, h, w), in dB."""
    post, pre = (
        pixels[INDEX[radar_band(f"{orbit_pass}_{time}", polarisation)]] for time in ("post", "pre")
    )
    difference: Floats = post - pre
    return difference


def ndvi(nir: Floats, red: Floats) -> Floats:
    """Vegetation index of two bands (h, w) in reflectance; NaN where both are dark or missing."""
    total = nir + red
    index: Floats = np.divide(nir - red, total, out=np.full_like(total, np.nan), where=total > 0)
    return index


def colourise(image: Floats, limits: Limits, palette: str) -> RGBA:
    """One layer (h, w) through a palette; see-through where NaN."""
    valid = np.isfinite(image)
    picture = np.zeros((*image.shape, 4), np.uint8)
    picture[valid, :3] = palette_at(scale(image[valid], limits), palette)
    picture[valid, 3] = 255
    return picture


def palette_at(positions: Any, palette: str) -> NDArray[np.uint8]:
    """Colours (..., 3) at positions 0..1 of a palette."""
    anchors = np.array([[int(h[i : i + 2], 16) for i in (1, 3, 5)] for h in PALETTES[palette]])
    at = np.linspace(0, 1, len(anchors))
    channels = [np.interp(positions, at, anchors[:, channel]) for channel in range(3)]
    colours: NDArray[np.uint8] = np.rint(np.stack(channels, axis=-1)).astype(np.uint8)
    return colours


def mask(flag: NDArray[np.bool_], colour: tuple[int, int, int]) -> RGBA:
    """A flag (h, w) as one colour, see-through elsewhere."""
    picture: RGBA = np.zeros((*flag.shape, 4), np.uint8)
    picture[flag] = (*colour, 255)
    return picture


def over(base: RGBA, top: RGBA, opacity: float) -> RGBA:
    """Lay one picture over another; the base keeps its alpha."""
    share = (top[..., 3:] / 255.0) * opacity
    colour = base[..., :3] * (1 - share) + top[..., :3] * share
    return np.dstack([np.rint(colour), base[..., 3]]).astype(np.uint8)


def to_web_map(picture: RGBA, geobox: GeoBox, longest: int = 1024) -> RGBA:
    """Warp a picture to EPSG:3857, at most `longest` pixels a side; no data is see-through."""
    height, width = picture.shape[:2]
    bounds = array_bounds(height, width, geobox.transform)
    crs, _ = _web_crs(geobox)
    _, cols, rows = calculate_default_transform(str(geobox.crs), crs, width, height, *bounds)
    factor = max(1.0, max(cols, rows) / longest)
    cols, rows = max(1, round(cols / factor)), max(1, round(rows / factor))
    west, south, east, north = _web_extent(geobox)
    out = np.zeros((4, rows, cols), np.uint8)
    reproject(
        np.ascontiguousarray(np.moveaxis(picture, -1, 0)),
        out,
        src_transform=geobox.transform,
        src_crs=str(geobox.crs),
        dst_transform=from_bounds(west, south, east, north, cols, rows),
        dst_crs=crs,
        resampling=Resampling.nearest if factor == 1 else Resampling.bilinear,
    )
    return np.ascontiguousarray(np.moveaxis(out, 0, -1))


def _web_crs(geobox: GeoBox) -> tuple[str, float]:
    """Web Mercator, and the longitude in its middle: 180° where a picture lies across that."""
    cols, rows = (0, geobox.shape.x, 0, geobox.shape.x), (0, 0, geobox.shape.y, geobox.shape.y)
    longitude, _ = lonlat(geobox, cols, rows)
    if np.ptp(longitude) > 180:
        return "+proj=webmerc +lon_0=180 +datum=WGS84", 180.0
    return "EPSG:3857", 0.0


def _web_extent(geobox: GeoBox) -> tuple[float, float, float, float]:
    bounds = array_bounds(*geobox.shape, geobox.transform)
    west, south, east, north = transform_bounds(
        str(geobox.crs), _web_crs(geobox)[0], *bounds, densify_pts=41
    )
    return west, south, east, north


def web_map_bounds(geobox: GeoBox) -> tuple[Limits, Limits]:
    """South-west and north-east corners (latitude, longitude) of `to_web_map`'s picture.

    Longitudes run on past 180° where it lies across that, as web maps take them.
    """
    west, south, east, north = _web_extent(geobox)
    _, middle = _web_crs(geobox)
    left, right = (middle + np.degrees(x / RADIUS) for x in (west, east))
    bottom, top = (np.degrees(np.arctan(np.sinh(y / RADIUS))) for y in (south, north))
    return (float(bottom), float(left)), (float(top), float(right))


def encode(picture: RGBA, form: str = "WEBP", exact: bool = False) -> bytes:
    """A picture as the bytes of a WebP or PNG file; WebP keeps every colour only if `exact`."""
    buffer = io.BytesIO()
    quality = {"lossless": True, "quality": 20, "method": 1} if exact else {"quality": 85}
    Image.fromarray(picture).save(buffer, form, **{"method": 2, **quality})
    return buffer.getvalue()
