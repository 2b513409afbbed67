"""Runs the tests of the rows, keeps what they tried, and writes README.md from it.

    python tests/reliability/table.py [--slow | --only-slow | --render] [row ...]

Without numbers, all rows. The record, `record.json`, keeps what was known of tests that
did not run. Exits with 1 if a row is red.
"""

import argparse
import sys
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
    numbers, plugin, code = given.rows or list(ROWS), recorder.Recorder(), 0
    if not given.render:
        tests = dict.fromkeys(test for n in numbers for test in ROWS[n].tests)
        command = [*(str(ROOT / test) for test in tests), f"--rootdir={ROOT}", "-q"]
        if not given.slow:
            command += ["-m", "slow" if given.only_slow else "not slow"]
        code = pytest.main(command, [plugin])
        recorder.write(plugin.found)
    README.write_text(rendered(recorder.read()), "utf-8")
    record = recorder.read()
    red = [n for n in numbers if recorder.summary(n, record)["failed"]]
    print(f"Red rows: {', '.join(map(str, red)) or 'none'}")
    return 1 if red or code not in (0, 5) else 0


if __name__ == "__main__":
    sys.exit(main())
