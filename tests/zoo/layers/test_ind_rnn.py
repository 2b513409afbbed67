import keras
import numpy as np
import pytest

from tests.backend import BACKEND, numbers
from tests.contract import FEATURES, UNITS, RecurrentContract, close, some_data
from tests.references.ind_rnn import ind_rnn
from zoo.layers.ind_rnn import IndRNN


class TestTanh(RecurrentContract):
    layer_class = IndRNN
    required = {"units": UNITS}
    fixed = {"activation": "tanh", "time_steps": 20, "long_memory": True}
    options = {
        "units": 7,
        "activation": "tanh",
        "time_steps": 100,
        "long_memory": True,
        "dropout": 0.3,
        "use_bias": False,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "recurrent_initializer": keras.initializers.RandomUniform(0, 0.9, seed=2),
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

    def made(self, **options):
        """Recurrent weights are not small, as a state would soon be forgotten."""
        layer = super().made(**options)
        n = layer.units
        weights = np.linspace(0.6, 1.2, n) * np.where(np.arange(n) % 2, -1, 1)
        layer.recurrent_kernel.assign(weights)
        return layer

    def equation(self, layer, inputs, mask, state):
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        return ind_rnn(weights, inputs, mask, state, **self.fixed)


class TestDropout(TestTanh):
    variant = True
    fixed = {"activation": "tanh", "dropout": 0.3, "reverse": True}
    parts = [("reverse", slice(None), slice(None))]
    random = True

    def learner(self):
        # Recurrent weights from all of [0, 1] forget on half of the seeds.
        return self.make(time_steps=20, long_memory=True)


class TestUnbounded:
    """What of the contract can hold of units that are silent, or that grow."""

    def contract(self, **options):
        contract = TestTanh()
        contract.fixed = {"activation": "relu", **options}
        return contract

    @pytest.mark.parametrize(
        "options",
        [{}, {"time_steps": 5, "reverse": True}, {"activation": "linear"}],
    )
    @pytest.mark.parametrize(
        "promise",
        [
            "test_returns_the_last_output",
            "test_padding_is_invisible",
            "test_padding_gets_no_gradient",
            "test_rows_do_not_mix",
        ],
    )
    def test_promise(self, promise, options):
        getattr(self.contract(**options), promise)()

    def test_a_split_sequence_carries_its_state(self):
        self.contract().test_a_split_sequence_carries_its_state()

    @pytest.mark.parametrize("activation", ["relu", "linear"])
    def test_gradient_equals_finite_differences(self, activation):
        contract = self.contract(activation=activation, dropout=0.2, time_steps=5)
        contract.test_gradient_equals_finite_differences(True)

    @pytest.mark.skipif(BACKEND == "torch", reason="no XLA on torch")
    def test_compiled_equals_eager(self):
        self.contract(time_steps=5).test_compiled_equals_eager()

    def test_learns_to_remember(self):
        contract = self.contract(time_steps=20, long_memory=True, units=16)
        contract.test_fit_learns_to_remember()

    def test_without_bias(self):
        contract = self.contract()
        layer, (inputs, mask) = contract.made(use_bias=False), some_data()
        assert [w.name for w in layer.weights] == ["kernel", "recurrent_kernel"]
        state = contract.state(layer)
        wanted, *_ = contract.equation(layer, inputs, mask, state)
        close(contract.run(layer, inputs, mask, state), [wanted])


class TestBound:
    """|u| <= 2^(1/T), the promise of the paper."""

    def beyond(self, **options):
        """A layer whose recurrent weights are all at 2."""
        layer = IndRNN(
            UNITS,
            time_steps=10,
            return_sequences=True,
            recurrent_initializer=keras.initializers.Constant(2.0),
            **options,
        )
        layer.build((None, None, FEATURES))
        return layer

    def test_holds_in_the_forward_pass(self):
        layer, h = self.beyond(), np.ones((3, UNITS), "float32")
        inputs = np.zeros((3, 10, FEATURES), "float32")
        outputs = numbers(layer(inputs, initial_state=[h]))[0]
        wanted = 2 ** (np.arange(1, 11) / 10)
        close(outputs, np.broadcast_to(wanted[:, None], outputs.shape), 1e-6)

    @pytest.mark.parametrize("jit", [False, BACKEND != "torch"])
    def test_an_optimizer_moves_weights_back_onto_it(self, jit):
        layer = self.beyond()
        model = keras.Sequential([keras.Input((None, FEATURES)), layer])
        model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=jit)
        x, y = np.ones((2, 5, FEATURES)), np.ones((2, 5, UNITS))
        model.fit(x.astype("float32"), y.astype("float32"), verbose=0)
        bound = np.full(UNITS, 2 ** (1 / 10), "float32")
        np.testing.assert_array_equal(numbers(layer.recurrent_kernel)[0], bound)

    def test_a_weight_on_the_bound_can_leave_it(self):
        layer = self.beyond()
        layer.recurrent_kernel.assign(np.full(UNITS, layer.recurrent_bound))
        model = keras.Sequential([keras.Input((None, FEATURES)), layer])
        model.compile(keras.optimizers.SGD(1e-3), "mse")
        layer.kernel.assign(np.ones((FEATURES, UNITS)))
        x, y = np.ones((2, 5, FEATURES)), np.zeros((2, 5, UNITS))
        model.fit(x.astype("float32"), y.astype("float32"), verbose=0)
        weights = numbers(layer.recurrent_kernel)[0]
        assert (weights < layer.recurrent_bound - 1e-4).all()

    def test_without_time_steps_there_is_none(self):
        layer = IndRNN(3)
        layer.build((None, None, 2))
        assert layer.recurrent_bound is None
        assert layer.recurrent_kernel.constraint is None

    @pytest.mark.parametrize(
        ("options", "low", "high"),
        [
            ({}, 0, 1),
            ({"time_steps": 2}, 0, 2**0.5),
            ({"time_steps": 2, "long_memory": True}, 2**-0.5, 2**0.5),
        ],
    )
    def test_initial_weights_fill_their_range(self, options, low, high):
        layer = IndRNN(1000, seed=3, **options)
        layer.build((None, None, 2))
        weights = numbers(layer.recurrent_kernel)[0]
        slack = 0.02 * (high - low)
        assert low <= weights.min() < low + slack
        assert high - slack < weights.max() <= np.float32(high)

    def test_layers_do_not_start_alike(self):
        keras.utils.set_random_seed(1)
        layers = [IndRNN(8), IndRNN(8)]
        for layer in layers:
            layer.build((None, None, 8))
        a, b = (numbers(layer.weights) for layer in layers)
        assert all((x != y).all() for x, y in zip(a[:2], b[:2], strict=True))


class TestOptions:
    @pytest.mark.parametrize("steps", [0, -1, 2.5, "9", True])
    def test_bad_time_steps(self, steps):
        with pytest.raises(ValueError, match="`time_steps` of layer 'reader' must be"):
            IndRNN(3, name="reader", time_steps=steps)

    def test_long_memory_needs_time_steps(self):
        with pytest.raises(ValueError, match="'reader' needs `time_steps`"):
            IndRNN(3, name="reader", long_memory=True)

    def test_bad_activation(self):
        with pytest.raises(ValueError, match="'reader' must be one of"):
            IndRNN(3, name="reader", activation="sigmoid")

    @pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, "0.5", None, True])
    def test_bad_rates(self, rate):
        with pytest.raises(ValueError, match="`dropout` of layer 'reader' must be"):
            IndRNN(3, name="reader", dropout=rate)

    def test_dropout_is_the_same_for_all_steps(self):
        layer = IndRNN(1, dropout=0.5, seed=1, return_sequences=True)
        layer.build((None, None, FEATURES))
        kernel, recurrent, bias = layer.get_weights()
        layer.set_weights([np.ones_like(kernel), 0 * recurrent, bias])
        outputs = layer(np.ones((64, 9, FEATURES), "float32"), training=True)
        outputs = numbers(outputs)[0][:, :, 0]
        np.testing.assert_array_equal(outputs, np.repeat(outputs[:, :1], 9, 1))
        assert set(np.unique(outputs)) == {0.0, 2.0, 4.0, 6.0}
