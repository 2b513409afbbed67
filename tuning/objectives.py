"""What a search is after, and whether more or less of it is better."""

from dataclasses import dataclass

from tuning.errors import SearchError, nearest

# Scores of each task's `evaluate` with their direction; the first is the default.
OBJECTIVES = {
    "ner": {"f1": "max", "precision": "max", "recall": "max", "surface_f1": "max"},
    "text_classification": {
        "accuracy": "max",
        "f1": "max",
        "loss": "min",
        "calibration_error": "min",
    },
    "language_modeling": {
        "loss": "min",
        "perplexity": "min",
        "bits_per_character": "min",
        "accuracy": "max",
    },
    "translation": {"loss": "min", "bleu": "max", "chrf": "max"},
    "captioning": {
        "bleu_4": "max",
        "bleu_3": "max",
        "bleu_2": "max",
        "bleu_1": "max",
        "cider_d": "max",
        "loss": "min",
    },
    "speech_recognition": {"wer": "min", "cer": "min"},
    "forecasting": {
        "skill": "max",
        "mse": "min",
        "mae": "min",
        "smape": "min",
        "mase": "min",
        "wql": "min",
    },
}


@dataclass(frozen=True)
class Objective:
    """A score of validation data.

    Attributes:
        name: What `evaluate` calls it.
        direction: `"max"` or `"min"`.
    """

    name: str
    direction: str

    @property
    def sign(self):
        """1 where more is better, else -1."""
        return 1 if self.direction == "max" else -1

    def better(self, a, b):
        """Whether score `a` is better than `b`."""
        return self.sign * a > self.sign * b


def objective_of(task, name=None):
    """Finds an objective of a task.

    Args:
        task: A task or its class. Labels of a tagger have scores of their own,
            `"f1_<label>"`; which there are, only the data can tell.
        name: A score that `evaluate` returns, with or without `"val_"` before it;
            `None` for the usual one.

    Raises:
        SearchError: If the task has no such score.
    """
    known = getattr(task, "objectives", None) or OBJECTIVES.get(task.task, {})
    known = dict(known)
    if not known:
        raise SearchError(
            f"No scores of the task {task.task!r} are known: give its class an "
            "attribute `objectives`, a dict such as {'accuracy': 'max'}."
        )
    if name is None:
        name = next(iter(known))
    plain = str(name).removeprefix("val_")
    if task.task == "ner" and plain.startswith("f1_"):
        return Objective(plain, "max")
    if plain not in known:
        raise SearchError(
            f"Unknown objective {name!r}.{nearest(plain, known)} "
            f"Objectives: {', '.join(known)}"
        )
    return Objective(plain, known[plain])
