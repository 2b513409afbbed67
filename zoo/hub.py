"""From a name or a folder to a trained model."""

import difflib
import fnmatch
import os
import re
import shutil
from pathlib import Path

from zoo import cache, integrity
from zoo.cards import Card
from zoo.errors import PresetError, RunError, shown
from zoo.plain_json import parse_json
from zoo.preset import read_preset

PRESETS = Path(__file__).with_name("presets")
CATALOG = Path(__file__).with_name("catalog.json")

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def load(name_or_folder, **overrides):
    """Loads a trained model, ready to `predict`.

    Args:
        name_or_folder: A folder written by `task.save`, or a name of `list_models`.
            Larger models are downloaded once into `$ZOO_HOME`
            (`~/.cache/recurrent-zoo`); with `ZOO_OFFLINE=1` nothing is fetched.
        **overrides: Options of the model's class that replace the saved ones, such as
            `labels=["DRUG", "DOSE"]` for a new head on the trained encoder.

    Returns:
        The task, for example a `tasks.ner.NamedEntityTagger`.

    Raises:
        PresetError: When there is no such model or its files are not as they should
            be. Only plain data is read: no code comes from a folder.
        RunError: In a process that was forked after models had been made.

    Example:
        >>> zoo.load("ner_lstm_crf.wnut17_en").predict("Ada lived in London.")
    """
    folder = _find(name_or_folder)
    try:
        preset = read_preset(folder)
    except PresetError as error:
        raise _with_repair(error, folder) from error
    try:
        return preset.cls.from_preset(preset, **overrides)
    except PresetError as error:
        raise _with_repair(error, folder) from error
    except (ImportError, RunError):
        raise  # a package to install, a process that cannot: their messages say it
    except Exception as error:
        if overrides:
            raise  # the caller's own argument is the likelier cause
        raise PresetError(
            f"{folder}: {preset.config['class']} cannot be made from the options in "
            f"{integrity.CONFIG}: {error}"
        ) from error


def list_models(pattern="*", task=None):
    """Names of all pretrained models, shipped and downloadable.

    Args:
        pattern: Wildcards as in file names: `"ner*"`, `"*_en"`.
        task: Only models of this task, as their cards name it.

    Returns:
        A sorted list of str.
    """
    names = sorted(name for name in _names() if fnmatch.fnmatchcase(name, pattern))
    if task is not None:
        names = [name for name in names if card(name).data.get("task") == task]
    return names


def card(name_or_folder):
    """The model card: what it was trained on, how good it is, what it is for.

    Args:
        name_or_folder: As in `load`; nothing is downloaded.

    Returns:
        A `Card`: text that prints, with the facts in its dict `data`.

    Raises:
        PresetError: When there is no such model.
    """
    name = _as_text(name_or_folder)
    folder, entry = _place(name), _catalog().get(name)
    if folder is None or not folder.is_dir():
        if entry is None:
            raise _unknown(name)
        facts = {key: value for key, value in entry.items() if key != "sha256"}
        return Card.build(
            {"name": name, **facts},
            f"# {name}\n\nNot downloaded yet: `zoo.load({name!r})` fetches it.",
        )
    text = integrity.read_file(folder, integrity.CARD).decode("utf-8", "replace")
    return Card(text)


def download(name, repair=False, progress=True):
    """Makes a model's folder available offline.

    Args:
        name: A name of `list_models`.
        repair: Fetch it again when its files are damaged.
        progress: Show a progress bar on the terminal.

    Returns:
        The `Path` of its folder.

    Raises:
        PresetError: When it cannot be had, with the address and the folder to fill.
    """
    folder, entry = _place(name), _catalog().get(name)
    if folder is None:
        raise _unknown(name)
    if entry is None or folder.parent == PRESETS:
        return folder
    if folder.is_dir():
        if not repair or _intact(folder):
            return folder
        shutil.rmtree(folder)
    cache.fetch_preset(name, entry, folder, progress)
    return folder


def _find(name_or_folder):
    name = _as_text(name_or_folder)
    known = _NAME.fullmatch(name) and name in _names()
    if os.path.isdir(name) and not (
        known and not os.path.exists(os.path.join(name, integrity.CONFIG))
    ):
        return Path(name)
    return download(name)


def _as_text(name_or_folder):
    name = os.fsdecode(name_or_folder)
    return os.path.expanduser(name) if name.startswith("~") else name


def _place(name):
    """Where a known model lies, or will lie once it has been downloaded."""
    if not _NAME.fullmatch(name):
        return Path(name) if os.path.isdir(name) else None
    if os.path.isfile(PRESETS / name / integrity.CONFIG):
        return PRESETS / name
    entry = _catalog().get(name)
    # The sum is part of the name: a newer version never meets an older one's files.
    return cache.home() / f"{name}-{entry['sha256'][:12]}" if entry else None


def _names():
    shipped = (path.parent.name for path in PRESETS.glob(f"*/{integrity.CONFIG}"))
    return {*shipped, *_catalog()}


def _catalog():
    catalog = parse_json(CATALOG.read_bytes(), CATALOG.name)
    entries = catalog["presets"]
    for name, entry in entries.items():
        if (
            not _NAME.fullmatch(name)
            or not _SHA256.fullmatch(entry["sha256"])
            or not entry["url"].startswith(("https://", "http://"))
            or not entry["size"] > 0
        ):
            raise PresetError(f"{CATALOG.name} has a faulty entry {shown(name)}.")
    return entries


def _unknown(name):
    if os.sep in name or name.startswith((".", "~")):
        return PresetError(f"there is no folder {shown(name)}.")
    names = sorted(_names())
    near = difflib.get_close_matches(name[:200].lower(), names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return PresetError(
        f"there is no model or folder {shown(name)}: {hint}zoo.list_models() lists "
        f"all {len(names)}."
    )


def _intact(folder):
    try:
        read_preset(folder)
    except PresetError:
        return False
    return True


def _with_repair(error, folder):
    for name, entry in _catalog().items():
        if folder.name == f"{name}-{entry['sha256'][:12]}" and folder == _place(name):
            return PresetError(
                f"{error} zoo.hub.download({name!r}, repair=True) fetches it again."
            )
    return error
