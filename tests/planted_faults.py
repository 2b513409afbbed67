"""Faults planted into the recurrent layers, and the promises that catch them.

A test that cannot fail proves nothing. Each fault is one edit of the source of one
function, made in memory. The contract tests of a layer then run against it:

    python tests/planted_faults.py [--all | --first] [--jobs 2] [name ...]

prints which promises caught which fault, writes `planted_faults.json` beside this
file if no names are given, and exits with 1 if a fault was not caught, or if tests
fail without one. The costly promises run when no other caught a fault; with `--all`,
always.
"""

import argparse
import importlib
import inspect
import json
import pathlib
import subprocess
import sys
import tempfile
import textwrap

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tests.contract import COSTLY
from tests.faults import FAULTS

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORD = pathlib.Path(__file__).with_suffix(".json")
# Key of what fails without a fault, where nothing may stand.
SOUND = "no fault"


def plant(name):
    """Plants a fault of this name; returns a function that takes it out again."""
    importlib.import_module("zoo.layers")
    module, _, path = FAULTS[name].place.partition(":")
    owner = importlib.import_module(module)
    *classes, attribute = path.split(".")
    for part in classes:
        owner = getattr(owner, part)
    original = vars(owner)[attribute]
    faulty = _edited(original, owner, FAULTS[name])
    # A function may have been imported by name into other modules.
    homes = [owner] if classes else _modules_with(attribute, original)
    for home in homes:
        setattr(home, attribute, faulty)

    def undo():
        for home in homes:
            setattr(home, attribute, original)

    return undo


def _modules_with(name, value):
    modules = [m for key, m in list(sys.modules.items()) if key.startswith("zoo.")]
    return [m for m in modules if vars(m).get(name) is value]


def _edited(function, owner, fault):
    plain = function.fget if isinstance(function, property) else function
    source = textwrap.dedent(inspect.getsource(plain))
    if source.count(fault.old) != 1:
        raise ValueError(
            f"The fault in {fault.place} no longer fits: {fault.old!r} is there "
            f"{source.count(fault.old)} times."
        )
    source = source.replace(fault.old, fault.new)
    source = source.replace("super()", f"super({owner.__name__}, self)")
    made = {}
    exec(compile(source, fault.place, "exec"), plain.__globals__, made)
    return made[plain.__name__]


class Failures:
    """Collects which tests ran and which failed, by the promise's name."""

    def __init__(self):
        self.ran, self.failed = set(), set()

    def pytest_runtest_logreport(self, report):
        promise = report.nodeid.rpartition("::")[2].partition("[")[0]
        self.ran.add(promise)
        if report.failed:
            self.failed.add(promise)


def run(tests, name, costly, first):
    """Runs tests against a fault; `costly` tells which, with `None` all of them."""
    from tests import fresh

    command = [*(str(ROOT / test) for test in tests), f"--rootdir={ROOT}"]
    command += ["-q", "--tb=no", "--no-summary", "-p", "no:cacheprovider"]
    if costly is not None:
        selected = " or ".join(COSTLY)
        command += ["-k", selected if costly else f"not ({selected})"]
    command += ["--maxfail=1"] if first else []
    failures = Failures()
    # What loads files must be as faulty as what saved them.
    fresh.restart(*(() if name == SOUND else (plant, name)))
    undo = (lambda: None) if name == SOUND else plant(name)
    try:
        pytest.main(command, [failures])
    finally:
        undo()
        fresh.restart()
    return failures


def check(name, tests, given):
    """Which promises caught a fault: the cheap ones first, then the costly."""
    first = given.first and name != SOUND
    found = run(tests, name, None if given.all else False, first)
    if name != SOUND and not found.failed and not given.all:
        found = run(tests, name, True, first)
    if not found.ran:
        raise RuntimeError(f"No test ran against {name!r}: {tests}")
    return sorted(found.failed)


def try_all(names, given, record):
    """Runs faults one after the other, and adds to a record who caught which."""
    tests = {SOUND: tuple(dict.fromkeys(t for n in names for t in FAULTS[n].tests))}
    for name in (*names, SOUND):
        if name not in record:
            own = tests[SOUND] if name == SOUND else FAULTS[name].tests
            record[name] = check(name, own, given)
            print(f"{name}\n    {', '.join(record[name]) or 'no test failed'}")
            sys.stdout.flush()
            write(given.output, record)
    return record


def write(output, record):
    if output:
        output.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


def share_out(names, given):
    """The same in several processes."""
    with tempfile.TemporaryDirectory() as folder:
        processes = []
        for i in range(given.jobs):
            output = pathlib.Path(folder, str(i))
            command = [
                sys.executable,
                __file__,
                "--output",
                output,
                *names[i :: given.jobs],
            ]
            command += [f"--{o}" for o in ("all", "first") if getattr(given, o)]
            processes.append((subprocess.Popen(command), output))
        record = {SOUND: set()}
        for process, output in processes:
            process.wait()
            part = json.loads(output.read_text("utf-8"))
            record = {**part, **record, SOUND: record[SOUND] | {*part[SOUND]}}
    return {**record, SOUND: sorted(record[SOUND])}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("names", nargs="*", help="faults, or parts of their names")
    add("--all", action="store_true", help="run costly promises too")
    add("--first", action="store_true", help="stop at the first that catches a fault")
    add("--jobs", type=int, default=1, help="number of processes")
    add("--resume", action="store_true", help="go on with an interrupted record")
    add("--output", type=pathlib.Path, help="file for the record")
    given = parser.parse_args(arguments)
    names = [n for n in FAULTS if not given.names or any(g in n for g in given.names)]
    given.output = given.output or (None if given.names else RECORD)
    known = {}
    if given.resume and given.output and given.output.exists():
        known = json.loads(given.output.read_text("utf-8"))
    if given.jobs > 1:
        record = share_out(names, given)
    else:
        record = try_all(names, given, known)
    record = {name: record[name] for name in (SOUND, *names)}
    write(given.output, record)
    failed = record.pop(SOUND)
    if failed:
        print(f"Without a fault, these fail: {', '.join(failed)}")
    missed = [name for name, promises in record.items() if not promises]
    print(f"{len(record) - len(missed)} of {len(record)} faults caught")
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
