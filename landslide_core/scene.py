"""A scene: the chosen sources on one grid, read by window, never whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.bands import BAND_NAMES
from landslide_core.grid import Grid, Window
from landslide_core.pixels import BandSource, Floats, from_db, read_sources, to_db, within

# Sentinel-2 scene classes 8 and 9 (cloud of medium and high probability) and 10 (thin cirrus)
# lie between the sensor and the ground. Cloud shadow (3) stays unflagged: the ground is seen,
# only darker, and sen2cor takes shaded slopes, where landslides are, for cloud shadow.
CLOUD_CLASSES: Final = (8, 9, 10)


@dataclass(frozen=True)
class Decision:
    """What was decided on reading, and on what evidence; shown to the user and kept in the run."""

    role: str
    subject: str
    found: str
    decided: str


@dataclass(frozen=True)
class Scene:
    """The sources of each band on one 10 m grid; several sources of a band make a mosaic."""

    grid: Grid
    bands: Mapping[str, tuple[BandSource, ...]]  # only the bands there are
    classes: tuple[BandSource, ...] = ()  # scene classification layers
    decisions: tuple[Decision, ...] = ()
    warnings: tuple[str, ...] = ()
    inputs: tuple[tuple[str, str], ...] = ()  # (role, path) of every file read

    @property
    def available(self) -> tuple[str, ...]:
        """Names of the bands there are, in band order."""
        return tuple(name for name in BAND_NAMES if name in self.bands)

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the bands the scene lacks, in band order."""
        return tuple(name for name in BAND_NAMES if name not in self.bands)

    def read(self, window: Window) -> Floats:
        """Read all bands: (12, height, width), reflectance × 10⁴ and dB, NaN = no data.

        A band the scene lacks is all NaN, and so is what lies past the grid. Raises
        UnreadableRaster.
        """
        return self._read(BAND_NAMES, window)

    def band(self, name: str, window: Window) -> Floats:
        """Read one band: (height, width), as `read` does."""
        plane: Floats = self._read((name,), window)[0]
        return plane

    def read_cloud(self, window: Window) -> NDArray[np.bool_] | None:
        """Cloud from the scene classification: (height, width); None where there is none."""
        if not self.classes:
            return None
        part = self.grid.clip(window)
        planes = read_sources(self.classes, self.grid, part)
        merged = _mosaic([planes[source] for source in self.classes])
        cloud = np.zeros((window.height, window.width), np.bool_)
        cloud[within(part, window)] = np.isin(merged, CLOUD_CLASSES)
        return cloud

    def _read(self, names: Sequence[str], window: Window) -> Floats:
        part = self.grid.clip(window)
        place = within(part, window)
        out = np.full((len(names), window.height, window.width), np.nan, np.float32)
        rows = {name: row[place] for name, row in zip(names, out, strict=True)}
        wanted = [source for name in names for source in self.bands.get(name, ())]
        # A band of a single source is read where it belongs, without a copy.
        single = {self.bands[n][0]: rows[n] for n in names if len(self.bands.get(n, ())) == 1}
        planes = read_sources(wanted, self.grid, part, single)
        for name, row in rows.items():
            if name not in self.bands:
                continue
            layers = [planes[source] for source in self.bands[name]]
            optical = self.bands[name][0].unit == "reflectance"
            merged = _mosaic(layers) if optical else _mean_power(layers)
            if merged is not row:
                row[:] = merged
        return out


def _mosaic(layers: Sequence[Floats]) -> Floats:
    """The first valid value of each pixel."""
    merged = layers[0]
    for layer in layers[1:]:
        merged = np.where(np.isnan(merged), layer, merged)
    return merged


def _mean_power(layers: Sequence[Floats]) -> Floats:
    """The mean of dB layers, taken in linear power; a single layer stays bit for bit."""
    if len(layers) == 1:
        return layers[0]
    power = from_db(np.stack(layers))
    count = np.isfinite(power).sum(axis=0)
    total = np.nansum(power, axis=0)
    return to_db(np.where(count, total / np.maximum(count, 1), np.nan))
