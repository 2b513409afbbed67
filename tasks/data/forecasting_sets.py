"""Plain readers of the series the recipes are measured on, and of their splits.

Each takes the folder that `--data-dir` names (or the data set's own folder in it) and
gives arrays as they are in the files: nothing is scaled, filled or dropped. The
builders for TensorFlow Datasets in `tasks.data.builders` read with them too.
"""

import csv
import gzip
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

M4_HORIZON = 48
M4_SEASON = 24
# Rows of the hourly tables: 12, 4 and 4 months of 30 days.
ETT_SPLITS = {"train": (0, 8640), "validation": (8640, 11520), "test": (11520, 14400)}
EXCHANGE_RATE_COUNTRIES = (
    "Australia",
    "Britain",
    "Canada",
    "Switzerland",
    "China",
    "Japan",
    "New Zealand",
    "Singapore",
)


class Table(NamedTuple):
    """One series of several channels.

    Attributes:
        times: Array `(time,)` of `datetime64[s]`, `None` where the file tells none.
        values: Array `(time, channels)` of float64.
        columns: Tuple of strings, the channels' names.
    """

    times: np.ndarray | None
    values: np.ndarray
    columns: tuple


class M4(NamedTuple):
    """Many series of unequal length, each with the values to forecast.

    Attributes:
        ids: Tuple of strings, such as `"H1"`.
        train: Tuple of arrays `(time,)` of float64.
        test: Array `(series, 48)` of float64.
    """

    ids: tuple
    train: tuple
    test: np.ndarray


def read_ett(folder, name="ETTh1"):
    """Reads a table of the Electricity Transformer Temperature data.

    Args:
        folder: Folder with `ETTh1.csv`, or with `ett/ETTh1.csv`.
        name: `"ETTh1"` or `"ETTh2"`, one row an hour.

    Returns:
        `Table` of `(17420, 7)` values with times. `ETT_SPLITS` names the rows of each
        split; those after the last one are not used by anyone.

    Raises:
        FileNotFoundError: If the file is in neither place.
        ValueError: If the file has another form.

    Reference:
        [Zhou et al., 2021](https://arxiv.org/abs/2012.07436)
    """
    return ett_table(find(folder, "ett", f"{name}.csv"))


def ett_table(path):
    """The table of one file, see `read_ett`."""
    header, *rows = _rows(path)
    if header[:1] != ["date"] or not rows:
        raise ValueError(
            f"{path}: expected columns `date, HUFL, ..., OT`; got {header}."
        )
    times = np.array([row[0] for row in rows], "datetime64[s]")
    return Table(times, _numbers(path, [row[1:] for row in rows]), tuple(header[1:]))


def read_m4_hourly(folder):
    """Reads the 414 hourly series of the M4 competition.

    The files name no times: a series is known by its order alone.

    Args:
        folder: Folder with `Hourly-train.csv` and `Hourly-test.csv`, or with a folder
            `m4` of them.

    Returns:
        `M4`; training parts have 700 or 960 values, test parts `M4_HORIZON`.

    Raises:
        FileNotFoundError: If a file is in neither place.
        ValueError: If the files have another form, or not the same series.

    Reference:
        [Makridakis et al., 2020](https://doi.org/10.1016/j.ijforecast.2019.04.014)
    """
    train, test = (
        m4_series(find(folder, "m4", f"Hourly-{split}.csv"))
        for split in ("train", "test")
    )
    if list(train) != list(test):
        raise ValueError(f"{folder}: training and test files name other series.")
    lengths = {len(series) for series in test.values()}
    if lengths != {M4_HORIZON}:
        raise ValueError(
            f"{folder}: expected {M4_HORIZON} test values a series; got {lengths}."
        )
    return M4(tuple(train), tuple(train.values()), np.array(list(test.values())))


def m4_series(path):
    """Series of one file by their names, see `read_m4_hourly`."""
    return {row[0]: _m4_values(path, row) for row in _rows(path)[1:]}


def read_exchange_rate(folder):
    """Reads daily exchange rates of eight countries, 1990 to 2016.

    The file names no dates.

    Args:
        folder: Folder with `exchange_rate.txt.gz` or `exchange_rate.txt`, or with a
            folder `exchange_rate` of either.

    Returns:
        `Table` of `(7588, 8)` values, without times. `exchange_rate_splits` gives the
        rows of each split.

    Raises:
        FileNotFoundError: If neither file is in either place.
        ValueError: If the file has another form.

    Reference:
        [Lai et al., 2018](https://arxiv.org/abs/1703.07015)
    """
    names = ("exchange_rate.txt.gz", "exchange_rate.txt")
    return exchange_rate_table(find(folder, "exchange_rate", *names))


def exchange_rate_table(path):
    """The table of one file, see `read_exchange_rate`."""
    values = _numbers(path, _rows(path))
    if values.ndim != 2 or values.shape[1] != len(EXCHANGE_RATE_COUNTRIES):
        raise ValueError(
            f"{path}: expected {len(EXCHANGE_RATE_COUNTRIES)} columns; got an array "
            f"of shape {values.shape}."
        )
    return Table(None, values, EXCHANGE_RATE_COUNTRIES)


def exchange_rate_splits(rows):
    """Rows of LSTNet's splits, 60, 20 and 20 %: dict from name to `(start, stop)`."""
    first, second = int(0.6 * rows), int(0.8 * rows)
    return {"train": (0, first), "validation": (first, second), "test": (second, rows)}


def find(folder, subfolder, *names):
    """The first of some files that is in a folder, or in its subfolder."""
    folder = Path(folder)
    for name in names:
        for path in (folder / name, folder / subfolder / name):
            if path.is_file():
                return path
    raise FileNotFoundError(
        f"{' or '.join(names)} is neither in {folder} nor in {folder / subfolder}."
    )


def _rows(path):
    content = Path(path).read_bytes()
    # By what is in it: a downloaded file need not keep its ending.
    text = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return [row for row in csv.reader(io.StringIO(text.decode("utf-8"))) if row]


def _m4_values(path, row):
    # Shorter series are filled up with empty cells.
    cells = row[1:]
    while cells and not cells[-1]:
        cells.pop()
    return _numbers(path, cells)


def _numbers(path, cells):
    try:
        return np.array(cells, np.float64)
    except ValueError as error:
        raise ValueError(
            f"{path}: expected rows of as many numbers each; {error}."
        ) from error
