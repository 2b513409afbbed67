"""States of runs as files: whole or not there at all, and checked when read."""

import contextlib
import errno
import hashlib
import io
import json
import os
from pathlib import Path

import numpy as np

from tasks.errors import RunError
from zoo import locks

SUFFIX = ".checkpoint"
LOCK = ".lock"
KEPT = 2
# A name, as NumPy knows it from Keras, which a process that reads states has.
_BFLOAT16 = "bfloat16"


def paths_in(folder):
    """Paths of the states in a folder, the newest first."""
    # By stem, as "000003" comes before "000003-000120", which is later.
    paths = [path for path in Path(folder).glob(f"*{SUFFIX}") if path.is_file()]
    return sorted(paths, key=lambda path: path.stem, reverse=True)


def name_of(epoch, step):
    """Name of the file of a state after so many epochs, and steps of the next one."""
    return f"{epoch:06d}-{step:09d}{SUFFIX}" if step else f"{epoch:06d}{SUFFIX}"


def write(folder, name, head, arrays):
    """Writes a state beside, moves it into place, and removes all but the newest.

    Args:
        folder: Where; made if missing.
        name: Name of the file.
        head: Dict of plain values.
        arrays: List of arrays.

    Raises:
        OSError: If it cannot be written; states that are there stay as they are.
    """
    stream, arrays = io.BytesIO(), [np.asarray(array) for array in arrays]
    # NumPy's files know no bfloat16: these are kept as the bits that they are.
    short = [i for i, array in enumerate(arrays) if array.dtype.name == _BFLOAT16]
    for i in short:
        arrays[i] = arrays[i].view("uint16")
    head = {**head, "bfloat16": short}
    np.savez(stream, *arrays)
    body = json.dumps(head).encode() + b"\n" + stream.getvalue()
    path = Path(folder) / name
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(partial, "wb") as file:
            file.write(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except OSError as error:
        _remove(partial)
        raise _explained(error, folder) from error
    for old in paths_in(folder)[KEPT:]:
        _remove(old)


def read(path):
    """Head and arrays of a state; `None` if anything in the file was changed."""
    digest, _, body = Path(path).read_bytes().partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    head, _, body = body.partition(b"\n")
    head = json.loads(head)
    with np.load(io.BytesIO(body)) as file:
        arrays = [file[name] for name in file.files]
    for i in head.get("bfloat16", []):
        arrays[i] = arrays[i].view(_BFLOAT16)
    return head, arrays


@contextlib.contextmanager
def claimed(folder):
    """Keeps a folder for one run, until the block or the process ends.

    Raises:
        RunError: If another run has it.
        OSError: If states could not be saved there.
    """
    with contextlib.ExitStack() as stack:
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            stack.enter_context(locks.claim(Path(folder) / LOCK))
        except BlockingIOError as error:
            raise RunError(
                f"Another run (process {error.strerror}) is at work in {folder}: wait "
                "until it has ended, or give this run a folder of its own."
            ) from error
        except OSError as error:
            raise _explained(error, folder) from error
        yield


def check_writable(folder):
    """Makes a folder, and tries to write to it; removes what a kill left half done.

    Raises:
        OSError: If states could not be saved there.
    """
    folder = Path(folder)
    probe = folder / f".{os.getpid()}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
    except OSError as error:
        _remove(probe)
        raise _explained(error, folder) from error
    _remove(probe)
    for half in folder.glob("*.partial"):
        _remove(half)


def _remove(path):
    try:
        os.unlink(path)
    except OSError:
        pass


def _explained(error, folder):
    advice = {
        errno.ENOSPC: "Make room",
        errno.EDQUOT: "Make room",
        errno.EROFS: "Choose a folder that can be written to",
        errno.EACCES: "Choose a folder that can be written to",
        errno.EPERM: "Choose a folder that can be written to",
        errno.ENOTDIR: "Choose a folder, not a file",
        errno.EEXIST: "Choose a folder, not a file",
    }.get(error.errno, "See to that")
    good = paths_in(folder)
    kept = f"The last good state, {good[0].name}, is kept." if good else ""
    return type(error)(
        error.errno,
        f"{error.strerror}: the state of the run could not be saved in {folder}. "
        f"{advice}, then call `fit` again with the same arguments. {kept}".strip(),
    )
