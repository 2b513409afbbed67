"""Heads that are distributions, trained by likelihood; see `tasks.forecast.heads`."""

import math
from statistics import NormalDist

from keras import ops

from tasks.forecast import distributions

_SMALL = 1e-4  # keeps spreads away from zero


class GaussianHead:
    """A normal distribution a step, trained by likelihood."""

    size, power = 2, 0

    def outputs(self, raw, location, scale):
        """`{"mean", "std"}`, each `(rows, steps)`, on the scale of the data."""
        mean, std = self._normalised(raw)
        return {"mean": mean * scale + location, "std": std * scale}

    def _normalised(self, raw):
        return raw[..., 0], ops.softplus(raw[..., 1]) + _SMALL

    def loss(self, raw, target, scale):
        """Negative logarithm of the likelihood."""
        mean, std = self._normalised(raw)
        squares = ops.square((target - mean) / std)
        return 0.5 * squares + ops.log(std) + 0.5 * math.log(2 * math.pi)

    def sample(self, raw, noise):
        """Draws by Box and Muller's formula from two uniform numbers."""
        mean, std = self._normalised(raw)
        radius = ops.sqrt(-2 * ops.log(noise[..., 0]))
        return mean + std * radius * ops.cos(2 * math.pi * noise[..., 1])

    def quantile(self, outputs, level, extrapolate=False):
        """Array `(rows, steps)`."""
        return outputs["mean"] + NormalDist().inv_cdf(level) * outputs["std"]

    def mean(self, outputs):
        """Array `(rows, steps)`."""
        return outputs["mean"]


class StudentTHead:
    """A Student-t distribution a step, with its own degrees of freedom above 2."""

    size, power = 3, 0

    def outputs(self, raw, location, scale):
        """`{"mean", "spread", "freedom"}`, each `(rows, steps)`."""
        mean, spread, freedom = self._normalised(raw)
        return {
            "mean": mean * scale + location,
            "spread": spread * scale,
            "freedom": freedom,
        }

    def _normalised(self, raw):
        # Above 2 there is a variance.
        freedom = 2 + ops.softplus(raw[..., 2]) + _SMALL
        return raw[..., 0], ops.softplus(raw[..., 1]) + _SMALL, freedom

    def loss(self, raw, target, scale):
        """Negative logarithm of the likelihood."""
        mean, spread, freedom = self._normalised(raw)
        squares = ops.square((target - mean) / spread)
        half = 0.5 * (freedom + 1)
        return (
            half * ops.log1p(squares / freedom)
            + ops.log(spread)
            + 0.5 * ops.log(math.pi * freedom)
            + log_gamma(0.5 * freedom)
            - log_gamma(half)
        )

    def sample(self, raw, noise):
        """Draws by Bailey's polar formula from two uniform numbers.

        Reference:
            [Bailey, 1994](https://doi.org/10.1090/S0025-5718-1994-1219702-8)
        """
        mean, spread, freedom = self._normalised(raw)
        squared = freedom * (ops.exp(-2 / freedom * ops.log(noise[..., 0])) - 1)
        wave = ops.cos(2 * math.pi * noise[..., 1])
        return mean + spread * ops.sqrt(ops.maximum(squared, 0.0)) * wave

    def quantile(self, outputs, level, extrapolate=False):
        """Array `(rows, steps)`."""
        spread = outputs["spread"]
        t = distributions.student_t_quantile(level, outputs["freedom"])
        return outputs["mean"] + spread * t

    def mean(self, outputs):
        """Array `(rows, steps)`."""
        return outputs["mean"]


class NegativeBinomialHead:
    """A negative binomial distribution a step, for counts.

    With mean $m$ and dispersion $a$, the variance is $m + a m^2$.

    Reference:
        - Salinas et al., [DeepAR](https://arxiv.org/abs/1704.04110), 2017
    """

    size, power = 2, 0

    def outputs(self, raw, location, scale):
        """`{"mean", "dispersion"}`, each `(rows, steps)`; `location` is zero."""
        mean, dispersion = self._normalised(raw)
        return {"mean": mean * scale, "dispersion": dispersion + 0 * scale}

    def _normalised(self, raw):
        mean = ops.softplus(raw[..., 0]) + _SMALL
        return mean, ops.softplus(raw[..., 1]) + _SMALL

    def loss(self, raw, target, scale):
        """Negative logarithm of the likelihood of counts on their own scale."""
        mean, dispersion = self._normalised(raw)
        mean, target = mean * scale, target * scale
        shape = 1 / dispersion
        spread = ops.log1p(dispersion * mean)
        return (
            shape * spread
            - target * (ops.log(dispersion * mean) - spread)
            - log_gamma(target + shape)
            + log_gamma(shape)
            + log_gamma(target + 1)
        )

    def quantile(self, outputs, level, extrapolate=False):
        """Array `(rows, steps)` of whole numbers."""
        return distributions.negative_binomial_quantile(
            level, outputs["mean"], outputs["dispersion"]
        )

    def mean(self, outputs):
        """Array `(rows, steps)`."""
        return outputs["mean"]


def log_gamma(x):
    """Logarithm of the gamma function of positive numbers, with a gradient.

    Stirling's series, eight steps up from where it is asked.
    """
    steps = 0.0
    for i in range(8):
        steps = steps + ops.log(x + i)
    y = x + 8
    square = 1 / (y * y)
    series = (1 / 12 - square * (1 / 360 - square / 1260)) / y
    return (y - 0.5) * ops.log(y) - y + 0.5 * math.log(2 * math.pi) + series - steps
