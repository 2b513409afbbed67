"""Words as vectors: ids, characters and shapes, and a recurrent network on top."""

import keras
from keras import layers, ops

from tasks.data.vectors import CODES
from tasks.data.vocabulary import RESERVED, UNKNOWN_ID
from tasks.data.words import CASINGS
from zoo.layers import Bidirectional, ZoneoutLSTM, get
from zoo.layers.recurrent import check_rate
from zoo.ops.dropout import dropout_mask

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


@keras.saving.register_keras_serializable(package="tasks")
class CompressedVectors(keras.layers.Layer):
    """Vectors of words that stay as they are, a byte for each group of dimensions.

    Args:
        vocabulary_size: Number of ids.
        dim: Size of the vectors.
        groups: Number of bytes a vector takes; a divisor of `dim`.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        word_ids: Integers, of any shape.

    Returns:
        The shape of `word_ids` and one more axis of size `dim`. Zeros until `codes`
        and `centroids` are set, see `tasks.data.vectors.compress`.
    """

    def __init__(self, vocabulary_size, dim, groups, **kwargs):
        super().__init__(**kwargs)
        if dim % groups:
            raise ValueError(
                f"`groups` of layer '{self.name}' must divide dim={dim}. "
                f"Received: {groups}"
            )
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.groups = groups

    def build(self, input_shape=None):
        self.codes = self.add_weight(
            shape=(self.vocabulary_size, self.groups),
            dtype="uint8",
            initializer="zeros",
            trainable=False,
            name="codes",
        )
        self.centroids = self.add_weight(
            shape=(self.groups * CODES, self.dim // self.groups),
            initializer="zeros",
            trainable=False,
            name="centroids",
        )
        self.built = True

    def call(self, word_ids):
        codes = ops.take(ops.convert_to_tensor(self.codes), word_ids, 0)
        rows = ops.cast(codes, "int32") + CODES * ops.arange(self.groups, dtype="int32")
        parts = ops.take(ops.convert_to_tensor(self.centroids), rows, 0)
        return ops.reshape(parts, (*ops.shape(word_ids), self.dim))

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.dim)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "groups": self.groups,
        }


@keras.saving.register_keras_serializable(package="tasks")
class UnknownWords(keras.layers.Layer):
    """Makes some words unknown in training.

    Args:
        rate: Part of the words.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        word_ids: Integers `(batch, time)`.

    Returns:
        The same, with the id of unknown words in some places.

    Raises:
        ValueError: If the rate is no number from 0 to 1.
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = check_rate(self.name, "rate", rate)
        self.seed_generator = keras.random.SeedGenerator()
        self.built = True

    def call(self, word_ids, training=None):
        if not training or not self.rate:
            return word_ids
        flat = ops.reshape(word_ids, (-1, 1))
        rows = ops.shape(flat)[0]
        kept = dropout_mask(self.rate, (rows, 1), self.seed_generator) > 0
        return ops.reshape(ops.where(kept, flat, UNKNOWN_ID), ops.shape(word_ids))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


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
    own_words=None,
    own_word_dropout=0.0,
    vector_dim=0,
    vector_groups=25,
):
    """Words, characters and shapes as one sequence of vectors.

    Args:
        inputs: Dict of tensors, see `word_inputs`.
        vocabulary_size, characters_size: Numbers of ids.
        embedding_dim, char_embedding_dim, char_units, casing_dim: Sizes of vectors;
            `casing_dim=0` leaves shapes out.
        char_encoder: `"cnn"`, `"lstm"`, or `None` to leave characters out.
        dropout: Rate of dropout on the result.
        own_words: Number of words that have trained vectors of their own, from the
            first of the vocabulary on; the others share that of unknown words. All by
            default.
        own_word_dropout: Rate at which words lose their own vector in training, but
            keep that of others: so the model learns what to do with words that have
            that alone.
        vector_dim, vector_groups: Size of `CompressedVectors`, which come beside; 0
            leaves them out.

    Returns:
        Tensor `(batch, time, features)`.
    """
    if char_encoder not in CHAR_ENCODERS:
        raise ValueError(
            f"`char_encoder` must be one of {CHAR_ENCODERS}. Received: {char_encoder!r}"
        )
    ids = inputs["word_ids"]
    own_ids, own_size = ids, vocabulary_size
    if own_words is not None:
        own_size = own_words + RESERVED
        own_ids = ops.where(ids < own_size, ids, UNKNOWN_ID)
    if own_word_dropout:
        own_ids = UnknownWords(own_word_dropout, name="own_word_dropout")(own_ids)
    embedding = layers.Embedding(own_size, embedding_dim, name="word_embedding")
    parts = [embedding(own_ids)]
    if vector_dim:
        vectors = CompressedVectors(
            vocabulary_size, vector_dim, vector_groups, name="word_vectors"
        )
        parts.append(vectors(ids))
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
    x = layers.Concatenate(name="words")(parts) if len(parts) > 1 else parts[0]
    return layers.Dropout(dropout, name="word_dropout")(x)


def recurrent_encoder(
    units, name="encoder", layer="zoneout_lstm", layer_options=None, **options
):
    """A recurrent layer over words, in both directions.

    Args:
        units: Size of each direction.
        name: The layer's name.
        layer: Kind of layer, as `zoo.layers.get` takes it.
        layer_options: Dict of options of that kind of layer.
        **options: Options that not every kind has: those of `ZoneoutLSTM`. Another
            kind gets the ones that are not 0.

    Raises:
        ValueError: If the kind is unknown, or has no such option.
    """
    is_default = layer == "zoneout_lstm"
    if not is_default:
        options = {key: value for key, value in options.items() if value}
    own = {**options, **(layer_options or {})}
    kind = "lstm" if is_default else layer
    made = get(layer, units, return_sequences=True, name=f"{name}_{kind}", **own)
    return Bidirectional(made, name=name)
