"""The one error type of runs, beside `zoo.PresetError` and `tuning`'s `SearchError`.

Arguments that cannot be meant are a `ValueError` or a `TypeError`, as everywhere in
Python; a disk that refuses is an `OSError` with its number.
"""


class RunError(ValueError):
    """A run of training that cannot be begun, or cannot go on.

    The message is one sentence, with what would work: which folder, what came.
    """
