"""Plain text for pretraining: sentences of tokens from files in many forms."""

import gzip
import re
from pathlib import Path

from tasks.data.conll import read_conll
from tasks.data.words import sentences, tokenize

# Longest sentence in tokens; longer ones are cut at ends of sentences inside.
MAX_LENGTH = 64
# Stands for words that a corpus has left out; in no vocabulary of words.
UNKNOWN = "\u2047"


def read_corpus(name, data_dir):
    """Reads one of the corpora the recipes name.

    Args:
        name: One of `CORPORA`.
        data_dir: Folder with a folder for each data set.

    Returns:
        List of sentences, each a list of tokens. Repeated sentences come once.

    Raises:
        ValueError: If the name is unknown.
        FileNotFoundError: If a file is missing; the message names it.
    """
    if name not in CORPORA:
        raise ValueError(f"Unknown corpus {name!r}. Corpora: {', '.join(CORPORA)}")
    path, reader = CORPORA[name]
    found = dict.fromkeys(tuple(s) for s in reader(Path(data_dir) / path))
    return [list(s) for s in found if s]


def _split(text):
    tokens = [token for token, _, _ in tokenize(text)]
    for start, end in _sentences(tokens):
        yield tokens[start:end]


def _sentences(tokens):
    """Sentences of a text that has no line for each."""
    start = 0
    for end, token in enumerate(tokens, 1):
        if token[-1] in ".!?" and (end - start > 3 or end == len(tokens)):
            yield from _windows(tokens, start, end)
            start = end
    yield from _windows(tokens, start, len(tokens))


def _windows(tokens, start, end):
    for a, b in sentences(tokens[start:end], MAX_LENGTH):
        yield start + a, start + b


def _tatoeba(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield from _split(line.split("\t")[0])


def _wikitext(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.strip()
            if not line or line.startswith("="):
                continue
            # Undo the marks that keep numbers and hyphens apart: 1 @,@ 000.
            line = re.sub(r" @([-,.])@ ", r"\1", line).replace("<unk>", UNKNOWN)
            yield from _split(line)


def read_conllu(path):
    """Reads a Universal Dependencies file.

    Args:
        path: Path of a UTF-8 file in the CoNLL-U format.

    Returns:
        List of `(tokens, parts_of_speech)`, universal tags such as `"PROPN"`.
    """
    sentences, tokens, parts = [], [], []
    with open(path, encoding="utf-8") as file:
        for line in [*file, "\n"]:
            columns = line.rstrip("\n").split("\t")
            if len(columns) > 3 and columns[0].isdigit():
                tokens.append(columns[1])
                parts.append(columns[3])
            elif not line.strip() and tokens:
                sentences.append((tokens, parts))
                tokens, parts = [], []
    return sentences


def _conllu(path):
    for tokens, _ in read_conllu(path):
        yield tokens


def _conll(path):
    for tokens, _ in read_conll(path):
        yield tokens


def _imdb(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            text = line.rstrip("\n").split("\t")[-1]
            yield from _split(re.sub(r"(?i)<br\s*/?>", " ", text))


CORPORA = {
    "tatoeba": ("tatoeba_en_de/deu.txt", _tatoeba),
    "wikitext": ("wikitext2_partial/valid.txt", _wikitext),
    "wikitext_test": ("wikitext2_partial/test.txt", _wikitext),
    "ewt": ("ud_english_ewt/en_ewt-ud-train.conllu", _conllu),
    "wnut17": ("wnut17/wnut17train.conll", _conll),
    "btc": ("btc_ner/btc.train", _conll),
    "conll2003": ("conll2003/eng.train", _conll),
    "imdb": ("imdb/train.tsv.gz", _imdb),
}
