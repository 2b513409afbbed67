"""A decoder that writes a sequence while it looks at a memory: text, or a picture."""

import keras
from keras import layers, ops

from zoo.layers import (
    AttentionCell,
    BahdanauAttention,
    LuongAttention,
    TiedSoftmax,
    get,
)

ATTENTIONS = ("bahdanau", "luong", None)
_NEVER = -1e9


@keras.saving.register_keras_serializable(package="tasks")
class AttentionDecoder(layers.Layer):
    r"""Writes tokens one after the other, and looks at a memory before each.

    With the embedded token $x_t$ before it, the output $s_t$ and the context $c_t$ of
    an `AttentionCell`:

    $$
    p(y_t) = \mathrm{softmax}(E \tanh([x_t; s_t; c_t] W))
    $$

    (deep output). The first state of the cell is made from a summary of the memory. In
    training all steps run in one compiled loop; the softmax is outside of it.

    Args:
        vocabulary_size: Number of ids.
        embedding_dim: Size of the vectors of tokens.
        layer: Name of the recurrent layer of `zoo.layers` that is the cell.
        units: Its size.
        layer_options: Dict of further options of it.
        attention: `"bahdanau"`, `"luong"`, or `None` to read the summary alone.
        attention_units: Size of Bahdanau's hidden layer.
        dropout: Rate of dropout on embedded tokens and before the softmax.
        tied: Whether the softmax uses the matrix of the embedding.
        sampling: Whether inputs are sometimes the model's own tokens in training, at
            the rate `sampling_rate`, a variable. All tokens are drawn from a first pass
            over the true ones (parallel scheduled sampling), which doubles the cost.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        token_ids: Integers `(batch, time)`: the token before each step.
        memory: `(batch, source, features)`.
        summary: `(batch, features)`, what the first state is made from.
        mask: Boolean `(batch, time)`.
        memory_mask: Boolean `(batch, source)`.

    Returns:
        Logits `(batch, time, vocabulary_size)`, float32, and attention `(batch, time,
        source)`, float32.

    References:
        - Bahdanau, Cho and Bengio, [Neural machine translation by jointly learning to
          align and translate](https://arxiv.org/abs/1409.0473), 2015
        - Bengio et al., [Scheduled sampling for sequence prediction with recurrent
          neural networks](https://arxiv.org/abs/1506.03099), 2015
        - Duckworth et al., [Parallel scheduled sampling](
          https://arxiv.org/abs/1906.04331), 2019
    """

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        layer="gru",
        units=256,
        *,
        layer_options=None,
        attention="bahdanau",
        attention_units=256,
        dropout=0.0,
        tied=True,
        sampling=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if attention not in ATTENTIONS:
            raise ValueError(
                f"`attention` must be one of {ATTENTIONS}. Received: {attention!r}"
            )
        self.vocabulary_size, self.embedding_dim = vocabulary_size, embedding_dim
        self.layer, self.units = layer, units
        self.layer_options = dict(layer_options or {})
        self.attention, self.attention_units = attention, attention_units
        self.dropout, self.tied, self.sampling = dropout, tied, sampling
        self.embedding = embedding_of(
            vocabulary_size, embedding_dim, name="token_embedding"
        )
        self.cell = AttentionCell(
            get(layer, units=units, name="cell", **self.layer_options),
            self._attention_layer(),
            attends="after" if attention == "luong" else "before",
            return_sequences=True,
            return_attention=True,
            return_context=True,
            name="attention_cell",
        )
        first = self.cell.cell.state_sizes[0]
        self.bridge = layers.Dense(first, activation="tanh", name="bridge")
        self.readout = layers.Dense(embedding_dim, activation="tanh", name="readout")
        self.input_dropout = layers.Dropout(dropout, name="input_dropout")
        self.output_dropout = layers.Dropout(dropout, name="output_dropout")
        if tied:
            self.head = TiedSoftmax(self.embedding, name="head")
        else:
            self.head = layers.Dense(vocabulary_size, name="head")
        self.seed_generator = keras.random.SeedGenerator()
        self.supports_masking = True

    def _attention_layer(self):
        if self.attention == "luong":
            return LuongAttention("general", name="attention")
        return BahdanauAttention(self.attention_units, name="attention")

    def build(self, token_ids_shape, memory_shape, summary_shape):
        # Without attention, the one place to look at is the summary.
        features = memory_shape[-1]
        self.embedding.build(token_ids_shape)
        self.cell.build((None, None, self.embedding_dim), (None, None, features))
        self.bridge.build(summary_shape)
        size = self.embedding_dim + self.cell.units + features
        self.readout.build((None, None, size))
        self.head.build((None, None, self.embedding_dim))
        self.sampling_rate = self.add_weight(
            shape=(), initializer="zeros", trainable=False, name="sampling_rate"
        )
        self.built = True

    def call(
        self, token_ids, memory, summary, mask=None, memory_mask=None, training=None
    ):
        prepared, state = self.begin(memory, summary, memory_mask)
        logits, attention = self._read(token_ids, prepared, state, mask, training)
        if training and self.sampling:
            token_ids = self._mixed(token_ids, ops.stop_gradient(logits))
            logits, attention = self._read(token_ids, prepared, state, mask, training)
        return logits, attention

    def begin(self, memory, summary, memory_mask=None):
        """The prepared memory, and the state before the first step."""
        if self.attention is None:
            # One place to look at: all attention is there.
            memory, memory_mask = ops.expand_dims(summary, 1), None
        prepared = self.cell.prepare(memory, memory_mask)
        batch, source = ops.shape(prepared.values)[:2]
        state = self.cell.get_initial_state(batch, source)
        first = ops.cast(self.bridge(summary), state[0].dtype)
        return prepared, [first, *state[1:]]

    def _read(self, token_ids, prepared, state, mask, training):
        x = self.input_dropout(self.embedding(token_ids), training=training)
        y, attention, context = self.cell(
            x, prepared, mask=mask, initial_state=state, training=training
        )
        return self._logits(x, y, context, training), ops.cast(attention, "float32")

    def _logits(self, x, y, context, training=False):
        joined = ops.concatenate([x, y, ops.cast(context, y.dtype)], -1)
        read = self.output_dropout(self.readout(joined), training=training)
        return ops.cast(self.head(read), "float32")

    def _mixed(self, token_ids, logits):
        """The tokens before each step, some of them the model's own."""
        drawn = keras.random.uniform(
            ops.shape(logits), 1e-6, 1.0 - 1e-6, seed=self.seed_generator
        )
        drawn = logits - ops.log(-ops.log(drawn))  # by Gumbel's trick
        drawn = ops.cast(ops.argmax(drawn, -1), token_ids.dtype)
        before = ops.concatenate([token_ids[:, :1], drawn[:, :-1]], 1)
        chance = keras.random.uniform(ops.shape(token_ids), seed=self.seed_generator)
        return ops.where(chance < self.sampling_rate, before, token_ids)

    def step(self, token_ids, state, prepared):
        """One step of decoding.

        Args:
            token_ids: Integers `(batch,)`, the tokens before.
            state: List of states, from `begin` or this method.
            prepared: The prepared memory of `begin`.

        Returns:
            Logits `(batch, vocabulary_size)`, the list of new states, and attention
            `(batch, source)`.
        """
        x = self.embedding(token_ids)
        (y, attention, context), state = self.cell.step(x, state, prepared)
        return self._logits(x, y, context), state, ops.cast(attention, "float32")

    def compute_output_spec(
        self, token_ids, memory, summary, mask=None, memory_mask=None, training=None
    ):
        source = 1 if self.attention is None else memory.shape[1]
        shape = tuple(token_ids.shape)
        return (
            keras.KerasTensor((*shape, self.vocabulary_size), "float32"),
            keras.KerasTensor((*shape, source), "float32"),
        )

    def compute_mask(self, *_, **__):
        return None, None

    def get_config(self):
        names = (
            "vocabulary_size",
            "embedding_dim",
            "layer",
            "units",
            "layer_options",
            "attention",
            "attention_units",
            "dropout",
            "tied",
            "sampling",
        )
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def embedding_of(vocabulary_size, size, name):
    """An embedding of vectors of length 1 or so.

    Keras' own are so short that a softmax tied to them hardly learns at first: what it
    gets is short, and what it passes back is, too.
    """
    initializer = keras.initializers.RandomNormal(stddev=size**-0.5)
    return layers.Embedding(
        vocabulary_size, size, embeddings_initializer=initializer, name=name
    )


def coverage_loss(attention, mask, memory_mask=None):
    """How far places of the memory are from being attended to once; `(batch,)`.

    Places that `memory_mask` `(batch, source)` leaves out do not count.

    The doubly stochastic penalty of Xu et al., [Show, attend and tell](
    https://arxiv.org/abs/1502.03044), 2015: the sum over places of
    $(1 - \\sum_t a_{tj})^2$.
    """
    attention = attention * ops.expand_dims(ops.cast(mask, attention.dtype), -1)
    missing = (1.0 - ops.sum(attention, 1)) ** 2
    if memory_mask is not None:
        missing = missing * ops.cast(memory_mask, missing.dtype)
    return ops.sum(missing, -1)
