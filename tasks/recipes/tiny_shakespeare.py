"""Language model of Shakespeare's characters, to play with.

One layer of a zoneout LSTM on the first nine tenths of the text (Karpathy's
selection of the plays); a twentieth chooses the epoch, and the last twentieth is
scored once for each seed.

Data: folder tiny_shakespeare in --data-dir. The text is in the public domain.
"""

import sys
from pathlib import Path

from tasks.recipes import language_models, runs

NAME = "language_model_lstm.tiny_shakespeare_chars"
OPTIONS = dict(
    units=384,
    embedding_dim=64,
    layer_options={"zoneout_h": 0.05, "zoneout_c": 0.3},
    output_dropout=0.2,
)
FIT = dict(batch_size=32, chunk=100)
# Options that differ; the first one is shipped.
VARIANTS = {
    "full": {},
    "no zoneout": {"layer_options": {}},
    "GRU": {"layer": "gru", "layer_options": {"zoneout_h": 0.1}},
    "QRNN, two layers": {
        "layer": "qrnn",
        "num_layers": 2,
        "layer_options": {"window": 2, "zoneout": 0.1},
    },
}
SCORE, ORDER = "bits_per_character", 6
EXAMPLES = ["ROMEO:\n", "To be, or not to be", "First Citizen:\n"]
FRONT = {
    "architecture": "ZoneoutLSTM over characters",
    "language": "en",
    "data": ["tiny Shakespeare"],
    "data_licence": "public domain",
    "licence": "Apache-2.0",
    "intended_use": "to play with; to try generation and surprise",
    "limits": "early modern English drama; says nothing true",
}


def add_arguments(parser):
    runs.add_arguments(parser, VARIANTS, epochs=15, learning_rate=3e-3)


def run(args):
    """Trains the model; `args.output` holds the state, the results and the preset."""
    path = Path(args.data_dir) / "tiny_shakespeare" / "input.txt"
    module = sys.modules[__name__]
    language_models.run(args, module, split(path.read_text("utf-8")), OPTIONS, FIT)


def split(text):
    """Nine tenths to learn from, and a twentieth each to choose and to test by."""
    a, b = len(text) * 18 // 20, len(text) * 19 // 20
    return {"train": text[:a], "dev": text[a:b], "test": text[b:]}
