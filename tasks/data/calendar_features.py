"""What the clock and the calendar say of a step: known of all the future."""

import numpy as np

# Where in the hour, the day, the week and the year a time is.
CYCLES = ("hour", "day", "week", "year")
_BY_UNIT = {"s": CYCLES, "min": CYCLES, "h": CYCLES[1:], "D": CYCLES[2:]}


def calendar_for(frequency):
    """Names of the cycles that steps of a frequency go through: a list.

    Args:
        frequency: `tasks.data.frequency.Frequency`, or `None` for none.
    """
    return [] if frequency is None else list(_BY_UNIT.get(frequency.unit, ("year",)))


def calendar_features(times, cycles):
    """Each cycle as a point on the unit circle.

    Args:
        times: Array of `datetime64`.
        cycles: Names, of `CYCLES`.

    Returns:
        Array `(time, 2 * len(cycles))` of float64: sine and cosine of each cycle.

    Raises:
        ValueError: If there is no such cycle.
    """
    times, parts = np.asarray(times, "datetime64[s]"), []
    for cycle in cycles:
        angle = 2 * np.pi * _part(times, cycle)
        parts += [np.sin(angle), np.cos(angle)]
    return np.stack(parts, -1) if parts else np.zeros((len(times), 0))


def _part(times, cycle):
    """How much of the cycle is over, from 0 to 1."""
    seconds = times.astype("int64")
    if cycle == "year":
        first = times.astype("datetime64[Y]")
        length = (first + 1).astype("datetime64[s]") - first.astype("datetime64[s]")
        return (times - first.astype("datetime64[s]")) / length
    sizes = {"hour": 3600, "day": 86_400, "week": 604_800}
    if cycle not in sizes:
        raise ValueError(f"`calendar` must name some of {CYCLES}. Received: {cycle!r}")
    if cycle == "week":
        seconds = seconds + 3 * 86_400  # 1970 began on a Thursday
    return (seconds % sizes[cycle]) / sizes[cycle]
