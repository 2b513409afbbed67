"""Where downloaded presets lie, and how a new one gets there."""

import contextlib
import os
from pathlib import Path

from zoo import integrity, locks
from zoo.download import fetch_file
from zoo.errors import PresetError
from zoo.preset import read_preset


def home():
    """The folder of downloaded models: `$ZOO_HOME` or `~/.cache/recurrent-zoo`."""
    chosen = os.environ.get("ZOO_HOME")
    try:
        path = Path(chosen) if chosen else Path("~/.cache/recurrent-zoo")
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise PresetError("no home folder is known; set ZOO_HOME.") from error


def fetch_preset(name, entry, folder, progress=True):
    """Downloads one preset of the catalog into `folder`, once for all processes.

    Args:
        name: The model's name, for messages.
        entry: Its catalog entry: `url` of the folder that holds the files, `sha256` of
            its `SHA256SUMS`, `size` of all files together.
        folder: The `Path` to make.
        progress: Show a bar on the terminal.

    Raises:
        PresetError: When `ZOO_OFFLINE` is set, or the files cannot be had or stored.
    """
    if os.environ.get("ZOO_OFFLINE", "0") not in ("", "0"):
        raise PresetError(
            f"{name} is not in the cache and ZOO_OFFLINE is set; copy the files of "
            f"{entry['url']} into {folder}, or unset ZOO_OFFLINE."
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locks.wait_for(folder.with_name(f".{folder.name}.lock")):
            if not folder.is_dir():  # else another process was faster
                _fetch(name, entry, folder, progress)
    except OSError as error:
        raise PresetError(
            f"{name} cannot be stored in {folder}: {error}; set ZOO_HOME to a folder "
            "you can write to."
        ) from error


def _fetch(name, entry, folder, progress):
    """Downloads into a folder of its own, checks all of it, and renames it."""
    staging = folder.with_name(f".{folder.name}.part")
    staging.mkdir(exist_ok=True)
    base = entry["url"].rstrip("/")
    listed = staging / integrity.SUMS
    most = integrity.size_limit(integrity.SUMS)
    fetch_file(f"{base}/{integrity.SUMS}", listed, entry["sha256"], most)
    sums = integrity.parse_sums(listed.read_bytes(), listed)
    left = entry["size"]
    with _bar(name, left, progress) as advance:
        for file, sha256 in sums.items():
            target = staging / file
            target.parent.mkdir(exist_ok=True)
            most = min(left, integrity.size_limit(file))
            fetch_file(f"{base}/{file}", target, sha256, most, advance)
            left -= target.stat().st_size
    read_preset(staging)
    staging.rename(folder)


@contextlib.contextmanager
def _bar(name, size, progress):
    """Gives the function that moves a progress bar on the terminal or in a notebook."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    silent = not progress or not (console.is_terminal or console.is_jupyter)
    columns = ("{task.description}", BarColumn(), DownloadColumn())
    with Progress(
        *columns, TimeRemainingColumn(), console=console, disable=silent
    ) as bar:
        task = bar.add_task(name, total=size)
        yield lambda count: bar.advance(task, count)
