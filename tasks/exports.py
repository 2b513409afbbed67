"""Models as files that others serve, without this package."""

from pathlib import Path

import keras

from zoo.lazy import tf


def export_model(model, folder, texts):
    """Writes a model as a TensorFlow SavedModel, and texts beside it.

    Args:
        model: `keras.Model`; its inputs become those of the signature `serve`.
        folder: Where; must not exist yet.
        texts: Dict from file name to content, for the folder `assets.zoo`.

    Raises:
        ValueError: If something is there already, or the backend is not TensorFlow.
    """
    folder = new_folder(folder)
    model.export(folder, format="tf_saved_model", verbose=False)
    extra = folder / "assets.zoo"
    extra.mkdir()
    for name, text in texts.items():
        (extra / name).write_text(text, "utf-8")


def export_graphs(graphs, folder, **held):
    """Writes functions of tensors as a TensorFlow SavedModel.

    Args:
        graphs: Dict from the name of a signature to a function and the list of
            `tf.TensorSpec`, with names, of what it takes. It returns a dict of tensors.
        folder: See `new_folder`.
        **held: What the functions read and is saved with them, such as `tf.Variable`s.
    """
    module = tf.Module()
    for name, thing in held.items():
        setattr(module, name, thing)
    signatures = {}
    for name, (function, takes) in graphs.items():
        graph = tf.function(function, input_signature=takes, autograph=False)
        setattr(module, function.__name__, graph)
        signatures[name] = graph
    tf.saved_model.save(module, str(new_folder(folder)), signatures=signatures)


def new_folder(folder):
    """The path of a folder that a SavedModel may be written to.

    Raises:
        ValueError: If something is there already, or the backend is not TensorFlow.
    """
    folder = Path(folder)
    if folder.exists():
        raise ValueError(f"{folder} exists already; give a new folder.")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "A SavedModel is written by TensorFlow. Save the model, set "
            "KERAS_BACKEND=tensorflow, load it, and export it there."
        )
    return folder
