"""Batches as the dataset that the present backend takes."""

import keras

from tasks import forks
from zoo.lazy import tf


class Counted(keras.utils.PyDataset):
    """Batches that note how many tokens each of them has.

    Args:
        batches: See `as_dataset`. Its new attribute `sizes` is a dict from a batch's
            number to the sum of its mask; who reads it takes entries out.
    """

    def __init__(self, batches):
        super().__init__()
        self.batches = batches
        batches.sizes = {}

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        inputs, targets = self.batches[index]
        mask = inputs.get("target_mask", inputs.get("mask"))
        self.batches.sizes[index] = len(targets) if mask is None else int(mask.sum())
        return inputs, targets

    def on_epoch_end(self):
        self.batches.on_epoch_end()


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
        A `tf.data.Dataset` on TensorFlow, `Counted` batches elsewhere. Fit with
        the callback `FollowEpochs(batches)`: it sets the order of each epoch.
    """
    rows = getattr(batches, "batch_size", getattr(batches, "rows", None))
    batches = Counted(batches)
    if keras.backend.backend() != "tensorflow":
        return batches
    inputs, targets = batches[0]

    def spec(array):
        shape = (rows, None, *array.shape[2:])[: array.ndim]
        return tf.TensorSpec(shape, array.dtype)

    signature = ({k: spec(v) for k, v in inputs.items()}, spec(targets))
    return batches_by_number(batches, signature)


def batches_by_number(batches, signature):
    """A `tf.data.Dataset` of a `PyDataset`, prepared in the background.

    `from_generator` would do, but the first time it is used TensorFlow tells the C
    library to give memory back as soon as it can. Every large buffer of a training
    step is then mapped anew, which takes a tenth to a quarter of its time.

    Args:
        batches: `keras.utils.PyDataset`.
        signature: Nested `tf.TensorSpec` of an item.
    """
    forks.check()
    parts = tf.nest.flatten(signature)

    def item(index):
        arrays = tf.numpy_function(
            lambda number: tf.nest.flatten(batches[int(number)]),
            [index],
            [part.dtype for part in parts],
        )
        for array, part in zip(arrays, parts, strict=True):
            array.set_shape(part.shape)
        return tf.nest.pack_sequence_as(signature, arrays)

    dataset = tf.data.Dataset.range(len(batches)).map(item).prefetch(2)
    return dataset.with_options(untuned())


def untuned():
    """`tf.data.Options` without the thread that tunes a pipeline while it runs.

    There is nothing to tune here. The thread looks again after 10 ms, 20 ms, 40 ms, at
    last every minute, and an epoch's end often waits until it does (TensorFlow 2.21).
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options
