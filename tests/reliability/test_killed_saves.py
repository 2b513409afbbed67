"""Processes killed at a random time while they write states, slowly."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tasks import checkpoints

ROOT = Path(__file__).parents[2]
# Writes states as fast as it can, in pieces, and says which are whole.
WRITE = """
import sys
sys.path.insert(0, sys.argv[2])
import numpy as np
from tasks import checkpoints

class Slow:
    def __init__(self, file):
        self.file = file
    def __enter__(self):
        return self
    def __exit__(self, *error):
        self.file.close()
    def __getattr__(self, name):
        return getattr(self.file, name)
    def write(self, data):
        for start in range(0, len(data), 2000):
            self.file.write(data[start : start + 2000])
            self.file.flush()

checkpoints.open = lambda path, mode: Slow(open(path, mode))
first = int(sys.argv[3])
for epoch in range(first, first + 100_000):
    array = np.full(5000, epoch, "int64")
    checkpoints.write(
        sys.argv[1], checkpoints.name_of(epoch, 0), {"epoch": epoch}, [array]
    )
    print(epoch, flush=True)
"""


def killed(folder, first, seconds):
    """Lets a process write for a time, and kills it; returns the last whole state."""
    command = [sys.executable, "-c", WRITE, str(folder), str(ROOT), str(first)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()  # it has begun to write
        time.sleep(seconds)
    finally:
        process.kill()
    rest, _ = process.communicate(timeout=60)
    return int((said + rest).split()[-1])


def check(folder, kills, seed):
    """Kills, reads and cleans again and again; returns how many files were half."""
    random, first, halves = np.random.default_rng(seed), 1, 0
    for _ in range(kills):
        whole = killed(folder, first, random.uniform(0, 0.02))
        newest = checkpoints.paths_in(folder)[0]
        head, (array,) = checkpoints.read(newest)
        # The kill may have come between the file's move and the word about it.
        assert head["epoch"] in (whole, whole + 1)
        assert newest.name == checkpoints.name_of(head["epoch"], 0)
        np.testing.assert_array_equal(array, np.full(5000, head["epoch"]))
        assert len(checkpoints.paths_in(folder)) <= checkpoints.KEPT + 1
        halves += len(list(folder.glob("*.partial")))
        checkpoints.check_writable(folder)
        assert {path.suffix for path in folder.iterdir()} == {checkpoints.SUFFIX}
        first = head["epoch"] + 1
    return halves


def test_nothing_is_listed_before_it_is_whole(tmp_path, monkeypatch):
    listed = []

    class Watched:
        def __init__(self, path, mode):
            self.file = open(path, mode)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def __getattr__(self, name):
            return getattr(self.file, name)

        def write(self, data):
            for part in (data[:99], data[99:]):
                self.file.write(part)
                self.file.flush()
                listed.extend(checkpoints.paths_in(tmp_path))
                assert all(checkpoints.read(path) for path in listed)

    monkeypatch.setattr(checkpoints, "open", Watched, raising=False)
    for epoch in range(1, 4):
        name = checkpoints.name_of(epoch, 0)
        checkpoints.write(tmp_path, name, {"epoch": epoch}, [np.ones(99)])
    assert len(listed) == 2 * (0 + 1 + 2)


def test_twenty_kills(tmp_path, tried):
    check(tmp_path, 20, 0)
    tried(20)


@pytest.mark.slow
def test_two_hundred_kills(tmp_path, tried):
    halves = check(tmp_path, 200, 1)
    assert halves > 20, "the kills did not come while files were written"
    tried(200, f"{halves} of 200 kills left a half file, all of them removed")
