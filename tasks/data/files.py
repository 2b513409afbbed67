"""Files in every form in which they may come: paths, bytes, archives, texts."""

import base64
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

_IN_TEXT = ("data:image/", "data:audio/")


class PackedFile(NamedTuple):
    """A file inside of an archive that is not compressed, such as a tar file.

    Attributes:
        archive: Path of the archive.
        name: The file's name in it.
        start, size: Where its bytes are.
    """

    archive: str
    name: str
    start: int
    size: int

    def __str__(self):
        return f"{self.archive}:{self.name}"


def is_in_text(thing):
    """Whether it is a text `data:image/...;base64,...`, or one of audio."""
    return isinstance(thing, str) and thing.startswith(_IN_TEXT)


def file_bytes(thing):
    """The bytes of a file, of a part of one, or these bytes; `None` for others."""
    if isinstance(thing, (bytes, bytearray)):
        return bytes(thing)
    if is_in_text(thing):
        return base64.b64decode(thing.partition(",")[2], validate=True)
    if isinstance(thing, PackedFile):
        with open(thing.archive, "rb") as file:
            file.seek(thing.start)
            return file.read(thing.size)
    if isinstance(thing, (str, os.PathLike)):
        return Path(thing).read_bytes()
    return None


def content_digest(thing):
    """Checksum of the content of a file or an array, as bytes.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    data = file_bytes(thing)
    if data is None:
        array = np.ascontiguousarray(thing)
        data = f"{array.shape}{array.dtype}".encode() + array.tobytes()
    return hashlib.sha256(data).digest()


def thing_name(thing, kind):
    """What to call a file or an array in messages and results.

    Args:
        thing: See `file_bytes`; or an array, or an object with a `filename`.
        kind: What it is, such as `"picture"`.
    """
    if is_in_text(thing):
        return f"<{kind} in a text of {len(thing)} characters>"
    if isinstance(thing, (str, os.PathLike)):
        return os.fspath(thing)
    if isinstance(thing, PackedFile):
        return str(thing)
    if isinstance(thing, (bytes, bytearray)):
        return f"<{len(thing)} bytes>"
    name = getattr(thing, "filename", None)  # of a PIL image
    if isinstance(name, str) and name:
        return name
    shape = getattr(thing, "shape", None)
    return f"<{type(thing).__name__}{'' if shape is None else f' {tuple(shape)}'}>"
