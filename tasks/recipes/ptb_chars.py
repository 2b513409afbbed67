"""Language model of the characters of financial news (Penn Treebank).

One layer of a zoneout LSTM, as in the paper on zoneout, but half as wide and with fewer
passes. The epoch is chosen on the validation text, and the test text is scored once for
each seed, as one stream with static weights.

Data: folder ptb in --data-dir, see `tasks.recipes.penn_treebank`.
"""

import sys

from tasks.recipes import language_models, penn_treebank, runs

NAME = "language_model_zoneout_lstm.ptb_chars"
OPTIONS = dict(
    units=512,
    embedding_dim=64,
    layer_options={"zoneout_h": 0.025, "zoneout_c": 0.1},
)
FIT = dict(batch_size=32, chunk=100, ema=0.999)
# Options that differ; the first one is shipped.
VARIANTS = {"full": {}, "no zoneout": {"layer_options": {}}}
SCORE, ORDER = "bits_per_character", 7
EXAMPLES = ["the company said ", "shares of ", "mr. "]
FRONT = {
    **penn_treebank.FRONT,
    "architecture": "ZoneoutLSTM over characters",
    "intended_use": "comparisons with the literature; a start for taggers and "
    "classifiers of English text in lower case",
    "limits": "knows the 10,000 lower-case words of the Wall Street Journal of 1989",
}


def add_arguments(parser):
    runs.add_arguments(parser, VARIANTS, epochs=13, learning_rate=3e-3)


def run(args):
    """Trains the model; `args.output` holds the state, the results and the preset."""
    data = penn_treebank.read_parts(args.data_dir)
    language_models.run(args, sys.modules[__name__], data, OPTIONS, FIT)
