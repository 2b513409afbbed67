"""Windows of series as a forecaster reads them: scaled, with all that it is told."""

import numpy as np

from tasks.data.calendar_features import calendar_features
from tasks.data.windows import Windows

_LARGEST = (
    1e36  # float32 ends at some 3e38, and forecasts go beyond what they have seen
)


def scaled_windows(series, scaling, options, batch_size, origins=None, **how):
    """Cuts a `SeriesSet` into windows.

    Args:
        series: `tasks.data.series.SeriesSet`.
        scaling: `tasks.forecast.scaling.Scaling`, fitted.
        options: Dict of the options of `tasks.forecasting.Forecaster`.
        batch_size, origins, **how: As of `tasks.data.windows.Windows`.

    Returns:
        `Windows`.

    Raises:
        ValueError: If a value is too large for the model's numbers.
    """
    values = scaling.forth(series)
    _check_size(series, values)
    static = past = future = None
    if series.static is not None:
        static = scaling.static(series.static)
    if series.past is not None:
        past = scaling.covariates("past", series.past)
    if series.future is not None:
        future = scaling.covariates("future", series.future)
    if options["calendar"]:
        future = _with_calendar(series, future, options)
    return Windows(
        values,
        options["context_length"],
        options["horizon"],
        batch_size,
        static=static,
        past=past,
        future=future,
        origins=origins,
        with_channel=options["channels"] > 1,
        **how,
    )


def _check_size(series, values):
    for name, array in zip(series.ids, values, strict=True):
        with np.errstate(invalid="ignore"):
            if (np.abs(array) > _LARGEST).any():
                size = np.nanmax(np.abs(array))
                raise ValueError(
                    f"Series {name!r} has values of size {size:.3g}, too large to "
                    f"compute with; divide them, to stay below {_LARGEST:g}."
                )


def _with_calendar(series, future, options):
    """Future covariates with the calendar of each step beside them."""
    result = []
    for i, length in enumerate(series.lengths):
        steps = length + options["horizon"]
        part = calendar_features(series.times(i, 0, steps), options["calendar"])
        if future is not None:
            known = future[i][:steps]
            # Windows that are trained on never reach beyond what is known.
            gap = ((0, steps - len(known)), (0, 0))
            known = np.pad(known, gap, constant_values=np.nan)
            part = np.concatenate([known, part], 1)
        result.append(part)
    return result
