"""A model of few tokens, whose every sequence can be looked at."""

import numpy as np
from keras import ops

from tasks.decoding.compiled import compiled

END, SIZE, PLACES = 0, 4, 3


class Toy:
    """A model of the tokens so far: each history has chances of its own.

    The state is a number made of the history, so that any mix-up of sequences shows.
    """

    def __init__(self, seed=0, rows=2, likes_end=0.0):
        random = np.random.default_rng(seed)
        self.rows = rows
        self.weights = random.normal(size=(7, 5, SIZE)).astype("float32") * 2
        self.weights[..., END] += likes_end
        self.places = random.normal(size=(7, 5, PLACES)).astype("float32")
        self.starts = random.integers(0, 7, rows).astype("int32")

    def step(self, ids, state):
        (hashed,) = state
        hashed = (hashed * 3 + ids + 1) % 7
        weights = ops.convert_to_tensor(self.weights)[:, 0]
        log_probabilities = ops.log_softmax(ops.take(weights, hashed, axis=0))
        attention = ops.take(ops.convert_to_tensor(self.places)[:, 0], hashed, axis=0)
        return log_probabilities, (hashed,), ops.softmax(attention)

    def chances(self, row, tokens):
        """Log-probability of each token of a sequence, and its attention, in NumPy."""
        hashed, last, found, attention = int(self.starts[row]), 1, [], []
        for token in tokens:
            hashed = (hashed * 3 + last + 1) % 7
            x = self.weights[hashed, 0].astype("float64")
            found.append(x[token] - np.log(np.exp(x).sum()))
            a = np.exp(self.places[hashed, 0].astype("float64"))
            attention.append(a / a.sum())
            last = token
        return np.array(found), np.array(attention)

    def search(self, how, mask=None, jit=True, **more):
        more = {name: ops.convert_to_tensor(x) for name, x in more.items()}

        def run(first, state):
            return how.search(
                self.step,
                first,
                (state,),
                end=END,
                vocabulary_size=SIZE,
                memory_mask=None if mask is None else ops.convert_to_tensor(mask),
                **more,
            )

        run = compiled(run, []) if jit else run
        first = ops.ones((self.rows,), "int32")
        found = run(first, ops.convert_to_tensor(self.starts)).as_arrays()
        return [
            [found.traced(row, rank) for rank in range(how.width)]
            for row in range(self.rows)
        ], found
