"""Column files of the CoNLL shared tasks: one token a line, a blank line between."""

import os

# A token that vanished from its line (some corpora lost an emoji that way) still
# holds its place, or the tags after it would move.
MISSING_TOKEN = "\ufffd"


def read_conll(path_or_file, tag_column=-1, token_column=0):
    """Reads sentences and their tags from a column file.

    Columns are parted by tabs if the line has a tab, else by spaces. Lines with
    nothing but white space part sentences; `-DOCSTART-` lines are dropped. Windows
    line ends and a byte order mark are accepted. Tags are returned as they stand
    in the file: see `tags.to_bio`.

    Args:
        path_or_file: path of a UTF-8 file, or an open text file.
        tag_column: index of the column of tags; negative counts from the end.
        token_column: index of the column of tokens.

    Returns:
        List of `(tokens, tags)`, two lists of strings of one length.

    Raises:
        ValueError: if a line lacks a column or the file is not UTF-8; the message
            names the file and the line.
        OSError: if the file cannot be opened.
    """
    if hasattr(path_or_file, "read"):
        name = str(getattr(path_or_file, "name", "file"))
        return _read(path_or_file, name, tag_column, token_column)
    name = os.fspath(path_or_file)
    with open(name, encoding="utf-8-sig") as file:
        try:
            return _read(file, name, tag_column, token_column)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name}: not UTF-8 text ({error.reason} at byte {error.start} of a "
                "block); convert the file to UTF-8 first."
            ) from error


def _read(file, name, tag_column, token_column):
    examples = []
    tokens, tags = [], []
    for number, line in enumerate(file, start=1):
        line = line.rstrip("\r\n")
        if number == 1:
            line = line.removeprefix("\ufeff")
        if not line.strip():
            if tokens:
                examples.append((tokens, tags))
                tokens, tags = [], []
            continue
        token, tag = _columns(line, name, number, tag_column, token_column)
        if token == "-DOCSTART-":
            continue
        tokens.append(token)
        tags.append(tag)
    if tokens:
        examples.append((tokens, tags))
    return examples


def _columns(line, name, number, tag_column, token_column):
    # A tab file may hold a token with a space in it, or an empty one.
    columns = line.split("\t") if "\t" in line else line.split()
    if len(columns) < 2:
        raise ValueError(
            f"{name}, line {number}: expected a token and a tag parted by a tab or "
            f"spaces, got {line[:80]!r}."
        )
    try:
        token, tag = columns[token_column].strip(), columns[tag_column].strip()
    except IndexError:
        raise ValueError(
            f"{name}, line {number}: token_column={token_column} and "
            f"tag_column={tag_column} do not fit its {len(columns)} columns "
            f"({line[:80]!r})."
        ) from None
    if not tag:
        raise ValueError(f"{name}, line {number}: the tag is empty ({line[:80]!r}).")
    return token or MISSING_TOKEN, tag


def write_conll(path, examples):
    """Writes sentences as `token<TAB>tag` lines, which `read_conll` reads back.

    Args:
        path: path of the file to write, replaced if there.
        examples: iterable of `(tokens, tags)`.

    Raises:
        ValueError: if tokens and tags differ in number, or one of them would not
            read back: empty, with white space around it, a tab or a line end.
    """
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for index, (tokens, tags) in enumerate(examples):
            if len(tokens) != len(tags):
                raise ValueError(
                    f"Sentence {index} has {len(tokens)} tokens and {len(tags)} tags."
                )
            for entry in (*tokens, *tags):
                if entry != entry.strip() or not entry or set(entry) & set("\t\r\n"):
                    raise ValueError(
                        f"Sentence {index}: {entry!r} cannot be a column of the file."
                    )
            lines = [
                f"{token}\t{tag}\n" for token, tag in zip(tokens, tags, strict=True)
            ]
            file.write("".join(lines) + "\n")
