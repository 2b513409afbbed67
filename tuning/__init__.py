"""The search for better models: `tuning.search("ner", train, dev, trials=30)`.

Names are resolved on first use, so `import tuning` starts neither Keras nor the tuner.
"""

import importlib

_HOME = {
    "SearchError": "tuning.errors",
    "SearchResult": "tuning.result",
    "join": "tuning.joining",
    "search": "tuning.searching",
    "space_of": "tuning.spaces",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'tuning' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_HOME})
