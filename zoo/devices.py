"""Which kind of device the backend computes on."""

import contextlib

import keras

from zoo.lazy import Lazy, tf

jax = Lazy("jax", "pip install jax")
torch = Lazy("torch", "pip install torch")

_compiled_for = []


@contextlib.contextmanager
def compiling_for(kind):
    """What is traced within this context is for a device of this kind, wherever made.

    A TPU's compiler runs on machines without one.
    """
    _compiled_for.append(kind)
    try:
        yield
    finally:
        _compiled_for.pop()


def kind():
    """The kind of device that computes by default: `"cpu"`, `"gpu"` or `"tpu"`."""
    if _compiled_for:
        return _compiled_for[-1]
    backend = keras.backend.backend()
    if backend == "jax":
        platform = jax.default_backend()
        return {"cuda": "gpu", "rocm": "gpu"}.get(platform, platform)
    if backend == "torch":
        return "gpu" if torch.cuda.is_available() else "cpu"
    if backend == "tensorflow":
        # Not the logical devices: to list them fixes them for good.
        for device in ("TPU", "GPU"):
            if tf.config.get_visible_devices(device):
                return device.lower()
    return "cpu"
