import numpy as np
import pytest
from keras import ops

from tests.operations import MODES, assert_is_gradient, differentiate
from tests.references import gated
from zoo.ops.simple_rnn import simple_rnn

TIME, BATCH, FEATURES, UNITS = 5, 3, 4, 6
FREE = {"inputs": 2, "h0": 1}
CASES = {
    "plain": {},
    "relu": {"activation": "relu"},
    "linear": {"activation": "linear", "rate": 0.2},
    "expectation": {"rate": 0.2, "reverse": True},
    "held units": {"hold": UNITS, "activation": "relu"},
    "all": {"hold": 1, "rate": 0.3, "dropped": True, "reverse": True},
}


def problem(hold=0, dropped=False, **options):
    """Arrays that have gradients, by the names of the arguments; the other ones."""
    rng = np.random.default_rng(0)
    arrays = {
        "inputs": rng.normal(size=(TIME, BATCH, FEATURES)),
        "kernel": rng.normal(size=(FEATURES + UNITS, UNITS)) / 2,
        "bias": rng.normal(size=UNITS),
        "h0": rng.normal(size=(BATCH, UNITS)),
    }
    if hold:
        options["hold"] = rng.uniform(size=(TIME, BATCH, hold)) < 0.4
    if dropped:
        options["recurrent_mask"] = 2 * rng.uniform(size=(BATCH, UNITS))
    return arrays, options


def oracle(arrays, options):
    """The reference, whose rows come first, and which has two kernels."""
    options = {**options, "zoneout_h": options.get("rate", 0.0)}
    if "hold" in options:
        options["hold"] = np.swapaxes(options["hold"], 0, 1)
    weights = {
        "kernel": arrays["kernel"][:FEATURES],
        "recurrent_kernel": arrays["kernel"][FEATURES:],
        "bias": arrays["bias"],
    }
    inputs = np.swapaxes(arrays["inputs"], 0, 1)
    outputs, *_ = gated.simple_rnn(weights, inputs, None, [arrays["h0"]], **options)
    return np.swapaxes(outputs, 0, 1)


def call(options):
    """The operation, with its other arguments made into tensors when it is called."""

    def plain(x):
        return ops.convert_to_tensor(x) if isinstance(x, np.ndarray) else x

    def function(**tensors):
        others = {name: plain(x) for name, x in options.items()}
        return simple_rnn(**tensors, **others)

    return function


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case, mode):
    arrays, options = problem(**CASES[case])
    function, shape = call(options), (TIME, BATCH, UNITS)
    found, gradients = differentiate(function, arrays, shape, mode, FREE)
    np.testing.assert_allclose(found, oracle(arrays, options), atol=1e-9)
    assert_is_gradient(gradients, arrays, lambda arrays: oracle(arrays, options))


def test_half_of_the_rectified_units_are_silent():
    """Else the slope of relu would not be tested."""
    outputs = oracle(*problem(activation="relu"))
    assert 0.2 < (outputs == 0).mean() < 0.8
