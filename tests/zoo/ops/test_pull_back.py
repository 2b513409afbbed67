import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, double
from tests.operations import MODES
from zoo.ops.pull_back import pull_back
from zoo.ops.scan import time_scan

pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="torch's loops run at once, its autograd through them"
)
TIME, ROWS, WIDTH = 4, 3, 2


def evaluate(function, arrays, mode):
    """Runs a function of tensors in float64; a graph knows only the last sizes."""
    with double():
        tensors = [ops.convert_to_tensor(a) for a in arrays]
        if mode == "jit" and BACKEND == "jax":
            import jax

            function = jax.jit(function)
        elif mode != "eager":
            import tensorflow as tf

            specs = [
                tf.TensorSpec((*[None] * (a.ndim - 1), a.shape[-1]), a.dtype)
                for a in arrays
            ]
            function = tf.function(
                function,
                input_signature=specs if mode == "graph" else None,
                jit_compile=mode == "jit",
            )
        return [ops.convert_to_numpy(x) for x in function(*tensors)]


def some_arrays(*shapes):
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("mode", MODES)
def test_equals_the_derivative_by_hand(mode):
    """Of two results, with what has no gradient beside them and what is not used."""

    def function(x, y, unused):
        return (x * y**3, x @ ops.transpose(y)), (ops.exp(x),)

    def run(x, y, unused, *cotangents):
        found, (beside,) = pull_back(function, [x, y, unused], cotangents)
        return [*found, beside]

    row, square = (ROWS, WIDTH), (ROWS, ROWS)
    arrays = some_arrays(row, row, (WIDTH,), row, square)
    x, y, unused, first, second = arrays
    wanted = [
        first * y**3 + second @ y,
        first * x * 3 * y**2 + second.T @ x,
        np.zeros_like(unused),
        np.exp(x),
    ]
    for got, result in zip(evaluate(run, arrays, mode), wanted, strict=True):
        np.testing.assert_allclose(got, result, 1e-12, 1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_runs_inside_of_a_loop(mode):
    """Which refuses carried tensors whose known shape changes."""

    def run(x, steps):
        def step(state, now):
            found, _ = pull_back(
                lambda x, y: ((x * x * y,), ()), [state[0], now[0]], [now[0]]
            )
            return (found[0],), (found[1],)

        spec = ((ops.shape(x)[0], WIDTH), "float64")
        (last,), (shown,) = time_scan(step, (x,), (steps,), (spec,))
        return last, shown

    arrays = some_arrays((ROWS, WIDTH), (TIME, ROWS, WIDTH))
    x, shown = arrays[0], []
    for y in arrays[1]:
        shown.append(x * x * y)
        x = 2 * x * y * y
    last, found = evaluate(run, arrays, mode)
    np.testing.assert_allclose(last, x, 1e-12)
    np.testing.assert_allclose(found, shown, 1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_tensors_from_around_it_are_constants(mode):
    """A function may read what it gets no gradient of."""

    def run(x, y):
        found, _ = pull_back(lambda x: ((x * x * y,), ()), [x], [y])
        return found

    x, y = arrays = some_arrays((ROWS, WIDTH), (ROWS, WIDTH))
    (found,) = evaluate(run, arrays, mode)
    np.testing.assert_allclose(found, 2 * x * y * y, 1e-12)
