"""Classifier of opinions: sentences of film reviews, pleased or not (SST-2).

It starts from the encoder of open text (GloVe's vectors and a language model in both
directions). The epoch is chosen on the development sentences, on which probabilities
are calibrated, too; the test sentences are scored once for each seed.

Data: folder sst2 in --data-dir (6,920, 872 and 1,821 sentences of the Stanford
Sentiment Treebank), and those of the encoder. The sentences are for research only.
"""

import sys
from pathlib import Path

from tasks.data.labelled import labelled_from
from tasks.recipes import text_classifiers
from tasks.recipes.tagging import Variant

NAME = "text_classification_lstm.sst2_en"
LABELS = ["negative", "positive"]
OPTIONS = {
    **text_classifiers.ENCODER,
    **text_classifiers.ENCODER_WORDS,
    "layer_options": {"zoneout_h": 0.05, "zoneout_c": 0.15},
    "dropout": 0.5,
    "pooling": "attention",
}
FIT = dict(batch_size=32, word_dropout=0.1)
# What a classifier starts from, and its options; the first one is shipped.
VARIANTS = {
    "full": Variant("language_model"),
    "GloVe, not pretrained": Variant("vectors"),
    "QRNN, GloVe": Variant(
        "vectors", options={"layer": "qrnn", "layer_options": {"window": 2}}
    ),
    "mean in place of attention": Variant(
        "language_model", options={"pooling": "mean"}
    ),
    "no GloVe, not pretrained": Variant(None, vectors=False),
}
EXAMPLES = [
    "A warm, funny and wonderfully acted film.",
    "Two hours of my life that I will never get back.",
    "not without charm, but far too long",
]
FRONT = {
    "architecture": "bidirectional ZoneoutLSTM over words, characters and word shapes, "
    "attention pooling",
    "language": "en",
    "data": ["SST-2"],
    "data_licence": "SST-2: research use; the encoder: CC BY 2.0 (Tatoeba), CC BY-SA "
    "(WikiText-2, UD English EWT), CC BY 4.0 (WNUT-17, Broad Twitter), PDDL (GloVe)",
    "licence": "research use only",
    "intended_use": "opinions in single English sentences, of films above all",
    "limits": "knows no neutral; irony and other fields than films mislead it",
}


def add_arguments(parser):
    text_classifiers.add_arguments(parser, epochs=8, learning_rate=1e-3)


def run(args):
    """Runs all stages; `args.output` holds the state, the results and the preset."""
    folder = Path(args.data_dir) / "sst2"
    data = {
        part: [
            (text, LABELS[int(label)])
            for text, label in labelled_from(folder / f"{part}.tsv")
        ]
        for part in ("train", "dev", "test")
    }
    text_classifiers.run(args, sys.modules[__name__], data, OPTIONS, FIT)
