"""What a reader found for one role."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from landslide_core.pixels import BandSource
from landslide_core.places import Place
from landslide_core.readers.acquisition import Acquisition
from landslide_core.scene import Decision


@dataclass(frozen=True)
class Reading:
    """Sources by band, and how a reader came to them."""

    bands: Mapping[str, tuple[BandSource, ...]] = field(default_factory=dict)
    classes: tuple[BandSource, ...] = ()  # scene classification
    probabilities: tuple[BandSource, ...] = ()  # of cloud, per cent
    elevation: tuple[BandSource, ...] = ()  # metres
    acquisitions: tuple[Acquisition, ...] = ()
    decisions: tuple[Decision, ...] = ()
    warnings: tuple[str, ...] = ()
    files: tuple[Place, ...] = ()
