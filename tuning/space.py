"""A whole search space: plain data in, checked parameters out."""

import math

from tuning.errors import SearchError, nearest
from tuning.parameter import Parameter, as_text, tidy

# Rates must stay below 1: nothing would be left.
_RATES = ("dropout", "zoneout", "smoothing", "dropconnect")
_TPU_WIDTH = 128


class Space:
    """The parameters of a search, and the values that are fixed in all of its trials.

    Args:
        parameters: List of `Parameter`; those that another depends on come before it.
        fixed: Dict of values.
    """

    def __init__(self, parameters, fixed=None):
        self.parameters = list(parameters)
        self.fixed = dict(fixed or {})

    @classmethod
    def build(cls, entries, overrides=None, known=None):
        """Makes a space from plain data.

        Args:
            entries: Dict from name to entry, see `Parameter.parse`; or to a plain
                value, which is fixed.
            overrides: Dict that changes it: a list has the choices, a tuple the two
                ends of a range, a dict the whole entry; `{"fixed": value}` or any
                other value is fixed. `None` in the place of an entry fixes `None`.
            known: Dict from each name that can be set to its default value, or
                `None` where there is none.

        Raises:
            SearchError: If a name is unknown, an entry makes no sense, or nothing is
                left to search.
        """
        entries, known = dict(entries), dict(known or {})
        for name, value in (overrides or {}).items():
            if name not in entries and name.partition(".")[0] not in known:
                names = sorted({*entries, *known})
                raise SearchError(
                    f"There is nothing named {name!r} to search or set."
                    f"{nearest(name, names)} Names: {', '.join(names)}"
                )
            entries[name] = _overridden(entries.get(name), value)
        fixed = {n: _fixed(n, e) for n, e in entries.items() if not _is_entry(e)}
        parsed = {
            name: Parameter.parse(name, entry)
            for name, entry in entries.items()
            if _is_entry(entry)
        }
        for name in [n for n, p in parsed.items() if p.values() and n not in fixed]:
            # One choice is no choice.
            if len(parsed[name].values()) == 1 and parsed[name].when is None:
                fixed[name] = parsed.pop(name).values()[0]
        space = cls(_ordered(_settled(parsed, fixed, known)), fixed)
        if not space.parameters:
            raise SearchError(
                "The search space is empty: every parameter is fixed. Give at least "
                "one a list of choices or a (low, high) range."
            )
        space.check(known)
        return space

    def check(self, known):
        """Refuses values that cannot be meant, before a trial is lost to them."""
        for parameter in self.parameters:
            default = known.get(parameter.name)
            for value in parameter.ends():
                _check_value(parameter.name, value, default)
        for name, value in self.fixed.items():
            _check_value(name, value, known.get(name))

    def combinations(self):
        """Number of different trials, conditions aside; `inf` with a free range."""
        values = [parameter.values() for parameter in self.parameters]
        return math.inf if None in values else math.prod(map(len, values))

    def for_tpu(self):
        """The same space with sizes of layers that fill a TPU: multiples of 128."""
        return Space([_for_tpu(parameter) for parameter in self.parameters], self.fixed)

    def plain(self):
        """All of it as plain data: what `build` would take."""
        entries = {p.name: p.entry() for p in self.parameters}
        return entries | {name: {"fixed": v} for name, v in self.fixed.items()}


def _is_entry(entry):
    return isinstance(entry, dict) and "fixed" not in entry


def _fixed(name, entry):
    value = entry["fixed"] if isinstance(entry, dict) else entry
    as_text(name, value)
    return value


def _overridden(entry, value):
    """An entry as an override makes it; what the override is silent on stays."""
    old = entry if isinstance(entry, dict) else {}
    kept = {"when": old["when"]} if "when" in old else {}
    if isinstance(value, dict) and (set(value) & {"choices", "low", "fixed"}):
        return value if "fixed" in value else {**kept, **value}
    if isinstance(value, list):
        return {**kept, "choices": value}
    if isinstance(value, tuple):
        if len(value) != 2:
            raise SearchError(
                f"A tuple must be the two ends of a range. Received: {value!r}"
            )
        low, high = value
        kept |= {k: old[k] for k in ("scale", "step") if k in old}
        return {**kept, "low": low, "high": high}
    return {"fixed": value}


def _settled(parsed, fixed, known):
    """Parameters whose condition may hold; it is dropped where it always does."""
    found = []
    for name, parameter in parsed.items():
        if parameter.when is None:
            found.append(parameter)
            continue
        parent, values = parameter.when
        if parent in parsed:
            possible = parsed[parent].values()
            if possible is not None and not set(map(repr, possible)) & set(
                map(repr, values)
            ):
                continue
            found.append(parameter)
        elif parent in fixed or parent in known:
            if fixed.get(parent, known.get(parent)) in values:
                found.append(Parameter.parse(name, _unconditional(parameter)))
        else:
            raise SearchError(
                f"`{name}` depends on {parent!r}, which is nowhere."
                f"{nearest(parent, {*parsed, *known})}"
            )
    return found


def _unconditional(parameter):
    return {k: v for k, v in parameter.entry().items() if k != "when"}


def _ordered(parameters):
    """Each parameter after the one it depends on.

    Raises:
        SearchError: If two wait for each other, or one for what was left out.
    """
    waiting, found = list(parameters), []
    while waiting:
        names = {p.name for p in found}
        ready = [p for p in waiting if p.when is None or p.when[0] in names]
        if not ready:
            gone = {p.when[0] for p in waiting} - {p.name for p in waiting}
            if not gone:
                names = sorted(p.name for p in waiting)
                raise SearchError(f"Parameters depend on each other: {names}")
            # What it depends on can never come: nor can it.
            waiting = [p for p in waiting if p.when[0] not in gone]
            continue
        found += ready
        waiting = [p for p in waiting if p not in ready]
    return found


def _check_value(name, value, default):
    last = name.rpartition(".")[2]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and any(word in last for word in _RATES) and not 0 <= value < 1:
        raise SearchError(f"`{name}` is a rate from 0 to below 1. Received: {value}")
    if number and last == "learning_rate" and value <= 0:
        raise SearchError(f"`{name}` must be above 0. Received: {value}")
    if default is None or value is None:
        return
    if isinstance(default, bool) or not isinstance(default, int | float):
        # A choice such as a name or a list: only its class knows.
        fits = isinstance(value, bool) if isinstance(default, bool) else not number
    elif isinstance(default, int):
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    else:
        fits = number
    if not fits:
        raise SearchError(
            f"`{name}` is like {default!r} by default; {value!r} cannot stand there."
        )


def _for_tpu(parameter):
    if parameter.name.rpartition(".")[2] not in ("units", "char_units"):
        return parameter
    values = parameter.values() or parameter.ends()
    wide = sorted({max(1, math.ceil(v / _TPU_WIDTH)) * _TPU_WIDTH for v in values})
    entry = {"choices": wide}
    if parameter.when is not None:
        entry["when"] = {parameter.when[0]: list(parameter.when[1])}
    return Parameter.parse(parameter.name, entry)


def nested(values):
    """`{"layer_options.zoneout_h": 0.1}` as `{"layer_options": {"zoneout_h": 0.1}}`."""
    found = {}
    for name, value in values.items():
        first, dot, rest = name.partition(".")
        if dot:
            found[first] = {**found.get(first, {}), rest: tidy(value)}
        else:
            found[name] = {**value} if isinstance(value, dict) else tidy(value)
    return found
