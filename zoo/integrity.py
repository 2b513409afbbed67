"""What may lie in a preset folder, and reading it only as its checksums say.

Everything is refused before it is read: links, devices and pipes by their kind, large
files by their size, names by a fixed pattern. Bytes are used only after their sha256
has matched `SHA256SUMS`.
"""

import hashlib
import os
import re
import stat
from pathlib import Path

from zoo import folders
from zoo.errors import PresetError, shown

SUMS = "SHA256SUMS"
CONFIG = "config.json"
WEIGHTS = "model.weights.h5"
CARD = "README.md"
EXAMPLES = "examples.json"
REQUIRED = (CONFIG, WEIGHTS, CARD, EXAMPLES)

_MB = 2**20
_LIMITS = {
    CONFIG: _MB,
    CARD: _MB,
    EXAMPLES: 8 * _MB,
    SUMS: _MB // 8,
    WEIGHTS: 4096 * _MB,
}
_ASSET_LIMIT = 32 * _MB
_MOST_ENTRIES = 256
_ASSET = re.compile(r"assets/[a-z0-9][a-z0-9_.-]{0,99}\.txt")
_SUM_LINE = re.compile(r"([0-9a-f]{64})  (\S{1,120})")
# O_NOFOLLOW: no link; O_NONBLOCK: a pipe put there meanwhile cannot hang us.
_OPEN = os.O_RDONLY | sum(
    getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")
)
_SHIPPED = Path(__file__).resolve().with_name("presets")


def is_asset(name):
    """Whether `name` is one of the flat text files below `assets/`."""
    return _ASSET.fullmatch(name) is not None


def size_limit(name):
    """The most bytes a file of this name may have."""
    return _LIMITS.get(name, _ASSET_LIMIT)


def list_files(folder):
    """Names of the files in a preset folder, `assets/x.txt` for those below.

    Raises:
        PresetError: For links, devices, pipes, foreign names and too large files.
    """
    names = []
    for where, prefix in ((folder, ""), (folder / "assets", "assets/")):
        if prefix and not where.is_dir():
            break
        with os.scandir(where) as entries:
            for entry in entries:
                name = prefix + entry.name
                if name == "assets" and entry.is_dir(follow_symlinks=False):
                    continue
                _check_entry(folder, name, entry.stat(follow_symlinks=False))
                names.append(name)
                if len(names) > _MOST_ENTRIES:
                    raise PresetError(f"{folder} holds too many files for a preset.")
    return sorted(names)


def _check_entry(folder, name, status):
    if name not in (*REQUIRED, SUMS) and not is_asset(name):
        raise PresetError(
            f"{folder} holds {shown(name)}, which is no part of a preset; it has "
            f"{', '.join(REQUIRED)}, {SUMS} and assets/*.txt: remove it."
        )
    if not stat.S_ISREG(status.st_mode):
        raise PresetError(
            f"{folder}/{name} is a link, folder or device; only plain files are read."
        )
    # Installers (uv, conda) hard-link what they install, so our own may be links.
    if status.st_nlink > 1 and folder.parent != _SHIPPED:
        raise PresetError(
            f"{folder}/{name} is a hard link shared with another place: copy it."
        )
    if status.st_size > size_limit(name):
        raise PresetError(
            f"{folder}/{name} has {status.st_size} bytes; at most "
            f"{size_limit(name)} are read."
        )


def open_file(folder, name):
    """Opens one plain file of a preset for reading bytes, never a link or a pipe."""
    try:
        descriptor = os.open(folder / name, _OPEN)
    except OSError as error:
        reason = error.strerror or error
        raise PresetError(f"{folder}/{name} cannot be read: {reason}.") from error
    file = os.fdopen(descriptor, "rb")
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > size_limit(name):
        file.close()
        raise PresetError(f"{folder}/{name} is not a plain file of a sensible size.")
    return file


def read_file(folder, name, sums=None):
    """Bytes of one file, checked against `sums` when given.

    Raises:
        PresetError: When it cannot be read or its sha256 is another one.
    """
    with open_file(folder, name) as file:
        data = file.read(size_limit(name) + 1)
    if sums is not None:
        _compare(folder, name, hashlib.sha256(data).hexdigest(), sums)
    return data


def check_file(folder, name, sums):
    """Compares one file with its sum without keeping it in memory."""
    with open_file(folder, name) as file:
        _compare(folder, name, hashlib.file_digest(file, "sha256").hexdigest(), sums)


def _compare(folder, name, got, sums):
    if got != sums[name]:
        raise PresetError(
            f"{folder}/{name} is damaged or was changed: its sha256 is {got}, "
            f"{SUMS} says {sums[name]}; restore the file or save the preset again."
        )


def parse_sums(data, where):
    """Reads the lines of a `SHA256SUMS` file into `{name: sha256}`.

    Raises:
        PresetError: For foreign, climbing or repeated names and missing files.
    """
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise PresetError(f"{where} is not plain text.") from error
    if lines.pop():
        raise PresetError(f"{where} is cut off: its last line has no end.")
    sums = {}
    for number, line in enumerate(lines, 1):
        match = _SUM_LINE.fullmatch(line)
        if not match:
            raise PresetError(
                f"{where} line {number} is {shown(line)}; expected a sha256 in "
                "hexadecimal, two spaces and a name."
            )
        digest, name = match.groups()
        if name not in REQUIRED and not is_asset(name):
            raise PresetError(
                f"{where} line {number} names {shown(name)}, no preset file."
            )
        if name in sums:
            raise PresetError(f"{where} names {name} twice.")
        sums[name] = digest
    missing = [name for name in REQUIRED if name not in sums]
    if missing:
        raise PresetError(f"{where} lacks {', '.join(missing)}.")
    return sums


def read_sums(folder):
    """`{name: sha256}` of a folder that holds exactly those plain files.

    Raises:
        PresetError: When the folder is no preset, or has more or fewer files.
    """
    if not folder.is_dir():
        raise PresetError(f"{folder} is not a folder{_previous(folder)}.")
    try:
        found = list_files(folder)
    except OSError as error:
        raise PresetError(f"{folder} cannot be read: {error.strerror}.") from error
    if SUMS not in found:
        raise PresetError(f"{folder} is not a preset: it has no {SUMS}.")
    sums = parse_sums(read_file(folder, SUMS), folder / SUMS)
    for name in found:
        if name != SUMS and name not in sums:
            raise PresetError(f"{folder}/{name} is not listed in {SUMS}: remove it.")
    for name in sums:
        if name not in found:
            raise PresetError(f"{folder}/{name} is missing.")
    return sums


def _previous(folder):
    waiting = folders.previous(folder)
    if not waiting.is_dir():
        return ""
    return f"; an interrupted save left the version before at {waiting}: rename it"


def write_sums(folder):
    """Writes `SHA256SUMS` over every file of a folder, in `sha256sum`'s format."""
    lines = []
    for name in list_files(folder):
        with open_file(folder, name) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {name}\n")
    (folder / SUMS).write_bytes("".join(lines).encode())
