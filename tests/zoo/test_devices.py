"""The kind of device that computes, and the one that is compiled for."""

import pytest

from zoo import devices
from zoo.layers import QRNN


def test_what_is_compiled_for_another_device_is_as_it_would_be_there():
    here, engine = devices.kind(), QRNN(3).chosen_engine()
    with devices.compiling_for("tpu"):
        assert devices.kind() == "tpu"
        assert QRNN(3).chosen_engine() == "parallel"
        with devices.compiling_for("cpu"):
            assert QRNN(3).chosen_engine() == "loop"
        assert devices.kind() == "tpu"
    assert (devices.kind(), QRNN(3).chosen_engine()) == (here, engine)


def test_an_error_leaves_the_device_as_it_was():
    here = devices.kind()
    with pytest.raises(KeyError), devices.compiling_for("tpu"):
        raise KeyError
    assert devices.kind() == here
