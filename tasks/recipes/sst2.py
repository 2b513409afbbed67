"""Classifier of opinions: sentences of film reviews, pleased or not (SST-2).

Words begin with GloVe's vectors. The classifier first learns from IMDB's reviews, cut
into passages of some sentences, each with the label of its review; then from the
sentences of SST-2. The epoch is chosen on the development sentences, on which
probabilities are calibrated, too; the test sentences are scored once for each seed.

Data: folder sst2 in --data-dir (6,920, 872 and 1,821 sentences of the Stanford
Sentiment Treebank), and folder imdb. Both are for research only.
"""

import sys
from pathlib import Path

import zoo
from tasks.data.labelled import labelled_from, tokens_of
from tasks.recipes import film_reviews, runs, text_classifiers
from tasks.recipes.film_reviews import LABELS
from tasks.recipes.tagging import Variant
from tasks.transfer import take_encoder

NAME = "text_classification_lstm.sst2_en"
OPTIONS = {
    "layer": "zoneout_lstm",
    "layer_options": {"zoneout_h": 0.05, "zoneout_c": 0.15},
    "units": 150,
    "embedding_dim": 100,
    "word_length": 2,  # characters are not read
    "dropout": 0.5,
}
FIT = dict(batch_size=32, word_dropout=0.1)
# Of the passages of reviews: the classifier that the others start from.
REVIEWS = dict(batch_size=128, word_dropout=0.1, learning_rate=2e-3, verbose=2, seed=0)
# What a classifier starts from, and its options; the first one is shipped.
VARIANTS = {
    "full": Variant("reviews"),
    "no reviews": Variant("vectors"),
    "no reviews, QRNN": Variant(
        "vectors", options={"layer": "qrnn", "layer_options": {"window": 2}}
    ),
    "no reviews, mean in place of attention": Variant(
        "vectors", options={"pooling": "mean"}
    ),
    "no reviews, no GloVe": Variant(None, vectors=False),
}
EXAMPLES = [
    "A warm, funny and wonderfully acted film.",
    "Two hours of my life that I will never get back.",
    "not without charm, but far too long",
]
FRONT = {
    "architecture": "bidirectional ZoneoutLSTM over words, attention pooling",
    "language": "en",
    "data": ["SST-2", "IMDB"],
    "data_licence": "SST-2, IMDB: none given, research use; GloVe: PDDL",
    "licence": "research use only",
    "intended_use": "opinions in single English sentences, of films above all",
    "limits": "knows no neutral; irony, negation ('nobody could call it boring') and "
    "other fields than films mislead it",
}


def add_arguments(parser):
    film_reviews.add_arguments(parser)
    runs.add_arguments(parser, VARIANTS, epochs=5, learning_rate=5e-4)
    parser.add_argument("--review-epochs", type=int, default=3, help="on IMDB")


def start(args, variant, data):
    """An untrained classifier that starts as a variant says."""
    # A word of a treebank of 6,920 sentences is worth knowing if it comes twice.
    counted = data["reviews"] + 3 * data["train"]
    options = {**OPTIONS, **variant.options}
    classifier = film_reviews.start(args, counted, variant.vectors, options)
    if variant.stage == "reviews":
        take_encoder(classifier, reviewer(args, classifier, data["reviews"]))
    return classifier


def reviewer(args, like, examples):
    """A classifier of passages of reviews; trained once, with all that `like` has."""
    folder = Path(args.output) / "reviews"
    if not (folder / "preset").exists():
        held = examples[: len(examples) // 20]
        like.fit(
            examples[len(held) :],
            held,
            epochs=args.review_epochs,
            resume_dir=folder / "state",
            **REVIEWS,
        )
        like.save(folder / "preset")
    return zoo.load(folder / "preset")


def run(args):
    """Runs all stages; `args.output` holds the state, the results and the preset."""
    folder = Path(args.data_dir) / "sst2"
    data = {
        part: [
            (tokens_of(text), LABELS[int(label)])
            for text, label in labelled_from(folder / f"{part}.tsv")
        ]
        for part in ("train", "dev", "test")
    }
    reviews = film_reviews.split_reviews(args.data_dir)
    data["reviews"] = film_reviews.passages(reviews["dev"] + reviews["train"])
    text_classifiers.run(args, sys.modules[__name__], data, FIT)
