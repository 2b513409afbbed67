"""Reading a preset's weights file: every array by its listed name, in memory.

HDF5 can point into other files, alias, and claim arrays far larger than the file; a
preset needs none of that, so everything but plain, whole arrays is refused before the
first value is read.
"""

import io
import math

import h5py
import numpy as np

from zoo.errors import PresetError, shown

_MOST_OBJECTS = 20_000
_DEEPEST = 32
_ENTRY_KEYS = {"path", "shape", "dataset"}


def check_entries(entries):
    """Refuses a config's list of weights that is not well formed.

    Returns:
        The number of elements of all weights together.
    """
    if type(entries) is not list or len(entries) > _MOST_OBJECTS:
        raise PresetError(f"`weights` must be a list; got {shown(entries)}.")
    total, paths, datasets = 0, set(), set()
    for entry in entries:
        if type(entry) is not dict or set(entry) != _ENTRY_KEYS:
            raise PresetError(f"a weight is listed as {shown(entry)}.")
        shape = entry["shape"]
        if type(entry["path"]) is not str or type(entry["dataset"]) is not str:
            raise PresetError(f"a weight is listed as {shown(entry)}.")
        if type(shape) is not list or not all(
            type(size) is int and 0 <= size < 2**40 for size in shape
        ):
            raise PresetError(f"{shown(entry['path'])} has the shape {shown(shape)}.")
        paths.add(entry["path"])
        datasets.add(entry["dataset"])
        total += math.prod(shape)
    if len(paths) < len(entries) or len(datasets) < len(entries):
        raise PresetError("`weights` lists a variable or a dataset twice.")
    return total


def read_weights(data, entries, allow_nonfinite=False):
    """Reads the listed variables from the bytes of an HDF5 file.

    Args:
        data: The whole file as bytes.
        entries: The config's list of weights.
        allow_nonfinite: Accept NaN and infinity.

    Returns:
        `{path: array}` in the order of the list.

    Raises:
        PresetError: For links, virtual, external, compressed or oversized datasets,
            missing or unlisted ones, other shapes, and values that are not finite.
    """
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            datasets = _scan(file, len(data))
            arrays = _read(datasets, entries)
    except PresetError:
        raise
    except Exception as error:  # HDF5 raises many types on a damaged file
        raise PresetError(f"the weights file is no HDF5 file: {error}.") from error
    for path, array in arrays.items():
        if (
            not allow_nonfinite
            and array.dtype.kind == "f"
            and not np.isfinite(array).all()
        ):
            raise PresetError(
                f"the weight {path} holds NaN or infinity; `allow_nonfinite=True` of "
                "Preset.load_weights reads it all the same."
            )
    return arrays


def _read(datasets, entries):
    arrays = {}
    for entry in entries:
        dataset = datasets.pop(entry["dataset"], None)
        if dataset is None:
            raise PresetError(f"the weights file lacks {shown(entry['dataset'])}.")
        if list(dataset.shape) != entry["shape"]:
            raise PresetError(
                f"the weight {shown(entry['path'])} has shape {list(dataset.shape)} in "
                f"the file, {entry['shape']} in the config."
            )
        arrays[entry["path"]] = dataset[()]
    if datasets:
        raise PresetError(
            f"the weights file holds {shown(min(datasets))}, which the config does not "
            "list."
        )
    return arrays


def _scan(file, size):
    """Every dataset by name; refuses what could point, alias or expand."""
    datasets, seen, total = {}, set(), 0
    pending = [("", file, 0)]
    while pending:
        prefix, group, depth = pending.pop()
        for key in group:
            name = f"{prefix}{key}"
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise PresetError(f"{shown(name)} in the weights file is a link.")
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen or len(seen) > _MOST_OBJECTS or depth > _DEEPEST:
                raise PresetError(f"{shown(name)} in the weights file comes twice.")
            seen.add(address)
            if isinstance(item, h5py.Group):
                pending.append((f"{name}/", item, depth + 1))
                continue
            total += _check_dataset(name, item)
            if total > size:
                raise PresetError("the weights file claims more than its own size.")
            datasets[name] = item
    return datasets


def _check_dataset(name, item):
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        raise PresetError(f"{shown(name)} in the weights file is no array of numbers.")
    if item.dtype.itemsize > 8 or item.ndim > 8:
        raise PresetError(f"{shown(name)} in the weights file is no usual array.")
    if item.is_virtual or item.external:
        raise PresetError(f"{shown(name)} keeps its data in another file.")
    layout = item.id.get_create_plist()
    stored = item.id.get_storage_size()
    # Computed by hand: h5py's own `nbytes` overflows on a shape bomb.
    needed = math.prod(item.shape or ()) * item.dtype.itemsize
    if layout.get_nfilters() or item.shape is None or stored != needed:
        raise PresetError(
            f"{shown(name)} of shape {shown(item.shape)} is not stored whole and "
            "uncompressed."
        )
    return stored
