import keras
import numpy as np
import pytest

from tests.backend import numbers
from tests.contract import FEATURES, UNITS, RecurrentContract, close, some_data
from tests.references.linear import min_lstm
from zoo.layers.min_lstm import MinLSTM


class TestMinLSTM(RecurrentContract):
    layer_class = MinLSTM
    required = {"units": UNITS}
    options = {
        "units": 7,
        "activation": "tanh",
        "forget_bias": 2.0,
        "dropout": 0.3,
        "use_bias": False,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "bias_initializer": keras.initializers.Constant(0.5),
        "kernel_regularizer": keras.regularizers.L2(0.01),
        "bias_regularizer": keras.regularizers.L2(0.03),
        "return_sequences": True,
        "return_state": True,
        "reverse": True,
        "seed": 11,
        "engine": "loop",
    }
    fixed = {"forget_bias": 4.0}

    def learner(self):
        # Without products of states it depends on where it starts: six units do.
        return self.make(units=6, forget_bias=6.0)

    def equation(self, layer, inputs, mask, state):
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        return min_lstm(weights, inputs, mask, state, **self.fixed)


class TestParallelReverse(TestMinLSTM):
    variant = True
    fixed = {
        "activation": "g",
        "forget_bias": 4.0,
        "dropout": 0.5,
        "reverse": True,
        "engine": "parallel",
    }
    parts = [("reverse", slice(None), slice(None))]
    random = True


class TestOptions:
    @pytest.mark.parametrize("activation", [None, "g", "tanh", keras.ops.tanh])
    def test_activations(self, activation):
        layer = MinLSTM(
            UNITS, activation=activation, return_sequences=True, use_bias=False
        )
        inputs, mask = some_data()
        (got,) = numbers(layer(inputs, mask=mask))
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        zeros = [np.zeros((len(inputs), UNITS))]
        name = activation if activation in (None, "g") else "tanh"
        close(got, min_lstm(weights, inputs, mask, zeros, activation=name)[0])

    @pytest.mark.parametrize("activation", [None, "g", "tanh"])
    def test_activations_come_back_from_the_config(self, activation):
        config = MinLSTM(3, activation=activation).get_config()
        assert config["activation"] == activation
        again = MinLSTM.from_config(config)
        assert again.activation is MinLSTM(3, activation=activation).activation

    def test_unknown_activations(self):
        with pytest.raises(ValueError, match="'tagger'.*'g'.*Received: 'gg'"):
            MinLSTM(3, name="tagger", activation="gg")

    @pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, "0.5"])
    def test_bad_rates(self, rate):
        with pytest.raises(ValueError, match="`dropout` of layer 'tagger' must be"):
            MinLSTM(3, name="tagger", dropout=rate)

    def test_dropout_is_the_same_for_all_steps(self):
        """A row of equal steps stays where it starts, if it starts where it ends."""
        layer = MinLSTM(UNITS, dropout=0.5, seed=1, return_sequences=True)
        inputs = np.ones((64, 2000, FEATURES), "float32")
        outputs = numbers(layer(inputs, training=True))[0]
        close(outputs[:, -1], outputs[:, -50], 1e-4)
        assert len(np.unique(outputs[:, -1, 0].round(3))) > 2

    @pytest.mark.parametrize("value", [2.0, None])
    def test_bias_of_the_forget_gate(self, value):
        half = keras.initializers.Constant(0.5)
        layer = MinLSTM(2, forget_bias=value, bias_initializer=half)
        layer.build((None, None, 3))
        wanted = np.full(6, 0.5)
        wanted[0:2] = 0.5 if value is None else value
        close(numbers(layer.bias)[0], wanted)

    @pytest.mark.parametrize("value", [np.nan, np.inf, "1", True])
    def test_bad_forget_biases(self, value):
        with pytest.raises(ValueError, match="`forget_bias` of layer 'tagger' must be"):
            MinLSTM(3, name="tagger", forget_bias=value)

    def test_engines(self):
        layer = MinLSTM(3, name="tagger")
        assert layer.why_not("loop") is None and layer.why_not("parallel") is None
        assert "no such engine" in layer.why_not("cudnn")

    def test_gates_that_are_both_shut_share_evenly(self):
        """f / (f + i), where both are 0 in float32."""
        layer = MinLSTM(1, return_sequences=True)
        layer.build((None, None, 1))
        layer.set_weights([np.array([[-1.0, -1.0, 0.0]]), np.array([0.0, 0.0, 2.0])])
        inputs = np.full((1, 3, 1), 1000.0, "float32")
        close(numbers(layer(inputs))[0].ravel(), np.array([1, 1.5, 1.75]))
