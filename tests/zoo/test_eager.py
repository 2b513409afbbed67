"""What is looked at before anything is compiled, and what is not."""

import keras
import numpy as np
import pytest

from tests.backend import differentiate, numbers
from tests.sequences import some_data
from zoo.eager import check_finite, mask_tensor
from zoo.layers import ZoneoutLSTM

VALUES = np.float32([[[1, 2], [3, np.inf]], [[5, 6], [np.nan, 8]]])


def test_says_where_and_how_many():
    with pytest.raises(ValueError, match=r"Who takes .*`x`.* inf at \[0, 1, 1\], 2 "):
        check_finite("Who", "x", keras.ops.convert_to_tensor(VALUES))


@pytest.mark.parametrize("kind", [list, np.array, keras.ops.convert_to_tensor])
def test_masked_places_do_not_count(kind):
    mask = mask_tensor(kind([[1, 0], [1, 0]]))
    assert keras.backend.standardize_dtype(mask.dtype) == "bool"
    check_finite("Who", "x", VALUES, mask)
    with pytest.raises(ValueError, match=r"nan at \[1, 1, 0\], 1 "):
        check_finite("Who", "x", VALUES, mask_tensor(kind([[1, 0], [1, 1]])))


def test_symbols_and_no_mask_pass():
    check_finite("Who", "x", keras.Input((3,)))
    assert mask_tensor(None) is None


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int32"])
def test_all_dtypes_are_looked_at(dtype):
    check_finite("Who", "x", keras.ops.ones((2, 3), dtype))


def test_compiled_code_is_left_alone():
    """There are no numbers yet; and what was traced with good ones takes bad ones."""
    inputs, _ = some_data()
    inputs[0, 0] = np.nan
    layer = ZoneoutLSTM(3)
    layer.build(inputs.shape)
    result = differentiate(layer, inputs, mode="jit")
    assert np.isnan(numbers(result.outputs)[0][0]).all()
    assert np.isfinite(numbers(result.outputs)[0][1:]).all()
