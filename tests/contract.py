"""What every layer promises, and every recurrent one: a test method per promise.

A test class inherits a contract and says which layer it is about. See
CONTRIBUTING.md for how to add one.
"""

import inspect
import itertools
import json

import keras
import numpy as np
import pytest

from tests import fresh
from tests.backend import differentiate, numbers
from tests.numeric_contract import NumericContract
from tests.sequences import BATCH, FEATURES, TIME, UNITS, close, in_order, some_data
from zoo.streams import Stream

__all__ = [
    "BATCH",
    "FEATURES",
    "TIME",
    "UNITS",
    "LayerContract",
    "RecurrentContract",
    "close",
    "constructor_options",
    "some_data",
]
BOTH = (False, True)
# Promises that take seconds to hold.
COSTLY = (
    "test_fit_learns",
    "test_long_and_extreme",
    "test_gradients_in_bfloat16",
    "test_compiled_",
    "test_saves_and_loads",
)


def with_one(array, value):
    """A copy with this value somewhere in it."""
    array = np.array(array)
    array.reshape(-1)[array.size // 2] = value
    return array


def constructor_options(layer_class):
    """Dictionary from the names of a layer's own options to their defaults."""
    options = {}
    for base in layer_class.__mro__:
        if base is keras.layers.Layer:
            break
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters
        options = {
            **{
                name: p.default
                for name, p in parameters.items()
                if name != "self" and p.kind is not p.VAR_KEYWORD
            },
            **options,
        }
    return options


# Keras reads TensorFlow's variables in a way that NumPy 2 warns of.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
class LayerContract:
    """What every layer promises.

    Attributes:
        layer_class: The class.
        required: Arguments without which there is no layer.
        options: Every option of the constructor, none of them at its default.
    """

    layer_class = None
    required = {}
    options = {}

    def make(self, **options):
        """A layer that is not yet built."""
        return self.layer_class(**{**self.required, **options})

    def model(self):
        """A model of a layer with weights that are not the initial ones, and inputs."""
        raise NotImplementedError

    def test_config_keeps_every_option(self):
        common = {"name": "kept", "dtype": "mixed_bfloat16", "trainable": False}
        layer = self.layer_class(**self.options, **common)
        default = self.layer_class(**self.required).get_config()
        config = json.loads(json.dumps(layer.get_config()))
        for option, value in self.options.items():
            assert option in config, f"get_config lost `{option}`"
            if isinstance(value, (bool, int, float, str)):
                assert config[option] == value
            if option not in self.required:
                assert config[option] != default[option], f"`{option}` is at default"
        again = self.layer_class.from_config(config)
        assert again.get_config() == layer.get_config()
        assert (again.name, again.dtype_policy.name) == ("kept", "mixed_bfloat16")
        assert not again.trainable

    def test_unknown_options_are_not_swallowed(self):
        with pytest.raises((TypeError, ValueError), match="zoneuot"):
            self.make(zoneuot=0.1)

    def test_saves_and_loads_in_a_fresh_process(self, tmp_path):
        model, inputs = self.model()
        fresh.save(tmp_path, model, inputs)
        wanted = numbers(model(inputs))
        for got in fresh.repeat(tmp_path):
            close(got, wanted, 1e-6)


class RecurrentContract(LayerContract, NumericContract):
    """What every recurrent layer promises.

    Attributes:
        fixed: The mix of options under test.
        variant: Whether another class tests the layer too: the costly promises are then
            `slow`.
        parts: Which part of the outputs and of the states runs in which direction.
        random: Whether the layer is random in training.
    """

    fixed = {}
    variant = False
    parts = [("forward", slice(None), slice(None))]
    random = False

    def make(self, **options):
        return super().make(**{**self.fixed, **options})

    def equation(self, layer, inputs, mask, state):
        """The outputs, the last of them, and the list of final states, by NumPy."""
        raise NotImplementedError

    def made(self, **options):
        """A layer whose weights are all random: gains of one would hide faults."""
        layer = self.make(**{"return_sequences": True, **options})
        layer.build((None, None, FEATURES))
        rng = np.random.default_rng(1)
        layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
        return layer

    def state(self, layer, dtype="float32"):
        rng = np.random.default_rng(2)
        shapes = [(BATCH, n) for n in layer.state_sizes]
        return [rng.normal(size=shape).astype(dtype) for shape in shapes]

    def run(self, layer, inputs, mask=None, state=None, **options):
        outputs = layer(inputs, mask=mask, initial_state=state, **options)
        return numbers(outputs)

    def model(self):
        layer = self.made(return_state=True)
        inputs = [
            keras.Input((None, FEATURES)),
            keras.Input((None,), dtype="bool"),
            *(keras.Input((n,)) for n in layer.state_sizes),
        ]
        outputs = layer(inputs[0], mask=inputs[1], initial_state=inputs[2:])
        return keras.Model(inputs, outputs), [*some_data(), *self.state(layer)]

    @pytest.mark.parametrize("time", [1, TIME])
    def test_equals_the_equation(self, time):
        layer = self.made(return_state=True)
        inputs, mask = some_data(time=time)
        state = self.state(layer)
        zeros = [np.zeros_like(s) for s in state]
        for valid, given in ((None, None), (mask, state)):
            outputs, _, states = self.equation(layer, inputs, valid, given or zeros)
            close(self.run(layer, inputs, valid, given), [outputs, *states])

    def test_returns_the_last_output(self):
        layer = self.made(return_sequences=False)
        (inputs, mask), state = some_data(), self.state(layer)
        _, last, _ = self.equation(layer, inputs, mask, state)
        close(self.run(layer, inputs, mask, state), [last])

    @pytest.mark.parametrize("return_state", BOTH)
    @pytest.mark.parametrize("return_sequences", BOTH)
    def test_says_its_shapes(self, return_sequences, return_state):
        options = {"return_sequences": return_sequences, "return_state": return_state}
        layer, (inputs, _) = self.made(**options), some_data()
        shapes = layer.compute_output_shape(inputs.shape)
        found = [output.shape for output in self.run(layer, inputs)]
        assert found == (list(shapes) if return_state else [shapes])
        first = self.make(**options).compute_output_shape((None, None, FEATURES))
        first = first[0] if return_state else first
        assert first[:-1] == ((None, None) if return_sequences else (None,))

    def test_padding_is_invisible(self):
        layer, (inputs, mask) = self.made(return_state=True), some_data()
        wanted = self.run(layer, inputs, mask)
        for junk in (1e3, np.nan, np.inf):
            other = np.where(mask[..., None], inputs, np.float32(junk))
            close(self.run(layer, other, mask), wanted, 1e-6)
        close(self.run(layer, inputs, mask.astype("float32")), wanted, 1e-6)

    def test_a_mask_may_be_a_list(self):
        layer, (inputs, mask) = self.made(return_state=True), some_data()
        close(
            numbers(layer(inputs, mask=mask.tolist())),
            numbers(layer(inputs, mask=mask)),
        )

    def test_a_padded_row_equals_its_valid_steps_alone(self):
        layer, (inputs, mask) = self.made(return_state=True), some_data()
        outputs, *states = self.run(layer, inputs, mask)
        for row in range(BATCH - 1):
            alone, *end = self.run(layer, inputs[row : row + 1, mask[row]])
            close(outputs[row, mask[row]], alone[0])
            close([s[row] for s in states], [s[0] for s in end])

    def test_padding_gets_no_gradient(self):
        layer, (inputs, mask) = self.made(), some_data()
        state = self.state(layer)
        clean = differentiate(layer, inputs, mask, state)
        inputs[~mask] = np.nan
        result = differentiate(layer, inputs, mask, state)
        assert not result.inputs[~mask].any()
        close(result.gradients(), clean.gradients())

    def test_masked_steps_show_the_held_state(self):
        layer, (inputs, mask) = self.made(return_state=True), some_data()
        state = self.state(layer)
        outputs, *states = self.run(layer, inputs, mask, state)
        for direction, features, _ in self.parts:
            shown, held = outputs[..., features], ~mask
            if direction == "reverse":
                shown, held = shown[:, ::-1], held[:, ::-1]
            before, after, held = shown[:, :-1], shown[:, 1:], held[:, 1:]
            np.testing.assert_array_equal(after[held], before[held])
            assert (after[~held] != before[~held]).all()
        for before, after in zip(state, states, strict=True):
            np.testing.assert_array_equal(after[-1], before[-1])  # the empty row

    def test_rows_do_not_mix(self):
        layer, (inputs, mask) = self.made(return_state=True), some_data()
        wanted = self.run(layer, inputs, mask)
        order = [3, 0, 4, 2, 1]
        shuffled = self.run(layer, inputs[order], mask[order])
        close(shuffled, [x[order] for x in wanted])
        alone = self.run(layer, inputs[2:3], mask[2:3])
        close(alone, [x[2:3] for x in wanted])

    def test_the_future_is_invisible(self):
        layer, (inputs, _) = self.made(), some_data()
        (wanted,) = self.run(layer, inputs)
        for direction, features, _ in self.parts:
            past, future = in_order(direction)
            other = inputs.copy()
            other[:, future] = 5
            (got,) = self.run(layer, other)
            close(got[:, past, features], wanted[:, past, features], 1e-6)
            assert (got != wanted)[:, future, features].all()

    def test_a_split_sequence_carries_its_state(self):
        layer, (inputs, mask) = self.made(return_state=True), some_data()
        wanted, *end = self.run(layer, inputs, mask)
        for direction, features, own in self.parts:
            state = [np.zeros((BATCH, n), "float32") for n in layer.state_sizes]
            for cut in in_order(direction):
                outputs, *new = self.run(layer, inputs[:, cut], mask[:, cut], state)
                close(outputs[..., features], wanted[:, cut, features])
                state[own] = new[own]
            close(state[own], end[own])

    def test_initial_state_is_used_and_gets_gradient(self):
        layer, (inputs, mask) = self.made(), some_data()
        state = self.state(layer)
        result = differentiate(layer, inputs, mask, state)
        (without,) = self.run(layer, inputs, mask)
        assert (result.outputs[0] != without).all()
        for i, gradient in enumerate(result.state):
            assert np.isfinite(gradient).all()
            assert gradient[:-1].all(), f"state {i} has no gradient"

    def test_training_is_random_and_reproducible(self):
        inputs, _ = some_data()
        first, second = self.made(seed=3), self.made(seed=3)
        runs = [self.run(first, inputs, training=True)[0] for _ in range(2)]
        again = [self.run(second, inputs, training=True)[0] for _ in range(2)]
        close(again, runs, 1e-6)
        calm = self.run(first, inputs)[0]
        np.testing.assert_array_equal(calm, self.run(first, inputs)[0])
        if self.random:
            # Not seed 4: Keras on torch adds up the seed and the number of the call.
            other = self.run(self.made(seed=400), inputs, training=True)[0]
            for a, b in itertools.combinations([*runs, calm, other], 2):
                assert (a != b).mean() > 0.2
        else:
            close(runs, [calm, calm])

    def test_a_global_seed_makes_training_reproducible(self):
        runs, (inputs, _) = [], some_data()
        for _ in BOTH:
            keras.utils.set_random_seed(5)
            runs.append(self.run(self.made(), inputs, training=True)[0])
        close(runs[0], runs[1], 1e-6)

    def test_steps_equal_the_whole(self):
        layer, (inputs, _) = self.made(return_state=True), some_data()
        if not hasattr(layer, "step"):
            pytest.skip("this layer does not run step by step")
        wanted, *end = self.run(layer, inputs)
        order, state = range(TIME), None
        if self.parts[0][0] == "reverse":
            order = reversed(order)
        for t in order:
            output, state = layer.step(inputs[:, t], state)
            close(numbers(output), [wanted[:, t]])
        close(numbers(state), end)

    def test_compiled_steps_equal_the_whole(self):
        layer, (inputs, _) = self.made(return_state=True), some_data()
        if not hasattr(layer, "step") or self.parts[0][0] == "reverse":
            pytest.skip("this layer is no stream")
        wanted, *end = self.run(layer, inputs)
        stream = Stream(layer)
        outputs = [numbers(stream(inputs[:, t]))[0] for t in range(TIME)]
        close(np.stack(outputs, 1), wanted)
        close(numbers(stream.state), end)

    @pytest.mark.parametrize(
        "case", ["rank", "features", "states", "state", "finite", "finite state"]
    )
    def test_what_does_not_fit_a_step_is_a_clear_error(self, case):
        layer, (inputs, _) = self.made(), some_data()
        if not hasattr(layer, "step"):
            pytest.skip("this layer does not run step by step")
        state, step = self.state(layer), inputs[:, 0]
        names = [x.name for x in layer._flatten_layers()]
        wrong = {
            "rank": (inputs, None),
            "features": (step[:, :2], None),
            "states": (step, state[:-1]),
            "state": (step, [s[:, :-1] for s in state]),
            "finite": (with_one(step, np.nan), None),
            "finite state": (step, [with_one(s, np.inf) for s in state]),
        }
        with pytest.raises(ValueError) as error:
            layer.step(*wrong[case])
        assert any(f"'{name}'" in str(error.value) for name in names)

    @pytest.mark.parametrize("return_state", BOTH)
    @pytest.mark.parametrize("return_sequences", BOTH)
    def test_symbolic_shapes_equal_real_ones(self, return_sequences, return_state):
        layer = self.made(return_sequences=return_sequences, return_state=return_state)
        inputs, mask = some_data()
        real = keras.tree.flatten(layer(inputs, mask=mask))
        for batch, time in ((None, None), (BATCH, TIME)):
            symbol = keras.Input(batch_shape=(batch, time, FEATURES))
            symbols = keras.tree.flatten(layer(symbol))
            for got, wanted in zip(symbols, real, strict=True):
                size = [batch or BATCH, time or TIME, *wanted.shape[2:]]
                if len(wanted.shape) == 2:
                    size = [batch or BATCH, wanted.shape[1]]
                assert [n or m for n, m in zip(got.shape, size, strict=True)] == size
                assert list(wanted.shape) == size
                dtype = keras.backend.standardize_dtype(wanted.dtype)
                assert got.dtype == dtype
        masks = layer.compute_mask(inputs, mask)
        assert len(masks if isinstance(masks, tuple) else [masks]) == len(real)

    @pytest.mark.parametrize(
        "case",
        ["rank", "features", "mask", "time", "states", "state", "one state"]
        + ["finite", "finite state"],
    )
    def test_what_does_not_fit_is_a_clear_error(self, case):
        layer, (inputs, mask) = self.made(), some_data()
        state = self.state(layer)
        names = [x.name for x in layer._flatten_layers()]
        wrong = {
            "rank": (inputs[0], None, None),
            "features": (inputs[..., :2], None, None),
            "mask": (inputs, mask[:, :-1], None),
            "time": (inputs[:, :0], None, None),
            "states": (inputs, None, state[:-1]),
            "state": (inputs, None, [s[:, :-1] for s in state]),
            "one state": (inputs, None, state[0]),
            "finite": (with_one(inputs, np.nan), None, None),
            "finite state": (inputs, None, [with_one(s, np.inf) for s in state]),
        }
        with pytest.raises(ValueError) as error:
            self.run(layer, *wrong[case])
        assert any(f"'{name}'" in str(error.value) for name in names)

    def learner(self):
        """The layer that is to learn: a few units and much noise may be too little."""
        return self.make()

    def sequences(self, rng):
        """What the first step read shows is asked for after twenty steps of noise."""
        labels = rng.integers(0, 2, (512, 1))
        inputs = 0.1 * rng.normal(size=(512, 20, FEATURES)).astype("float32")
        inputs[:, 0 if self.parts[0][0] == "forward" else -1] = 4 * labels - 2
        return inputs, labels

    def test_fit_learns_to_remember(self):
        rng = np.random.default_rng(0)
        seen, unseen = self.sequences(rng), self.sequences(rng)
        keras.utils.set_random_seed(1)
        layers = [self.learner(), keras.layers.Dense(1)]
        model = keras.Sequential([keras.Input((20, FEATURES)), *layers])
        model.compile(
            keras.optimizers.Adam(0.03),
            keras.losses.BinaryCrossentropy(from_logits=True),
        )
        # Many and small steps: that training gets there is promised, not how soon.
        # 128 sequences are learned by heart by some layers on some seeds.
        model.fit(*seen, batch_size=32, epochs=20, verbose=0)
        for inputs, labels in (seen, unseen):
            (logits,) = numbers(model(inputs))
            assert ((logits > 0) == labels).mean() > 0.95
