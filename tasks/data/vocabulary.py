"""A vocabulary: items and their ids, kept as plain text."""

import re

PADDING_ID = 0
UNKNOWN_ID = 1
RESERVED = 2

_NAMED = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPE = re.compile(
    r"\\(?:([\\nrte])|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|.?)", re.DOTALL
)
_UNESCAPED = {"\\": "\\", "n": "\n", "r": "\r", "t": "\t", "e": ""}


class Vocabulary:
    """Maps strings to ids: 0 is padding, 1 is unknown, the items start at 2.

    Args:
        items: iterable of distinct strings, in the order of their ids.

    `len(vocabulary)` counts the two reserved ids, as an embedding table needs it.

    Raises:
        ValueError: if an item is there twice or not a string.

    Example:

    >>> vocabulary = Vocabulary(["london", "in"])
    >>> vocabulary.ids(["in", "paris"])
    [3, 1]
    """

    def __init__(self, items):
        self.items = tuple(items)
        self._ids = {}
        for number, item in enumerate(self.items, start=RESERVED):
            if not isinstance(item, str):
                raise ValueError(f"Items must be strings, got {item!r}.")
            if self._ids.setdefault(item, number) != number:
                raise ValueError(f"Items must be distinct, {item!r} is there twice.")

    @classmethod
    def build(cls, counter, min_count=1, max_size=None):
        """Makes a vocabulary of the most frequent items.

        Args:
            counter: mapping of item to count, such as `collections.Counter`.
            min_count: leave out items seen less often.
            max_size: keep at most so many items (None: all). Among equals the
                first in code point order stay, so the result is always the same.

        Returns:
            A `Vocabulary`, most frequent item first.
        """
        kept = [item for item, count in counter.items() if count >= min_count]
        kept.sort(key=lambda item: (-counter[item], item))
        return cls(kept[:max_size])

    def ids(self, items):
        """Returns the list of ids of a list of strings; 1 for strange ones."""
        get = self._ids.get
        return [get(item, UNKNOWN_ID) for item in items]

    def text(self):
        """Returns the items as text, one a line, with odd characters escaped."""
        return "".join(_escape(item) + "\n" for item in self.items)

    @classmethod
    def from_text(cls, text):
        """Reads what `text` wrote.

        Raises:
            ValueError: if an escape is unknown or an item is there twice.
        """
        lines = text.removeprefix("\ufeff").split("\n")
        if lines[-1] == "":
            lines.pop()
        return cls(_unescape(line, row) for row, line in enumerate(lines, start=1))

    def __len__(self):
        return len(self.items) + RESERVED

    def __contains__(self, item):
        return item in self._ids

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.items == other.items

    def __hash__(self):
        return hash(self.items)

    def __repr__(self):
        return f"Vocabulary({len(self.items)} items)"


def _escape(item):
    if item.isascii() and item.isalnum():
        return item
    # An empty line would be lost at the end of a file; spaces are lost to editors,
    # joiners and marks to copying, and lone surrogates are not UTF-8 at all.
    return "".join(map(_escape_character, item)) or "\\e"


def _escape_character(character):
    if character in _NAMED:
        return _NAMED[character]
    if character.isprintable() and character != " ":
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unescape(line, row):
    line = line.removesuffix("\r")
    if "\\" not in line:
        return line

    def character(match):
        name, *codes = match.groups()
        if name:
            return _UNESCAPED[name]
        code = int(next(filter(None, codes), "110000"), 16)
        if code > 0x10FFFF:
            raise ValueError(f"Vocabulary, line {row}: unknown escape {match[0]!r}.")
        return chr(code)

    return _ESCAPE.sub(character, line)
