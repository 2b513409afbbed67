"""Gradients and compiled functions, told to each backend in its own words."""

import contextlib
from typing import NamedTuple

import keras
import numpy as np
from keras import ops, tree

BACKEND = keras.backend.backend()


class Result(NamedTuple):
    """Outputs of a layer, and the gradients of a loss of them, as arrays."""

    outputs: list
    weights: list
    inputs: np.ndarray
    state: list

    def gradients(self):
        return [*self.weights, self.inputs, *self.state]


def numbers(outputs):
    """Flat list of arrays; 16-bit floats become 32-bit ones."""
    return [ops.convert_to_numpy(_wide(x)) for x in tree.flatten(outputs)]


def total(outputs):
    """A loss in which each output has a gradient of its own."""
    shifted = [x + (i + 0.5) for i, x in enumerate(outputs)]
    return sum(ops.sum(x * x) for x in shifted)


def differentiate(
    layer,
    inputs,
    mask=None,
    state=None,
    training=False,
    mode="eager",
    loss=total,
):
    """Runs a layer and differentiates a loss of its outputs.

    Args:
        layer: Built layer, called with `mask`, `initial_state` and `training`.
        inputs, mask: Arrays; `mask` may be `None`.
        state: List of arrays or `None`.
        mode: `"eager"`, `"jit"` (XLA) or, on TensorFlow, `"graph"`, where neither
            the number of rows nor that of steps is known.
        loss: Function from the flat list of outputs to a scalar.

    Returns:
        A `Result`.
    """
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND]
    state = [] if state is None else list(state)
    outputs, gradients = run(layer, inputs, mask, state, training, mode, loss)
    gradients, n = numbers(gradients), len(layer.trainable_variables)
    return Result(numbers(outputs), gradients[:n], gradients[n], gradients[n + 1 :])


def _tensorflow(layer, inputs, mask, state, training, mode, loss):
    import tensorflow as tf

    def run(inputs, mask, state):
        with tf.GradientTape() as tape:
            tape.watch([inputs, *state])
            outputs = _call(layer, inputs, mask, state, training)
            value = loss([_wide(x) for x in outputs])
        variables = [v.value for v in layer.trainable_variables]
        sources = [*variables, inputs, *state]
        return outputs, tape.gradient(value, sources, unconnected_gradients="zero")

    inputs, state = tf.constant(inputs), [tf.constant(s) for s in state]
    mask = None if mask is None else tf.constant(mask)
    if mode == "jit":
        run = tf.function(run, jit_compile=True)
    elif mode == "graph":
        run = tf.function(
            run,
            input_signature=[
                tf.TensorSpec((None, None, inputs.shape[-1]), inputs.dtype),
                tf.TensorSpec((None, None), "bool"),
                [tf.TensorSpec((None, s.shape[1]), s.dtype) for s in state],
            ],
        )
    return run(inputs, mask, state)


def _jax(layer, inputs, mask, state, training, mode, loss):
    import jax

    def run(trainable, inputs, state):
        outputs, other = _stateless(
            layer, trainable, fixed, inputs, mask, state, training
        )
        return loss([_wide(x) for x in outputs]), (outputs, other)

    run = jax.value_and_grad(run, (0, 1, 2), has_aux=True)
    run = jax.jit(run) if mode == "jit" else run
    trainable = [v.value for v in layer.trainable_variables]
    fixed = [v.value for v in layer.non_trainable_variables]
    inputs, state = jax.numpy.asarray(inputs), [jax.numpy.asarray(s) for s in state]
    (_, (outputs, other)), gradients = run(trainable, inputs, state)
    for variable, value in zip(layer.non_trainable_variables, other, strict=True):
        variable.assign(value)
    return outputs, [*gradients[0], gradients[1], *gradients[2]]


def _torch(layer, inputs, mask, state, training, mode, loss):
    import torch

    inputs = torch.tensor(inputs, requires_grad=True)
    state = [torch.tensor(s, requires_grad=True) for s in state]
    outputs = _call(layer, inputs, mask, state, training)
    sources = [*(v.value for v in layer.trainable_variables), inputs, *state]
    found = torch.autograd.grad(
        loss([_wide(x) for x in outputs]), sources, allow_unused=True
    )
    pairs = zip(found, sources, strict=True)
    return outputs, [torch.zeros_like(s) if g is None else g for g, s in pairs]


def loss_function(layer, mask, training):
    """`total` of a layer's outputs as a function of weights, inputs and state.

    Random masks are the same at every call. Compiled once, as finite differences
    call it often.
    """
    seeds = layer.non_trainable_variables
    drawn = [ops.convert_to_numpy(s) for s in seeds]

    def on_layer(weights, inputs, state):
        variables = [*layer.trainable_variables, *seeds]
        for variable, value in zip(variables, [*weights, *drawn], strict=True):
            variable.assign(value)
        return float(ops.convert_to_numpy(run(inputs, list(state))))

    def run(inputs, state):
        return total(_call(layer, inputs, mask, state, training))

    if BACKEND == "tensorflow":
        import tensorflow as tf

        run = tf.function(run)
    if BACKEND == "jax":
        import jax

        @jax.jit
        def compiled(weights, inputs, state):
            args = weights, drawn, inputs, mask, state, training
            return total(_stateless(layer, *args)[0])

        return lambda *args: float(compiled(*args))
    return on_layer


def double():
    """Context in which float64 is to be had, which JAX grants only on demand."""
    if BACKEND == "jax":
        import jax

        return jax.enable_x64(True)
    return contextlib.nullcontext()


def _call(layer, inputs, mask, state, training):
    return tree.flatten(
        layer(inputs, mask=mask, initial_state=state or None, training=training)
    )


def _stateless(layer, trainable, fixed, inputs, mask, state, training):
    outputs, other = layer.stateless_call(
        trainable,
        fixed,
        inputs,
        mask=mask,
        initial_state=list(state) or None,
        training=training,
    )
    return tree.flatten(outputs), other


def _wide(x):
    narrow = keras.backend.standardize_dtype(x.dtype) in ("bfloat16", "float16")
    return ops.cast(x, "float32") if narrow else x
