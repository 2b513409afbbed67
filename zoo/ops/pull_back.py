"""Gradients of a function that is differentiated inside of a loop."""

import keras

from zoo.lazy import jax, tf


def pull_back(function, values, cotangents):
    """Gradients of the arguments of a function from those of its results.

    Args:
        function: Takes tensors, returns a tuple of results, and a tuple of tensors
            beside them that get no gradient.
        values: Sequence of floating-point tensors.
        cotangents: Sequence of the gradients of the results.

    Returns:
        Gradients of `values`, and the tensors beside the results.
    """
    if keras.backend.backend() == "jax":
        _, back, beside = jax.vjp(function, *values, has_aux=True)
        return back(tuple(cotangents)), beside
    with tf.GradientTape() as tape:
        # Copies of its own, as some come from the graph around the loop.
        values = [tf.identity(x) for x in values]
        tape.watch(values)
        results, beside = function(*values)
    found = tape.gradient(list(results), values, list(cotangents), "zero")
    for gradient, value in zip(found, values, strict=True):
        gradient.set_shape(value.shape)  # a loop refuses shapes that change
    return found, beside
