"""One parameter of a search: a few choices or a range, and when it matters."""

import json
import math
from dataclasses import dataclass

from tuning.errors import SearchError

_KEYS = {"choices", "low", "high", "step", "scale", "when"}


@dataclass(frozen=True)
class Parameter:
    """What values a parameter may take.

    Args:
        name: An option of the task's class, or an argument of its `fit`; with a dot an
            entry of an option that is a dict, as in `"layer_options.zoneout_h"`.
        choices: Tuple of plain values; `None` for a range.
        low, high: Ends of a range, both of which belong to it. It is one of integers
            if both are.
        step: Distance of the values of a range; `None` for any.
        log: Whether a range is searched by magnitude.
        when: `None`, or the name of another parameter and the tuple of its values
            with which this one matters.
    """

    name: str
    choices: tuple | None = None
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    when: tuple | None = None

    @classmethod
    def parse(cls, name, entry):
        """Reads `{"choices": [...]}` or `{"low": a, "high": b}` with what goes along.

        Args:
            name: The parameter's name.
            entry: Dict; beside these keys it may have `"step"`, `"scale"` (`"log"` or
                `"linear"`), and `"when"`, a dict from one other name to its values.

        Raises:
            SearchError: If the entry makes no sense.
        """
        entry = dict(entry)
        unknown = sorted(set(entry) - _KEYS)
        if unknown or ("choices" in entry) == ("low" in entry or "high" in entry):
            raise SearchError(
                f"`{name}` must be a dict with `choices`, or with `low` and `high` "
                f"(and `step`, `scale`, `when`). Received: {entry}"
            )
        when = _condition(name, entry.pop("when", None))
        if "choices" in entry:
            return cls(name, choices=_choices(name, entry), when=when)
        low, high, step = (entry.get(key) for key in ("low", "high", "step"))
        scale = entry.get("scale", "linear")
        parameter = cls(name, None, low, high, step, scale == "log", when)
        if scale not in ("log", "linear") or not parameter._is_range():
            raise SearchError(
                f"`{name}` must have numbers low < high, a `step` above 0 if any, and "
                f"`scale` 'linear', or 'log' with low above 0 and no step. "
                f"Received: {entry}"
            )
        return parameter

    def _is_range(self):
        numbers = [n for n in (self.low, self.high, self.step) if n is not None]
        if None in (self.low, self.high) or not all(map(_is_number, numbers)):
            return False
        if self.step is not None and (self.step <= 0 or self.log):
            return False
        return self.low < self.high and (not self.log or self.low > 0)

    @property
    def whole(self):
        """Whether it is a range of integers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    def values(self):
        """All values, or `None` where there is no end of them."""
        if self.choices is not None:
            return list(self.choices)
        step = self.step or (1 if self.whole else None)
        if step is None:
            return None
        count = math.floor((self.high - self.low) / step + 1e-9) + 1
        return [tidy(self.low + i * step) for i in range(count)]

    def ends(self):
        """The values that a check must look at: all choices, or both ends."""
        return [self.low, self.high] if self.choices is None else list(self.choices)

    def entry(self):
        """The dict that `parse` reads."""
        if self.choices is not None:
            found = {"choices": list(self.choices)}
        else:
            found = {"low": self.low, "high": self.high}
            if self.step is not None:
                found["step"] = self.step
            if self.log:
                found["scale"] = "log"
        if self.when is not None:
            found["when"] = {self.when[0]: list(self.when[1])}
        return found


def tidy(value):
    """A float with six digits, which a table can show and another process repeat."""
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _is_number(value):
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
    )


def _choices(name, entry):
    values = entry["choices"]
    if not isinstance(values, list | tuple) or not values or len(entry) > 1:
        raise SearchError(
            f"The choices of `{name}` must be a list of values, and nothing beside. "
            f"Received: {entry}"
        )
    if all(map(_is_number, values)):
        values = sorted(values)
    texts = [as_text(name, value) for value in values]
    if len(set(texts)) < len(texts):
        raise SearchError(f"`{name}` has a choice twice: {list(values)}")
    return tuple(values)


def as_text(name, value):
    """A plain value as JSON.

    Raises:
        SearchError: If it is not plain.
    """
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError):
        raise SearchError(
            f"`{name}` must be made of numbers, strings, booleans, None, lists and "
            f"dicts. Received: {value!r}"
        ) from None


def _condition(name, when):
    if when is None:
        return None
    if not isinstance(when, dict) or len(when) != 1:
        raise SearchError(
            f"`when` of `{name}` must be a dict from one other parameter to the list "
            f"of its values. Received: {when!r}"
        )
    ((parent, values),) = when.items()
    values = values if isinstance(values, list | tuple) else [values]
    return parent, tuple(values)
