"""A process that has run no test: it loads files as a user would."""

import json
import pathlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

_pool = None
_prepare = ()


def repeat(folder):
    """Loads the files of a folder in the fresh process, and runs what was saved.

    Args:
        folder: Holds `model.keras`, `model.json`, `model.weights.h5`, and the inputs
            `0.npy`, `1.npy` and so on.

    Returns:
        Outputs of the loaded model, and of a new one with loaded weights.
    """
    global _pool
    if _pool is None:
        # One process for all tests, as starting Keras takes seconds.
        function, *arguments = _prepare or (None,)
        context = get_context("spawn")
        _pool = ProcessPoolExecutor(1, context, function, tuple(arguments))
    return _pool.submit(_repeat, str(folder)).result(timeout=300)


def restart(*prepare):
    """Lets the process go; the next one first calls a function with arguments."""
    global _pool, _prepare
    if _pool is not None:
        _pool.shutdown()
    _pool, _prepare = None, prepare


def _repeat(folder):
    import keras

    import zoo.layers  # noqa: F401, which registers the layers

    folder = pathlib.Path(folder)
    inputs = [np.load(path) for path in sorted(folder.glob("*.npy"))]
    loaded = keras.saving.load_model(folder / "model.keras")
    rebuilt = keras.models.model_from_json((folder / "model.json").read_text())
    rebuilt.load_weights(folder / "model.weights.h5")
    return [_numbers(model(inputs)) for model in (loaded, rebuilt)]


def save(folder, model, inputs):
    """Writes what `repeat` reads."""
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    (folder / "model.json").write_text(json.dumps(json.loads(model.to_json())))
    for i, x in enumerate(inputs):
        np.save(folder / f"{i}.npy", x)


def _numbers(outputs):
    import keras

    return [keras.ops.convert_to_numpy(x) for x in keras.tree.flatten(outputs)]
