"""A scene: the chosen sources on one grid, read by window, never whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from landslide_core.bands import BAND_NAMES, OPTICAL
from landslide_core.clouds import AS_GIVEN, HIGHEST, LAST_CLASS, CloudRule, known_up_to, likely
from landslide_core.grid import Grid, Window
from landslide_core.pixels import BandSource, Floats, from_db, read_sources, to_db, within
from landslide_core.shards import joined
from landslide_core.speckle import despeckle

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
    # A probability of 0 is no data to a class, so that the next source counts there, as it must
    # where 0 is a tile's empty margin.
    probabilities: tuple[BandSource, ...] = ()  # cloud-probability layers, %, unit "class"
    cloud: CloudRule = AS_GIVEN
    speckle: int = 0  # side of the speckle filter's window, pixels, odd; 0: no filter
    elevation: tuple[BandSource, ...] = ()  # height of the ground, unit "metres"

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
        """Cloud by class or probability, dilated: (height, width); None without such a layer."""
        if not (self.classes or self.probabilities):
            return None
        wide = grown(window, self.cloud.reach)
        flags = np.zeros((wide.height, wide.width), np.bool_)
        if self.classes:
            flags |= np.isin(self._first(self.classes, wide, LAST_CLASS), CLOUD_CLASSES)
        if self.probabilities:
            flags |= likely(self._first(self.probabilities, wide, HIGHEST), self.cloud)
        return self.cloud.spread(flags)

    def read_elevation(self, window: Window) -> Floats | None:
        """Height of the ground: (height, width) in metres, NaN = not known; None without a DEM."""
        return self._first(self.elevation, window) if self.elevation else None

    def _first(self, sources: Sequence[BandSource], window: Window, most: float = np.inf) -> Floats:
        """The first value, of those up to `most`, that sources have for a pixel: (h, w)."""
        part = self.grid.clip(window)
        pieces = joined(tuple(sources))
        planes = read_sources(pieces, self.grid, part)
        first = np.full((window.height, window.width), np.nan, np.float32)
        first[within(part, window)] = _mosaic([known_up_to(most, planes[s]) for s in pieces])
        return first

    def _read(self, names: Sequence[str], window: Window) -> Floats:
        """Bands as `read` gives them: (bands, height, width)."""
        if not self.speckle:
            return self._merged(names, window)
        wide = grown(window, self.speckle // 2)
        planes = self._merged(names, wide)
        out = planes[(slice(None), *within(window, wide))].copy()
        for name, row, plane in zip(names, out, planes, strict=True):
            if name in self.bands and name not in OPTICAL:
                row[:] = despeckle(plane, self.speckle)
        return out

    def _merged(self, names: Sequence[str], window: Window) -> Floats:
        """Bands before any filter, several sources of one made one: (bands, height, width)."""
        part = self.grid.clip(window)
        place = within(part, window)
        out = np.full((len(names), window.height, window.width), np.nan, np.float32)
        rows = {name: row[place] for name, row in zip(names, out, strict=True)}
        bands = {name: joined(self.bands[name]) for name in names if name in self.bands}
        wanted = [source for sources in bands.values() for source in sources]
        # A band of a single source is read where it belongs, without a copy.
        single = {sources[0]: rows[name] for name, sources in bands.items() if len(sources) == 1}
        planes = read_sources(wanted, self.grid, part, single)
        for name, sources in bands.items():
            layers = [planes[source] for source in sources]
            merged = _mosaic(layers) if sources[0].unit == "reflectance" else _mean_power(layers)
            if merged is not rows[name]:
                rows[name][:] = merged
        return out


def grown(window: Window, pixels: int) -> Window:
    """A window with a margin of pixels all round it."""
    return Window(
        window.row - pixels,
        window.col - pixels,
        window.height + 2 * pixels,
        window.width + 2 * pixels,
    )


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
    total = np.zeros(layers[0].shape, np.float32)
    count = np.zeros(layers[0].shape, np.int64)
    for layer in layers:  # in order, so that the sum is the same to the last bit in any window
        valid = np.isfinite(layer)
        total += np.where(valid, from_db(layer), np.float32(0))
        count += valid
    return to_db(np.where(count, total / np.maximum(count, 1), np.nan))
