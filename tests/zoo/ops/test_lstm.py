import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, double
from zoo.ops.lstm import lstm

TIME, BATCH, FEATURES, UNITS = 5, 3, 4, 6
MODES = {"tensorflow": ["eager", "graph", "jit"], "jax": ["eager", "jit"]}
MODES = MODES.get(BACKEND, ["eager"])
CASES = {
    "plain": {},
    "reverse": {"reverse": True},
    "expectation": {"rate_h": 0.2, "rate_c": 0.6},
    "held units": {"hold": UNITS},
    "masked rows": {"hold": 1, "rate_h": 0.2, "rate_c": 0.6, "reverse": True},
    "recurrent dropout": {"dropped": True, "hold": 1},
    "layer norm": {"norm": True},
    "all": {"norm": True, "dropped": True, "hold": UNITS, "rate_c": 0.3},
    "peepholes": {"peepholes": True},
    "projection": {"size": 2, "hold": 1},
    "all variants": {
        "norm": True,
        "dropped": True,
        "peepholes": True,
        "size": 2,
        "hold": 1,
        "rate_h": 0.2,
        "rate_c": 0.3,
        "reverse": True,
    },
}


def problem(hold=0, dropped=False, norm=False, peepholes=False, size=UNITS, **options):
    """Arrays by the names of `lstm`'s arguments, in float64, and plain options."""
    rng = np.random.default_rng(0)
    arrays = {
        "inputs": rng.normal(size=(TIME, BATCH, FEATURES)),
        "kernel": rng.normal(size=(FEATURES + size, 4 * UNITS)) / 2,
        "bias": rng.normal(size=4 * UNITS),
        "h0": rng.normal(size=(BATCH, size)),
        "c0": rng.normal(size=(BATCH, UNITS)),
    }
    if dropped:
        arrays["recurrent_mask"] = rng.uniform(size=(BATCH, size)) * 2
    if peepholes:
        arrays["peepholes"] = rng.normal(size=3 * UNITS)
    if size != UNITS:
        arrays["projection"] = rng.normal(size=(UNITS, size))
    if norm:
        del arrays["inputs"]
        arrays["kernel"] = arrays["kernel"][FEATURES:]
        arrays["bias"] = rng.normal(size=(TIME, BATCH, 4 * UNITS))
        arrays["recurrent_gain"] = rng.normal(1, 0.3, 4 * UNITS)
        arrays["cell_gain"] = rng.normal(1, 0.3, UNITS)
        arrays["cell_bias"] = rng.normal(size=UNITS)
    if hold:
        options["hold_h"] = rng.uniform(size=(TIME, BATCH, hold)) < 0.4
        options["hold_c"] = rng.uniform(size=(TIME, BATCH, hold)) < 0.4
    return arrays, options


def oracle(arrays, options):
    """The equations, one row of units at a time."""

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    def normal(x):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(
            x.var(-1, keepdims=True) + 1e-5
        )

    h, c, steps = arrays["h0"], arrays["c0"], [None] * TIME
    for t in range(TIME)[:: -1 if options.get("reverse") else 1]:
        fed = h * arrays.get("recurrent_mask", 1)
        if "cell_gain" in arrays:
            u = normal(fed @ arrays["kernel"]) * arrays["recurrent_gain"]
            z = arrays["bias"][t] + u
        else:
            fed = np.concatenate([arrays["inputs"][t], fed], -1)
            z = fed @ arrays["kernel"] + arrays["bias"]
        i, f, g, o = np.split(z, 4, -1)
        see_i, see_f, see_o = np.split(arrays.get("peepholes", np.zeros(3)), 3)
        i, f = i + see_i * c, f + see_f * c
        new_c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        shown = new_c
        if "cell_gain" in arrays:
            shown = normal(new_c) * arrays["cell_gain"] + arrays["cell_bias"]
        new_h = sigmoid(o + see_o * new_c) * np.tanh(shown)
        new_h = new_h @ arrays.get("projection", np.eye(UNITS))
        mixed = []
        for old, new, name in ((h, new_h, "h"), (c, new_c, "c")):
            rate = options.get(f"rate_{name}", 0)
            hold = options.get(f"hold_{name}", np.zeros((TIME, BATCH, 1), bool))[t]
            mixed.append(np.where(hold, old, rate * old + (1 - rate) * new))
        h, c = mixed
        steps[t] = h
    return np.stack(steps), c


def call(values, names, options):
    given = dict(zip(names, values, strict=True))
    gains = [given.pop(n, None) for n in ("recurrent_gain", "cell_gain", "cell_bias")]
    given["norm"] = None if gains[0] is None else gains
    args = [given.pop(n, None) for n in ("inputs", "kernel", "bias", "h0", "c0")]
    return lstm(*args, **given, **options)


def weighted(outputs, weights):
    pairs = zip(outputs, weights, strict=True)
    return sum(ops.sum(x * ops.convert_to_tensor(w)) for x, w in pairs)


def cotangents(arrays):
    rng = np.random.default_rng(1)
    size = arrays["h0"].shape[1]
    return rng.normal(size=(TIME, BATCH, size)), rng.normal(size=(BATCH, UNITS))


def run(arrays, options, mode):
    """Outputs, and gradients of their weighted sum by all arrays."""
    names, values = list(arrays), list(arrays.values())
    options = {
        k: ops.convert_to_tensor(v) if k.startswith("hold") else v
        for k, v in options.items()
    }

    if BACKEND == "jax":
        import jax

        def loss(values):
            outputs = call(values, names, options)
            return weighted(outputs, cotangents(arrays)), outputs

        function = jax.value_and_grad(loss, has_aux=True)
        function = jax.jit(function) if mode == "jit" else function
        (_, outputs), gradients = function([jax.numpy.asarray(v) for v in values])
        return [np.asarray(x) for x in outputs], dict(
            zip(names, map(np.asarray, gradients), strict=True)
        )
    if BACKEND == "torch":
        import torch

        values = [torch.tensor(v, requires_grad=True) for v in values]
        outputs = call(values, names, options)
        found = torch.autograd.grad(weighted(outputs, cotangents(arrays)), values)
        outputs = [x.detach().numpy() for x in outputs]
        return outputs, {n: g.numpy() for n, g in zip(names, found, strict=True)}
    import tensorflow as tf

    def function(values):
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = call(values, names, options)
            loss = weighted(outputs, cotangents(arrays))
        return outputs, tape.gradient(loss, values)

    values = [tf.constant(v) for v in values]
    if mode == "jit":
        function = tf.function(function, jit_compile=True)
    if mode == "graph":
        function = tf.function(function, input_signature=[unknown(values, names)])
    outputs, found = function(values)
    outputs = [x.numpy() for x in outputs]
    return outputs, {n: g.numpy() for n, g in zip(names, found, strict=True)}


def unknown(values, names):
    """Signatures that know neither the number of rows nor that of steps."""
    import tensorflow as tf

    free = {"inputs": 2, "h0": 1, "c0": 1, "recurrent_mask": 1, "bias": 2}
    specs = []
    for value, name in zip(values, names, strict=True):
        n = 0 if name == "bias" and len(value.shape) == 1 else free.get(name, 0)
        shape = [None] * n + list(value.shape[n:])
        specs.append(tf.TensorSpec(shape, value.dtype))
    return specs


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
class TestLSTM:
    def test_equals_the_equations(self, case, mode):
        arrays, options = problem(**CASES[case])
        with double():
            outputs, _ = run(arrays, options, mode)
        for found, expected in zip(outputs, oracle(arrays, options), strict=True):
            np.testing.assert_allclose(found, expected, atol=1e-9)

    def test_gradients_are_finite_differences(self, case, mode):
        arrays, options = problem(**CASES[case])
        with double():
            _, gradients = run(arrays, options, mode)
        rng = np.random.default_rng(2)

        def loss(arrays):
            pairs = zip(oracle(arrays, options), cotangents(arrays), strict=True)
            return sum((x * w).sum() for x, w in pairs)

        assert set(gradients) == set(arrays)
        for name, gradient in gradients.items():
            direction = rng.normal(size=gradient.shape)
            up, down = (
                {**arrays, name: arrays[name] + s * direction} for s in (1e-6, -1e-6)
            )
            slope = (loss(up) - loss(down)) / 2e-6
            np.testing.assert_allclose(
                (gradient * direction).sum(), slope, rtol=1e-6, atol=1e-7, err_msg=name
            )


class TestPrecision:
    def narrow(self, dtype):
        arrays, _ = problem()
        tensors = [ops.convert_to_tensor(a.astype("float32")) for a in arrays.values()]
        return call(tensors, list(arrays), {"compute_dtype": dtype})

    def test_bfloat16_products_keep_float32_states(self):
        h, c = self.narrow("bfloat16")
        dtypes = {keras.backend.standardize_dtype(x.dtype) for x in (h, c)}
        assert dtypes == {"float32"}

    def test_bfloat16_products_are_near_those_of_float32(self):
        for half, full in zip(self.narrow("bfloat16"), self.narrow(None), strict=True):
            half, full = ops.convert_to_numpy(half), ops.convert_to_numpy(full)
            np.testing.assert_allclose(half, full, atol=0.05)
            assert not np.array_equal(half, full)

    def test_large_inputs_saturate_without_nan(self):
        arrays, _ = problem()
        arrays["inputs"] = arrays["inputs"] * 1e30
        tensors = [ops.convert_to_tensor(a.astype("float32")) for a in arrays.values()]
        h, c = call(tensors, list(arrays), {})
        for x in (h, c):
            assert np.isfinite(ops.convert_to_numpy(x)).all()
