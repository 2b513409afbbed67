"""Locks: one holder at a time, and none after its process has ended."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zoo import locks

ROOT = Path(__file__).parents[2]
HOLD = """
import os, sys, time
sys.path.insert(0, sys.argv[2])
from zoo import locks
with locks.claim(sys.argv[1]):
    if sys.argv[3:] == ["fork"] and os.fork() == 0:
        os.write(1, b"%d\\n" % os.getpid())  # a line at once: two processes write
        time.sleep(60)
        os._exit(0)
    os.write(1, b"held\\n")
    time.sleep(60)
"""


@contextlib.contextmanager
def holder(path, *how):
    """Another process that holds a lock; with what it says first."""
    command = [sys.executable, "-c", HOLD, str(path), str(ROOT), *how]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        said = {process.stdout.readline().strip() for _ in range(1 + len(how))}
        yield process, said
    finally:
        process.kill()
        process.wait(30)
        process.stdout.close()


def test_waiting_lets_in_one_at_a_time(tmp_path):
    inside, most = [], []

    def work():
        with locks.wait_for(tmp_path / "lock"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_a_second_claim_is_told_who_holds_it(tmp_path):
    with locks.claim(tmp_path / "lock"):
        with pytest.raises(BlockingIOError, match=str(os.getpid())):
            with locks.claim(tmp_path / "lock"):
                pass
        assert (tmp_path / "lock").exists()
    assert list(tmp_path.iterdir()) == []
    with locks.claim(tmp_path / "lock"):
        pass


def test_an_error_within_gives_it_back(tmp_path):
    with pytest.raises(KeyError):
        with locks.claim(tmp_path / "lock"):
            raise KeyError
    with locks.claim(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_process(tmp_path, end):
    path = tmp_path / "lock"
    with holder(path) as (process, _):
        with pytest.raises(BlockingIOError, match=str(process.pid)):
            with locks.claim(path):
                pass
        process.send_signal(end)
        process.wait(30)
        assert path.exists()  # the file stays; that it is there means nothing
        with locks.claim(path):
            pass
    assert not path.exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes do not fork here")
def test_a_forked_child_does_not_inherit_it(tmp_path):
    with holder(tmp_path / "lock", "fork") as (process, said):
        (child,) = (int(word) for word in said - {"held"})
        try:
            process.kill()
            process.wait(30)
            os.kill(child, 0)  # it lives on
            with locks.claim(tmp_path / "lock"):
                pass
        finally:
            os.kill(child, signal.SIGKILL)


def test_one_that_was_removed_meanwhile_is_no_lock(tmp_path, monkeypatch):
    path, acquire = tmp_path / "lock", locks._acquire

    def slow(file, wait):
        monkeypatch.setattr(locks, "_acquire", acquire)
        path.unlink()  # as its holder does, before it gives the lock back
        acquire(file, wait)

    monkeypatch.setattr(locks, "_acquire", slow)
    with locks.claim(path):
        assert path.exists()
        with pytest.raises(BlockingIOError):
            with locks.claim(path):
                pass


@pytest.mark.parametrize("lock", [locks.wait_for, locks.claim])
def test_file_systems_without_locks_work(lock, tmp_path, monkeypatch):
    def unsupported(file, wait):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_acquire", unsupported)
    with lock(tmp_path / "lock"):
        assert os.path.exists(tmp_path / "lock")
