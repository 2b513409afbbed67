"""Columns of times: dates, texts or numbers, with a time zone or without."""

import re
from typing import NamedTuple

import numpy as np

from tasks.data.frequency import Frequency

_ZONE = re.compile(r"(.+[T ]\d\d\S*?)\s*(Z|[+-]\d\d(?::?\d\d)?)")
# What stands for a missing value in a cell, beside an empty one.
MISSING = frozenset(
    ("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NaT", "null", "NULL")
    + ("None",)
)


class Zoned(NamedTuple):
    """Times with a time zone, as two arrays of `datetime64`.

    Attributes:
        utc: What clocks show in UTC.
        local: What clocks show there.
    """

    utc: np.ndarray
    local: np.ndarray


def times_of(column, name, frequency=None):
    """Times as `datetime64[s]`, or integers where they are whole numbers.

    Of times with a zone, days and longer steps are those of the local calendar, and
    shorter ones are counted in UTC, where no hour is left out or comes twice.

    Args:
        column: Array of dates, of texts or of numbers; or `Zoned`.
        name: What the column is called, for errors.
        frequency: Text such as `"h"`, where it is known; else times are taken for days
            or longer if all have the same local time of day.

    Raises:
        ValueError: If there are other things, fractions of seconds, or rows without a
            time.
    """
    if not isinstance(column, Zoned):
        column = np.asarray(column)
        if column.dtype.kind in "iuf":
            return _whole(column, name)
        if column.dtype.kind != "M":
            column = _parsed(column, name)
    if isinstance(column, Zoned):
        column = column.local if _by_days(column.local, frequency) else column.utc
    if column.dtype.kind != "M":
        return _whole(column, name)
    if np.isnat(column).any():
        raise ValueError(f"Column {name!r} has rows without a time.")
    stamps = column.astype("datetime64[s]")
    if (stamps != column).any():
        raise ValueError(f"Column {name!r} has fractions of seconds; round them.")
    return stamps


def _by_days(local, frequency):
    if frequency is not None:
        step = Frequency.parse(frequency)
        return step.months is not None or step.unit in ("D", "W")
    clocks = local - local.astype("datetime64[D]")
    return bool((clocks == clocks[:1]).all())


def _whole(column, name):
    if column.dtype.kind == "f":
        if np.isnan(column).any():
            raise ValueError(f"Column {name!r} has rows without a time.")
        # What is infinite is no whole number either.
        column = np.where(np.isinf(column), 0.5, column)
    numbers = column.astype("int64")
    if (numbers != column).any():
        raise ValueError(
            f"Column {name!r} must hold dates or whole numbers. It has: "
            f"{column[numbers != column][0]}"
        )
    if numbers.size and _is_date(numbers.min()) and _is_date(numbers.max()):
        raise ValueError(
            f"Column {name!r} holds whole numbers that look like dates, such as "
            f"{numbers.min()}; write them as dates, or as texts such as 2024-01-31."
        )
    return numbers


def _is_date(number):
    year, month, day = number // 10_000, number // 100 % 100, number % 100
    return 1900 <= year < 2200 and 1 <= month <= 12 and 1 <= day <= 31


def _parsed(column, name):
    texts = [str(cell).strip() for cell in column]
    if not MISSING.isdisjoint(texts):
        raise ValueError(f"Column {name!r} has rows without a time.")
    if texts and all(text.lstrip("-").isdigit() for text in texts):
        return np.array(texts, "int64")
    found = [_ZONE.fullmatch(text) for text in texts]
    if not any(found):
        return _stamps(texts, name)
    if not all(found):
        raise ValueError(
            f"Column {name!r} has times with a time zone and times without one."
        )
    local = _stamps([match[1] for match in found], name)
    return Zoned(local - np.array([_offset(match[2]) for match in found]), local)


def _offset(zone):
    """What local clocks are ahead of UTC, such as `"+01:00"`."""
    digits = re.sub(r"\D", "", zone).ljust(4, "0")
    minutes = 60 * int(digits[:2]) + int(digits[2:])
    return np.timedelta64(-minutes if zone[0] == "-" else minutes, "m")


def _stamps(texts, name):
    # 2024/01/31 is as clear as 2024-01-31; where the year stands last, it is not.
    texts = [
        t.replace("/", "-") if re.match(r"\d{4}/\d\d/\d\d", t) else t for t in texts
    ]
    try:
        return np.array(texts, "datetime64[us]")
    except ValueError as error:
        raise ValueError(
            f"Column {name!r} must hold dates, texts such as 2024-01-31 or "
            f"2024-01-31 12:00:00, or whole numbers: {error}."
        ) from error
