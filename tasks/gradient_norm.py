"""The norm of all gradients together, as an optimizer meets it before it clips."""

import keras
from keras import ops

NAME = "gradient_norm"


def watch_gradients(optimizer):
    """Lets an optimizer note the norm of the gradients of its last update.

    Args:
        optimizer: Keras optimizer that has not been used yet.

    Returns:
        A scalar variable, float32: the norm over all variables before clipping, of the
        sum over all devices. It is one of the optimizer's variables, so JAX carries it
        from step to step; checkpoints leave it out.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    with keras.name_scope(inner.name):
        # The sum is the same on all devices.
        norm = inner.add_variable((), "zeros", "float32", "only_first_replica", NAME)
    clip = inner._clip_gradients

    def clip_and_note(gradients):
        squares = [
            ops.sum(ops.square(ops.cast(g, "float32")))
            for g in map(_dense, gradients)
            if g is not None
        ]
        norm.assign(ops.sqrt(sum(squares)))
        return clip(gradients)

    inner._clip_gradients = clip_and_note
    return norm


def is_noted_norm(variable):
    """Whether a variable of an optimizer is what `watch_gradients` made."""
    return variable.name == NAME


def _dense(gradient):
    # TensorFlow leaves an embedding's gradient as a row for each token.
    return gradient if gradient is None else ops.convert_to_tensor(gradient)
