import keras
import numpy as np
import pytest

from tests.backend import numbers
from tests.contract import UNITS, RecurrentContract, close, some_data
from tests.references import gated
from zoo.initializers import IRNN, SpectralRadius
from zoo.layers.simple_rnn import SimpleRNN


class TestPlain(RecurrentContract):
    layer_class = SimpleRNN
    required = {"units": UNITS}
    options = {
        "units": 7,
        "activation": "relu",
        "zoneout_h": 0.1,
        "dropout": 0.3,
        "recurrent_dropout": 0.4,
        "use_bias": False,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "recurrent_initializer": SpectralRadius(0.8, density=0.5, seed=2),
        "bias_initializer": keras.initializers.Constant(0.5),
        "kernel_regularizer": keras.regularizers.L2(0.01),
        "recurrent_regularizer": keras.regularizers.L1(0.02),
        "bias_regularizer": keras.regularizers.L2(0.03),
        "return_sequences": True,
        "return_state": True,
        "reverse": True,
        "seed": 11,
        "engine": "loop",
    }

    def equation(self, layer, inputs, mask, state):
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        return gated.simple_rnn(weights, inputs, mask, state, **self.fixed)


class TestZoneout(TestPlain):
    variant = True
    fixed = {"zoneout_h": 0.3, "recurrent_dropout": 0.2, "reverse": True}
    parts = [("reverse", slice(None), slice(None))]
    random = True

    def learner(self):
        # As few units as are tested otherwise learn this on some seeds.
        return self.make(units=12)


class TestLinear(TestPlain):
    variant = True
    fixed = {"activation": "linear"}

    def test_half_precision_keeps_states_in_float32(self):
        pytest.skip("a linear state is a product, and rounded as products are")


class TestRelu:
    """What of the contract can hold of units that are silent half of the time."""

    @pytest.mark.parametrize("option", [{}, {"zoneout_h": 0.3}, {"use_bias": False}])
    @pytest.mark.parametrize(
        "promise",
        [
            "test_returns_the_last_output",
            "test_a_split_sequence_carries_its_state",
            "test_padding_gets_no_gradient",
        ],
    )
    def test_promise(self, promise, option):
        contract = TestPlain()
        contract.fixed = {"activation": "relu", **option}
        if "use_bias" in option:
            contract.equation = lambda layer, *args: gated.simple_rnn(
                {w.name: numbers(w)[0] for w in layer.weights}, *args, activation="relu"
            )
        getattr(contract, promise)()

    def test_gradient_equals_finite_differences(self):
        contract = TestPlain()
        contract.fixed = {"activation": "relu", "zoneout_h": 0.3, "dropout": 0.2}
        contract.test_gradient_equals_finite_differences(True)


class TestOptions:
    def test_equals_keras(self):
        (inputs, _), layer = some_data(), TestPlain().made()
        theirs = keras.layers.SimpleRNN(UNITS, return_sequences=True)
        theirs.build(inputs.shape)
        theirs.set_weights(layer.get_weights())
        close(numbers(layer(inputs)), numbers(theirs(inputs)))

    def test_identity_keeps_the_state(self):
        """The promise of Le et al.: without inputs, the state stays as it is."""
        layer = SimpleRNN(UNITS, activation="relu", recurrent_initializer=IRNN())
        (inputs, _), h = some_data(), np.arange(20, dtype="float32").reshape(5, 4)
        close(numbers(layer(0 * inputs, initial_state=[h])), [h], 0)

    def test_a_linear_orthogonal_network_keeps_what_it_saw(self):
        """The promise of Henaff et al.: the state turns, and its length stays."""
        layer = SimpleRNN(UNITS, activation="linear")
        inputs = np.zeros((1, 500, 3), "float32")
        h = np.full((1, UNITS), 2.0, "float32")
        found = numbers(layer(inputs, initial_state=[h]))[0]
        close(np.linalg.norm(found), np.linalg.norm(h), 1e-3)

    def test_spectral_radius_of_the_recurrent_kernel(self):
        layer = SimpleRNN(30, recurrent_initializer=SpectralRadius(0.7))
        layer.build((None, None, 3))
        values = np.linalg.eigvals(numbers(layer.recurrent_kernel)[0])
        close(np.abs(values).max(), 0.7, 1e-4)

    @pytest.mark.parametrize("name", ["kernel", "recurrent", "bias"])
    def test_initializers_and_regularizers(self, name):
        options = {
            f"{name}_initializer": keras.initializers.Constant(2.0),
            f"{name}_regularizer": keras.regularizers.L2(0.5),
        }
        layer = SimpleRNN(2, **options)
        layer.build((None, None, 3))
        attribute = "recurrent_kernel" if name == "recurrent" else name
        weight = numbers(getattr(layer, attribute))[0]
        close(weight, np.full_like(weight, 2.0))
        close(numbers(layer.losses)[0], 0.5 * 4 * weight.size)

    @pytest.mark.parametrize("activation", ["sigmoid", None, np.tanh, ["tanh"]])
    def test_bad_activations(self, activation):
        with pytest.raises(ValueError, match=r"'reader' must be one of \['tanh', 're"):
            SimpleRNN(3, name="reader", activation=activation)

    @pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, "0.5", None, True])
    @pytest.mark.parametrize("name", ["zoneout_h", "dropout", "recurrent_dropout"])
    def test_bad_rates(self, name, rate):
        with pytest.raises(ValueError, match=f"`{name}` of layer 'reader' must be"):
            SimpleRNN(3, name="reader", **{name: rate})
