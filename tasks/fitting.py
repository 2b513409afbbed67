"""One run of training: what it is compiled with, where it runs, and how it goes on."""

import contextlib
from zlib import crc32

import keras

from tasks import forks
from tasks.answering import one_device
from tasks.averaging import swap_moving_average
from tasks.continued import fit_from
from tasks.data.batches import FollowEpochs
from tasks.distributed_values import of_all_workers
from tasks.fine_tuning import adam_for
from tasks.gradient_norm import watch_gradients
from tasks.losses import row_loss
from tasks.profiling import Profile
from tasks.replicas import SHARDS, Replicas
from tasks.resume import Resume
from tasks.schedules import rate_of
from tasks.training import reseed
from tasks.watching import GradientNorms, StopAtNaN, Throughput
from zoo.lazy import tf


class Fitting:
    """Trains a model of rows' losses; see `tasks.task.Task` for what can be chosen.

    Args:
        model: The task's `training_model`.
        strategy: `tasks.strategies.Strategy` in whose scope it was made, or `None`.
        batches: `keras.utils.PyDataset` with an attribute `epoch`.
        dataset: The same as `fit` takes it.
        epochs, seed, accumulate, shard: See `tasks.task.Task`.

    Raises:
        ValueError: If an option is out of range, or the batches do not go with the
            devices.
    """

    def __init__(
        self, model, strategy, batches, dataset, epochs, seed, accumulate, shard
    ):
        forks.check()
        for name, value in (("accumulate", accumulate), ("epochs", epochs)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` must be positive. Received: {value!r}")
        if shard not in SHARDS:
            raise ValueError(f"`shard` must be one of {SHARDS}. Received: {shard!r}")
        self.strategy, self.batches, self.dataset = strategy, batches, dataset
        self.epochs, self.seed, self.accumulate = epochs, seed, accumulate
        self.replicas = 1 if strategy is None else strategy.replicas
        self.workers = 1 if strategy is None else strategy.workers
        self.steps, self.shard = len(batches), shard
        on_tensorflow = keras.backend.backend() == "tensorflow"
        self.spread = on_tensorflow and (self.replicas > 1 or self.workers > 1)
        if self.replicas > 1:
            self._check_rows(len(batches[0][1]), even=not on_tensorflow)
        if shard == "off" and self.workers > 1:
            # All workers must end an epoch at the same time.
            self.steps = min(of_all_workers(strategy.distribute, self.steps))
            self.dataset = dataset.take(self.steps)
        self.ours = self.spread or (on_tensorflow and accumulate > 1)
        self.model = self._trained = model
        if self.ours:
            self.model = Replicas(
                model,
                strategy=strategy if self.spread else None,
                accumulate=accumulate,
                shard=shard,
            )
        elif on_tensorflow:
            # One device needs no strategy while it trains: XLA may compile all of it.
            model._distribute_strategy = None
        with self._place():
            reseed(model, seed)

    def _check_rows(self, rows, even):
        parts = self.replicas // self.workers if self.shard == "off" else self.replicas
        if rows < parts or (even and rows % parts):
            what = "a multiple of" if even else "at least"
            raise ValueError(
                f"A batch is shared by {parts} devices, so `batch_size` must be {what} "
                f"{parts}. Received batches of {rows} rows."
            )

    @contextlib.contextmanager
    def _place(self):
        """Where the run is: in the layout of JAX, or on TensorFlow's one device."""
        if self.strategy is None or self.spread or not self.strategy.devices:
            yield
        elif keras.backend.backend() == "tensorflow":
            with one_device(), tf.device(self.strategy.devices[0]):
                yield
        else:
            with self.strategy.scope():
                yield

    def compile(
        self,
        optimizer,
        jit_compile,
        steps_per_execution,
        learning_rate,
        schedule="cosine",
        best=None,
        watch=False,
        **adam,
    ):
        """Compiles the model; returns callbacks that its optimizer needs.

        With `watch` the norm of the gradients is in the logs.
        """
        more, scope = [], contextlib.nullcontext()
        if self.spread:
            scope = self.strategy.scope()
        with self._place(), scope:
            if optimizer is None:
                # Keras' own accumulation counts batches, ours counts updates.
                updates = self.epochs * self.steps
                updates = updates // self.accumulate if self.ours else updates
                rate, watching = rate_of(schedule, learning_rate, max(1, updates), best)
                optimizer, more = adam_for(self._trained, rate, **adam)
                more = [*watching, *more]
                if best is not None and adam.get("ema") is not None:
                    best.swap = swap_moving_average
            elif adam.get("ema") is not None:
                raise ValueError(
                    "`ema` is for Adam as `fit` makes it: give the optimizer of your "
                    "own `use_ema=True`."
                )
            elif self.strategy is not None and keras.backend.backend() == "jax":
                # Its numbers must lie on all devices: made anew, within their layout.
                optimizer = type(optimizer).from_config(optimizer.get_config())
            if self.accumulate > 1 and not self.ours:
                optimizer.gradient_accumulation_steps = self.accumulate
            self.model.compile(
                optimizer,
                row_loss,
                jit_compile=jit_compile,
                steps_per_execution=steps_per_execution,
            )
            if watch:
                norm = watch_gradients(self.model.optimizer)
                more = [GradientNorms(norm), *more]
        if keras.backend.backend() == "tensorflow":
            _count_words_once(self.model.optimizer)
        return more

    def resume(self, folder, settings, best, callbacks, save_every):
        """The callback that saves this run."""
        if self.shard == "off" and self.workers > 1:
            every = of_all_workers(self.strategy.distribute, settings["data"])
            settings = {**settings, "data": crc32(repr(every).encode())}
        if self.accumulate > 1:
            settings = {**settings, "accumulate": self.accumulate}
        return Resume(
            folder,
            {**settings, "epochs": self.epochs, "seed": self.seed, "steps": self.steps},
            best,
            callbacks,
            save_every,
            writes=self.strategy is None or self.strategy.chief,
            alone=self.workers == 1,
        )

    def run(self, callbacks, resume, verbose):
        """Trains, from where the run was; returns Keras' history."""
        first = [FollowEpochs(self.batches), StopAtNaN()]
        first.append(Throughput(self.batches, len(self.batches[0][1])))
        callbacks, epoch, step = [*first, *callbacks], 0, 0
        with (
            contextlib.ExitStack() as ends,
            self._place(),
            resume.running() if resume else contextlib.nullcontext(),
        ):
            # Keras tells callbacks nothing of a run that fails.
            for callback in callbacks:
                if isinstance(callback, Profile):
                    ends.callback(callback.stop)
            if resume is not None:
                epoch = resume.restore(self.model)
                epoch, step = (
                    (self.epochs, 0) if resume.stopped else (epoch, resume.step)
                )
                callbacks.append(resume)
            return fit_from(
                self.model,
                self.dataset,
                epoch,
                step,
                self.steps,
                epochs=self.epochs,
                verbose=verbose,
                callbacks=callbacks,
            )


def _count_words_once(optimizer):
    """Lets the norm that clips gradients be that of their sums.

    TensorFlow leaves an embedding's gradient as a row for each token, and Keras counts
    the rows of one word apart: the norm would be another than on JAX, or on several
    devices. Nor does it multiply gradients of 16 bits with a norm of 32.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    clip = inner._clip_gradients

    def clip_whole(gradients):
        there = [tf.convert_to_tensor(g) for g in gradients if g is not None]
        clipped = iter(clip([tf.cast(g, "float32") for g in there]))
        return [g if g is None else tf.cast(next(clipped), g.dtype) for g in gradients]

    inner._clip_gradients = clip_whole
