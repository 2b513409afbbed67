"""The mean of the weights of the last epochs, across a kill too."""

import keras
import numpy as np
import pytest

from tasks.recipes.weight_mean import WeightMean


@pytest.fixture
def model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])


def train(mean, model, epochs, first=0):
    """Epochs whose weights are their number."""
    for epoch in range(first, epochs):
        model.set_weights([np.full(w.shape, float(epoch)) for w in model.get_weights()])
        mean.on_epoch_end(epoch)


def test_it_is_the_mean_of_the_last_epochs(model, tmp_path):
    mean = WeightMean(model, tmp_path, first=3)
    train(mean, model, epochs=7)
    assert mean.apply() == 4
    assert all((w == 4.5).all() for w in model.get_weights())


def test_a_run_that_was_killed_keeps_those_of_before(model, tmp_path):
    train(WeightMean(model, tmp_path / "w", first=3), model, epochs=5)
    again = WeightMean(model, tmp_path / "w", first=3)
    train(again, model, epochs=7, first=5)
    assert again.apply() == 4
    assert all((w == 4.5).all() for w in model.get_weights())


def test_an_epoch_that_is_done_again_counts_once(model, tmp_path):
    mean = WeightMean(model, tmp_path, first=0)
    train(mean, model, epochs=3)
    train(mean, model, epochs=3, first=2)
    assert mean.apply() == 3


def test_half_a_file_is_not_read(model, tmp_path):
    mean = WeightMean(model, tmp_path, first=0)
    train(mean, model, epochs=2)
    (tmp_path / "000002.partial").write_bytes(b"cut")
    assert mean.apply() == 2


def test_nothing_kept_is_told(model, tmp_path):
    mean = WeightMean(model, tmp_path, first=3)
    train(mean, model, epochs=3)
    with pytest.raises(ValueError, match="ended before epoch 4"):
        mean.apply()


def test_it_works_in_training(model, tmp_path):
    mean = WeightMean(model, tmp_path, first=1)
    model.compile("sgd", "mse")
    x, y = np.ones((8, 2)), np.ones((8, 3))
    model.fit(x, y, epochs=3, verbose=0, callbacks=[mean])
    assert mean.apply() == 2
