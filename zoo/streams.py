"""Sequences without an end: step by step at inference, chunk by chunk in training.

Inference holds the state between single steps, in a function compiled once:

>>> import numpy as np
>>> from zoo.layers import ZoneoutLSTM
>>> stream = Stream(ZoneoutLSTM(4))
>>> outputs = [stream(x) for x in np.zeros((10, 1, 3), "float32")]
>>> tuple(outputs[-1].shape)
(1, 4)

Training carries the state from chunk to chunk, and cuts the gradient between them
(truncated backpropagation through time). `contiguous_batches` brings the chunks in
the order this needs, and `carry` starts each document afresh:

>>> layer = ZoneoutLSTM(4, return_sequences=True, return_state=True)
>>> documents = [np.zeros((length, 3), "float32") for length in (7, 4, 9)]
>>> state = layer.get_initial_state(2)
>>> for batch in contiguous_batches(documents, rows=2, chunk=5):
...     state = carry(state, batch.fresh)
...     y, *state = layer(batch.values, mask=batch.mask, initial_state=state)
"""

from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from zoo.lazy import Lazy, tf

jax = Lazy("jax", "pip install jax")
torch = Lazy("torch", "pip install torch")


def compiled_step(layer):
    """Compiles a layer's `step` at inference.

    TensorFlow and JAX compile it with XLA, once for each number of rows; torch runs
    it as it is, without recording gradients. Weights may change between calls.

    Args:
        layer: A built layer with `step` and `get_initial_state`.

    Returns:
        Function `(inputs, state) -> (output, state)`, with inputs `(batch, features)`
        and the list of states; `state=None` starts.
    """
    if not layer.built:
        raise ValueError(f"Layer '{layer.name}' must be built before it is compiled.")
    run = {"tensorflow": _with_tensorflow, "jax": _with_jax, "torch": _with_torch}
    run = run.get(keras.backend.backend(), lambda layer: layer.step)(layer)

    def step(inputs, state=None):
        # Arrays would be copied to the device, and compiled for, one by one.
        inputs = ops.convert_to_tensor(inputs, layer.compute_dtype)
        if state is None:
            if len(inputs.shape) != 2:
                layer.step(inputs)  # says what is wrong
            state = layer.get_initial_state(inputs.shape[0])
        return run(inputs, list(state))

    return step


def _with_tensorflow(layer):
    return tf.function(
        lambda inputs, state: layer.step(inputs, state), jit_compile=True
    )


def _with_jax(layer):
    variables = layer.variables

    @jax.jit
    def run(values, inputs, state):
        # As arguments, weights are not frozen into what is compiled.
        scope = keras.StatelessScope(list(zip(variables, values, strict=True)))
        with scope:
            return layer.step(inputs, state)

    return lambda *args: run([v.value for v in variables], *args)


def _with_torch(layer):
    def run(inputs, state):
        with torch.no_grad():
            return layer.step(inputs, state)

    return run


class Stream:
    """Feeds a layer one step at a time, and holds its state.

    Args:
        layer: A recurrent layer that runs forwards, or a `Stack` of such layers. One
            that is not built yet is built with the first inputs.

    Call arguments:
        inputs: `(batch, features)`; the number of rows is that of the first call.

    Returns:
        Output `(batch, units)`: after each step what the layer returns for the whole
        sequence so far.

    Raises:
        ValueError: If the layer needs the future, or a shape does not fit.
    """

    def __init__(self, layer):
        if not hasattr(layer, "step"):
            raise ValueError(
                f"Layer '{layer.name}' ({type(layer).__name__}) has no `step`: it does "
                "not run forwards step by step."
            )
        if any(getattr(part, "reverse", False) for part in layer._flatten_layers()):
            raise ValueError(
                f"Layer '{layer.name}' runs backwards: a stream has no last step to "
                "begin with."
            )
        self.layer, self.state, self._step = layer, None, None

    def __call__(self, inputs):
        if self._step is None:
            if not self.layer.built:
                self.layer.step(inputs)  # builds it, or says what is wrong
            self._step = compiled_step(self.layer)
        output, self.state = self._step(inputs, self.state)
        return output

    def reset(self):
        """Forgets what was read."""
        self.state = None


class Chunk(NamedTuple):
    """A batch of `contiguous_batches`.

    Attributes:
        values: `(rows, chunk, ...)`, zeros in padding; a tuple of these if documents
            are tuples.
        mask: Boolean `(rows, chunk)`, true where there is something to read.
        fresh: Boolean `(rows,)`, true for rows that begin a document.
    """

    values: np.ndarray | tuple
    mask: np.ndarray
    fresh: np.ndarray


def contiguous_batches(documents, rows, chunk):
    """Cuts documents into the batches of truncated backpropagation.

    Each row reads a document from its first step to its last, `chunk` steps per
    batch; with the next batch it goes on where it was. A row whose document is at
    its end is padded there, and takes the next document with the next batch. Rows
    that find none left are padding.

    Args:
        documents: List or other iterable of arrays `(length, ...)`, or of tuples of
            arrays of one length (inputs and targets, for example). A single array is
            one long stream: it is first cut into `rows` parts of nearly one length.
        rows: Number of documents that are read side by side.
        chunk: Number of steps per batch, beyond which no gradient goes back.

    Yields:
        A `Chunk` per batch. Give the states through `carry` before each.

    Raises:
        ValueError: If `rows` or `chunk` is no positive integer, or a tuple's arrays
            differ in length.
    """
    for name, value in (("rows", rows), ("chunk", chunk)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(
                f"`{name}` must be a positive integer. Received: {value!r}"
            )
    if hasattr(documents, "shape"):
        documents = np.array_split(np.asarray(documents), rows)
    waiting = _documents(documents)
    reading = [None] * rows
    while True:
        fresh = np.array([document is None for document in reading])
        reading = [next(waiting, None) if d is None else d for d in reading]
        if all(document is None for document in reading):
            return
        values, mask = _cut(reading, chunk)
        several = len(values) > 1
        yield Chunk(values if several else values[0], mask, fresh)
        rest = [d if d is None else tuple(x[chunk:] for x in d) for d in reading]
        reading = [None if d is None or not len(d[0]) else d for d in rest]


def _documents(documents):
    """Tuples of arrays, without the empty ones."""
    for i, document in enumerate(documents):
        parts = document if isinstance(document, tuple) else (document,)
        parts = tuple(map(np.asarray, parts))
        lengths = [len(part) for part in parts]
        if len(set(lengths)) > 1:
            raise ValueError(f"Document {i} has parts of different lengths: {lengths}")
        if lengths[0]:
            yield parts


def _cut(reading, chunk):
    """The next steps of each document, padded: tuple of arrays, and mask."""
    first = next(document for document in reading if document is not None)
    shape = (len(reading), chunk)
    values = tuple(np.zeros((*shape, *x.shape[1:]), x.dtype) for x in first)
    mask = np.zeros(shape, "bool")
    for row, document in enumerate(reading):
        for value, part in zip(values, document or (), strict=False):
            part = part[:chunk]
            value[row, : len(part)] = part
            mask[row, : len(part)] = True
    return values, mask


def carry(state, fresh):
    """States for the next chunk: without gradient, zeros where a document begins.

    Args:
        state: List of states `(rows, size)` that the layer returned.
        fresh: Boolean `(rows,)`, as `Chunk` has it.

    Returns:
        List of states.
    """
    fresh = ops.expand_dims(ops.convert_to_tensor(fresh, "bool"), -1)
    state = [ops.stop_gradient(ops.convert_to_tensor(s)) for s in state]
    return [ops.where(fresh, ops.zeros_like(s), s) for s in state]
