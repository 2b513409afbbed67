"""Strict JSON: what a preset's config may hold, and nothing that could act on load."""

import json
import math
import re

from zoo.errors import PresetError, shown

MAX_DEPTH = 32

_OPTION_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Options are never opened as files; text that looks like a place is refused all the
# same, so that a class which forgets this rule cannot be steered by a stranger.
_PLACE = re.compile(
    r"\x00|://|^/[\w.]|^~\w*[/\\]|^\\\\|^[A-Za-z]:[\\/]|(^|[\\/])\.\.([\\/]|$)"
)


def parse_json(data, name):
    """Reads UTF-8 JSON: no duplicate keys, no NaN or infinity, at most 32 levels.

    Args:
        data: The file's bytes.
        name: The file's name, for the error.

    Returns:
        Plain dicts, lists, strings, numbers, booleans and None.

    Raises:
        PresetError: When the bytes are anything else.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique_keys,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError as error:
        raise PresetError(f"{name} is nested deeper than {MAX_DEPTH}.") from error
    except ValueError as error:
        raise PresetError(f"{name} is not strict JSON: {error}.") from error
    check_plain(value, name)
    return value


def dump_json(value, name):
    """Writes what `parse_json` reads back unchanged, as bytes with a last newline.

    Raises:
        PresetError: When `value` holds anything but plain JSON values.
    """
    check_plain(value, name)
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def check_plain(value, name):
    """Refuses anything but finite plain JSON of at most 32 levels."""
    pending = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise PresetError(f"{name} is nested deeper than {MAX_DEPTH}.")
        if isinstance(item, dict):
            for key in item:
                if type(key) is not str:
                    raise PresetError(
                        f"{name} has the key {shown(key)}; keys must be str."
                    )
            pending += ((child, depth + 1) for child in item.values())
        elif isinstance(item, list | tuple):
            pending += ((child, depth + 1) for child in item)
        elif type(item) is float and not math.isfinite(item):
            raise PresetError(f"{name} holds {item}; numbers must be finite.")
        elif item is not None and type(item) not in (str, int, float, bool):
            raise PresetError(
                f"{name} holds {shown(item)} of type {type(item).__name__}; only "
                "dict, list, str, int, float, bool and None can be saved."
            )


def check_options(options, largest):
    """Refuses options that name a place or are absurdly large.

    Args:
        options: The `options` of a config, plain JSON.
        largest: No integer may exceed this, in either direction; `seed` is free.

    Raises:
        PresetError: Naming the option.
    """
    if type(options) is not dict:
        raise PresetError(f"`options` must be an object; got {shown(options)}.")
    for name in options:
        if not _OPTION_NAME.fullmatch(name):
            raise PresetError(
                f"{shown(name)} cannot be an option; names are like `units`."
            )
    pending = [(name, value) for name, value in options.items()]
    while pending:
        name, value = pending.pop()
        if isinstance(value, dict):
            pending += [(name, key) for key in value]
            pending += [(name, child) for child in value.values()]
        elif isinstance(value, list | tuple):
            pending += [(name, child) for child in value]
        elif isinstance(value, str) and _PLACE.search(value):
            raise PresetError(
                f"option `{name}` is {shown(value)}, a path or an address; files a "
                "model needs belong in its assets."
            )
        elif type(value) is int and name != "seed" and abs(value) > largest:
            raise PresetError(
                f"option `{name}` is {shown(value)}; this preset's weights allow at "
                f"most {largest}."
            )


def _unique_keys(pairs):
    result = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"the key {shown(key)} comes twice")
        result[key] = value
    return result


def _refuse_constant(text):
    raise ValueError(f"{text} is not a number in JSON")


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{shown(text)} is too large")
    return value
