"""Where a place on Earth lies in a ground range image: range and Doppler, by the orbit.

The satellite passes a place at the time when its velocity is perpendicular to the line of sight
(zero Doppler, solved by sarsen), which is the image's line; the distance then, by the product's
own polynomials, is its pixel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

import numpy as np
from pyproj import Transformer

from landslide_core.grid import Grid, Window
from landslide_core.readers.ground.annotation import Annotation, seconds
from landslide_core.readers.ground.xml import Doubles
from landslide_core.resample import LATTICE, OUTSIDE, Lattice

MARGIN: Final = 2_000.0  # m of slant range past the grid points, where the polynomials still hold
LEVELS: Final = (-500.0, 4_250.0, 9_000.0)  # m above the ellipsoid: all terrain there is
NODES: Final = 16_384  # of a lattice that are seen at once, to bound memory


@dataclass(frozen=True)
class RadarGeometry:
    """Positions in a ground range image of places with a height above the ellipsoid."""

    annotation: Annotation

    def seen(self, lon: Doubles, lat: Doubles, height: Doubles) -> tuple[Doubles, Doubles]:
        """Image line (0 at the first line's centre) and slant range (m) of places, (n, m) each."""
        import xarray  # with what sarsen brings, two seconds: only where a product is geocoded
        from sarsen import geocoding

        ecef = np.stack(_to_earth_fixed().transform(lon, lat, height))
        places = xarray.DataArray(ecef, dims=("axis", "y", "x"), coords={"axis": [0, 1, 2]})
        found = geocoding.backward_geocode(places, self._orbit, zero_doppler_distance=1e-3)
        slant = np.sqrt((found.dem_distance.values**2).sum(axis=0))
        time = seconds(found.azimuth_time.values, self.annotation.start)
        line: Doubles = (time - np.polyval(self._lag, slant)) / self.annotation.line_time
        return line, slant

    def pixel(self, line: Doubles, slant: Doubles) -> Doubles:
        """Image pixel (0 at the first one's centre) of lines and slant ranges; else OUTSIDE.

        By the polynomial nearest in time, as the product's own geolocation grid is: it fits that
        to 0.003 pixels; with polynomials interpolated in time it would by 0.17.
        """
        found, times = self.annotation, self.annotation.conversion_times
        middles = (times[1:] + times[:-1]) / 2
        nearest = np.searchsorted(middles, line * found.line_time)
        beyond = slant - found.slant_origin[nearest]
        ground = np.zeros_like(slant)
        for coefficients in found.to_ground.T[::-1]:
            ground = ground * beyond + coefficients[nearest]
        near, far = found.points.slant.min() - MARGIN, found.points.slant.max() + MARGIN
        return np.where((slant > near) & (slant < far), ground / found.spacing[1], OUTSIDE)

    def reference(self, seen: Sequence[tuple[Doubles, Doubles]]) -> Doubles:
        """Heights (m) of the product's geolocation grid at places seen at LEVELS: (n, m)."""
        height = np.full(seen[0][0].shape, self.annotation.points.height.mean())
        for _ in range(3):  # a place's height tells where in the grid it lies, and the reverse
            line, slant = _between(seen, height)
            height = self._of_grid(self.annotation.points.height, line, slant)
        return height

    def incidence(self, lon: float, lat: float) -> float:
        """Incidence angle at a place, degrees; at the image's edge for one outside."""
        line, slant = self.seen(*(np.full((1, 1), value) for value in (lon, lat, 0.0)))
        return float(self._of_grid(self.annotation.points.incidence, line, slant)[0, 0])

    def misfit(self) -> float:
        """The most that positions differ from the product's own geolocation grid, in pixels."""
        points = self.annotation.points
        line, slant = self.seen(points.longitude, points.latitude, points.height)
        off = np.hypot(line - points.lines[:, None], self.pixel(line, slant) - points.pixels)
        return float(off.max())

    def _of_grid(self, values: Doubles, line: Doubles, slant: Doubles) -> Doubles:
        """A quantity of the geolocation grid between its points, and at its edge outside."""
        from scipy.interpolate import RegularGridInterpolator

        points = self.annotation.points
        at = (
            np.clip(line, points.lines[0], points.lines[-1]),
            np.clip(self.pixel(line, slant), points.pixels[0], points.pixels[-1]),
        )
        found: Doubles = RegularGridInterpolator((points.lines, points.pixels), values)(at)
        return found

    @cached_property
    def _orbit(self) -> Any:
        """A polynomial through the state vectors, which it meets to a centimetre."""
        from sarsen.orbit import OrbitPolyfitInterpolator

        return OrbitPolyfitInterpolator.from_position(self.annotation.orbit)

    @cached_property
    def _lag(self) -> Doubles:
        """By how many seconds a line's zero Doppler time is off its nominal time, over slant range.

        The processor corrects the echo's travel time for the middle of the swath alone; half of
        the rest stays, and the geolocation grid states it: 0.18 lines at either edge.
        """
        points, found = self.annotation.points, self.annotation
        lag = points.time - points.lines[:, None] * found.line_time
        slope = np.polyfit(points.slant.ravel() - points.slant.mean(), lag.ravel(), 1)
        return np.array([slope[0], slope[1] - slope[0] * points.slant.mean()])


@dataclass(frozen=True)
class Sight:
    """Image lines and slant ranges (m) over a whole grid, at the heights LEVELS.

    Between those a parabola, and between the lattice's nodes a line, is right to 0.003 pixels.
    """

    geometry: RadarGeometry
    lattices: tuple[Lattice, ...]  # of lines and slant ranges, one a level
    reference: Lattice  # of heights of the product's geolocation grid, m, twice

    def at(
        self, part: Window, heights: Doubles, down: float, right: float
    ) -> tuple[Doubles, Doubles]:
        """Image lines and pixels of a point inside every pixel of a part: (height, width) each."""
        found = [lattice.over(part).at(part, down, right) for lattice in self.lattices]
        line, slant = _between(found, heights)
        return line, self.geometry.pixel(line, slant)

    def reference_heights(self, part: Window) -> Doubles:
        """Heights of the product's geolocation grid on a part, m: (height, width)."""
        return self.reference.over(part).at(part, 0.5, 0.5)[0]

    def touches(self, part: Window) -> float | None:
        """The mean image line of a part that the image may cover; None where it doesn't."""
        lines, slants = (
            np.stack(axis)
            for axis in zip(*((n.rows, n.cols) for n in self._nodes(part)), strict=True)
        )
        found = self.geometry.annotation
        outside = lines.max() < 0 or lines.min() > found.lines
        outside |= slants.max() < found.points.slant.min() - MARGIN
        outside |= slants.min() > found.points.slant.max() + MARGIN
        return None if outside else float(lines.mean())

    def _nodes(self, part: Window) -> list[Lattice]:
        return [lattice.over(part) for lattice in self.lattices]


def sight(geometry: RadarGeometry, grid: Grid) -> Sight:
    """How the radar sees a grid."""
    ys, xs = (np.arange(-(-size // LATTICE) + 1) * float(LATTICE) for size in grid.shape)
    strips = []
    for rows in np.array_split(ys, -(-ys.size * xs.size // NODES)):
        lon, lat = places(grid, *np.meshgrid(rows, xs, indexing="ij"))
        seen = [geometry.seen(lon, lat, np.full(lon.shape, level)) for level in LEVELS]
        strips.append((*(plane for pair in seen for plane in pair), geometry.reference(seen)))
    *planes, heights = (np.concatenate(parts) for parts in zip(*strips, strict=True))
    pairs = zip(planes[::2], planes[1::2], strict=True)
    return Sight(
        geometry,
        tuple(Lattice(ys, xs, lines, slants) for lines, slants in pairs),
        Lattice(ys, xs, heights, heights),
    )


def places(grid: Grid, rows: Doubles, cols: Doubles) -> tuple[Doubles, Doubles]:
    """Longitude and latitude of grid rows and columns, counted from the top left corner."""
    at: Any = (cols, rows)
    lon, lat = _to_degrees(grid.crs).transform(*(grid.transform @ at))
    return np.asarray(lon), np.asarray(lat)


def _between(found: Sequence[tuple[Doubles, Doubles]], heights: Doubles) -> tuple[Doubles, Doubles]:
    """Lines and slant ranges at heights, from those at LEVELS, by the parabola through them."""
    _, middle, high = LEVELS
    t = (heights - middle) / (high - middle)
    shares = (t * (t - 1) / 2, 1 - t * t, t * (t + 1) / 2)
    lines, slants = np.zeros((2, *heights.shape))
    for share, (line, slant) in zip(shares, found, strict=True):
        lines += share * line
        slants += share * slant
    return lines, slants


@lru_cache(maxsize=8)
def _to_degrees(crs: str) -> Transformer:
    return Transformer.from_crs(crs, "EPSG:4326", always_xy=True)


@lru_cache(maxsize=1)
def _to_earth_fixed() -> Transformer:
    return Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
