"""The model of a recognizer of speech: features, fewer steps, recurrence, labels."""

import keras
from keras import layers, ops

from tasks.losses import RowShare
from zoo.layers import Stack
from zoo.ops.ctc import ctc_loss

REDUCTIONS = ("stack", "convolution")


def build_recognizer(labels, options):
    """Builds a recognizer.

    Args:
        labels: Number of ids, the blank among them.
        options: Dict of the options of `tasks.speech_recognition.SpeechRecognizer`.

    Returns:
        Two functional models with the same layers: one from `"features"` `(batch,
        frames, num_mels)` and `"mask"` `(batch, frames)` to `{"log_probabilities":
        (batch, time, labels), "mask": (batch, time)}`, and one that takes `"targets"`
        and `"target_mask"` `(batch, characters)` too and returns each row's share of
        the loss `(batch,)`.
    """
    # === Layers ===
    reduce = TimeReduction(
        options["time_reduction"],
        kind=options["reduction"],
        filters=options["filters"],
        name="reduction",
    )
    encoder = Stack.of(
        options["layer"],
        options["units"],
        options["num_layers"],
        bidirectional=options["bidirectional"],
        return_sequences=True,
        connection=options["connection"],
        dropout=options["hidden_dropout"],
        layer_options=options["layer_options"],
        name="encoder",
    )
    score = layers.Dense(labels, name="logits")
    # === Functional model ===
    inputs = {
        "features": keras.Input((None, options["num_mels"]), name="features"),
        "mask": keras.Input((None,), dtype="bool", name="mask"),
    }
    x, mask = reduce(inputs["features"], mask=inputs["mask"])
    x = layers.Dropout(options["dropout"], name="input_dropout")(x)
    x = encoder(x, mask=mask)
    x = layers.Dropout(options["dropout"], name="output_dropout")(x)
    chances = ops.log_softmax(ops.cast(score(x), "float32"))
    answers = {"log_probabilities": chances, "mask": mask}
    truth = {
        "targets": keras.Input((None,), dtype="int32", name="targets"),
        "target_mask": keras.Input((None,), dtype="bool", name="target_mask"),
    }
    losses = TextLoss(name="text_loss")(chances, mask, *truth.values())
    losses = RowShare(name="row_share")(losses, truth["target_mask"])
    model = keras.Model(inputs, answers, name="speech_recognizer")
    training = keras.Model({**inputs, **truth}, losses, name="recognizer_training")
    return model, training


@keras.saving.register_keras_serializable(package="tasks")
class TextLoss(layers.Layer):
    """Negative log-likelihood of a text in nats, over all its alignments (CTC).

    Call arguments:
        log_probabilities: `(batch, time, labels)`, float32.
        mask: Boolean `(batch, time)`, any pattern.
        targets: Integers `(batch, characters)`.
        target_mask: Boolean `(batch, characters)`, true from the first on.

    Returns:
        `(batch, 1)`; 0 for a row without steps and text.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, log_probabilities, mask, targets, target_mask):
        losses = ctc_loss(
            ops.transpose(log_probabilities, (1, 0, 2)),
            ops.cast(ops.transpose(mask), log_probabilities.dtype),
            ops.transpose(targets),
            ops.sum(ops.cast(target_mask, "int32"), 1),
        )
        return losses[:, None]

    def compute_output_shape(self, shape, *_):
        return (shape[0], 1)

    def compute_mask(self, *_, **__):
        return None  # the time axis is gone


@keras.saving.register_keras_serializable(package="tasks")
class TimeReduction(layers.Layer):
    """Several frames as one step.

    Args:
        factor: Number of frames; a last group may have fewer.
        kind: `"stack"` puts the frames side by side; `"convolution"` looks at patches
            of `2 * factor + 1` frames and 5 bands, so that what was learned of one
            pitch helps with others.
        filters: Number of patterns that a convolution knows.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, frames, bands)`.
        mask: Boolean `(batch, frames)`, any pattern; frames that are not valid count as
            zeros.

    Returns:
        `(batch, ceil(frames / factor), features)`, and a boolean mask: true for a step
        with a valid frame.

    Reference:
        - Amodei et al., [Deep Speech 2](https://arxiv.org/abs/1512.02595), 2015
    """

    def __init__(self, factor, kind="stack", filters=8, **kwargs):
        super().__init__(**kwargs)
        if kind not in REDUCTIONS:
            raise ValueError(f"`reduction` must be one of {REDUCTIONS}. Got: {kind!r}")
        if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
            raise ValueError(
                f"`time_reduction` must be a positive integer. Received: {factor!r}"
            )
        self.factor, self.kind, self.filters = factor, kind, filters
        self.convolution = None
        if kind == "convolution":
            self.convolution = layers.Conv2D(
                filters,
                (2 * factor + 1, 5),
                (factor, 2),
                activation="relu",
                name="convolution",
            )
        self.supports_masking = True

    def build(self, input_shape):
        if self.convolution is not None:
            self.convolution.build((*input_shape[:2], input_shape[-1] + 4, 1))
        self.built = True

    def call(self, inputs, mask):
        inputs = ops.where(mask[:, :, None], inputs, 0)
        batch, time, bands = ops.shape(inputs)
        steps = (time + self.factor - 1) // self.factor
        more = steps * self.factor - time
        groups = ops.reshape(
            ops.pad(mask, ((0, 0), (0, more))), (batch, steps, self.factor)
        )
        valid = ops.any(groups, -1)
        if self.convolution is None:
            x = ops.pad(inputs, ((0, 0), (0, more), (0, 0)))
            return ops.reshape(x, (batch, steps, self.factor * bands)), valid
        # Padded by hand: Keras' "same" depends on how many frames there are.
        beside = self.factor + 1
        around = (beside // 2, more + beside - beside // 2)
        x = ops.pad(inputs, ((0, 0), around, (2, 2)))
        x = self.convolution(x[..., None])
        return ops.reshape(x, (batch, steps, self._features(bands))), valid

    def _features(self, bands):
        if self.convolution is None:
            return self.factor * bands
        return (bands + 1) // 2 * self.filters

    def compute_output_spec(self, inputs, mask):
        batch, time, bands = inputs.shape
        steps = None if time is None else -(-time // self.factor)
        return (
            keras.KerasTensor(
                (batch, steps, self._features(bands)), self.compute_dtype
            ),
            keras.KerasTensor((batch, steps), "bool"),
        )

    def compute_mask(self, *_, **__):
        return None  # it is a result

    def get_config(self):
        return {
            **super().get_config(),
            "factor": self.factor,
            "kind": self.kind,
            "filters": self.filters,
        }
