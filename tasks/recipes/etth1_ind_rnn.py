"""Forecaster of ETTh1: an IndRNN over segments of two days.

The one shipped answers for 720 hours, and with the first part of its forecast for
shorter horizons; beside it stands a model for each horizon. See tasks/recipes/etth1.py.

Data: folder ett in --data-dir.
"""

import sys

from tasks.recipes import etth1

NAME = "forecasting_ind_rnn.etth1"
OPTIONS = dict(
    layer="ind_rnn", units=256, segment_length=48, dropout=0.5, normalization="instance"
)
# Options of each variant; the first one is shipped.
VARIANTS = {
    "full": {**OPTIONS, "head": "quantiles"},
    "a model for each horizon": {
        **OPTIONS,
        "head": "quantiles",
        "horizons": etth1.HORIZONS,
    },
    "points, absolute error": {**OPTIONS, "head": "mae"},
    "last value subtracted": {
        **OPTIONS,
        "head": "quantiles",
        "normalization": "last",
    },
}
FRONT = {"architecture": "IndRNN over segments, parallel decoding, quantiles"}


def add_arguments(parser):
    etth1.add_arguments(parser, epochs=12)


def run(args):
    """Trains the models; `args.output` holds the state, the results and the preset."""
    etth1.run(args, sys.modules[__name__])
