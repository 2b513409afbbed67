"""Recordings with their texts: every form in which they may come, and batches."""

from typing import Any, NamedTuple

import numpy as np

from tasks.data.audio import recording_name
from tasks.data.batches import Batches, bucket_length
from tasks.data.pairs import padded
from tasks.data.spelling import steps_needed
from tasks.data.tables import TableKind, rows_from
from zoo.lazy import tf

BUCKETS = (50, 75, 100, 150, 200, 300, 400, 600, 800, 1200, 1600, 2400, 3200)
TEXT_BUCKETS = (8, 16, 32, 64, 128, 256, 512)
TABLES = TableKind(
    "recording",
    "transcript",
    tables=("transcripts.csv", "transcripts.tsv", "transcripts.txt", "metadata.csv"),
    folders=("audio", "clips", "recordings", "wav", "wavs"),
    heads=(
        ["audio", "text"],
        ["recording", "text"],
        ["file", "text"],
        ["path", "sentence"],
        ["file_name", "transcription"],
    ),
)


class Spoken(NamedTuple):
    """A recording with what is said in it.

    Attributes:
        recording: See `tasks.data.audio.recording_array`.
        text: String; empty for silence.
    """

    recording: Any
    text: str


def spoken_from(data):
    """Reads what `SpeechRecognizer.fit` and `evaluate` take.

    Args:
        data: One of these:

            - a list of `(recording, text)`;
            - the path of a table, `.csv` with commas or `.tsv` and `.txt` with tabs or
              commas, with the file name of a recording and its text in each row;
              recordings lie beside it, or in `audio`, `clips`, `recordings`, `wav` or
              `wavs` there;
            - the path of a folder with a table `transcripts.csv`, `.tsv`, `.txt` or
              `metadata.csv`;
            - a tuple of two paths, the folder of recordings and the table;
            - a `tf.data.Dataset` of pairs: the bytes of a file, a path, samples, or
              a pair of samples and their rate; and a text.

    Returns:
        List of `Spoken`.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError, ValueError: If the data are not of that form; the message says
            which example, what came and what would work.
    """
    rows = rows_from(data, TABLES, _from_dataset)
    return [_checked(row, number) for number, row in enumerate(rows)]


def _from_dataset(pair):
    if not isinstance(pair, tuple) or len(pair) != 2:
        raise ValueError(
            "A tf.data.Dataset must give pairs (recording, text), one at a time; "
            f"`unbatch` a batched one. Received: {pair!r:.200}"
        )
    recording, text = pair
    text = tf.convert_to_tensor(text).numpy()
    if not isinstance(text, bytes):
        raise ValueError(
            f"Texts must be strings. A tf.data.Dataset gave: {pair[1]!r:.200}"
        )
    return _plain(recording), text.decode("utf-8", "replace")


def _plain(recording):
    if isinstance(recording, tuple):
        samples, rate = (tf.convert_to_tensor(part).numpy() for part in recording)
        return samples, rate.item()
    recording = tf.convert_to_tensor(recording).numpy()
    if isinstance(recording, bytes) and len(recording) < 4096:
        # A file so short may be one; no path has such bytes.
        if not recording.startswith(b"RIFF") and b"\0" not in recording:
            return recording.decode("utf-8")
    return recording


def _checked(row, number):
    if not isinstance(row, (list, tuple)) or len(row) != 2:
        raise ValueError(
            f"Example {number} must be (recording, text). Received: {row!r:.100}"
        )
    recording, text = row
    if not isinstance(text, str):
        raise TypeError(
            f"Example {number}: the text of {recording_name(recording)} must be a "
            f"string. Received: {text!r:.100}"
        )
    return Spoken(recording, text)


class SpeechBatches(Batches):
    """Batches of features with their texts; see `tasks.data.batches.Batches`.

    Args:
        features: List of arrays `(frames, bands)`.
        targets: List of integer arrays, the ids of each text; or `None`.
        batch_size: int.
        reduction: Frames that become one step, see `steps_needed`.
        augment: `tasks.data.spec_augment.SpecAugment`, or `None`.
        **options: Those of `Batches`.

    Items are `(inputs, zeros (batch_size,) float32)`; `inputs` has `"features"`
    (batch_size, T, bands) float32 and `"mask"` (batch_size, T) bool; with targets
    `"targets"` (batch_size, U) int32 and `"target_mask"` bool, too.
    """

    def __init__(
        self, features, targets, batch_size, reduction=1, augment=None, **options
    ):
        super().__init__(
            features, None, None, [], batch_size, buckets=BUCKETS, **options
        )
        self.targets, self.reduction, self.augment = targets, reduction, augment

    def __getitem__(self, index):
        length, members = self._plan()[index]
        chosen = [self.sentences[member] for member in members]
        if self.augment is not None:
            random = np.random.default_rng([self.seed, self.epoch, index])
            chosen = [
                self.augment(x, random, self._least(member), length)
                for x, member in zip(chosen, members, strict=True)
            ]
        bands = self.sentences[0].shape[1]
        features = np.zeros((self.batch_size, length, bands), "float32")
        mask = np.zeros((self.batch_size, length), bool)
        for row, x in enumerate(chosen):
            features[row, : len(x)], mask[row, : len(x)] = x, True
        inputs = {"features": features, "mask": mask}
        if self.targets is not None:
            texts = [self.targets[member] for member in members]
            longest = bucket_length(max(map(len, texts)), TEXT_BUCKETS)
            inputs["targets"], inputs["target_mask"] = padded(
                texts, longest, self.batch_size
            )
        return inputs, np.zeros((self.batch_size,), "float32")

    def _least(self, member):
        """Frames without which a text would not fit."""
        if self.targets is None:
            return 1
        steps = steps_needed(self.targets[member])
        return max(1, (steps - 1) * self.reduction + 1)
