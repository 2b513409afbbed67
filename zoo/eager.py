"""What layers are given: masks of any kind, and numbers that can be looked at."""

import keras
import numpy as np
from keras import ops

from zoo import devices
from zoo.devices import torch
from zoo.lazy import jax, tf


def values_of(tensor):
    """A tensor's numbers if they can be looked at without delay, or `None`.

    They cannot in code that is being compiled, and on a GPU or TPU to look at them
    would mean to wait for them.

    Args:
        tensor: Tensor, array or `keras.KerasTensor`.

    Returns:
        NumPy array, or `None`.
    """
    if isinstance(tensor, np.ndarray):
        return tensor
    if isinstance(tensor, keras.KerasTensor) or devices.kind() != "cpu":
        return None
    return ops.convert_to_numpy(tensor) if _is_there(tensor) else None


def _is_there(tensor):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return tf.executing_eagerly() and hasattr(tensor, "numpy")
    if backend == "jax":
        return not isinstance(tensor, jax.core.Tracer)
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    return not torch.compiler.is_compiling() and not wrapped(tensor)


def check_finite(who, name, tensor, mask=None):
    """Refuses numbers that are NaN or infinite, where they can be looked at.

    Args:
        who: Beginning of the message: what was called.
        name: Name of the argument.
        tensor: Tensor of any shape.
        mask: Boolean tensor over its first dimensions, false for what is never read.

    Raises:
        ValueError: If there are such numbers; it says where the first one is.
    """
    values = values_of(tensor)
    if values is None:
        return
    wrong = ~np.isfinite(values)
    if not wrong.any():
        return
    if mask is not None:
        valid = values_of(mask)
        if valid is None:
            return
        more = (1,) * (wrong.ndim - valid.ndim)
        wrong &= valid.astype(bool).reshape(valid.shape + more)
        if not wrong.any():
            return
    place = tuple(int(i) for i in np.argwhere(wrong)[0])
    raise ValueError(
        f"{who} takes finite numbers as `{name}`. Received: {values[place]} at "
        f"{list(place)}, {int(wrong.sum())} such of {wrong.size} in all. Replace them, "
        "or mask steps that are missing."
    )


def mask_tensor(mask):
    """A mask as a boolean tensor, whether it came as one, an array or a list."""
    if mask is None:
        return None
    return ops.cast(ops.convert_to_tensor(mask), "bool")
