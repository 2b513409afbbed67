"""A captioner as one TensorFlow graph from pictures to strings."""

from tasks.data.caption_words import caption_text
from tasks.data.vocabulary import RESERVED
from tasks.decoding.best import best_tokens
from tasks.exports import export_graphs
from zoo.lazy import tf


def export_captions(captioner, folder, how):
    """Writes a SavedModel that takes pictures and returns their captions.

    The signature `serving_default` takes `pictures` `(batch, height, width, 3)`, uint8;
    the signature `floats` takes them as float32 from 0 to 1. Both return `text`
    `(batch,)`, strings, and `score` `(batch,)`, float32. Pictures may have any height
    and width; those of `picture_size` give what `predict` gives, others up to the last
    bit in which resizing differs. Who loads it needs TensorFlow alone.

    Args:
        captioner: `tasks.captioning.Captioner`.
        folder: Where; must not exist yet.
        how: `tasks.decoding.beam.BeamSearch`.

    Raises:
        ValueError: If something is there already, or the backend is not TensorFlow.
    """
    size = captioner.options["picture_size"]

    def caption(pictures):
        return _captions(captioner, how, squeezed(tf.cast(pictures, "float32"), size))

    def caption_floats(pictures):
        told = "Floats must be from 0 to 1."
        low = tf.debugging.assert_greater_equal(pictures, 0.0, told)
        high = tf.debugging.assert_less_equal(pictures, 1.0, told)
        with tf.control_dependencies([low, high]):
            return caption(tf.round(pictures * 255.0))

    shape = [None, None, None, 3]
    export_graphs(
        {
            "serving_default": (caption, [tf.TensorSpec(shape, "uint8", "pictures")]),
            "floats": (caption_floats, [tf.TensorSpec(shape, "float32", "pictures")]),
        },
        folder,
        weights=[v.value for v in captioner.model.variables],
    )


def squeezed(pictures, size):
    """Pictures in a square, as Pillow resizes them: one side, then the other.

    Args:
        pictures: `(batch, height, width, 3)`, float32 from 0 to 255.
        size: Height and width of the result.
    """
    height, width = tf.unstack(tf.shape(pictures)[1:3])

    def rows(pictures):
        weights = _bicubic(height, size)
        return _whole(tf.einsum("bhwc,oh->bowc", pictures, weights))

    def columns(pictures):
        weights = _bicubic(width, size)
        return _whole(tf.einsum("bhwc,ow->bhoc", pictures, weights))

    # Pillow begins with columns, unless there would only be more of them to reduce.
    return tf.cond(
        tf.logical_and(height > size, width < size),
        lambda: columns(rows(pictures)),
        lambda: rows(columns(pictures)),
    )


def _whole(pixels):
    return tf.clip_by_value(tf.floor(pixels + 0.5), 0.0, 255.0)


def _bicubic(before, after):
    """How much of each old place is in each new one, `(after, before)`.

    `tf.image.resize` gives other weights than Pillow at some places.
    """
    scale = tf.cast(before, "float64") / after
    wide = tf.maximum(scale, 1.0)  # a smaller picture is a blurred one
    centers = (tf.range(after, dtype="float64") + 0.5) * scale
    places = tf.range(tf.cast(before, "float64"), dtype="float64") + 0.5
    x = tf.abs(places - centers[:, None]) / wide
    near = (1.5 * x - 2.5) * x**2 + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    weights = tf.where(x < 1.0, near, tf.where(x < 2.0, far, 0.0))
    total = tf.reduce_sum(weights, 1, keepdims=True)
    return tf.cast(weights / total, "float32")


def _captions(captioner, how, pictures):
    parts, coder = captioner.parts, captioner.coder
    found = captioner.search(how, parts.see(pictures))
    tokens, told = best_tokens(found)
    kept = tf.logical_and(told, tf.not_equal(tokens, coder.end))
    return {
        "text": texts_of(coder.vocabulary, tokens, kept),
        "score": found.scores[:, 0],
    }


def texts_of(vocabulary, ids, kept):
    """Captions of ids, as `caption_text` puts words together; strings `(batch,)`.

    Args:
        vocabulary: `tasks.data.vocabulary.Vocabulary`.
        ids: Integers `(batch, time)`.
        kept: Boolean `(batch, time)`, which of them count.
    """
    # What each word adds to a text, with the space before it if there is one.
    added = [caption_text(("", word)) for word in vocabulary.items]
    added = [text.encode("utf-8", "surrogatepass") for text in added]
    added = tf.constant([b""] * RESERVED + added)
    texts = tf.strings.reduce_join(tf.where(kept, tf.gather(added, ids), ""), axis=1)
    return tf.strings.regex_replace(texts, "^ ", "")
