"""Folders that appear complete or not at all."""

import contextlib
import os
import secrets
import shutil
import time

_FORGOTTEN = 3600  # seconds after which an unfinished folder is surely abandoned


def previous(folder):
    """Where the old version of a folder waits while a new one takes its place."""
    return folder.with_name(f".{folder.name}.previous")


@contextlib.contextmanager
def fresh(folder):
    """Gives a new folder beside `folder` to fill, and puts it in its place at the end.

    When the block raises, `folder` stays as it was and the new one is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    new = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.new")
    try:
        new.mkdir()
        yield new
        sync(new)
        replace(folder, new)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _sweep(folder):
    """Removes what a killed process left; a running one may be at work until then."""
    for path in folder.parent.iterdir():
        name = path.name
        if name.startswith(f".{folder.name}.") and name.endswith(".new"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _FORGOTTEN:
                    shutil.rmtree(path)


def sync(folder):
    """Flushes files and folders, so that a power cut cannot leave empty ones."""
    for path in [*folder.rglob("*"), folder]:
        if path.is_dir() and os.name == "nt":
            continue  # Windows cannot open a folder
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace(folder, new):
    """Puts `new` in place of `folder`, which stays until the new one is there."""
    old = previous(folder)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
