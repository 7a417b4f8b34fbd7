"""Sorted values with given moments and end points: what a band of a surrogate patch holds."""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]

_STEPS: Final = 60  # Newton steps at most; most marginals need fewer than ten
_TOLERANCE: Final = 1e-6  # worst scaled moment error that counts as done
_LONGEST: Final = 1.5  # largest change of a value's log-odds in one step
_PARTING: Final = 2.5  # how sharply a two-humped start parts
_PREFERENCE: Final = 0.05  # one hump is likelier than two, where both come as near
_MARGIN: Final = 1e-4  # distance of an inner value from the end points at the start, of the range


def design(statistics: Floats, count: int) -> Floats:
    """(bands, 6) mean, std, min, max, Fisher kurtosis, skewness -> (bands, count) sorted values.

    Minimum and maximum are exact; the four moments are met where the end points allow it.
    """
    low, high = statistics[:, 2, None], statistics[:, 3, None]
    position = np.zeros((len(statistics), count))  # 0 at the minimum, 1 at the maximum
    position[:, -1] = 1.0
    free = (statistics[:, 1] > 0) & (statistics[:, 3] > statistics[:, 2])
    if free.any():
        position[free] = _fit(statistics[free], count)
    values: Floats = np.clip(low + (high - low) * position, low, high)
    values[:, -1] = high[:, 0]  # low + (high − low) can miss high by one rounding
    return values


def _fit(statistics: Floats, count: int) -> Floats:
    """Relative positions in [0, 1] of the sorted values, from the best of the starts."""
    best, worst = _climb(statistics, _likely_start(statistics, count))
    for start in (_spread_start, _two_groups_start):
        poor = worst > 1e-3
        if not poor.any():
            break
        other, error = _climb(statistics[poor], start(statistics[poor], count))
        better = error < worst[poor]
        rows = np.flatnonzero(poor)[better]
        best[rows], worst[rows] = other[better], error[better]
    return best


def _climb(statistics: Floats, position: Floats) -> tuple[Floats, Floats]:
    """Tilt the log-odds of each position by a cubic until the four moments fit; the worst error.

    u' / (1 − u') = u / (1 − u) · exp(P(u)): values stay between the end points, which stay
    where they are. P is the Newton step, its Gram matrix is built from weighted power sums.
    Order may change on the way; moments do not mind, and the result is sorted again.
    """
    mean, std = statistics[:, 0], statistics[:, 1]
    extent = ((statistics[:, 3] - statistics[:, 2]) / std)[:, None]
    centre = ((mean - statistics[:, 2]) / std)[:, None]
    reach = np.maximum(centre, extent - centre)  # keeps powers within [−1, 1]
    wanted = _wanted(statistics) / reach ** np.arange(1, 5)
    unit = _unit(statistics) / reach ** np.arange(1, 5)
    best, least = position.copy(), np.full(len(position), np.inf)
    active = np.arange(len(position))
    for _ in range(_STEPS):
        u = position[active]
        y = (extent[active] * u - centre[active]) / reach[active]
        slope = u * (1 - u) * (extent / reach)[active]
        power, moments = np.ones_like(y), np.empty((len(active), 4))
        sums = np.empty((len(active), 7))
        for k in range(7):
            sums[:, k] = (slope * power).mean(axis=1)
            power = power * y
            if k < 4:
                moments[:, k] = power.mean(axis=1)
        residual = wanted[active] - moments
        error = np.abs(residual / unit[active]).max(axis=1)
        better = error < least[active]
        best[active[better]], least[active[better]] = u[better], error[better]
        going = error > _TOLERANCE
        if not going.any():
            break
        active = active[going]
        tilt = _tilt(sums[going], residual[going], y[going])
        odds = np.exp(np.clip(tilt, -_LONGEST, _LONGEST))
        u = u[going]
        position[active] = u * odds / (1 - u + u * odds)
    best.sort(axis=1)
    return best, least


def _tilt(sums: Floats, residual: Floats, y: Floats) -> Floats:
    """Cubic in y whose tilt removes the residual to first order, shortened where too long."""
    order = np.arange(4)
    gram = sums[:, order[:, None] + order[None, :]] * (order[:, None] + 1.0)
    scale = np.sqrt(np.einsum("nkk->nk", gram)) + 1e-300
    gram = gram / (scale[:, :, None] * scale[:, None, :])
    gram = gram + 1e-13 * np.eye(4)
    cubic = np.linalg.solve(gram, (residual / scale)[:, :, None])[:, :, 0] / scale
    tilt = cubic[:, 3, None]
    for k in (2, 1, 0):
        tilt = tilt * y + cubic[:, k, None]
    longest = np.abs(tilt[:, 1:-1]).max(axis=1, keepdims=True)
    shortened: Floats = tilt / np.maximum(1.0, longest / _LONGEST)
    return shortened


def _wanted(statistics: Floats) -> Floats:
    """(bands, 4) moments of the standardised values: 0, 1, skewness, kurtosis + 3."""
    kurt, skew = statistics[:, 4], statistics[:, 5]
    return np.stack([np.zeros_like(skew), np.ones_like(skew), skew, kurt + 3], axis=1)


def _unit(statistics: Floats) -> Floats:
    """(bands, 4) size of an error of one in each moment."""
    kurt, skew = statistics[:, 4], statistics[:, 5]
    return np.stack([np.ones_like(skew), np.ones_like(skew), 1 + abs(skew), 3 + abs(kurt)], axis=1)


def _likely_start(statistics: Floats, count: int) -> Floats:
    """Bell-shaped, skewed or two-humped values with about the wanted skewness and kurtosis."""
    heavy, shift, width, moments = _shapes()
    kurt, skew = statistics[:, 4, None], statistics[:, 5, None]
    distance = (np.arcsinh(moments[:, 0]) - np.arcsinh(skew)) ** 2
    distance = distance + (np.log(moments[:, 1] + 3) - np.log(np.maximum(kurt + 3, 1))) ** 2
    near = (distance + np.where(heavy, 0.0, _PREFERENCE)).argmin(axis=1)
    values = _shape(heavy[near, None], shift[near, None], width[near, None], _normal(count))
    values = values - values.mean(axis=1, keepdims=True)
    values = values / values.std(axis=1, keepdims=True)
    mean, std, low, high = (statistics[:, k, None] for k in range(4))
    return _pinned((mean + std * values - low) / (high - low))


def _spread_start(statistics: Floats, count: int) -> Floats:
    """Values along a logistic curve about the mean: no assumption but mean and spread."""
    mean, std, low, high = (statistics[:, k, None] for k in range(4))
    middle = np.clip((mean - low) / (high - low), 0.01, 0.99)
    width = std / (high - low) / (middle * (1 - middle))
    return _pinned(1 / (1 + np.exp(-(np.log(middle / (1 - middle)) + width * _normal(count)))))


def _two_groups_start(statistics: Floats, count: int) -> Floats:
    """Two groups of values with mean, std and skewness of the band, as land and shadow make."""
    mean, std, low, high = (statistics[:, k, None] for k in range(4))
    skew = statistics[:, 5, None]
    upper = 0.5 * (1 - skew / np.sqrt(skew**2 + 4))  # share of the upper group
    rank = _normal(count)
    is_upper = (np.arange(count) + 0.5)[None, :] / count > 1 - upper
    level = np.where(is_upper, np.sqrt((1 - upper) / upper), -np.sqrt(upper / (1 - upper)))
    return _pinned((mean + std * (0.95 * level + 0.1 * rank) - low) / (high - low))


def _pinned(position: Floats) -> Floats:
    """Sorted positions inside the margins, first at 0 and last at 1."""
    # A gentle slope beyond the margins keeps clipped values apart, or no step could part them.
    ranks = np.linspace(0.5, 1.5, position.shape[1])
    inner = np.clip(position, _MARGIN * ranks, 1 - _MARGIN * ranks[::-1])
    inner = np.sort(inner, axis=1)
    inner[:, 0], inner[:, -1] = 0.0, 1.0
    return inner


def _normal(count: int) -> Floats:
    """Quantiles of the standard normal at count mid-ranks."""
    quantiles: Floats = ndtri((np.arange(count) + 0.5) / count)
    return quantiles


def _shape(heavy: npt.NDArray[np.bool_], shift: Floats, width: Floats, normal: Floats) -> Floats:
    """Sinh-arcsinh values (heavy tails), or a bell parted at the shift (down to two humps)."""
    tailed = np.sinh(np.clip((np.arcsinh(normal) + shift) * width, -50, 50))
    return np.where(heavy, tailed, normal + width * np.tanh(_PARTING * (normal - shift)))


@lru_cache(maxsize=1)
def _shapes() -> tuple[npt.NDArray[np.bool_], Floats, Floats, Floats]:
    """Shape parameters and the (skewness, kurtosis) each of them gives."""
    shift, width = np.meshgrid(np.linspace(-2.5, 2.5, 61), np.geomspace(0.1, 6.0, 48))
    shifts, widths = np.tile(shift.ravel(), 2), np.tile(width.ravel(), 2)
    heavy = np.repeat([True, False], shift.size)
    values = _shape(heavy[:, None], shifts[:, None], widths[:, None], _normal(512))
    values = values - values.mean(axis=1, keepdims=True)
    values = values / np.maximum(values.std(axis=1, keepdims=True), 1e-12)
    moments = np.stack([(values**3).mean(axis=1), (values**4).mean(axis=1) - 3], axis=1)
    return heavy, shifts, widths, moments
