"""Runs the tests of the rows, keeps what they tried, and writes README.md from it.

    python tests/reliability/table.py [--slow | --only-slow | --render] [row ...]

Without numbers, all rows. The record, `record.json`, keeps what was known of tests that
did not run. Exits with 1 if a row is red.
"""

import argparse
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.reliability import recorder
from tests.reliability.rows import ROWS

ROOT = Path(__file__).resolve().parents[2]
README = Path(__file__).with_name("README.md")
HEAD = """# What was tried

Faults, and what became of them; written by the tests themselves:

    python tests/reliability/table.py --slow

Counts are of faults tried and met as expected: with every change (`make test`), and
every night besides (`make test-all`).

| Row | Area | Faults | Expected | Seen | Count | At night |
| --: | --- | --- | --- | --- | --: | --: |
"""


def rendered(record):
    """The text of README.md."""
    lines, notes = [], []
    for number, row in ROWS.items():
        told = recorder.summary(number, record)
        cells = [number, row.area, row.faults, row.expected, _seen(told)]
        cells += [f"{told['ci']:,}", f"{told['nightly']:,}"]
        lines.append("| " + " | ".join(map(str, cells)) + " |\n")
        reasons = [row.left_out, *(f"Skipped: {why}." for why in told["why"])]
        notes += [f"- Row {number}. {reason}\n" for reason in reasons if reason]
    return HEAD + "".join(lines) + "\nLeft out:\n\n" + "".join(notes)


def _seen(told):
    if not told["tests"]:
        return "not run yet"
    if told["failed"]:
        return f"**{told['failed']} of {told['tests']} tests failed**"
    return "; ".join(["as expected", *told["seen"]])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("rows", nargs="*", type=int, help="numbers of rows")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--slow", action="store_true", help="the nightly tests too")
    how.add_argument("--only-slow", action="store_true", help="these alone")
    how.add_argument("--render", action="store_true", help="run nothing")
    given = parser.parse_args(arguments)
    numbers = given.rows or list(ROWS)
    broken = [] if given.render else [n for n in numbers if not _run(n, given)]
    README.write_text(rendered(recorder.read()), "utf-8")
    record = recorder.read()
    red = [n for n in numbers if recorder.summary(n, record)["failed"] or n in broken]
    print(f"Red rows: {', '.join(map(str, red)) or 'none'}")
    return 1 if red else 0


def _run(number, given):
    """Runs the tests of a row and keeps what they say; returns whether they could."""
    plugin, tests = recorder.Recorder(), [str(ROOT / t) for t in ROWS[number].tests]
    command = [*tests, f"--rootdir={ROOT}", "-q", "-p", "no:cacheprovider"]
    if not given.slow:
        command += ["-m", "slow" if given.only_slow else "not slow"]
    started = time.monotonic()
    code = pytest.main(command, [plugin])
    recorder.write(plugin.found)
    print(f"row {number}: {time.monotonic() - started:.0f} s", flush=True)
    return code in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


if __name__ == "__main__":
    sys.exit(main())
