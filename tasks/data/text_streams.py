"""Long texts as batches that follow on from each other, for truncated backpropagation.

Each row of the batches reads its documents from their first token to their last, a
chunk per batch. A model that carries its state from batch to batch, and starts afresh
where `fresh` says so, reads every document whole.
"""

import keras
import numpy as np

from tasks.data.vocabulary import PADDING_ID

# Chunks, from which on a document may well take one more.
_LONG = 10


class StreamBatches(keras.utils.PyDataset):
    """Batches of chunks of documents, in an order that can be repeated.

    A single document is cut into as many parts as there are rows, which are read side
    by side, each as a document of its own. With `reset_rate`, some more chunks are read
    as if a document began there: a model whose state is always carried on learns
    nothing of beginnings, and may not work from an empty state at all. An empty state
    with a token before it that is no beginning would be stranger still: a model has
    been seen to guess worse than chance for thousands of characters after one.

    Several are dealt out to the rows, longest first, so that all rows end at nearly the
    same time; with `shuffle`, which row gets which, and in which order it reads them,
    is new in every epoch. A chunk ends at another place in each epoch, as the first one
    of a document has less to read. All is a pure function of `seed` and `epoch`, and
    every token is a target once an epoch.

    Args:
        documents: List of integer arrays `(length,)`, ids of tokens.
        rows: int, documents read side by side.
        chunk: int, tokens per batch and row, beyond which no gradient goes back.
        shuffle: bool, whether epochs differ.
        seed: int >= 0.
        epoch: int >= 0, where to start.
        reset_rate: Part of the chunks, drawn at random, that begin afresh though the
            document goes on.

    Items are `(inputs, zeros (rows,) float32)`; `inputs` has `"token_ids"` (rows,
    chunk) int32, `"targets"` (rows, chunk) int32, the tokens that follow, `"mask"`
    (rows, chunk) bool, and `"fresh"` (rows,) bool, true where a row begins a
    document or is reset. What comes first is asked for after `PADDING_ID`.

    Raises:
        ValueError: If there is nothing to read, or an option is out of range.
    """

    def __init__(
        self,
        documents,
        rows,
        chunk,
        shuffle=False,
        seed=0,
        epoch=0,
        reset_rate=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        for name, value, least in (
            ("rows", rows, 1),
            ("chunk", chunk, 1),
            ("seed", seed, 0),
            ("epoch", epoch, 0),
        ):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(
                    f"`{name}` must be an integer of at least {least}. "
                    f"Received: {value!r}"
                )
        if not 0 <= reset_rate <= 1:
            raise ValueError(
                f"`reset_rate` must be a number from 0 to 1. Received: {reset_rate!r}"
            )
        documents = [np.asarray(d, "int32") for d in documents if len(d)]
        if not documents:
            raise ValueError("The text is empty: there is nothing to read.")
        self.rows, self.chunk, self.shuffle = rows, chunk, shuffle
        self.seed, self.epoch = seed, epoch
        self.reset_rate = reset_rate
        if len(documents) == 1:
            self._documents = _cut(documents[0], rows)
        else:
            self._documents = [_pair(document, PADDING_ID) for document in documents]
        self._sizes = [self._chunks(len(d[0])) for d in self._documents]
        self._length = max(sum(self._sizes[i] for i in row) for row in self._deal())
        self._planned = (None, None)

    def _chunks(self, length):
        """Number of chunks a document takes in any epoch."""
        # The first one may lack up to `chunk - 1` tokens; of a short document only what
        # its last one leaves over, as a chunk more would cost too much.
        free = self.shuffle and length >= _LONG * self.chunk
        return -(-(length + (self.chunk - 1) * free) // self.chunk)

    @property
    def tokens(self):
        """Number of targets of an epoch."""
        return sum(len(targets) for _, targets in self._documents)

    def _deal(self, random=None):
        """Which documents each row reads; how many chunks it has is always the same."""
        order = np.argsort([-size for size in self._sizes], kind="stable")
        if random is not None:
            sizes = np.array(self._sizes)
            keys = random.random(len(order))
            order = np.lexsort((keys, -sizes))
        rows, loads = [[] for _ in range(self.rows)], np.zeros(self.rows, int)
        for i in order:
            row = int(np.argmin(loads))
            rows[row].append(int(i))
            loads[row] += self._sizes[i]
        if random is not None:
            rows = [[row[i] for i in random.permutation(len(row))] for row in rows]
            rows = [rows[i] for i in random.permutation(len(rows))]
        return rows

    def _plan(self):
        planned = self._planned  # read once: a thread that prefetches may replace it
        if planned[0] == self.epoch:
            return planned[1]
        random = None
        if self.shuffle:
            random = np.random.default_rng([self.seed, self.epoch])
        late = 0 if random is None else int(random.integers(self.chunk))
        shape = (self.rows, self._length * self.chunk)
        ids, targets = np.zeros(shape, "int32"), np.zeros(shape, "int32")
        mask = np.zeros(shape, bool)
        fresh = np.zeros((self.rows, self._length), bool)
        for row, members in enumerate(self._deal(random)):
            at = 0
            for i in members:
                fresh[row, at] = True
                before, after = self._documents[i]
                over = self._sizes[i] * self.chunk - len(before)
                start = at * self.chunk + late % (over + 1)
                part = slice(start, start + len(before))
                ids[row, part], targets[row, part] = before, after
                mask[row, part] = True
                at += self._sizes[i]
        self._reset(ids, mask, fresh)
        plan = (ids, targets, mask, fresh)
        self._planned = (self.epoch, plan)
        return plan

    def _reset(self, ids, mask, fresh):
        """Lets chunks within documents begin afresh, in place."""
        random = np.random.default_rng([self.seed, self.epoch, 1])
        drawn = random.random(fresh.shape) < self.reset_rate
        drawn &= mask[:, :: self.chunk] & ~fresh
        ids[:, :: self.chunk][drawn] = PADDING_ID
        fresh |= drawn

    def __len__(self):
        return self._length

    def __getitem__(self, index):
        ids, targets, mask, fresh = self._plan()
        part = slice(index * self.chunk, (index + 1) * self.chunk)
        inputs = {
            "token_ids": ids[:, part],
            "targets": targets[:, part],
            "mask": mask[:, part],
            "fresh": fresh[:, index],
        }
        return inputs, np.zeros((self.rows,), "float32")

    def on_epoch_end(self):
        """Moves on to the order of the next epoch."""
        self.epoch += 1


def _pair(document, first):
    """What is read, and what should follow it."""
    return np.concatenate([[first], document[:-1]]).astype("int32"), document


def _cut(document, rows):
    """One document in parts of nearly one length, each read as a document."""
    parts = np.array_split(document, rows)
    return [_pair(part, PADDING_ID) for part in parts if len(part)]
