"""What the tasks share that write with an attention decoder."""

import keras

from tasks import scheduled_sampling
from tasks.data.pipeline import as_dataset
from tasks.data.vocabulary import RESERVED
from tasks.decoding.attention_search import AttentionSearch


class Writing:
    """Comes before `Task` among the classes of such a task.

    Attributes:
        parts: The task's layers, with `model`, `training_model` and `decoder`.
        model, training_model: See `tasks.task.Task`.
    """

    @classmethod
    def _complete(cls, options):
        options = super()._complete(options)
        if options["scheduled_sampling"] not in scheduled_sampling.KINDS:
            raise ValueError(
                f"`scheduled_sampling` must be one of {scheduled_sampling.KINDS}. "
                f"Received: {options['scheduled_sampling']!r}"
            )
        return options

    def _hold(self, parts, encode, end):
        """Takes the task's layers.

        Args:
            parts: See the class.
            encode: See `AttentionSearch`.
            end: Id of the token that ends a sequence.
        """
        self.parts = parts
        self.model, self.training_model = parts.model, parts.training_model
        self._run = AttentionSearch(
            encode, parts.decoder, self.model.variables, end=end, forbidden=RESERVED
        )

    def search(self, how, *inputs, **more):
        """A beam search on tensors, for graphs; see `AttentionSearch.search`."""
        return self._run.search(how, *inputs, **more)

    def _train(self, batches, data, *, epochs, callbacks, **run):
        """Trains on batches; see `Task._fit`."""
        if self.options["scheduled_sampling"] is not None:
            callbacks = [scheduled_sampling.SamplingRate(self, epochs), *callbacks]
        dataset = as_dataset(batches)
        return self._fit(
            batches, dataset, data, epochs=epochs, callbacks=callbacks, **run
        )


def some(examples):
    """The examples, of which there must be one.

    Raises:
        ValueError: If there are none.
    """
    if not examples:
        raise ValueError("`data` is empty: there are no examples.")
    return examples


def check_batch_size(batch_size):
    """Raises a `ValueError` for a batch without rows."""
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be positive. Received: {batch_size}")


def progress_bar(count, verbose):
    """A bar of so many batches, shown if `verbose`; `"auto"` shows 20 or more."""
    shown = count >= 20 if verbose == "auto" else bool(verbose)
    return keras.utils.Progbar(count, verbose=1 if shown else 0)
