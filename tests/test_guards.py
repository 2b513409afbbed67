"""The record of the guards is whole, and its edits still fit the code."""

import json
import re
import subprocess
import sys

import pytest

from tests.guards import ALL_STAND, GUARDS, RECORD, ROOT
from tests.planted_faults import planted


def test_there_are_more_than_ten():
    kinds = "hash", "rename", "classes", "mask", "bound", "lock"
    assert len(GUARDS) > 10
    assert all(any(kind in name for name in GUARDS) for kind in kinds)


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_is_where_it_was(name):
    planted(GUARDS[name])()


def test_the_record_says_who_missed_each_guard():
    # If this fails: python tests/guards.py
    record = json.loads(RECORD.read_text("utf-8"))
    assert record.pop(ALL_STAND) == []
    assert list(record) == list(GUARDS)
    for name, red in record.items():
        assert red
        for test in red:
            file, *_, function = test.partition("[")[0].split("::")
            assert any(test.startswith(given) for given in GUARDS[name].tests)
            assert re.search(
                rf"def {function}\b",
                (ROOT / file).read_text("utf-8")
                + (ROOT / "tests/contract.py").read_text("utf-8"),
            )


@pytest.mark.slow
def test_every_guard_is_missed():
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "tests/guards.py", ""],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-2000:]
