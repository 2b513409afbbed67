"""Paths drawn step by step, held against reading them at once."""

import keras
import numpy as np
import pytest
from keras import ops

from tasks.forecast.ancestral import NextStep
from tasks.forecast.heads import get_head
from zoo.layers import Stack

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)
RANDOM = np.random.default_rng(0)
ROWS, CONTEXT, STEPS, PATHS = 3, 6, 4, 5
LAYERS = {
    "gru": {},
    "zoneout_lstm": {"zoneout_c": 0.1},
    "ind_rnn": {},
    "qrnn": {"window": 2},
}


def make(layer="gru", head="gaussian", num_layers=1):
    keras.utils.set_random_seed(1)
    encoder = Stack.of(
        layer,
        7,
        num_layers,
        return_sequences=True,
        return_state=True,
        layer_options=LAYERS[layer],
    )
    return NextStep(encoder, get_head(head, [0.2, 0.5, 0.7]))


def given(known):
    values = RANDOM.normal(size=(ROWS, CONTEXT)).astype("float32")
    missing = np.zeros((ROWS, CONTEXT), "float32")
    missing[1, 2] = 1
    told = RANDOM.normal(size=(ROWS, CONTEXT + STEPS - 1, 2)).astype("float32")
    noise = RANDOM.uniform(1e-3, 1, (ROWS, PATHS, STEPS, 2)).astype("float32")
    return values, missing, told if known else None, noise


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("layer", LAYERS)
def test_each_step_is_drawn_given_those_before(layer, num_layers, known):
    network = make(layer, num_layers=num_layers)
    values, missing, told, noise = given(known)
    paths = ops.convert_to_numpy(network(values, missing, told, noise))
    for p in range(PATHS):
        # Read as if it had been true, up to the step before the last.
        read = np.concatenate([values, paths[:, p, :-1]], 1)
        gone = np.concatenate([missing, np.zeros((ROWS, STEPS - 1), "float32")], 1)
        raw = network(read, gone, told)[:, CONTEXT - 1 :]
        wanted = ops.convert_to_numpy(network.head.sample(raw, noise[:, p]))
        np.testing.assert_allclose(paths[:, p], wanted, atol=2e-4)


@pytest.mark.parametrize("head", ["gaussian", "student_t", "quantiles", "mae"])
def test_paths_in_a_compiled_graph_are_the_same(head):
    network = make(head=head)
    values, missing, told, noise = given(True)
    wanted = ops.convert_to_numpy(network(values, missing, told, noise))
    inputs = [keras.Input(x.shape[1:]) for x in (values, missing, told, noise)]
    model = keras.Model(inputs, network(*inputs))
    model.jit_compile = keras.backend.backend() != "torch"
    found = model.predict_on_batch([values, missing, told, noise])
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_one_step_needs_nothing_known_after_it():
    values, missing, told, noise = given(True)
    paths = make()(values, missing, told[:, :CONTEXT], noise[:, :, :1])
    assert tuple(paths.shape) == (ROWS, PATHS, 1)


def test_the_first_step_does_not_depend_on_later_noise():
    network, (values, missing, told, noise) = make(), given(True)
    first = ops.convert_to_numpy(network(values, missing, told, noise))
    noise[:, :, 1:] = 0.5
    other = ops.convert_to_numpy(network(values, missing, told, noise))
    np.testing.assert_allclose(first[:, :, 0], other[:, :, 0], atol=1e-6)
    assert np.abs(first[:, :, 1:] - other[:, :, 1:]).max() > 1e-3
