"""The table of classes that a preset may name; nothing else is ever looked up."""

import importlib
import re

from zoo.errors import PresetError, shown

_CLASSES = {}
_HOME_CLASS = re.compile(r"((?:zoo|tasks)(?:\.[a-z][a-z0-9_]*)+)\.[A-Z][A-Za-z0-9]*")


def loadable(cls):
    """Class decorator: lets presets name this class.

    The class needs a class method `from_preset(preset, **overrides)`. It is known by
    its module and name, so a preset of a class in your own package loads once that
    package has been imported.

    Raises:
        TypeError: When the class has no `from_preset`.
    """
    if not callable(getattr(cls, "from_preset", None)):
        raise TypeError(f"{cls.__qualname__} needs a class method `from_preset`.")
    _CLASSES[full_name(cls)] = cls
    return cls


def find_class(name):
    """The loadable class of this full name; imports modules of `zoo` and `tasks` alone.

    Raises:
        PresetError: For every other name, saying what to import.
    """
    if type(name) is not str:
        raise PresetError(f"`class` must be a name; got {shown(name)}.")
    if name not in _CLASSES:
        match = _HOME_CLASS.fullmatch(name)
        if match is None:
            module = shown(name.rpartition(".")[0])
            raise PresetError(
                f"it was saved by {module}; if you trust that module, import it first."
            )
        try:
            importlib.import_module(match[1])
        except ImportError as error:
            raise PresetError(f"{name} cannot be imported: {error}.") from error
    if name not in _CLASSES:
        raise PresetError(f"{name} is no loadable class of this version.")
    return _CLASSES[name]


def class_name(cls):
    """The name under which a loadable class is known.

    Raises:
        PresetError: When the class was not marked with `loadable`.
    """
    name = full_name(cls)
    if _CLASSES.get(name) is not cls:
        raise PresetError(f"{name} is not marked `@zoo.preset.loadable`.")
    return name


def full_name(cls):
    """Module and qualified name of a class."""
    return f"{cls.__module__}.{cls.__qualname__}"
