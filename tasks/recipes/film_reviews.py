"""Film reviews (IMDB): what classifiers of opinions learn from, or start from."""

import gzip
import re
from collections import Counter
from pathlib import Path

import numpy as np

from tasks.data.vectors import glove_file, read_vectors
from tasks.data.vocabulary import RESERVED, Vocabulary
from tasks.data.words import normalize, sentences, tokenize
from tasks.text_classification import TextClassifier

LABELS = ["negative", "positive"]
_NAMES = {"neg": "negative", "pos": "positive"}
_BREAK = re.compile(r"(?i)(<br\s*/?>\s*)+")
HELD_OUT = 2500


def read_reviews(path):
    """Reads reviews: a label, a number and a text in each line, gzipped.

    Returns:
        List of `(tokens, label)`.
    """
    examples = []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            label, _, text = line.rstrip("\n").split("\t", 2)
            tokens = [token for token, _, _ in tokenize(_BREAK.sub(" ", text))]
            examples.append((tokens, _NAMES[label]))
    return examples


def split_reviews(data_dir):
    """Dict of `"train"`, `"dev"` (a tenth of the training reviews) and `"test"`."""
    folder = Path(data_dir) / "imdb"
    train, test = (read_reviews(folder / f"{x}.tsv.gz") for x in ("train", "test"))
    order = np.random.default_rng(0).permutation(len(train)).tolist()
    return {
        "train": [train[i] for i in order[HELD_OUT:]],
        "dev": [train[i] for i in order[:HELD_OUT]],
        "test": test,
    }


def passages(examples, most=64):
    """Reviews in passages of whole sentences, each with the label of its review."""
    return [
        (tokens[start:end], label)
        for tokens, label in examples
        for start, end in sentences(tokens, most)
    ]


def add_arguments(parser):
    parser.add_argument(
        "--vectors",
        metavar="FILE",
        help="GloVe vectors, .tgz of npm or text (default: downloaded, 118 MB)",
    )


def start(args, examples, vectors, options, min_count=5, limit=25_000):
    """An untrained classifier over the words of some examples.

    Args:
        args: Parsed arguments, see `add_arguments`.
        examples: List of `(tokens, label)`.
        vectors: Whether words begin with GloVe's vectors; by chance if not.
        options: Options of `TextClassifier`.
        min_count: How often a word must be there to be known.
        limit: Most words to know.
    """
    counts = Counter()
    # Each distinct token is normalised once: there are millions of tokens.
    for token, count in Counter(t for tokens, _ in examples for t in tokens).items():
        counts[normalize(token)] += count
    characters = Counter(c for word in counts for c in word)
    words = Vocabulary.build(counts, min_count, limit)
    classifier = TextClassifier(
        LABELS, words, Vocabulary.build(characters, min_count), **options
    )
    if vectors:
        give_vectors(classifier, *read_vectors(glove_file(args.vectors), 200_000))
    return classifier


def give_vectors(classifier, words, vectors):
    """Lets words begin with vectors made by others, scaled to a deviation of 0.3."""
    layer = classifier.model.get_layer("word_embedding")
    (table,) = layer.get_weights()
    known = {word: row for row, word in enumerate(words)}
    items = classifier.features.words.items
    rows = np.array([known.get(item, -1) for item in items])
    vectors = vectors * (0.3 / vectors.std())
    # Words without one begin as small.
    table[RESERVED:] = np.where((rows >= 0)[:, None], vectors[rows], table[RESERVED:])
    layer.set_weights([table])
