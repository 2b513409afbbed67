"""Sentences as arrays: ids of words, of characters and of word shapes."""

import threading

import numpy as np

from tasks.data import words as word_tools
from tasks.data.vocabulary import Vocabulary

# Longer tokens are read as their two ends, so that one of them costs what others do.
_LONGEST = 200


class WordFeatures:
    """Turns tokens into the arrays that a tagger reads.

    Features are computed once for every distinct token and kept, so that a batch
    is a lookup in NumPy. Encoding from several threads is safe.

    Args:
        words: `Vocabulary` of normalized words (see `words.normalize`).
        characters: `Vocabulary` of single characters.
        word_length: int >= 2, characters of a word. Of longer words the first and
            last `word_length / 2` are kept.
        cache_size: int, how many distinct tokens to remember.

    Raises:
        ValueError: if `word_length` is less than 2.
    """

    def __init__(self, words, characters, word_length=20, cache_size=200_000):
        if word_length < 2:
            raise ValueError(f"word_length must be at least 2, got {word_length}.")
        self.words = words
        self.characters = characters
        self.word_length = word_length
        self.cache_size = cache_size
        self._lock = threading.Lock()
        self._clear()

    def assets(self):
        """The vocabularies as texts: dict from file name to content."""
        return {
            "words.txt": self.words.text(),
            "characters.txt": self.characters.text(),
        }

    def _clear(self):
        self._rows = {}  # token -> row of the tables; row 0 is padding
        self._word_ids = np.zeros(1024, "int32")
        self._casing_ids = np.zeros(1024, "int32")
        self._char_ids = np.zeros((1024, self.word_length), "int32")

    def encode(self, sentences, length, rows=None):
        """Encodes a batch.

        Args:
            sentences: list of lists of strings, none longer than `length`.
            length: int, time steps T of the arrays.
            rows: int, rows B of the arrays, filled up with empty ones; None for
                one a sentence.

        Returns:
            Dict of `"word_ids"` (B, T) int32, `"char_ids"` (B, T, word_length)
            int32, `"casing_ids"` (B, T) int32 and `"mask"` (B, T) bool. Padding is
            0 and on the right.

        Raises:
            ValueError: if a sentence is longer than `length`, or there are more
                than `rows`.
        """
        rows = len(sentences) if rows is None else rows
        if len(sentences) > rows:
            raise ValueError(f"{len(sentences)} sentences do not fit in {rows} rows.")
        lengths = np.zeros(rows, "int64")
        lengths[: len(sentences)] = [len(sentence) for sentence in sentences]
        if lengths.size and lengths.max() > length:
            raise ValueError(
                f"A sentence of {lengths.max()} tokens does not fit in {length} time "
                "steps: cut it with `words.sentences` first."
            )
        mask = np.arange(length) < lengths[:, None]
        table_rows = np.zeros((rows, length), "int64")
        with self._lock:
            table_rows[mask] = self._look_up(sentences)
            return {
                "word_ids": self._word_ids[table_rows],
                "char_ids": self._char_ids[table_rows],
                "casing_ids": self._casing_ids[table_rows],
                "mask": mask,
            }

    def _look_up(self, sentences):
        if len(self._rows) > self.cache_size:
            self._clear()
        get = self._rows.get
        found = [get(token) for sentence in sentences for token in sentence]
        if None in found:
            tokens = [token for sentence in sentences for token in sentence]
            found = [
                self._add(token) if row is None else row
                for token, row in zip(tokens, found, strict=True)
            ]
        return found

    def _add(self, token):
        if len(token) > _LONGEST:
            token = token[: _LONGEST // 2] + token[-_LONGEST // 2 :]
        row = self._rows.get(token)
        if row is not None:
            return row
        row = len(self._rows) + 1
        if row == len(self._word_ids):
            self._grow()
        self._rows[token] = row
        self._word_ids[row] = self.words.ids([word_tools.normalize(token)])[0]
        self._casing_ids[row] = word_tools.casing(token)
        if len(token) > self.word_length:
            tail = self.word_length // 2
            token = token[: self.word_length - tail] + token[-tail:]
        self._char_ids[row, : len(token)] = self.characters.ids(token)
        return row

    def _grow(self):
        for name in ("_word_ids", "_casing_ids", "_char_ids"):
            table = getattr(self, name)
            setattr(self, name, np.concatenate([table, np.zeros_like(table)]))

    def __getstate__(self):
        state = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        return state

    def __setstate__(self, state):
        self.__init__(**state)


def vocabularies_from(assets):
    """The vocabularies that `WordFeatures.assets` wrote: `words` and `characters`."""
    return {
        name: Vocabulary.from_text(assets[f"{name}.txt"])
        for name in ("words", "characters")
    }
