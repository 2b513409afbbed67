"""Faults planted into the recurrent layers, and the promises that catch them.

A test that cannot fail proves nothing. Each fault is one edit of the source of one
function, made in memory. The contract tests of a layer then run against it:

    python tests/planted_faults.py [--all] [name ...]

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
import sys
import textwrap

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from tests.faults import FAULTS

ROOT = pathlib.Path(__file__).resolve().parents[1]
RECORD = pathlib.Path(__file__).with_suffix(".json")
COSTLY = (
    "test_fit_learns",
    "test_long_and_extreme",
    "test_gradients_in_bfloat16",
    "test_compiled_",
    "test_saves_and_loads",
)


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


def run(tests, name, costly):
    """Runs tests against a fault; `costly` tells which, with `None` all of them."""
    from tests import fresh

    command = [*(str(ROOT / test) for test in tests), f"--rootdir={ROOT}"]
    command += ["-q", "--tb=no", "--no-summary", "-p", "no:cacheprovider"]
    if costly is not None:
        selected = " or ".join(COSTLY)
        command += ["-k", selected if costly else f"not ({selected})"]
    failures = Failures()
    # What loads files must be as faulty as what saved them.
    fresh.restart(*(() if name is None else (plant, name)))
    undo = (lambda: None) if name is None else plant(name)
    try:
        pytest.main(command, [failures])
    finally:
        undo()
        fresh.restart()
    return failures


def check(name, tests, everything=False):
    """Which promises caught a fault: the cheap ones first, then the costly."""
    found = run(tests, name, None if everything else False)
    if name is not None and not found.failed and not everything:
        found = run(tests, name, True)
    if not found.ran:
        raise RuntimeError(f"No test ran against {name!r}: {tests}")
    return sorted(found.failed)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="faults; all, if there is none")
    parser.add_argument("--all", action="store_true", help="run costly promises too")
    parser.add_argument("--output", type=pathlib.Path, default=RECORD)
    given = parser.parse_args(arguments)
    names = [n for n in FAULTS if not given.names or any(g in n for g in given.names)]
    tests = tuple(dict.fromkeys(t for n in names for t in FAULTS[n].tests))
    sound = check(None, tests, given.all)
    caught = {}
    for name in names:
        caught[name] = check(name, FAULTS[name].tests, given.all)
        promises = ", ".join(caught[name]) or "NOT CAUGHT"
        print(f"{name}\n    {promises}", flush=True)
    if sound:
        print(f"without a fault, these fail: {', '.join(sound)}")
    if not given.names:
        record = {
            name: {"place": FAULTS[name].place, "caught_by": promises}
            for name, promises in caught.items()
        }
        given.output.write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    missed = [name for name, promises in caught.items() if not promises]
    print(f"{len(caught) - len(missed)} of {len(caught)} faults caught")
    return 1 if missed or sound else 0


if __name__ == "__main__":
    sys.exit(main())
