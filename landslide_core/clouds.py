"""Cloud: what a layer's numbers mean, and how far beyond them cloud reaches."""

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
