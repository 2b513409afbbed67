"""Classifier of opinions: whole film reviews, pleased or not (IMDB).

Words begin with GloVe's vectors. The epoch is chosen on a tenth of the training
reviews, on which probabilities are calibrated, too; the 25,000 test reviews are scored
once for each seed.

Data: folder imdb in --data-dir (train.tsv.gz and test.tsv.gz: label, number, text).
They have no licence of their own: for research.
"""

import sys

from tasks.recipes import film_reviews, runs, text_classifiers
from tasks.recipes.film_reviews import LABELS  # noqa: F401, part of the recipe
from tasks.recipes.tagging import Variant

NAME = "text_classification_qrnn.imdb_en"
OPTIONS = {
    "layer": "qrnn",
    "layer_options": {"window": 2, "zoneout": 0.1},
    "units": 128,
    "num_layers": 2,
    "connection": "dense",
    "embedding_dim": 100,
    "word_length": 2,  # characters are not read
    "dropout": 0.4,
    "hidden_dropout": 0.3,
    "max_tokens": 400,
}
FIT = dict(batch_size=32, word_dropout=0.1)
# What a classifier starts from, and its options; the first one is shipped.
VARIANTS = {
    "full": Variant("vectors"),
    "no zoneout": Variant("vectors", options={"layer_options": {"window": 2}}),
    "LSTM": Variant(
        "vectors",
        options={"layer": "zoneout_lstm", "layer_options": {}, "num_layers": 1},
    ),
    "mean in place of attention": Variant("vectors", options={"pooling": "mean"}),
    "no GloVe": Variant(None, vectors=False),
}
EXAMPLES = [
    "I had looked forward to this film for months, and it did not let me down. The "
    "acting is superb, the story moves, and I left the cinema smiling.",
    "The plot makes no sense, the jokes are stale, and after an hour I wanted to go. "
    "A pity about the fine camera work.",
]
FRONT = {
    "architecture": "bidirectional QRNN over words, attention pooling",
    "language": "en",
    "data": ["IMDB"],
    "data_licence": "IMDB: none given, research use; GloVe: PDDL",
    "licence": "research use only",
    "intended_use": "opinions in English texts of a paragraph or more, of films above "
    "all",
    "limits": "knows no neutral; reads 400 words of a text, its beginning and its end",
}


def add_arguments(parser):
    film_reviews.add_arguments(parser)
    runs.add_arguments(parser, VARIANTS, epochs=4, learning_rate=1e-3)


def start(args, variant, data):
    """An untrained classifier that starts as a variant says."""
    options = {**OPTIONS, **variant.options}
    return film_reviews.start(
        args, data["train"], variant.vectors, options, limit=20_000
    )


def run(args):
    """Trains the classifiers; `args.output` holds state, results and the preset."""
    data = film_reviews.split_reviews(args.data_dir)
    text_classifiers.run(args, sys.modules[__name__], data, FIT)
