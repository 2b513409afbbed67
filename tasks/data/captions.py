"""Pictures with captions: every form in which they may come, and batches of them."""

import hashlib
import os
from typing import Any, NamedTuple

import keras
import numpy as np

from tasks.data.batches import bucket_length
from tasks.data.caption_words import caption_words
from tasks.data.pairs import padded
from tasks.data.pictures import picture_digest, picture_name
from tasks.data.tables import TableKind, rows_from
from tasks.data.vocabulary import PADDING_ID
from zoo.lazy import tf

BUCKETS = (8, 12, 16, 24, 32, 48)
TABLES = TableKind(
    "picture",
    "caption",
    tables=("captions.csv", "captions.tsv", "captions.txt"),
    folders=("images", "Images"),
    heads=(["image", "caption"], ["picture", "caption"], ["file", "caption"]),
)


class Captioned(NamedTuple):
    """A picture with what people say about it.

    Attributes:
        picture: See `tasks.data.pictures.picture_array`.
        captions: Tuple of strings, at least one.
    """

    picture: Any
    captions: tuple


def captions_from(data):
    """Reads what `Captioner.fit` and `evaluate` take.

    Args:
        data: One of these:

            - a list of `(picture, caption)` or `(picture, [caption, ...])`;
            - the path of a table, `.csv` with commas or `.tsv` and `.txt` with tabs or
              commas, with the file name of a picture and a caption in each row;
              pictures lie beside it, or in `images` or `Images` there;
            - the path of a folder with a table `captions.csv`, `.tsv` or `.txt`;
            - a tuple of two paths, the folder of pictures and the table;
            - a `tf.data.Dataset` of pairs: the bytes of a file, a path or an array, and
              one or several captions.

    Returns:
        List of `Captioned`, pictures in the order in which they first come.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError, ValueError: If the data are not of that form, or a caption has no
            words; the message says which, what came and what would work.
    """
    rows = rows_from(data, TABLES, _from_dataset)
    return _grouped([_checked(row, number) for number, row in enumerate(rows)])


def captions_checksum(examples):
    """Tells the training data of one run from those of others.

    Args:
        examples: List of `Captioned`.
    """
    total = hashlib.sha256()
    for example in examples:
        total.update(picture_digest(example.picture))
        total.update("\0".join(example.captions).encode("utf-8", "surrogatepass"))
    return total.hexdigest()[:16]


def _from_dataset(pair):
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise ValueError(
            "A tf.data.Dataset must give pairs (picture, captions), one at a time; "
            f"`unbatch` a batched one. Received: {pair!r:.200}"
        )
    picture, captions = (tf.convert_to_tensor(part).numpy() for part in pair)
    if isinstance(picture, bytes) and len(picture) < 4096 and b"\0" not in picture:
        picture = picture.decode("utf-8")  # no file is as short as a path
    captions = np.atleast_1d(captions).tolist()
    if not all(isinstance(caption, bytes) for caption in captions):
        raise ValueError(
            f"Captions must be strings. A tf.data.Dataset gave: {captions!r:.200}"
        )
    return picture, [caption.decode("utf-8", "replace") for caption in captions]


def _checked(row, number):
    if not isinstance(row, (list, tuple)) or len(row) != 2:
        raise ValueError(
            f"Example {number} must be (picture, captions). Received: {row!r:.100}"
        )
    picture, captions = row
    captions = [captions] if isinstance(captions, str) else captions
    if not isinstance(captions, (list, tuple)) or not captions:
        raise ValueError(
            f"Example {number} must have one or more captions. Received: "
            f"{captions!r:.100}"
        )
    for caption in captions:
        if not isinstance(caption, str):
            raise TypeError(
                f"Captions must be strings. Example {number} has: {caption!r:.100}"
            )
        if not caption_words(caption):
            raise ValueError(
                f"A caption of {picture_name(picture)} (example {number}) has no "
                f"words: {caption!r:.100}"
            )
    return Captioned(picture, tuple(captions))


def _grouped(rows):
    """Rows with all captions of a picture together, where pictures are files."""
    grouped = {}
    for number, row in enumerate(rows):
        is_file = isinstance(row.picture, (str, os.PathLike))
        key = os.fspath(row.picture) if is_file else number
        known = grouped.setdefault(key, Captioned(row.picture, ()))
        grouped[key] = known._replace(captions=known.captions + row.captions)
    return list(grouped.values())


def caption_inputs(regions, seen, targets, length, count):
    """Inputs of the captioner's training model, a dict of arrays.

    Args:
        regions: See `CaptionBatches`.
        seen: Pairs `(kind, picture)`: which of the regions each caption is about.
        targets: Integer arrays, the captions, the end of each among them.
        length: Steps of each row.
        count: Number of rows; further ones are empty.
    """
    looked = np.zeros((count, *regions[0].shape[1:]), "float32")
    for row, (kind, picture) in enumerate(seen):
        looked[row] = regions[kind][picture]
    before = [np.append(PADDING_ID, ids[:-1]) for ids in targets]
    ids, mask = padded(before, length, count)
    targets, _ = padded(targets, length, count)
    inputs = {"regions": looked, "target_ids": ids, "target_mask": mask}
    return {**inputs, "targets": targets}


class CaptionBatches(keras.utils.PyDataset):
    """Batches of captions with their pictures' regions, in a repeatable order.

    Args:
        regions: List of arrays `(pictures, regions, channels)`, such as one of the
            pictures as they are and one of them mirrored; each epoch reads one of them
            for each caption.
        captions: List of lists of integer arrays, the captions of each picture, the
            end of each among them.
        batch_size: int, captions.
        shuffle: bool, whether epochs differ.
        seed: int >= 0.
        epoch: int >= 0, where to start.

    Items are `(inputs, zeros (batch_size,) float32)`; `inputs` has `"regions"`
    (batch_size, regions, channels) float32, `"target_ids"` (batch_size, T) int32, the
    token before each, `"targets"`, and `"target_mask"` bool.
    """

    def __init__(
        self, regions, captions, batch_size, shuffle=False, seed=0, epoch=0, **kwargs
    ):
        super().__init__(**kwargs)
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")
        self.regions, self.batch_size = list(regions), batch_size
        self.shuffle, self.seed, self.epoch = shuffle, seed, epoch
        self._rows = [
            (number, ids) for number, own in enumerate(captions) for ids in own
        ]
        self._groups = {}  # length -> its rows
        for row, (_, ids) in enumerate(self._rows):
            self._groups.setdefault(bucket_length(len(ids), BUCKETS), []).append(row)
        self._length = sum(-(-len(g) // batch_size) for g in self._groups.values())
        self._planned = (None, None)

    def _plan(self):
        planned = self._planned  # read once: a thread that prefetches may replace it
        if planned[0] == self.epoch:
            return planned[1]
        random = np.random.default_rng([self.seed, self.epoch])
        plan = []
        for length, members in sorted(self._groups.items()):
            members = np.array(members)
            if self.shuffle:
                random.shuffle(members)
            for start in range(0, len(members), self.batch_size):
                plan.append((length, members[start : start + self.batch_size]))
        if self.shuffle:
            plan = [plan[i] for i in random.permutation(len(plan))]
        self._planned = (self.epoch, plan)
        return plan

    def order(self):
        """List of int arrays: the captions of each batch, by their place in all."""
        return [members for _, members in self._plan()]

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        length, members = self._plan()[index]
        pictures, targets = zip(
            *(self._rows[member] for member in members), strict=True
        )
        random = np.random.default_rng([self.seed, self.epoch, index])
        kinds = random.integers(len(self.regions), size=len(pictures))
        if not self.shuffle:
            kinds[:] = 0
        seen = zip(kinds, pictures, strict=True)
        count = self.batch_size
        inputs = caption_inputs(self.regions, seen, targets, length, count)
        return inputs, np.zeros((count,), "float32")

    def on_epoch_end(self):
        """Moves on to the order of the next epoch."""
        self.epoch += 1
