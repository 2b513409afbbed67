"""Learning rates over a run: closed forms, what is refused, plateaus."""

import keras
import numpy as np
import pytest

from tasks.schedules import KINDS, Plateau, Schedule

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
