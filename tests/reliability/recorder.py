"""Counts what tests have tried, row by row, as pytest reports it."""

import json
from pathlib import Path

from tests.reliability.rows import ROWS

RECORD = Path(__file__).with_name("record.json")
OUTCOMES = ("passed", "failed", "skipped")


class Recorder:
    """A plugin for pytest that keeps, for each test function, what became of it.

    Attributes:
        found: Dict from the name of a test to one from `"ci"` or `"nightly"` to a dict:
            how many passed, failed and were skipped (and why), how many faults they
            tried, and what they saw.
    """

    def __init__(self):
        self.found = {}

    def pytest_runtest_logreport(self, report):
        outcome = report.outcome
        if report.when != "call" and outcome == "passed":
            return
        name = report.nodeid.partition("[")[0]
        when = "nightly" if "slow" in report.keywords else "ci"
        kept = self.found.setdefault(name, {}).setdefault(when, {})
        kept[outcome] = kept.get(outcome, 0) + 1
        said = dict(report.user_properties)
        if outcome == "passed":
            kept["tried"] = kept.get("tried", 0) + said.get("tried", 1)
            seen = kept.setdefault("seen", [])
            if said.get("seen") not in (None, *seen):
                seen.append(said["seen"])
        if outcome == "skipped":
            why = getattr(report, "wasxfail", None)
            why = why or report.longrepr[2].removeprefix("Skipped: ")
            kept.setdefault("why", [])
            if why not in kept["why"]:
                kept["why"].append(why)


def read():
    """The record, as a dict like `Recorder.found`."""
    return json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}


def write(found):
    """Puts what was found into the record, beside what it holds of other tests."""
    record = read()
    for name, kept in found.items():
        record[name] = {**record.get(name, {}), **kept}
    wanted = {name: kept for name, kept in record.items() if rows_of(name)}
    text = json.dumps(dict(sorted(wanted.items())), indent=1, ensure_ascii=False)
    RECORD.write_text(text + "\n", "utf-8")


def rows_of(name):
    """Numbers of the rows that a test belongs to."""
    return [n for n, row in ROWS.items() if any(map(_within(name), row.tests))]


def _within(name):
    return lambda test: name == test or name.startswith((f"{test}::", f"{test}["))


def summary(number, record):
    """What a record says of a row.

    Returns:
        Dict: `ci` and `nightly` faults tried (the second with the first), `tests`,
        `failed`, `why` (reasons of those skipped) and `seen`.
    """
    told = {"ci": 0, "nightly": 0, "tests": 0, "failed": 0, "why": [], "seen": []}
    for name, whens in record.items():
        if number not in rows_of(name):
            continue
        for when, kept in whens.items():
            tried = kept.get("tried", 0)
            told["ci"] += tried if when == "ci" else 0
            told["nightly"] += tried
            told["tests"] += sum(kept.get(outcome, 0) for outcome in OUTCOMES)
            told["failed"] += kept.get("failed", 0)
            told["why"] += [w for w in kept.get("why", []) if w not in told["why"]]
            told["seen"] += [s for s in kept.get("seen", []) if s not in told["seen"]]
    return told
