"""The table says what the tests have done, and the tests are there."""

import ast

import pytest

from tests.reliability import recorder
from tests.reliability.rows import ROWS
from tests.reliability.table import README, ROOT, rendered

RECORD = recorder.read()
TESTS = sorted({test for row in ROWS.values() for test in row.tests})


def test_all_rows_are_there():
    assert list(ROWS) == list(range(1, 30))


@pytest.mark.parametrize("test", TESTS)
def test_what_a_row_names_is_there(test):
    file, *names = test.split("::")
    inside = ast.parse((ROOT / file).read_text("utf-8")).body
    contract = ast.parse((ROOT / "tests/task_contract.py").read_text("utf-8"))
    for name in names:
        found = [node for node in inside if getattr(node, "name", None) == name]
        assert found, f"{name} is not in {file}"
        # Methods may be those of a contract.
        inside = [*getattr(found[0], "body", ()), *ast.walk(contract)]


@pytest.mark.parametrize("number", ROWS)
def test_no_row_is_red(number):
    assert recorder.summary(number, RECORD)["failed"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("test", TESTS)
def test_what_a_row_names_has_run(test):
    assert any(name == test or name.startswith(f"{test}::") for name in RECORD), (
        "python tests/reliability/table.py --slow"
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", ROWS)
def test_no_row_is_short(number):
    told = recorder.summary(number, RECORD)
    assert told["ci"] >= ROWS[number].ci
    assert told["nightly"] >= max(ROWS[number].nightly, 1)


def test_the_table_is_that_of_the_record():
    # If this fails: python tests/reliability/table.py --render
    assert README.read_text("utf-8") == rendered(RECORD)


def test_a_recorder_counts_what_is_reported():
    class Report:
        when, nodeid, keywords = "call", f"{TESTS[0]}::test_x[a]", {}
        outcome, longrepr = "passed", ("file", 1, "Skipped: no disk")
        user_properties = [("tried", 7), ("seen", "0.0 apart")]

    one = recorder.Recorder()
    one.pytest_runtest_logreport(Report)
    Report.user_properties, Report.keywords = [], {"slow": 1}
    for Report.outcome in ("passed", "failed", "skipped"):
        one.pytest_runtest_logreport(Report)
    (number,) = recorder.rows_of(Report.nodeid)[:1]
    told = recorder.summary(number, one.found)
    assert (told["ci"], told["nightly"], told["tests"], told["failed"]) == (7, 8, 4, 1)
    assert (told["why"], told["seen"]) == (["no disk"], ["0.0 apart"])
