"""Fair timing: each contestant in a process of its own, one after the other in rounds.

A machine does other things too, and its clock changes. Contestants that take turns
meet the same weather, so ratios within a round are worth more than times.
"""

import json
import multiprocessing
import platform
import resource
import statistics
import sys
import time
import traceback
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


class Contestant:
    """A function in a process of its own.

    Args:
        build: Function of this module's user that takes `args` and returns a function
            to time, which returns when its work is done. It runs in the process, and
            imports there what it needs.
        *args: What pickle can carry.
    """

    def __init__(self, build, *args):
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, build, args))
        self.process.start()
        other.close()
        self.first_call = self._answer()

    def time(self, seconds):
        """Shortest time of a call, of as many as fit into `seconds`; at least one."""
        self.pipe.send(seconds)
        return self._answer()

    def stop(self):
        """Ends the process; returns its peak of memory, in MB."""
        self.pipe.send(None)
        memory = self._answer()
        self.process.join()
        return memory

    def _answer(self):
        kind, value = self.pipe.recv()
        if kind == "error":
            raise RuntimeError(value)
        return value


def serve(pipe, build, args):
    """Builds a function, and times it as often as a pipe asks for."""
    try:
        start = time.perf_counter()
        function = build(*args)
        function()
        pipe.send(("ok", time.perf_counter() - start))
        function()
        while (seconds := pipe.recv()) is not None:
            times, start = [], time.perf_counter()
            while not times or time.perf_counter() - start < seconds:
                now = time.perf_counter()
                function()
                times.append(time.perf_counter() - now)
            pipe.send(("ok", min(times)))
        pipe.send(("ok", peak_memory()))
    except Exception:
        pipe.send(("error", traceback.format_exc()))


def peak_memory():
    """Most memory this process held at once, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def started(contestants):
    """Starts contestants as `race` takes them: dict of `Contestant`s."""
    return {
        name: start() if callable(start) else Contestant(*start)
        for name, start in contestants.items()
    }


def race(contestants, rounds=7, seconds=0.3):
    """Times contestants in turns.

    Args:
        contestants: Dict from names to `(build, *args)`, or to a function that starts
            a contestant of another kind.
        rounds: Number of turns.
        seconds: Time of a turn; a call that takes longer runs once.

    Returns:
        Dict from names to dicts: `times` of all rounds in seconds, `first_call` in
        seconds (with imports, building and compiling), `memory` in MB.
    """
    running = started(contestants)
    times = {name: [] for name in running}
    for _ in range(rounds):
        for name, contestant in running.items():
            times[name].append(contestant.time(seconds))
    return {
        name: {
            "times": times[name],
            "first_call": contestant.first_call,
            "memory": contestant.stop(),
        }
        for name, contestant in running.items()
    }


def ratio(results, name, to):
    """How much longer `name` takes: median over rounds, and best by best."""
    a, b = results[name]["times"], results[to]["times"]
    median = statistics.median(x / y for x, y in zip(a, b, strict=True))
    return {"median": median, "best": min(a) / min(b)}


def load():
    """Processes that wanted the processor in the last minute, and its cores."""
    import os

    return {"load": round(os.getloadavg()[0], 1), "cores": os.cpu_count()}


def versions(packages=("tensorflow", "keras", "torch")):
    """Dict from those packages that are installed to their versions."""
    from importlib.metadata import packages_distributions, version

    there = packages_distributions()
    return {package: version(package) for package in packages if package in there}


def write(name, content, packages=("tensorflow", "keras", "torch")):
    """Writes results as JSON, with the machine and the versions that made them."""
    content = {
        "machine": {"processor": platform.processor() or platform.machine(), **load()},
        "versions": versions(packages),
        **content,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path
