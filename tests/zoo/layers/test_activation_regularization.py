import keras
import numpy as np
import pytest

from tests.backend import numbers
from tests.contract import LayerContract, close, some_data
from zoo import regularizers
from zoo.layers.activation_regularization import ActivationRegularization

WEIGHTS = {"ar": 2.0, "tar": 1.5, "norm_stabilizer": 0.3}
PENALTIES = {
    "ar": regularizers.activation,
    "tar": regularizers.temporal_activation,
    "norm_stabilizer": regularizers.norm_stabilizer,
}


class TestActivationRegularization(LayerContract):
    layer_class = ActivationRegularization
    options = WEIGHTS

    def model(self):
        inputs = keras.Input((None, 3))
        mask = keras.Input((None,), dtype="bool")
        outputs = self.make(**WEIGHTS)(inputs, mask=mask)
        return keras.Model([inputs, mask], outputs), list(some_data())

    @pytest.mark.parametrize("masked", [False, True])
    def test_adds_weighted_penalties(self, masked):
        inputs, mask = some_data()
        mask = mask if masked else None
        layer = self.make(**WEIGHTS)
        np.testing.assert_array_equal(numbers(layer(inputs, mask=mask))[0], inputs)
        wanted = [
            weight * numbers(PENALTIES[name](inputs, mask))[0]
            for name, weight in WEIGHTS.items()
        ]
        close(numbers(layer.losses), wanted, 1e-6)

    def test_weights_of_zero_add_nothing(self):
        layer = self.make()
        layer(some_data()[0])
        assert layer.losses == []

    def test_the_loss_of_a_model_has_them(self):
        inputs, _ = some_data()
        symbol = keras.Input(inputs.shape[1:])
        model = keras.Model(symbol, self.make(ar=2.0)(symbol))
        model.compile("sgd", "mse")
        loss = model.evaluate(inputs, inputs, verbose=0)
        np.testing.assert_allclose(loss, 2 * (inputs**2).mean(), 1e-5)

    @pytest.mark.parametrize("name", WEIGHTS)
    @pytest.mark.parametrize("weight", [-1, np.nan, "1", None, True])
    def test_bad_weights(self, name, weight):
        with pytest.raises(ValueError, match=f"`{name}` must be a number"):
            self.make(**{name: weight})

    def test_shapes_that_do_not_fit(self):
        inputs, mask = some_data()
        layer = self.make(ar=1.0, name="penalty")
        with pytest.raises(ValueError, match=r"'penalty' .*\(batch, time, units\)"):
            layer(inputs[0])
        with pytest.raises(ValueError, match=r"'penalty' .*mask of shape \(batch"):
            layer(inputs, mask=mask[:, :-1])
