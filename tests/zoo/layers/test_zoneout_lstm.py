import keras
import numpy as np
import pytest

from tests.backend import numbers
from tests.contract import FEATURES, UNITS, RecurrentContract, close, some_data
from tests.reference import zoneout_lstm
from zoo.layers import ZoneoutLSTM


class TestPlain(RecurrentContract):
    layer_class = ZoneoutLSTM
    required = {"units": UNITS}
    options = {
        "units": 7,
        "zoneout_h": 0.1,
        "zoneout_c": 0.2,
        "dropout": 0.3,
        "recurrent_dropout": 0.4,
        "layer_norm": True,
        "use_bias": False,
        "unit_forget_bias": False,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "recurrent_initializer": keras.initializers.HeNormal(seed=2),
        "bias_initializer": keras.initializers.Constant(0.5),
        "kernel_regularizer": keras.regularizers.L2(0.01),
        "recurrent_regularizer": keras.regularizers.L1(0.02),
        "bias_regularizer": keras.regularizers.L2(0.03),
        "return_sequences": True,
        "return_state": True,
        "reverse": True,
        "seed": 11,
    }

    def equation(self, layer, inputs, mask, state):
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        return zoneout_lstm(weights, inputs, mask, state, **self.fixed)


class TestZoneout(TestPlain):
    fixed = {"zoneout_h": 0.2, "zoneout_c": 0.4}
    random = True


class TestLayerNorm(TestPlain):
    fixed = {"layer_norm": True, "zoneout_c": 0.3, "use_bias": False}
    random = True


class TestReverse(TestPlain):
    fixed = {"reverse": True, "zoneout_h": 0.2}
    parts = [("reverse", slice(None), slice(None))]
    random = True


class TestDropout(TestPlain):
    fixed = {"dropout": 0.3, "recurrent_dropout": 0.4}
    random = True
