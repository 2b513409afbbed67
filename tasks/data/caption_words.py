"""Captions as words, and words as ids."""

import re
from collections import Counter

import numpy as np

from tasks.data.vocabulary import RESERVED, Vocabulary
from tasks.data.words import tokenize

END = "\n"


def caption_words(text):
    """Words of a caption, in lower case and without punctuation.

    >>> caption_words("A dog's ball, red!")
    ['a', 'dog', "'s", 'ball', 'red']
    """
    words = (word.lower() for word, _, _ in tokenize(text))
    return [word for word in words if any(map(str.isalnum, word))]


_GLUED = re.compile(r" (?='(?:s|m|re|ve|ll|d)\b|n't\b)")


def caption_text(words):
    """Words as a text, the contrary of `caption_words`."""
    return _GLUED.sub("", " ".join(words))


class CaptionCoder:
    """Turns captions into ids, and ids into words.

    Args:
        vocabulary: `tasks.data.vocabulary.Vocabulary` of words and of `"\\n"`, which
            ends a caption.

    Attributes:
        end: Id of the end.

    Raises:
        ValueError: If the vocabulary has no end.
    """

    def __init__(self, vocabulary):
        if END not in vocabulary:
            raise ValueError(f"The vocabulary must have the end of captions, {END!r}.")
        self.vocabulary, self.end = vocabulary, vocabulary.ids([END])[0]

    @classmethod
    def learn(cls, captions, min_count=1):
        """Makes a coder that knows the words of captions.

        Args:
            captions: Iterable of strings.
            min_count: Words seen less often are left out.
        """
        counts = Counter(word for text in captions for word in caption_words(text))
        words = Vocabulary.build(counts, min_count).items
        return cls(Vocabulary((END, *words)))

    def encode(self, caption, most):
        """Ids of a caption's first words and its end, an int32 array."""
        ids = self.vocabulary.ids(caption_words(caption)[:most])
        return np.array([*ids, self.end], "int32")

    def words(self, ids):
        """The words of ids, a tuple."""
        return tuple(self.vocabulary.items[i - RESERVED] for i in ids)
