import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pytest

from tasks.data.batches import BUCKETS, Batches, FollowEpochs, bucket_length, rows_for
from tasks.data.features import WordFeatures
from tasks.data.tags import tag_names
from tasks.data.vocabulary import UNKNOWN_ID, Vocabulary
from tasks.data.words import normalize

NAMES = tag_names(["x"])
LENGTHS = [3, 9, 0, 17, 8, 1, 5, 16, 40, 2, 7, 12, 4, 6, 30, 11, 300]
SENTENCES = [[f"w{n}t{i}" for i in range(n)] for n in LENGTHS]
TAGS = [[NAMES[(n + i) % 3] for i in range(n)] for n in LENGTHS]
ALL_WORDS = sorted({token for sentence in SENTENCES for token in sentence})


@pytest.fixture(scope="module")
def features():
    words = Vocabulary(sorted({normalize(token) for token in ALL_WORDS}))
    return WordFeatures(words, Vocabulary("wt0123456789"), word_length=8)


@pytest.fixture
def make(features):
    def make(tags=TAGS, sentences=SENTENCES, batch_size=4, **options):
        return Batches(sentences, tags, features, NAMES, batch_size, **options)

    return make


def members(batches, epoch=None):
    return [index for batch in batches.order(epoch) for index in batch.tolist()]


class TestBucketLength:
    @pytest.mark.parametrize(
        ("length", "bucket"),
        [(0, 8), (1, 8), (8, 8), (9, 16), (256, 256), (257, 512), (100_000, 100_096)],
    )
    def test_default_buckets(self, length, bucket):
        assert bucket_length(length) == bucket

    def test_own_buckets(self):
        assert [bucket_length(n, (3, 5)) for n in (3, 4, 6, 11)] == [3, 5, 10, 15]


class TestRowsFor:
    @pytest.mark.parametrize(
        ("count", "rows"), [(1, 1), (2, 2), (3, 4), (33, 64), (60, 64), (65, 100)]
    )
    def test_powers_of_two_up_to_the_most(self, count, rows):
        assert rows_for(count, 100) == rows


class TestItems:
    @pytest.mark.parametrize("tags", [None, TAGS])
    def test_batches_that_are_not_filled(self, make, tags):
        full, few = (
            make(tags=tags, batch_size=64, fill=fill) for fill in (True, False)
        )
        assert [len(own) for own in full.order()] == [len(own) for own in few.order()]
        for number, own in enumerate(few.order()):
            inputs, targets = few[number]
            assert len(targets) == rows_for(len(own), 64) < 64
            for name, array in full[number][0].items():
                np.testing.assert_array_equal(inputs[name], array[: len(targets)])

    def test_shapes_and_types(self, make):
        inputs, targets = make()[0]
        assert {name: (a.shape, str(a.dtype)) for name, a in inputs.items()} == {
            "word_ids": ((4, 8), "int32"),
            "char_ids": ((4, 8, 8), "int32"),
            "casing_ids": ((4, 8), "int32"),
            "mask": ((4, 8), "bool"),
            "tags": ((4, 8), "int32"),
        }
        assert targets.shape == (4,) and targets.dtype == "float32"
        assert not targets.any()

    def test_without_tags(self, make):
        inputs, _ = make(tags=None)[0]
        assert set(inputs) == {"word_ids", "char_ids", "casing_ids", "mask"}

    @pytest.mark.parametrize("shuffle", [False, True])
    def test_rows_are_the_sentences_of_the_order(self, make, features, shuffle):
        batches = make(shuffle=shuffle, seed=3)
        order = batches.order()
        assert len(order) == len(batches)
        for number, indices in enumerate(order):
            inputs, _ = batches[number]
            assert inputs["mask"].sum(1).tolist()[len(indices) :] == [0] * (
                4 - len(indices)
            )
            for row, index in enumerate(indices):
                length = len(SENTENCES[index])
                alone = features.encode([SENTENCES[index]], length)
                for name, array in alone.items():
                    assert np.array_equal(inputs[name][row, :length], array[0])
                ids = [NAMES.index(tag) for tag in TAGS[index]]
                assert inputs["tags"][row, :length].tolist() == ids
                assert not inputs["tags"][row, length:].any()

    def test_few_shapes(self, make):
        batches = make(shuffle=True)
        found = {batches[i][0]["word_ids"].shape for i in range(len(batches))}
        assert found == {(4, 8), (4, 16), (4, 32), (4, 64), (4, 512)}

    def test_predictions_can_be_put_back_in_order(self, make):
        batches = make(shuffle=True, seed=1)
        found = [None] * len(SENTENCES)
        for number, indices in enumerate(batches.order()):
            lengths = batches[number][0]["mask"].sum(1)
            for index, length in zip(indices, lengths, strict=False):
                found[index] = int(length)
        assert found == LENGTHS

    def test_no_sentences(self, make):
        batches = make(sentences=[], tags=[])
        assert len(batches) == 0
        assert batches.order() == []


class TestOrder:
    def test_every_sentence_once_an_epoch(self, make):
        batches = make(shuffle=True)
        for epoch in range(5):
            assert sorted(members(batches, epoch)) == list(range(len(SENTENCES)))

    def test_without_shuffle_every_epoch_is_alike(self, make):
        batches = make()
        first = members(batches, 0)
        assert members(batches, 1) == first
        assert first[:4] == [0, 2, 4, 5]

    def test_epochs_differ(self, make):
        batches = make(shuffle=True)
        assert members(batches, 0) != members(batches, 1)

    def test_sentences_change_company(self, make):
        batches = make(shuffle=True)
        first, second = (
            {frozenset(b.tolist()) for b in batches.order(e)} for e in (0, 1)
        )
        assert first != second

    def test_seeds_differ(self, make):
        assert members(make(shuffle=True, seed=1)) != members(
            make(shuffle=True, seed=2)
        )

    def test_buckets_come_mixed(self, make):
        batches = make(shuffle=True, batch_size=1, seed=1)
        lengths = [bucket_length(LENGTHS[index]) for index in members(batches)]
        # Beyond the second place, which is chosen to differ from the first.
        assert lengths[2:] != sorted(lengths[2:])

    def test_depends_on_nothing_but_seed_and_epoch(self, make):
        straight, resumed = (
            make(shuffle=True, seed=7),
            make(shuffle=True, seed=7, epoch=2),
        )
        for _ in range(2):
            _ = [straight[i] for i in range(len(straight))]
            straight.on_epoch_end()
        assert straight.epoch == resumed.epoch == 2
        assert (
            members(straight)
            == members(resumed)
            == members(make(seed=7, shuffle=True), 2)
        )

    def test_epoch_can_be_set(self, make):
        batches = make(shuffle=True, seed=7)
        expected = members(batches, 3)
        assert members(batches) != expected
        batches.epoch = 3
        assert members(batches) == expected
        assert (
            batches.order(0)[0].tolist()
            == make(shuffle=True, seed=7).order()[0].tolist()
        )


class TestWordDropout:
    def unknown(self, batches):
        return [batches[i][0]["word_ids"] == UNKNOWN_ID for i in range(len(batches))]

    def test_none_by_default(self, make):
        assert not any(array.any() for array in self.unknown(make()))

    def test_rate(self, make):
        batches = make(word_dropout=0.3, batch_size=1)
        dropped = sum(array.sum() for array in self.unknown(batches))
        assert 0.2 < dropped / sum(LENGTHS) < 0.4

    def test_touches_words_alone(self, make):
        plain, dropped = make(), make(word_dropout=0.5)
        for index in range(len(plain)):
            one, other = plain[index][0], dropped[index][0]
            for name in ("char_ids", "casing_ids", "mask", "tags"):
                assert np.array_equal(one[name], other[name])
            changed = one["word_ids"] != other["word_ids"]
            assert (other["word_ids"][changed] == UNKNOWN_ID).all()
            assert not changed[~one["mask"]].any()

    def test_is_a_function_of_seed_and_epoch(self, make):
        def words(**options):
            batches = make(word_dropout=0.5, **options)
            return np.concatenate([batches[i][0]["word_ids"].ravel() for i in range(3)])

        assert np.array_equal(words(), words())
        assert not np.array_equal(words(), words(seed=1))
        assert not np.array_equal(words(), words(epoch=1))


class TestErrors:
    def test_different_numbers_of_sentences(self, make):
        with pytest.raises(ValueError, match="Got 17 sentences, but tags of 16"):
            make(tags=TAGS[:-1])

    def test_different_lengths(self, make):
        with pytest.raises(ValueError, match="Sentence 0 has 3 tokens and 2 tags"):
            make(tags=[TAGS[0][:2], *TAGS[1:]])

    def test_unknown_tag(self, make):
        with pytest.raises(ValueError, match="Sentence 0: unknown tag 'B-y'"):
            make(tags=[["O", "B-y", "O"], *TAGS[1:]])

    @pytest.mark.parametrize(
        "options",
        [{"batch_size": 0}, {"seed": -1}, {"epoch": -1}, {"word_dropout": 1.0}],
    )
    def test_options_out_of_range(self, make, options):
        with pytest.raises(ValueError, match="Expected batch_size >= 1"):
            make(**options)


class Recorder(keras.Model):
    """Writes down the lengths of the sentences that it is shown."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.seen = []

    def call(self, inputs):
        counts = keras.ops.sum(keras.ops.cast(inputs["mask"], "float32"), axis=1)
        return self.dense(counts[:, None])[:, 0]

    def train_step(self, *arguments):
        *state, data = arguments  # on JAX the state of the model goes in and out
        self.seen.append(np.asarray(data[0]["mask"]).sum(1).tolist())
        return ({"loss": 0.0}, *state) if state else {"loss": 0.0}


class TestFit:
    def lengths(self, batches, epochs):
        orders = [indices for epoch in epochs for indices in batches.order(epoch)]
        return [
            [LENGTHS[index] for index in indices] + [0] * (4 - len(indices))
            for indices in orders
        ]

    def fit(self, batches, model, **options):
        model.compile(optimizer="sgd", loss="mse", run_eagerly=True)
        model.seen.clear()
        callbacks = [FollowEpochs(batches)]
        model.fit(batches, shuffle=False, verbose=0, callbacks=callbacks, **options)
        return model.seen

    @pytest.mark.parametrize("built", [False, True])
    def test_reads_every_epoch_in_its_order(self, make, built):
        batches, model = make(shuffle=True, seed=5), Recorder()
        if built:
            model(batches[0][0])
        seen = self.fit(batches, model, epochs=3)
        assert seen == self.lengths(batches, range(3))

    def test_resumes(self, make):
        batches = make(shuffle=True, seed=5)
        seen = self.fit(batches, Recorder(), initial_epoch=2, epochs=4)
        assert seen == self.lengths(batches, [2, 3])

    def test_validation_may_be_of_all_lengths(self, make):
        self.fit(make(shuffle=True), Recorder(), validation_data=make(batch_size=1))

    @pytest.mark.parametrize("seed", range(12))
    def test_the_first_two_batches_differ_in_length(self, make, seed):
        # Or the TensorFlow backend would expect the length of these two of all.
        batches = make(shuffle=True, batch_size=1, seed=seed)
        first, second = batches[0][0]["mask"], batches[1][0]["mask"]
        assert first.shape != second.shape

    def test_one_length_is_fine(self, make):
        batches = make(sentences=[["a"]] * 9, tags=[["O"]] * 9)
        assert len(batches.order()) == 3
        seen = self.fit(batches, Recorder())
        assert seen == [[1] * 4, [1] * 4, [1, 0, 0, 0]]


def test_buckets_are_powers_of_two():
    assert BUCKETS == (8, 16, 32, 64, 128, 256)
