import keras
import numpy as np
import pytest
from keras import ops

from tests.backend import BACKEND, differentiate, numbers
from tests.contract import (
    BATCH,
    FEATURES,
    TIME,
    UNITS,
    RecurrentContract,
    close,
    some_data,
)
from tests.references.ntm import ntm
from zoo.layers import NTM


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


class TestNTM(RecurrentContract):
    layer_class = NTM
    required = {"units": UNITS}
    options = {
        "units": 7,
        "controller": "feed_forward",
        "controller_units": 5,
        "memory_slots": 9,
        "memory_width": 3,
        "read_heads": 2,
        "write_heads": 3,
        "shift_range": 2,
        "initial_memory": 0.1,
        "clip": 5.0,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.3, seed=1),
        "recurrent_initializer": keras.initializers.HeNormal(seed=2),
        "return_sequences": True,
        "return_state": True,
        "reverse": True,
        "seed": 11,
        "engine": "loop",
    }
    fixed = {
        "controller_units": 8,
        "memory_slots": 6,
        "memory_width": 5,
        "read_heads": 2,
        "write_heads": 2,
    }

    @pytest.mark.slow
    def test_fit_learns_to_remember(self):
        super().test_fit_learns_to_remember()

    def state(self, layer, dtype="float32"):
        """Random states; weightings are such as heads have."""
        state = super().state(layer, dtype)
        logits = state[1].reshape(BATCH, -1, layer.memory_slots)
        first = softmax(numbers(layer.first_weightings)[0])
        state[1] = (softmax(logits) - first).reshape(BATCH, -1).astype(dtype)
        return state

    def reference(self, layer, inputs, mask, state):
        names = {"memory_slots": "slots", "memory_width": "width"}
        names |= {n: n for n in ("read_heads", "write_heads", "shift_range", "reverse")}
        names |= {n: n for n in ("initial_memory", "clip")}
        sizes = {short: getattr(layer, name) for name, short in names.items()}
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        return ntm(weights, inputs, mask, state, **sizes)

    def equation(self, layer, inputs, mask, state):
        return self.reference(layer, inputs, mask, state)[:3]

    def test_weightings_equal_the_equation(self):
        layer, (inputs, mask) = self.made(), some_data()
        state = self.state(layer)
        zeros = [np.zeros_like(s) for s in state]
        for valid, given in ((None, None), (mask, state)):
            wanted = self.reference(layer, inputs, valid, given or zeros)[3]
            read, write = numbers(layer.weightings(inputs, valid, given))
            assert read.shape == (BATCH, TIME, layer.read_heads, layer.memory_slots)
            close(np.concatenate([read, write], 2), wanted)
            close(read.sum(-1), np.ones(read.shape[:3]))

    def test_weightings_see_no_padding(self):
        layer, (inputs, mask) = self.made(), some_data()
        other = np.where(mask[..., None], inputs, np.float32(np.nan))
        wanted = numbers(layer.weightings(inputs, mask))
        close(numbers(layer.weightings(other, mask)), wanted, 1e-6)


# Compiling a machine takes long; the test after this class is the fast one.
@pytest.mark.slow
class TestFeedForward(TestNTM):
    fixed = {
        **TestNTM.fixed,
        "controller": "feed_forward",
        "read_heads": 1,
        "write_heads": 1,
        "shift_range": 2,
        "initial_memory": 0.1,
        "clip": 8.0,
        "reverse": True,
    }
    parts = [("reverse", slice(None), slice(None))]

    def test_initial_state_is_used_and_gets_gradient(self):
        """The controller's own state is but shown where steps are masked."""
        layer, (inputs, mask) = self.made(), some_data()
        *used, shown = differentiate(layer, inputs, mask, self.state(layer)).state
        assert all(gradient[:-1].all() for gradient in used)
        assert shown[~mask[:, -1]].all() and not shown[mask[:, -1]].any()


def test_a_feed_forward_controller_equals_the_equation():
    contract, (inputs, mask) = TestFeedForward(), some_data()
    layer = contract.made(return_state=True)
    state = contract.state(layer)
    outputs, _, states = contract.equation(layer, inputs, mask, state)
    close(contract.run(layer, inputs, mask, state), [outputs, *states])


class TestMemory:
    """What the memory is, and that nothing the inputs do can break it."""

    def test_is_constant_at_first(self):
        """Zeros of the state are the constant, whatever the batch."""
        layer = NTM(2, memory_slots=4, memory_width=3, controller_units=5)
        layer.build((None, None, FEATURES))
        for batch in (1, 7):
            memory, *_ = layer.get_initial_state(batch)
            assert tuple(memory.shape) == (batch, 12)
            assert not numbers(memory)[0].any()
        count = sum(int(np.prod(w.shape)) for w in layer.weights)
        sizes = {w.name: tuple(w.shape) for w in layer.weights}
        assert sizes["first_weightings"] == (2, 4)
        assert sizes["first_read"] == (1, 3)
        assert count == 4 * 5 * (FEATURES + 3 + 5 + 1) + 6 * (2 * 9 + 6) + 9 * 2 + 11

    def test_slots_do_not_start_alike(self):
        layer = NTM(2)
        layer.build((None, None, FEATURES))
        first = numbers(layer.first_weightings)[0]
        assert len(np.unique(first)) == first.size

    @pytest.mark.parametrize("controller", ["lstm", "feed_forward"])
    def test_extreme_inputs_leave_everything_finite(self, controller):
        run_to_extremes(controller, 2_000)

    @pytest.mark.slow
    @pytest.mark.parametrize("controller", ["lstm", "feed_forward"])
    def test_a_hundred_thousand_extreme_steps(self, controller):
        run_to_extremes(controller, 100_000)

    def test_gradients_through_extreme_inputs_are_finite(self):
        """Of zeros, and of jumps between large numbers."""
        layer = NTM(3, memory_slots=8, memory_width=4, controller_units=6)
        layer.build((None, None, FEATURES))
        mode = "eager" if BACKEND == "torch" else "jit"
        inputs = np.stack(extremes(40))
        for x in differentiate(layer, inputs, mode=mode).gradients():
            assert np.isfinite(x).all()

    def test_outputs_are_clipped(self):
        layer = NTM(3, clip=0.01, return_sequences=True)
        inputs, _ = some_data()
        (outputs,) = numbers(layer(inputs))
        assert np.abs(outputs).max() == np.float32(0.01)
        (free,) = numbers(NTM(3, clip=None, return_sequences=True)(inputs))
        assert np.abs(free).max() > 0.01


def extremes(time):
    """Sequences that break what is not careful."""
    rng, sign = np.random.default_rng(0), (-1.0) ** np.arange(time)[:, None]
    kinds = [
        1e4 * rng.normal(size=(time, FEATURES)),
        np.zeros((time, FEATURES)),
        1e4 * sign * np.ones(FEATURES),
        1e4 * np.sign(rng.normal(size=(time, FEATURES))),
        rng.normal(size=(time, FEATURES)),
    ]
    return [x.astype("float32") for x in kinds]


def run_to_extremes(controller, steps, length=1000):
    """Carries the state through extreme inputs, one row for each kind of them."""
    layer = NTM(
        4,
        controller=controller,
        controller_units=8,
        memory_slots=16,
        memory_width=4,
        return_sequences=True,
        return_state=True,
    )
    layer.build((None, None, FEATURES))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape, scale=2.0) for w in layer.weights])
    run = compiled(lambda inputs, *state: layer(inputs, initial_state=list(state)))
    inputs = np.stack(extremes(steps))
    state = layer.get_initial_state(len(inputs))
    for start in range(0, steps, length):
        outputs, *state = run(inputs[:, start : start + length], *state)
        assert all(np.isfinite(x).all() for x in numbers([outputs, *state]))
    memory, weightings, *_ = numbers(state)
    weightings = weightings.reshape(len(inputs), -1, 16)
    weightings = weightings + softmax(numbers(layer.first_weightings)[0])
    close(weightings.sum(-1), np.ones(weightings.shape[:2]), 1e-4)
    # A slot keeps at most what was added since it was erased last.
    assert np.abs(memory).max() < 1e4


def compiled(function):
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=True)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    import torch

    return torch.no_grad()(function)


class TestOptions:
    @pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None])
    @pytest.mark.parametrize(
        "name",
        [
            "controller_units",
            "memory_slots",
            "memory_width",
            "read_heads",
            "write_heads",
        ],
    )
    def test_bad_sizes(self, name, value):
        with pytest.raises(ValueError, match=f"`{name}` of layer 'turing'.* at least"):
            NTM(3, name="turing", **{name: value})

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("shift_range", -1),
            ("shift_range", 1.0),
            ("shift_range", 64),
            ("controller", "gru"),
            ("initial_memory", float("nan")),
            ("initial_memory", None),
            ("clip", 0),
            ("clip", float("inf")),
            ("clip", "20"),
        ],
    )
    def test_bad_options(self, name, value):
        with pytest.raises(ValueError, match=f"`{name}` of layer 'turing' .*Received"):
            NTM(3, name="turing", **{name: value})

    def test_bad_inputs_of_weightings(self):
        layer = NTM(3, name="turing")
        with pytest.raises(ValueError, match="'turing'.*shape"):
            layer.weightings(np.zeros((2, 3), "float32"))

    def test_heads_without_shift_stay_where_they_are(self):
        """With its gate closed and no shifts, a head looks where it looked first."""
        layer = NTM(3, shift_range=0, memory_slots=5, clip=None)
        layer.build((None, None, FEATURES))
        bias = np.full(layer.head_bias.shape, 0.0, "float32")
        sizes = np.cumsum(layer.machine.head_sizes)
        bias[sizes[1] : sizes[2]] = -60  # gates
        bias[sizes[3] : sizes[4]] = -60  # gamma = 1
        layer.head_bias.assign(bias)
        layer.head_kernel.assign(ops.zeros(layer.head_kernel.shape))
        inputs, _ = some_data()
        found = np.concatenate(numbers(layer.weightings(inputs)), 2)
        first = softmax(numbers(layer.first_weightings)[0])
        close(found, np.broadcast_to(first, found.shape))
