"""From windows of series to the distributions of their futures, in NumPy."""

import numpy as np

from tasks.answering import predict_on_batch
from zoo import devices


def _paths_at_once():
    """Paths to draw at once: what stays in a CPU's caches is up to twice as fast."""
    return 1024 if devices.kind() == "cpu" else 65_536


class Predictive:
    """Asks a forecaster's model, and reads what its head says.

    Args:
        model: The model, see `tasks.forecast.model.build_forecaster`.
        head: Its head, see `tasks.forecast.heads`.
        options: Dict of the forecaster's options.
        back: Function from an array `(..., channels)` of the model's values to those of
            the data.
        linear: Whether `back` takes means to means.
    """

    def __init__(self, model, head, options, back, linear):
        self.model, self.head, self.options = model, head, options
        self._undo, self.linear = back, linear
        self.spread = options["head"] not in ("mae", "mse")

    def answer(self, windows, size, samples=None, seed=0, levels=None):
        """Means, quantiles and paths for all windows, read batch by batch.

        Args:
            windows: `tasks.data.windows.Windows`.
            size: Most rows to ask the model for at once.
            samples: Number of paths to draw; `None` for those an autoregressive model
                needs, and none of others.
            seed: Decides what they are.
            levels: Levels of quantiles; those of the options by default.

        Returns:
            Means `(rows, steps)`, a dict from level to such an array, and paths
            `(samples, rows, steps)` or `None`.
        """
        if levels is None:
            levels = self.options["quantiles"] if self.spread else []
        random, parts = np.random.default_rng(seed), []
        channels = self.options["channels"]
        if self.options["architecture"] == "autoregressive":
            # Each row becomes as many as it has paths.
            size = min(size, max(1, _paths_at_once() // self.options["samples"]))
        size = max(channels, size // channels * channels)  # whole windows
        for start in range(0, windows.total, size):
            rows = np.arange(start, min(start + size, windows.total))
            outputs = self._outputs(windows, rows, size, samples, random)
            parts.append(self.read(outputs, levels, samples, random))
        means, quantiles, paths = zip(*parts, strict=True)
        return (
            np.concatenate(means),
            {level: np.concatenate([q[level] for q in quantiles]) for level in levels},
            None if paths[0] is None else np.concatenate(paths, 1),
        )

    def _outputs(self, windows, rows, size, samples, random):
        # Few shapes, as each is compiled anew.
        padded = np.resize(rows, rows_compiled(len(rows), size))
        inputs = windows.rows(padded, target=False)
        if self.options["architecture"] == "autoregressive":
            found = self._paths(inputs, samples, random)
        else:
            found = predict_on_batch(self.model, inputs)
        return {name: np.asarray(x)[: len(rows)] for name, x in found.items()}

    def _paths(self, inputs, samples, random):
        """Paths of an autoregressive model, as many as asked for."""
        each = self.options["samples"]
        samples = each if samples is None else samples
        rows, parts = len(inputs["values"]), []
        for _ in range(-(-samples // each)):
            noise = random.random((rows, each, self.options["horizon"], 2), "float32")
            # Logarithms of it are taken.
            noise = np.clip(noise, 1e-6, 1 - 1e-6)
            parts.append(predict_on_batch(self.model, {**inputs, "noise": noise}))
        paths = np.concatenate([np.asarray(part["samples"]) for part in parts], 1)
        return {"samples": paths[:, :samples]}

    def read(self, outputs, levels, samples=None, random=None):
        """Means `(rows, steps)`, a dict of quantiles, and paths or `None`.

        Args:
            outputs: Dict of arrays `(rows, ...)`, as the model names them.
            levels: Levels of quantiles.
            samples: Number of paths to draw, or `None`.
            random: `numpy.random.Generator` to draw with.
        """
        if "samples" in outputs:
            paths = self._back(np.moveaxis(outputs["samples"], 1, 0))
            found = np.quantile(paths, levels, axis=0) if levels else []
            return paths.mean(0), dict(zip(levels, found, strict=True)), paths
        outputs = {k: np.asarray(v, np.float64) for k, v in outputs.items()}
        quantiles = {q: self._back(self.head.quantile(outputs, q)) for q in levels}
        mean, paths = self._back(self.head.mean(outputs)), None
        if samples is not None:
            paths = self._draw(outputs, samples, random)
        if not self.linear and self.spread and self.options["head"] != "quantiles":
            # The mean of what is transformed back is not the mean transformed back.
            mean = self._fan(outputs).mean(0)
        return mean, quantiles, paths

    def _fan(self, outputs, count=99):
        """Evenly spaced quantiles, an array `(count, rows, steps)`."""
        levels = (np.arange(count) + 0.5) / count
        values = [self.head.quantile(outputs, q, extrapolate=True) for q in levels]
        return self._back(np.stack(values))

    def _draw(self, outputs, samples, random):
        if not self.spread:
            raise ValueError(
                f'head="{self.options["head"]}" gives points, which cannot be drawn '
                "from."
            )
        fan = self._fan(outputs)
        chosen = random.integers(0, len(fan), (samples, *fan.shape[1:]))
        return np.take_along_axis(fan, chosen, 0)

    def _back(self, values):
        """Undoes the transform of `(..., rows, steps)`; channels run fastest."""
        values = np.asarray(values, np.float64)
        *first, rows, steps = values.shape
        values = values.reshape(*first, -1, self.options["channels"], steps)
        values = self._undo(np.moveaxis(values, -2, -1))
        return np.moveaxis(values, -1, -2).reshape(*first, rows, steps)


def rows_compiled(rows, most):
    """The smallest of few numbers of rows that holds as many.

    Up to 64 rows take little longer than one; beyond, rows that fill up cost their
    time.
    """
    size = 1
    while size < rows:
        size *= 8 if size < 64 else 2
    return min(size, most)


def in_shape(part, shape, horizon):
    """Rows `(..., series * channels, steps)` as `(..., series, horizon, channels)`.

    Args:
        part: Such an array, a dict of them, or `None`.
        shape: `(series, channels)`.
        horizon: Number of steps to keep.
    """
    if part is None:
        return None
    if isinstance(part, dict):
        return {key: in_shape(value, shape, horizon) for key, value in part.items()}
    part = np.asarray(part)[..., :horizon]
    return np.moveaxis(part.reshape(*part.shape[:-2], *shape, horizon), -2, -1)
