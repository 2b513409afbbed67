"""Data frames and CSV files of series, read column by column."""

import csv

import numpy as np

from tasks.data.frequency import Frequency, infer_frequency
from zoo.lazy import Lazy

narwhals = Lazy("narwhals", "pip install narwhals")

_TIME_NAMES = ("ds", "date", "time", "timestamp", "datetime")


def is_frame(data):
    """Whether it is a data frame of pandas, polars or another that narwhals reads."""
    if isinstance(data, np.ndarray | list | tuple | dict):
        return False
    return narwhals.from_native(data, pass_through=True) is not data


def columns_of(data):
    """Dict from name to array of all columns of a data frame.

    Raises:
        TypeError: If it is lazy, which only its owner can run well.
    """
    frame = narwhals.from_native(data)
    if isinstance(frame, narwhals.LazyFrame):
        raise TypeError("A lazy frame cannot be read; call its `collect()` first.")
    return {name: frame[name].to_numpy() for name in frame.columns}


def read_csv(path):
    """Dict from name to array of texts, of all columns of a CSV file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no header, or rows differ in length.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.reader(file) if row]
    if not rows:
        raise ValueError(f"{path} is empty.")
    header, *rows = rows
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(
                f"{path}: row {number} has {len(row)} cells, the header {len(header)}."
            )
    cells = zip(*rows, strict=True) if rows else ([] for _ in header)
    return {
        name: np.array(list(column), dtype=object)
        for name, column in zip(header, cells, strict=True)
    }


def series_of(columns, target, id, time, frequency, static, past, future):
    """Sorts the columns of a frame into series.

    Args:
        columns: Dict from name to array.
        target, id, time, frequency, static, past, future: As
            `tasks.data.series.SeriesSet.from_any` takes them.

    Returns:
        Dict of the arguments of `SeriesSet`.

    Raises:
        ValueError: If a column is missing or cannot be read, or a time comes twice.
    """
    covariates = [*static, *past, *future]
    time, targets = _find_columns(columns, target, id, time, covariates)
    table = np.stack([_numbers(columns, name) for name in targets + covariates], -1)
    stamps = _times(columns[time], time)
    ids = columns.get(id)
    ids = np.zeros(len(stamps), int) if ids is None else np.asarray(ids)
    parts, names = [], []
    for name in dict.fromkeys(ids.tolist()):
        rows = np.flatnonzero(ids == name)
        rows = rows[np.argsort(stamps[rows], kind="stable")]
        own = stamps[rows]
        twice = np.flatnonzero(own[1:] == own[:-1])
        if twice.size:
            who = f"Series {name!r}" if id in columns else "The series"
            raise ValueError(f"{who} has the time {own[twice[0]]} twice.")
        names.append(str(name))
        parts.append((own, table[rows]))
    step = _step([own for own, _ in parts], frequency)
    grids = [
        _on_grid(own, rows, step, name)
        for (own, rows), name in zip(parts, names, strict=True)
    ]
    return _assemble(parts, grids, names, step, targets, static, past, future)


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
        "static": np.array(fixed) if static else None,
        "past": before if past else None,
        "future": ahead if future else None,
        "names": targets,
    }


def _find_columns(columns, target, id, time, covariates):
    """The column of times, and those of values."""
    if time not in columns:
        others = [n for n in columns if n.lower() in _TIME_NAMES]
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
        targets = [n for n in columns if n not in (time, *covariates)]
    missing = [name for name in targets + covariates if name not in columns]
    if missing or not targets:
        raise ValueError(f"There is no column {missing}. Columns: {', '.join(columns)}")
    return time, targets


def _numbers(columns, name):
    """A column as floats; empty cells are NaN."""
    column = columns[name]
    if column.dtype == object:
        column = [np.nan if x is None or x == "" else x for x in column]
    try:
        return np.asarray(column, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Column {name!r} must hold numbers: {error}.") from error


def _times(column, name):
    """Times as `datetime64[s]`, or integers where they are whole numbers."""
    column = np.asarray(column)
    if column.dtype.kind == "M":
        stamps = column.astype("datetime64[s]")
        if (stamps != column).any():
            raise ValueError(f"Column {name!r} has fractions of seconds; round them.")
    elif column.dtype.kind in "iu":
        return column.astype("int64")
    else:
        stamps = _parsed(column, name)
    if np.isnat(stamps).any() if stamps.dtype.kind == "M" else False:
        raise ValueError(f"Column {name!r} has rows without a time.")
    return stamps


def _parsed(column, name):
    texts = [str(x).strip() for x in column]
    if texts and all(text.lstrip("-").isdigit() for text in texts):
        return np.array(texts, "int64")
    try:
        stamps = np.array(texts, "datetime64[s]")
    except ValueError as error:
        raise ValueError(
            f"Column {name!r} must hold dates, texts such as 2024-01-31 or "
            f"2024-01-31 12:00:00, or whole numbers: {error}."
        ) from error
    return stamps


def _step(times, frequency):
    """`Frequency` of times, or `None` for whole numbers."""
    whole = any(t.dtype.kind == "i" for t in times)
    if whole:
        if frequency is not None:
            raise ValueError(
                f"`frequency={frequency!r}` does not go with times that are numbers."
            )
        return None
    return infer_frequency(times) if frequency is None else Frequency.parse(frequency)


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
