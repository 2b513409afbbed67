"""Runs that survive a kill, best weights, seeds and schedules."""

import errno
import os
import pathlib
import shutil

import keras
import numpy as np
import pytest

from tasks.resume import Resume
from tasks.schedules import Schedule
from tasks.training import BestWeights, reseed

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

EPOCHS = 4


def make(units=4):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(units, "tanh"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )
    reseed(model, 1)
    model.compile(keras.optimizers.Adam(Schedule("cosine", 0.1, 12)), "mse")
    return model


def train(model, folder=None, epochs=EPOCHS, scores=None, **settings):
    """Trains in an order that is the same in each epoch; returns the history."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3)), rng.normal(size=(12, 1))
    best = None
    if scores is not None:
        best = BestWeights(lambda: scores[best.epoch], patience=2)
        keep_epoch(best)
    callbacks, first = [best] if best else [], 0
    if folder is not None:
        resume = Resume(folder, settings, best)
        first = resume.restore(model)
        callbacks.append(resume)
    return model.fit(
        x,
        y,
        batch_size=4,
        epochs=epochs,
        initial_epoch=first,
        shuffle=False,
        verbose=0,
        callbacks=callbacks,
    ).history


def keep_epoch(best):
    """Lets the score of an epoch be one that the test has set."""
    inner, best.epoch = best.on_epoch_end, 0

    def on_epoch_end(epoch, logs=None):
        best.epoch = epoch
        inner(epoch, logs)

    best.on_epoch_end = on_epoch_end


def state(model):
    """Weights, states of generators and optimizer, as arrays."""
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(v) for v in variables]


def assert_equal(got, wanted):
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def damage(path, place, bit=1):
    data = bytearray(path.read_bytes())
    data[place] ^= bit
    path.write_bytes(data)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """A folder with the states of a run of three epochs; copy it."""
    folder = tmp_path_factory.mktemp("three")
    train(make(), folder, epochs=3)
    return folder


@pytest.fixture(scope="module")
def second():
    """The state after two epochs."""
    model = make()
    train(model, epochs=2)
    return state(model)


@pytest.fixture
def states(three, tmp_path):
    return pathlib.Path(shutil.copytree(three, tmp_path / "states"))


class TestResume:
    @pytest.mark.parametrize("done", [1, 2, 3])
    def test_goes_on_as_if_nothing_had_been(self, tmp_path, done):
        straight, resumed = make(), make()
        wanted = train(straight)
        train(make(), tmp_path, epochs=done)
        got = train(resumed, tmp_path)
        assert_equal(state(resumed), state(straight))
        assert got == wanted

    def test_without_it_the_run_would_differ(self):
        straight, other = make(), make()
        train(straight)
        train(other, epochs=2)
        reseed(other, 1)
        train(other, epochs=2)
        with pytest.raises(AssertionError):
            assert_equal(state(other), state(straight))

    def test_keeps_the_last_two(self, tmp_path):
        train(make(), tmp_path)
        assert files(tmp_path) == ["000003.checkpoint", "000004.checkpoint"]

    def test_an_empty_folder_is_a_fresh_start(self, tmp_path):
        assert Resume(tmp_path / "new").restore(make()) == 0

    def test_a_half_written_file_is_no_state(self, states):
        (states / "000004.partial").write_bytes(b"half")
        assert Resume(states).restore(make()) == 3

    @pytest.mark.parametrize("part", np.linspace(0, 0.999, 30).round(3))
    def test_a_flipped_bit_falls_back(self, states, second, part, capsys):
        newest = states / "000003.checkpoint"
        damage(newest, int(part * newest.stat().st_size))
        model = make()
        assert Resume(states).restore(model) == 2
        assert_equal(state(model), second)
        assert f"{newest} is damaged" in capsys.readouterr().out

    @pytest.mark.parametrize("content", [b"", b"{}", b"\n", b"\n\n", b"PK\x03\x04"])
    def test_a_foreign_file_falls_back(self, states, content):
        (states / "000003.checkpoint").write_bytes(content)
        assert Resume(states).restore(make()) == 2

    @pytest.mark.parametrize("part", [0.01, 0.5, 0.999])
    def test_a_cut_file_falls_back(self, states, part):
        newest = states / "000003.checkpoint"
        data = newest.read_bytes()
        newest.write_bytes(data[: int(part * len(data))])
        assert Resume(states).restore(make()) == 2

    def test_a_run_after_falling_back_ends_alike(self, states):
        straight, resumed = make(), make()
        train(straight)
        damage(states / "000003.checkpoint", -1)
        train(resumed, states)
        assert_equal(state(resumed), state(straight))

    def test_damage_everywhere_is_an_error(self, states):
        for path in states.iterdir():
            damage(path, -1)
        with pytest.raises(ValueError, match="No state in .* is sound. Remove"):
            Resume(states).restore(make())

    def test_another_model_is_refused_whole(self, states):
        other = make(units=5)
        before = [keras.ops.convert_to_numpy(v) for v in other.variables]
        with pytest.raises(ValueError, match="another size.*folder of its own"):
            Resume(states).restore(other)
        after = [keras.ops.convert_to_numpy(v) for v in other.variables]
        assert_equal(after, before)

    def test_another_run_is_refused(self, tmp_path):
        train(make(), tmp_path, epochs=1, learning_rate=0.1, steps=3)
        with pytest.raises(ValueError, match="`learning_rate` was 0.1, now it is 0.2"):
            Resume(tmp_path, {"steps": 3, "learning_rate": 0.2}).restore(make())

    def test_a_full_disk_leaves_the_last_state(self, tmp_path, monkeypatch):
        train(make(), tmp_path, epochs=1)

        def full(descriptor):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space left"):
                train(make(), tmp_path)
        resumed, straight = make(), make()
        train(straight)
        train(resumed, tmp_path)
        assert_equal(state(resumed), state(straight))

    @pytest.mark.parametrize("scores", [[0.9, 0.1, 0.2, 0.3], [0.1, 0.9, 0.2, 0.3]])
    def test_the_best_weights_of_earlier_epochs_are_kept(self, tmp_path, scores):
        straight, resumed = make(), make()
        wanted = train(straight, scores=scores)
        train(make(), tmp_path, epochs=2, scores=scores)
        got = train(resumed, tmp_path, scores=scores)
        assert_equal(resumed.get_weights(), straight.get_weights())
        assert got["val_f1"] == wanted["val_f1"]

    def test_knows_a_run_that_stopped_early(self, tmp_path):
        scores = [0.9, 0.1, 0.1, 0.1, 0.1]
        history = train(make(), tmp_path, epochs=5, scores=scores)
        assert len(history["loss"]) == 3
        resume = Resume(tmp_path, best=BestWeights(None))
        assert resume.restore(make()) == 3
        assert resume.stopped

    def test_knows_a_run_that_has_not_stopped(self, states):
        resume = Resume(states)
        resume.restore(make())
        assert not resume.stopped


class TestBestWeights:
    def test_the_weights_of_the_best_epoch_come_back(self):
        model, two = make(), make()
        train(model, scores=[0.1, 0.5, 0.4, 0.3])
        train(two, epochs=2)
        assert_equal(model.get_weights(), two.get_weights())

    def test_of_equals_the_first_is_kept(self):
        model, one = make(), make()
        train(model, scores=[0.5] * EPOCHS)
        train(one, epochs=1)
        assert_equal(model.get_weights(), one.get_weights())

    def test_scores_are_in_the_history(self):
        scores = [0.1, 0.2, 0.4, 0.3]
        assert train(make(), scores=scores)["val_f1"] == scores

    def test_patience_ends_training(self):
        history = train(make(), scores=[0.3, 0.2, 0.1, 0.9])
        assert len(history["loss"]) == 3

    def test_a_score_that_is_no_number_is_never_best(self):
        model, two = make(), make()
        train(model, scores=[0.1, 0.2, float("nan"), 0.1])
        train(two, epochs=2)
        assert_equal(model.get_weights(), two.get_weights())

    def test_a_number_comes_after_no_number(self):
        model, two = make(), make()
        train(model, epochs=2, scores=[float("nan"), 0.2])
        train(two, epochs=2)
        assert_equal(model.get_weights(), two.get_weights())


class TestReseed:
    def test_the_same_seed_gives_the_same_dropout(self):
        model, x = make(), np.ones((64, 3))
        outputs = []
        for seed in (1, 1, 2):
            reseed(model, seed)
            outputs.append(np.array(model(x, training=True)))
        np.testing.assert_array_equal(outputs[0], outputs[1])
        assert not np.array_equal(outputs[0], outputs[2])

    def test_generators_differ_from_each_other(self):
        layers = [keras.layers.Dropout(0.5) for _ in range(3)]
        model = keras.Sequential([keras.Input((3,)), *layers])
        reseed(model, 7)
        states = [tuple(np.array(layer.seed_generator.state)) for layer in layers]
        assert len(set(states)) == 3
