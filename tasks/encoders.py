"""Words as vectors: ids, characters and shapes, and a recurrent network on top."""

import keras
from keras import layers, ops

from tasks.data.words import CASINGS
from zoo.layers import Bidirectional, ZoneoutLSTM

CHAR_ENCODERS = ("cnn", "lstm", None)


@keras.saving.register_keras_serializable(package="tasks")
class CharacterEncoder(keras.layers.Layer):
    """A vector for each word, read off its characters.

    Args:
        vocabulary_size: Number of character ids; 0 is padding.
        embedding_dim: Size of the vectors of characters.
        units: Size of the vectors of words.
        kind: `"cnn"`, a convolution over three characters and its maximum over the
            word (Ma and Hovy, 2016), or `"lstm"`, the ends of a bidirectional LSTM
            (Lample et al., 2016).
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        char_ids: Integers `(batch, time, characters)`.

    Returns:
        `(batch, time, units)`; zeros for words without characters.

    References:
        - Ma and Hovy, [End-to-end sequence labeling via bi-directional
          LSTM-CNNs-CRF](https://arxiv.org/abs/1603.01354), 2016
        - Lample et al., [Neural architectures for named entity recognition](
          https://arxiv.org/abs/1603.01360), 2016
    """

    def __init__(self, vocabulary_size, embedding_dim, units, kind="cnn", **kwargs):
        super().__init__(**kwargs)
        if kind not in ("cnn", "lstm"):
            raise ValueError(f"`kind` must be 'cnn' or 'lstm'. Received: {kind!r}")
        if kind == "lstm" and units % 2:
            raise ValueError(f"`units` must be even for an LSTM. Received: {units}")
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.units = units
        self.kind = kind
        self.embedding = layers.Embedding(
            vocabulary_size, embedding_dim, name="embedding"
        )
        if kind == "cnn":
            self.reader = layers.Dense(units, name="convolution")
        else:
            self.reader = Bidirectional(ZoneoutLSTM(units // 2, name="lstm"))

    def build(self, input_shape):
        self.embedding.build(input_shape)
        window = 3 if self.kind == "cnn" else 1
        self.reader.build((None, input_shape[-1], window * self.embedding_dim))
        self.built = True

    def call(self, char_ids):
        batch, time, length = ops.shape(char_ids)
        ids = ops.reshape(char_ids, (-1, length))
        mask = ids > 0
        x = self.embedding(ids)
        if self.kind == "lstm":
            # An empty row holds the initial state, zeros.
            words = self.reader(x, mask=mask)
        else:
            valid = ops.expand_dims(ops.cast(mask, x.dtype), -1)
            words = self._convolve(x * valid, valid)
        return ops.reshape(words, (batch, time, self.units))

    def _convolve(self, x, valid):
        # One product over windows is several times faster than a convolution of so
        # many short rows on a CPU.
        padded = ops.pad(x, ((0, 0), (1, 1), (0, 0)))
        x = ops.concatenate([padded[:, :-2], x, padded[:, 2:]], -1)
        # relu is at least 0, so multiplying by 0 takes padding out of the maximum.
        return ops.max(ops.relu(self.reader(x)) * valid, 1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "units": self.units,
            "kind": self.kind,
        }


def word_inputs(word_length):
    """Makes the inputs of a model over words, as `WordFeatures` encodes them."""
    return {
        "word_ids": keras.Input((None,), dtype="int32", name="word_ids"),
        "char_ids": keras.Input((None, word_length), dtype="int32", name="char_ids"),
        "casing_ids": keras.Input((None,), dtype="int32", name="casing_ids"),
        "mask": keras.Input((None,), dtype="bool", name="mask"),
    }


def encode_words(
    inputs,
    *,
    vocabulary_size,
    characters_size,
    embedding_dim,
    char_encoder,
    char_embedding_dim,
    char_units,
    casing_dim,
    dropout,
):
    """Words, characters and shapes as one sequence of vectors.

    Args:
        inputs: Dict of tensors, see `word_inputs`.
        vocabulary_size, characters_size: Numbers of ids.
        embedding_dim, char_embedding_dim, char_units, casing_dim: Sizes of vectors;
            `casing_dim=0` leaves shapes out.
        char_encoder: `"cnn"`, `"lstm"`, or `None` to leave characters out.
        dropout: Rate of dropout on the result.

    Returns:
        Tensor `(batch, time, features)`.
    """
    if char_encoder not in CHAR_ENCODERS:
        raise ValueError(
            f"`char_encoder` must be one of {CHAR_ENCODERS}. Received: {char_encoder!r}"
        )
    embedding = layers.Embedding(vocabulary_size, embedding_dim, name="word_embedding")
    parts = [embedding(inputs["word_ids"])]
    if char_encoder is not None:
        reader = CharacterEncoder(
            characters_size,
            char_embedding_dim,
            char_units,
            kind=char_encoder,
            name="character_encoder",
        )
        parts.append(reader(inputs["char_ids"]))
    if casing_dim:
        shapes = layers.Embedding(len(CASINGS), casing_dim, name="casing_embedding")
        parts.append(shapes(inputs["casing_ids"]))
    x = layers.Concatenate(name="word_vectors")(parts) if len(parts) > 1 else parts[0]
    return layers.Dropout(dropout, name="word_dropout")(x)


def recurrent_encoder(units, name="encoder", **options):
    """A bidirectional LSTM over words; `options` are those of `ZoneoutLSTM`."""
    layer = ZoneoutLSTM(units, return_sequences=True, name=f"{name}_lstm", **options)
    return Bidirectional(layer, name=name)
