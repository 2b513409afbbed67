import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import double
from zoo.ops.checkpointed_scan import checkpointed_scan
from zoo.ops.lstm import tanh

BACKEND = keras.backend.backend()
TIME, BATCH, WIDTH = 5, 3, 4
MODES = {"tensorflow": ["eager", "graph", "jit"], "jax": ["eager", "jit"]}
MODES = MODES.get(BACKEND, ["eager"])


def some_values():
    """Two weights, two states, inputs, and an input that every other step lacks."""
    rng = np.random.default_rng(0)
    shapes = [
        (WIDTH, WIDTH),
        (BATCH, WIDTH),
        (BATCH, WIDTH),
        (BATCH, 1),
        (TIME, BATCH, WIDTH),
    ]
    return [rng.normal(size=shape) for shape in shapes]


MASK = np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 0]], "bool")
TABLE = np.array([2, 0, 1, 3], "int32")


def step(weights, state, inputs):
    """A step with all that can be: a mask, a table, and a state that stays."""
    kernel, table, offset = weights
    h, constant = state
    x, absent, mask = inputs
    assert absent is None
    new = tanh(h @ kernel + ops.take(x, table, -1) + offset) * constant
    new = ops.where(ops.expand_dims(mask, -1), new, h)
    return (new, constant), (new * x, ops.sum(new, -1, keepdims=True))


def scanned(reverse):
    def run(kernel, offset, h, constant, x):
        mask, table = ops.convert_to_tensor(MASK), ops.convert_to_tensor(TABLE)
        batch = ops.shape(h)[0]
        return checkpointed_scan(
            step,
            (kernel, table, offset),
            (h, constant),
            (x, None, mask),
            (((batch, WIDTH), "float64"), ((batch, 1), "float64")),
            reverse,
        )

    return run


def unrolled(reverse):
    """The same as a Python loop, which automatic differentiation goes through."""

    def run(kernel, offset, h, constant, x):
        mask, table = ops.convert_to_tensor(MASK), ops.convert_to_tensor(TABLE)
        state, emitted = (h, constant), [None] * TIME
        for t in reversed(range(TIME)) if reverse else range(TIME):
            weights, now = (kernel, table, offset), (x[t], None, mask[t])
            state, emitted[t] = step(weights, state, now)
        return state, [ops.stack(e) for e in zip(*emitted, strict=True)]

    return run


def loss(results):
    """A sum in which every number has a cotangent of its own."""
    (h, constant), (first, second) = results
    # Of squares: Keras rounds sines of float64 to float32 on JAX.
    return sum(
        ops.sum((x + k + 0.5) ** 2) for k, x in enumerate((h, constant, first, second))
    )


def value_and_gradients(function, values, mode="eager"):
    """Results of `function`, and gradients of their `loss`, as flat lists of arrays."""
    with double():
        results, found = run_and_differentiate(function, values, mode)
        results = keras.tree.flatten(list(results))
        return [ops.convert_to_numpy(x) for x in (*results, *found)]


def run_and_differentiate(function, values, mode):
    if BACKEND == "torch":
        import torch

        values = [torch.tensor(x, requires_grad=True) for x in values]
        results = function(*values)
        return results, torch.autograd.grad(loss(results), values)
    if BACKEND == "jax":
        import jax

        def run(values):
            results = function(*values)
            return loss(results), results

        run = jax.value_and_grad(run, has_aux=True)
        run = jax.jit(run) if mode == "jit" else run
        (_, results), found = run([jax.numpy.asarray(x) for x in values])
        return results, found
    return tensorflow_gradients(function, values, mode)


def tensorflow_gradients(function, values, mode):
    import tensorflow as tf

    def run(*values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            results = function(*values)
            value = loss(results)
        return results, tape.gradient(value, values)

    if mode == "jit":
        run = tf.function(run, jit_compile=True)
    elif mode == "graph":  # where rows and steps are not known
        shapes = [(None,) * (x.ndim - 1) + x.shape[-1:] for x in values]
        shapes[0] = values[0].shape
        run = tf.function(run, [tf.TensorSpec(s, "float64") for s in shapes])
    return run(*map(tf.constant, values))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_results_and_gradients_are_those_of_the_unrolled_loop(mode, reverse):
    values = some_values()
    got = value_and_gradients(scanned(reverse), values, mode)
    wanted = value_and_gradients(unrolled(reverse), values)
    assert len(got) == len(wanted) == 9
    for a, b in zip(got, wanted, strict=True):
        assert np.abs(b).max() > 1e-3
        assert a.dtype == "float64"
        np.testing.assert_allclose(a, b, 1e-12, 1e-12)


def test_a_step_may_ignore_what_it_is_given():
    """Its gradients are zeros then, on every backend but torch, which has none."""
    if BACKEND == "torch":
        pytest.skip("autograd has no gradient for what is not used")

    def ignorant(weights, state, inputs):
        return (state[0] * 2,), (state[0],)

    def run(weight, h, x):
        spec = ((WIDTH,), h.dtype)
        (h,), (shown,) = checkpointed_scan(ignorant, (weight,), (h,), (x,), (spec,))
        return (h, 0 * h), (shown, 0 * shown)

    values = [np.ones(2, "float32"), np.ones(WIDTH, "float32")]
    values.append(np.ones((TIME, WIDTH), "float32"))
    found = value_and_gradients(run, values)[4:]
    assert not found[0].any() and not found[2].any() and found[1].all()


def test_without_weights_and_outputs():
    def run(h, x):
        def add(weights, state, inputs):
            assert weights == ()
            return (state[0] + inputs[0] ** 2,), ()

        (h,), outputs = checkpointed_scan(add, (), (h,), (x,), ())
        assert outputs == ()
        return (h, h), (h, h)

    x = np.arange(6, dtype="float32").reshape(3, 2)
    total, *_, d_h, d_x = value_and_gradients(run, [np.zeros(2, "float32"), x])
    np.testing.assert_array_equal(total, (x**2).sum(0))
    np.testing.assert_allclose(d_x, 2 * x * d_h, 1e-6)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="compiled programs are read here")
def test_one_loop_each_way_whatever_the_length():
    """An unrolled program would grow with the number of steps."""
    import tensorflow as tf

    sizes = []
    for _ in (TIME, 10 * TIME):

        @tf.function
        def run(*values):
            with tf.GradientTape() as tape:
                tape.watch(values)
                value = loss(scanned(False)(*values))
            return tape.gradient(value, values)

        graph = run.get_concrete_function(*map(tf.constant, some_values())).graph
        kinds = [node.op for node in graph.as_graph_def().node]
        sizes.append(sum("While" in kind for kind in kinds))
    assert sizes == [2, 2]
