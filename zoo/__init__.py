"""Recurrent models, pretrained: `zoo.load("ner_lstm_crf.wnut17_en")`.

Names are resolved on first use, so `import zoo` is instant and starts neither Keras
nor TensorFlow.
"""

import importlib

# The one place of the version; what pip installed wins over a stale checkout.
VERSION = "0.1.0"

_HOME = {
    "load": "zoo.hub",
    "list_models": "zoo.hub",
    "card": "zoo.hub",
    "PresetError": "zoo.errors",
}
_MODULES = (
    "analysis",
    "hub",
    "initializers",
    "layers",
    "ops",
    "preset",
    "regularizers",
    "streams",
)

__all__ = ["PresetError", "card", "layers", "list_models", "load"]


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"zoo.{name}")
    if name == "__version__":
        return _version()
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_HOME, *_MODULES, "__version__"})


def _version():
    from importlib import metadata

    try:
        return metadata.version("recurrent-zoo")
    except metadata.PackageNotFoundError:
        return VERSION
