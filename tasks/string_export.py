"""A translator as one TensorFlow graph from strings to strings."""

from pathlib import Path

import keras
from keras import ops

from zoo.lazy import Lazy, tf

tf_text = Lazy(
    "tensorflow_text", "pip install tensorflow-text (there is none for Windows)"
)


def export_strings(translator, folder, how):
    """Writes a SavedModel that takes texts and returns their translations.

    The signature `serving_default` takes `texts` `(batch,)`, strings of one line each,
    and returns `text` `(batch,)` and `score` `(batch,)`. Who loads it needs TensorFlow
    and tensorflow-text (`import tensorflow_text` registers its operations), and nothing
    of this package. Pieces beyond the translator's `max_tokens` are left out.

    Args:
        translator: `tasks.translation.Translator`.
        folder: Where; must not exist yet.
        how: `tasks.decoding.beam.BeamSearch`.

    Raises:
        ValueError: If something is there already, or the backend is not TensorFlow.
        ImportError: If tensorflow-text is not installed.
    """
    folder = Path(folder)
    if folder.exists():
        raise ValueError(f"{folder} exists already; give a new folder.")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "A SavedModel is written by TensorFlow. Save the model, set "
            "KERAS_BACKEND=tensorflow, load it, and export it there."
        )
    module = tf.Module()
    tokenizer = tf_text.SentencepieceTokenizer(model=translator.tokenizer.model)
    # What a module holds is saved with it.
    module.tokenizer = tokenizer
    module.weights = [v.value for v in translator.model.variables]

    def translate(texts):
        return _translated(translator, tokenizer, how, texts)

    signature = [tf.TensorSpec([None], tf.string, "texts")]
    module.translate = tf.function(
        translate, input_signature=signature, autograph=False
    )
    tf.saved_model.save(
        module, str(folder), signatures={"serving_default": module.translate}
    )


def _translated(translator, tokenizer, how, texts):
    end = translator.tokenizer.end_of_line
    texts = tf.strings.strip(tf.strings.regex_replace(texts, r"\s+", " "))
    ids = tokenizer.tokenize(texts)[:, : translator.options["max_tokens"]]
    lengths = ids.row_lengths()
    # A row of nothing still needs a place to look at.
    time = tf.maximum(tf.reduce_max(tf.concat([lengths, [0]], 0)), 1)
    ids = ids.to_tensor(default_value=0, shape=[None, None])
    ids = tf.pad(ids, [[0, 0], [0, tf.cast(time, "int32") - tf.shape(ids)[1]]])
    mask = tf.sequence_mask(tf.maximum(lengths, 1), time)
    found = translator.search(how, ids, mask)
    tokens = _traced(found)
    told = tf.sequence_mask(found.lengths[:, 0], tf.shape(tokens)[1])
    # The end of a line is no text.
    kept = tf.logical_and(told, tf.not_equal(tokens, end))
    text = tokenizer.detokenize(tf.ragged.boolean_mask(tokens, kept))
    return {
        "text": tf.where(lengths > 0, text, ""),
        "score": tf.where(lengths > 0, found.scores[:, 0], 0.0),
    }


def _traced(found):
    """Tokens of the best sequence of each row, `(rows, max_length)`; see `Found`."""
    lengths = found.lengths[:, 0]

    def back(at, step):
        t, tokens, parents = step
        inside = t < lengths
        token = tf.gather(tokens, at, batch_dims=1)
        before = tf.gather(parents, at, batch_dims=1)
        return tf.where(inside, before, at), tf.where(inside, token, 0)

    times = tf.range(tf.shape(found.tokens)[0])
    start = found.last[:, 0], tf.zeros_like(lengths)
    _, tokens = tf.scan(
        lambda carried, step: back(carried[0], step),
        (times, found.tokens, found.parents),
        initializer=start,
        reverse=True,
    )
    return ops.transpose(tokens)
