"""Texts as characters, and characters as the labels of CTC."""

from collections import Counter

import numpy as np

from tasks.data.vocabulary import RESERVED, UNKNOWN_ID, Vocabulary


def tidy(text):
    """A text with single spaces between its words, and none around them."""
    return " ".join(text.split())


class Speller:
    """Turns texts into ids of characters, and ids into texts.

    Args:
        vocabulary: `tasks.data.vocabulary.Vocabulary` of characters. Its padding, 0,
            is the blank of CTC.
    """

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary

    @classmethod
    def learn(cls, texts):
        """Makes a speller that knows the characters of texts, and the space."""
        counts = Counter(character for text in texts for character in tidy(text))
        counts[" "] += 1
        return cls(Vocabulary.build(counts))

    def encode(self, text, number=0):
        """Ids of a text, an int32 array.

        Raises:
            ValueError: If it has a character that is not known; `number` tells which
                example.
        """
        ids = self.vocabulary.ids(tidy(text))
        if UNKNOWN_ID in ids:
            strange = tidy(text)[ids.index(UNKNOWN_ID)]
            raise ValueError(
                f"Example {number} has the character {strange!r}; this recognizer "
                f"knows {''.join(self.vocabulary.items)!r}."
            )
        return np.array(ids, "int32")

    def characters(self, ids):
        """The characters of ids, a list."""
        return [self.vocabulary.items[i - RESERVED] for i in ids]


def steps_needed(ids):
    """Steps that CTC needs for a text: one a character, and one between equal ones."""
    return len(ids) + int((ids[1:] == ids[:-1]).sum())


def check_steps(features, ids, texts, reduction):
    """Refuses a text that no alignment could bring into its recording.

    Args:
        features: List of arrays `(frames, bands)`.
        ids: List of the ids of their texts.
        texts: List of strings, to be named.
        reduction: Frames that become one step.

    Raises:
        ValueError: If there are too few steps for one of the texts.
    """
    for number, (x, own) in enumerate(zip(features, ids, strict=True)):
        steps, needed = -(-len(x) // reduction), steps_needed(own)
        if steps < needed:
            raise ValueError(
                f"Example {number} is too short for its text {texts[number]!r:.60}: it "
                f"has {steps} steps, and {needed} are needed. Is it the right text? If "
                "so, lower `time_reduction` or `step`."
            )
