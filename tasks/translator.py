"""The model of a translator: an encoder in both directions, an attentive decoder."""

import keras
from keras import layers, ops

from tasks.attention_decoder import embedding_of
from tasks.writer import decoder_of, training_model_of
from zoo.layers import Stack


class TranslatorParts:
    """The layers of a translator, and the Keras models made of them.

    Args:
        vocabulary_size: Number of ids, of both languages together.
        options: Dict of the options of `tasks.translation.Translator`.

    Attributes:
        model: From `source_ids` and `source_mask` `(batch, source)`, `target_ids` and
            `target_mask` `(batch, time)` to `{"logits": (batch, time, vocabulary),
            "attention": (batch, time, source)}`: teacher forcing.
        training_model: From these and `targets` to each row's share of the loss.
    """

    def __init__(self, vocabulary_size, options):
        # === Layers ===
        self.embedding = embedding_of(
            vocabulary_size, options["embedding_dim"], name="source_embedding"
        )
        self.source_dropout = layers.Dropout(options["dropout"], name="source_dropout")
        self.encoder = Stack.of(
            options["encoder_layer"],
            options["units"] // 2,
            options["num_layers"],
            bidirectional=True,
            return_sequences=True,
            connection=options["connection"],
            dropout=options["dropout"] if options["num_layers"] > 1 else 0.0,
            layer_options=options["encoder_options"],
            name="encoder",
        )
        self.decoder = decoder_of(
            vocabulary_size,
            options["decoder_layer"],
            options,
            layer_options=options["decoder_options"],
            attention_units=options["units"],
        )
        # === Functional models ===
        inputs = {
            name: keras.Input(
                (None,), dtype="bool" if name.endswith("mask") else "int32", name=name
            )
            for name in ("source_ids", "source_mask", "target_ids", "target_mask")
        }
        memory, summary = self.encode(inputs["source_ids"], inputs["source_mask"])
        logits, attention = self.decoder(
            inputs["target_ids"],
            memory,
            summary,
            mask=inputs["target_mask"],
            memory_mask=inputs["source_mask"],
        )
        answers = {"logits": logits, "attention": attention}
        self.model = keras.Model(inputs, answers, name="translator")
        self.training_model = training_model_of(
            inputs,
            answers,
            options,
            coverage=options["coverage_loss"],
            memory_mask=inputs["source_mask"],
            name="translator_training",
        )

    def encode(self, source_ids, source_mask):
        """The memory `(batch, source, units)`, and its mean `(batch, units)`."""
        x = self.source_dropout(self.embedding(source_ids))
        memory = self.encoder(x, mask=source_mask)
        valid = ops.expand_dims(ops.cast(source_mask, memory.dtype), -1)
        count = ops.maximum(ops.sum(valid, 1), 1.0)
        return memory, ops.sum(memory * valid, 1) / count
