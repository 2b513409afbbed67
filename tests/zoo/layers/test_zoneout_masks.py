"""Zoneout and dropout of the LSTM, as published: what is random, and how."""

import itertools

import keras
import numpy as np
import pytest

from tests.backend import BACKEND, differentiate, numbers
from tests.contract import FEATURES, UNITS, close
from tests.reference import zoneout_lstm
from zoo.layers import ZoneoutLSTM


def made(units=UNITS, features=FEATURES, **options):
    layer = ZoneoutLSTM(units, return_sequences=True, **options)
    layer.build((None, None, features))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape, scale=0.5) for w in layer.weights])
    return layer


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def held_units(layer, batch=32, time=32):
    """Which units of h kept their value: Boolean `(batch, time, units)`."""
    inputs, h, c = normal(batch, time, FEATURES), *normal(2, batch, layer.units)
    outputs = numbers(layer(inputs, initial_state=[h, c], training=True))[0]
    before = np.concatenate([h[:, None], outputs[:, :-1]], 1)
    return outputs == before


def held_cells(layer, batch=32, time=32):
    """Which units of c kept their value, but for the last step.

    Without kernels, h is a function of c alone: c~ = f c, h = o tanh(c~). So h stays
    as it is for a step exactly when c was held in the step before.
    """
    units = layer.units
    # Input, forget, candidate and output gate.
    bias = np.repeat(np.array([0.0, 4.0, 0.0, 0.0], "float32"), units)
    layer.set_weights([0 * w for w in layer.get_weights()[:2]] + [bias])
    h, c = normal(2, batch, units)
    inputs = np.zeros((batch, time, FEATURES), "float32")
    outputs = numbers(layer(inputs, initial_state=[h, c], training=True))[0]
    return outputs[:, 1:] == outputs[:, :-1]


def assert_rate(hits, rate, count, sigmas=5):
    spread = np.sqrt(count * rate * (1 - rate))
    assert abs(hits - count * rate) < sigmas * spread


def assert_independent(a, b, rate):
    """Two independent draws agree as often as chance has it."""
    assert_rate((a == b).sum(), rate**2 + (1 - rate) ** 2, a.size)


class TestZoneoutMasks:
    @pytest.mark.parametrize("rate", [0.05, 0.5])
    def test_frequency(self, rate):
        held = held_units(made(64, zoneout_h=rate, seed=1), 64, 64)
        assert_rate(held.sum(), rate, held.size)
        held = held_cells(made(64, zoneout_c=rate, seed=1), 64, 32)
        assert_rate(held.sum(), rate, held.size)

    @pytest.mark.parametrize(("axis", "name"), list(enumerate(["row", "step", "unit"])))
    def test_masks_are_drawn_anew_for_every(self, axis, name):
        for held in (
            held_units(made(32, zoneout_h=0.3, seed=1)),
            held_cells(made(32, zoneout_c=0.3, seed=1)),
        ):
            for a, b in itertools.combinations(np.moveaxis(held, axis, 0), 2):
                assert_independent(a, b, 0.3)

    def test_masks_are_drawn_anew_at_every_call(self):
        layer = made(32, zoneout_h=0.3, seed=1)
        for a, b in itertools.combinations([held_units(layer) for _ in range(3)], 2):
            assert_independent(a, b, 0.3)

    def test_both_states_have_their_own_mask(self):
        # Frozen cells would show in h only if h had not been held: draw one by one.
        both = made(32, zoneout_h=0.3, zoneout_c=0.3, seed=1)
        inputs, state = normal(64, 1, FEATURES), [*normal(2, 64, 32)]
        both.return_state = True
        _, h, c = numbers(both(inputs, initial_state=state, training=True))
        assert_rate((h == state[0]).sum(), 0.3, h.size)
        assert_rate((c == state[1]).sum(), 0.3, c.size)
        assert_independent(h == state[0], c == state[1], 0.3)

    def test_the_same_seed_gives_the_same_masks(self):
        a, b = (held_units(made(32, zoneout_h=0.3, seed=7)) for _ in range(2))
        np.testing.assert_array_equal(a, b)
        other = held_units(made(32, zoneout_h=0.3, seed=8))
        assert_independent(a, other, 0.3)

    @pytest.mark.parametrize("training", [False, True])
    def test_rates_of_one_hold_everything(self, training):
        layer = made(zoneout_h=1.0, zoneout_c=1.0, return_state=True)
        state = [*normal(2, 3, UNITS)]
        outputs, *states = numbers(
            layer(normal(3, 5, FEATURES), initial_state=state, training=training)
        )
        close(states, state, 1e-6)
        close(outputs, np.repeat(state[0][:, None], 5, 1), 1e-6)

    def test_rates_of_zero_change_nothing_in_training(self):
        layer, inputs = made(), normal(3, 5, FEATURES)
        calm, wild = layer(inputs), layer(inputs, training=True)
        np.testing.assert_array_equal(*numbers([calm, wild]))

    @pytest.mark.skipif(BACKEND == "torch", reason="no XLA on torch")
    def test_a_compiled_training_step_draws_anew(self):
        # Nothing is learned, so that only masks can change the loss.
        inputs = keras.Input((8, FEATURES))
        model = keras.Model(inputs, made(zoneout_h=0.3, zoneout_c=0.3)(inputs))
        model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=True)
        x, y = normal(4, 8, FEATURES), np.zeros((4, 8, UNITS), "float32")
        losses = []
        for _ in range(3):
            model.reset_metrics()
            losses.append(float(model.train_on_batch(x, y)))
        assert len(set(losses)) == 3


class TestExpectation:
    """Inference, without the reference: one step is linear in the masks."""

    def test_mixes_old_states_with_those_of_the_plain_lstm(self):
        inputs, state = normal(5, 1, FEATURES), [*normal(2, 5, UNITS)]
        plain = made(return_state=True)
        zoned = made(return_state=True, zoneout_h=0.2, zoneout_c=0.4)
        _, new_h, new_c = numbers(plain(inputs, initial_state=state))
        # new_h = o tanh(c~): the cell it shows is not zoned out.
        wanted = [0.2 * state[0] + 0.8 * new_h, 0.4 * state[1] + 0.6 * new_c]
        got = numbers(zoned(inputs, initial_state=state))
        close(got, [wanted[0][:, None], *wanted], 1e-6)

    def test_is_the_mean_of_training(self):
        rows = 20000
        inputs = np.repeat(normal(1, 1, FEATURES), rows, 0)
        state = [np.repeat(s, rows, 0) for s in normal(2, 1, UNITS)]
        layer = made(return_state=True, zoneout_h=0.2, zoneout_c=0.4, seed=1)
        run = [
            numbers(layer(inputs, initial_state=state, training=training))
            for training in (True, False)
        ]
        for wild, calm in zip(*run, strict=True):
            spread = wild.std(0) / np.sqrt(rows)
            assert (np.abs(wild.mean(0) - calm[0]) < 5 * spread + 1e-6).all()

    def test_dropout_is_off(self):
        inputs = normal(5, 6, FEATURES)
        dropped = made(dropout=0.3, recurrent_dropout=0.4)
        np.testing.assert_array_equal(*numbers([dropped(inputs), made()(inputs)]))


class TestVariationalDropout:
    def gradient(self, seed=1, time=6):
        """Gradients of inputs and initial state: zero exactly where they are dropped"""
        layer = made(32, 32, dropout=0.3, recurrent_dropout=0.4, seed=seed)
        inputs, state = normal(32, time, 32), [*normal(2, 32, 32)]
        return layer, inputs, state, differentiate(layer, inputs, None, state, True)

    def test_one_mask_for_all_steps_of_a_row(self):
        dropped = self.gradient()[-1].inputs == 0
        np.testing.assert_array_equal(dropped, dropped[:, :1].repeat(6, 1))
        assert_rate(dropped[:, 0].sum(), 0.3, 32 * 32)
        for axis in (0, 1):
            for a, b in itertools.combinations(np.moveaxis(dropped[:, 0], axis, 0), 2):
                assert_independent(a, b, 0.3)

    def test_recurrent_mask_is_the_same_at_all_steps(self):
        layer, inputs, state, result = self.gradient()
        # The first step alone, from the same seed, shows which units are dropped.
        first = self.gradient(time=1)[-1]
        dropped = first.state[0] == 0
        assert_rate(dropped.sum(), 0.4, dropped.size)
        scale = np.where(first.inputs == 0, 0, 1 / 0.7)
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        wanted, *_ = zoneout_lstm(
            weights,
            inputs * scale,
            None,
            state,
            recurrent_mask=np.where(dropped, 0, 1 / 0.6),
        )
        close(result.outputs[0], wanted, 1e-4)

    def test_masks_are_drawn_anew_at_every_call(self):
        layer, inputs, state, first = self.gradient()
        second = differentiate(layer, inputs, None, state, True)
        assert_independent(first.inputs[:, 0] == 0, second.inputs[:, 0] == 0, 0.3)


class TestDropConnect:
    def kernels(self, layer, calls=3):
        """What is left of the recurrent kernel, per call: h = tanh(...) shows it.

        With one unit of h at 1, the candidate of the first step is a row of the
        kernel; input and output gates are open, the forget gate is shut.
        """
        units = layer.units
        kernel = np.full((units, 4 * units), 0.5, "float32")
        kernel[:, : 2 * units] = kernel[:, 3 * units :] = 0
        bias = np.repeat(np.array([30.0, -30.0, 0.0, 30.0], "float32"), units)
        layer.set_weights([np.zeros((FEATURES, 4 * units)), kernel, bias])
        state = [np.eye(units, dtype="float32"), np.zeros((units, units), "float32")]
        inputs = np.zeros((units, 1, FEATURES), "float32")
        for _ in range(calls):
            h = layer(inputs, initial_state=state, training=True)
            yield np.arctanh(np.arctanh(numbers(h)[0][:, 0]))

    def test_frequency_and_scale(self):
        layer = made(64, recurrent_dropconnect=0.3, seed=1)
        for kernel in self.kernels(layer):
            dropped = np.abs(kernel) < 1e-3
            assert_rate(dropped.sum(), 0.3, kernel.size)
            close(kernel[~dropped], np.full((~dropped).sum(), 0.5 / 0.7), 1e-3)

    def test_masks_are_drawn_anew_at_every_call(self):
        layer = made(64, recurrent_dropconnect=0.3, seed=1)
        dropped = [np.abs(kernel) < 1e-3 for kernel in self.kernels(layer)]
        for a, b in itertools.combinations(dropped, 2):
            assert_independent(a, b, 0.3)

    def test_one_mask_for_all_rows_and_steps(self):
        (kernel,) = self.kernels(made(32, recurrent_dropconnect=0.3, seed=1), 1)
        scale = np.ones((32, 128))
        scale[:, 64:96] = np.where(np.abs(kernel) < 1e-3, 0, 1 / 0.7)
        # The masks of the other gates are not known: these do without the state.
        layer = made(32, recurrent_dropconnect=0.3, seed=1)
        weights = {w.name: numbers(w)[0] for w in layer.weights}
        weights["recurrent_kernel"] = weights["recurrent_kernel"] * (scale != 1)
        layer.set_weights([weights[w.name] for w in layer.weights])
        weights["recurrent_kernel"] = weights["recurrent_kernel"] * scale
        inputs, state = normal(4, 6, FEATURES), [np.zeros((4, 32))] * 2
        wanted, *_ = zoneout_lstm(weights, inputs, None, state)
        close(numbers(layer(inputs, training=True))[0], wanted, 1e-4)

    def test_is_off_at_inference(self):
        inputs = normal(5, 6, FEATURES)
        dropped = made(recurrent_dropconnect=0.4)
        np.testing.assert_array_equal(*numbers([dropped(inputs), made()(inputs)]))
