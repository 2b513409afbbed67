"""Windows of many series: cut on the fly, in an order that can be repeated."""

import keras
import numpy as np

from tasks.data.pipeline import batches_by_number
from zoo.lazy import tf


class SeriesBuffer:
    """All channels of all series in one flat array, with missing steps around each.

    Args:
        values: List of float arrays `(time, features)`, NaN where missing.
        before, after: Number of missing steps before and after each series.
    """

    def __init__(self, values, before, after):
        self.before = before
        pad = ((before, after), (0, 0))
        self.features = values[0].shape[1] if values else 0
        parts, self.offsets, position = [], [], 0
        for array in values:
            padded = np.pad(array, pad, constant_values=np.nan)
            parts.append(padded.T.reshape(-1).astype("float32"))
            starts = position + len(padded) * np.arange(self.features)
            self.offsets.append(starts)
            position += padded.size
        self.flat = np.concatenate(parts) if parts else np.zeros(0, "float32")
        self.offsets = np.array(self.offsets).reshape(-1, self.features)

    def cut(self, series, channel, start, length):
        """Steps `start ... start + length` of some rows: `(rows, length)`, NaN gaps.

        `start` may be up to `before` steps ahead of the series.
        """
        first = self.offsets[series, channel] + self.before + start
        return self.flat[first[:, None] + np.arange(length)]


class Windows(keras.utils.PyDataset):
    """Batches of windows, each of one channel of one series.

    A window is the context before its origin and the horizon from it on. Series shorter
    than both have one window, with missing steps before and after. In each epoch a new
    order of the windows is drawn from `seed` and `epoch` alone, so a resumed run reads
    what it would have read; all batches have the same number of rows, so the last one
    of an epoch ends with rows that the epoch began with.

    Args:
        values: List of float arrays `(time, channels)`, NaN where missing.
        context_length, horizon: Steps before and after the origin.
        batch_size: Rows a batch.
        static: Array `(series, n)`, or `None`.
        past, future: Lists of arrays `(time, n)` of covariates, or `None`; those of the
            future go on for at least as long as windows reach.
        origins: List of arrays of the origins of each series; all by default, see
            `origins_of`.
        windows_per_epoch: Number of windows an epoch, drawn with each channel counting
            as one; `None` for all.
        shuffle: Whether to shuffle.
        seed: Integer from 0 on.
        with_channel: Whether items name the channel.

    Items are `(inputs, zeros (rows,))`, `inputs` as `tasks.forecast.model` takes them.

    Raises:
        ValueError: If there is no window to cut.
    """

    def __init__(
        self,
        values,
        context_length,
        horizon,
        batch_size,
        static=None,
        past=None,
        future=None,
        origins=None,
        windows_per_epoch=None,
        shuffle=False,
        seed=0,
        with_channel=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        lengths = [len(array) for array in values]
        if origins is None:
            origins = [origins_of(n, context_length, horizon) for n in lengths]
        counts = np.array([len(o) for o in origins], "int64")
        if not counts.sum():
            raise ValueError("The data are empty: there is no window to cut.")
        self.context_length, self.horizon = context_length, horizon
        self.origins, self.channels = np.concatenate(origins), values[0].shape[1]
        self._series = np.repeat(np.arange(len(values)), counts)
        self.shuffle, self.seed, self.epoch = shuffle, seed, 0
        self.with_channel, self.static = with_channel, static
        size = (context_length, horizon)
        self._values = SeriesBuffer(values, *size)
        self._past = None if past is None else SeriesBuffer(past, *size)
        self._future = None if future is None else SeriesBuffer(future, *size)
        self.total = len(self.origins) * self.channels
        self.count = min(windows_per_epoch or self.total, self.total)
        self.batch_size = min(batch_size, self.count)
        self._planned = (None, None)

    def __len__(self):
        return -(-self.count // self.batch_size)

    def _plan(self):
        epoch, planned = self.epoch, self._planned
        if planned[0] == epoch:
            return planned[1]
        if not self.shuffle:
            order = np.arange(self.count)
        else:
            random = np.random.default_rng([self.seed, epoch])
            if self.count == self.total:
                order = random.permutation(self.total)
            else:
                order = random.choice(self.total, self.count, replace=False)
        # Wraps around, so that the last batch is full.
        order = np.resize(order, len(self) * self.batch_size)
        self._planned = (epoch, order)
        return order

    def __getitem__(self, index):
        first = index * self.batch_size
        chosen = self._plan()[first : first + self.batch_size]
        inputs = self.rows(chosen)
        return inputs, np.zeros(len(chosen), "float32")

    def rows(self, chosen, target=True):
        """Inputs of some windows, by their numbers: channels run fastest."""
        window, channel = np.divmod(np.asarray(chosen), self.channels)
        series, origin = self._series[window], self.origins[window]
        start = origin - self.context_length
        reach = self.context_length + self.horizon if target else self.context_length
        values = self._values.cut(series, channel, start, reach)
        there = ~np.isnan(values)
        values = np.where(there, values, np.float32(0))
        n = self.context_length
        inputs = {"values": values[:, :n], "mask": there[:, :n]}
        if target:
            inputs |= {"target": values[:, n:], "target_mask": there[:, n:]}
        if self.with_channel:
            inputs["channel"] = channel.astype("int32")
        if self.static is not None:
            inputs["static"] = self.static[series].astype("float32")
        for name, buffer, length in (
            ("past", self._past, n),
            ("future", self._future, n + self.horizon),
        ):
            if buffer is not None:
                inputs[name] = _features(buffer, series, start, length)
        return inputs

    def as_dataset(self):
        """The batches as the present backend takes them: `tf.data` on TensorFlow."""
        if keras.backend.backend() != "tensorflow":
            return self
        spec = {
            name: tf.TensorSpec(array.shape, array.dtype)
            for name, array in self[0][0].items()
        }
        return batches_by_number(
            self, (spec, tf.TensorSpec((self.batch_size,), tf.float32))
        )


def _features(buffer, series, start, length):
    """Covariates of some rows, zero around their series: `(rows, length, n)`."""
    parts = [
        buffer.cut(series, feature, start, length) for feature in range(buffer.features)
    ]
    return np.nan_to_num(np.stack(parts, -1), copy=False)


def origins_of(length, context_length, horizon):
    """Where the windows of a series begin to look ahead: an array of positions.

    All with the whole horizon inside, and the context too, where there is room for
    both. A shorter series has one, as late as leaves it the horizon, but never 0.
    """
    if length < 2:
        return np.zeros(0, "int64")
    last = max(1, length - horizon)
    return np.arange(min(context_length, last), last + 1)
