"""What recurrent layers take beside what the contract asks of each."""

import keras
import numpy as np
import pytest

import zoo
from tests.backend import numbers
from zoo.layers import GRU, SimpleRNN, Stack, ZoneoutLSTM

INPUTS = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
MASK = np.array([[False, True, True], [True, False, True]])


@pytest.mark.parametrize("form", [np.ndarray.tolist, np.int32, np.float32])
def test_masks_may_come_in_any_form(form):
    layer = SimpleRNN(3, return_sequences=True)
    wanted = numbers(layer(INPUTS, mask=MASK))
    np.testing.assert_array_equal(numbers(layer(INPUTS, mask=form(MASK))), wanted)


def test_a_list_of_another_shape_is_named():
    with pytest.raises(ValueError, match=r"mask of shape \(batch, time\) = \(2, 3\)"):
        SimpleRNN(3)(INPUTS, mask=[[True, True]])


def test_options_may_be_numbers_of_numpy():
    layer = ZoneoutLSTM(np.int64(3), zoneout_h=np.float32(0.25))
    config = layer.get_config()
    assert type(config["units"]) is int and type(config["zoneout_h"]) is float
    assert config["units"] == 3 and config["zoneout_h"] == 0.25


@pytest.mark.parametrize("units", [0, -1, 2.0, np.float64(2), True, "3", None])
def test_other_sizes_are_refused(units):
    with pytest.raises(ValueError, match="`units` of layer .* positive integer"):
        GRU(units)


@pytest.mark.parametrize("count", [0, 1.5, "2"])
def test_a_stack_of_no_layers_is_refused(count):
    with pytest.raises(ValueError, match="`num_layers`.*positive integer"):
        Stack.of("gru", 3, count)


def test_a_name_with_a_slip_is_told_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'ZoneoutLSTM'.*AttentionCell"):
        zoo.layers.get("zoneout_lsmt", 3)


@pytest.mark.parametrize(
    ("option", "instead"),
    [
        ("go_backwards", "`reverse=True`.*`zoo.layers.Bidirectional`"),
        ("stateful", "`initial_state`.*`zoo.streams`"),
        ("unroll", "`jit_compile=True`"),
        ("use_cudnn", '`engine="cudnn"`'),
    ],
)
def test_options_of_keras_are_told_what_stands_for_them(option, instead):
    with pytest.raises(ValueError, match=f"GRU has no option `{option}`: .*{instead}"):
        GRU(3, **{option: False})


def test_the_bidirectional_layer_of_keras_is_told_of_ours():
    with pytest.raises(TypeError, match="`zoo.layers.Bidirectional`"):
        keras.layers.Bidirectional(GRU(3))
