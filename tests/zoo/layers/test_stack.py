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

    def make(self, return_sequences=False, return_state=False, dtype=None, **options):
        seed = options.pop("seed", None)
        common = {"return_state": return_state, "dtype": dtype, "seed": seed}
        lower = ZoneoutLSTM(3, return_sequences=True, **common, **LOWER)
        upper = ZoneoutLSTM(
            UNITS, return_sequences=return_sequences, **common, **UPPER
        )
        return Stack([lower, upper], return_state=return_state, **options)

    def equation(self, layer, inputs, mask, state):
        lower, upper = (
            {w.name: numbers(w)[0] for w in one.weights} for one in layer.layers
        )
        inputs, _, first = zoneout_lstm(lower, inputs, mask, state[:2], **LOWER)
        outputs, last, second = zoneout_lstm(upper, inputs, mask, state[2:], **UPPER)
        return outputs, last, first + second


class TestStackOfBoth(RecurrentContract):
    """A bidirectional layer below, one that runs backwards above."""
