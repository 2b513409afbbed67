import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, double
from zoo.ops.linear_scan import hold, linear_scan, shift

BATCH, UNITS = 3, 2
ENGINES, BOTH = ("loop", "parallel"), (False, True)
COMPILED = {"tensorflow": ["graph", "jit"], "jax": ["jit"]}.get(BACKEND, [])
CASES = {
    "plain": {},
    "mask": {"mask"},
    "reset": {"reset"},
    "both": {"mask", "reset"},
}


def problem(time, case="plain", dtype="float64"):
    """Arrays a, b and h0, and those of the options that a case has."""
    rng = np.random.default_rng(time)
    shape = (time, BATCH, UNITS)
    a, b = rng.uniform(-0.2, 1.1, shape), rng.normal(size=shape)
    options = {
        "mask": rng.uniform(size=shape[:2]) < 0.6,
        "reset": rng.uniform(size=shape[:2]) < 0.4,
    }
    arrays = [x.astype(dtype) for x in (a, b, rng.normal(size=shape[1:]))]
    return arrays, {name: options[name] for name in CASES[case]}


def oracle(a, b, h0, mask=None, reset=None, reverse=False):
    """States step by step, and a function from their gradients to those of all."""
    time = len(a)
    mask = np.ones(a.shape[:2], "bool") if mask is None else mask
    reset = np.zeros(a.shape[:2], "bool") if reset is None else reset
    order = range(time)[::-1] if reverse else range(time)
    a = np.where(reset[..., None], 0, a)
    states, before, h = np.zeros_like(b), np.zeros_like(b), h0
    for t in order:
        before[t] = h
        h = np.where(mask[t][:, None], a[t] * h + b[t], h)
        states[t] = h

    def gradient(up):
        da, db, g = np.zeros_like(a), np.zeros_like(b), np.zeros_like(h0)
        for t in reversed(order):
            g = g + up[t]
            valid = mask[t][:, None]
            da[t] = np.where(valid & ~reset[t][:, None], g * before[t], 0)
            db[t] = np.where(valid, g, 0)
            g = np.where(valid, a[t] * g, g)
        return da, db, g

    return states, gradient


def with_gradients(function, arrays, weights, mode="eager"):
    """A tensor made of arrays, and gradients of its product with weights."""
    if BACKEND == "jax":
        import jax

        def loss(*args):
            out = function(*args)
            return (out * weights).sum(), out

        run = jax.value_and_grad(loss, tuple(range(len(arrays))), has_aux=True)
        (_, out), found = (jax.jit(run) if mode == "jit" else run)(*arrays)
    elif BACKEND == "torch":
        import torch

        tensors = [torch.tensor(x, requires_grad=True) for x in arrays]
        out = function(*tensors)
        found = torch.autograd.grad((out * torch.tensor(weights)).sum(), tensors)
    else:
        import tensorflow as tf

        def run(*tensors):
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                out = function(*tensors)
                value = tf.reduce_sum(out * weights)
            return out, tape.gradient(value, tensors)

        if mode == "jit":
            run = tf.function(run, jit_compile=True)
        elif mode == "graph":
            # Nothing is known about the number of steps and rows.
            shapes = [(*[None] * (x.ndim - 1), x.shape[-1]) for x in arrays]
            specs = [
                tf.TensorSpec(s, x.dtype) for s, x in zip(shapes, arrays, strict=True)
            ]
            run = tf.function(run, input_signature=specs)
        out, found = run(*map(tf.constant, arrays))
    return [ops.convert_to_numpy(x) for x in (out, *found)]


def check(time, case, tolerance=1e-12, mode="eager", dtype="float64"):
    """Values and gradients by each engine in both directions."""
    arrays, options = problem(time, case, dtype)
    up = np.random.default_rng(7).normal(size=arrays[0].shape).astype(dtype)
    for reverse in BOTH:
        states, gradient = oracle(*arrays, **options, reverse=reverse)
        for engine in ENGINES:

            def run(a, b, h0, reverse=reverse, engine=engine):
                given = {k: ops.convert_to_tensor(v) for k, v in options.items()}
                return linear_scan(a, b, h0, reverse=reverse, engine=engine, **given)

            found = with_gradients(run, arrays, up, mode)
            for got, wanted in zip(found, (states, *gradient(up)), strict=True):
                assert got.dtype == dtype
                np.testing.assert_allclose(got, wanted, tolerance, tolerance)


class TestLinearScan:
    @pytest.mark.parametrize("case", CASES)
    def test_equals_the_recurrence_and_its_adjoint(self, case):
        with double():
            check(7, case)

    @pytest.mark.parametrize("time", [1, 2, 3, 4, 8, 13])
    def test_any_number_of_steps(self, time):
        with double():
            check(time, "both")

    @pytest.mark.parametrize("mode", COMPILED)
    def test_compiled(self, mode):
        check(11, "both", 2e-5, mode, "float32")

    @pytest.mark.parametrize("engine", ENGINES)
    def test_masked_steps_hold_the_state_to_the_last_bit(self, engine):
        (a, b, h0), options = problem(40, "mask", "float32")
        args = (*map(ops.convert_to_tensor, (a, b, h0)),)
        h = ops.convert_to_numpy(linear_scan(*args, **options, engine=engine))
        held = ~options["mask"]
        np.testing.assert_array_equal(h[1:][held[1:]], h[:-1][held[1:]])
        np.testing.assert_array_equal(h[0][held[0]], h0[held[0]])

    @pytest.mark.parametrize("engine", ENGINES)
    def test_a_reset_parts_two_sequences(self, engine):
        (a, b, h0), _ = problem(9, dtype="float32")
        reset = np.zeros((9, BATCH), "bool")
        reset[4] = True
        whole = linear_scan(a, b, ops.convert_to_tensor(h0), reset=reset, engine=engine)
        zeros = ops.zeros_like(h0)
        second = linear_scan(a[4:], b[4:], zeros, engine=engine)
        whole, second = map(ops.convert_to_numpy, (whole, second))
        np.testing.assert_allclose(whole[4:], second, 1e-6, 1e-6)

    @pytest.mark.parametrize("engine", ENGINES)
    def test_half_precision_is_added_up_in_float32(self, engine):
        # In bfloat16, 256 + 1 is 256.
        ones = ops.ones((400, 1, 1), "bfloat16")
        h = linear_scan(ones, ones, ops.zeros((1, 1)), engine=engine)
        assert keras.backend.standardize_dtype(h.dtype) == "float32"
        counted = ops.convert_to_numpy(h).ravel()
        np.testing.assert_array_equal(counted, np.arange(1, 401))

    @pytest.mark.parametrize("engine", ENGINES)
    def test_long_products_of_decays_stay_finite(self, engine):
        (a, b, h0), _ = problem(1000, dtype="float32")
        a = np.clip(a, 0, 1)
        up = np.ones_like(a)
        found = with_gradients(
            lambda a, b, h0: linear_scan(a, b, h0, engine=engine), [a, b, h0], up
        )
        for got in found:
            assert np.isfinite(got).all()

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="other lengths are known")
    def test_the_parallel_engine_is_the_loop_where_the_length_is_unknown(self):
        """It then has a loop in its graph, and none where the length is known."""
        import tensorflow as tf

        for time in (6, None):
            spec = tf.TensorSpec((time, BATCH, UNITS))
            run = tf.function(lambda a, b, h: linear_scan(a, b, h, engine="parallel"))
            graph = run.get_concrete_function(spec, spec, tf.TensorSpec((BATCH, UNITS)))
            loops = [
                node
                for function in graph.graph.as_graph_def().library.function
                for node in function.node_def
                if "While" in node.op
            ]
            loops += [op for op in graph.graph.get_operations() if "While" in op.type]
            assert bool(loops) == (time is None)


class TestHold:
    @pytest.mark.parametrize("engine", ENGINES)
    @pytest.mark.parametrize("reverse", BOTH)
    def test_repeats_what_is_valid_and_adds_up_gradients(self, engine, reverse):
        x = np.arange(1, 6, dtype="float32").reshape(5, 1, 1)
        mask = ops.convert_to_tensor(np.array([[0], [1], [0], [1], [0]], "bool"))
        up = np.array([1, 10, 100, 1000, 10000], "float32").reshape(5, 1, 1)
        first = np.full((1, 1), 9, "float32")
        got, dx, d_first = with_gradients(
            lambda x, f: hold(x, mask, f, reverse=reverse, engine=engine),
            [x, first],
            up,
        )
        wanted = [2, 2, 4, 4, 9] if reverse else [9, 2, 2, 4, 4]
        np.testing.assert_array_equal(got.ravel(), wanted)
        wanted = [0, 11, 0, 1100, 0] if reverse else [0, 110, 0, 11000, 0]
        np.testing.assert_array_equal(dx.ravel(), wanted)
        assert d_first.item() == (10000 if reverse else 1)

    def test_without_a_mask_nothing_is_held(self):
        x = ops.ones((4, 2, 3))
        assert hold(x, None, ops.zeros((2, 3))) is x


@pytest.mark.parametrize("reverse", BOTH)
def test_shift(reverse):
    x = ops.convert_to_tensor(np.arange(3.0).reshape(3, 1))
    got = ops.convert_to_numpy(shift(x, ops.full((1,), 7.0, x.dtype), reverse))
    assert got.ravel().tolist() == ([1, 2, 7] if reverse else [7, 0, 1])
