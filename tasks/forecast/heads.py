"""What a forecaster says about each future step: a point or quantiles, by name.

A head turns the raw numbers of the last layer, made on the normalised scale of the
window, into named outputs on the scale of the data, and scores them against the truth.
"""

import numpy as np
from keras import ops

from tasks.forecast.likelihoods import GaussianHead, NegativeBinomialHead, StudentTHead

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class PointHead:
    """One number a step, trained on absolute or squared errors.

    Args:
        kind: `"mae"` or `"mse"`.
    """

    def __init__(self, kind):
        self.size = 1
        # A loss on the scale of the data is this power of the scale larger.
        self.power = {"mae": 1, "mse": 2}[kind]

    def outputs(self, raw, location, scale):
        """`{"mean": (rows, steps)}` on the scale of the data."""
        return {"mean": raw[..., 0] * scale + location}

    def loss(self, raw, target, scale):
        """Loss of each step, `(rows, steps)`, on the normalised scale.

        Args:
            raw: `(rows, steps, size)`, what the last layer made.
            target: `(rows, steps)`, normalised.
            scale: `(rows, 1)`, what both are multiples of.
        """
        error = raw[..., 0] - target
        return ops.abs(error) if self.power == 1 else ops.square(error)

    def sample(self, raw, noise):
        """The point itself: it has no spread."""
        return raw[..., 0] + 0 * noise[..., 0]

    def quantile(self, outputs, level, extrapolate=False):
        """No distribution, so no quantiles: `None`."""
        return None

    def mean(self, outputs):
        """Array `(rows, steps)`."""
        return outputs["mean"]


class QuantileHead:
    """Several quantiles a step, trained on the pinball loss; sorted where they cross.

    Args:
        levels: Increasing levels between 0 and 1.

    References:
        - Koenker and Bassett, [Regression quantiles](
          https://doi.org/10.2307/1913643), 1978
        - Wen et al., [A multi-horizon quantile recurrent forecaster](
          https://arxiv.org/abs/1711.11053), 2017
    """

    power = 1

    def __init__(self, levels):
        self.levels = [float(level) for level in levels]
        self.size = len(self.levels)

    def outputs(self, raw, location, scale):
        """`{"quantiles": (rows, steps, levels)}` on the scale of the data."""
        values = ops.sort(raw, -1)
        return {
            "quantiles": values * ops.expand_dims(scale, -1)
            + ops.expand_dims(location, -1)
        }

    def loss(self, raw, target, scale):
        """Twice the mean pinball loss: with the median alone, the absolute error."""
        error = ops.expand_dims(target, -1) - raw
        levels = ops.convert_to_tensor(np.array(self.levels, "float32"))
        # In this order: an array of JAX's does not take a Keras tensor beside it.
        return 2 * ops.mean(ops.maximum(error * levels, error * (levels - 1)), -1)

    def sample(self, raw, noise):
        """Reads the line through the quantiles at a random level.

        Beyond the outermost levels the line goes on as between the last two.
        """
        values = ops.sort(raw, -1)
        if self.size == 1:
            return values[..., 0] + 0 * noise[..., 0]
        level, result = noise[..., 0], 0.0
        for i in range(self.size - 1):
            low, high = self.levels[i], self.levels[i + 1]
            part = (level - low) / (high - low)
            line = values[..., i] + part * (values[..., i + 1] - values[..., i])
            inside = (level >= low) | (i == 0)
            result = ops.where(inside, line, result)
        return result

    def quantile(self, outputs, level, extrapolate=False):
        """A level between two is read off the line between them.

        Args:
            outputs: Dict of arrays, as `outputs` names them.
            level: Number between 0 and 1.
            extrapolate: Whether the line goes on beyond the outermost levels.

        Raises:
            ValueError: If the level lies outside of those trained.
        """
        first, last = self.levels[0], self.levels[-1]
        inside = first - 1e-9 <= level <= last + 1e-9
        if not (inside or extrapolate):
            raise ValueError(
                f"This forecaster was trained for levels from {first} to {last}. "
                f"Received: {level}"
            )
        values = outputs["quantiles"]
        if self.size == 1:
            return values[..., 0]
        after = int(np.searchsorted(self.levels, level - 1e-9))
        after = min(max(after, 1), self.size - 1)
        low, high = self.levels[after - 1], self.levels[after]
        part = (level - low) / (high - low)
        return (1 - part) * values[..., after - 1] + part * values[..., after]

    def mean(self, outputs):
        """The median, as quantiles alone say nothing about the tails."""
        if not self.levels[0] <= 0.5 <= self.levels[-1]:
            return outputs["quantiles"].mean(-1)
        return self.quantile(outputs, 0.5)


HEADS = ("quantiles", "gaussian", "student_t", "negative_binomial", "mae", "mse")


def get_head(name, quantiles=DECILES):
    """Makes a head from its name.

    Args:
        name: `"quantiles"`, `"gaussian"`, `"student_t"`, `"negative_binomial"`, or the
            points `"mae"` and `"mse"`.
        quantiles: Levels of `"quantiles"`.

    Raises:
        ValueError: If there is no such head, or the levels are none.
    """
    if name in ("mae", "mse"):
        return PointHead(name)
    if name == "quantiles":
        levels = list(quantiles)
        inside = all(0 < level < 1 for level in levels)
        if not levels or not inside or levels != sorted(set(levels)):
            raise ValueError(
                "`quantiles` must be increasing numbers between 0 and 1. "
                f"Received: {levels}"
            )
        return QuantileHead(levels)
    classes = {
        "gaussian": GaussianHead,
        "student_t": StudentTHead,
        "negative_binomial": NegativeBinomialHead,
    }
    if name not in classes:
        raise ValueError(f"`head` must be one of {HEADS}. Received: {name!r}")
    return classes[name]()
