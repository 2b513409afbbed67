"""Functions over a model's weights, compiled for inference on each backend."""

import keras

from zoo.lazy import Lazy, jax, tf

torch = Lazy("torch", "pip install torch")


def compiled(function, variables):
    """Compiles a function that reads weights, without recording gradients.

    TensorFlow and JAX compile it with XLA, anew for each combination of shapes; torch
    runs it as it is. Weights may change between calls: they are read at each.

    Args:
        function: Takes tensors, or tuples, lists and dicts of them, and returns such.
        variables: List of the Keras variables it reads.

    Returns:
        A function with the same arguments and results.
    """
    make = {"tensorflow": _with_tensorflow, "jax": _with_jax, "torch": _with_torch}
    return make[keras.backend.backend()](function, variables)


def _with_tensorflow(function, variables):
    return tf.function(function, jit_compile=True, autograph=False)


def _with_jax(function, variables):
    variables = list(variables)

    @jax.jit
    def run(values, *args):
        # As arguments, weights are not frozen into what is compiled.
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return function(*args)

    return lambda *args: run([v.value for v in variables], *args)


def _with_torch(function, variables):
    def run(*args):
        with torch.no_grad():
            return function(*args)

    return run
