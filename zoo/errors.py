"""The error type of presets and the hub, and that of runs, which passes through it."""


class PresetError(ValueError):
    """A preset or a model name that cannot be used.

    The message is one sentence: which file or name, what came, what would work.
    """


class RunError(ValueError):
    """A run that cannot be begun, or cannot go on: no fault of a preset or an argument.

    The message is one sentence, with what would work: which folder or process, what
    came.
    """


def shown(value, length=80):
    """`repr` of a stranger's value, printable and cut to `length` characters."""
    text = ascii(value)
    return text if len(text) <= length else text[: length - 3] + "..."
