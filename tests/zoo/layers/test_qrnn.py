import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import differentiate, numbers
from tests.contract import (
    BATCH,
    FEATURES,
    TIME,
    UNITS,
    RecurrentContract,
    close,
    some_data,
)
from tests.references.linear import qrnn, sigmoid
from zoo.layers.bidirectional import Bidirectional
from zoo.layers.qrnn import QRNN


class TestQRNN(RecurrentContract):
    layer_class = QRNN
    required = {"units": UNITS}
    options = {
        "units": 7,
        "window": 3,
        "pooling": "ifo",
        "centred": True,
        "zoneout": 0.2,
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
    fixed = {"window": 3, "pooling": "fo", "zoneout": 0.3, "forget_bias": 3.0}
    random = True

    def equation(self, layer, inputs, mask, state):
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        return qrnn(weights, inputs, mask, state, **self.fixed)

    def test_initial_state_is_used_and_gets_gradient(self):
        """The old output is shown in padding that comes first, and nowhere else."""
        layer, (inputs, mask) = self.made(), some_data()
        state = self.state(layer)
        result = differentiate(layer, inputs, mask, state)
        (without,) = self.run(layer, inputs, mask)
        assert (result.outputs[0] != without).all()
        shown, *used = result.state
        if layer.pooling == "f":
            used = result.state
        else:
            first = mask[:, -1 if layer.reverse else 0]
            assert shown[~first].all() and not shown[first].any()
        for gradient in used:
            assert np.isfinite(gradient).all() and gradient[:-1].all()

    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16", "mixed_float16"])
    def test_half_precision_keeps_states_in_float32(self, policy):
        """Of the inputs in the window, what the layer saw: they come rounded."""
        layer = self.made(dtype=policy, return_state=True)
        (inputs, mask), state = some_data(), self.state(layer)
        compute = layer.compute_dtype
        outputs, *states = layer(inputs, mask=mask, initial_state=state)
        dtypes = [keras.backend.standardize_dtype(x.dtype) for x in (outputs, *states)]
        assert dtypes == [compute] + ["float32"] * len(states)
        wanted, _, end = self.equation(layer, inputs, mask, state)
        close(numbers([outputs, *states]), [wanted, *end], 0.1)
        summed = states if layer.window == 1 else states[:-1]
        for x in summed:
            x, rounded = numbers([x, ops.cast(x, compute)])
            assert (x != rounded)[:-1].mean() > 0.9, "the state was rounded"


class TestParallelReverse(TestQRNN):
    variant = True
    fixed = {
        "window": 2,
        "pooling": "ifo",
        "forget_bias": 3.0,
        "reverse": True,
        "engine": "parallel",
    }
    parts = [("reverse", slice(None), slice(None))]
    random = False


def made(**options):
    return TestQRNN().made(return_state=True, **options)


def check_equation(**options):
    """With and without mask and state, forwards and backwards, by both engines."""
    contract = TestQRNN()
    inputs, mask = some_data()
    for reverse in (False, True):
        for engine in ("loop", "parallel"):
            contract.fixed = {**options, "reverse": reverse, "engine": engine}
            layer = made(**contract.fixed)
            state = contract.state(layer)
            for valid in (None, mask):
                outputs, _, end = contract.equation(layer, inputs, valid, state)
                got = contract.run(layer, inputs, valid, state)
                close(got, [outputs, *end])


class TestPooling:
    @pytest.mark.parametrize("window", [1, 2, TIME + 2])
    @pytest.mark.parametrize("pooling", ["f", "fo", "ifo"])
    def test_equals_the_equation(self, pooling, window):
        check_equation(pooling=pooling, window=window, zoneout=0.4, use_bias=False)

    def test_zoneout_at_inference_is_the_mean_of_training(self):
        """Of all draws' states: the recurrence is linear in the random masks."""
        layer = made(pooling="f", zoneout=0.4, seed=1, dropout=0.0)
        inputs = np.repeat(some_data()[0][:1], 20000, 0)
        drawn = numbers(layer(inputs, training=True)[0])[0]
        calm = numbers(layer(inputs[:1])[0])[0]
        assert drawn.std(0).min() > 0.01
        np.testing.assert_allclose(drawn.mean(0), calm[0], atol=0.02)

    def test_zoneout_sets_forget_gates_to_one(self):
        layer = made(pooling="f", window=1, zoneout=0.4, seed=1)
        inputs = np.random.default_rng(0).normal(size=(50, 40, FEATURES))
        outputs = numbers(layer(inputs.astype("float32"), training=True)[0])[0]
        plain = made(pooling="f", window=1, zoneout=0.0)
        start = [outputs[:, :-1].reshape(-1, UNITS)]
        (alone, _) = numbers(
            plain(inputs[:, 1:].reshape(-1, 1, FEATURES), initial_state=start)
        )
        kept = outputs[:, 1:] == outputs[:, :-1]
        assert abs(kept.mean() - 0.4) < 0.02
        # What is not kept is not rescaled.
        wanted = alone.reshape(kept.shape)
        close(outputs[:, 1:][~kept], wanted[~kept])

    def test_dropout_is_the_same_for_all_steps(self):
        """Of a row of equal steps, gates are equal: also where the window is full."""
        layer = made(pooling="f", window=3, dropout=0.5, zoneout=0.0, seed=2)
        step = np.ones((1, 1, FEATURES), "float32")
        state = [np.zeros((64, UNITS)), np.ones((64, 2 * FEATURES))]
        inputs = np.tile(step, (64, 30, 1))
        outputs = numbers(layer(inputs, initial_state=state, training=True)[0])[0]
        change = np.diff(outputs, axis=1)
        # Each change is the one before, times the forget gate.
        close(change[:, 1:] * change[:, :1], change[:, :-1] * change[:, 1:2], 1e-6)
        assert len(np.unique(outputs[:, 0, 0].round(4))) > 2


class TestCentred:
    """What a layer can promise that looks ahead, and what it cannot."""

    @pytest.mark.parametrize("window", [2, 3, 4])
    def test_equals_the_equation(self, window):
        for pooling in ("f", "ifo"):
            check_equation(pooling=pooling, window=window, centred=True, zoneout=0.0)

    def test_equals_a_convolution_of_keras(self):
        layer = made(window=4, centred=True, pooling="f", zoneout=0.0)
        inputs, _ = some_data()
        theirs = keras.layers.Conv1D(2 * UNITS, 4, padding="same")
        theirs.build(inputs.shape)
        theirs.set_weights(layer.get_weights())
        z, f = np.split(numbers(theirs(inputs))[0], 2, -1)
        h = np.zeros((BATCH, UNITS))
        for t in range(TIME):
            h = sigmoid(f[:, t]) * h + (1 - sigmoid(f[:, t])) * np.tanh(z[:, t])
        close(numbers(layer(inputs))[1], h)

    def test_a_padded_row_equals_its_valid_steps_alone(self):
        layer, (inputs, mask) = made(window=3, centred=True), some_data()
        outputs, *states = numbers(layer(inputs, mask=mask))
        for row in range(BATCH - 1):
            alone, *end = numbers(layer(inputs[row : row + 1, mask[row]]))
            close(outputs[row, mask[row]], alone[0])
            close([s[row] for s in states], [s[0] for s in end])

    def test_looks_ahead_by_half_a_window(self):
        layer, (inputs, _) = made(window=5, centred=True), some_data()
        wanted = numbers(layer(inputs))[0]
        other = inputs.copy()
        other[:, 4] = 5
        got = numbers(layer(other))[0]
        close(got[:, :2], wanted[:, :2], 1e-6)
        assert (got != wanted)[:, 2:].all()

    def test_has_no_window_among_its_states(self):
        assert made(window=3, centred=True).state_sizes == (UNITS, UNITS)

    def test_cannot_run_step_by_step(self):
        layer = made(window=3, centred=True, name="encoder")
        with pytest.raises(ValueError, match="'encoder'.*1 step.*centred=False"):
            layer.step(np.zeros((2, FEATURES), "float32"))


class TestOptions:
    def test_both_directions(self):
        """The states of both, each with a window of its own."""
        inputs, mask = some_data()
        options = {"window": 3, "return_sequences": True, "return_state": True}
        both = Bidirectional(QRNN(UNITS, **options))
        outputs, *states = numbers(both(inputs, mask=mask))
        assert outputs.shape == (BATCH, TIME, 2 * UNITS)
        assert len(states) == 6
        for layer, part, own in (
            (both.forward_layer, slice(UNITS), slice(3)),
            (both.backward_layer, slice(UNITS, None), slice(3, None)),
        ):
            weights = {w.name: numbers(w)[0] for w in layer.weights}
            zeros = [np.zeros_like(s) for s in states[own]]
            wanted, _, end = qrnn(
                weights, inputs, mask, zeros, window=3, reverse=layer.reverse
            )
            close(outputs[..., part], wanted)
            close(states[own], end)

    @pytest.mark.parametrize("window", [0, -1, 2.0, True, None])
    def test_bad_windows(self, window):
        with pytest.raises(ValueError, match="`window` of layer 'tagger' must be"):
            QRNN(3, name="tagger", window=window)

    def test_bad_poolings(self):
        with pytest.raises(ValueError, match="'tagger'.*'ifo'.*Received: 'of'"):
            QRNN(3, name="tagger", pooling="of")

    @pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan, "0.5"])
    @pytest.mark.parametrize("name", ["zoneout", "dropout"])
    def test_bad_rates(self, name, rate):
        with pytest.raises(ValueError, match=f"`{name}` of layer 'tagger' must be"):
            QRNN(3, name="tagger", **{name: rate})

    @pytest.mark.parametrize("value", [2.0, None])
    def test_bias_of_the_forget_gate(self, value):
        half = keras.initializers.Constant(0.5)
        layer = QRNN(2, forget_bias=value, bias_initializer=half)
        layer.build((None, None, 3))
        wanted = np.full(6, 0.5)
        wanted[2:4] = 0.5 if value is None else value
        close(numbers(layer.bias)[0], wanted)

    @pytest.mark.parametrize("value", [np.nan, np.inf, "1", True])
    def test_bad_forget_biases(self, value):
        with pytest.raises(ValueError, match="`forget_bias` of layer 'tagger' must be"):
            QRNN(3, name="tagger", forget_bias=value)

    def test_engines(self):
        layer = QRNN(3, name="tagger")
        assert layer.why_not("loop") is None and layer.why_not("parallel") is None
        assert "no such engine" in layer.why_not("cudnn")
