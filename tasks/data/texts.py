"""Plain texts, in every form in which they may come."""

import csv
import io
import os
from pathlib import Path


def read_text(path):
    """The text of a UTF-8 file, without the mark of its byte order.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is no UTF-8; the message names the file and the byte.
    """
    raw = Path(path).read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: byte {error.start} is {raw[error.start]:#04x}. "
            "Convert it, for example with iconv."
        ) from None


def lines_of(text):
    """The lines of a text; the rarer separators of Unicode are no ends of lines."""
    text = text.replace("\r\n", "\n")
    return text.removesuffix("\n").split("\n") if text else []


def table_of(text, delimiter=",", quoted=True):
    """The rows of a table, lists of strings; those of empty lines are empty.

    Args:
        text: The whole table.
        delimiter: What stands between two cells.
        quoted: Whether quotes hold cells together, as in CSV.
    """
    quoting = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    # A cell may be as long as the text; Python's limit is that of a process.
    before = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    try:
        # Not `splitlines`, see `lines_of`.
        file = io.StringIO(text, newline="")
        return list(csv.reader(file, delimiter=delimiter, quoting=quoting))
    finally:
        csv.field_size_limit(before)


def items_of(data):
    """The items of anything that holds some in an order.

    Args:
        data: List, tuple, array, series or iterator; `tf.data.Dataset`, whose strings
            are decoded; or data frame, whose rows are tuples.

    Returns:
        A list; `None` for anything else: a single string, a dict, a set.
    """
    if hasattr(data, "as_numpy_iterator"):
        return [_decoded(item) for item in data.as_numpy_iterator()]
    if hasattr(data, "itertuples"):  # pandas
        return list(data.itertuples(index=False, name=None))
    if hasattr(data, "iter_rows"):  # polars
        return list(data.iter_rows())
    if isinstance(data, str | bytes | dict | set | frozenset | os.PathLike):
        return None
    if getattr(data, "ndim", 1) == 0:  # an array of one string has no items
        return None
    if hasattr(data, "tolist"):
        data = data.tolist()
    return list(data) if hasattr(data, "__iter__") else None


def _decoded(item):
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else item


def texts_from(data):
    """The texts that `data` gives, see `LanguageModel.fit`.

    Raises:
        TypeError: If it is no text.
        ValueError: If a file is no UTF-8, or a string is the name of a file.
    """
    if isinstance(data, str) and _names_file(data):
        raise ValueError(
            f"The text {data!r} is the name of a file: give pathlib.Path({data!r}) to "
            "have it read."
        )
    if isinstance(data, str | os.PathLike):
        data = [data]
    items = items_of(data)
    if items is None:
        raise TypeError(
            f"Expected a string, a path or a list of these, got {data!r:.80}"
        )
    return [_text(item) for item in items]


def _names_file(text):
    # A path has no more characters than that, and none of these.
    odd = "\n" in text or "\0" in text
    return 0 < len(text) < 4096 and not odd and os.path.isfile(text)


def _text(item):
    if isinstance(item, str):
        return item
    if not isinstance(item, os.PathLike):
        raise TypeError(f"Expected a string or a pathlib.Path, got {item!r:.80}")
    return read_text(item)


def prompts_from(prompt):
    """Reads what `generate`, `score` and `translate` take.

    Args:
        prompt: A string, or strings in any form of `items_of`.

    Returns:
        Whether it was a single string, and a list of strings.

    Raises:
        TypeError: If it is neither.
    """
    single = isinstance(prompt, str)
    prompts = [prompt] if single else items_of(prompt)
    if prompts is None or not all(isinstance(p, str) for p in prompts):
        raise TypeError(f"Expected a string or a list of strings, got {prompt!r:.80}")
    return single, prompts
