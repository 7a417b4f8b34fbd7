"""Cloud: what a layer's numbers mean, and how far beyond them cloud reaches."""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from landslide_core.bands import PIXEL

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

# Sentinel-2 has the classes 0 to 11; a probability is at most 100 %, or a little more where it is
# stored in steps. What lies beyond, such as 255, is a fill that the file doesn't declare.
LAST_CLASS: Final = 11.0
HIGHEST: Final = 100.5  # %
ROUNDING: Final = 1e-3  # %, by which a stored fraction × 100 may miss the rule's number
PIECE: Final = 1024  # columns dilated at once
# Sentinel Hub's CLP runs to 255; the agency's MSK_CLDPRB and Sentinel Hub's CLD run to 100.
BYTES: Final = re.compile(r"(?<![a-z0-9])clp(?![a-z0-9])", re.IGNORECASE)
SHARE: Final = re.compile(r"(?<![a-z])(share|fraction)(?![a-z])", re.IGNORECASE)
OVERSHOOT: Final = 1.1  # that resampling may make of a share of 1
FAINT: Final = 0.1  # a layer nowhere above it may be a share, or per cent of a clear sky


@dataclass(frozen=True)
class CloudRule:
    """What counts as cloud in a scene's layers."""

    dilation: float = 0.0  # m by which cloud reaches farther than the layers say
    probability: float = 50.0  # % from which a cloud-probability layer means cloud

    @property
    def reach(self) -> int:
        """The dilation in pixels of the 10 m grid, half a pixel rounded up."""
        return int(self.dilation / PIXEL + 0.5)

    def spread(self, flags: Flags) -> Flags:
        """Dilated flags of a window, (height, width), from flags of it with a margin of `reach`.

        A pixel is cloud if its centre is within the dilation of a cloudy pixel's centre.
        """
        reach = self.reach
        if not reach:
            return flags
        height, width = (size - 2 * reach for size in flags.shape)
        near = np.zeros((height, width), np.bool_)
        for left in range(0, width, PIECE):  # distances take 33 bytes a pixel
            part = flags[:, left : left + PIECE + 2 * reach]
            if part.any():  # without cloud there's no distance to it either
                far = ndimage.distance_transform_edt(~part)
                inner = far[reach : height + reach, reach : part.shape[1] - reach]
                near[:, left : left + PIECE] = inner <= reach
        return near


AS_GIVEN: Final = CloudRule()  # no dilation, cloud from 50 % on


def known_up_to(most: float, plane: Floats) -> Floats:
    """A layer's numbers, NaN where they're beyond what they can be."""
    return np.where(plane <= most, plane, np.float32(np.nan))


def likely(probability: Floats, rule: CloudRule) -> Flags:
    """Where a cloud-probability layer, in per cent, means cloud; NaN is no cloud."""
    return np.asarray(probability >= rule.probability - ROUNDING, np.bool_)


def probability_scale(values: Floats, whole: bool, name: str) -> tuple[float, str, bool]:
    """(factor to per cent, evidence, whether that's certain) of a probability layer.

    From its valid numbers, 1-D as stored; `whole` says that it can hold whole numbers only.
    """
    if not values.size:
        return 1.0, "no number above 0", True
    if whole:
        top = float(values.max())
        if BYTES.search(name) and top > HIGHEST:
            return 100.0 / 255.0, f"named {name!r}, whole numbers up to {top:g}: of 255", True
        return 1.0, f"whole numbers up to {top:g}: per cent", True
    possible = values[(values >= 0) & (values <= HIGHEST)]  # without a fill such as 255
    if not possible.size:
        return 1.0, f"no number up to {HIGHEST:g}", True
    top, most = float(possible.max()), float(np.quantile(possible, 0.99))
    found = f"fractions, 99 % up to {most:.3g}, at most {top:.3g}"
    if most > 1:
        return 1.0, f"{found}: per cent", True
    if top <= OVERSHOOT and (top > FAINT or SHARE.search(name)):
        return 100.0, f"{found}: a share of 1", True
    return 1.0, found, False
