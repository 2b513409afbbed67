"""Series that come as arrays: one of them, or a list or dict of several."""

import numpy as np


def series_of(data, frequency=None, static=None, past=None, future=None):
    """Parts of a `SeriesSet` from arrays; see `SeriesSet.from_any`.

    Args:
        data: Array or list of numbers of one series; or an array
            `(series, time, channels)`, a list or a dict of arrays.
        frequency: Must be `None`, as arrays tell no times.
        static: Array `(series, n)`, or `None`.
        past, future: A list of arrays `(time, n)`, of one series also an array.

    Returns:
        Dict of arguments.

    Raises:
        ValueError: If a shape is wrong, or there is a frequency.
        TypeError: If the data are of another kind.
    """
    if frequency is not None:
        raise ValueError(
            f"`frequency={frequency!r}` needs times: give a data frame, or make a "
            "`SeriesSet` with `starts`."
        )
    ids = None
    if isinstance(data, dict):
        ids, data = list(data), list(data.values())
    if not hasattr(data, "__len__"):
        raise TypeError(
            "Series come as a data frame, an array, a list or a dict of arrays, or the "
            f"path of a CSV file. Received: {type(data).__name__}"
        )
    single = ids is None and _is_one_series(data)
    values = [data] if single else list(data)
    if any(isinstance(v, str | bytes) or not hasattr(v, "__len__") for v in values):
        raise TypeError("A list of series must hold arrays or lists of numbers.")
    if any(hasattr(v, "columns") for v in values):
        raise TypeError(
            "A list of series must hold arrays or lists of numbers. Received data "
            "frames: put them into one, with a column of ids."
        )

    def listed(given):
        if given is None:
            return None
        return [given] if single and not isinstance(given, list) else list(given)

    return {
        "ids": [str(i) for i in range(len(values))] if ids is None else ids,
        "values": values,
        "starts": [0] * len(values),
        "static": None if static is None else np.asarray(static, np.float64),
        "past": listed(past),
        "future": listed(future),
    }


def _is_one_series(data):
    if hasattr(data, "ndim"):
        if data.ndim not in (1, 2, 3):
            raise ValueError(
                "An array of series has the shape (time,), (time, channels) or "
                f"(series, time, channels). Received: {data.shape}"
            )
        return data.ndim < 3
    return len(data) > 0 and all(
        v is None or isinstance(v, int | float | np.number) for v in data
    )
