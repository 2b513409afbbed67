"""Text as ids and back: by characters, by words, or by learned pieces of words.

All three share one form: `encode` and `decode` are inverse where every part of the text
is known, and `text` writes what `tokenizer_from` reads, as plain text for a preset.
"""

import base64
import io
from collections import Counter

import numpy as np

from tasks.data.vocabulary import RESERVED, UNKNOWN_ID, Vocabulary
from zoo.lazy import Lazy

sentencepiece = Lazy("sentencepiece", "pip install sentencepiece")

LEVELS = ("char", "word", "subword")
END_OF_LINE = "<eos>"
# Bytes of a line that SentencePiece still learns from.
_LONGEST = 4192
# What stands for an id that has no text.
REPLACEMENT = "\ufffd"


class CharacterTokenizer:
    """Characters as they stand; strange ones are one id.

    Args:
        vocabulary: `Vocabulary` of single characters.

    Example:

    >>> tokenizer = CharacterTokenizer.learn(["hello"])
    >>> tokenizer.decode(tokenizer.encode("hole"))
    'hole'
    """

    level = "char"

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary

    @classmethod
    def learn(cls, texts, size=None, min_count=1):
        """Makes one from texts: the most frequent characters, at most `size`."""
        counts = Counter()
        for text in texts:
            counts.update(text)
        return cls(Vocabulary.build(counts, min_count, size))

    def __len__(self):
        return len(self.vocabulary)

    def encode(self, text):
        """Ids of a string, int32."""
        return np.array(self.vocabulary.ids(text), "int32")

    def tokens(self, text):
        """The parts of a string, one for each id."""
        return list(text)

    def decode(self, ids):
        """The string of ids."""
        return "".join(_items(self.vocabulary, ids))

    def after(self, prompt):
        """`decode` for ids that go on with a prompt."""
        return self.decode

    def text(self):
        """All of it as text, see `tokenizer_from`."""
        return self.vocabulary.text()

    @classmethod
    def from_text(cls, text):
        """Reads what `text` wrote."""
        return cls(Vocabulary.from_text(text))


class WordTokenizer:
    """Words between spaces; the end of a line is a word of its own, `<eos>`.

    This is the way of corpora that come in tokens, such as the Penn Treebank. Runs of
    spaces come back as one.

    Args:
        vocabulary: `Vocabulary` of words.

    Example:

    >>> tokenizer = WordTokenizer.learn(["the cat sat", "the dog"])
    >>> tokenizer.tokens("the cat")
    ['the', 'cat']
    """

    level = "word"

    def __init__(self, vocabulary):
        self.vocabulary = vocabulary

    @classmethod
    def learn(cls, texts, size=None, min_count=1):
        """Makes one from texts: the most frequent words, at most `size`."""
        counts = Counter()
        for text in texts:
            counts.update(_words(text))
        return cls(Vocabulary.build(counts, min_count, size))

    def __len__(self):
        return len(self.vocabulary)

    def encode(self, text):
        """Ids of a string, int32."""
        return np.array(self.vocabulary.ids(_words(text)), "int32")

    def tokens(self, text):
        """The parts of a string, one for each id."""
        return _words(text)

    def decode(self, ids):
        """The string of ids."""
        lines = " ".join(_items(self.vocabulary, ids)).split(END_OF_LINE)
        return "\n".join(line.strip(" ") for line in lines)

    def after(self, prompt):
        """`decode` for ids that go on with a prompt, with the space between them."""
        return _after(self, prompt)

    def text(self):
        """All of it as text, see `tokenizer_from`."""
        return self.vocabulary.text()

    @classmethod
    def from_text(cls, text):
        """Reads what `text` wrote."""
        return cls(Vocabulary.from_text(text))


class SubwordTokenizer:
    """Pieces of words, learned by SentencePiece (unigram).

    Nothing is unknown as long as its characters are; spaces come back as they were,
    except for runs of them, and characters are normalised (NFKC) first. Ids 0 and 1
    are padding and unknown, as everywhere here.

    Args:
        model: Bytes of a SentencePiece model.

    References:
        - Kudo and Richardson, [SentencePiece](https://arxiv.org/abs/1808.06226), 2018
    """

    level = "subword"

    def __init__(self, model):
        self.model = bytes(model)
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(self.model)
        except RuntimeError as error:
            raise ValueError(f"This is no SentencePiece model: {error}") from error

    @classmethod
    def learn(cls, texts, size=8000, min_count=1):
        """Makes one from texts, with `size` ids if the texts give so many.

        Raises:
            ValueError: If the texts are empty, or `size` is less than their characters
                need.
        """
        lines = [_whole(line) for text in texts for line in text.split("\n")]
        lines = [part for line in lines if line.strip() for part in _parts(line)]
        if not lines:
            raise ValueError("There is no text to learn pieces of words from.")
        try:
            return cls(_trained(lines, size))
        except RuntimeError as error:
            reason = str(error).rpartition("] ")[2]
            raise ValueError(
                f"A vocabulary of {size!r} pieces cannot be learned from this text: "
                f"{reason}"
            ) from error

    def __len__(self):
        return self._processor.GetPieceSize()

    def encode(self, text):
        """Ids of a string, int32."""
        return np.array(self._processor.EncodeAsIds(_whole(text)), "int32")

    def tokens(self, text):
        """The parts of a string, one for each id."""
        return self._processor.EncodeAsPieces(_whole(text))

    def piece(self, token_id):
        """The piece of an id, with `▁` where a word begins."""
        return self._processor.IdToPiece(int(token_id))

    @property
    def end_of_line(self):
        """The id of the end of a line."""
        return self._processor.PieceToId("\n")

    def decode(self, ids):
        """The string of ids."""
        return self._processor.DecodeIds([int(i) for i in ids])

    def after(self, prompt):
        """`decode` for ids that go on with a prompt, with the space between them."""
        return _after(self, prompt)

    def text(self):
        """All of it as text, see `tokenizer_from`."""
        code = base64.b64encode(self.model).decode("ascii")
        return "".join(f"{code[i : i + 76]}\n" for i in range(0, len(code), 76))

    @classmethod
    def from_text(cls, text):
        """Reads what `text` wrote."""
        try:
            return cls(base64.b64decode("".join(text.split()), validate=True))
        except ValueError as error:
            raise ValueError(f"The text holds no tokenizer: {error}") from error


_CLASSES = {c.level: c for c in (CharacterTokenizer, WordTokenizer, SubwordTokenizer)}


def tokenizer_class(level):
    """The class for a level.

    Raises:
        ValueError: If the level is unknown; the message lists those there are.
    """
    if level not in _CLASSES:
        raise ValueError(f"`level` must be one of {LEVELS}. Received: {level!r}")
    return _CLASSES[level]


def tokenizer_from(level, text):
    """The tokenizer of a level that `text` (its own `text()`) tells of."""
    return tokenizer_class(level).from_text(text)


def _after(tokenizer, prompt):
    """A function as `decode`, that knows whether a space stands before the first id."""
    last = tokenizer.encode(prompt)[-1:].tolist()
    before, spaced = tokenizer.decode(last), prompt[-1:].isspace()

    def decode(ids):
        text = tokenizer.decode([*last, *ids]).removeprefix(before)
        return text.removeprefix(" ") if spaced else text

    return decode


def _words(text):
    lines = text.split("\n")
    words = [w for line in lines[:-1] for w in (*line.split(), END_OF_LINE)]
    return words + lines[-1].split()


def _items(vocabulary, ids):
    last = len(vocabulary)
    return [
        vocabulary.items[i - RESERVED] if RESERVED <= i < last else REPLACEMENT
        for i in map(int, ids)
    ]


def _trained(lines, size):
    """The bytes of a SentencePiece model of some lines."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=size,
        # Small corpora do not have as many pieces as are asked for.
        hard_vocab_limit=False,
        model_type="unigram",
        character_coverage=0.9999,
        pad_id=0,
        unk_id=UNKNOWN_ID,
        bos_id=-1,
        eos_id=-1,
        user_defined_symbols=["\n"],
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def _parts(line):
    """A line in parts, cut at spaces, that SentencePiece does not skip as too long."""
    if len(line.encode()) <= _LONGEST:
        return [line]
    parts, start, most = [], 0, _LONGEST // 4  # bytes a character has, at most
    while start < len(line):
        end = start + most
        space = line.rfind(" ", start + 1, end) if end < len(line) else -1
        end = space if space > 0 else end
        parts.append(line[start:end])
        start = end
    return [part for part in parts if part.strip()]


def _whole(text):
    # Lone surrogates are not UTF-8, and SentencePiece takes nothing else.
    return text.encode("utf-8", "replace").decode("utf-8")
