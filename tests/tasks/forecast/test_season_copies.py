"""Mixtures of past seasons, by their equation in NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from tasks.forecast.season_copies import SeasonCopies

ROWS, TIME, SEASON, HORIZON, UNITS = 3, 14, 4, 10, 5
SEASONS, AHEAD = 3, 3


def arrays(per_season=False, missing=0.0):
    random = np.random.default_rng(0)
    shape = (ROWS, AHEAD, UNITS) if per_season else (ROWS, UNITS)
    state = random.normal(size=shape).astype("float32")
    values = random.normal(size=(ROWS, TIME)).astype("float32")
    mask = random.random((ROWS, TIME)) >= missing
    return state, values, mask


def made(state, values, mask):
    """A layer with random weights, and these."""
    layer = SeasonCopies(SEASON, HORIZON)
    layer(state, values, mask=mask)
    random = np.random.default_rng(1)
    weights = [random.normal(size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    return layer, weights


def reference(state, values, mask, kernel, bias):
    """Step by step, from the class's equation."""
    result = np.zeros((ROWS, HORIZON))
    logits = (state @ kernel + bias).reshape(ROWS, AHEAD, SEASONS)
    for row in range(ROWS):
        for step in range(HORIZON):
            block, place = divmod(step, SEASON)
            e = np.exp(logits[row, block])
            total = share = 0.0
            for s in range(SEASONS):
                time = TIME - (SEASONS - s) * SEASON + place
                if mask[row, time]:
                    total += e[s] * values[row, time]
                    share += e[s]
            result[row, step] = total / share if share else 0.0
    return result


@pytest.mark.parametrize("per_season", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_it_equals_its_equation(per_season, missing):
    state, values, mask = arrays(per_season, missing)
    layer, weights = made(state, values, mask)
    found = ops.convert_to_numpy(layer(state, values, mask=mask))
    expected = reference(state, values, mask, *weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_what_is_missing_is_never_read():
    state, values, mask = arrays(missing=0.4)
    layer, _ = made(state, values, mask)
    before = ops.convert_to_numpy(layer(state, values, mask=mask))
    spoiled = np.where(mask, values, np.nan).astype("float32")
    after = ops.convert_to_numpy(layer(state, spoiled, mask=mask))
    np.testing.assert_array_equal(before, after)


def test_a_place_that_was_never_seen_is_zero():
    state, values, mask = arrays()
    mask[1, [TIME - 4, TIME - 8, TIME - 12]] = False
    layer, _ = made(state, values, mask)
    found = ops.convert_to_numpy(layer(state, values, mask=mask))
    assert (found[1, ::SEASON] == 0).all()
    assert (found[[0, 2]] != 0).all()


def test_weight_on_one_season_is_seasonal_naive():
    state, values, mask = arrays()
    layer, (kernel, bias) = made(state, values, mask)
    bias = np.tile([0.0, 0.0, 100.0], AHEAD).astype("float32")
    layer.set_weights([np.zeros_like(kernel), bias])
    found = ops.convert_to_numpy(layer(state, values, mask=mask))
    expected = values[:, TIME - SEASON + np.arange(HORIZON) % SEASON]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_it_begins_with_the_plain_mean():
    state, values, mask = arrays()
    found = ops.convert_to_numpy(SeasonCopies(SEASON, SEASON)(state, values, mask=mask))
    mean = values[:, -12:].reshape(ROWS, SEASONS, SEASON).mean(1)
    np.testing.assert_allclose(found, mean, rtol=1e-5, atol=1e-6)


def test_it_learns_which_season_comes_again():
    random = np.random.default_rng(2)
    values = random.normal(size=(256, 12)).astype("float32")
    mask = np.ones(values.shape, bool)
    # A sign says whether the latest or the first season comes again.
    state = random.choice([-1.0, 1.0], (256, 1)).astype("float32")
    target = np.where(state > 0, values[:, -4:], values[:, :4])
    inputs = [keras.Input((1,)), keras.Input((12,)), keras.Input((12,), dtype="bool")]
    outputs = SeasonCopies(4, 4)(inputs[0], inputs[1], mask=inputs[2])
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.3), "mse")
    model.fit([state, values, mask], target, epochs=40, batch_size=64, verbose=0)
    assert model.evaluate([state, values, mask], target, verbose=0) < 0.01


def test_config_keeps_its_options():
    layer = SeasonCopies(season=3, horizon=7, name="copies")
    again = SeasonCopies.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.season, again.horizon, again.name) == (3, 7, "copies")


def test_a_context_without_a_season_is_refused():
    with pytest.raises(ValueError, match="3 steps holds no season of 4"):
        SeasonCopies(4, 4)(np.zeros((1, 2)), np.zeros((1, 3)), mask=np.ones((1, 3)))


@pytest.mark.parametrize("wrong", [{"season": 0}, {"horizon": 1.5}, {"season": True}])
def test_numbers_are_positive_integers(wrong):
    with pytest.raises(ValueError, match="must be a positive integer"):
        SeasonCopies(**{"season": 4, "horizon": 4, **wrong})
