"""Contestants of the benchmark of streams hand their state on."""

import keras
import numpy as np
import pytest

from tests.benchmark_scripts import load


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the benchmark is TensorFlow's"
)
@pytest.mark.parametrize("name", ["keras eager", "keras graph", "gru", "qrnn"])
def test_each_call_goes_on_from_the_last(name):
    step = load("streaming").stepper(name, 4)
    first, second = step(), step()
    assert first.shape == (1, 4)
    assert np.abs(second - first).max() > 1e-4
