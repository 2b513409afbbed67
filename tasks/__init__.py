"""What models are for: from raw text to results that a person reads.

Names are resolved on first use, so `import tasks` starts neither Keras nor TensorFlow.
"""

import importlib

_HOME = {
    "Caption": "tasks.captions",
    "Captioner": "tasks.captioning",
    "Classification": "tasks.classifications",
    "Entities": "tasks.results",
    "Entity": "tasks.results",
    "Forecast": "tasks.forecast.result",
    "Forecaster": "tasks.forecasting",
    "Generation": "tasks.decoding.generation",
    "Heard": "tasks.transcripts",
    "LanguageModel": "tasks.language_modeling",
    "NamedEntityTagger": "tasks.ner",
    "SeriesSet": "tasks.data.series",
    "SpeechRecognizer": "tasks.speech_recognition",
    "Surprise": "tasks.surprise",
    "TextClassifier": "tasks.text_classification",
    "Transcript": "tasks.transcripts",
    "Translation": "tasks.translations",
    "Translator": "tasks.translation",
    "own_files": "tasks.strategies",
    "read_conll": "tasks.data.conll",
    "strategy": "tasks.strategies",
    "write_conll": "tasks.data.conll",
}

__all__ = sorted(_HOME)


def __getattr__(name):
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'tasks' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_HOME})
