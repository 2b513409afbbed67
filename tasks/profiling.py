"""Where the time of some steps of training goes, for TensorBoard's page Profile."""

from numbers import Integral
from pathlib import Path

import keras

from zoo.lazy import jax, tf


class Profile(keras.callbacks.Callback):
    """Writes a profile of some steps; needs no package of TensorBoard's.

    Args:
        folder: Where; the profile lies in `plugins/profile` in there.
        steps: `(first, last)`, counted from 1 as `fit` begins; where several run in one
            execution, executions.

    Raises:
        ValueError: If the steps are none, or the backend has no profiler.
    """

    def __init__(self, folder, steps):
        super().__init__()
        backend = keras.backend.backend()
        if backend not in ("tensorflow", "jax"):
            raise ValueError(
                f"`profile` is for the backends tensorflow and jax. This is {backend}."
            )
        if not _are_steps(steps):
            raise ValueError(
                "`profile` must be (first, last), numbers of steps from 1 up. "
                f"Received: {steps!r}"
            )
        self._folder, (self._first, self._last) = Path(folder), steps
        self._count, self._running = 0, False

    def on_train_batch_begin(self, batch, logs=None):
        self._count += 1
        if self._count == self._first:
            self._folder.mkdir(parents=True, exist_ok=True)
            _start(str(self._folder))
            self._running = True

    def on_train_batch_end(self, batch, logs=None):
        if self._count == self._last:
            self.stop()

    def on_train_end(self, logs=None):
        self.stop()

    def stop(self):
        """Ends the profile if it runs: only one may run in a process."""
        if self._running:
            self._running = False
            _stop()


def _are_steps(steps):
    if not isinstance(steps, tuple | list) or len(steps) != 2:
        return False
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) for n in steps)
    return whole and 1 <= steps[0] <= steps[1]


def _start(folder):
    if keras.backend.backend() == "jax":
        jax.profiler.start_trace(folder)
    else:
        tf.profiler.experimental.start(folder)


def _stop():
    if keras.backend.backend() == "jax":
        jax.profiler.stop_trace()
    else:
        tf.profiler.experimental.stop()
