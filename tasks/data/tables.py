"""Tables of files with a text each, and folders that hold such a table."""

import os
from pathlib import Path
from typing import NamedTuple

from tasks.data.texts import items_of, read_text, table_of


class TableKind(NamedTuple):
    """What a table of files is about.

    Attributes:
        thing: What a file holds, such as `"picture"`.
        text: What is said of it, such as `"caption"`.
        tables: Names that a table may have in a folder.
        folders: Names of folders beside the table in which files may lie; if none is
            there, they lie beside it.
        heads: First rows that are no entries, in lower case.
    """

    thing: str
    text: str
    tables: tuple
    folders: tuple
    heads: tuple


def rows_from(data, kind, from_dataset):
    """Rows of a table, of a folder with one, of a list or of a dataset.

    Args:
        data: Path of a table or of a folder, a tuple of the paths of a folder and a
            table, a list or another iterable, a data frame, or a `tf.data.Dataset`.
        kind: `TableKind`.
        from_dataset: Function from an element of a dataset to a row.

    Returns:
        A list; what came as one is not checked.

    Raises:
        FileNotFoundError, ValueError: See `table_rows`.
        TypeError: If the data are of another form.
    """
    if _is_path(data):
        return (folder_rows if Path(data).is_dir() else table_rows)(data, kind)
    if isinstance(data, tuple) and len(data) == 2 and all(map(_is_there, data)):
        return table_rows(data[1], kind, data[0])
    if hasattr(data, "as_numpy_iterator"):
        return [from_dataset(pair) for pair in data]
    items = items_of(data)
    if items is not None:
        return items
    raise TypeError(
        f"Expected a folder, a table, a list of ({kind.thing}, {kind.text}s), or a "
        f"tf.data.Dataset. Received: {type(data).__name__}"
    )


def _is_path(item):
    return isinstance(item, (str, os.PathLike))


def _is_there(item):
    return _is_path(item) and Path(item).exists()


def folder_rows(folder, kind):
    """Rows of the table in a folder, see `table_rows`.

    Raises:
        FileNotFoundError: If it has no table.
    """
    for name in kind.tables:
        if (Path(folder) / name).is_file():
            return table_rows(Path(folder) / name, kind)
    raise FileNotFoundError(
        f"{folder} has no table of {kind.text}s: {', '.join(kind.tables)}. Give the "
        "tuple (folder, table) if it lies elsewhere."
    )


def table_rows(path, kind, folder=None):
    """Reads a table: the name of a file and a text in each row.

    Args:
        path: Path of a UTF-8 table with tabs or commas.
        kind: `TableKind`.
        folder: Where the files lie; see `TableKind.folders`.

    Returns:
        List of `(path, text)`.

    Raises:
        FileNotFoundError: If a file is missing; the message says which line.
        ValueError: If a row has not two cells.
    """
    path = Path(path)
    text = read_text(path)
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    # Quotes mean something in CSV alone.
    lines = table_of(text, delimiter, quoted=delimiter == ",")
    folders = [Path(folder)] if folder else [path.parent / n for n in kind.folders]
    folders = [path.parent] if not any(f.is_dir() for f in folders) else folders
    rows = []
    for number, row in enumerate(lines, 1):
        if number == 1 and [cell.strip().lower() for cell in row] in kind.heads:
            continue
        if not row:
            continue
        if len(row) != 2:
            raise ValueError(
                f"{path}, line {number}: expected a {kind.thing} and a {kind.text}, "
                f"with a tab or a comma between them. Received: {row!r:.100}"
            )
        rows.append((_found(row[0].strip(), folders, kind, path, number), row[1]))
    return rows


def _found(name, folders, kind, path, number):
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"{path}, line {number}: there is no {kind.thing} {name} in "
        f"{' or '.join(map(str, folders))}."
    )
