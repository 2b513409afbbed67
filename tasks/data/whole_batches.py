"""Full batches alone: a TPU takes as long for rows that hold nothing."""

import keras

from tasks.strategies import on_tpu


class WholeBatches(keras.utils.PyDataset):
    """Batches without those that are filled up with empty rows.

    Of each length, fewer rows than a batch has are left out of an epoch; which ones is
    drawn anew in every epoch, so all are read in the end. Batches keep their shapes.

    Args:
        batches: `keras.utils.PyDataset` with `batch_size`, an attribute `epoch`, and
            `order()`, the rows of each batch.

    Raises:
        ValueError: If no batch is full.
    """

    def __init__(self, batches, **kwargs):
        super().__init__(**kwargs)
        self.batches = batches
        self._length, self._planned = 0, (None, None)
        if not self._whole():
            most = max(map(len, batches.order()), default=0)
            raise ValueError(
                f"`drop_remainder` leaves nothing: of no length there are "
                f"{batches.batch_size} rows, {most} at most. Make `batch_size` "
                "smaller, or keep what is not full with drop_remainder=False."
            )
        self._length = len(self._whole())

    @property
    def batch_size(self):
        """Rows of every batch."""
        return self.batches.batch_size

    @property
    def epoch(self):
        """Which epoch's order it is."""
        return self.batches.epoch

    @epoch.setter
    def epoch(self, epoch):
        self.batches.epoch = epoch

    def _whole(self):
        """Numbers of the batches that are full, in the order of this epoch."""
        epoch, planned = self.epoch, self._planned
        if planned[0] == epoch:
            return planned[1]
        rows = self.batch_size
        whole = [n for n, own in enumerate(self.batches.order()) if len(own) == rows]
        if not whole and self._length:
            whole = list(range(len(self.batches)))
        self._planned = (epoch, whole)
        return whole

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        whole = self._whole()
        # A curriculum has another number of full batches in each epoch.
        return self.batches[whole[index % len(whole)]]

    def on_epoch_end(self):
        """Moves on to the order of the next epoch."""
        self.batches.on_epoch_end()


def whole_alone(drop_remainder, batches, strategy):
    """Whether batches that are not full are to be left out.

    Args:
        drop_remainder: `True`, `False`, or `"auto"`: on a TPU.
        batches: Those that are not dealt out by `order()` are full anyway.
        strategy: `tasks.strategies.Strategy`, or `None`.

    Raises:
        ValueError: If `drop_remainder` is none of these.
    """
    if drop_remainder not in (True, False, "auto"):
        raise ValueError(
            "`drop_remainder` must be True, False or 'auto'. Received: "
            f"{drop_remainder!r}"
        )
    if drop_remainder == "auto":
        drop_remainder = on_tpu(strategy)
    return drop_remainder and hasattr(batches, "order")
