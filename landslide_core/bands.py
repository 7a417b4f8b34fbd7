"""The one table of channels: order, unit, Sentinel band, normalisation; the challenge's layout."""

from dataclasses import dataclass
from typing import Final, Literal

Unit = Literal["flag", "reflectance × 10⁴", "dB"]

TILE: Final = 64  # pixels a side
PIXEL: Final = 10.0  # metres


@dataclass(frozen=True)
class Channel:
    """One channel of the model input; mean and std are in the channel's own unit."""

    name: str
    sentinel: str
    unit: Unit
    mean: float
    std: float


# BigEarthNet v2 band statistics, "no interpolation" table
# (Clasen et al. 2024, reBEN; configilm's BENv2 data set).
_RED = (588.4096, 684.5686)
_GREEN = (614.0557, 603.2968)
_BLUE = (438.3721, 607.0269)
_NIR = (2193.2920, 1369.3717)
_VV = (-12.6439, 5.1335)
_VH = (-19.3526, 5.5905)

CHANNELS: Final[tuple[Channel, ...]] = (
    Channel("cloud", "SCL", "flag", 0.0, 1.0),
    Channel("red", "B04", "reflectance × 10⁴", *_RED),
    Channel("green", "B03", "reflectance × 10⁴", *_GREEN),
    Channel("blue", "B02", "reflectance × 10⁴", *_BLUE),
    Channel("nir", "B08", "reflectance × 10⁴", *_NIR),
    Channel("desc_vv_post", "VV", "dB", *_VV),
    Channel("desc_vh_post", "VH", "dB", *_VH),
    Channel("desc_vv_pre", "VV", "dB", *_VV),
    Channel("desc_vh_pre", "VH", "dB", *_VH),
    Channel("asc_vv_post", "VV", "dB", *_VV),
    Channel("asc_vh_post", "VH", "dB", *_VH),
    Channel("asc_vv_pre", "VV", "dB", *_VV),
    Channel("asc_vh_pre", "VH", "dB", *_VH),
)

BANDS: Final[tuple[Channel, ...]] = CHANNELS[1:]  # what a scene holds: all but the derived flag
BAND_NAMES: Final[tuple[str, ...]] = tuple(channel.name for channel in BANDS)
INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(BAND_NAMES)}  # into (12, h, w)

OPTICAL: Final = ("red", "green", "blue", "nir")
RADAR_ROLES: Final = ("desc_post", "desc_pre", "asc_post", "asc_pre")
POLARISATIONS: Final = ("vv", "vh")


def radar_band(role: str, polarisation: str) -> str:
    """Band name of a radar role and polarisation: ("desc_pre", "vv") -> "desc_vv_pre"."""
    orbit_pass, time = role.split("_")
    return f"{orbit_pass}_{polarisation}_{time}"


# How the challenge stores bands 1 to 12, in its patches (…, 64, 64, 12) and in its table. Its
# description names red first and blue third; its own statistics say the reverse (docs/data.md
# has the evidence). A difference is post − pre.
STORED: Final = (
    *("blue", "green", "red", "nir"),
    *("desc_vv_post", "desc_vh_post", "desc_vv_diff", "desc_vh_diff"),
    *("asc_vv_post", "asc_vh_post", "asc_vv_diff", "asc_vh_diff"),
)
STORED_INDEX: Final[dict[str, int]] = {name: i for i, name in enumerate(STORED)}

# What ESA adds to Sentinel-2 numbers since processing baseline 04.00 (January 2022). It is still
# in the challenge's: over its 5,717 patches the optical minima pile up at about 1,000.
ADDED: Final = 1000.0

# Channel slices of the network's three branches, into (13, h, w).
OPTICAL_CHANNELS: Final = slice(0, 5)
DESCENDING_CHANNELS: Final = slice(5, 9)
ASCENDING_CHANNELS: Final = slice(9, 13)
