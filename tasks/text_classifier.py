"""The model of a classifier of texts: words, recurrent layers, attention, a softmax."""

import keras
from keras import layers, ops

from tasks.encoders import encode_words, word_inputs
from tasks.hierarchical_encoder import HierarchicalEncoder
from zoo.layers import Stack

POOLINGS = ("attention", "mean", "max", "last")
_WORD_OPTIONS = (
    "embedding_dim",
    "char_encoder",
    "char_embedding_dim",
    "char_units",
    "casing_dim",
    "dropout",
    "own_words",
    "vector_dim",
    "vector_groups",
)


def build_classifier(vocabulary_size, characters_size, options):
    """Builds a classifier: words to vectors, recurrent layers, pooling, a softmax.

    Args:
        vocabulary_size, characters_size: Numbers of ids.
        options: Dict of the options of `tasks.text_classification.TextClassifier`.

    Returns:
        Two functional models with the same layers: one from the dict of
        `tasks.encoders.word_inputs` to `{"probabilities": (batch, classes),
        "attention": (batch, time), "logits": (batch, classes)}`, all float32, and one
        that takes `"label"` and `"weight"` too and returns each row's loss `(batch,)`.
    """
    # === Layers ===
    read = _reader(options)
    classes = len(options["labels"])
    score = layers.Dense(classes, name="logits")
    # === Functional model ===
    inputs = word_inputs(options["word_length"])
    mask = inputs["mask"]
    x = encode_words(
        inputs,
        vocabulary_size=vocabulary_size,
        characters_size=characters_size,
        **{k: options[k] for k in _WORD_OPTIONS},
    )
    x, attention = read(x, mask)
    x = layers.Dropout(options["dropout"], name="pooling_dropout")(x)
    logits = Temperature(name="temperature")(ops.cast(score(x), "float32"))
    answers = {
        "probabilities": ops.softmax(logits),
        "attention": attention,
        "logits": logits,
    }
    truth = {
        "label": keras.Input((), dtype="int32", name="label"),
        "weight": keras.Input((), dtype="float32", name="weight"),
    }
    wanted = ops.one_hot(truth["label"], classes)
    wanted = wanted * (1 - options["label_smoothing"])
    wanted = wanted + options["label_smoothing"] / classes
    losses = -ops.sum(wanted * ops.log_softmax(logits), -1) * truth["weight"]
    model = keras.Model(inputs, answers, name="text_classifier")
    training = keras.Model({**inputs, **truth}, losses, name="classifier_training")
    return model, training


def _reader(options):
    """Function from vectors of words and their mask to one vector, and attention."""
    encoder = _encoder(options, options["num_layers"], "encoder")
    pool = AttentionPooling(options["pooling"], name="pooling")
    if options["sentence_length"] is None:
        return lambda x, mask: pool(encoder(x, mask=mask), mask=mask)
    documents = HierarchicalEncoder(
        encoder,
        pool,
        _encoder(options, 1, "sentence_encoder"),
        AttentionPooling(options["pooling"], name="sentence_pooling"),
        options["sentence_length"],
        name="documents",
    )
    return lambda x, mask: documents(x, mask=mask)


def _encoder(options, num_layers, name):
    return Stack.of(
        options["layer"],
        options["units"],
        num_layers,
        bidirectional=options["bidirectional"],
        return_sequences=True,
        connection=options["connection"],
        dropout=options["hidden_dropout"],
        layer_options=options["layer_options"],
        name=name,
    )


@keras.saving.register_keras_serializable(package="tasks")
class AttentionPooling(layers.Layer):
    r"""One vector for a sequence: its steps, weighted by how much they matter.

    $$
    a_t = \mathrm{softmax}_t(v^\top \tanh(h_t W + b)), \qquad y = \sum_t a_t h_t
    $$

    Args:
        kind: `"attention"`, as above; `"mean"` over valid steps; `"max"` of each
            feature; `"last"`, the last valid step.
        **kwargs: `name`, `dtype` and `trainable`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`, true for valid steps.

    Returns:
        `(batch, features)`, zeros for a row without a valid step; and the weights
        `(batch, time)`, float32, 0 at masked steps: for `"max"`, the part of the
        features that each step won.

    Reference:
        - Yang et al., [Hierarchical attention networks for document classification](
          https://aclanthology.org/N16-1174/), 2016
    """

    def __init__(self, kind="attention", **kwargs):
        super().__init__(**kwargs)
        if kind not in POOLINGS:
            raise ValueError(f"`pooling` must be one of {POOLINGS}. Received: {kind!r}")
        self.kind = kind
        self.hidden = layers.Dense(128, activation="tanh", name="hidden")
        self.vector = layers.Dense(1, use_bias=False, name="vector")
        self.supports_masking = True

    def build(self, input_shape):
        if self.kind == "attention":
            self.hidden.build(input_shape)
            self.vector.build((*input_shape[:-1], 128))
        self.built = True

    def call(self, inputs, mask):
        valid = ops.cast(mask, "float32")
        if self.kind == "max":
            return self._most(inputs, mask)
        if self.kind == "attention":
            scores = ops.squeeze(self.vector(self.hidden(inputs)), -1)
            scores = ops.where(mask, ops.cast(scores, "float32"), -1e9)
            # Not `ops.softmax`, which warns of sequences of one step.
            weights = ops.exp(scores - ops.max(scores, 1, keepdims=True)) * valid
            total = ops.sum(weights, 1, keepdims=True)
            weights = weights / ops.where(total > 0, total, 1.0)
        elif self.kind == "last":
            steps = ops.cumsum(valid, 1)
            last = steps == ops.max(steps, 1, keepdims=True)
            weights = ops.cast(last, "float32") * valid
        else:
            weights = valid / ops.maximum(ops.sum(valid, 1, keepdims=True), 1.0)
        # A padded step may hold anything; 0 times that need not be 0.
        inputs = ops.where(ops.expand_dims(mask, -1), inputs, 0)
        one = ops.expand_dims(ops.cast(weights, inputs.dtype), 1)
        return ops.squeeze(ops.matmul(one, inputs), 1), weights

    def _most(self, inputs, mask):
        wide = ops.expand_dims(mask, -1)
        low = ops.cast(-6e4, inputs.dtype)
        best = ops.max(ops.where(wide, inputs, low), 1)
        some = ops.any(mask, 1, keepdims=True)
        won = ops.logical_and(wide, inputs == ops.expand_dims(best, 1))
        weights = ops.sum(ops.cast(won, "float32"), -1)
        total = ops.maximum(ops.sum(weights, 1, keepdims=True), 1.0)
        return ops.where(some, best, 0), weights / total

    def compute_output_spec(self, inputs, mask):
        return (
            keras.KerasTensor((inputs.shape[0], inputs.shape[-1]), self.compute_dtype),
            keras.KerasTensor(inputs.shape[:2], "float32"),
        )

    def compute_mask(self, *_, **__):
        return None  # the time axis is gone

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}


@keras.saving.register_keras_serializable(package="tasks")
class Temperature(layers.Layer):
    """Divides logits by a number that calibration has found; 1 until then.

    Reference:
        - Guo et al., [On calibration of modern neural networks](
          https://arxiv.org/abs/1706.04599), 2017
    """

    def build(self, input_shape):
        self.temperature = self.add_weight(
            shape=(), initializer="ones", trainable=False, name="temperature"
        )
        self.built = True

    def call(self, logits):
        return logits / self.temperature

    def compute_output_shape(self, input_shape):
        return input_shape
