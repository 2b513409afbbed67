"""Faults planted into the recurrent layers, and the promises that catch them.

A test that cannot fail proves nothing. Each fault is one edit of the source of one
function, made in memory. The contract tests of a layer then run against it:

    python tests/planted_faults.py [--all | --first] [--jobs 2] [--resume] [name ...]

prints which promises caught which fault, writes `planted_faults.json` beside this
file if no names are given, and exits with 1 if a fault was not caught, or if tests
fail without one. The costly promises run when no other caught a fault; with `--all`,
always. With `--resume` an interrupted run goes on, and a whole record gets what it
lacks.
"""

import argparse
import importlib
import inspect
import json
import pathlib
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

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
    return planted(FAULTS[name])


def planted(fault):
    """Plants a fault; returns a function that takes it out again."""
    module, _, path = fault.place.partition(":")
    owner = importlib.import_module(module)
    *classes, attribute = path.split(".")
    for part in classes:
        owner = getattr(owner, part)
    original = vars(owner)[attribute]
    faulty = _edited(original, owner, fault)

    def put(new, old):
        # A function may have been imported by name into other modules, into those of
        # tests even while it was faulty.
        for home in [owner] if classes else _modules_with(attribute, old):
            setattr(home, attribute, new)

    put(faulty, original)
    return lambda: put(original, faulty)


def _modules_with(name, value):
    homes = ("zoo.", "tasks.", "tests.")
    modules = [m for key, m in list(sys.modules.items()) if key.startswith(homes)]
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


def check(item, given):
    """Which promises caught a fault: the cheap ones first, then the costly.

    Args:
        item: Name of a fault, or `SOUND`, a colon, and tests: then those that fail
            without a fault.
        given: What the command line said.
    """
    if item.startswith(SOUND):
        tests, name = (item.removeprefix(f"{SOUND}: "),), SOUND
    else:
        tests, name = FAULTS[item].tests, item
    first = given.first and name != SOUND
    found = run(tests, name, None if given.all else False, first)
    ran, failed = found.ran, found.failed
    if name != SOUND and not failed and not given.all:
        found = run(tests, name, True, first)
        ran, failed = ran | found.ran, found.failed
    if not ran:
        raise RuntimeError(f"No test ran against {name!r}: {tests}")
    return sorted(failed)


def try_all(names, given, known):
    """Tries faults, and that no test fails without one.

    Args:
        names: The faults to try.
        given: What the command line said.
        known: Dictionary of what is known already from an interrupted run, or from a
            whole one before faults were added. It is written after each fault.
    """
    # The tests of a whole record are known to be sound.
    ran = [n for n in names if not (SOUND in known and n in known)]
    tests = dict.fromkeys(test for name in ran for test in FAULTS[name].tests)
    items = [*ran, *(f"{SOUND}: {test}" for test in tests)]
    items = [item for item in items if item not in known]
    for item, promises in _results(items, given):
        known[item] = promises
        print(f"{item}\n    {', '.join(promises) or 'no test failed'}", flush=True)
        write(given.output, known)
    unsound = {*known.get(SOUND, ())}.union(
        *(known[f"{SOUND}: {test}"] for test in tests)
    )
    return {SOUND: sorted(unsound), **{name: known[name] for name in names}}


def _results(items, given):
    """Pairs of an item and what caught it, in the order in which they are known."""
    if given.jobs == 1:
        for item in items:
            yield item, check(item, given)
        return
    with ProcessPoolExecutor(given.jobs, get_context("spawn")) as pool:
        futures = {pool.submit(check, item, given): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()


def write(output, record):
    """Writes a record in one piece: an interrupted run leaves the one before."""
    if output:
        part = output.with_name(output.name + ".part")
        part.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
        part.replace(output)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("names", nargs="*", help="faults, or parts of their names")
    add("--all", action="store_true", help="run costly promises too")
    add("--first", action="store_true", help="stop at the first that catches a fault")
    add("--jobs", type=int, default=1, help="number of processes")
    add("--resume", action="store_true", help="try only what the record lacks")
    add("--output", type=pathlib.Path, help="file for the record")
    given = parser.parse_args(arguments)
    names = [n for n in FAULTS if not given.names or any(g in n for g in given.names)]
    given.output = given.output or (None if given.names else RECORD)
    known = {}
    if given.resume and given.output and given.output.exists():
        known = json.loads(given.output.read_text("utf-8"))
    start = time.monotonic()
    record = try_all(names, given, known)
    write(given.output, record)
    failed = record.pop(SOUND)
    if failed:
        print(f"Without a fault, these fail: {', '.join(failed)}")
    missed = [name for name, promises in record.items() if not promises]
    minutes = (time.monotonic() - start) / 60
    print(f"{len(record) - len(missed)} of {len(record)} faults caught", end="")
    print(f" in {minutes:.1f} min")
    return 1 if missed or failed else 0


if __name__ == "__main__":
    sys.exit(main())
