"""The algorithmic tasks of the Neural Turing Machine, as random batches.

Each batch has one size, is padded with masked steps to a given number of steps, and is
`(inputs, mask, targets, scored)`: bits `(batch, time, channels)`, true for steps that
are there, bits that are wanted, and one at the steps that are scored. Sizes in training
are drawn evenly from the smallest to the longest, or to a `part` of that (repeat copy:
to a part of the repeats).
"""

from typing import NamedTuple

import numpy as np


class Copy(NamedTuple):
    """A sequence of random vectors and a delimiter; then the sequence is wanted."""

    bits: int = 8
    channels: int = 9
    outputs: int = 8
    # Sizes are `(length,)`.
    longest = (20,)
    tests = ((20,), (30,), (40,), (50,), (60,), (80,), (100,), (120,))
    label = "length"

    def random_size(self, random, part=1.0):
        return _up_to(random, part, (1, 20))

    def steps(self, length):
        return 2 * length + 1

    def make(self, random, batch, time, length):
        inputs, targets, scored = _empty(self, batch, time)
        data = _bits(random, batch, length, self.bits)
        inputs[:, :length, : self.bits] = data
        inputs[:, length, self.bits] = 1
        wanted = slice(length + 1, 2 * length + 1)
        targets[:, wanted], scored[:, wanted] = data, 1
        return inputs, _until(self.steps(length), batch, time), targets, scored


class RepeatCopy(NamedTuple):
    """A sequence and a number: so often it is wanted, and then an end marker.

    The number is one scalar, with mean 0 and deviation 1 in training, as in the paper.
    """

    bits: int = 8
    channels: int = 10
    outputs: int = 9
    # Sizes are `(length, repeats)`.
    longest = (10, 10)
    tests = ((10, 10), (20, 10), (10, 20))
    label = "length, repeats"

    def random_size(self, random, part=1.0):
        # Copying once comes before copying again.
        return (*_up_to(random, 1.0, (1, 10)), *_up_to(random, part, (1, 10)))

    def steps(self, length, repeats):
        return length + 1 + length * repeats + 1

    def make(self, random, batch, time, length, repeats):
        inputs, targets, scored = _empty(self, batch, time)
        data = _bits(random, batch, length, self.bits)
        inputs[:, :length, : self.bits] = data
        inputs[:, length, self.bits] = 1
        inputs[:, length, self.bits + 1] = (repeats - 5.5) / np.sqrt(8.25)
        end = self.steps(length, repeats) - 1
        targets[:, length + 1 : end, : self.bits] = np.tile(data, (1, repeats, 1))
        targets[:, end, self.bits] = 1
        scored[:, length + 1 : end + 1] = 1
        return inputs, _until(end + 1, batch, time), targets, scored


class AssociativeRecall(NamedTuple):
    """Items of three vectors; then one of them again, and the next item is wanted."""

    bits: int = 6
    channels: int = 8
    outputs: int = 6
    # Sizes are `(items,)`.
    longest = (6,)
    tests = ((6,), (8,), (10,), (12,), (15,), (20,))
    label = "items"

    def random_size(self, random, part=1.0):
        return _up_to(random, part, (2, 6))

    def steps(self, items):
        return 4 * items + 5 + 3

    def make(self, random, batch, time, items):
        inputs, targets, scored = _empty(self, batch, time)
        data = _bits(random, batch, 3 * items, self.bits).reshape(batch, items, 3, -1)
        for k in range(items):
            inputs[:, 4 * k, self.bits] = 1
            inputs[:, 4 * k + 1 : 4 * k + 4, : self.bits] = data[:, k]
        asked, rows = random.integers(0, items - 1, batch), np.arange(batch)
        query, answer = 4 * items, 4 * items + 5
        inputs[:, [query, query + 4], self.bits + 1] = 1
        inputs[:, query + 1 : query + 4, : self.bits] = data[rows, asked]
        targets[:, answer : answer + 3] = data[rows, asked + 1]
        scored[:, answer : answer + 3] = 1
        return inputs, _until(answer + 3, batch, time), targets, scored


TASKS = {
    "copy": Copy(),
    "repeat_copy": RepeatCopy(),
    "associative_recall": AssociativeRecall(),
}


def _up_to(random, part, limits):
    """A tuple of one number from the least to a part of the most."""
    least, most = limits
    return (int(random.integers(least, max(least, round(part * most)) + 1)),)


def _bits(random, *shape):
    return random.integers(0, 2, shape).astype("float32")


def _empty(task, batch, time):
    return [
        np.zeros((batch, time, *size), "float32")
        for size in ((task.channels,), (task.outputs,), ())
    ]


def _until(steps, batch, time):
    return np.broadcast_to(np.arange(time) < steps, (batch, time))
