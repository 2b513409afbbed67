"""Recordings in, transcripts out: what a recognizer does when it is asked."""

from dataclasses import replace

import numpy as np
from keras import ops

from tasks.answering import predict_on_batch
from tasks.data.audio import recording_array
from tasks.data.batches import bucket_length
from tasks.data.pairs import padded
from tasks.data.pieces import quiet_pieces
from tasks.data.speech import TEXT_BUCKETS, SpeechBatches
from tasks.data.spelling import tidy
from tasks.decoding.compiled import compiled
from tasks.transcripts import Heard, Transcript
from tasks.writing import progress_bar
from zoo.ops.ctc import best_alignment


class Listener:
    """Reads recordings, and runs a model and a search on them.

    Args:
        model: `keras.Model`, see `tasks.speech_recognizer.build_recognizer`.
        log_mel: `tasks.data.log_mel.LogMel`.
        speller: `tasks.data.spelling.Speller`.
        reduction: Frames that become one step of the model.
        max_seconds: Longer recordings are read in pieces.
    """

    def __init__(self, model, log_mel, speller, reduction, max_seconds):
        self.model, self.log_mel, self.speller = model, log_mel, speller
        self.reduction, self.max_seconds = reduction, max_seconds
        self._compiled = {}

    def samples(self, recordings, rate=None):
        """List of arrays of recordings, see `recording_array`."""
        return [recording_array(r, self.log_mel.sample_rate, rate) for r in recordings]

    def transcripts(
        self, recordings, how, batch_size, rate=None, verbose="auto", timed=True
    ):
        """Transcribes recordings.

        Args:
            recordings: List of what `recording_array` takes.
            how: `tasks.decoding.ctc.PathSearch` or `PrefixSearch`.
            batch_size: Most pieces at once.
            rate: Of arrays that come without.
            verbose: Whether to show a progress bar.
            timed: Whether to find out when each character was heard.

        Returns:
            List of `Transcript`.
        """
        samples = self.samples(recordings, rate)
        sample_rate = self.log_mel.sample_rate
        spans = [quiet_pieces(x, sample_rate, self.max_seconds) for x in samples]
        pieces = [x[a:b] for x, own in zip(samples, spans, strict=True) for a, b in own]
        features = self.log_mel.of(pieces)
        found = iter(self._parts(features, how, batch_size, verbose, timed))
        results = []
        for recording, x, own in zip(recordings, samples, spans, strict=True):
            parts = [self._moved(next(found), *span, sample_rate) for span in own]
            results.append(_joined(recording, parts, len(x) / sample_rate))
        return results

    def texts(self, features, how, batch_size):
        """The best text for each array of features, strings."""
        return [part.text for part in self._parts(features, how, batch_size, 0, False)]

    def _parts(self, features, how, batch_size, verbose, timed):
        """A `Transcript` for each array of features, in seconds of its own."""
        found = [None] * len(features)
        rows = min(batch_size, max(1, len(features)))
        batches = SpeechBatches(features, None, rows)
        bar = progress_bar(len(batches), verbose)
        for number, members in enumerate(batches.order()):
            ranked, given = self._decoded(batches[number][0], how)
            steps = self._alignments(ranked, given) if timed else [None] * rows
            for row, member in enumerate(members):
                found[member] = self._one(features[member], ranked[row], steps[row])
            bar.add(1)
        return found

    def _decoded(self, inputs, how):
        """Lists of `(ids, score)` of each row, best first; and what the model gave."""
        answer = predict_on_batch(self.model, inputs)
        given = [answer["log_probabilities"], answer["mask"]]
        decoded = self._run(how, how.search, given).as_arrays()
        return [decoded.ranked(row) for row in range(len(given[0]))], given

    def _alignments(self, ranked, given):
        """Which character of its best text each step is of, `(rows, time)`."""
        best = [own[0][0] for own in ranked]
        length = bucket_length(max(map(len, best)), TEXT_BUCKETS)
        ids, _ = padded(best, length, len(best))
        lengths = np.array(list(map(len, best)), "int32")
        steps = self._run("alignment", _aligned, [*given, ids, lengths])
        return ops.convert_to_numpy(steps).T

    def _run(self, key, function, given):
        if key not in self._compiled:
            self._compiled[key] = compiled(function, self.model.variables)
        return self._compiled[key](*map(ops.convert_to_tensor, given))

    def _one(self, features, ranked, steps):
        ranked = [(self.speller.characters(ids), score) for ids, score in ranked]
        texts = {}  # those that differ in nothing but spaces are one
        for characters, score in ranked:
            texts.setdefault(tidy("".join(characters)), score)
        candidates = [Transcript(None, *pair) for pair in texts.items()]
        heard = () if steps is None else self._heard(ranked[0][0], steps)
        return replace(
            candidates[0],
            characters=heard,
            candidates=tuple(candidates),
            features=features,
            frame_seconds=self.log_mel.step / self.log_mel.sample_rate,
        )

    def _heard(self, characters, steps):
        """Characters with their times, but for spaces around words and second ones."""
        found = []
        for number, character in enumerate(characters):
            if character == " " and (not found or found[-1].text == " "):
                continue
            own = np.flatnonzero(steps == number)
            found.append(Heard(character, *self._times(own[0], own[-1])))
        return tuple(found[:-1] if found and found[-1].text == " " else found)

    def _times(self, first, last):
        frames = int(first) * self.reduction, (int(last) + 1) * self.reduction
        return tuple(map(self.log_mel.seconds, frames))

    def _moved(self, part, start, end, sample_rate):
        """A piece in the seconds of its recording, to whose end it was read."""
        start, end = start / sample_rate, end / sample_rate
        characters = tuple(
            Heard(c.text, min(start + c.start, end), min(start + c.end, end))
            for c in part.characters
        )
        return replace(part, characters=characters)


def _aligned(log_probabilities, mask, ids, lengths):
    """Which character each step is of, `(time, batch)`."""
    log_probabilities = ops.cast(log_probabilities, "float32")
    steps, _ = best_alignment(
        ops.transpose(log_probabilities, (1, 0, 2)),
        ops.cast(ops.transpose(mask), "float32"),
        ops.transpose(ids),
        lengths,
    )
    return steps


def _joined(recording, parts, seconds):
    """One transcript of the pieces of a recording."""
    first = replace(parts[0], recording=recording, seconds=seconds)
    if len(parts) == 1:
        return first
    heard = [part for part in parts if part.text]
    characters = []
    for part in heard:
        if characters and part.characters:
            characters.append(Heard(" ", characters[-1].end, part.characters[0].start))
        characters += part.characters
    whole = replace(
        first,
        text=" ".join(part.text for part in heard),
        score=sum(part.score for part in parts),
        characters=tuple(characters),
        candidates=(),
        features=np.concatenate([part.features for part in parts]),
    )
    return replace(whole, candidates=(whole,))
