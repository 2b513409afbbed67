"""What a search is about: settled and checked before its first trial."""

import json
import os
from dataclasses import dataclass

import zoo
from tasks.task import Task
from tuning.errors import SearchError, nearest
from tuning.fingerprint import fingerprint
from tuning.objectives import Objective, objective_of
from tuning.sources import (
    FromData,
    FromPreset,
    address_of,
    class_at,
    class_named,
    task_classes,
)
from tuning.space import Space

EPOCHS = "epochs"


@dataclass(frozen=True)
class Plan:
    """What a search is about, settled before its first trial.

    Attributes:
        identity: Dict of plain values that a call must share to go on with it.
        space: `tuning.space.Space`.
        objective: `tuning.objectives.Objective`.
    """

    identity: dict
    space: Space
    objective: Objective

    @classmethod
    def from_identity(cls, identity):
        """Makes the plan of a search that is on disk."""
        return cls(
            identity,
            Space.build(identity["space"], known={}),
            Objective(**identity["objective"]),
        )


def make_plan(task, train, validation, algorithm, objective, overrides, strategy, seed):
    """Settles space and objective.

    Args:
        task: A task's class, or a trained task.
        **others: See `search`.

    Raises:
        SearchError: If they make no sense.
    """
    trained = isinstance(task, Task)
    source = _Loaded(task) if trained else FromData(task)
    space = Space.build(source.space(), overrides, source.known())
    if is_tpu(strategy):
        space = space.for_tpu()
    if algorithm == "hyperband" and EPOCHS not in space.fixed:
        if any(p.name == EPOCHS for p in space.parameters):
            raise SearchError(
                "Hyperband decides on epochs itself: fix the most that a trial may "
                "have, such as overrides={'epochs': 27}."
            )
    identity = {
        "task": task.task,
        "source": fingerprint(task.model.get_weights()) if trained else None,
        "class": address_of(type(task) if trained else task),
        "objective": vars(objective_of(task, objective)),
        "algorithm": algorithm,
        "seed": seed,
        "space": space.plain(),
        "train": fingerprint(train),
        "validation": fingerprint(validation),
    }
    # As it will be read from the disk again.
    identity = json.loads(json.dumps(identity))
    return Plan(identity, space, Objective(**identity["objective"]))


class _Loaded(FromPreset):
    """A trained task that is on no disk yet."""

    def __init__(self, task):
        self.cls, self.options = type(task), dict(task.options)


def task_or_class(task):
    """The class or the trained task that a user means.

    Raises:
        SearchError: If there is none.
    """
    if isinstance(task, Task) or (isinstance(task, type) and issubclass(task, Task)):
        return task
    if not isinstance(task, str | os.PathLike):
        raise SearchError(
            "`task` must be the name of a task, its class, or a trained model. "
            f"Received: {task!r:.80}"
        )
    if task in task_classes():
        return class_named(task)
    if os.path.isdir(task) or task in zoo.list_models():
        return zoo.load(task)
    names = sorted(task_classes())
    raise SearchError(
        f"There is no task, model or folder {str(task)!r}.{nearest(str(task), names)} "
        f"Tasks: {', '.join(names)}; `zoo list` has the models."
    )


def is_tpu(strategy):
    """Whether a strategy runs on TPUs."""
    kind = getattr(strategy, "kind", type(strategy).__name__)
    return strategy is not None and "TPU" in kind.upper()


def source_in(folder, plan, task=None):
    """What the trials of a search on disk are made from.

    Args:
        folder: `tuning.folder.SearchFolder`.
        plan: `Plan`.
        task: The trained task, if there is one and it is at hand.
    """
    if plan.identity["source"] is None:
        return FromData(class_at(plan.identity["class"]))
    if isinstance(task, Task):
        folder.keep_start(task)
    return FromPreset(folder.start)
