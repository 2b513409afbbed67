"""The words that a search may write, as a tree of their letters."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tasks.data.vocabulary import RESERVED


@dataclass(frozen=True)
class Lexicon:
    """Words, and a space between them; equal ones are compiled once.

    Args:
        words: Tuple of words, each a tuple of ids.
        space: Id of the space.
        labels: Number of ids, the reserved ones among them.

    Raises:
        ValueError: If there is no word, or one is empty or has the space.
    """

    words: tuple
    space: int
    labels: int

    def __post_init__(self):
        wrong = [word for word in self.words if not word or self.space in word]
        if not self.words or wrong:
            raise ValueError(
                "A lexicon needs words, none of them empty or with a space. Received "
                f"the ids: {wrong or self.words!r}"
            )

    @classmethod
    def of(cls, words, speller):
        """Makes one of strings.

        Args:
            words: List of words.
            speller: `tasks.data.spelling.Speller`, who knows their characters.

        Raises:
            TypeError: If `words` are no list of strings.
            ValueError: If there is none, one is empty or has a space, or a character is
                not known.
        """
        if isinstance(words, str) or not isinstance(words, list | tuple):
            raise TypeError(f"`lexicon` must be a list of words. Received: {words!r}")
        if not words:
            raise ValueError("`lexicon` is empty; `None` allows all words.")
        known, ids = speller.vocabulary.items, set()
        for word in words:
            if not isinstance(word, str):
                raise TypeError(f"`lexicon` must hold strings. Received: {word!r}")
            if not word or word != "".join(word.split()):
                raise ValueError(
                    f"`lexicon` must hold single words, not {word!r}: they may follow "
                    "each other in any order."
                )
            strange = sorted(set(word) - set(known))
            if strange:
                raise ValueError(
                    f"`lexicon` has the word {word!r} with {''.join(strange)!r}; this "
                    f"recognizer writes {''.join(known)!r}."
                )
            ids.add(tuple(speller.vocabulary.ids(word)))
        return cls(
            tuple(sorted(ids)), known.index(" ") + RESERVED, len(known) + RESERVED
        )

    @staticmethod
    def check_texts(words, texts):
        """Refuses texts to learn from that could never be written.

        Args:
            words: List of the words of a lexicon, or `None`.
            texts: List of strings.

        Raises:
            ValueError: If one has a word that is not among them.
        """
        known = None if words is None else set(words)
        for number, text in enumerate(texts):
            strange = [word for word in text.split() if known and word not in known]
            if strange:
                raise ValueError(
                    f"Example {number} has the word {strange[0]!r}, which is not in "
                    "the lexicon of this recognizer: load it with `lexicon=None`, or "
                    "with all words."
                )

    @cached_property
    def after(self):
        """Where each label leads, int32 `(places, labels)`; -1 if it may not come.

        Place 0 is before a word: at the beginning, and after a space.
        """
        rows, ends = [{}], set()
        for word in self.words:
            place = 0
            for label in word:
                if label not in rows[place]:
                    rows[place][label] = len(rows)
                    rows.append({})
                place = rows[place][label]
            ends.add(place)
        table = np.full((len(rows), self.labels), -1, "int32")
        for place, row in enumerate(rows):
            for label, following in row.items():
                table[place, label] = following
        table[sorted(ends), self.space] = 0
        return table

    @cached_property
    def whole(self):
        """Whether a text may end at each place, boolean `(places,)`."""
        # A word may end where a space may follow.
        ends = self.after[:, self.space] == 0
        ends[0] = True
        return ends
