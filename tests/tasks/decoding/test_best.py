"""The best sequences, read off inside of a graph."""

import keras
import numpy as np
import pytest

from tasks.decoding.beam import Found

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="for graphs of TensorFlow"
)


def test_it_is_the_sequence_that_is_traced_outside_of_the_graph():
    from tasks.decoding.best import best_tokens

    random = np.random.default_rng(0)
    most, rows, continuations, width = 7, 40, 6, 3
    record = (most, rows, continuations)
    found = Found(
        scores=random.normal(size=(rows, width)).astype("float32"),
        log_probabilities=None,
        lengths=random.integers(1, most + 1, (rows, width)).astype("int32"),
        last=random.integers(0, continuations, (rows, width)).astype("int32"),
        tokens=random.integers(2, 99, record).astype("int32"),
        parents=random.integers(0, continuations, record).astype("int32"),
        attention=None,
    )
    tensors = Found(
        *(x if x is None else keras.ops.convert_to_tensor(x) for x in found)
    )
    tokens, told = map(np.asarray, best_tokens(tensors))
    assert tokens.shape == told.shape == (rows, most)
    for row in range(rows):
        wanted, _ = found.traced(row, 0)
        assert tokens[row, told[row]].tolist() == wanted
        assert (tokens[row, ~told[row]] == 0).all()
