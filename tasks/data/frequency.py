"""The time axis of series: equal steps, found in time stamps and counted along them."""

import re
from dataclasses import dataclass
from functools import reduce
from math import gcd

import numpy as np

_SECONDS = {"s": 1, "min": 60, "h": 3600, "D": 86_400, "W": 604_800}
_MONTHS = {"MS": 1, "ME": 1, "QS": 3, "QE": 3, "YS": 12, "YE": 12}
# What pandas and others have called them.
_OTHER_NAMES = {
    "H": "h",
    "T": "min",
    "S": "s",
    "d": "D",
    "w": "W",
    "M": "ME",
    "Q": "QE",
    "Y": "YE",
    "A": "YE",
    "m": "min",
}
_SEASONS = {"s": 60, "min": 60, "h": 24, "D": 7, "W": 52}


@dataclass(frozen=True)
class Frequency:
    """A step of time: a number of seconds, minutes, ..., months, quarters or years.

    Args:
        count: How many units a step has.
        unit: `"s"`, `"min"`, `"h"`, `"D"`, `"W"`; `"MS"`, `"QS"`, `"YS"` for the starts
            of months, quarters, years, or any other day that all of them have; `"ME"`,
            `"QE"`, `"YE"` for their ends.

    Example:

    >>> Frequency.parse("15min")
    Frequency(count=15, unit='min')
    >>> Frequency.parse("MS").times(np.datetime64("2024-01-01"), 3).astype(str).tolist()
    ['2024-01-01T00:00:00', '2024-02-01T00:00:00', '2024-03-01T00:00:00']
    """

    count: int
    unit: str

    @classmethod
    def parse(cls, text):
        """Makes it from a text such as `"h"`, `"15min"` or `"MS"`.

        Raises:
            ValueError: If it is none; the message lists the units.
        """
        found = re.fullmatch(r"(\d*)([A-Za-z]+)(-[A-Z]{3})?", str(text))
        unit = None if found is None else _OTHER_NAMES.get(found[2], found[2])
        if found is None or unit not in {**_SECONDS, **_MONTHS} or found[1] == "0":
            known = ", ".join([*_SECONDS, *_MONTHS])
            raise ValueError(
                f"Unknown frequency {text!r}. Expected an optional number and one of: "
                f'{known}; such as "15min".'
            )
        return cls(int(found[1] or 1), unit)

    def __str__(self):
        return f"{self.count if self.count > 1 else ''}{self.unit}"

    @property
    def months(self):
        """Number of months of a step; `None` where it is a number of seconds."""
        months = _MONTHS.get(self.unit)
        return None if months is None else months * self.count

    @property
    def season(self):
        """Steps after which the most common pattern repeats: a day, a week, a year."""
        if self.months is not None:
            return max(1, 12 // self.months) if 12 % self.months == 0 else 1
        season = _SEASONS[self.unit]
        if self.unit == "min":
            season = 1440  # a day
        return season // self.count if season % self.count == 0 else 1

    def positions(self, times, start):
        """How many steps after `start` some times are: integers.

        Raises:
            ValueError: If a time lies between two steps.
        """
        times = np.asarray(times, "datetime64[s]")
        start = np.datetime64(start, "s")
        if self.months is None:
            apart = (times - start).astype("int64")
            steps, rest = np.divmod(apart, _SECONDS[self.unit] * self.count)
        else:
            months = times.astype("datetime64[M]") - start.astype("datetime64[M]")
            steps, rest = np.divmod(months.astype("int64"), self.months)
            rest = rest + (self.at(start, steps) != times)
        if np.any(rest):
            wrong = times[np.flatnonzero(rest)[0]]
            raise ValueError(f"{wrong} is no whole number of {self} after {start}.")
        return steps

    def times(self, start, steps):
        """The first `steps` times from `start` on: `datetime64[s]`."""
        return self.at(np.datetime64(start, "s"), np.arange(steps))

    def at(self, start, steps):
        """The times some steps after `start`; `datetime64[s]`."""
        start, steps = np.datetime64(start, "s"), np.asarray(steps)
        if self.months is None:
            return start + steps * self.count * np.timedelta64(_SECONDS[self.unit], "s")
        month = start.astype("datetime64[M]")
        months = month + self.months * steps
        if self.unit.endswith("E"):
            days = (months + 1).astype("datetime64[D]") - 1
            clock = start - start.astype("datetime64[D]")
            return days.astype("datetime64[s]") + clock
        return months.astype("datetime64[s]") + (start - month.astype("datetime64[s]"))


def infer_frequency(times):
    """Finds the step of sorted, distinct times of several series, gaps allowed.

    Args:
        times: List of arrays of `datetime64`.

    Returns:
        `Frequency`: the largest step that all times are whole numbers of apart.

    Raises:
        ValueError: If there is no such step of at least a second that at least every
            fiftieth step would have a value for; or no series has two times.
    """
    times = [np.asarray(t, "datetime64[s]") for t in times]
    gaps = [np.diff(t).astype("int64") for t in times if len(t) > 1]
    if not gaps:
        raise ValueError(
            "A frequency cannot be told from series of one time each; give "
            '`frequency`, such as "h" or "D".'
        )
    gaps = np.unique(np.concatenate(gaps))
    calendar = _calendar_step(times, gaps)
    if calendar is not None:
        return calendar
    step = reduce(gcd, gaps.tolist())
    if gaps.min() > 50 * step:
        raise ValueError(
            f"The times have no common step: they are {gaps.min()} s and more apart, "
            f"and have {step} s in common. Round them, or give `frequency`."
        )
    for unit in ("W", "D", "h", "min", "s"):
        if step % _SECONDS[unit] == 0:
            return Frequency(step // _SECONDS[unit], unit)
    raise AssertionError("every step is a number of seconds")


def _on_one_day(times):
    """Whether all times are of one day of the month, which every month has."""
    days = times.astype("datetime64[D]")
    numbers = np.unique((days - days.astype("datetime64[M]")).astype("int64"))
    return len(numbers) == 1 and numbers[0] < 28


def _calendar_step(times, gaps):
    """Months, quarters or years, where all times are of one day, or ends of months."""
    if gaps.min() < 28 * _SECONDS["D"]:
        return None
    days = np.concatenate(times).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    first = all(map(_on_one_day, times))
    last = (days + 1 == (months + 1).astype("datetime64[D]")).all()
    if not (first or last):
        return None
    apart = [np.diff(t.astype("datetime64[M]")).astype("int64") for t in times]
    step = reduce(gcd, np.concatenate(apart).tolist())
    end = "S" if first else "E"
    for size, unit in ((12, "Y"), (3, "Q"), (1, "M")):
        if step % size == 0:
            return Frequency(step // size, unit + end)
    raise AssertionError("every step is a number of months")
