"""Loops over time, and gradients written by hand around them."""

import keras
from keras import ops

from zoo import devices
from zoo.lazy import tf

# With two rows halves slowed inference and sped training; see `benchmarks/NOTES.md`.
FEWEST_ROWS = 4


def time_scan(step, state, inputs, outputs, reverse=False, reuse=None, by_rows=False):
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
        reuse: Index of an input of the shape and dtype of the first output, which
            the compiled loop then writes into that input's memory.
        by_rows: Whether a row of the result depends on the same row alone of all that
            comes in, rows being the first axis of the state, of a step's inputs and
            of its outputs. TensorFlow's compiled loop on a CPU then takes each step
            twice, for the upper and the lower half of the rows, which do not wait for
            each other.

    Returns:
        The final state, and a tuple of outputs `(time, ...)`.
    """
    length = ops.shape(next(x for x in inputs if x is not None))[0]
    if _runs_at_once():
        return _python_scan(step, state, inputs, length, reverse)
    if keras.backend.backend() == "tensorflow":
        loop = _tensorflow_scan
        if by_rows and devices.kind() == "cpu" and _has_rows(state[0]):
            loop = _scan_in_halves
        return loop(step, tuple(state), inputs, outputs, length, reverse)
    # A different fill for each: XLA would make equal buffers once, and copy them.
    buffers = [
        ops.full((length, *shape), k, dtype) for k, (shape, dtype) in enumerate(outputs)
    ]
    if reuse is not None:
        buffers[0] = inputs[reuse]

    def body(i, state, buffers):
        t = length - 1 - i if reverse else i
        sources = list(inputs)
        if reuse is not None:
            sources[reuse] = buffers[0]
        state, emitted = step(state, tuple(_at(x, t) for x in sources))
        buffers = tuple(
            ops.slice_update(b, _start(t, b), ops.expand_dims(e, 0))
            for b, e in zip(buffers, emitted, strict=True)
        )
        return i + 1, state, buffers

    start = ops.convert_to_tensor(0, "int32")
    _, state, buffers = ops.while_loop(
        lambda i, *_: i < length,
        body,
        (start, tuple(state), tuple(buffers)),
        maximum_iterations=length,
    )
    return state, buffers


def _runs_at_once():
    """Whether operations run when called; updating a buffer then copies it."""
    backend = keras.backend.backend()
    return backend == "torch" or (backend == "tensorflow" and tf.executing_eagerly())


def _python_scan(step, state, inputs, length, reverse):
    emitted = [None] * int(length)
    for t in reversed(range(len(emitted))) if reverse else range(len(emitted)):
        now = tuple(None if x is None else x[t] for x in inputs)
        state, emitted[t] = step(state, now)
    return state, tuple(ops.stack(steps) for steps in zip(*emitted, strict=True))


def _tensorflow_scan(step, state, inputs, outputs, length, reverse):
    """With TensorArrays: outside of XLA, `slice_update` copies its whole buffer."""

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
        lambda i, *_: i < length, body, (0, state, arrays), maximum_iterations=length
    )
    return state, tuple(a.stack() for a in arrays)


def _has_rows(x):
    """Whether there are enough rows for halves, or maybe enough."""
    return x.shape[0] is None or x.shape[0] >= FEWEST_ROWS


def _scan_in_halves(step, state, inputs, outputs, length, reverse):
    half = ops.shape(state[0])[0] // 2
    halves = slice(None, half), slice(half, None)

    def both(states, now):
        results = [
            step(state, tuple(x if x is None else x[rows] for x in now))
            for rows, state in zip(halves, states, strict=True)
        ]
        states, emitted = zip(*results, strict=True)
        return states, joined(emitted)

    def joined(parts):
        return tuple(ops.concatenate(pair, 0) for pair in zip(*parts, strict=True))

    states = tuple(tuple(x[rows] for x in state) for rows in halves)
    states, found = _tensorflow_scan(both, states, inputs, outputs, length, reverse)
    return joined(states), found


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
