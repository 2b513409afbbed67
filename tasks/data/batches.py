"""Batches of tagged sentences with few shapes, in an order that can be repeated."""

import keras
import numpy as np

from tasks.data.vocabulary import UNKNOWN_ID

BUCKETS = (8, 16, 32, 64, 128, 256)


def bucket_length(length, buckets=BUCKETS):
    """Returns the smallest bucket that holds `length` tokens.

    Beyond the last bucket, the next multiple of it, so nothing is ever cut off.
    """
    for bucket in buckets:
        if length <= bucket:
            return bucket
    return -(-length // buckets[-1]) * buckets[-1]


def rows_for(count, most):
    """Rows of a batch of so many: the next power of two, but at most `most`."""
    return min(most, 1 << (count - 1).bit_length())


class Batches(keras.utils.PyDataset):
    """Batches of one length each, padded to the next bucket.

    Every batch has `batch_size` rows, the last of a bucket with empty ones, so a
    compiled model sees one shape a bucket. The order is a pure function of `seed` and
    `epoch`; train with `fit(batches, shuffle=False, callbacks=[FollowEpochs(batches)])`
    to have epoch `n` of Keras read the order of epoch `n`, after a resume, too.

    Args:
        sentences: list of lists of tokens.
        tags: list of lists of tags, or None.
        features: `WordFeatures`.
        tag_vocabulary: list of tags in the order of their ids.
        batch_size: int.
        buckets: increasing lengths, see `bucket_length`.
        shuffle: bool, whether to shuffle anew in each epoch.
        seed: int >= 0.
        word_dropout: rate at which words become unknown (their characters stay).
        epoch: int >= 0, where to start.
        fill: bool, whether batches that are not full get rows up to `batch_size`; if
            not, up to the next power of two, which is less to compute where a few
            sentences of several lengths are to be answered.

    Items are `(inputs, zeros (batch_size,) float32)`; `inputs` is the dict of
    `WordFeatures.encode` and, with tags, `"tags"` (batch_size, T) int32. The loss is
    computed inside the model, so the second part only fills Keras' place for targets.

    Raises:
        ValueError: if sentences and tags do not match, a tag is not in the vocabulary,
            or an option is out of range.
    """

    def __init__(
        self,
        sentences,
        tags,
        features,
        tag_vocabulary,
        batch_size,
        buckets=BUCKETS,
        shuffle=False,
        seed=0,
        word_dropout=0.0,
        epoch=0,
        fill=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if batch_size < 1 or seed < 0 or epoch < 0 or not 0 <= word_dropout < 1:
            raise ValueError(
                "Expected batch_size >= 1, seed >= 0, epoch >= 0, 0 <= word_dropout < "
                f"1, got {batch_size}, {seed}, {epoch}, {word_dropout}."
            )
        self.sentences = sentences
        self.tag_ids = None if tags is None else _ids(sentences, tags, tag_vocabulary)
        self.features = features
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.word_dropout = word_dropout
        self.epoch = epoch
        self.fill = fill
        self._buckets = {}  # length -> indices of its sentences
        for index, sentence in enumerate(sentences):
            bucket = bucket_length(len(sentence), buckets)
            self._buckets.setdefault(bucket, []).append(index)
        self._length = sum(
            -(-len(indices) // batch_size) for indices in self._buckets.values()
        )
        self._planned = (None, None)

    def order(self, epoch=None):
        """Returns which sentences each batch holds.

        Args:
            epoch: int, by default the present one.

        Returns:
            List of int arrays: the rows of batch `i` are `sentences[j] for j in
            order[i]`, then empty rows. Every sentence is in one batch once.
        """
        return [indices for _, indices in self._plan(epoch)]

    def _plan(self, epoch=None):
        epoch = self.epoch if epoch is None else epoch
        planned = self._planned  # read once: a thread that prefetches may replace it
        if planned[0] == epoch:
            return planned[1]
        random = np.random.default_rng([self.seed, epoch])
        plan = []
        for bucket in sorted(self._buckets):
            indices = np.array(self._buckets[bucket])
            if self.shuffle:
                random.shuffle(indices)
            for start in range(0, len(indices), self.batch_size):
                plan.append((bucket, indices[start : start + self.batch_size]))
        if self.shuffle:
            random.shuffle(plan)
        # On TensorFlow, Keras takes the first two batches for the shapes of all: the
        # length stays open only if these two differ in it.
        other = next((i for i, part in enumerate(plan) if part[0] != plan[0][0]), 0)
        if other > 1:
            plan[1], plan[other] = plan[other], plan[1]
        self._planned = (epoch, plan)
        return plan

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        bucket, members = self._plan()[index]
        chosen = [self.sentences[member] for member in members]
        rows = self.batch_size
        if not self.fill:
            rows = rows_for(len(members), rows)
        inputs = self.features.encode(chosen, bucket, rows=rows)
        if self.word_dropout:
            random = np.random.default_rng([self.seed, self.epoch, index])
            dropped = random.random((rows, bucket)) < self.word_dropout
            inputs["word_ids"][dropped & inputs["mask"]] = UNKNOWN_ID
        if self.tag_ids is not None:
            tags = np.zeros((rows, bucket), "int32")
            # The mask is row by row, as the tags are joined.
            tags[inputs["mask"]] = np.concatenate([self.tag_ids[m] for m in members])
            inputs["tags"] = tags
        return inputs, np.zeros((rows,), "float32")

    def on_epoch_end(self):
        """Moves on to the order of the next epoch."""
        self.epoch += 1


class FollowEpochs(keras.callbacks.Callback):
    """Sets the order of `Batches` to the epoch that Keras begins.

    Without it, every `fit` starts one epoch late: Keras reports the end of an epoch
    once before the first one, when it has looked at the data to build the model.

    Args:
        batches: `Batches`.
    """

    def __init__(self, batches):
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        self.batches.epoch = epoch


def _ids(sentences, tags, tag_vocabulary):
    if len(sentences) != len(tags):
        raise ValueError(f"Got {len(sentences)} sentences, but tags of {len(tags)}.")
    known = {tag: number for number, tag in enumerate(tag_vocabulary)}
    result = []
    for index, (sentence, names) in enumerate(zip(sentences, tags, strict=True)):
        if len(sentence) != len(names):
            raise ValueError(
                f"Sentence {index} has {len(sentence)} tokens and {len(names)} tags."
            )
        try:
            result.append(np.array([known[name] for name in names], "int32"))
        except KeyError as error:
            raise ValueError(
                f"Sentence {index}: unknown tag {error.args[0]!r}; known are "
                f"{list(tag_vocabulary)}."
            ) from None
    return result
