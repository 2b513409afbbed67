"""Locks between processes, which the system takes back when their holder ends.

A lock is one of the operating system's, on a file: a process that is killed holds it
no longer, and nobody has to find out whether a file was left behind.
"""

import contextlib
import os

_held = set()


@contextlib.contextmanager
def wait_for(path):
    """Holds the lock of a file, after all who held it before.

    On file systems without locks the block runs all the same.

    Args:
        path: The file; made if missing, and left there.
    """
    with open(path, "a+b") as file:
        with contextlib.suppress(OSError):
            _acquire(file, wait=True)
        yield


@contextlib.contextmanager
def claim(path):
    """Holds the lock of a file, or says who does; the file goes with the lock.

    On file systems without locks the block runs all the same.

    Args:
        path: The file; made if missing.

    Raises:
        BlockingIOError: If another process, or another part of this one, holds it.
            `strerror` is that one's number, as far as it can be read.
        OSError: If the file cannot be made.
    """
    file = _claimed(path)
    _held.add(file)
    try:
        yield
    finally:
        if file in _held:  # not so in a forked child
            _held.discard(file)
            # Before the lock goes: after it, the file could be another one's.
            with contextlib.suppress(OSError):
                os.unlink(path)
            file.close()


def _claimed(path):
    while True:
        file = open(path, "a+b")
        try:
            _acquire(file, wait=False)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read(20).decode("ascii", "replace").strip()
            file.close()
            raise BlockingIOError(error.errno, holder or "unknown") from None
        except OSError:
            return file  # no locks here
        if _is_at(file, path):
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
            return file
        file.close()  # removed by the holder before us, after we had opened it


def _is_at(file, path):
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _acquire(file, wait):
    if os.name == "nt":
        _acquire_on_windows(file, wait)
        return
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def _acquire_on_windows(file, wait):
    import msvcrt

    # A byte far beyond the end: what is locked there cannot be read by others.
    file.seek(2**30)
    while True:
        try:
            return msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if not wait:
                raise BlockingIOError(error.errno, "held") from None
        with contextlib.suppress(OSError):  # LK_LOCK gives up after ten seconds
            return msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)


def _let_go():
    """In a forked child: the lock is its parent's, and must end with the parent."""
    for file in _held:
        file.close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)
