"""What a row of the table in README.md is.

A row names tests as pytest does; a class or a file stands for all that are in it. Each
test counts as one fault tried, unless it says otherwise by the fixture `tried`.
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One kind of fault.

    Attributes:
        area: What it is about.
        faults: What is tried.
        expected: What must come of it.
        ci: How many faults `make test` has to try, at least.
        nightly: How many `make test-all` has to try, at least.
        tests: Names of tests.
        left_out: What of the row does not apply, and why.
    """

    area: str
    faults: str
    expected: str
    ci: int
    nightly: int
    tests: tuple
    left_out: str = ""


HERE = "tests/reliability/"
