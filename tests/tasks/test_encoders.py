"""What is read off words and their characters."""

import json

import keras
import numpy as np
import pytest

from tasks.data.vectors import compress
from tasks.data.vocabulary import UNKNOWN_ID
from tasks.encoders import (
    CharacterEncoder,
    CompressedVectors,
    UnknownWords,
    encode_words,
    recurrent_encoder,
    word_inputs,
)
from zoo.layers import QRNN

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning"
)

KINDS = ("cnn", "lstm")
CHARACTERS, DIM, UNITS = 11, 5, 6
SIZES = dict(
    vocabulary_size=20,
    characters_size=CHARACTERS,
    embedding_dim=4,
    char_encoder="cnn",
    char_embedding_dim=3,
    char_units=6,
    casing_dim=2,
    dropout=0.0,
)


def make(kind, **options):
    keras.utils.set_random_seed(0)
    layer = CharacterEncoder(CHARACTERS, DIM, UNITS, kind=kind, **options)
    layer.build((None, None, 7))
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.weights])
    return layer


def some_words():
    """Ids of two rows of three words, of 0 to 7 characters."""
    ids = np.random.default_rng(2).integers(1, CHARACTERS, (2, 3, 7)).astype("int32")
    for word, length in enumerate([7, 1, 4, 0, 2, 6]):
        ids[word // 3, word % 3, length:] = 0
    return ids


def run(layer, ids):
    return keras.ops.convert_to_numpy(layer(ids))


@pytest.mark.parametrize("kind", KINDS)
class TestCharacterEncoder:
    def test_shape(self, kind):
        layer = make(kind)
        assert run(layer, some_words()).shape == (2, 3, UNITS)
        assert layer.compute_output_shape((2, 3, 7)) == (2, 3, UNITS)

    def test_a_word_is_read_alike_wherever_it_stands(self, kind):
        words = some_words()
        shuffled = words.reshape(6, 7)[[3, 1, 5, 0, 2, 4]].reshape(3, 2, 7)
        got = run(make(kind), shuffled).reshape(6, UNITS)
        wanted = run(make(kind), words).reshape(6, UNITS)[[3, 1, 5, 0, 2, 4]]
        np.testing.assert_allclose(got, wanted, atol=1e-6)

    def test_padding_is_invisible(self, kind):
        words = some_words()
        longer = np.pad(words, ((0, 0), (0, 0), (0, 4)))
        np.testing.assert_allclose(
            run(make(kind), longer), run(make(kind), words), atol=1e-6
        )

    def test_a_word_without_characters_is_zero(self, kind):
        np.testing.assert_array_equal(run(make(kind), some_words())[1, 0], 0)

    @pytest.mark.parametrize("place", range(4))
    def test_every_character_counts(self, kind, place):
        words = some_words()[:, 2:]
        other = words.copy()
        other[0, 0, place] = 1 + other[0, 0, place] % (CHARACTERS - 1)
        layer = make(kind)
        assert np.abs(run(layer, other)[0] - run(layer, words)[0]).max() > 1e-4

    def test_order_counts(self, kind):
        words = some_words()
        other = words.copy()
        other[0, 0] = words[0, 0, ::-1]
        layer = make(kind)
        assert np.abs(run(layer, other)[0, 0] - run(layer, words)[0, 0]).max() > 1e-3

    def test_config_keeps_every_option(self, kind):
        layer = make(kind, name="kept", dtype="mixed_bfloat16", trainable=False)
        config = json.loads(json.dumps(layer.get_config()))
        again = CharacterEncoder.from_config(config)
        assert again.get_config() == layer.get_config()
        assert (again.vocabulary_size, again.embedding_dim) == (CHARACTERS, DIM)
        assert (again.units, again.kind, again.name) == (UNITS, kind, "kept")

    def test_saves_and_loads(self, kind, tmp_path):
        inputs = keras.Input((None, 7), dtype="int32")
        model = keras.Model(inputs, make(kind)(inputs))
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(
            run(loaded, some_words()), run(model, some_words()), atol=1e-6
        )


def test_the_convolution_is_the_one_of_keras():
    layer, words = make("cnn"), some_words()[:, :1]
    table, kernel, bias = layer.get_weights()
    convolution = keras.layers.Conv1D(UNITS, 3, padding="same", activation="relu")
    convolution.build((None, 7, DIM))
    convolution.set_weights([kernel.reshape(3, DIM, UNITS), bias])
    vectors = table[words[0]]  # a word that fills all places
    wanted = np.array(convolution(vectors)).max(1)
    np.testing.assert_allclose(run(layer, words)[0], wanted, atol=1e-5)


def test_the_lstm_returns_its_ends():
    layer, words = make("lstm"), some_words()
    vectors = layer.embedding(words[0])
    mask = words[0] > 0
    ends = [
        keras.ops.convert_to_numpy(end(vectors, mask=mask))
        for end in (layer.reader.forward_layer, layer.reader.backward_layer)
    ]
    np.testing.assert_allclose(run(layer, words)[0], np.hstack(ends), atol=1e-6)


def test_unknown_kinds_are_refused():
    with pytest.raises(ValueError, match="'cnn' or 'lstm'.*'gru'"):
        CharacterEncoder(CHARACTERS, DIM, UNITS, kind="gru")


def test_an_lstm_needs_even_units():
    with pytest.raises(ValueError, match="even.*5"):
        CharacterEncoder(CHARACTERS, DIM, 5, kind="lstm")


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, 12),
        ({"char_encoder": None}, 6),
        ({"casing_dim": 0}, 10),
        ({"char_encoder": None, "casing_dim": 0}, 4),
    ],
)
def test_words_are_as_wide_as_their_parts(options, size):
    vectors = encode_words(word_inputs(7), **{**SIZES, **options})
    assert vectors.shape == (None, None, size)


def test_words_of_other_kinds_are_refused():
    with pytest.raises(ValueError, match="`char_encoder`.*'rnn'"):
        encode_words(word_inputs(7), **{**SIZES, "char_encoder": "rnn"})


@pytest.mark.parametrize("name", ["word_ids", "char_ids", "casing_ids"])
def test_every_input_counts(name):
    inputs = word_inputs(7)
    model = keras.Model(inputs, encode_words(inputs, **SIZES))
    batch = {
        "word_ids": np.full((1, 2), 3),
        "char_ids": np.full((1, 2, 7), 4),
        "casing_ids": np.full((1, 2), 2),
        "mask": np.ones((1, 2), "bool"),
    }
    other = {**batch, name: batch[name] + 1}
    assert not np.allclose(np.array(model(batch)), np.array(model(other)))


def test_the_encoder_reads_both_ways():
    encoder = recurrent_encoder(4)
    x = np.random.default_rng(0).normal(size=(1, 5, 3)).astype("float32")
    other = x.copy()
    other[0, 2] += 1
    change = np.abs(np.array(encoder(other)) - np.array(encoder(x)))[0].max(-1)
    assert (change > 1e-6).all()


def test_the_encoder_takes_the_options_of_its_layer():
    encoder = recurrent_encoder(4, "second", zoneout_h=0.1, recurrent_dropout=0.2)
    assert encoder.name == "second"
    for layer in (encoder.forward_layer, encoder.backward_layer):
        assert (layer.units, layer.zoneout_h, layer.recurrent_dropout) == (4, 0.1, 0.2)


def test_the_encoder_may_be_of_another_kind():
    encoder = recurrent_encoder(
        4, layer="qrnn", layer_options={"window": 2}, zoneout_h=0.0
    )
    assert isinstance(encoder.forward_layer, QRNN)
    assert encoder.forward_layer.window == 2


def test_an_option_of_another_kind_of_layer_is_refused():
    with pytest.raises(ValueError, match="QRNN.*zoneout_h"):
        recurrent_encoder(4, layer="qrnn", zoneout_h=0.1)


class TestCompressedVectors:
    def make(self):
        vectors = np.random.default_rng(0).normal(size=(9, 6)).astype("float32")
        layer = CompressedVectors(9, 6, 3)
        layer.build()
        layer.set_weights(compress(vectors, 3))
        return layer, vectors

    def test_few_words_get_their_vectors_back(self):
        layer, vectors = self.make()
        ids = np.array([[3, 0], [8, 3]], "int32")
        np.testing.assert_allclose(run(layer, ids), vectors[ids], rtol=1e-5)
        assert layer.compute_output_shape((2, 2)) == (2, 2, 6)

    def test_it_is_never_trained(self):
        layer, _ = self.make()
        assert not layer.trainable_variables

    def test_config_keeps_every_option(self):
        layer, _ = self.make()
        config = json.loads(json.dumps(layer.get_config()))
        again = CompressedVectors.from_config(config)
        assert (again.vocabulary_size, again.dim, again.groups) == (9, 6, 3)

    def test_groups_must_divide_the_size(self):
        with pytest.raises(ValueError, match="'vectors' must divide dim=6"):
            CompressedVectors(9, 6, 4, name="vectors")


def test_words_beyond_the_own_ones_share_the_vector_of_unknown_words():
    inputs = word_inputs(7)
    sizes = {**SIZES, "char_encoder": None, "casing_dim": 0}
    x = encode_words(inputs, **sizes, own_words=3)
    model = keras.Model(inputs, x)
    assert model.get_layer("word_embedding").input_dim == 5
    data = {
        "word_ids": np.array([[4, 5, 1, 19]], "int32"),
        "char_ids": np.zeros((1, 4, 7), "int32"),
        "casing_ids": np.zeros((1, 4), "int32"),
        "mask": np.ones((1, 4), "bool"),
    }
    four, five, unknown, last = keras.ops.convert_to_numpy(model(data))[0]
    np.testing.assert_array_equal(five, unknown)
    np.testing.assert_array_equal(last, unknown)
    assert not np.array_equal(four, unknown)


class TestUnknownWords:
    IDS = np.arange(10, 10 + 6000).reshape(60, 100)

    def draw(self, layer):
        return keras.ops.convert_to_numpy(layer(self.IDS, training=True))

    def test_a_part_of_the_words_is_made_unknown(self):
        got = self.draw(UnknownWords(0.3))
        changed = got != self.IDS
        assert 0.27 < changed.mean() < 0.33
        assert set(got[changed]) == {UNKNOWN_ID}
        # Each place on its own: neither rows nor columns go together.
        assert 0 < changed.mean(0).std() < 0.12 and 0 < changed.mean(1).std() < 0.12

    def test_other_words_in_each_call(self):
        layer = UnknownWords(0.3)
        assert 0.5 < np.mean(self.draw(layer) == self.draw(layer)) < 0.65

    def test_words_stay_where_nothing_is_learned(self):
        np.testing.assert_array_equal(run(UnknownWords(0.3), self.IDS), self.IDS)

    def test_config_keeps_every_option(self):
        layer = UnknownWords(0.3, name="kept")
        again = UnknownWords.from_config(json.loads(json.dumps(layer.get_config())))
        assert (again.rate, again.name) == (0.3, "kept")

    @pytest.mark.parametrize("rate", [-0.1, 1.5, "half"])
    def test_rates_out_of_range_are_refused(self, rate):
        with pytest.raises(ValueError, match="rate"):
            UnknownWords(rate)


def test_words_lose_their_own_vectors_and_keep_those_of_others():
    inputs = word_inputs(7)
    sizes = {**SIZES, "char_encoder": None, "casing_dim": 0, "vector_dim": 4}
    x = encode_words(inputs, **sizes, vector_groups=2, own_word_dropout=0.5)
    model = keras.Model(inputs, x)
    codes, centroids = compress(np.random.default_rng(0).normal(size=(20, 4)), 2)
    model.get_layer("word_vectors").set_weights([codes, centroids])
    data = {
        "word_ids": np.full((1, 200), 7, "int32"),
        "char_ids": np.zeros((1, 200, 7), "int32"),
        "casing_ids": np.zeros((1, 200), "int32"),
        "mask": np.ones((1, 200), "bool"),
    }
    got = keras.ops.convert_to_numpy(model(data, training=True))[0]
    own, unknown = model.get_layer("word_embedding").get_weights()[0][[7, UNKNOWN_ID]]
    lost = (got[:, :4] == unknown).all(1)
    assert 0.35 < lost.mean() < 0.65
    np.testing.assert_array_equal(got[~lost, :4], np.tile(own, ((~lost).sum(), 1)))
    np.testing.assert_array_equal(got[:, 4:], np.tile(got[0, 4:], (200, 1)))
    assert np.abs(got[0, 4:]).max() > 0
