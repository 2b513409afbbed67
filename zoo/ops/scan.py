"""Loops over time, and gradients written by hand around them."""

import keras
from keras import ops

from zoo.lazy import tf


def time_scan(step, state, inputs, outputs, reverse=False):
    """Runs `step` along the leading (time) axis, forward only.

    No gradient flows through this loop: it is meant for use inside of
    `custom_gradient`, with the adjoint as a second, reversed scan. That keeps it
    compilable by XLA on every backend, which loops under automatic
    differentiation are not on TensorFlow.

    Args:
        step: Function `(state, inputs) -> (state, outputs)` for one time step.
        state: Tuple of tensors carried from step to step.
        inputs: Tuple of tensors `(time, ...)` or `None`; `step` gets the slice of
            each at its time, `None` for `None`. At least one is a tensor.
        outputs: Tuple of `(shape, dtype)`, the shape and dtype of each output of
            one step. Entries of a shape may be scalar tensors.
        reverse: Whether to run from the last step to the first. Outputs keep the
            time order of the inputs either way.

    Returns:
        The final state, and a tuple of outputs `(time, ...)`.
    """
    length = ops.shape(next(x for x in inputs if x is not None))[0]
    if keras.backend.backend() == "tensorflow":
        return _tensorflow_scan(step, tuple(state), inputs, outputs, length, reverse)
    buffers = tuple(ops.zeros((length, *shape), dtype) for shape, dtype in outputs)

    def body(i, state, buffers):
        t = length - 1 - i if reverse else i
        state, emitted = step(state, tuple(_at(x, t) for x in inputs))
        buffers = tuple(
            ops.slice_update(b, _start(t, b), ops.expand_dims(e, 0))
            for b, e in zip(buffers, emitted, strict=True)
        )
        return i + 1, state, buffers

    start = ops.convert_to_tensor(0, "int32")
    _, state, buffers = ops.while_loop(
        lambda i, *_: i < length,
        body,
        (start, tuple(state), buffers),
        maximum_iterations=length,
    )
    return state, buffers


def _tensorflow_scan(step, state, inputs, outputs, length, reverse):
    """The same with TensorArrays.

    Outside of XLA, every `slice_update` of TensorFlow copies its whole buffer.
    """

    def static(shape):
        return [d if isinstance(d, int) else None for d in shape]

    arrays = tuple(
        tf.TensorArray(dtype, length, element_shape=static(shape))
        for shape, dtype in outputs
    )

    def body(i, state, arrays):
        t = length - 1 - i if reverse else i
        state, emitted = step(state, tuple(x if x is None else x[t] for x in inputs))
        arrays = tuple(a.write(t, e) for a, e in zip(arrays, emitted, strict=True))
        return i + 1, state, arrays

    _, state, arrays = tf.while_loop(
        lambda i, *_: i < length,
        body,
        (0, state, arrays),
        maximum_iterations=length,
    )
    return state, tuple(a.stack() for a in arrays)


def _at(x, t):
    if x is None:
        return None
    return ops.squeeze(ops.slice(x, _start(t, x), (1, *ops.shape(x)[1:])), 0)


def _start(t, x):
    # Indices of one dtype: with 64-bit JAX, Python integers are not t's.
    return [t] + [ops.zeros_like(t)] * (len(x.shape) - 1)


def custom_gradient(function):
    """`keras.ops.custom_gradient` with one calling convention on all backends.

    Args:
        function: Takes tensors, returns `(outputs, gradient)`: a tuple of tensors,
            and a function from the tuple of their cotangents to the tuple of
            cotangents of the arguments (one for each).

    Returns:
        A function from the tensors to the tuple of outputs.
    """
    if keras.backend.backend() == "torch":
        return _torch_custom_gradient(function)

    @ops.custom_gradient
    def wrapped(*args):
        outputs, gradient = function(*args)

        def grad(*upstream):
            # JAX hands over one tuple, TensorFlow one argument per output.
            if len(upstream) == 1 and isinstance(upstream[0], (tuple, list)):
                upstream = tuple(upstream[0])
            return gradient(upstream)

        return outputs, grad

    return wrapped


def _torch_custom_gradient(function):
    """Packs all outputs into one vector: Keras passes torch a single cotangent."""
    specs = []

    def pack(tensors):
        return ops.concatenate([ops.reshape(t, (-1,)) for t in tensors])

    def unpack(vector):
        parts, start = [], 0
        for shape, size in specs:
            parts.append(ops.reshape(vector[start : start + size], shape))
            start += size
        return tuple(parts)

    @ops.custom_gradient
    def wrapped(*args):
        outputs, gradient = function(*args)
        specs[:] = [(tuple(o.shape), o.numel()) for o in outputs]
        dtypes = {keras.backend.standardize_dtype(o.dtype) for o in outputs}
        if len(dtypes) > 1:
            raise ValueError(f"Outputs must share one dtype. Received: {dtypes}")

        def grad(*args, upstream=None):
            return gradient(unpack(upstream if upstream is not None else args[0]))

        return pack(outputs), grad

    return lambda *args: unpack(wrapped(*args))
