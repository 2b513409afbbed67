import keras
import numpy as np
import pytest

from tests.backend import BACKEND, differentiate, numbers
from tests.contract import FEATURES, UNITS, RecurrentContract, close, some_data
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
        "connection": "dense",
        "dropout": 0.2,
        "normalization": "sequence_batch",
        "seed": 5,
    }
    random = True

    def make(self, return_sequences=False, return_state=False, dtype=None, **options):
        seed = options.get("seed")
        common = {"return_state": return_state, "dtype": dtype, "seed": seed}
        # Normalisation over three units would divide by what rounding has made.
        lower = ZoneoutLSTM(8, return_sequences=True, **common, **LOWER)
        upper = ZoneoutLSTM(UNITS, return_sequences=return_sequences, **common, **UPPER)
        options = {"return_state": return_state, "dtype": dtype, **options}
        return Stack([lower, upper], **options)

    def learner(self):
        # Three and four units, of which so many are held, learn this on some seeds.
        lower = ZoneoutLSTM(12, return_sequences=True, zoneout_h=0.1, layer_norm=True)
        return Stack([lower, ZoneoutLSTM(12, zoneout_c=0.1)])

    def equation(self, layer, inputs, mask, state):
        lower, upper = (
            {w.name: numbers(w)[0] for w in one.weights} for one in layer.layers
        )
        inputs, _, first = zoneout_lstm(lower, inputs, mask, state[:2], **LOWER)
        outputs, last, second = zoneout_lstm(upper, inputs, mask, state[2:], **UPPER)
        return outputs, last, first + second


def lstms(*units, **options):
    """Layers with random weights that return sequences."""
    return [ZoneoutLSTM(n, return_sequences=True, **options) for n in units]


def randomised(layer, inputs, seed=1):
    layer.build(inputs.shape)
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
    return layer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class TestConnections:
    """Three layers of the size of the inputs, or one more."""

    def made(self, connection, units=(FEATURES, FEATURES, FEATURES), **options):
        stack = Stack(lstms(*units), connection=connection, **options)
        return randomised(stack, some_data()[0])

    def by_hand(self, stack, x, mask, connect):
        """The stack from its layers; `connect` gets one's number, inputs, outputs."""
        for i, layer in enumerate(stack.layers):
            y = numbers(layer(x, mask=mask))[0]
            x = connect(i, np.where(mask[..., None], x, 0).astype("float32"), y)
        return x

    def run(self, stack, connect):
        inputs, mask = some_data()
        wanted = self.by_hand(stack, inputs, mask, connect)
        for junk in (0, np.nan):
            dirty = np.where(mask[..., None], inputs, np.float32(junk))
            got = numbers(stack(dirty, mask=mask))[0]
            close(got, np.where(mask[..., None], wanted, got))
        return got, mask

    def test_residual(self):
        stack = self.made("residual")
        assert len(stack.weights) == 9
        self.run(stack, lambda i, x, y: x + y)

    def test_highway(self):
        stack = self.made("highway")

        def connect(i, x, y):
            kernel, bias = numbers(stack.connections[i].weights)
            t = sigmoid(x @ kernel + bias)
            return t * y + (1 - t) * x

        self.run(stack, connect)

    def test_highways_begin_near_their_inputs(self):
        stack = Stack(lstms(FEATURES), connection="highway")
        stack.build((None, None, FEATURES))
        kernel, bias = numbers(stack.connections[0].weights)
        close(bias, np.full(FEATURES, -1.0))
        assert kernel.std() > 0.1

    def test_dense(self):
        stack = self.made("dense", (4, 5, 2))
        assert [x.kernel.shape[0] for x in stack.layers] == [3, 7, 12]
        self.run(stack, lambda i, x, y: y if i == 2 else np.concatenate([x, y], -1))

    @pytest.mark.parametrize("connection", ["residual", "highway"])
    def test_there_is_none_where_sizes_differ(self, connection):
        stack = self.made(connection, (4, 5))
        assert len(stack.weights) == 6
        self.run(stack, lambda i, x, y: y)

    @pytest.mark.parametrize("connection", ["residual", "highway", "dense"])
    def test_masked_steps_show_what_the_last_layer_holds(self, connection):
        stack, (inputs, mask) = self.made(connection), some_data()
        top = []
        layer = stack.layers[-1]
        call = layer.call
        layer.call = lambda *args, **kwargs: top.append(call(*args, **kwargs)) or top[0]
        got = numbers(stack(inputs, mask=mask))[0]
        np.testing.assert_array_equal(got[~mask], numbers(top[0])[0][~mask])

    @pytest.mark.parametrize("connection", ["residual", "highway"])
    def test_the_last_output_alone_has_no_connection(self, connection):
        stack, (inputs, mask) = self.made(connection, (3, 3)), some_data()
        last = Stack([*lstms(3), ZoneoutLSTM(3)], connection=connection)
        last.build(inputs.shape)
        last.set_weights([w for w in stack.get_weights()][: len(last.weights)])
        lower = Stack([last.layers[0]], connection=connection)
        lower.build(inputs.shape)
        if connection == "highway":
            weights = last.connections[0].get_weights()
            lower.connections[0].set_weights(weights)
            assert not last.connections[1].weights
        wanted = last.layers[1](lower(inputs, mask=mask), mask=mask)
        close(numbers(last(inputs, mask=mask)), numbers(wanted))

    @pytest.mark.parametrize("connection", ["residual", "highway", "dense"])
    def test_gradients_reach_all_weights(self, connection):
        stack, (inputs, mask) = self.made(connection), some_data()
        for mode in ("eager", "jit") if BACKEND == "tensorflow" else ("eager",):
            result = differentiate(stack, inputs, mask, mode=mode)
            assert all(g.any() for g in result.gradients())
            assert not result.inputs[~mask].any()

    @pytest.mark.parametrize("connection", ["residual", "highway", "dense"])
    def test_steps_equal_the_whole(self, connection):
        options = {"connection": connection, "normalization": "layer"}
        stack = Stack(lstms(4, 4, 4, return_state=True), True, **options)
        (inputs, _), stack = some_data(), randomised(stack, some_data()[0])
        wanted, *end = numbers(stack(inputs))
        state = None
        for t in range(inputs.shape[1]):
            output, state = stack.step(inputs[:, t], state)
            close(numbers(output)[0], wanted[:, t])
        close(numbers(state), end)


class TestNormalization:
    def test_all_but_the_last_outputs_are_normalised(self):
        stack = Stack(lstms(4, 5, 3), normalization="layer")
        stack = randomised(stack, some_data()[0])
        assert len(stack.weights) == 9 + 4
        inputs, mask = some_data()
        x = inputs
        for layer, connection in zip(stack.layers, stack.connections, strict=True):
            x = numbers(layer(x, mask=mask))[0]
            if connection.weights:
                gain, bias = numbers(connection.weights)
                x = x - x.mean(-1, keepdims=True)
                x = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-3)
                x = (x * gain + bias).astype("float32")
        close(numbers(stack(inputs, mask=mask))[0][mask], x[mask], 1e-4)

    def test_statistics_of_sequences_are_those_of_valid_steps(self):
        stack = Stack(lstms(4, 3), normalization="sequence_batch")
        stack = randomised(stack, some_data()[0])
        normalization = stack.connections[0].normalization
        normalization.set_weights([np.full(4, x) for x in (2.0, 0.5, 0.0, 1.0)])
        inputs, mask = some_data()
        y = numbers(stack.layers[0](inputs, mask=mask))[0]
        mean, deviation = y[mask].mean(0), y[mask].std(0)
        y = (2 * (y - mean) / np.sqrt(deviation**2 + 1e-3) + 0.5).astype("float32")
        wanted = numbers(stack.layers[1](y, mask=mask))[0]
        got = numbers(stack(inputs, mask=mask, training=True))[0]
        close(got[mask], wanted[mask], 1e-4)


class TestDropout:
    def test_one_mask_per_row_for_all_steps(self):
        """Gradients of the lower layer's outputs are zero exactly where dropped."""
        lower, upper = lstms(32, 32)
        stack = Stack([lower, upper], dropout=0.3, seed=1)
        inputs = np.random.default_rng(0).normal(size=(32, 5, 3)).astype("float32")
        randomised(stack, inputs)
        seen = []
        call = upper.call
        upper.call = lambda x, **kwargs: seen.append(x) or call(x, **kwargs)
        stack(inputs, training=True)
        (dropped,) = numbers(seen)
        zero = dropped == 0
        np.testing.assert_array_equal(zero, zero[:, :1].repeat(5, 1))
        rate, n = 0.3, 32 * 32
        assert abs(zero[:, 0].sum() - n * rate) < 5 * np.sqrt(n * rate * (1 - rate))
        whole = numbers(lower(inputs))[0]
        close(dropped[~zero], whole[~zero] / 0.7)
        stack(inputs, training=True)
        assert ((numbers(seen[1])[0] == 0) != zero).mean() > 0.2
        np.testing.assert_array_equal(numbers(stack(inputs)), numbers(stack(inputs)))

    def test_nothing_is_dropped_before_the_first_layer(self):
        stack = Stack(lstms(UNITS), dropout=0.5)
        inputs, _ = some_data()
        close(numbers(stack(inputs, training=True)), numbers(stack(inputs)))


class TestOf:
    def test_makes_layers_of_one_kind(self):
        stack = Stack.of(
            "zoneout_lstm",
            5,
            num_layers=3,
            bidirectional=True,
            return_sequences=True,
            return_state=True,
            layer_options={"zoneout_c": 0.2},
            connection="residual",
            dropout=0.1,
            seed=7,
            dtype="mixed_bfloat16",
        )
        halves = [(x.forward_layer, x.backward_layer) for x in stack.layers]
        configs = [half.get_config() for pair in halves for half in pair]
        assert len({config["seed"] for config in configs} | {stack.seed}) == 7
        assert {config["zoneout_c"] for config in configs} == {0.2}
        assert {x.compute_dtype for x in stack._flatten_layers()} == {"bfloat16"}
        assert stack.state_sizes == (5,) * 12
        outputs = stack(some_data()[0])
        assert len(outputs) == 13
        assert tuple(outputs[0].shape) == (5, 6, 10)
        again = Stack.from_config(stack.get_config())
        assert again.get_config() == stack.get_config()

    def test_only_the_last_layer_may_return_no_sequence(self):
        stack = Stack.of("zoneout_lstm", 5, 3)
        assert [x.return_sequences for x in stack.layers] == [True, True, False]
        assert tuple(stack(some_data()[0]).shape) == (5, 5)


class TestOtherStacks:
    def test_carries_masks_and_states_through_bidirectional_layers(self):
        common = {"return_sequences": True, "return_state": True}
        lower = Bidirectional(ZoneoutLSTM(3, projection=2, **common))
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

    @pytest.mark.parametrize("connection", ["highway", "dense"])
    def test_saves_and_loads(self, connection, tmp_path):
        options = {"connection": connection, "normalization": "sequence_batch"}
        stack = Stack.of("zoneout_lstm", FEATURES, 2, return_sequences=True, **options)
        randomised(stack, some_data()[0])
        for weight in stack.weights:  # no variance is negative
            if weight.name == "moving_variance":
                weight.assign(keras.ops.abs(weight))
        inputs = keras.Input((None, FEATURES))
        model = keras.Model(inputs, stack(inputs))
        model.save(tmp_path / "model.keras")
        again = keras.saving.load_model(tmp_path / "model.keras")
        close(again.get_weights(), model.get_weights(), 1e-6)
        x = some_data()[0]
        close(numbers(again(x)), numbers(model(x)), 1e-6)

    def test_layers_without_step(self):
        stack = Stack([Bidirectional(ZoneoutLSTM(3, name="both"), name="both")])
        with pytest.raises(ValueError, match="'both'.*does not run step by step"):
            stack.step(some_data()[0][:, 0])

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

    def test_layers_that_do_not_merge(self):
        layer = Bidirectional(ZoneoutLSTM(3), merge_mode=None, name="both")
        with pytest.raises(ValueError, match="'both' must merge.*merge_mode=None"):
            Stack([layer])

    @pytest.mark.parametrize(
        ("option", "value"),
        [("connection", "skip"), ("normalization", "batch"), ("dropout", 1.5)],
    )
    def test_bad_options(self, option, value):
        with pytest.raises(ValueError, match=f"`{option}` of layer 'deep' must be"):
            Stack([ZoneoutLSTM(3)], name="deep", **{option: value})
