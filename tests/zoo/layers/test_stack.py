import keras
import pytest

from tests.backend import numbers
from tests.contract import UNITS, RecurrentContract, close, some_data
from tests.reference import zoneout_lstm
from zoo.layers import Bidirectional, Stack, ZoneoutLSTM

LOWER = {"zoneout_h": 0.3, "layer_norm": True}
UPPER = {"zoneout_c": 0.4}


class TestStack(RecurrentContract):
    layer_class = Stack
    required = {"layers": [ZoneoutLSTM(UNITS)]}
    options = {
        "layers": [
            ZoneoutLSTM(3, return_sequences=True, return_state=True, **LOWER),
            ZoneoutLSTM(UNITS, return_state=True, **UPPER),
        ],
        "return_state": True,
    }
    random = True
    narrow = 0.3  # a step of 1/256 in each of two layers, on gradients of both

    def make(self, return_sequences=False, return_state=False, dtype=None, **options):
        seed = options.pop("seed", None)
        common = {"return_state": return_state, "dtype": dtype, "seed": seed}
        lower = ZoneoutLSTM(3, return_sequences=True, **common, **LOWER)
        upper = ZoneoutLSTM(UNITS, return_sequences=return_sequences, **common, **UPPER)
        return Stack([lower, upper], return_state=return_state, **options)

    def equation(self, layer, inputs, mask, state):
        lower, upper = (
            {w.name: numbers(w)[0] for w in one.weights} for one in layer.layers
        )
        inputs, _, first = zoneout_lstm(lower, inputs, mask, state[:2], **LOWER)
        outputs, last, second = zoneout_lstm(upper, inputs, mask, state[2:], **UPPER)
        return outputs, last, first + second


class TestOtherStacks:
    def test_carries_masks_and_states_through_bidirectional_layers(self):
        common = {"return_sequences": True, "return_state": True}
        lower = Bidirectional(ZoneoutLSTM(3, **common))
        upper = Stack([ZoneoutLSTM(UNITS, reverse=True, **common)], return_state=True)
        stack = Stack([lower, upper], return_state=True)
        inputs, mask = some_data()
        state = TestStack().state(stack)
        got = numbers(stack(inputs, mask=mask, initial_state=state))
        middle, *first = lower(inputs, mask=mask, initial_state=state[:4])
        outputs, *second = upper(middle, mask=mask, initial_state=state[4:])
        close(got, numbers([outputs, *first, *second]), 1e-6)

    def test_a_single_layer_is_itself(self):
        layer = ZoneoutLSTM(UNITS)
        inputs, mask = some_data()
        close(numbers(Stack([layer])(inputs, mask=mask)), numbers(layer(inputs, mask)))

    def test_empty(self):
        with pytest.raises(ValueError, match="at least one"):
            Stack([])

    def test_only_recurrent_layers(self):
        with pytest.raises(ValueError, match="must be recurrent layers"):
            Stack([ZoneoutLSTM(UNITS, return_sequences=True), keras.layers.Dense(3)])

    def test_layers_that_return_no_sequence(self):
        with pytest.raises(ValueError, match="'lower' must have return_sequences=True"):
            Stack([ZoneoutLSTM(UNITS, name="lower"), ZoneoutLSTM(UNITS)])

    def test_layers_that_disagree_about_states(self):
        with pytest.raises(ValueError, match="'lower' must have return_state=True"):
            Stack([ZoneoutLSTM(UNITS, name="lower")], return_state=True)
