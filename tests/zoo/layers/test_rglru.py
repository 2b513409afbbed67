import keras
import numpy as np
import pytest

from tests.backend import differentiate, numbers
from tests.contract import BATCH, UNITS, RecurrentContract, close, some_data
from tests.references.linear import rglru, sigmoid
from zoo.layers.rglru import RGLRU


class TestRGLRU(RecurrentContract):
    layer_class = RGLRU
    required = {"units": UNITS}
    options = {
        "units": 7,
        "project": False,
        "power": 4.0,
        "decay_range": (0.8, 0.95),
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
    # With the weights under test, the default forgets all within a few steps.
    fixed = {"power": 2.0}

    def equation(self, layer, inputs, mask, state):
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        return rglru(weights, inputs, mask, state, **self.fixed)


class TestParallelReverse(TestRGLRU):
    variant = True
    fixed = {"power": 3.0, "dropout": 0.5, "reverse": True, "engine": "parallel"}
    parts = [("reverse", slice(None), slice(None))]
    random = True


class TestOptions:
    def test_the_unit_alone(self):
        inputs, mask = some_data()
        inputs = np.concatenate([inputs, inputs[..., :1]], -1)
        layer = RGLRU(UNITS, project=False, return_sequences=True)
        (got,) = numbers(layer(inputs, mask=mask))
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        assert sorted(weights) == ["decay", "gate_bias", "gate_kernel"]
        zeros = [np.zeros((BATCH, UNITS))]
        close(got, rglru(weights, inputs, mask, zeros, project=False)[0])

    def test_the_unit_alone_needs_as_many_features_as_units(self):
        with pytest.raises(ValueError, match=r"'tagger'.*takes inputs of 4.*5, 6, 3"):
            RGLRU(UNITS, project=False, name="tagger")(some_data()[0])

    def test_decays_start_in_their_range(self):
        layer = RGLRU(500, decay_range=(0.7, 0.8), seed=1)
        layer.build((None, None, 3))
        found = sigmoid(numbers(layer.decay)[0])
        assert 0.7 <= found.min() < 0.71 and 0.79 < found.max() <= 0.8

    def test_a_shut_recurrence_gate_has_a_finite_gradient(self):
        """Where 1 - a * a is rounded to 0, its root has none."""
        layer = RGLRU(1, use_bias=False, return_sequences=True)
        layer.build((None, None, 1))
        layer.set_weights([np.ones((1, 1)), np.array([[-200.0, 0.0]]), np.zeros(1)])
        result = differentiate(layer, np.ones((1, 4, 1), "float32"))
        for gradient in [result.inputs, *result.weights]:
            assert np.isfinite(gradient).all()

    @pytest.mark.parametrize("power", [0, -1.0, np.nan, np.inf, "8", True])
    def test_bad_powers(self, power):
        with pytest.raises(ValueError, match="`power` of layer 'tagger' must be"):
            RGLRU(3, name="tagger", power=power)

    @pytest.mark.parametrize(
        "pair", [0.9, (0.9,), (0.0, 0.9), (0.9, 1.0), (0.9, 0.8), (0.1, np.nan), "ab"]
    )
    def test_bad_ranges(self, pair):
        with pytest.raises(ValueError, match="`decay_range` of layer 'tagger' must be"):
            RGLRU(3, name="tagger", decay_range=pair)

    @pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, "0.5"])
    def test_bad_rates(self, rate):
        with pytest.raises(ValueError, match="`dropout` of layer 'tagger' must be"):
            RGLRU(3, name="tagger", dropout=rate)

    def test_engines(self):
        layer = RGLRU(3, name="tagger")
        assert layer.why_not("loop") is None and layer.why_not("parallel") is None
        assert "no such engine" in layer.why_not("cudnn")
