"""The mean of the weights of the last epochs, across a kill too."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tasks.recipes.weight_mean import WeightMean, mean_of


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


def test_the_mean_of_several_tasks(model):
    """Real numbers are averaged, all else is the first one's."""
    tasks = []
    for value in (1.0, 2.0, 6.0):
        made = keras.models.clone_model(model)
        made.count = made.add_weight((), dtype="int32", trainable=False)
        made.count.assign(10 * value)
        _, kernel, bias = made.get_weights()
        made.set_weights(
            [np.int32(10 * value), np.full_like(kernel, value), bias - value]
        )
        tasks.append(SimpleNamespace(model=made))
    assert mean_of(iter(tasks)) is tasks[0]
    count, kernel, bias = tasks[0].model.get_weights()
    assert (kernel == 3).all() and (bias == -3).all() and count == 10
    assert (tasks[1].model.get_weights()[1] == 2).all()


def test_the_mean_of_tasks_of_other_sizes_is_refused(model):
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
    with pytest.raises(ValueError):
        mean_of([SimpleNamespace(model=model), SimpleNamespace(model=other)])
