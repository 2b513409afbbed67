"""Translator of captions, English to German (Multi30k, task 1 of WMT 2016).

The epoch is chosen on the 1,014 development pairs; the 1,000 test pairs of 2016 are
scored once for each seed.

Data: folder multi30k/raw in --data-dir (train, val and test_2016_flickr, .en.gz and
.de.gz). For research only.
"""

import gzip
import sys
from pathlib import Path

from tasks.recipes import runs, translators

NAME = "translation_lstm_attention.multi30k_en_de"
OPTIONS = dict(
    vocabulary_size=6000,
    units=256,
    embedding_dim=128,
    dropout=0.3,
    label_smoothing=0.1,
    encoder_options={"zoneout_h": 0.05, "zoneout_c": 0.1},
    decoder_options={"zoneout_h": 0.05, "zoneout_c": 0.1},
)
FIT = dict(batch_size=64)
# Options that differ; the first one is shipped.
VARIANTS = {
    "full": {},
    "no attention": {"attention": None},
    "no zoneout": {"encoder_options": {}, "decoder_options": {}},
    "GRU": {
        "encoder_layer": "gru",
        "decoder_layer": "gru",
        "encoder_options": {"zoneout_h": 0.05},
        "decoder_options": {"zoneout_h": 0.05},
    },
    "QRNN encoder": {
        "encoder_layer": "qrnn",
        "encoder_options": {"window": 3, "centred": True, "zoneout": 0.1},
        "num_layers": 2,
    },
}
PARTS = {"train": "train", "dev": "val", "test": "test_2016_flickr"}
EXAMPLES = [
    "A man in a blue shirt is standing on a ladder.",
    "Two dogs are playing in the snow.",
    "A little girl climbs into a wooden playhouse.",
]
FRONT = {
    "architecture": "ZoneoutLSTM encoder in both directions, attentive ZoneoutLSTM "
    "decoder",
    "language": "en, de",
    "data": ["Multi30k"],
    "data_licence": "research use only",
    "licence": "research use only",
    "intended_use": "captions of pictures, from English to German",
    "limits": "knows what people write below photographs, and little else",
}


def add_arguments(parser):
    runs.add_arguments(parser, VARIANTS, epochs=20, learning_rate=3e-3)


def run(args):
    """Trains the translators; `args.output` holds state, results and the preset."""
    folder = Path(args.data_dir) / "multi30k" / "raw"
    data = {part: read(folder, name) for part, name in PARTS.items()}
    translators.run(args, sys.modules[__name__], data, OPTIONS, FIT)


def read(folder, name):
    """List of pairs of sentences."""
    sides = []
    for language in ("en", "de"):
        with gzip.open(folder / f"{name}.{language}.gz", "rt", encoding="utf-8") as f:
            sides.append([line.strip() for line in f])
    return list(zip(*sides, strict=True))
