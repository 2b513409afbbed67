"""Data frames and CSV files, column by column, whatever library or dialect."""

import csv

import numpy as np

from tasks.data.times import MISSING, Zoned
from zoo.lazy import Lazy

narwhals = Lazy("narwhals", "pip install narwhals")

TIME_NAMES = ("ds", "date", "time", "timestamp", "datetime")
_DELIMITERS = (",", ";", "\t")
_INDEX_KINDS = ("datetime64", "datetime", "date", "period")


def is_missing(cell):
    """Whether a cell of a column of objects holds no value."""
    return str(cell).strip() in MISSING


def is_frame(data):
    """Whether it is a data frame that narwhals reads, or pandas' series with times."""
    if isinstance(data, np.ndarray | list | tuple | dict):
        return False
    found = narwhals.from_native(data, pass_through=True, allow_series=True)
    if isinstance(found, narwhals.Series):
        return _has_times(narwhals.maybe_get_index(found))
    return found is not data


def columns_of(data, time):
    """Dict from name to array of all columns of a data frame.

    Columns of times with a time zone come as `tasks.data.times.Zoned`. An index of
    pandas that holds times, or is named `time`, is a column like any other.

    Args:
        data: What `is_frame` takes for one.
        time: Name of the column of times.

    Raises:
        TypeError: If it is lazy, which only its owner can run well.
        ValueError: If two columns have the same name.
    """
    frame = narwhals.from_native(data, allow_series=True)
    if isinstance(frame, narwhals.LazyFrame):
        raise TypeError("A lazy frame cannot be read; call its `collect()` first.")
    if isinstance(frame, narwhals.Series):
        frame = frame.to_frame()
    columns = _with_index(frame, time).iter_columns()
    return {str(column.name): _array(column) for column in columns}


def _has_times(index):
    return getattr(index, "inferred_type", None) in _INDEX_KINDS


def _with_index(frame, time):
    index = narwhals.maybe_get_index(frame)
    names = [str(name) for name in frame.columns]
    if index is None or time in names:
        return frame
    native = frame.to_native()
    if time in index.names:
        return narwhals.from_native(native.reset_index())
    if _has_times(index) and not any(n.lower() in TIME_NAMES for n in names):
        return narwhals.from_native(native.rename_axis(time).reset_index())
    return frame


def _array(column):
    if getattr(column.dtype, "time_zone", None) is None:
        return column.to_numpy()
    local = column.dt.replace_time_zone(None)
    utc = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return Zoned(utc.to_numpy(), local.to_numpy())


def read_csv(path):
    """Dict from name to array of texts, of all columns of a CSV file.

    Cells are set apart by commas, semicolons or tabs, whichever its first line has
    most of.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no UTF-8, has no header or two columns of one name, or
            rows differ in length.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            reader = csv.reader(file, delimiter=max(_DELIMITERS, key=first.count))
            rows = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8: {error}.") from error
    if not rows:
        raise ValueError(f"{path} is empty.")
    header = [name.strip() for name in rows[0][1]]
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise ValueError(f"{path} has two columns named {twice!r}.")
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise ValueError(
                f"{path}: row {line} has {len(row)} cells, the header {len(header)}."
            )
    cells = zip(*(row for _, row in rows[1:]), strict=True)
    cells = cells if rows[1:] else ([] for _ in header)
    return {
        name: np.array(list(column), dtype=object)
        for name, column in zip(header, cells, strict=True)
    }
