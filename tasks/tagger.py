"""The model of a tagger: recurrent layers over words, and a CRF on top."""

import keras
from keras import layers, ops

from tasks.encoders import encode_words, recurrent_encoder, word_inputs
from zoo.layers import CRF


def build_tagger(tags, vocabulary_size, characters_size, options):
    """Builds a tagger: words to vectors, recurrent layers, scores, a CRF.

    Args:
        tags: List of names of tags.
        vocabulary_size, characters_size: Numbers of ids.
        options: Dict of the options of `tasks.ner.NamedEntityTagger`.

    Returns:
        Two functional models with the same layers: one from the dict of `word_inputs`
        to `{"tags": (batch, time) int32, "scores": (batch, time) float32}`, and one
        that takes `"tags"` too and returns each row's loss `(batch,)`.
    """
    # === Layers ===
    of_layers = (
        "layer",
        "layer_options",
        "zoneout_h",
        "zoneout_c",
        "recurrent_dropout",
    )
    recurrent = {name: options[name] for name in of_layers}
    encoders = [
        recurrent_encoder(
            options["units"], "encoder" if i == 0 else f"encoder_{i + 1}", **recurrent
        )
        for i in range(options["num_layers"])
    ]
    score = layers.Dense(len(tags), name="logits")
    head = (
        CRF(len(tags), tag_names=tags, name="crf")
        if options["crf"]
        else IndependentTags(name="crf")
    )
    # === Functional model ===
    inputs = word_inputs(options["word_length"])
    mask = inputs["mask"]
    x = encode_words(
        inputs,
        vocabulary_size=vocabulary_size,
        characters_size=characters_size,
        **{
            k: options[k]
            for k in (
                "embedding_dim",
                "char_encoder",
                "char_embedding_dim",
                "char_units",
                "casing_dim",
                "dropout",
                "own_words",
                "own_word_dropout",
                "vector_dim",
                "vector_groups",
            )
        },
    )
    for encoder in encoders:
        x = encoder(x, mask=mask)
        x = layers.Dropout(options["dropout"], name=f"{encoder.name}_dropout")(x)
    logits = score(x)
    best = head(logits, mask=mask)
    probabilities = head(logits, mask=mask, marginals=True)
    chosen = ops.take_along_axis(probabilities, ops.expand_dims(best, -1), -1)
    answers = {"tags": best, "scores": ops.squeeze(chosen, -1)}
    truth = keras.Input((None,), dtype="int32", name="tags")
    losses = head(logits, tags=truth, mask=mask)
    model = keras.Model(inputs, answers, name="ner")
    training_model = keras.Model({**inputs, "tags": truth}, losses, name="ner_training")
    return model, training_model


@keras.saving.register_keras_serializable(package="tasks")
class IndependentTags(layers.Layer):
    """Stands in for a CRF where each tag is chosen without its neighbours.

    Call arguments and results are those of `zoo.layers.CRF`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, logits, tags=None, mask=None, marginals=False):
        logits = ops.cast(logits, "float32")
        if marginals:
            return ops.softmax(logits)
        if tags is None:
            return ops.cast(ops.argmax(logits, -1), "int32")
        loss = keras.losses.sparse_categorical_crossentropy(tags, logits, True)
        return ops.sum(ops.where(mask, loss, 0.0), 1)

    def compute_output_spec(self, logits, tags=None, mask=None, marginals=False):
        if marginals:
            return keras.KerasTensor(logits.shape, "float32")
        if tags is None:
            return keras.KerasTensor(logits.shape[:2], "int32")
        return keras.KerasTensor(logits.shape[:1], "float32")

    def compute_mask(self, *_, **__):
        return None
