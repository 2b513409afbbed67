"""The one error type of runs, beside `zoo.PresetError` and `tuning`'s `SearchError`.

Arguments that cannot be meant are a `ValueError` or a `TypeError`, as everywhere in
Python; a disk that refuses is an `OSError` with its number.
"""

from zoo.errors import RunError

__all__ = ["RunError"]
