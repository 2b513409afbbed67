"""Tasks of any size that have learned nothing: what is compiled needs no more."""

import difflib
import importlib

from tasks.data.vocabulary import Vocabulary

_CLASSES = {
    "captioning": "Captioner",
    "forecasting": "Forecaster",
    "language_modeling": "LanguageModel",
    "ner": "NamedEntityTagger",
    "speech_recognition": "SpeechRecognizer",
    "text_classification": "TextClassifier",
    "translation": "Translator",
}
NAMES = tuple(_CLASSES)
WORDS, CHARACTERS = 8000, 100


def untrained(name, options):
    """Makes a task of made-up words.

    Args:
        name: One of `NAMES`.
        options: Dict of options of its class; beside these `"vocabulary"`, the number
            of words or pieces it knows.

    Returns:
        `tasks.task.Task`.

    Raises:
        ValueError: If there is no such task or option.
    """
    if name not in _CLASSES:
        near = difflib.get_close_matches(name, NAMES, 1)
        meant = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no task {name!r}.{meant} Tasks: {', '.join(NAMES)}")
    options = dict(options)
    size = options.pop("vocabulary", WORDS)
    if name == "language_modeling":
        options.setdefault("level", "subword")
    parts = _parts(name, size, options)
    made = getattr(importlib.import_module(f"tasks.{name}"), _CLASSES[name])
    return made(**{**parts, **options})


def _parts(name, size, options):
    if name == "forecasting":
        return {"horizon": 24, "context_length": 168, "segment_length": 24}
    if name == "captioning":
        return {"vocabulary": Vocabulary(["\n", *_words(size - 3)])}
    if name == "speech_recognition":
        return {"vocabulary": Vocabulary([" ", *map(chr, range(97, 123))])}
    if name == "translation":
        return {"tokenizer": Tokens(size, "subword")}
    if name == "language_modeling":
        return {"tokenizer": Tokens(size, options["level"])}
    return {
        "labels": ["person", "place", "thing", "other"],
        "words": Vocabulary(_words(size - 2)),
        "characters": Vocabulary(map(chr, range(33, 33 + CHARACTERS))),
    }


def _words(count):
    return [f"w{number}" for number in range(count)]


class Tokens:
    """Stands for a tokenizer: it knows so many tokens, and reads none.

    Args:
        size: Number of ids.
        level: See `tasks.data.tokenizers`.
    """

    end_of_line = 2

    def __init__(self, size, level):
        self.size, self.level = size, level

    def __len__(self):
        return self.size
