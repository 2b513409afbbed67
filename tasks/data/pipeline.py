"""Batches as the dataset that the present backend takes."""

import keras

from zoo.lazy import tf


def as_dataset(batches):
    """Makes batches of several lengths ready for `fit`.

    Keras guesses the shapes of a `PyDataset` from its first two batches, and on
    TensorFlow fails when a later one is longer. This says instead that time varies, and
    rows do where the batches have no `batch_size` or `rows`; and it prepares batches in
    the background. A compiler of fixed shapes, such as a TPU's, meets one a bucket.

    Args:
        batches: `keras.utils.PyDataset` whose items are `(inputs, targets)`: a dict
            of arrays `(rows, time, ...)`, and an array `(rows,)`.

    Returns:
        A `tf.data.Dataset` on TensorFlow, the batches themselves elsewhere. Fit with
        the callback `FollowEpochs(batches)`: it sets the order of each epoch.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    inputs, targets = batches[0]
    rows = getattr(batches, "batch_size", getattr(batches, "rows", None))

    def spec(array):
        shape = (rows, None, *array.shape[2:])[: array.ndim]
        return tf.TensorSpec(shape, array.dtype)

    def generate():
        for index in range(len(batches)):
            yield batches[index]

    signature = ({k: spec(v) for k, v in inputs.items()}, spec(targets))
    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(batches)))
    return dataset.prefetch(2)
