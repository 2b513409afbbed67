"""Columns of data frames and of CSV files, sorted into series."""

from functools import reduce
from math import gcd

import numpy as np

from tasks.data.columns import TIME_NAMES, is_missing
from tasks.data.frequency import Frequency, infer_frequency
from tasks.data.times import times_of


def series_of(
    columns, target, id, time, frequency, static, past, future, fallback=None
):
    """Sorts the columns of a frame into series.

    Args:
        columns: Dict from name to array, as of `tasks.data.columns`.
        target, id, time, frequency, static, past, future, fallback: As
            `tasks.data.series.SeriesSet.from_any` takes them; static features and
            covariates as lists.

    Returns:
        Dict of the arguments of `SeriesSet`.

    Raises:
        ValueError: If a column is missing or cannot be read, or a time comes twice.
    """
    covariates = [*static, *past, *future]
    time, targets = _find_columns(columns, target, id, time, covariates)
    table = np.stack([_numbers(columns, name) for name in targets + covariates], -1)
    stamps = times_of(columns[time], time, frequency or fallback)
    parts, names = [], []
    for name, rows in _rows_of(columns.get(id), id, len(stamps)):
        rows = rows[np.argsort(stamps[rows], kind="stable")]
        own = stamps[rows]
        twice = np.flatnonzero(own[1:] == own[:-1])
        if twice.size:
            who = f"Series {name!r}" if id in columns else "The series"
            raise ValueError(f"{who} has the time {own[twice[0]]} twice.")
        names.append(str(name))
        parts.append((own, table[rows]))
    step = _step([own for own, _ in parts], time, frequency, fallback)
    grids = [
        _on_grid(own, rows, step, name)
        for (own, rows), name in zip(parts, names, strict=True)
    ]
    return _assemble(parts, grids, names, step, targets, static, past, future)


def _rows_of(ids, name, count):
    """Pairs of id and the places of its rows, in order of their first ones."""
    if ids is None:
        return [(0, np.arange(count))] if count else []
    if not isinstance(ids, np.ndarray):
        raise ValueError(f"Column {name!r} holds times, no ids.")
    found = {}
    for place, key in enumerate(ids.tolist()):
        # A text may well be called NA.
        if key == "" if isinstance(key, str) else is_missing(key):
            raise ValueError(f"Column {name!r} has rows without an id.")
        found.setdefault(key, []).append(place)
    return [(key, np.array(places)) for key, places in found.items()]


def _assemble(parts, grids, names, step, targets, static, past, future):
    n, cuts = len(targets), np.cumsum([len(targets), len(static), len(past)])
    values, ahead, before, fixed = [], [], [], []
    for grid, name in zip(grids, names, strict=True):
        length = len(grid)
        if future:
            known = ~np.isnan(grid[:, :n]).all(1)
            length = int(np.flatnonzero(known)[-1]) + 1 if known.any() else 0
        values.append(grid[:length, :n])
        fixed.append(_constant(grid[:, n : cuts[1]], static, name))
        before.append(grid[:length, cuts[1] : cuts[2]])
        ahead.append(grid[:, cuts[2] :])
    return {
        "ids": names,
        "values": values,
        "starts": [own[0] if step else int(own[0]) for own, _ in parts],
        "frequency": str(step) if step else None,
        "static": np.reshape(fixed, (len(names), len(static))) if static else None,
        "past": before if past else None,
        "future": ahead if future else None,
        "names": targets,
    }


def _find_columns(columns, target, id, time, covariates):
    """The column of times, and those of values."""
    if time not in columns:
        others = [n for n in columns if n.lower() in TIME_NAMES]
        # An index that was written to a file has no name.
        others = others or [n for n in columns if not n]
        if time != "ds" or len(others) != 1:
            raise ValueError(
                f"There is no column {time!r} of times; name it with `time=`. "
                f"Columns: {', '.join(columns)}"
            )
        time = others[0]
    targets = [target] if isinstance(target, str) else list(target)
    if targets == ["y"] and "y" not in columns:
        if id in columns:
            raise ValueError(
                "A frame with ids is long, and needs a column of values; name it with "
                f"`target=`. Columns: {', '.join(columns)}"
            )
        targets = [n for n in columns if n and n not in (time, *covariates)]
    missing = [name for name in targets + covariates if name not in columns]
    if missing or not targets:
        raise ValueError(f"There is no column {missing}. Columns: {', '.join(columns)}")
    return time, targets


def _numbers(columns, name):
    """A column as floats; cells without a value are NaN."""
    column = columns[name]
    try:
        if not isinstance(column, np.ndarray) or column.dtype.kind in "mMc":
            raise TypeError("it holds times, or complex numbers")
        if column.dtype == object:
            column = [np.nan if is_missing(cell) else cell for cell in column]
        return np.asarray(column, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Column {name!r} must hold numbers: {error}.") from error


def _step(times, name, frequency, fallback):
    """`Frequency` of times, or `None` for whole numbers."""
    if any(t.dtype.kind == "i" for t in times):
        if frequency is not None:
            raise ValueError(
                f"`frequency={frequency!r}` does not go with times that are numbers."
            )
        _check_counted(times, name)
        return None
    if not times:
        return None
    if frequency is None and fallback is not None and max(map(len, times)) < 2:
        frequency = fallback
    return infer_frequency(times) if frequency is None else Frequency.parse(frequency)


def _check_counted(times, name):
    """Raises a ValueError if numbers of steps only ever count by two, five, ..."""
    gaps = np.unique(np.concatenate([np.diff(t) for t in times]))
    apart = reduce(gcd, gaps.tolist(), 0)
    if apart > 1 and max(map(len, times)) > 2:
        raise ValueError(
            f"The numbers in column {name!r} are {apart} apart. Whole numbers count "
            f"steps, one by one: divide them by {apart}, or give dates."
        )


def _on_grid(times, rows, step, name):
    """Rows at their steps, NaN where there is none."""
    if step is None:
        places = times - times[0]
    else:
        try:
            places = step.positions(times, times[0])
        except ValueError as error:
            raise ValueError(f"Series {name!r}: {error}") from error
    length = int(places[-1]) + 1
    if length > 100 * len(times) + 1000:
        raise ValueError(
            f"Series {name!r} would have {length} steps for {len(times)} values: its "
            "times are not steps of one frequency."
        )
    grid = np.full((length, rows.shape[1]), np.nan)
    grid[places] = rows
    return grid


def _constant(block, columns, name):
    """The one value of each static column."""
    result = []
    for column, values in zip(columns, block.T, strict=True):
        found = np.unique(values[~np.isnan(values)])
        if len(found) != 1:
            raise ValueError(
                f"Static column {column!r} must have one value for series {name!r}; "
                f"it has {len(found)}."
            )
        result.append(found[0])
    return result
