"""A translator as one TensorFlow graph from strings to strings."""

from tasks.data.graph_tokenizers import subword_operations
from tasks.data.pairs import BUCKETS
from tasks.decoding.best import best_tokens
from tasks.exports import export_graphs, new_folder
from zoo.lazy import tf


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
    folder = new_folder(folder)
    tokenizer = subword_operations(translator.tokenizer)

    def translate(texts):
        return _translated(translator, tokenizer, how, texts)

    takes = [tf.TensorSpec([None], tf.string, "texts")]
    export_graphs(
        {"serving_default": (translate, takes)},
        folder,
        tokenizer=tokenizer,
        weights=[v.value for v in translator.model.variables],
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
    limits = tf.cast(_most_tokens(lengths), tf.int32)
    found = translator.search(how, ids, mask, limits=limits)
    tokens, told = best_tokens(found)
    # The end of a line is no text.
    kept = tf.logical_and(told, tf.not_equal(tokens, end))
    text = tokenizer.detokenize(tf.ragged.boolean_mask(tokens, kept))
    return {
        "text": tf.where(lengths > 0, text, ""),
        "score": tf.where(lengths > 0, found.scores[:, 0], 0.0),
    }


def _most_tokens(lengths):
    """As `tasks.translation_lines.most_tokens`, in a graph."""
    last = tf.constant(BUCKETS[-1], lengths.dtype)
    buckets = tf.constant(BUCKETS, lengths.dtype)
    place = tf.minimum(tf.searchsorted(buckets, lengths), len(BUCKETS) - 1)
    beyond = -(-lengths // last) * last
    bucket = tf.where(lengths > last, beyond, tf.gather(buckets, place))
    return bucket * 3 // 2 + 10
