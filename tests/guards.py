"""Switches off one guard of the zoo at a time, and records which tests notice.

A guard that nobody would miss is none. Each is switched off by one edit of the source
of one function, made in memory, as faults are planted into layers:

    python tests/guards.py [--resume] [name ...]

prints which tests went red, writes `guards.json` beside this file if no names are
given, and exits with 1 if a guard was not missed, or if tests fail while all stand.
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pytest

from tests import planted_faults
from tests.guarded import GUARDS

ROOT = Path(__file__).resolve().parents[1]
RECORD = Path(__file__).with_suffix(".json")
# Key of what fails while every guard stands, where nothing may be.
ALL_STAND = "all guards stand"


class Reds:
    """Collects which tests ran, and which went red."""

    def __init__(self):
        self.ran, self.red = set(), set()

    def pytest_runtest_logreport(self, report):
        self.ran.add(report.nodeid)
        if report.failed:
            self.red.add(report.nodeid)


def run(tests):
    """Runs tests in this process; returns the names of those that went red.

    Raises:
        RuntimeError: If no test ran.
    """
    reds = Reds()
    quiet = ["-q", "--tb=no", "--no-summary", "-p", "no:cacheprovider"]
    names = [str(ROOT / test) for test in dict.fromkeys(tests)]
    pytest.main([*names, f"--rootdir={ROOT}", "-m", "not slow", *quiet], [reds])
    if not reds.ran:
        raise RuntimeError(f"No test ran: {tests}")
    return sorted(reds.red)


def without(name):
    """Names of the tests that go red when a guard is switched off."""
    restore = planted_faults.planted(GUARDS[name])
    try:
        return run(GUARDS[name].tests)
    finally:
        restore()


def run_all(names):
    """Names of the tests of some guards that are red while these stand."""
    return run([test for name in names for test in GUARDS[name].tests])


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("names", nargs="*", help="guards, or parts of their names")
    add("--resume", action="store_true", help="try only what the record lacks")
    given = parser.parse_args(arguments)
    names = [n for n in GUARDS if not given.names or any(g in n for g in given.names)]
    for name in names:
        planted_faults.planted(GUARDS[name])()  # all must fit before the first is tried
    record = json.loads(RECORD.read_text("utf-8")) if given.resume else {}
    for name in [ALL_STAND, *names]:
        if name not in record:
            record[name] = without(name) if name in GUARDS else run_all(names)
            red = record[name]
            print(f"{name}\n    {len(red)} red: {', '.join(red[:3])}", flush=True)
        if not given.names:
            text = json.dumps(record, indent=1, ensure_ascii=True) + "\n"
            RECORD.write_text(text, "utf-8")
    missed = [name for name in names if not record[name]]
    print(f"{len(names) - len(missed)} of {len(names)} guards are missed when off")
    return 1 if missed or record[ALL_STAND] else 0


if __name__ == "__main__":
    sys.exit(main())
