"""Full batches alone, as a TPU is to have them."""

import keras
import numpy as np
import pytest

import tasks.task
import zoo.devices
from tasks.data.batches import Batches
from tasks.data.features import WordFeatures
from tasks.data.pairs import PairBatches
from tasks.data.vocabulary import Vocabulary
from tasks.data.whole_batches import WholeBatches, whole_alone
from tasks.strategies import Strategy
from tests.distributed import TASKS

# Of 8 steps five sentences, of 16 two, of 32 one.
LENGTHS = (3, 5, 7, 8, 2, 9, 16, 17)


def make(batch_size=2, **options):
    words = [f"w{i}" for i in range(9)]
    sentences = [[words[i % 9] for i in range(length)] for length in LENGTHS]
    features = WordFeatures(Vocabulary(words), Vocabulary("w0123456789"), 4)
    return Batches(sentences, None, features, [], batch_size, seed=1, **options)


def rows(batches):
    """Numbers of rows that hold something, of each batch."""
    return [int(batches[n][0]["mask"].any(1).sum()) for n in range(len(batches))]


class TestWholeBatches:
    def test_only_full_ones_are_left(self):
        assert sorted(rows(make())) == [1, 1, 2, 2, 2]
        assert rows(WholeBatches(make())) == [2, 2, 2]

    def test_they_keep_their_shapes_and_order(self):
        every, whole = make(shuffle=True), WholeBatches(make(shuffle=True))
        kept = [every[n][0] for n, k in enumerate(rows(every)) if k == 2]
        for number, wanted in enumerate(kept):
            found = whole[number][0]
            assert found["word_ids"].shape == wanted["word_ids"].shape
            np.testing.assert_array_equal(found["word_ids"], wanted["word_ids"])

    def test_others_are_left_out_in_other_epochs(self):
        whole, seen = WholeBatches(make(shuffle=True)), set()
        for epoch in range(12):
            whole.epoch = epoch
            for number in range(len(whole)):
                batch = whole[number][0]
                seen |= {int(n) for n in batch["mask"].sum(1)}
        # The only one of its length is never part of a full batch.
        assert seen == set(LENGTHS) - {17}

    def test_epochs_go_on(self):
        batches = make(shuffle=True)
        WholeBatches(batches).on_epoch_end()
        assert batches.epoch == 1

    def test_nothing_left_is_an_error_that_says_what_would_work(self):
        with pytest.raises(
            ValueError, match="64 rows, 5 at most.*`batch_size` smaller"
        ):
            WholeBatches(make(64))

    def test_a_curriculum_may_have_fewer_full_ones(self):
        short, long = [np.ones(4, "int32")] * 3, [np.ones(60, "int32")] * 9
        pairs = PairBatches(short + long, short + long, 3, shuffle=True, curriculum=3)
        whole = WholeBatches(pairs)
        for epoch in range(5):
            whole.epoch = epoch
            assert all(
                whole[n][0]["source_mask"].any(1).all() for n in range(len(whole))
            )


class TestWhen:
    @pytest.mark.parametrize("asked", [True, False])
    def test_as_asked(self, asked):
        assert whole_alone(asked, make(), None) is asked

    @pytest.mark.parametrize(
        "strategy, wanted",
        [
            (Strategy("tpu", None, ["TPU:0"]), True),
            (Strategy("auto", None, ["tpu:0"]), True),
            (Strategy("gpus", None, ["GPU:0"]), False),
        ],
    )
    def test_by_default_on_a_tpu(self, strategy, wanted):
        assert whole_alone("auto", make(), strategy) is wanted

    def test_by_default_where_the_backend_has_a_tpu(self, monkeypatch):
        assert not whole_alone("auto", make(), None)
        monkeypatch.setattr(zoo.devices, "kind", lambda: "tpu")
        assert whole_alone("auto", make(), None)

    def test_batches_that_are_always_full_stay(self):
        assert not whole_alone(True, object(), None)

    def test_other_words_are_refused(self):
        with pytest.raises(ValueError, match="True, False or 'auto'. Received: 'yes'"):
            whole_alone("yes", make(), None)


class Taken(Exception):
    """Ends `fit` where training would begin."""


class TestTraining:
    @pytest.fixture
    def taken(self, monkeypatch):
        """Trains on nothing; returns the batches that would have been read."""

        class Fitting:
            def __init__(self, model, strategy, batches, dataset, **options):
                raise Taken(batches)

        monkeypatch.setattr(tasks.task, "Fitting", Fitting)

        def fit(**options):
            task = TASKS["text_classification"][0]()
            with pytest.raises(Taken) as stopped:
                task.fit(TASKS["text_classification"][1](), batch_size=7, **options)
            return stopped.value.args[0]

        return fit

    def test_fills_batches_up_elsewhere(self, taken):
        assert min(rows(taken())) < 7

    def test_reads_full_batches_alone_if_asked(self, taken):
        assert set(rows(taken(drop_remainder=True))) == {7}

    def test_a_tpu_has_full_batches_and_is_told_of_padding(self, taken, monkeypatch):
        monkeypatch.setattr(zoo.devices, "kind", lambda: "tpu")
        with pytest.warns(
            UserWarning, match="multiples of 128.*7 rows a chip become 8"
        ):
            assert set(rows(taken())) == {7}

    @pytest.mark.slow
    def test_trains_on_them_and_scores_leave_nothing_out(self):
        make, data, _ = TASKS["text_classification"]
        task, steps = make(), []

        class Count(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                steps.append(batch)

        told = {"epochs": 1, "batch_size": 7, "verbose": 0, "callbacks": [Count()]}
        task.fit(data(), drop_remainder=True, **told)
        assert 0 < len(steps) < len(data()) / 7
        assert len(task.predict([text for text, _ in data()])) == len(data())
