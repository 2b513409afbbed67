"""A median that alone shapes the state, and quantiles around it."""

import keras
import numpy as np
import pytest
from keras import ops

from tasks.forecast.leading_median import LeadingMedian

RANDOM = np.random.default_rng(0)
STEPS, LEVELS = 3, [0.1, 0.3, 0.5, 0.9]


def make(levels=LEVELS, shape=(4, 2, 5)):
    layer = LeadingMedian(STEPS, levels)
    layer.build((None, *shape[1:]))
    for weight in layer.trainable_weights:
        weight.assign(RANDOM.normal(size=weight.shape))
    return layer, RANDOM.normal(size=shape).astype("float32")


def test_it_is_its_equation():
    layer, y = make()
    kernel, bias = (ops.convert_to_numpy(w) for w in layer.median.weights)
    median = y @ kernel + bias
    kernel, bias = (ops.convert_to_numpy(w) for w in layer.gaps.weights)
    gaps = np.log1p(np.exp(y @ kernel + bias)).reshape(4, 2, STEPS, 3)
    wanted = [
        median - gaps[..., 1] - gaps[..., 0],
        median - gaps[..., 1],
        median,
        median + gaps[..., 2],
    ]
    found = ops.convert_to_numpy(layer(y))
    np.testing.assert_allclose(found, np.stack(wanted, -1), rtol=1e-4, atol=1e-4)
    assert (np.diff(found) > 0).all()


@pytest.mark.parametrize("levels", [[0.5], [0.5, 0.8], [0.2, 0.5]])
def test_levels_may_lie_on_one_side(levels):
    layer, y = make(levels)
    found = ops.convert_to_numpy(layer(y))
    assert found.shape == (4, 2, STEPS, len(levels)) and (np.diff(found) > 0).all()
    assert layer.compute_output_shape(y.shape) == found.shape
    middle = ops.convert_to_numpy(layer.median(y))
    np.testing.assert_allclose(found[..., levels.index(0.5)], middle)


@pytest.mark.parametrize("level, moved", [(0, False), (2, True), (3, False)])
def test_the_median_alone_reaches_the_state(level, moved):
    layer, y = make()
    before = keras.layers.Dense(5)
    inputs = keras.Input(y.shape[1:])
    model = keras.Model(inputs, layer(before(inputs))[..., level])
    model.compile(keras.optimizers.SGD(1.0), "mae")
    old = before.get_weights()[0]
    own = [w.copy() for w in layer.get_weights()]
    model.train_on_batch(y, np.full((4, 2, STEPS), 99.0, "float32"))
    assert (np.abs(before.get_weights()[0] - old).max() > 1e-3) == moved
    changed = [
        np.abs(a - b).max() > 1e-4
        for a, b in zip(own, layer.get_weights(), strict=True)
    ]
    assert changed == [moved, moved, not moved, not moved]


def test_there_must_be_a_median():
    with pytest.raises(ValueError, match="0.5 among them"):
        LeadingMedian(STEPS, [0.1, 0.9])


def test_config_keeps_all():
    layer, _ = make()
    again = LeadingMedian.from_config(layer.get_config())
    assert (again.steps, again.levels) == (STEPS, LEVELS)
