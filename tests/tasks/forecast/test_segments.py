"""Steps out from a state: shared products, and dropout with cheap random bits."""

import keras
import numpy as np
import pytest
from keras import ops

from tasks.forecast import segments
from tasks.forecast.segments import FastDropout, SegmentDecoder
from zoo.layers import Stack

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)
RANDOM = np.random.default_rng(0)
UNITS = 6
CASES = {
    "gru": ("gru", {}),
    "gru without bias": ("gru", {"use_bias": False}),
    "gru, reset before": ("gru", {"reset_after": False}),
    "ind_rnn": ("ind_rnn", {"time_steps": 3}),
    "ind_rnn with tanh": ("ind_rnn", {"activation": "tanh"}),
    "lstm": ("zoneout_lstm", {}),
    "qrnn": ("qrnn", {"window": 2}),
}


def parts(case, num_layers=1):
    """An encoder with random weights, its decoder, and what the decoder is given."""
    layer, options = CASES[case]
    encoder = Stack.of(
        layer, UNITS, num_layers, return_state=True, layer_options=options
    )
    x = RANDOM.normal(size=(5, 4, UNITS)).astype("float32")
    _, *states = encoder(x)
    for weight in encoder.weights:
        if weight.dtype == "float32":
            noise = RANDOM.normal(0, 0.5, weight.shape)
            weight.assign(ops.convert_to_numpy(weight) + noise)
    decoder = SegmentDecoder(encoder, 3, UNITS)
    given = {
        "row": RANDOM.normal(size=(5, UNITS)).astype("float32"),
        "future": RANDOM.normal(size=(5, 3, UNITS)).astype("float32"),
    }
    return encoder, decoder, states, given


@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_each_segment_is_one_step_of_the_encoder(case, num_layers):
    encoder, decoder, states, given = parts(case, num_layers)
    found = ops.convert_to_numpy(decoder(states, **given))
    position = ops.convert_to_numpy(decoder.position)
    for s in range(3):
        x = position[s] + given["row"] + given["future"][:, s]
        wanted, *_ = encoder(x[:, None], initial_state=states)
        wanted = ops.convert_to_numpy(wanted)
        np.testing.assert_allclose(found[:, s], wanted, atol=1e-5)


@pytest.mark.parametrize("case", ["gru", "ind_rnn", "ind_rnn with tanh"])
def test_shared_products_are_used_where_they_can_be(case):
    encoder, *_ = parts(case)
    assert segments._shared_step(encoder, training=False) is not None


def test_rows_need_nothing_besides():
    _, decoder, states, _ = parts("gru")
    assert tuple(decoder(states).shape) == (5, 3, UNITS)


def test_weights_of_the_encoder_are_its_own():
    encoder, decoder, states, _ = parts("gru")
    decoder(states)
    names = [v.path for v in decoder.trainable_variables]
    assert len(names) == len(set(names)) == len(encoder.trainable_variables) + 1


class TestFastDropout:
    X = np.ones((20, 30, 40), "float32")

    def test_the_rate_is_kept(self):
        y = ops.convert_to_numpy(FastDropout(0.3, seed=1)(self.X, training=True))
        assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
        assert y.mean() == pytest.approx(1.0, abs=0.02)
        np.testing.assert_allclose(y[y > 0], 1 / 0.7, rtol=1e-6)

    def test_nothing_is_dropped_at_inference(self):
        y = ops.convert_to_numpy(FastDropout(0.3)(self.X, training=False))
        np.testing.assert_array_equal(y, self.X)

    def test_each_call_drops_others(self):
        layer = FastDropout(0.5, seed=1)
        a, b = (ops.convert_to_numpy(layer(self.X, training=True)) for _ in range(2))
        assert ((a == 0) == (b == 0)).mean() == pytest.approx(0.5, abs=0.03)

    def test_numbers_are_dropped_independently(self):
        y = ops.convert_to_numpy(FastDropout(0.5, seed=3)(self.X, training=True))
        gone = (y == 0).reshape(20, -1) - 0.5
        for lag in (1, 4, 40, 160):
            together = 4 * (gone[:, lag:] * gone[:, :-lag]).mean()
            assert abs(together) < 0.03

    @pytest.mark.parametrize("rate", [-0.1, 1.0])
    def test_rates_out_of_range_are_refused(self, rate):
        with pytest.raises(ValueError, match="below 1"):
            FastDropout(rate)

    def test_config_keeps_the_options(self):
        config = FastDropout(0.3, seed=4, name="d").get_config()
        again = FastDropout.from_config(config)
        assert (again.rate, again.seed, again.name) == (0.3, 4, "d")


def test_dropout_of_segments_is_not_that_of_inference():
    keras.utils.set_random_seed(0)
    layer = FastDropout(0.5)
    x = np.ones((4, 3, 8), "float32")
    assert (ops.convert_to_numpy(layer(x, training=True)) == 0).any()
