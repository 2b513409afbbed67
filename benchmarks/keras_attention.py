"""A decoder with Bahdanau's attention as one writes it with Keras alone.

`keras.layers.RNN` loops over a cell that does all of a step: it projects the memory,
attends, runs a `GRUCell`, and applies the softmax's matrix. For `decoding.py`.
"""

import keras
from keras import layers, ops


class AttentiveCell(layers.Layer):
    """One step. `memory` `(batch, source, features)` is set before a sequence.

    Args:
        vocabulary: Number of ids.
        embedding: Size of the vectors of tokens.
        units: Size of the GRU and of the attention's hidden layer.
        dropout: Rate of dropout before the softmax.
        table: `keras.layers.Embedding` that the softmax is tied to.
    """

    def __init__(self, vocabulary, embedding, units, dropout, table, **kwargs):
        super().__init__(**kwargs)
        self.state_size, self.output_size = units, vocabulary
        self.table = table
        self.keys = layers.Dense(units, use_bias=False)
        self.query = layers.Dense(units)
        self.score = layers.Dense(1, use_bias=False)
        self.cell = layers.GRUCell(units)
        self.readout = layers.Dense(embedding, activation="tanh")
        self.dropout = layers.Dropout(dropout)
        self.memory = None

    def build(self, input_shape):
        features, units = self.memory.shape[-1], self.state_size
        self.keys.build((None, None, features))
        self.query.build((None, units))
        self.score.build((None, None, units))
        self.cell.build((None, input_shape[-1] + features))
        self.readout.build((None, input_shape[-1] + units + features))
        self.bias = self.add_weight(shape=(self.output_size,), name="bias")
        self.built = True

    def call(self, x, states, training=False):
        query = ops.expand_dims(self.query(states[0]), 1)
        scores = self.score(ops.tanh(self.keys(self.memory) + query))
        context = ops.sum(ops.softmax(scores, 1) * self.memory, 1)
        joined = ops.concatenate([x, context], -1)
        y, states = self.cell(joined, states, training=training)
        y = self.readout(ops.concatenate([x, y, context], -1))
        y = self.dropout(y, training=training)
        return y @ ops.transpose(self.table.embeddings) + self.bias, states


class CellLoopDecoder(layers.Layer):
    """Logits `(batch, time, vocabulary)` of tokens, with `AttentiveCell`."""

    def __init__(self, vocabulary, embedding, units, dropout, **kwargs):
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(vocabulary, embedding)
        self.dropout = layers.Dropout(dropout)
        self.cell = AttentiveCell(vocabulary, embedding, units, dropout, self.embedding)
        self.loop = layers.RNN(self.cell, return_sequences=True)
        self.bridge = layers.Dense(units, activation="tanh")

    def build(self, token_ids_shape, memory_shape, summary_shape):
        self.embedding.build(token_ids_shape)
        self.cell.memory = keras.KerasTensor(memory_shape)
        self.loop.build((*token_ids_shape, self.embedding.output_dim))
        self.bridge.build(summary_shape)
        self.built = True

    def call(self, token_ids, memory, summary, training=False):
        self.cell.memory = memory
        x = self.dropout(self.embedding(token_ids), training=training)
        first = self.bridge(summary)
        return self.loop(x, initial_state=first, training=training)
