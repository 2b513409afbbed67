"""The model of a translator: an encoder in both directions, an attentive decoder."""

import keras
from keras import layers, ops

from tasks.attention_decoder import (
    AttentionDecoder,
    coverage_loss,
    embedding_of,
)
from tasks.losses import token_losses
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
        self.decoder = AttentionDecoder(
            vocabulary_size,
            options["embedding_dim"],
            options["decoder_layer"],
            options["units"],
            layer_options=options["decoder_options"],
            attention=options["attention"],
            attention_units=options["units"],
            dropout=options["dropout"],
            tied=options["tied"],
            sampling=options["scheduled_sampling"] is not None,
            name="decoder",
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
        self.model = keras.Model(
            inputs, {"logits": logits, "attention": attention}, name="translator"
        )
        targets = keras.Input((None,), dtype="int32", name="targets")
        mask = inputs["target_mask"]
        losses = token_losses(logits, targets, mask, options["label_smoothing"])
        share = RowShare(name="row_share")(losses, mask)
        if options["coverage_loss"] and options["attention"] is not None:
            missing = coverage_loss(attention, mask, inputs["source_mask"])
            share = share + options["coverage_loss"] * missing
        self.training_model = keras.Model(
            {**inputs, "targets": targets}, share, name="translator_training"
        )

    def encode(self, source_ids, source_mask):
        """The memory `(batch, source, units)`, and its mean `(batch, units)`."""
        x = self.source_dropout(self.embedding(source_ids))
        memory = self.encoder(x, mask=source_mask)
        valid = ops.expand_dims(ops.cast(source_mask, memory.dtype), -1)
        count = ops.maximum(ops.sum(valid, 1), 1.0)
        return memory, ops.sum(memory * valid, 1) / count


@keras.saving.register_keras_serializable(package="tasks")
class RowShare(layers.Layer):
    """Each row's share of a loss: their mean is the mean over all valid steps.

    Call arguments:
        losses: `(batch, time)`, 0 where masked.
        mask: Boolean `(batch, time)`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, losses, mask):
        valid = ops.maximum(ops.sum(ops.cast(mask, "float32")), 1.0)
        rows = ops.cast(ops.shape(losses)[0], "float32")
        return ops.sum(losses, 1) * (rows / valid)

    def compute_output_shape(self, losses_shape, *_):
        return losses_shape[:1]

    def compute_mask(self, *_, **__):
        return None
