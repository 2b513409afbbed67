"""A preset: one folder with everything a trained model is, as plain data.

`config.json` (class by name, options, versions, list of weights), `model.weights.h5`,
`assets/*.txt`, `README.md` (the card), `examples.json` and `SHA256SUMS` over all of
them. Nothing in the folder can run: classes come from a table that `loadable` fills,
options are plain JSON, weights are arrays. Keras' own `load_model` is never used.
"""

import contextlib
import os
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import zoo
from zoo import folders, integrity
from zoo.cards import Card
from zoo.classes import class_name, find_class, loadable
from zoo.errors import PresetError, shown
from zoo.plain_json import check_options, dump_json, parse_json

__all__ = ["Preset", "PresetError", "loadable", "read_preset", "write_preset"]

FORMAT = 1
_CONFIG_KEYS = {"format", "class", "options", "versions", "weights"}
# Integers up to here are allowed in the options even of a tiny model.
_SMALL = 2**20


@dataclass(frozen=True)
class Preset:
    """The checked content of a preset folder.

    Attributes:
        folder: Path of the folder.
        config: dict, all of `config.json`.
        cls: The class that `config.json` names.
        options: dict of plain JSON values, for the class.
        assets: dict from file name (`"words.txt"`) to text.
        card: str, the text of `README.md`.
        examples: list, of `examples.json`.
    """

    folder: Path
    config: dict
    cls: type
    options: dict
    assets: dict
    card: str
    examples: list

    def load_weights(self, model, skip=(), allow_nonfinite=False):
        """Reads the weights into a model built with the same options.

        All variables are checked before the first one changes.

        Args:
            model: A built `keras.Model`.
            skip: Names of layers to leave as they are, such as a new head.
            allow_nonfinite: Accept NaN and infinity.

        Returns:
            Paths of the variables left as they were.

        Raises:
            PresetError: When the file was changed or does not fit the model.
        """
        from zoo import hdf5, weights  # late: listing models starts without h5py

        with _about(self.folder):
            # Checked again: what is parsed below is what has been summed here.
            sums = integrity.read_sums(self.folder)
            data = integrity.read_file(self.folder, integrity.WEIGHTS, sums)
            entries = self.config["weights"]
            arrays = hdf5.read_weights(data, entries, allow_nonfinite)
            return weights.assign_weights(model, arrays, skip)


def read_preset(folder):
    """Checks a preset folder and reads all of it but the weights.

    Args:
        folder: Path of the folder.

    Returns:
        A `Preset`.

    Raises:
        PresetError: For whatever is wrong with it, in one sentence.
    """
    folder = Path(os.path.realpath(folder))
    with _about(folder):
        sums = integrity.read_sums(folder)
        integrity.check_file(folder, integrity.WEIGHTS, sums)
        data = {
            name: integrity.read_file(folder, name, sums)
            for name in sums
            if name != integrity.WEIGHTS
        }
        config = _parse_config(data[integrity.CONFIG])
        examples = parse_json(data[integrity.EXAMPLES], integrity.EXAMPLES)
        if type(examples) is not list:
            raise PresetError(f"{integrity.EXAMPLES} must hold a list.")
        return Preset(
            folder=folder,
            config=config,
            cls=find_class(config["class"]),
            options=config["options"],
            assets={
                name.removeprefix("assets/"): _text(content, name)
                for name, content in data.items()
                if integrity.is_asset(name)
            },
            card=_text(data[integrity.CARD], integrity.CARD),
            examples=examples,
        )


def write_preset(folder, *, cls, options, assets, model, card, examples, float16=False):
    """Writes a preset folder, complete or not at all.

    A new folder is written beside the old one, read back, and put in its place.

    Args:
        folder: Where; an existing folder must be empty or a preset.
        cls: The `loadable` class that will read it.
        options: dict of plain JSON values, with names like `units`.
        assets: dict from file name (`"words.txt"`) to text.
        model: A built functional `keras.Model`.
        card: str, the model card.
        examples: list of plain JSON values.
        float16: Store floating-point weights in half precision.

    Returns:
        The folder's path.

    Raises:
        PresetError: When something cannot be saved or the folder holds other files.
    """
    folder = Path(os.path.realpath(folder))
    with _about(folder):
        name = class_name(cls)
        files = _plain_files(assets, card, examples)
        _check_target(folder)
        with folders.fresh(folder) as fresh:
            _fill(fresh, files, name, options, model, float16)
            read_preset(fresh)
    return folder


def _text(data, name):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise PresetError(f"{name} is not UTF-8 text: {error}.") from error


def _parse_config(data):
    from zoo.hdf5 import check_entries

    config = parse_json(data, integrity.CONFIG)
    if type(config) is not dict or type(config.get("format")) is not int:
        raise PresetError(f"{integrity.CONFIG} is no preset's config.")
    if config["format"] != FORMAT:
        raise PresetError(
            f"it has format {shown(config['format'])}, this version reads {FORMAT}: "
            "upgrade recurrent-zoo."
        )
    if set(config) != _CONFIG_KEYS:
        keys = sorted(_CONFIG_KEYS)
        raise PresetError(f"{integrity.CONFIG} must have the keys {', '.join(keys)}.")
    if type(config["versions"]) is not dict:
        raise PresetError(f"`versions` must be an object in {integrity.CONFIG}.")
    total = check_entries(config["weights"])
    check_options(config["options"], max(total, _SMALL))
    return config


def _plain_files(assets, card, examples):
    files = {integrity.CARD: str(Card(card))}
    files |= {f"assets/{name}": text for name, text in assets.items()}
    for name, text in files.items():
        if name != integrity.CARD and not integrity.is_asset(name):
            raise PresetError(
                f"{shown(name)} cannot be an asset; names are like `words.txt`."
            )
        try:
            files[name] = text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise PresetError(f"{name} is not UTF-8 text: {error}.") from error
    files[integrity.EXAMPLES] = dump_json(examples, integrity.EXAMPLES)
    return files


def _fill(folder, files, class_, options, model, float16):
    from zoo import weights

    (folder / "assets").mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if not any(integrity.is_asset(name) for name in files):
        (folder / "assets").rmdir()
    config = {
        "format": FORMAT,
        "class": class_,
        "options": options,
        "versions": {
            "recurrent-zoo": zoo.__version__,
            "keras": metadata.version("keras"),
        },
        "weights": weights.save_weights(model, folder / integrity.WEIGHTS, float16),
    }
    data = dump_json(config, integrity.CONFIG)
    _parse_config(data)  # refuses now what would be refused on loading
    (folder / integrity.CONFIG).write_bytes(data)
    integrity.write_sums(folder)


def _check_target(folder):
    if not folder.exists():
        return
    if not folder.is_dir():
        raise PresetError(f"{folder} is a file; give the name of a folder.")
    if not any(folder.iterdir()):
        return
    # Raises for every file that is no part of a preset, so none is ever lost.
    if integrity.SUMS not in integrity.list_files(folder):
        raise PresetError(f"{folder} holds files but no preset; choose a new folder.")


@contextlib.contextmanager
def _about(folder):
    """Makes every failure a `PresetError` that begins with the folder."""
    try:
        yield
    except PresetError as error:
        if str(folder) in str(error):
            raise
        raise PresetError(f"{folder}: {error}") from error
    except OSError as error:
        raise PresetError(f"{folder}: {error}.") from error
