"""Pairs of sentences: every form in which they may come, and batches of them."""

import os
from pathlib import Path

import keras
import numpy as np

from tasks.data.batches import bucket_length
from tasks.data.texts import items_of, lines_of, read_text
from tasks.data.vocabulary import PADDING_ID
from zoo.lazy import tf

_HEAD = ["source", "target"]
BUCKETS = (8, 12, 16, 24, 32, 48, 64, 96, 128)


def pairs_from(data):
    """Reads what `fit` and `evaluate` take.

    Args:
        data: Path of a file with a source and a target in each line, with a tab
            between them (a first line `source`, `target` is none); a tuple of two paths
            of files, line by line; a list, another iterable or a data frame of
            `(source, target)`; or a `tf.data.Dataset` of pairs of strings.

    Returns:
        List of `(source, target)`. Pairs that lack a side are left out.

    Raises:
        TypeError, ValueError: If the data are not of that form; the message says
            which pair, what came and what would work.
    """
    if isinstance(data, (str, os.PathLike)):
        pairs = _columns(Path(data))
    elif isinstance(data, tuple) and len(data) == 2 and all(map(_is_path, data)):
        pairs = _two_files(*map(Path, data))
    elif hasattr(data, "as_numpy_iterator"):
        pairs = [_from_dataset(pair) for pair in data]
    else:
        pairs = items_of(data)
    if pairs is None:
        raise TypeError(
            "Expected the path of a file with tabs, two paths, a list of (source, "
            f"target), or a tf.data.Dataset. Received: {type(data).__name__}"
        )
    checked = [_checked(pair, number) for number, pair in enumerate(pairs)]
    return [pair for pair in checked if all(side.strip() for side in pair)]


def _is_path(item):
    return isinstance(item, os.PathLike) or (
        isinstance(item, str) and os.path.isfile(item)
    )


def _columns(path):
    pairs = []
    for number, line in enumerate(lines_of(read_text(path)), 1):
        parts = line.split("\t")
        if number == 1 and [part.strip().lower() for part in parts] == _HEAD:
            continue
        if len(parts) < 2:
            raise ValueError(
                f"{path}, line {number}: expected a source and a target with a tab "
                f"between them. Received: {line!r:.100}"
            )
        pairs.append(tuple(parts[:2]))
    return pairs


def _two_files(source, target):
    sides = [lines_of(read_text(path)) for path in (source, target)]
    counts = [len(side) for side in sides]
    if counts[0] != counts[1]:
        raise ValueError(
            f"{source} has {counts[0]} lines, {target} has {counts[1]}: they must "
            "go together line by line."
        )
    return list(zip(*sides, strict=True))


def _from_dataset(pair):
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise ValueError(
            "A tf.data.Dataset must give pairs of strings (source, target), one at a "
            f"time; `unbatch` a batched one. Received: {pair!r:.200}"
        )
    sides = [tf.convert_to_tensor(part).numpy() for part in pair]
    if not all(isinstance(side, bytes) for side in sides):
        raise ValueError(
            "A tf.data.Dataset must give one pair of strings at a time; `unbatch` a "
            f"batched one. Received: {pair!r:.200}"
        )
    return tuple(side.decode("utf-8", "replace") for side in sides)


def _checked(pair, number):
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        raise ValueError(
            f"Pair {number} must be (source, target). Received: {pair!r:.100}"
        )
    for side in pair:
        if not isinstance(side, str):
            raise TypeError(
                f"Pair {number} must be of strings. Received: {side!r:.100}"
            )
    return tuple(pair)


def padded(rows, length, count):
    """Rows of ids as an array `(count, length)`, and their mask."""
    ids = np.full((count, length), PADDING_ID, "int32")
    mask = np.zeros((count, length), bool)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = row
        mask[number, : len(row)] = True
    return ids, mask


class PairBatches(keras.utils.PyDataset):
    """Batches of encoded pairs, padded to few lengths, in a repeatable order.

    Args:
        sources: List of integer arrays.
        targets: List of integer arrays, the end of each among them; or None.
        batch_size: int.
        shuffle: bool, whether epochs differ.
        seed: int >= 0.
        curriculum: Epochs over which longer pairs join: in the first epochs, only the
            shortest are read, over and over. 0 is off.
        epoch: int >= 0, where to start.

    Items are `(inputs, zeros (batch_size,) float32)`; `inputs` has `"source_ids"`
    (batch_size, S) int32, `"source_mask"` bool, and with targets `"target_ids"`
    (batch_size, T) int32, the token before each, `"targets"`, and `"target_mask"`.
    """

    def __init__(
        self,
        sources,
        targets,
        batch_size,
        shuffle=False,
        seed=0,
        curriculum=0,
        epoch=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
        self.sources, self.targets, self.batch_size = sources, targets, batch_size
        self.shuffle, self.seed, self.curriculum = shuffle, seed, curriculum
        self.epoch = epoch
        sizes = [len(s) for s in sources]
        if targets is not None:
            sizes = [max(s, len(t)) for s, t in zip(sizes, targets, strict=True)]
        self._sizes = np.array(sizes, int)
        self._groups = {}  # length -> indices of its pairs
        for index in np.argsort(self._sizes, kind="stable"):
            length = bucket_length(max(1, int(self._sizes[index])), BUCKETS)
            self._groups.setdefault(length, []).append(int(index))
        self._length = len(self._parts(None))
        self._planned = (None, None)

    def _parts(self, random):
        """Batches: `(length, indices)`."""
        parts = []
        for length, members in sorted(self._groups.items()):
            members = np.array(members)
            if random is not None:
                random.shuffle(members)
            for start in range(0, len(members), self.batch_size):
                parts.append((length, members[start : start + self.batch_size]))
        return parts

    def order(self):
        """List of int arrays: the rows of each batch, by their place in the data."""
        return [members for _, members in self._plan()]

    def _plan(self):
        planned = self._planned  # read once: a thread that prefetches may replace it
        if planned[0] == self.epoch:
            return planned[1]
        random = None
        if self.shuffle:
            random = np.random.default_rng([self.seed, self.epoch])
        parts = self._parts(random)
        if self.epoch < self.curriculum:
            # The shorter part of the batches, as often as it takes for an epoch.
            share = (self.epoch + 1) / (self.curriculum + 1)
            few = parts[: max(1, round(share * len(parts)))]
            parts = [few[i % len(few)] for i in range(len(parts))]
        if random is not None:
            parts = [parts[i] for i in random.permutation(len(parts))]
        self._planned = (self.epoch, parts)
        return parts

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        length, members = self._plan()[index]
        rows = self.batch_size
        ids, mask = padded([self.sources[m] for m in members], length, rows)
        inputs = {"source_ids": ids, "source_mask": mask}
        if self.targets is not None:
            targets = [self.targets[m] for m in members]
            before = [np.append(PADDING_ID, t[:-1]) for t in targets]
            inputs["target_ids"], inputs["target_mask"] = padded(before, length, rows)
            inputs["targets"], _ = padded(targets, length, rows)
        return inputs, np.zeros((rows,), "float32")

    def on_epoch_end(self):
        """Moves on to the order of the next epoch."""
        self.epoch += 1
