"""What a planted fault is."""

from typing import NamedTuple


class Fault(NamedTuple):
    """An edit of one function, and the tests that run against it.

    Attributes:
        place: Where the function is, as `module:Class.method` or `module:function`.
        old: A part of its source that is there once.
        new: What stands there instead.
        tests: Files, or classes or functions in them, as pytest takes them.
    """

    place: str
    old: str
    new: str
    tests: tuple
