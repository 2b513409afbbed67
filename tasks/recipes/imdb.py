"""Classifier of opinions: whole film reviews, pleased or not (IMDB).

Words begin with GloVe's vectors. The epoch is chosen on a tenth of the training
reviews, on which probabilities are calibrated, too; the 25,000 test reviews are scored
once for each seed. One variant starts from a language model of the training reviews,
without those held out.

Data: folder imdb in --data-dir (train.tsv.gz and test.tsv.gz: label, number, text).
They have no licence of their own: for research.
"""

import sys

from tasks.recipes import film_reviews, runs, text_classifiers
from tasks.recipes.film_reviews import LABELS  # noqa: F401, part of the recipe
from tasks.recipes.tagging import Variant
from tasks.transfer import take_encoder

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
READS = 1200  # tokens of a text, once the classifier is trained
# A net that reads forwards, as a language model does, and the model it may start from.
FORWARDS = {
    "bidirectional": False,
    "units": 240,
    "num_layers": 3,
    "connection": None,
    "hidden_dropout": 0.2,
}
LANGUAGE_MODEL = {
    **{name: OPTIONS[name] for name in ("layer", "layer_options", "embedding_dim")},
    **{name: FORWARDS[name] for name in ("units", "num_layers")},
    "tied": True,
    "sampled": 1024,
    "embedding_dropout": 0.05,
    "input_dropout": 0.1,
    "hidden_dropout": 0.1,
    "output_dropout": 0.1,
}
LANGUAGE_MODEL_FIT = dict(
    batch_size=128, chunk=35, learning_rate=2e-3, ema=0.999, verbose=2, seed=0
)
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
    "forwards": Variant("vectors", options=FORWARDS),
    "forwards, from a language model": Variant("language model", options=FORWARDS),
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
    "limits": "knows no neutral; reads 1,200 words of a text, from both ends",
}


def add_arguments(parser):
    film_reviews.add_arguments(parser)
    runs.add_arguments(parser, VARIANTS, epochs=4, learning_rate=1e-3)
    parser.add_argument(
        "--language-model-epochs", type=int, default=4, help="on the reviews' text"
    )


def start(args, variant, data):
    """An untrained classifier that starts as a variant says."""
    options = {**OPTIONS, **variant.options}
    classifier = film_reviews.start(
        args, data["train"], variant.vectors, options, limit=20_000
    )
    if variant.stage == "language model":
        source = film_reviews.language_model(
            args, data, LANGUAGE_MODEL, LANGUAGE_MODEL_FIT
        )
        take_encoder(classifier, source)
    return classifier


def run(args):
    """Trains the classifiers; `args.output` holds state, results and the preset."""
    data = film_reviews.split_reviews(args.data_dir)
    text_classifiers.run(args, sys.modules[__name__], data, FIT, READS)
