"""Batches of several lengths as what `fit` takes."""

from collections import Counter

import keras
import numpy as np
import pytest

from tasks.data.batches import Batches, FollowEpochs
from tasks.data.features import WordFeatures
from tasks.data.pipeline import as_dataset
from tasks.data.vocabulary import Vocabulary

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

needs_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="elsewhere batches stay as they are"
)


def make(lengths=(3, 20, 70, 5, 9), **options):
    words = [f"w{i}" for i in range(9)]
    sentences = [[words[i % 9] for i in range(length)] for length in lengths]
    features = WordFeatures(Vocabulary(words), Vocabulary("w0123456789"), 4)
    tags = [["O"] * length for length in lengths]
    return Batches(sentences, tags, features, ["O"], 2, **options)


@needs_tensorflow
def test_the_dataset_gives_the_batches():
    batches = make(shuffle=True, seed=3)
    found = list(as_dataset(batches).as_numpy_iterator())
    assert len(found) == len(batches)
    for index, (inputs, targets) in enumerate(found):
        wanted, zeros = batches[index]
        assert set(inputs) == set(wanted)
        for name, array in inputs.items():
            np.testing.assert_array_equal(array, wanted[name])
            assert array.dtype == wanted[name].dtype
        np.testing.assert_array_equal(targets, zeros)


@needs_tensorflow
def test_rows_are_fixed_and_time_is_left_open():
    inputs, targets = as_dataset(make()).element_spec
    assert inputs["word_ids"].shape.as_list() == [2, None]
    assert inputs["char_ids"].shape.as_list() == [2, None, 4]
    assert targets.shape.as_list() == [2]


@needs_tensorflow
def test_the_number_of_batches_is_known():
    batches = make()
    assert int(as_dataset(batches).cardinality()) == len(batches)


@needs_tensorflow
def test_no_thread_tunes_the_pipeline():
    """An epoch's end waits for it, up to a minute: see `untuned`."""
    dataset = as_dataset(make())
    for part in (dataset, dataset.skip(1), dataset.take(1)):
        assert part.options().autotune.enabled is False


class Watch(keras.layers.Layer):
    """Notes which word ids pass, a batch each."""

    def __init__(self, note, **kwargs):
        super().__init__(**kwargs)
        self.note = note

    def call(self, ids):
        self.note(Counter(keras.ops.convert_to_numpy(ids).ravel().tolist()))
        return keras.ops.cast(keras.ops.sum(ids, -1, keepdims=True), "float32")


def fit(batches, seen, **options):
    inputs = {
        "word_ids": keras.Input((None,), dtype="int32", name="word_ids"),
        "char_ids": keras.Input((None, 4), dtype="int32", name="char_ids"),
        "casing_ids": keras.Input((None,), dtype="int32", name="casing_ids"),
        "mask": keras.Input((None,), dtype="bool", name="mask"),
        "tags": keras.Input((None,), dtype="int32", name="tags"),
    }
    watch = Watch(seen.append, dtype="int32")
    outputs = keras.layers.Dense(1)(watch(inputs["word_ids"]))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse", run_eagerly=True)
    callbacks = [FollowEpochs(batches), Begin(seen)]
    data = as_dataset(batches)
    model.fit(data, shuffle=False, verbose=0, callbacks=callbacks, **options)


class Begin(keras.callbacks.Callback):
    """Marks where epochs begin."""

    def __init__(self, seen):
        super().__init__()
        self.seen = seen

    def on_epoch_begin(self, epoch, logs=None):
        self.seen.append(epoch)


def expected(batches, epochs):
    result = []
    for epoch in epochs:
        result.append(epoch)
        batches.epoch = epoch
        for i in range(len(batches)):
            result.append(Counter(batches[i][0]["word_ids"].ravel().tolist()))
    return result


@needs_tensorflow
@pytest.mark.parametrize("first", [0, 2])
def test_fit_reads_the_order_of_each_epoch(monkeypatch, first):
    options = dict(shuffle=True, seed=1, word_dropout=0.5)
    wanted, seen = expected(make(**options), range(first, 4)), []
    monkeypatch.setattr(Watch, "compute_output_spec", one_column)
    fit(make(**options), seen, epochs=4, initial_epoch=first)
    assert seen[seen.index(first) :] == wanted


def one_column(self, ids):
    return keras.KerasTensor((ids.shape[0], 1), "float32")


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="other backends")
def test_elsewhere_batches_stay_as_they_are():
    batches = make()
    found = as_dataset(batches)
    assert len(found) == len(batches)
    for name, array in found[1][0].items():
        np.testing.assert_array_equal(array, batches[1][0][name])


@pytest.mark.parametrize("index", [0, 2])
def test_tokens_are_counted(index):
    batches = make()
    for number, (inputs, _) in enumerate(as_dataset(batches)):
        if number == index:
            assert batches.sizes[index] == int(np.sum(inputs["mask"])) > 0
