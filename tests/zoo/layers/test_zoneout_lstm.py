import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import numbers
from tests.contract import UNITS, RecurrentContract, close, some_data
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


class TestAgainstKeras:
    def test_equals_keras_lstm(self):
        """With the same weights, and without zoneout."""
        (inputs, mask), layer = some_data(), TestPlain().made()
        mask = np.sort(mask, 1)[:, ::-1]  # Keras has no other outputs in padding
        theirs = keras.layers.LSTM(UNITS, return_sequences=True)
        theirs.build(inputs.shape)
        theirs.set_weights(layer.get_weights())
        wanted = numbers(theirs(inputs, mask=mask))[0]
        close(numbers(layer(inputs, mask=mask))[0][mask], wanted[mask])


class TestOptions:
    """What the options of the LSTM do to its weights and losses."""

    def test_bias_of_the_forget_gate(self):
        for flag, value in ((True, 1.0), (False, 0.5)):
            half = keras.initializers.Constant(0.5)
            layer = ZoneoutLSTM(2, unit_forget_bias=flag, bias_initializer=half)
            layer.build((None, None, 3))
            wanted = [0.5, 0.5, value, value, 0.5, 0.5, 0.5, 0.5]
            close(numbers(layer.bias)[0], np.array(wanted))

    def test_without_bias(self):
        layer = ZoneoutLSTM(2, use_bias=False)
        layer.build((None, None, 3))
        assert [w.name for w in layer.weights] == ["kernel", "recurrent_kernel"]

    @pytest.mark.parametrize("name", ["kernel", "recurrent", "bias"])
    def test_initializers_and_regularizers(self, name):
        options = {
            f"{name}_initializer": keras.initializers.Constant(2.0),
            f"{name}_regularizer": keras.regularizers.L2(0.5),
        }
        layer = ZoneoutLSTM(2, unit_forget_bias=False, **options)
        layer.build((None, None, 3))
        attribute = "recurrent_kernel" if name == "recurrent" else name
        weight = numbers(getattr(layer, attribute))[0]
        close(weight, np.full_like(weight, 2.0))
        (loss,) = layer.losses
        close(ops.convert_to_numpy(loss), 0.5 * 4 * weight.size)

    @pytest.mark.parametrize("units", [0, -1, 2.0, True, "3", None])
    def test_bad_units(self, units):
        with pytest.raises(ValueError, match="'tagger' must be a positive integer"):
            ZoneoutLSTM(units, name="tagger")

    @pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, "0.5", None, True])
    @pytest.mark.parametrize(
        "name", ["zoneout_h", "zoneout_c", "dropout", "recurrent_dropout"]
    )
    def test_bad_rates(self, name, rate):
        with pytest.raises(ValueError, match=f"`{name}` of layer 'tagger' must be"):
            ZoneoutLSTM(3, name="tagger", **{name: rate})
