"""Every layer: finite values and gradients for rows without a step, one step, ten
thousand, inputs of 1e4, and half precision."""

import keras
import numpy as np
import pytest
from keras import ops

import zoo.layers
from tests.sequences import TIME
from tests.test_completeness import LAYERS, contracts

pytestmark = [
    pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs a tape"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

# What bfloat16 rounds has the range of float32.
WIDE = pytest.param("mixed_bfloat16", marks=pytest.mark.slow)
POLICIES = ("float32", "mixed_float16", WIDE)
CONTRACTS = {layer: tests[0] for layer, tests in contracts().items()}
# A CRF answers in tags; its numbers are a loss, in `test_finite_losses.py`.
LAYERS = [layer for layer in LAYERS if layer is not zoo.layers.CRF]


def nothing(array):
    """Rows in which no step counts."""
    return np.zeros_like(array) if array.dtype == bool else array


def large(array):
    return 1e4 * array if array.dtype == np.float32 and array.ndim == 3 else array


def one_step(array):
    in_time = array.ndim > 1 and array.shape[1] == TIME
    return array[:, :1] if in_time else array


def many_steps(array):
    if array.ndim < 2 or array.shape[1] != TIME:
        return array
    return np.resize(array, (2, 10_000, *array.shape[2:]))


CASES = {"no step": nothing, "1e4": large, "one step": one_step}


@pytest.fixture
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def value_and_gradients(model, inputs, scale=1.0, compiled=False):
    """Outputs of a model, and gradients of a number that all of them are part of."""
    import tensorflow as tf

    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch([x for x in inputs if x.dtype.is_floating])
            outputs = [
                o for o in keras.tree.flatten(call(model, inputs)) if is_float(o)
            ]
            losses = [ops.mean(ops.sin(ops.cast(o, "float32"))) for o in outputs]
            loss = scale * sum(losses) if losses else 0.0
        sources = [v.value for v in model.trainable_variables]
        sources += [x for x in inputs if x.dtype.is_floating]
        return outputs, [g for g in tape.gradient(loss, sources) if g is not None]

    run = tf.function(run) if compiled else run
    outputs, gradients = run([tf.constant(x) for x in inputs])
    return [
        [np.asarray(ops.cast(x, "float32")) for x in f] for f in (outputs, gradients)
    ]


def call(model, inputs):
    return model(inputs if len(inputs) > 1 else inputs[0])


def is_float(x):
    return "float" in keras.backend.standardize_dtype(x.dtype)


def check(layer, case, policy, compiled=False):
    """Tries one case on one layer, in the mix of options that its contract has."""
    keras.utils.set_random_seed(1)
    model, inputs = CONTRACTS[layer]().model()
    inputs = [case(np.asarray(x)) for x in inputs]
    if case is many_steps:
        inputs = [x[:2] for x in inputs]
    # Under float16, training scales the loss down until no gradient overflows.
    scales = 0.5 ** np.arange(20) if policy == "mixed_float16" else [1.0]
    for scale in scales:
        outputs, gradients = value_and_gradients(model, inputs, scale, compiled)
        assert outputs, "the layer says nothing in numbers"
        assert all(np.isfinite(x).all() for x in outputs)
        if all(np.isfinite(g).all() for g in gradients):
            break
    else:
        raise AssertionError("a gradient is not finite")
    assert gradients
    if case is large:
        assert any(g.any() for g in gradients), "all gradients have vanished"


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("policy", POLICIES, indirect=True)
def test_a_layer_stays_finite(layer, policy, tried):
    for case in CASES.values():
        check(layer, case, policy)
    tried(len(CASES))


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("policy", POLICIES, indirect=True)
def test_ten_thousand_steps_stay_finite(layer, policy):
    check(layer, many_steps, policy, compiled=True)


def test_a_layer_that_divides_by_nothing_is_found(monkeypatch):
    """The check can fail."""
    inside = zoo.layers.SimpleRNN.call

    def call(self, inputs, mask=None, **options):
        outputs = inside(self, inputs, mask=mask, **options)
        count = ops.sum(ops.cast(mask, "float32"), 1)[:, None]
        return keras.tree.map_structure(lambda x: x + 0.0 / ops.mean(count), outputs)

    monkeypatch.setattr(zoo.layers.SimpleRNN, "call", call)
    with pytest.raises(AssertionError):
        check(zoo.layers.SimpleRNN, nothing, "float32")
