"""Plain texts, in every form in which they may come."""

from pathlib import Path


def texts_from(data):
    """The texts that `data` gives, see `LanguageModel.fit`.

    Raises:
        TypeError: If it is no text.
        ValueError: If a file is no UTF-8.
    """
    if isinstance(data, str | Path):
        data = [data]
    if isinstance(data, bytes | dict) or not hasattr(data, "__iter__"):
        raise TypeError(
            f"Expected a string, a path or a list of these, got {data!r:.80}"
        )
    return [_text(item) for item in data]


def _text(item):
    if isinstance(item, str):
        return item
    if not isinstance(item, Path):
        raise TypeError(f"Expected a string or a pathlib.Path, got {item!r:.80}")
    raw = item.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{item} is not UTF-8: byte {error.start} is {raw[error.start]:#04x}. "
            "Convert it, for example with iconv."
        ) from None


def prompts_from(prompt):
    """Reads what `generate` takes.

    Returns:
        Whether it was a single string, and a list of strings.

    Raises:
        TypeError: If it is neither a string nor a list of strings.
    """
    single = isinstance(prompt, str)
    prompts = [prompt] if single else prompt
    if not isinstance(prompts, list | tuple) or not all(
        isinstance(p, str) for p in prompts
    ):
        raise TypeError(f"Expected a string or a list of strings, got {prompt!r:.80}")
    return single, list(prompts)
