"""Values and gradients of an operation in float64, on each backend and in each mode."""

import numpy as np
from keras import ops

from tests.backend import BACKEND, double

MODES = {"tensorflow": ["eager", "graph", "jit"], "jax": ["eager", "jit"]}
MODES = MODES.get(BACKEND, ["eager"])


def differentiate(function, arrays, shape, mode, free):
    """Runs an operation, and differentiates a weighted sum of what it gives.

    Args:
        function: From tensors by name to a tensor.
        arrays: Dictionary from the names to arrays.
        shape: That of the tensor.
        mode: `"eager"`, `"jit"`, or `"graph"`: TensorFlow, with unknown sizes.
        free: Dictionary from names to how many leading sizes are unknown then.

    Returns:
        The result, and a dictionary of gradients.
    """
    run = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND]
    names, values = list(arrays), list(arrays.values())

    def loss(values):
        result = function(**dict(zip(names, values, strict=True)))
        return ops.sum(result * ops.convert_to_tensor(cotangent(shape))), result

    specs = [(free.get(name, 0), a.shape) for name, a in arrays.items()]
    with double():
        result, gradients = run(loss, values, mode, specs)
    return np.asarray(result), dict(zip(names, map(np.asarray, gradients), strict=True))


def cotangent(shape):
    return np.random.default_rng(1).normal(size=shape)


def assert_is_gradient(gradients, arrays, oracle):
    """Compares with finite differences of an oracle, `arrays -> array`."""
    rng, step = np.random.default_rng(2), 1e-6
    assert set(gradients) == set(arrays)

    def loss(arrays):
        result = oracle(arrays)
        return (result * cotangent(result.shape)).sum()

    for name, gradient in gradients.items():
        way = rng.normal(size=gradient.shape)
        up, down = ({**arrays, name: arrays[name] + s * way} for s in (step, -step))
        slope = (loss(up) - loss(down)) / (2 * step)
        np.testing.assert_allclose(
            (gradient * way).sum(), slope, rtol=1e-6, atol=1e-7, err_msg=name
        )


def _tensorflow(loss, values, mode, specs):
    import tensorflow as tf

    def run(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            value, result = loss(values)
        return result, tape.gradient(value, values)

    if mode == "jit":
        run = tf.function(run, jit_compile=True)
    if mode == "graph":
        signature = [
            tf.TensorSpec([None] * n + list(shape[n:]), "float64") for n, shape in specs
        ]
        run = tf.function(run, input_signature=[signature])
    result, gradients = run([tf.constant(v) for v in values])
    return result.numpy(), [g.numpy() for g in gradients]


def _jax(loss, values, mode, specs):
    import jax

    function = jax.value_and_grad(loss, has_aux=True)
    function = jax.jit(function) if mode == "jit" else function
    (_, result), gradients = function([jax.numpy.asarray(v) for v in values])
    return result, gradients


def _torch(loss, values, mode, specs):
    import torch

    values = [torch.tensor(v, requires_grad=True) for v in values]
    value, result = loss(values)
    return result.detach().numpy(), torch.autograd.grad(value, values)
