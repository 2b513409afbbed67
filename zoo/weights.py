"""Weights of a preset: written in Keras' own HDF5 layout, read by our own rules.

Keras' layout follows the order of layers, so two models with layers of equal shape
swap weights silently. The config therefore lists every variable by its path, with its
shape and its place in the file; reading goes by that list, in memory, and nothing in
the file is followed elsewhere.
"""

import re

import h5py
import numpy as np

from zoo.errors import PresetError, shown
from zoo.hdf5 import read_weights


def save_weights(model, path, float16=False):
    """Writes the weights of a functional model; `model.load_weights` reads them too.

    Args:
        model: A built functional `keras.Model`; its optimizer is not written.
        path: The `.weights.h5` file to make.
        float16: Store floating-point weights in half precision.

    Returns:
        The entries for the config: `{"path", "shape", "dataset"}` per variable.

    Raises:
        PresetError: For weights that are not finite, do not fit float16, or share a
            path.
    """
    import keras

    if not getattr(model, "inputs", None):
        raise PresetError(f"a functional keras.Model is needed; got {shown(model)}.")
    # The same layers without optimizer and metrics, which Keras would save as well.
    plain = keras.Model(model.inputs, model.outputs, name="model")
    raw = path.with_name("keras.weights.h5")
    plain.save_weights(raw)
    values = {}
    for variable in model.weights:
        if variable.path in values:
            raise PresetError(
                f"two variables are called {variable.path}; give every layer a name."
            )
        values[variable.path] = keras.ops.convert_to_numpy(variable)
    with h5py.File(raw, "r") as source, h5py.File(path, "w") as target:
        places = _places(values, source)
        arrays = {place: values[name] for name, place in places.items()}
        _copy(source, target, arrays, float16)
    raw.unlink()
    entries = [
        {"path": name, "shape": list(value.shape), "dataset": places[name]}
        for name, value in values.items()
    ]
    _check_written(path, entries, values, float16)
    return entries


def _places(values, file):
    """Finds each variable's dataset by content; equal content makes them equal."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found.setdefault((item.shape, item[()].tobytes()), []).append(name)

    file.visititems(note)
    places = {}
    for path, value in values.items():
        names = found.get((value.shape, value.tobytes()))
        if not names:
            raise PresetError(f"{path} is saved by its layer in a way of its own.")
        places[path] = names.pop(0)
    if any(found.values()):
        extra = next(names[0] for names in found.values() if names)
        raise PresetError(f"Keras saves {extra}, which is no weight of the model.")
    return places


def _copy(source, target, arrays, float16):
    """Copies Keras' groups, with `arrays` as their datasets."""

    def copy(name, item):
        if isinstance(item, h5py.Group):
            group = target.require_group(name)
            for key, value in item.attrs.items():
                group.attrs[key] = value
            return
        value = arrays[name]
        kind = value.dtype.kind
        if kind == "V" or (float16 and kind == "f"):  # V: bfloat16, unknown to HDF5
            with np.errstate(over="ignore"):  # infinities are refused by the check
                value = value.astype(np.float16 if float16 else np.float32)
        target.create_dataset(name, data=value)

    source.visititems(copy)


def _check_written(path, entries, values, float16):
    limit = " in float16" if float16 else ""
    arrays = read_weights(path.read_bytes(), entries, allow_nonfinite=True)
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise PresetError(f"{name} is not finite{limit}; it was not saved.")
        expected = values[name].astype(array.dtype)
        if not np.array_equal(array, expected):
            raise PresetError(f"{name} did not read back as it was written.")


def assign_weights(model, arrays, skip=()):
    """Gives a model's variables the values read, all or none of them.

    Args:
        model: A built `keras.Model`.
        arrays: `{path: array}` of `read_weights`.
        skip: Names of layers whose variables stay as they are, for example a new head.

    Returns:
        Paths of the variables that were left alone.

    Raises:
        PresetError: Naming the first variable that is missing, extra, or of another
            shape or kind.
    """
    skip = {skip} if isinstance(skip, str) else set(skip)
    variables = [v for v in model.weights if not skip & set(v.path.split("/"))]
    left = [v.path for v in model.weights if skip & set(v.path.split("/"))]
    arrays = {k: v for k, v in arrays.items() if not skip & set(k.split("/"))}
    arrays = _in_order([variable.path for variable in variables], arrays)
    for variable, array in zip(variables, arrays, strict=True):
        _check_fit(variable, array)
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    return left


def _in_order(paths, arrays):
    """Arrays in the order of `paths`, which must be the same set of names."""
    if len(set(paths)) < len(paths):
        raise PresetError("two variables of the model share a path; name its layers.")
    if set(paths) == set(arrays):
        return [arrays[path] for path in paths]
    # Layers that Keras named itself count on through a program: dense, dense_1, ...
    wanted = _without_counters(paths)
    given = dict(zip(_without_counters(arrays), arrays.values(), strict=True))
    if set(wanted) == set(given) and len(given) == len(arrays):
        return [given[path] for path in wanted]
    first = next(
        path for path in [*paths, *arrays] if path not in arrays or path not in paths
    )
    side = "model" if first in paths else "preset"
    raise PresetError(
        f"only the {side} has a variable {shown(first)}; both must be built alike."
    )


def _check_fit(variable, array):
    path = variable.path
    if tuple(variable.shape) != array.shape:
        raise PresetError(
            f"{path} has shape {list(array.shape)} in the preset, "
            f"{list(variable.shape)} in the model."
        )
    kind = {"f": "float", "b": "bool"}.get(array.dtype.kind, "int")
    if kind not in str(variable.dtype):
        raise PresetError(
            f"{path} is {array.dtype} in the preset, {variable.dtype} in the model."
        )


def _without_counters(paths):
    """Numbers layers of one parent and one base name by their order in the model."""
    children = {}
    result = []
    for path in paths:
        parent = ()
        *layers, variable = path.split("/")
        for name in layers:
            known = children.setdefault(parent, {})
            if name not in known:
                base = re.sub(r"_\d+$", "", name)
                number = sum(1 for other, _ in known.values() if other == base)
                known[name] = (base, number)
            base, number = known[name]
            parent = (*parent, f"{base}#{number}")
        result.append("/".join((*parent, variable)))
    return result
