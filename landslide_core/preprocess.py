"""From physical pixels to the 13 channels the network sees."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.bands import BANDS, INDEX

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

CLOUD_RED: Final = 6.0  # standard deviations of red above which a pixel counts as cloud

# (12, 1, 1): one value a band, broadcast over pixels
_MEAN = np.array([band.mean for band in BANDS], np.float32)[:, None, None]
_STD = np.array([band.std for band in BANDS], np.float32)[:, None, None]


def normalise(pixels: Floats) -> Floats:
    """z-scores (..., 12, h, w) by the BigEarthNet v2 statistics of `bands.BANDS`; NaN stays."""
    return (pixels - _MEAN) / _STD


def cloud_by_brightness(pixels: Floats) -> Flags:
    """The rule "normalised red > 6", (..., h, w); False where there is no red."""
    return bright(pixels[..., INDEX["red"], :, :])


def bright(red: Floats) -> Flags:
    """The rule for red alone, reflectance × 10⁴, of any shape."""
    z = (red - _MEAN[INDEX["red"]]) / _STD[INDEX["red"]]
    return np.asarray(z > CLOUD_RED)  # NaN compares as False: unseen is not cloud


def model_input(pixels: Floats, cloud: Flags) -> Floats:
    """The network's input (N, 13, h, w): cloud 0/1, then z-scores; 0 where not finite."""
    out = np.empty((len(pixels), 1 + pixels.shape[1], *pixels.shape[2:]), np.float32)
    out[:, 0] = cloud
    out[:, 1:] = normalise(pixels)
    np.nan_to_num(out, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return out
