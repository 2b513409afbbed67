"""The best sequence that a beam search found, read off inside of a TensorFlow graph."""

from keras import ops

from zoo.lazy import tf


def best_tokens(found):
    """Tokens of the best sequence of each row, its end among them, then zeros.

    Args:
        found: `tasks.decoding.beam.Found` of tensors.

    Returns:
        Integers `(rows, max_length)`; and whether they belong to it, boolean.
    """
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
    tokens = ops.transpose(tokens)
    return tokens, tf.sequence_mask(lengths, tf.shape(tokens)[1])
