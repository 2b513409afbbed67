"""What is asked of series before they are learnt from, or forecast."""

from numbers import Integral
from zlib import crc32

import numpy as np

from tasks.forecast.options import sizes_of, whole


def check_horizon(asked, trained):
    """The horizon to answer for: that asked for, or that trained.

    Raises:
        ValueError: If it is longer than trained, or no positive integer.
    """
    if asked is None:
        return trained
    if not isinstance(asked, Integral) or not 1 <= asked <= trained:
        raise ValueError(
            f"`horizon` must be from 1 to {trained}, for which this forecaster was "
            f"made. Received: {asked!r}"
        )
    return int(asked)


def check_fits(series, options):
    """Raises a ValueError if series have other sizes, or steps, than a forecaster.

    Args:
        series: `tasks.data.series.SeriesSet`.
        options: Dict of the options of `tasks.forecasting.Forecaster`.
    """
    found = sizes_of(series)
    if series.frequency is not None or options["calendar"]:
        found["frequency"] = series.frequency
    for name, value in found.items():
        if value == options[name]:
            continue
        hint = "`Forecaster.for_data` makes one that fits."
        if name == "frequency" and value is None:
            hint = (
                "Its calendar needs times: give a data frame, or a `SeriesSet` with "
                "`starts` and `frequency`."
            )
        raise ValueError(
            f"This forecaster has {name}={options[name]!r}; the data have {value!r}. "
            f"{hint}"
        )


def check_enough(series):
    """The series, if there are any, each with two steps and one value at least.

    Raises:
        ValueError: If not.
    """
    if not len(series):
        raise ValueError("The data are empty: there is no series.")
    for name, values in zip(series.ids, series.values, strict=True):
        if len(values) < 2:
            raise ValueError(
                f"Series {name!r} has {len(values)} steps; two are needed at least."
            )
        if np.isnan(values).all():
            raise ValueError(f"Series {name!r} has no values at all.")
    return series


def check_counts(series):
    """Raises a ValueError if a value is negative."""
    for name, values in zip(series.ids, series.values, strict=True):
        if np.any(values < 0):
            raise ValueError(
                'head="negative_binomial" is for counts; series '
                f"{name!r} has {np.nanmin(values)}."
            )


def check_recent(series, steps):
    """Raises a ValueError if a channel has no value among its last steps."""
    for name, values in zip(series.ids, series.values, strict=True):
        recent = values[-steps:]
        gone = ~np.isfinite(recent).any(0) if len(recent) else np.array([True])
        if gone.any():
            raise ValueError(
                f"Channel {int(np.argmax(gone))} of series {name!r} has no value among "
                f"its last {steps} steps: nothing to go on."
            )


def check_known_ahead(series, horizon):
    """Raises a ValueError if future covariates end before the horizon does."""
    if series.future is None:
        return
    for i, name in enumerate(series.ids):
        known, needed = len(series.future[i]), series.lengths[i] + horizon
        if known < needed:
            raise ValueError(
                f"The future covariates of series {name!r} have {known} steps; a "
                f"horizon of {horizon} needs {needed}."
            )


def check_batch_size(size):
    """Raises a ValueError if a batch has no rows."""
    whole("batch_size", size)


def checksum(series):
    """A number that tells training data from others."""
    parts = [*series.values, *(series.past or []), *(series.future or [])]
    if series.static is not None:
        parts.append(series.static)
    value = crc32(repr((series.ids, series.starts)).encode("utf-8", "surrogatepass"))
    for array in parts:
        value = crc32(np.ascontiguousarray(array).tobytes(), value)
    return value
