import numpy as np
import pytest
from keras import ops

from tests.operations import MODES, assert_is_gradient, differentiate
from tests.references import ind_rnn as reference
from zoo.ops.ind_rnn import ind_rnn

TIME, BATCH, FEATURES, UNITS = 5, 3, 4, 6
FREE = {"inputs": 2, "h0": 1}
STEPS = 3  # bounds recurrent weights to 1.26
CASES = {
    "relu": {},
    "tanh": {"activation": "tanh"},
    "linear": {"activation": "linear", "hold": True},
    "reverse": {"activation": "tanh", "reverse": True},
    "bounded": {"time_steps": STEPS},
    "all": {"hold": True, "reverse": True, "time_steps": STEPS},
}


def problem(hold=False, time_steps=None, **options):
    """Arrays that have gradients, by the names of the arguments; the other ones."""
    rng = np.random.default_rng(0)
    arrays = {
        "inputs": rng.normal(size=(TIME, BATCH, FEATURES)),
        "kernel": rng.normal(size=(FEATURES, UNITS)) / 2,
        "recurrent_kernel": np.array([-1.5, -0.9, 0.3, 1.1, 1.3, 1.6]),
        "bias": rng.normal(size=UNITS),
        "h0": rng.normal(size=(BATCH, UNITS)),
    }
    if hold:
        options["hold"] = rng.uniform(size=(TIME, BATCH, 1)) < 0.4
    if time_steps:
        options["bound"] = 2 ** (1 / time_steps)
    return arrays, options


def oracle(arrays, options):
    """The reference, whose rows come first."""
    options = {"activation": "relu", **options}
    options["time_steps"] = STEPS if "bound" in options else None
    if "hold" in options:
        options["hold"] = np.swapaxes(options["hold"], 0, 1)
    inputs, state = np.swapaxes(arrays["inputs"], 0, 1), [arrays["h0"]]
    outputs, *_ = reference.ind_rnn(arrays, inputs, None, state, **options)
    return np.swapaxes(outputs, 0, 1)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients(case, mode):
    arrays, options = problem(**CASES[case])

    def call(**tensors):
        hold = options.get("hold")
        hold = None if hold is None else ops.convert_to_tensor(hold)
        return ind_rnn(**tensors, **{**options, "hold": hold})

    shape = (TIME, BATCH, UNITS)
    found, gradients = differentiate(call, arrays, shape, mode, FREE)
    np.testing.assert_allclose(found, oracle(arrays, options), atol=1e-9)
    assert_is_gradient(gradients, arrays, lambda arrays: oracle(arrays, options))
    if "bound" in options:
        beyond = np.abs(arrays["recurrent_kernel"]) > options["bound"]
        np.testing.assert_array_equal(gradients["recurrent_kernel"] == 0, beyond)


def test_a_weight_on_the_bound_is_exact_and_gets_a_gradient():
    arrays, _ = problem()
    bound = 2 ** (1 / 5000)
    arrays["recurrent_kernel"] = np.full(UNITS, bound)
    found, gradients = differentiate(
        lambda **tensors: ind_rnn(**tensors, activation="tanh", bound=bound),
        arrays,
        (TIME, BATCH, UNITS),
        "eager",
        FREE,
    )
    options = {"activation": "tanh"}
    np.testing.assert_allclose(found, oracle(arrays, options), atol=1e-12)
    assert gradients["recurrent_kernel"].all()


def test_half_of_the_rectified_units_are_silent():
    """Else the slope of relu would not be tested."""
    outputs = oracle(*problem())
    assert 0.2 < (outputs == 0).mean() < 0.8
