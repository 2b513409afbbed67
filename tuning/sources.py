"""What trials are made from: a class and the training data, or a trained model."""

import contextlib
import importlib
import sys
from collections import Counter
from pathlib import Path

import zoo
from tasks.data.vocabulary import Vocabulary
from tasks.task import Task
from tuning.errors import SearchError, nearest
from tuning.space import nested
from tuning.spaces import known_names, space_of

# Arguments of `evaluate` that make scores cheaper and leave them what they are.
_EVALUATE = {"language_modeling": {"batch_size": 8}}


class FromData:
    """Makes untrained tasks that fit the training data.

    Args:
        cls: The task's class.
    """

    fine_tuning = False

    def __init__(self, cls):
        self.cls = cls

    def known(self):
        """Dict from everything that may be set to its default."""
        options, fit = known_names(self.cls)
        return {**options, **fit}

    def space(self):
        """The search space as plain data."""
        return space_of(self.cls)

    def make(self, train, values):
        """An untrained task.

        Args:
            train: Data as the class's `fit` takes them.
            values: Dict of options; names with dots stand for entries of dicts.
        """
        for name in ("for_data", "for_text"):
            if hasattr(self.cls, name):
                return getattr(self.cls, name)(train, **nested(values))
        return _tagger_for(self.cls, train, **nested(values))


class FromPreset:
    """Makes copies of a trained task, to train further.

    Args:
        folder: The preset's folder.
        task: The task, if it is loaded.
    """

    fine_tuning = True

    def __init__(self, folder, task=None):
        self.folder = Path(folder)
        task = zoo.load(self.folder) if task is None else task
        self.cls, self.options = type(task), dict(task.options)

    def known(self):
        """Dict from everything that may be set to its default."""
        return {**self.options, **known_names(self.cls)[1]}

    def space(self):
        """The search space as plain data: what leaves the weights' shapes alone."""
        return space_of(self.cls, fine_tuning=True)

    def make(self, train, values):
        """A copy of the trained task; `train` is not looked at."""
        found = nested(values)
        for name, value in found.items():
            if isinstance(value, dict) and isinstance(self.options.get(name), dict):
                found[name] = {**self.options[name], **value}
        return zoo.load(self.folder, **found)


def address_of(cls):
    """Where a class is, as text that `class_at` reads."""
    return f"{cls.__module__}:{cls.__qualname__}"


def class_at(address):
    """The class that `address_of` told of.

    Nothing is imported for it but the tasks of this package: a file must not decide
    what code runs.

    Raises:
        SearchError: If it is no task, or its module was not imported.
    """
    module, _, name = address.partition(":")
    if module.partition(".")[0] == "tasks":
        importlib.import_module(module)
    found = getattr(sys.modules.get(module), name, None)
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise SearchError(
            f"The search is about {address}: import that module before you join."
        )
    return found


def class_named(name):
    """The class of a task, by the task's name.

    Raises:
        SearchError: If there is none.
    """
    classes = task_classes()
    if name not in classes:
        raise SearchError(
            f"There is no task {name!r}.{nearest(name, classes)} "
            f"Tasks: {', '.join(sorted(classes))}"
        )
    return classes[name]


def task_classes():
    """Dict from the name of each task to its class."""
    import tasks

    found = (getattr(tasks, name) for name in tasks.__all__)
    return {
        thing.task: thing
        for thing in found
        if isinstance(thing, type) and issubclass(thing, Task) and thing.task
    }


def split(cls, values):
    """Parts the values of a trial into options of the class and arguments of `fit`."""
    _, fit = known_names(cls)
    arguments = {name: value for name, value in values.items() if name in fit}
    options = {name: value for name, value in values.items() if name not in fit}
    return options, arguments


def validation_for(task, validation, space):
    """The validation data as this task must read them.

    Forecasters with a longer context have fewer windows to be scored on: all trials
    are scored on those that the longest one has.
    """
    if task.task != "forecasting":
        return validation
    contexts = [p for p in space.parameters if p.name == "context_length"]
    if not contexts:
        return validation
    longest = max(contexts[0].ends())
    first = longest - task.options["context_length"]
    return task.read(validation).slice(first, None)


def score(task, validation, objective):
    """A task's score on the validation data."""
    if objective.name == "loss" and hasattr(task, "loss"):
        return float(task.loss(validation))
    found = task.evaluate(validation, **_EVALUATE.get(task.task, {}))
    if objective.name not in found:
        raise ValueError(
            f"`evaluate` gave no {objective.name!r}, only: {', '.join(found)}"
        )
    return float(found[objective.name])


def scope(strategy):
    """The scope of a strategy, or of none."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def _tagger_for(cls, train, labels=None, min_count=1, **options):
    """A tagger with the labels, words and characters of some data."""
    from tasks.data.ner import examples_from
    from tasks.data.words import normalize

    if cls.task != "ner":
        raise SearchError(
            f"{cls.__name__} has no `for_data`, which makes one that fits some data."
        )
    examples = examples_from(train)
    tokens = [token for sentence, _ in examples for token in sentence]
    found = {tag[2:] for _, tags in examples for tag in tags if tag != "O"}
    return cls(
        labels or sorted(found),
        Vocabulary.build(Counter(map(normalize, tokens)), min_count),
        Vocabulary.build(Counter("".join(tokens))),
        **options,
    )
