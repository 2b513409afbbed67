"""A short text that tells data from other data, so that searches are not mixed up."""

import hashlib
import os
from pathlib import Path

import numpy as np

_BLOCK = 1 << 20


def fingerprint(thing):
    """Hexadecimal digits that are the same for the same data, in any process.

    Args:
        thing: A path, whose file is read; arrays, lists, dicts and plain values of any
            depth; data frames; objects that hold such things. What can be read only
            once, such as a `tf.data.Dataset`, goes by its type.
    """
    digest = hashlib.sha256()
    _feed(digest, thing)
    return digest.hexdigest()[:16]


def _feed(digest, thing):
    digest.update(type(thing).__name__.encode() + b"\0")
    if thing is None or isinstance(thing, bool | int | float | complex):
        digest.update(repr(thing).encode())
    elif isinstance(thing, bytes):
        digest.update(thing)
    elif isinstance(thing, os.PathLike) or _names_file(thing):
        _feed_file(digest, Path(thing))
    elif isinstance(thing, str):
        digest.update(thing.encode("utf-8", "surrogatepass"))
    elif isinstance(thing, dict):
        for key, value in thing.items():
            _feed(digest, key)
            _feed(digest, value)
    elif isinstance(thing, list | tuple):
        digest.update(str(len(thing)).encode())
        for item in thing:
            _feed(digest, item)
    elif hasattr(thing, "__array__"):
        _feed_array(digest, np.asarray(thing))
    elif hasattr(thing, "columns") and hasattr(thing, "to_numpy"):
        _feed(digest, [str(c) for c in thing.columns])
        _feed_array(digest, np.asarray(thing.to_numpy()))
    elif hasattr(thing, "__dict__") and not hasattr(thing, "__iter__"):
        _feed(digest, vars(thing))
    elif hasattr(thing, "__dataclass_fields__"):
        _feed(digest, vars(thing))


def _names_file(thing):
    return isinstance(thing, str) and len(thing) < 4096 and os.path.isfile(thing)


def _feed_file(digest, path):
    if not path.is_file():
        digest.update(path.name.encode())
        return
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)


def _feed_array(digest, array):
    digest.update(f"{array.shape}{array.dtype}".encode())
    if array.dtype.hasobject:
        for item in array.ravel().tolist():
            digest.update(f"{item!r}\0".encode("utf-8", "surrogatepass"))
    else:
        digest.update(np.ascontiguousarray(array).tobytes())
