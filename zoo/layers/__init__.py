"""Recurrent layers, and what belongs beside them."""

import re

from zoo.layers.bidirectional import Bidirectional
from zoo.layers.crf import CRF
from zoo.layers.recurrent import Recurrent
from zoo.layers.stack import Stack
from zoo.layers.zoneout_lstm import ZoneoutLSTM

__all__ = ["CRF", "Bidirectional", "Recurrent", "Stack", "ZoneoutLSTM", "get"]


def get(name, *args, **options):
    """Makes a layer from its name, for options and searches.

    Args:
        name: Class name, in any case: `"zoneout_lstm"` or `"ZoneoutLSTM"`.
        *args, **options: The layer's own.

    Raises:
        ValueError: If there is no such layer; the message lists those there are.
    """
    classes = {
        n.lower(): globals()[n] for n in __all__ if n not in ("Recurrent", "get")
    }
    key = re.sub("_", "", str(name)).lower()
    if key not in classes:
        known = ", ".join(c.__name__ for c in classes.values())
        raise ValueError(f"Unknown layer {name!r}. Layers: {known}")
    return classes[key](*args, **options)
