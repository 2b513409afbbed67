"""The one error type of presets and the hub."""


class PresetError(ValueError):
    """A preset or a model name that cannot be used.

    The message is one sentence: which file or name, what came, what would work.
    """


def shown(value, length=80):
    """`repr` of a stranger's value, printable and cut to `length` characters."""
    text = ascii(value)
    return text if len(text) <= length else text[: length - 3] + "..."
