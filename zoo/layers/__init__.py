"""Recurrent layers, and what belongs beside them."""

import difflib
import re

from zoo.layers.activation_regularization import ActivationRegularization
from zoo.layers.attention_cell import AttentionCell
from zoo.layers.bahdanau_attention import BahdanauAttention
from zoo.layers.bidirectional import Bidirectional
from zoo.layers.crf import CRF
from zoo.layers.gru import GRU
from zoo.layers.hierarchical import Hierarchical
from zoo.layers.ind_rnn import IndRNN
from zoo.layers.location_sensitive_attention import LocationSensitiveAttention
from zoo.layers.luong_attention import LuongAttention
from zoo.layers.min_gru import MinGRU
from zoo.layers.min_lstm import MinLSTM
from zoo.layers.ntm import NTM
from zoo.layers.qrnn import QRNN
from zoo.layers.recurrent import Recurrent
from zoo.layers.rglru import RGLRU
from zoo.layers.sequence_batch_normalization import SequenceBatchNormalization
from zoo.layers.simple_rnn import SimpleRNN
from zoo.layers.stack import Stack
from zoo.layers.tied_softmax import TiedSoftmax
from zoo.layers.zoneout_lstm import ZoneoutLSTM

__all__ = [
    "CRF",
    "GRU",
    "NTM",
    "QRNN",
    "RGLRU",
    "ActivationRegularization",
    "AttentionCell",
    "BahdanauAttention",
    "Bidirectional",
    "Hierarchical",
    "IndRNN",
    "LocationSensitiveAttention",
    "LuongAttention",
    "MinGRU",
    "MinLSTM",
    "Recurrent",
    "SequenceBatchNormalization",
    "SimpleRNN",
    "Stack",
    "TiedSoftmax",
    "ZoneoutLSTM",
    "get",
]


def get(name, /, *args, **options):
    """Makes a layer from its name, for options and searches.

    Args:
        name: Class name, in any case: `"zoneout_lstm"` or `"ZoneoutLSTM"`.
        *args, **options: The layer's own.

    Raises:
        ValueError: If there is no such layer; the message lists those there are, and
            names the nearest.
    """
    classes = {
        n.lower(): globals()[n] for n in __all__ if n not in ("Recurrent", "get")
    }
    key = re.sub("_", "", str(name)).lower()
    if key not in classes:
        near = difflib.get_close_matches(key, classes, n=1)
        hint = f" Did you mean {classes[near[0]].__name__!r}?" if near else ""
        known = ", ".join(sorted(c.__name__ for c in classes.values()))
        raise ValueError(f"Unknown layer {name!r}.{hint} Layers: {known}")
    return classes[key](*args, **options)
