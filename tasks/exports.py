"""Models as files that others serve, without this package."""

from pathlib import Path

import keras


def export_model(model, folder, texts):
    """Writes a model as a TensorFlow SavedModel, and texts beside it.

    Args:
        model: `keras.Model`; its inputs become those of the signature `serve`.
        folder: Where; must not exist yet.
        texts: Dict from file name to content, for the folder `assets.zoo`.

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
    model.export(folder, format="tf_saved_model", verbose=False)
    extra = folder / "assets.zoo"
    extra.mkdir()
    for name, text in texts.items():
        (extra / name).write_text(text, "utf-8")
