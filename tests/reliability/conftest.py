"""How a test says what it has tried."""

import pytest


@pytest.fixture
def tried(record_property):
    """Function that notes how many faults a test has tried, and what it saw."""

    def note(count, seen=None):
        assert count > 0, "nothing was tried"
        record_property("tried", count)
        record_property("seen", seen)

    return note
