"""One trial: build, train, score, and write down what happened, whatever happens."""

import math
import os
import shutil
import time
import traceback

import keras

from tuning.records import MODEL, STATE, Record
from tuning.sources import scope, score, split, validation_for

# A process that dies so often in the same epoch of a trial would die again.
MOST_STARTS = 5
_ERROR_LENGTH = 300


class Progress(keras.callbacks.Callback):
    """Writes a trial's record after each epoch; stops it when time is up.

    Args:
        record: `Record`, kept up to date.
        write: Function that writes it.
        deadline: When to stop, as `time.time()` counts.
    """

    def __init__(self, record, write, deadline=math.inf):
        super().__init__()
        self.record, self.write, self.deadline = record, write, deadline

    def on_train_begin(self, logs=None):
        self._before, self._began = self.record.seconds, time.time()

    def on_train_batch_end(self, batch, logs=None):
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(float(loss)):
            raise FloatingPointError(
                f"the loss became {float(loss)} in batch {batch + 1} of epoch "
                f"{self.record.epochs + 1}"
            )

    def on_epoch_end(self, epoch, logs=None):
        record = self.record
        record.epochs, record.starts = epoch + 1, 1
        record.seconds = self._before + time.time() - self._began
        for name, value in (logs or {}).items():
            # An epoch that is done again after a kill replaces what it said before.
            values = record.curve.setdefault(name, [])
            del values[epoch:]
            values.append(float(value))
        self.write(record)
        if time.time() >= self.deadline:
            self.model.stop_training = True


class Runner:
    """Runs trials of a search, one after the other, in this process.

    Args:
        source: `tuning.sources.FromData` or `FromPreset`.
        space: `tuning.space.Space`.
        objective: `tuning.objectives.Objective`.
        train, validation: Data as the task's `fit` takes them.
        strategy: A `tf.distribute.Strategy`, or `None`.
        deadline: When to stop, as `time.time()` counts.
        worker: Name of this process, for the records.
    """

    def __init__(
        self,
        source,
        space,
        objective,
        train,
        validation,
        *,
        strategy=None,
        deadline=math.inf,
        worker="0",
    ):
        self.source, self.space, self.objective = source, space, objective
        self.train, self.validation = train, validation
        self.strategy, self.deadline, self.worker = strategy, deadline, worker

    def run(self, records, name, values, seed):
        """Runs a trial unless it was done; goes on where it was killed.

        Args:
            records: `tuning.records.Records`, where it is written.
            name: Name of the trial.
            values: Dict of everything that is set.
            seed: Decides its chance.

        Returns:
            `Record`, done or failed. Only what is no `Exception` is raised.
        """
        record = records.read(name) or Record(name, values=values, seed=seed)
        if record.status != "running":
            return record
        record.starts += 1
        record.worker = self.worker
        records.write(record)
        try:
            if record.starts > MOST_STARTS:
                raise RuntimeError(
                    f"the process died {MOST_STARTS} times in epoch "
                    f"{record.epochs + 1}; out of memory?"
                )
            self._try(record, records)
        except KeyboardInterrupt:
            record.starts -= 1
            records.write(record)
            raise
        except Exception as error:
            record.status, record.error = "failed", _one_line(error)
            record.trace = traceback.format_exc()
        records.write(record)
        for leftover in [STATE, *([] if record.status == "done" else [MODEL])]:
            shutil.rmtree(records.place(name) / leftover, ignore_errors=True)
        # Each trial traces functions of its own; without this they pile up.
        keras.backend.clear_session()
        return record

    def _try(self, record, records):
        place, began = records.place(record.name), time.time()
        before = record.seconds
        options, arguments = split(self.source.cls, record.values)
        keras.utils.set_random_seed(record.seed)
        with scope(self.strategy):
            task = self.source.make(self.train, options)
            record.parameters = int(task.model.count_params())
            held = validation_for(task, self.validation, self.space)
            task.fit(
                self.train,
                held,
                **arguments,
                seed=record.seed,
                verbose=0,
                resume_dir=place / STATE,
                callbacks=[Progress(record, records.write, self.deadline)],
            )
            found = score(task, held, self.objective)
        if not math.isfinite(found):
            raise FloatingPointError(f"{self.objective.name} is {found}")
        _save(task, place / MODEL)
        record.seconds = before + time.time() - began
        record.score, record.status = found, "done"


def _save(task, folder):
    """Saves a task so that a kill leaves no half of it under its name."""
    for old in folder.parent.glob(f"{folder.name}.*.partial"):
        shutil.rmtree(old, ignore_errors=True)
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    task.save(partial)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)


def _one_line(error):
    text = " ".join(str(error).split()) or "no message"
    if len(text) > _ERROR_LENGTH:
        text = f"{text[:_ERROR_LENGTH]}..."
    return f"{type(error).__name__}: {text}"
