import keras
import numpy as np
import pytest
from keras import ops

from tests.operations import MODES, assert_is_gradient, differentiate
from tests.references import gated
from zoo.ops.gru import gru

TIME, BATCH, FEATURES, UNITS = 5, 3, 4, 6
FREE = {"inputs": 2, "h0": 1}
CASES = {
    "plain": {},
    "reverse": {"reverse": True},
    "expectation": {"rate": 0.2},
    "held units": {"hold": UNITS},
    "all": {"hold": 1, "rate": 0.3, "dropped": True, "reverse": True},
}
CASES.update(
    {f"{name}, reset before": {**c, "reset_after": False} for name, c in CASES.items()}
)


def problem(hold=0, dropped=False, **options):
    """Arrays that have gradients, by the names of `gru`'s arguments; the other ones."""
    rng = np.random.default_rng(0)
    arrays = {
        "inputs": rng.normal(size=(TIME, BATCH, FEATURES)),
        "kernel": rng.normal(size=(FEATURES, 3 * UNITS)) / 2,
        "recurrent_kernel": rng.normal(size=(UNITS, 3 * UNITS)) / 2,
        "bias": rng.normal(size=3 * UNITS),
        "h0": rng.normal(size=(BATCH, UNITS)),
    }
    if options.get("reset_after", True):
        arrays["candidate_bias"] = rng.normal(size=UNITS)
    if hold:
        options["hold"] = rng.uniform(size=(TIME, BATCH, hold)) < 0.4
    if dropped:
        options["recurrent_mask"] = 2 * rng.uniform(size=(BATCH, UNITS))
    return arrays, options


def oracle(arrays, options):
    """The reference, whose rows come first, and whose biases are one array."""
    options, bias = dict(options), arrays["bias"]
    if "candidate_bias" in arrays:
        none = np.zeros(2 * UNITS)
        bias = np.stack([bias, np.concatenate([none, arrays["candidate_bias"]])])
    options["zoneout_h"] = options.pop("rate", 0.0)
    if "hold" in options:
        options["hold"] = np.swapaxes(options["hold"], 0, 1)
    inputs, state = np.swapaxes(arrays["inputs"], 0, 1), [arrays["h0"]]
    outputs, *_ = gated.gru({**arrays, "bias": bias}, inputs, None, state, **options)
    return np.swapaxes(outputs, 0, 1)


def call(options):
    """The operation, with its other arguments made into tensors when it is called."""

    def plain(x):
        return ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x

    def function(**tensors):
        others = {name: plain(x) for name, x in options.items()}
        return gru(**{"candidate_bias": None, **tensors}, **others)

    return function


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case, mode):
    arrays, options = problem(**CASES[case])
    function, shape = call(options), (TIME, BATCH, UNITS)
    found, gradients = differentiate(function, arrays, shape, mode, FREE)
    np.testing.assert_allclose(found, oracle(arrays, options), atol=1e-9)
    assert_is_gradient(gradients, arrays, lambda arrays: oracle(arrays, options))


@pytest.mark.parametrize("reset_after", [False, True])
class TestPrecision:
    def run(self, reset_after, size=1.0, **options):
        arrays, _ = problem(reset_after=reset_after)
        arrays["inputs"] = arrays["inputs"] * size
        tensors = {
            name: ops.convert_to_tensor(a.astype("float32"))
            for name, a in arrays.items()
        }
        return call({"reset_after": reset_after, **options})(**tensors)

    def test_bfloat16_products_are_near_those_of_float32(self, reset_after):
        half = self.run(reset_after, compute_dtype="bfloat16")
        assert keras.backend.standardize_dtype(half.dtype) == "float32"
        half, full = map(ops.convert_to_numpy, (half, self.run(reset_after)))
        np.testing.assert_allclose(half, full, atol=0.05)
        assert not np.array_equal(half, full)

    def test_large_inputs_saturate_without_nan(self, reset_after):
        h = ops.convert_to_numpy(self.run(reset_after, size=1e30))
        assert np.isfinite(h).all()
