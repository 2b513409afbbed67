"""Runs that survive a kill, and end as if it had not been."""

import contextlib

import keras

from tasks import checkpoints
from tasks.callback_states import check_states, states_of, take_up_states
from tasks.distributed_values import read, replicas_agree, write
from tasks.errors import RunError
from tasks.gradient_norm import is_noted_norm
from tasks.interruption import Interruption


class Resume(keras.callbacks.Callback):
    """Saves the whole state of a run from time to time, and picks it up again.

    The state is that of the model's variables (random generators are among them), of
    the optimizer, of the metrics, of `BestWeights` and of other callbacks that offer
    it, of the logs, and of the position in the data. A file is written beside, then
    moved into place, and carries its checksum: a kill at any moment, or a damaged file,
    costs what came after the state before. The last two files are kept.

    Where several workers train, the first of them writes, and all of them read.

    Args:
        folder: Where to keep them; made if missing.
        settings: Dict of plain values that a run which goes on must share.
        best: The run's `BestWeights`, if it has one.
        callbacks: Other callbacks whose states to keep: those with `get_state` and
            `set_state`, which give and take plain values or a pair of them and a list
            of arrays; and Keras' `EarlyStopping` and `ReduceLROnPlateau`.
        save_every: Steps after which to save within an epoch; `None` only at its end.
        writes: Whether this process writes files.
        alone: Whether no other process trains along, so that this one may end when a
            signal comes.

    Attributes:
        stopped: Whether the restored run had come to its end early.
        step: Steps that the restored run had done of its last epoch.

    Example: `resume = Resume(folder)`, then
    `model.fit(..., initial_epoch=resume.restore(model), callbacks=[resume])`, with
    `resume` as the last callback, so that it sees the logs of all others.
    """

    def __init__(
        self,
        folder,
        settings=None,
        best=None,
        callbacks=(),
        save_every=None,
        writes=True,
        alone=True,
    ):
        super().__init__()
        whole = isinstance(save_every, int) and not isinstance(save_every, bool)
        if save_every is not None and (not whole or save_every < 1):
            raise ValueError(
                "`save_every` must be a positive number of steps, or `None` for once "
                f"an epoch. Received: {save_every!r}"
            )
        self.folder, self.settings = folder, dict(settings or {})
        self.best, self.callbacks = best, list(callbacks)
        self.save_every, self.writes = save_every, writes
        self.stopped, self.step, self._logs = False, 0, []
        self._epoch, self._saved, self._metrics, self._states = 0, 0, None, None
        self._alone, self._interruption = alone, Interruption()

    @contextlib.contextmanager
    def running(self):
        """A context for the whole run: its folder is no other run's meanwhile.

        Ctrl-C and SIGTERM wait in it for the end of a step, save the state, and end
        the process then.

        Raises:
            RunError: If another run has the folder.
            OSError: If states cannot be saved there.
        """
        with contextlib.ExitStack() as stack:
            if self.writes:
                stack.enter_context(checkpoints.claimed(self.folder))
            if self._alone:
                stack.enter_context(self._interruption)
            yield

    # === Back from a file ===

    def restore(self, model):
        """Loads the newest sound state into a compiled model; returns its epoch.

        Returns 0 where there is none yet. `step` says where in that epoch it was.

        Raises:
            OSError: If states cannot be saved in the folder.
            RunError: If a state is there but belongs to another model or run, or all
                states are damaged.
        """
        model.optimizer.build(model.trainable_variables)
        epoch, paths = 0, checkpoints.paths_in(self.folder)
        for path in paths:
            state = checkpoints.read(path)
            if state is not None:
                epoch = self._take_up(model, path, *state)
                break
            print(f"{path} is damaged; falling back to the state before it.")
        else:
            if paths:
                raise RunError(
                    f"No state in {self.folder} is sound. Remove the folder to start "
                    "the run anew."
                )
        if not replicas_agree(model, [epoch, self.step]):
            raise RunError(
                f"The workers do not find the same state in {self.folder}: it must be "
                "one folder that all of them see."
            )
        if self.writes:
            checkpoints.check_writable(self.folder)
        return epoch

    def _take_up(self, model, path, head, arrays):
        self._check_settings(path, head["settings"])
        advice = "Give this run a folder of its own, or remove that one."
        variables, arrays = _variables(model), iter(arrays)
        stored = [next(arrays) for _ in range(head["variables"])]
        values = [read(v) for v in variables]
        if [v.shape for v in values] != [a.shape for a in stored]:
            raise RunError(f"{path} belongs to a model of another size. {advice}")
        states = head.get("callbacks", [])
        check_states(self.callbacks, states)
        _tell_versions(path, head.get("versions", {}))
        for variable, array in zip(variables, stored, strict=True):
            write(variable, array)
        self._metrics = [next(arrays) for _ in range(head.get("metrics", 0))] or None
        self._states = [
            (name, value, [next(arrays) for _ in range(count)])
            for name, value, count in states
        ]
        if self.best is not None:
            self.best.set_state(head["best"], list(arrays))
        self.stopped, self._logs = head["stopped"], head["logs"]
        self.step = head.get("step", 0)
        return head["epoch"]

    def _check_settings(self, path, before):
        for name in {**before, **self.settings}:
            if before.get(name) != self.settings.get(name):
                raise RunError(
                    f"{path} belongs to another run: `{name}` was "
                    f"{before.get(name)!r}, now it is {self.settings.get(name)!r}. "
                    "Give this run a folder of its own, or remove that one."
                )

    # === In the run ===

    def on_train_begin(self, logs=None):
        # Here, as callbacks forget when training begins.
        if self._states is not None:
            take_up_states(self.callbacks, self._states)
            self._states = None

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._saved = epoch, self.step
        if self._metrics is not None:
            # Here, as Keras empties them before each epoch.
            metrics = self.model.metrics_variables
            for variable, array in zip(metrics, self._metrics, strict=True):
                write(variable, array)
        self._metrics = None

    def on_train_batch_end(self, batch, logs=None):
        late = self._interruption.came is not None
        due = self.save_every and batch + 1 - self._saved >= self.save_every
        if (due or late) and batch + 1 < self.params["steps"]:
            self._saved = batch + 1
            self._save(self._epoch, batch + 1)
            self._end_if_asked()

    def on_epoch_end(self, epoch, logs=None):
        self.step = 0
        self._logs.append({name: float(x) for name, x in (logs or {}).items()})
        self._save(epoch + 1, 0)
        self._end_if_asked()

    def _end_if_asked(self):
        if self._interruption.came is not None:
            self._interruption.end(checkpoints.paths_in(self.folder)[0])

    def _save(self, epoch, step):
        model = self.model
        arrays = [read(v) for v in _variables(model)]
        head = {
            "epoch": epoch,
            "step": step,
            "settings": self.settings,
            "versions": _versions(),
            "variables": len(arrays),
            "stopped": bool(model.stop_training),
            "logs": self._logs,
        }
        if step:
            metrics = [read(v) for v in model.metrics_variables]
            head["metrics"] = len(metrics)
            arrays += metrics
        states = states_of(self.callbacks)
        head["callbacks"] = [(name, value, len(own)) for name, value, own in states]
        arrays += [array for _, _, own in states for array in own]
        if self.best is not None:
            head["best"], weights = self.best.get_state()
            arrays += weights
        if self.writes:
            checkpoints.write(
                self.folder, checkpoints.name_of(epoch, step), head, arrays
            )

    def on_train_end(self, logs=None):
        # The history is that of the whole run, epochs before the restart too.
        names = dict.fromkeys(name for row in self._logs for name in row)
        self.model.history.epoch = list(range(len(self._logs)))
        self.model.history.history = {
            name: [row[name] for row in self._logs if name in row] for name in names
        }


def _variables(model):
    # `model.variables` includes the states of random generators, weights do not.
    own = [v for v in model.optimizer.variables if not is_noted_norm(v)]
    return [*model.variables, *own]


def _versions():
    return {"keras": keras.__version__, "backend": keras.backend.backend()}


def _tell_versions(path, before):
    """Says that a run goes on, but maybe with other roundings, under another Keras."""
    for name, now in _versions().items():
        was = before.get(name, now)
        if was.split(".")[:2] != now.split(".")[:2]:
            print(
                f"{path} was saved with {name} {was}, now it is {now}: the run goes "
                "on, but may not end with the weights that it would have had."
            )
