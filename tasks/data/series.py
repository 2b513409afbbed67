"""Series as their users have them, made into one plain form."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tasks.data import arrays, frames
from tasks.data.columns import columns_of, is_frame, read_csv
from tasks.data.frequency import Frequency


@dataclass(frozen=True)
class SeriesSet:
    """Some time series, each with equal steps, one or more channels and its own length.

    Args:
        ids: List of names, one a series.
        values: List of float64 arrays `(time, channels)`, NaN where a value is missing.
            All have the same channels.
        starts: List of the times of the first steps: `datetime64[s]`, or integers.
        frequency: Text such as `"h"`, `"D"`, `"15min"` or `"MS"`; `None` for steps that
            are only counted.
        static: Array `(series, n)` of what does not change, or `None`.
        past: List of arrays `(time, n)` of covariates known up to the present, or
            `None`.
        future: List of arrays `(time or more, n)` of covariates known ahead, or `None`.
        names: List of the names of the channels.

    Raises:
        ValueError: If parts do not fit each other, or a value is infinite.
    """

    ids: list
    values: list
    starts: list
    frequency: str | None = None
    static: np.ndarray | None = None
    past: list | None = None
    future: list | None = None
    names: list = field(default=None)

    def __post_init__(self):
        values = [
            _matrix(v, f"Series {i!r}") for i, v in zip_ids(self.ids, self.values)
        ]
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "ids", [str(i) for i in self.ids])
        channels = {v.shape[1] for v in values}
        if len(channels) > 1:
            raise ValueError(f"Series must have the same channels; got {channels}.")
        if len(self.starts) != len(values):
            raise ValueError(f"Got {len(values)} series and {len(self.starts)} starts.")
        if len(set(self.ids)) < len(values):
            raise ValueError("Two series have the same id.")
        if self.names is None:
            names = [str(i) for i in range(max(channels, default=1))]
            object.__setattr__(self, "names", names)
        elif channels and {len(self.names)} != channels:
            raise ValueError(f"Got {channels} channels and the names {self.names}.")
        if self.frequency is not None:
            Frequency.parse(self.frequency)
        self._check_covariates()

    def _check_covariates(self):
        if self.static is not None:
            static = np.asarray(self.static, np.float64)
            static = static[:, None] if static.ndim == 1 else static
            if static.ndim != 2 or len(static) != len(self):
                raise ValueError(
                    f"Static features of {len(self)} series have the shape "
                    f"({len(self)}, n). Received: {static.shape}"
                )
            if not np.isfinite(static).all():
                raise ValueError("Static features must be finite numbers.")
            object.__setattr__(self, "static", static)
        for name in ("past", "future"):
            given = getattr(self, name)
            if given is None:
                continue
            given = [
                _matrix(a, f"The {name} covariates of series {i!r}")
                for i, a in zip_ids(self.ids, given)
            ]
            if len({a.shape[1] for a in given}) > 1:
                raise ValueError(f"Series must have the same {name} covariates.")
            for i, a, v in zip(self.ids, given, self.values, strict=True):
                if len(a) < len(v) or (name == "past" and len(a) > len(v)):
                    raise ValueError(
                        f"Series {i!r} has {len(v)} steps, its {name} covariates have "
                        f"{len(a)}."
                    )
            object.__setattr__(self, name, given)

    @classmethod
    def from_any(
        cls,
        data,
        target="y",
        id="unique_id",
        time="ds",
        frequency=None,
        static=None,
        past_covariates=None,
        future_covariates=None,
        fallback=None,
    ):
        """Reads series from whatever they come in.

        - a `SeriesSet`, which is returned as it is;
        - a NumPy array, or list of numbers: one series `(time,)` or `(time, channels)`;
          `None`, NaN and what an array masks are missing values;
        - a list of these, or a dict from id to one, for several series;
        - a long data frame of pandas, polars or any other that narwhals reads: a row
          for each step of each series, with columns as named here; without the column
          of ids it is one series;
        - a wide data frame, without the column `target`: one series, with a channel for
          each column but that of times;
        - the path of a CSV file with either form, with commas, semicolons or tabs.

        Times may also be the index of a frame or series of pandas. Rows may come in any
        order: they are sorted by time. Two rows of one time, and rows without a time or
        an id, are an error. Times that are left out become missing steps, NaN, and so
        do empty cells, and those that say so (`NA`, `NaN`, `null`). Of times with a
        zone, days and longer steps are those of the local calendar; shorter steps are
        counted, and named in forecasts, in UTC. With future covariates, rows after the
        last value are the future. Infinite values are an error. A frame without rows
        has no series.

        Args:
            data: See above.
            target: Name of the column of values, or a list of names, one a channel.
            id, time: Names of the columns of ids and of times. Times are dates, texts
                in ISO form, or whole numbers that count steps.
            frequency: Text such as `"h"`; found in the times by default.
            static: Array `(series, n)`; for frames a list of columns of numbers, the
                same in all rows of a series, or the name of one.
            past_covariates, future_covariates: For frames lists of columns of numbers,
                or the name of one; for arrays a list of arrays `(time, n)`, one a
                series.
            fallback: Frequency to take where none can be found, as no series has two
                times.

        Returns:
            `SeriesSet`.

        Raises:
            ValueError: If something is wrong with the data; the message says where.
            TypeError: If they are of a kind this does not read.
        """
        if isinstance(data, cls):
            return data
        if isinstance(data, str | Path):
            data = read_csv(Path(data))
        elif is_frame(data):
            data = columns_of(data, time)
        else:
            parts = arrays.series_of(
                data, frequency, static, past_covariates, future_covariates
            )
            return cls(**parts)
        parts = frames.series_of(
            data,
            target,
            id,
            time,
            frequency,
            _names(static),
            _names(past_covariates),
            _names(future_covariates),
            fallback,
        )
        return cls(**parts)

    def __len__(self):
        return len(self.values)

    @property
    def channels(self):
        """Number of channels."""
        return len(self.names)

    @property
    def lengths(self):
        """List of the numbers of steps."""
        return [len(v) for v in self.values]

    def slice(self, start=None, stop=None):
        """Part of each series, by position as in `values[start:stop]`.

        Positions count from each series' own start, negative ones from its own end.
        What is known of the future stays known.
        """
        bounds = [slice(start, stop).indices(n)[:2] for n in self.lengths]

        def part(whole):
            if whole is None:
                return None
            return [a[b : max(b, e)] for a, (b, e) in zip(whole, bounds, strict=True)]

        future = self.future
        if future is not None:
            future = [a[b:] for a, (b, _) in zip(future, bounds, strict=True)]
        return SeriesSet(
            self.ids,
            part(self.values),
            [self.time(i, b) for i, (b, _) in enumerate(bounds)],
            self.frequency,
            self.static,
            part(self.past),
            future,
            self.names,
        )

    def followed_by(self, new):
        """These series with more rows after their last ones.

        Args:
            new: `SeriesSet` of the same series. Its rows must begin where these end;
                series of arrays, whose steps are only counted, always do.

        Raises:
            ValueError: If the series are others, or rows are missing in between.
        """
        if new.ids != self.ids or new.names != self.names:
            raise ValueError(
                f"Expected rows of the series {self.ids}. Received: {new.ids}"
            )
        for i, name in enumerate(self.ids):
            wanted = self.time(i, self.lengths[i])
            counted = self.frequency is None and new.starts[i] == 0
            if not counted and new.starts[i] != wanted:
                raise ValueError(
                    f"Series {name!r} goes on at {wanted}; the new rows begin at "
                    f"{new.starts[i]}."
                )

        def joined(name):
            old, more = getattr(self, name), getattr(new, name)
            if old is None or more is None:
                return None
            # What was known ahead is known again, and maybe better.
            kept = [a[:n] for a, n in zip(old, self.lengths, strict=True)]
            return [np.concatenate(pair) for pair in zip(kept, more, strict=True)]

        return SeriesSet(
            self.ids,
            joined("values"),
            self.starts,
            self.frequency,
            self.static if new.static is None else new.static,
            joined("past"),
            joined("future"),
            self.names,
        )

    def select(self, indices):
        """Some of the series, by their positions in `ids`."""

        def part(items):
            return None if items is None else [items[i] for i in indices]

        return SeriesSet(
            part(self.ids),
            part(self.values),
            part(self.starts),
            self.frequency,
            None if self.static is None else self.static[list(indices)],
            part(self.past),
            part(self.future),
            self.names,
        )

    def time(self, series, step):
        """The time of a step of a series, which may lie ahead of its end."""
        if self.frequency is None:
            return self.starts[series] + step
        return Frequency.parse(self.frequency).at(self.starts[series], step)

    def times(self, series, start=0, stop=None):
        """Times of the steps `start ... stop` of a series, up to its end by default.

        Returns:
            Array of `datetime64[s]`, or of integers.
        """
        stop = self.lengths[series] if stop is None else stop
        if self.frequency is None:
            return self.starts[series] + np.arange(start, stop)
        step = Frequency.parse(self.frequency)
        return step.at(self.starts[series], np.arange(start, stop))


def zip_ids(ids, series):
    """Pairs of id and array; an error if there are not as many of both."""
    if len(ids) != len(series):
        raise ValueError(f"Got {len(ids)} ids for {len(series)} series.")
    return zip(ids, series, strict=True)


def _names(columns):
    return [columns] if isinstance(columns, str) else list(columns or [])


def _matrix(values, what):
    """A float64 array `(time, n)` without infinite values."""
    try:
        if isinstance(values, np.ma.MaskedArray):
            values = values.astype(np.float64).filled(np.nan)
        array = np.asarray(values)
        if array.dtype.kind in "mMc":
            raise TypeError(f"they are {array.dtype}")
        array = array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must hold numbers: {error}.") from error
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or not array.shape[1]:
        raise ValueError(
            f"{what} must have the shape (time,) or (time, channels). "
            f"Received: {array.shape}"
        )
    if np.isinf(array).any():
        place = int(np.argwhere(np.isinf(array))[0][0])
        raise ValueError(
            f"{what} has an infinite value at step {place}. Give NaN where a value is "
            "missing."
        )
    return array
