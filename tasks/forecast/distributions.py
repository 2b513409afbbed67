"""Quantiles of distributions, in NumPy alone: for arrays of parameters."""

import functools
import math
from statistics import NormalDist

import numpy as np

_lgamma = np.vectorize(math.lgamma, otypes=[float])
_GRID = np.linspace(0.0, 0.5, 2049)  # of 1 / degrees of freedom


def incomplete_beta(a, b, x):
    """Regularised incomplete beta function $I_x(a, b)$, by its continued fraction.

    Args:
        a, b: Arrays of positive numbers.
        x: Array of numbers from 0 to 1.

    Returns:
        Array of numbers from 0 to 1, to some 12 digits.

    Reference:
        - Press et al., Numerical recipes, 3rd edition, 2007, section 6.4
    """
    a, b, x = np.broadcast_arrays(*(np.asarray(v, np.float64) for v in (a, b, x)))
    # The fraction converges fast on this side; the other is its complement.
    swap = x > (a + 1) / (a + b + 2)
    a, b, x = np.where(swap, b, a), np.where(swap, a, b), np.where(swap, 1 - x, x)
    inside = (x > 0) & (x < 1)
    safe = np.where(inside, x, 0.5)
    front = a * np.log(safe) + b * np.log1p(-safe)
    front = front + _lgamma(a + b) - _lgamma(a) - _lgamma(b)
    value = np.exp(front) * _fraction(a, b, safe) / a
    value = np.where(inside, value, np.where(x <= 0, 0.0, 1.0))
    return np.clip(np.where(swap, 1 - value, value), 0.0, 1.0)


def _fraction(a, b, x, steps=2000):
    """Lentz's method."""
    tiny = 1e-300

    def safe(v):
        return np.where(np.abs(v) < tiny, tiny, v)

    c = np.ones_like(x)
    d = 1 / safe(1 - (a + b) * x / (a + 1))
    h = d.copy()
    for m in range(1, steps):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            d = 1 / safe(1 + term * d)
            c = safe(1 + term / c)
            change = d * c
            h = h * change
        if np.all(np.abs(change - 1) < 1e-14):
            break
    return h


@functools.lru_cache(maxsize=64)
def _student_t_table(level):
    """Quantile at the degrees of freedom of the grid, above the median."""
    # With x = f / (f + t^2), the tail above t is I_x(f / 2, 1 / 2) / 2.
    half = 0.5 / _GRID[1:]
    low, high = np.zeros_like(half), np.ones_like(half)
    for _ in range(60):
        middle = 0.5 * (low + high)
        above = incomplete_beta(half, 0.5, middle) < 2 * (1 - level)
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    x = 0.5 * (low + high)
    t = np.sqrt(2 * half * (1 - x) / x)
    # The limit of many degrees of freedom is the normal distribution.
    return np.concatenate([[NormalDist().inv_cdf(level)], t])


def student_t_quantile(level, freedom):
    """Quantile of Student's t distribution.

    Args:
        level: Number between 0 and 1.
        freedom: Array of degrees of freedom, from 2 on.

    Returns:
        Array of its shape, to some 6 digits.
    """
    freedom = np.asarray(freedom, np.float64)
    if level == 0.5:
        return np.zeros_like(freedom)
    table = _student_t_table(max(level, 1 - level))
    return math.copysign(1, level - 0.5) * np.interp(1 / freedom, _GRID, table)


def negative_binomial_quantile(level, mean, dispersion):
    """Quantile of the negative binomial distribution: the smallest count at or above.

    Args:
        level: Number between 0 and 1.
        mean: Array of means, positive.
        dispersion: Array of the same shape: the variance is
            `mean + dispersion * mean**2`.

    Returns:
        Array of whole numbers, as floats.
    """
    mean, dispersion = np.broadcast_arrays(
        np.asarray(mean, np.float64), np.asarray(dispersion, np.float64)
    )
    shape = 1 / dispersion
    success = 1 / (1 + dispersion * mean)

    def below(count):
        return incomplete_beta(shape, count + 1, success) < level

    high = np.ceil(mean + 4 * np.sqrt(mean + dispersion * mean**2)) + 1
    while (far := below(high)).any():
        high = np.where(far, 2 * high, high)
    low = np.full(mean.shape, -1.0)  # below the quantile, `high` is not
    while (high - low > 1).any():
        middle = np.floor(0.5 * (low + high))
        far = below(np.maximum(middle, 0)) | (middle < 0)
        low, high = np.where(far, middle, low), np.where(far, high, middle)
    return high
