"""Learning rates over a run: closed forms, what is refused, plateaus."""

import keras
import numpy as np
import pytest

from tasks.fitting import Fitting
from tasks.schedules import KINDS, Plateau, Schedule, rate_of
from tasks.training import BestWeights

STEPS, RATE = 200, 0.02


def rates(kind, **options):
    schedule = Schedule(kind, RATE, STEPS, **options)
    return np.array([float(schedule(step)) for step in range(STEPS + 1)])


@pytest.mark.parametrize("kind", KINDS)
def test_rises_from_a_tenth_in_a_line(kind):
    found = rates(kind, warm_up=0.1)
    wanted = RATE * np.linspace(0.1, 1, 21)
    np.testing.assert_allclose(found[:21], wanted, rtol=1e-5)


def test_the_cosine_is_that_of_keras():
    theirs = keras.optimizers.schedules.CosineDecay(
        RATE / 10, STEPS - 10, alpha=0.1, warmup_target=RATE, warmup_steps=10
    )
    wanted = [float(theirs(step)) for step in range(STEPS + 1)]
    np.testing.assert_allclose(rates("cosine"), wanted, rtol=1e-5)


@pytest.mark.parametrize(
    "kind, halfway, end",
    [
        ("cosine", 0.55, 0.1),
        ("linear", 0.55, 0.1),
        ("constant", 1.0, 1.0),
        ("inverse_square_root", np.sqrt(20 / 110), np.sqrt(0.1)),
        ("cyclical", 1.0, 1.0),
    ],
)
def test_where_it_is_halfway_and_at_the_end(kind, halfway, end):
    found = rates(kind, warm_up=0.1) / RATE
    np.testing.assert_allclose(found[[110, 200]], [halfway, end], rtol=1e-4)


def test_cycles_touch_the_ground_four_times():
    found = rates("cyclical", warm_up=0.0) / RATE
    lows = (found[1:-1] < found[:-2]) & (found[1:-1] < found[2:])
    assert lows.sum() == 4
    assert found.min() < 0.15


def test_saves_and_loads():
    schedule = Schedule("linear", RATE, STEPS, warm_up=0.2)
    config = keras.saving.serialize_keras_object(schedule)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == schedule.get_config()
    assert float(again(77)) == float(schedule(77))


@pytest.mark.parametrize("rate", [0, -0.1, float("nan")])
@pytest.mark.parametrize("kind", ["constant", "plateau"])
def test_rates_that_are_none_are_refused(kind, rate):
    with pytest.raises(ValueError, match="`learning_rate` must be a positive number"):
        rate_of(kind, rate, 10)


def test_unknown_kinds_get_the_nearest_name():
    with pytest.raises(ValueError, match="'cosin'.*Did you mean 'cosine'"):
        Schedule("cosin", RATE, STEPS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_short_runs_have_rates(kind, steps):
    schedule = Schedule(kind, RATE, steps)
    found = [float(schedule(step)) for step in range(steps + 1)]
    assert np.isfinite(found).all() and 0 < max(found) <= RATE * 1.0001


@pytest.mark.parametrize("warm_up", [-0.1, 1.5])
def test_warm_up_out_of_range(warm_up):
    with pytest.raises(ValueError, match=f"from 0 to 1. Received: {warm_up}"):
        Schedule("cosine", RATE, STEPS, warm_up=warm_up)


class TestPlateau:
    def rates(self, scores, states=None, **options):
        model = keras.Sequential([keras.layers.Dense(1)])
        model.compile(keras.optimizers.Adam(0.8), "mse")
        plateau = Plateau(**options)
        plateau.set_model(model)
        found = []
        for epoch, score in enumerate(scores):
            plateau.on_epoch_end(epoch, {"loss": score})
            found.append(round(float(model.optimizer.learning_rate), 6))
            if states is not None:
                states.append(plateau.get_state())
        return found

    def test_lowers_after_waiting(self):
        found = self.rates([3, 2, 2, 2.5, 1, 1, 1])
        assert found == [0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2]

    def test_higher_may_be_better(self):
        found = self.rates([1, 2, 3, 2, 2], lower=False)
        assert found == [0.8, 0.8, 0.8, 0.8, 0.4]

    def test_goes_on_waiting_where_it_was(self):
        states = []
        self.rates([3, 2, 2], states)
        again = Plateau()
        again.set_state(states[-1])
        assert again.get_state() == {"best": -2.0, "waited": 1}


class Rows(keras.utils.PyDataset):
    """Ten batches of rows whose losses are their sums."""

    epoch = 0

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return np.full((4, 3), index, "float32"), np.zeros(4, "float32")


def trained(schedule, epochs=2, best=None):
    """A compiled run, and the rates after each epoch."""
    inputs = keras.Input((3,))
    losses = keras.layers.Dense(1)(inputs)[:, 0]
    found, batches = [], Rows()
    fitting = Fitting(
        keras.Model(inputs, losses),
        None,
        batches,
        batches,
        epochs=epochs,
        seed=1,
        accumulate=1,
        shard="data",
    )
    more = fitting.compile(
        None,
        "auto",
        1,
        0.5,
        schedule=schedule,
        best=best,
        clipnorm=1.0,
        rate_decay=1.0,
        unfreeze_every=0,
    )

    def see(epoch, logs):
        found.append(float(fitting.model.optimizer.learning_rate))

    watch = keras.callbacks.LambdaCallback(on_epoch_end=see)
    kept = [] if best is None else [best]
    fitting.run([*kept, *more, watch], None, 0)
    return found


class TestOfARun:
    def test_it_is_followed_to_the_end_of_the_run(self):
        np.testing.assert_allclose(trained("linear")[-1], 0.05, rtol=1e-4)
        np.testing.assert_allclose(trained("constant")[-1], 0.5, rtol=1e-4)

    def test_a_plateau_watches_the_score_of_the_run(self):
        scores = iter([1.0, 2.0, 3.0, 2.0, 2.0, 2.0])
        best = BestWeights(lambda: next(scores), name="val_f1")
        assert trained("plateau", epochs=5, best=best) == [0.5, 0.5, 0.5, 0.5, 0.25]

    def test_an_unknown_one_is_refused(self):
        with pytest.raises(ValueError, match="`schedule`.*Did you mean 'plateau'"):
            trained("plateu")
