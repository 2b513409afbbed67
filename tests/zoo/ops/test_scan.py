import keras
import numpy as np
import pytest
from keras import ops

from zoo.ops.scan import custom_gradient, time_scan

BACKEND = keras.backend.backend()
TIME, WIDTH = 6, 3
MODES = {"tensorflow": ["eager", "graph", "jit"], "jax": ["eager", "jit"]}
MODES = MODES.get(BACKEND, ["eager"])


def compiled(function, mode):
    if mode == "eager":
        return function
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    if mode == "jit":
        return tf.function(function, jit_compile=True)
    # Nothing is known about the number of steps.
    return tf.function(
        function, input_signature=[tf.TensorSpec((None, WIDTH), "float32")]
    )


def steps():
    return np.arange(TIME * WIDTH, dtype="float32").reshape(TIME, WIDTH)


def running_sum(reverse=False, reuse=None):
    """A scan that sums up, and shows the state before and twice the state after."""

    def step(state, inputs):
        total = state[0] + inputs[0]
        return (total,), (2 * total, state[0])

    def run(x):
        spec = ((WIDTH,), "float32")
        state = (ops.zeros((WIDTH,)),)
        (total,), outputs = time_scan(step, state, (x,), (spec, spec), reverse, reuse)
        return total, *outputs

    return run


def run(function, x, mode):
    outputs = compiled(function, mode)(ops.convert_to_tensor(x))
    return [ops.convert_to_numpy(o) for o in outputs]


@pytest.mark.parametrize("mode", MODES)
class TestTimeScan:
    def test_carries_the_state(self, mode):
        total, _, _ = run(running_sum(), steps(), mode)
        np.testing.assert_array_equal(total, steps().sum(0))

    def test_stacks_the_outputs_of_all_steps(self, mode):
        _, after, before = run(running_sum(), steps(), mode)
        sums = np.cumsum(steps(), 0)
        np.testing.assert_array_equal(after, 2 * sums)
        np.testing.assert_array_equal(before, sums - steps())

    def test_reversed_outputs_keep_the_order_of_the_inputs(self, mode):
        _, after, _ = run(running_sum(reverse=True), steps(), mode)
        np.testing.assert_array_equal(after, 2 * np.cumsum(steps()[::-1], 0)[::-1])

    def test_writing_into_an_input_changes_no_result(self, mode):
        plain = run(running_sum(reverse=True), steps(), mode)
        reused = run(running_sum(reverse=True, reuse=0), steps(), mode)
        for a, b in zip(plain, reused, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_writing_into_an_input_leaves_it_to_others(self, mode):
        def both(x):
            scanned = running_sum(reuse=0)(x)
            return scanned[1], x + 1

        _, after = run(both, steps(), mode)
        np.testing.assert_array_equal(after, steps() + 1)

    def test_an_absent_input_stays_absent(self, mode):
        def step(state, inputs):
            assert inputs[0] is None
            return state, (inputs[1],)

        def scan(x):
            return time_scan(step, (x[0],), (None, x), (((WIDTH,), "float32"),))[1]

        np.testing.assert_array_equal(run(scan, steps(), mode)[0], steps())

    def test_outputs_keep_their_dtype(self, mode):
        def step(state, inputs):
            return state, (inputs[0] > 4,)

        def scan(x):
            return time_scan(step, (x[0],), (x,), (((WIDTH,), "bool"),))[1]

        np.testing.assert_array_equal(run(scan, steps(), mode)[0], steps() > 4)


def by_rows(seen, **options):
    """A scan over `(time, rows, WIDTH)` whose rows do not mix, and how it is run.

    The rows of each step that is traced are appended to `seen`.
    """

    def step(state, inputs):
        (a, b), (x, absent) = state, inputs
        assert absent is None
        seen.append(x.shape[0])
        return (a + x, b * 0.5 + a), (a * x, ops.sum(a + b, -1, keepdims=True))

    def run(x):
        rows = ops.shape(x)[1]
        state = (ops.zeros((rows, WIDTH)), ops.ones((rows, WIDTH)))
        outputs = (((rows, WIDTH), "float32"), ((rows, 1), "float32"))
        state, found = time_scan(step, state, (x, None), outputs, **options)
        return *state, *found

    return run


class TestByRows:
    def run(self, rows, mode="jit", known=True, **options):
        """Results, and the numbers of rows that steps were traced with."""
        x = np.random.default_rng(0).normal(size=(TIME, rows, WIDTH)).astype("float32")
        seen = []
        function = by_rows(seen, **options)
        if mode == "graph":
            import tensorflow as tf

            shape = (None, rows if known else None, WIDTH)
            signature = [tf.TensorSpec(shape, "float32")]
            function = tf.function(function, input_signature=signature)
            return [x.numpy() for x in function(x)], set(seen)
        return run(function, x, mode), set(seen)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("rows", [1, 3, 4, 9])
    @pytest.mark.parametrize("reverse", [False, True])
    def test_changes_no_result(self, rows, mode, reverse):
        wanted, _ = self.run(rows, "eager", reverse=reverse)
        for known in (True, False):
            found, _ = self.run(rows, mode, known, by_rows=True, reverse=reverse)
            for a, b in zip(found, wanted, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-6)

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="halves are TensorFlow's")
    @pytest.mark.parametrize("mode", ["graph", "jit"])
    @pytest.mark.parametrize(("rows", "parts"), [(9, {4, 5}), (4, {2}), (3, {3})])
    def test_takes_halves_of_enough_rows(self, rows, parts, mode):
        assert self.run(rows, mode, by_rows=True)[1] == parts
        assert self.run(rows, mode)[1] == {rows}

    @pytest.mark.skipif(BACKEND != "tensorflow", reason="halves are TensorFlow's")
    def test_other_devices_take_all_rows_at_once(self, monkeypatch):
        monkeypatch.setattr("zoo.devices.kind", lambda: "gpu")
        assert self.run(9, by_rows=True)[1] == {9}


def gradient(function, *arrays):
    """Gradients of a scalar function of tensors."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        tensors = [tf.constant(a) for a in arrays]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        return [g.numpy() for g in tape.gradient(value, tensors)]
    if BACKEND == "jax":
        import jax

        found = jax.grad(function, tuple(range(len(arrays))))(*arrays)
        return [np.asarray(g) for g in found]
    import torch

    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    return [g.numpy() for g in torch.autograd.grad(function(*tensors), tensors)]


class TestCustomGradient:
    def test_the_written_gradient_is_used(self):
        double = custom_gradient(lambda x: ((2 * x,), lambda up: (7 * up[0],)))
        (found,) = gradient(lambda x: ops.sum(double(x)[0]), np.ones(3, "float32"))
        np.testing.assert_array_equal(found, [7, 7, 7])

    def test_each_output_has_its_own_cotangent(self):
        def function(x, y):
            return (x * 1, y * 1), lambda up: (up[0], up[1])

        def loss(x, y):
            a, b = custom_gradient(function)(x, y)
            return ops.sum(3 * a) + ops.sum(5 * b)

        x, y = np.ones((2, 3), "float32"), np.ones(4, "float32")
        first, second = gradient(loss, x, y)
        np.testing.assert_array_equal(first, np.full((2, 3), 3))
        np.testing.assert_array_equal(second, np.full(4, 5))

    def test_an_unused_output_has_a_cotangent_of_zeros(self):
        def function(x):
            return (x * 1, x * 2), lambda up: (up[0] + 10 * up[1],)

        (found,) = gradient(
            lambda x: ops.sum(custom_gradient(function)(x)[0]), np.ones(2, "float32")
        )
        np.testing.assert_array_equal(found, [1, 1])

    @pytest.mark.skipif(BACKEND != "torch", reason="only torch packs its outputs")
    def test_outputs_of_two_dtypes_are_refused(self):
        function = custom_gradient(lambda x: ((x, ops.cast(x, "float64")), None))
        with pytest.raises(ValueError, match="share one dtype"):
            function(ops.ones((2,)))
