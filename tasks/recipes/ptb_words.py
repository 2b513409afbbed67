"""Language model of the words of financial news (Penn Treebank, 10,000 words).

A small QRNN whose softmax shares the embedding's matrix. The epoch is chosen on the
validation text, and the test text is scored once for each seed, as one stream with
static weights.

Data: folder ptb in --data-dir, see `tasks.recipes.penn_treebank`.
"""

import sys

from tasks.recipes import language_models, penn_treebank, runs

NAME = "language_model_qrnn.ptb_words"
OPTIONS = dict(
    level="word",
    layer="qrnn",
    layer_options={"window": 2, "zoneout": 0.1},
    units=224,
    num_layers=2,
    embedding_dim=104,
    tied=True,
    embedding_dropout=0.05,
    input_dropout=0.2,
    hidden_dropout=0.15,
    output_dropout=0.25,
    ar=1.0,
    tar=0.5,
)
FIT = dict(batch_size=16, chunk=60, ema=0.999)
# Options that differ; the first one is shipped.
VARIANTS = {
    "full": {},
    "no zoneout": {"layer_options": {"window": 2}},
    "LSTM": {"layer": "zoneout_lstm", "num_layers": 1, "layer_options": {}},
    "no dropout": {
        name: 0.0
        for name in (
            "embedding_dropout",
            "input_dropout",
            "hidden_dropout",
            "output_dropout",
        )
    },
}
SCORE, ORDER = "perplexity", 5
EXAMPLES = [
    "the company said",
    "shares of the bank fell",
    "analysts expect the federal reserve to",
]
FRONT = {
    **penn_treebank.FRONT,
    "architecture": "QRNN over words, softmax tied to the embedding",
    "intended_use": "comparisons with the literature; probabilities of English "
    "financial news",
    "limits": "knows 10,000 lower-case words of the Wall Street Journal of 1989",
}


def add_arguments(parser):
    runs.add_arguments(parser, VARIANTS, epochs=12, learning_rate=3e-3)


def run(args):
    """Trains the model; `args.output` holds the state, the results and the preset."""
    data = penn_treebank.read_parts(args.data_dir)
    language_models.run(args, sys.modules[__name__], data, OPTIONS, FIT)
