"""Training that begins in the middle of an epoch, as one run to its callbacks."""

import contextlib

import keras


def fit_from(model, dataset, epoch, step, steps, *, epochs, verbose, callbacks):
    """Fits a compiled model from a step of an epoch on.

    Args:
        model: `keras.Model`.
        dataset: `tf.data.Dataset` or `keras.utils.PyDataset`.
        epoch, step: Where to begin, both from 0.
        steps: Number of steps of an epoch.
        epochs: Number of epochs of the whole run.
        verbose: Keras' verbosity.
        callbacks: List of Keras callbacks. They see one run, and steps by their place
            in the epoch.

    Returns:
        `keras.callbacks.History`.
    """
    how = {"shuffle": False, "verbose": verbose}
    if not step:
        return model.fit(
            dataset, epochs=epochs, initial_epoch=epoch, callbacks=callbacks, **how
        )
    shown = {"add_progbar": verbose != 0, "verbose": verbose}
    one = _OneRun(
        callbacks, add_history=True, epochs=epochs, steps=steps, model=model, **shown
    )
    one.late = step
    rest = _rest(dataset, step)
    with _unfinished(model.optimizer):
        model.fit(rest, epochs=epoch + 1, initial_epoch=epoch, callbacks=one, **how)
    one.late = 0
    if epoch + 1 < epochs and not model.stop_training:
        model.fit(dataset, epochs=epochs, initial_epoch=epoch + 1, callbacks=one, **how)
    else:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    one.finish()
    return model.history


class _OneRun(keras.callbacks.CallbackList):
    """Callbacks of two calls of `fit` that are one run.

    Attributes:
        late: Steps of the present epoch that were done before.
    """

    late, begun, logs = 0, False, None

    def on_train_begin(self, logs=None):
        if not self.begun:
            self.begun = True
            super().on_train_begin(logs)

    def on_train_batch_begin(self, batch, logs=None):
        super().on_train_batch_begin(batch + self.late, logs)

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch + self.late, logs)

    def on_train_end(self, logs=None):
        self.logs = logs

    def finish(self):
        """The end of the run."""
        super().on_train_end(self.logs)


@contextlib.contextmanager
def _unfinished(optimizer):
    """Within it, the end of `fit` does not put averages in the place of weights."""
    optimizer.finalize_variable_values = lambda variables: None
    try:
        yield
    finally:
        del optimizer.finalize_variable_values


def _rest(dataset, step):
    if isinstance(dataset, keras.utils.PyDataset):
        return _Rest(dataset, step)
    return dataset.skip(step)


class _Rest(keras.utils.PyDataset):
    """Batches of a `PyDataset` from a place on."""

    def __init__(self, dataset, step):
        super().__init__()
        self.dataset, self.step = dataset, step

    def __len__(self):
        return len(self.dataset) - self.step

    def __getitem__(self, index):
        return self.dataset[index + self.step]
