"""Faults that recurrent layers could have, shown on the LSTM."""

from tests.fault import Fault
from tests.layer_faults import LAYER_FAULTS

LSTM = "tests/zoo/layers/test_zoneout_lstm.py::"
MASKS = "tests/zoo/layers/test_zoneout_masks.py::TestZoneoutMasks"
DROPOUT = "tests/zoo/layers/test_zoneout_masks.py::TestVariationalDropout"
PLAIN, ZONEOUT = LSTM + "TestPlain", LSTM + "TestZoneout"


def fault(place, old, new, *tests):
    return Fault(place, old, new, tests or (PLAIN,))


RECURRENT = "zoo.layers.recurrent:Recurrent."
LAYER = "zoo.layers.zoneout_lstm:ZoneoutLSTM."
STEPS = "steps = ops.transpose(ops.cast(inputs, self.compute_dtype), (1, 0, 2))"
ROLL = "\n    steps += 0.01 * ops.roll(steps, "
HELD = "outputs = ops.transpose(outputs, (1, 0, 2))"
DRAWN = "zoneout_mask(rate, shape, self.seed_generator)"
MASK = "mask_tensor(mask)"

FAULTS = {
    "an option is dropped from get_config": fault(
        LAYER + "get_config", '"recurrent_dropout": self.recurrent_dropout,', ""
    ),
    "an unknown option is swallowed": fault(
        RECURRENT + "__init__",
        "autocast=False, **kwargs",
        "autocast=False, **{k: v for k, v in kwargs.items() if k in "
        "('name', 'dtype', 'trainable')}",
    ),
    "the mask is ignored": fault(
        RECURRENT + "call", MASK, "mask if mask is None else mask_tensor(mask) | True"
    ),
    "the mask is read as right padding": fault(
        RECURRENT + "call",
        MASK,
        "mask if mask is None else ops.arange(ops.shape(mask)[1]) < ops.sum("
        'ops.cast(mask, "int32"), 1, keepdims=True)',
    ),
    "padding is multiplied away, so NaN stays": fault(
        RECURRENT + "call",
        "ops.where(ops.expand_dims(mask, -1), inputs, 0)",
        "inputs * ops.cast(ops.expand_dims(mask, -1), inputs.dtype)",
    ),
    "masked steps show zeros": fault(
        RECURRENT + "call",
        HELD,
        HELD + " * (1 if mask is None else ops.cast(ops.expand_dims("
        "ops.transpose(mask), -1), outputs.dtype))",
    ),
    "the gradient of the recurrent kernel is cut": fault(
        LAYER + "_operands",
        "self._weight(self.recurrent_kernel)",
        "ops.stop_gradient(self._weight(self.recurrent_kernel))",
    ),
    "the gradient of the initial state is cut": fault(
        RECURRENT + "call",
        "ops.cast(s, self.state_dtype)",
        "ops.stop_gradient(ops.cast(s, self.state_dtype))",
    ),
    "rows mix": fault(RECURRENT + "call", STEPS, STEPS + ROLL + "1, 1)"),
    "the layer looks ahead": fault(
        RECURRENT + "call",
        STEPS,
        STEPS + "\n    steps += 0.01 * ops.roll(steps, -1, 0)",
    ),
    "the initial state is lost": fault(
        RECURRENT + "call",
        "[ops.cast(s, self.state_dtype) for s in initial_state]",
        "self.get_initial_state(batch)",
    ),
    "the final states are swapped": fault(
        LAYER + "scan",
        "return h, (h[0 if self.reverse else -1], c)",
        "return h, (c, h[0 if self.reverse else -1])",
    ),
    "step forgets the cell state": fault(
        RECURRENT + "step",
        "list(state)",
        "[state[0], ops.zeros_like(state[1])]",
    ),
    "the state is bfloat16": fault(
        RECURRENT + "state_dtype", 'else "float32"', "else self.compute_dtype"
    ),
    "a mask of a wrong shape is let through": fault(
        RECURRENT + "_check", "mask is not None and not _fits", "False and not _fits"
    ),
    "symbolic states are forgotten": fault(
        RECURRENT + "compute_output_spec", "not self.return_state", "True"
    ),
    "a gain of the layer normalisation is not used": fault(
        LAYER + "_project",
        "normalize(z)[0] * self._weight(self.input_gain)",
        "normalize(z)[0]",
        LSTM + "TestLayerNorm",
    ),
    "reverse starts in the padding": fault(
        LAYER + "scan",
        "h0, c0 = state",
        "h0, c0 = state\n    if mask is not None and self.reverse:\n"
        '        later = ops.flip(ops.cumsum(ops.flip(ops.cast(mask, "int32"), 0), 0), '
        "0)\n        mask = ops.logical_or(mask, later == 0)",
        LSTM + "TestReverse",
    ),
    "zoneout: h is made of the zoned cell": fault(
        "zoo.ops.lstm:_forward",
        "shown = new_c\n",
        "shown = mix(c, new_c, holds[1], options.rates[1])\n",
        ZONEOUT,
    ),
    "zoneout: inference is random": fault(
        LAYER + "scan",
        "rates = (self.zoneout_h, self.zoneout_c)",
        "rates, training = (self.zoneout_h, self.zoneout_c), True",
        ZONEOUT,
    ),
    "zoneout: the rates are swapped": fault(
        LAYER + "scan",
        "(self.zoneout_h, self.zoneout_c)",
        "(self.zoneout_c, self.zoneout_h)",
        ZONEOUT,
    ),
    "zoneout: wrong adjoint of the expectation": fault(
        "zoo.ops.zoneout:unmix", "(1 - rate) * new", "new", ZONEOUT
    ),
    "zoneout: wrong adjoint of a held unit": fault(
        "zoo.ops.zoneout:unmix",
        "gradient if hold is None else ops.where(hold, 0.0, gradient)",
        "gradient",
        ZONEOUT,
    ),
    "zoneout: the mask is the same at every call": fault(
        "zoo.layers.kernel_options:KernelOptions._hold",
        DRAWN,
        "zoneout_mask(rate, shape, 7)",
        ZONEOUT,
        MASKS,
    ),
    "zoneout: one mask for all steps": fault(
        "zoo.layers.kernel_options:KernelOptions._hold",
        DRAWN,
        "ops.repeat(zoneout_mask(rate, (1, *shape[1:]), self.seed_generator), "
        "shape[0], 0)",
        MASKS,
    ),
    "zoneout: one mask for all rows": fault(
        "zoo.layers.kernel_options:KernelOptions._hold",
        DRAWN,
        "ops.repeat(zoneout_mask(rate, (*shape[:2], 1), self.seed_generator), "
        "shape[2], 2)",
        MASKS,
    ),
    "zoneout: the rate is rounded to 8 bits": fault(
        "zoo.ops.zoneout:zoneout_mask",
        "256.0 * rate + jitter",
        "256.0 * rate + 0 * jitter",
        MASKS,
    ),
    "dropout: a new mask at every step": fault(
        LAYER + "scan",
        "self._dropout_mask(self.dropout, batch, features)",
        "ops.reshape(self._dropout_mask(self.dropout, time * batch, features), "
        "(time, batch, features))",
        DROPOUT,
    ),
    "halves of the rows: last states change places": fault(
        "zoo.ops.scan:_scan_in_halves",
        "return joined(states), found",
        "return joined(states[::-1]), found",
    ),
    "halves of the rows: outputs change places": fault(
        "zoo.ops.scan:_scan_in_halves", "joined(emitted)", "joined(emitted[::-1])"
    ),
    "Bidirectional: the backward state is lost": fault(
        "zoo.layers.bidirectional:Bidirectional._both",
        "run(self.backward_layer, second)",
        "run(self.backward_layer, None)",
        "tests/zoo/layers/test_bidirectional.py::TestBidirectional",
    ),
    "Bidirectional: built twice when loaded": fault(
        "zoo.layers.bidirectional:Bidirectional.build",
        "if not layer.built:",
        "if True:",
        "tests/zoo/layers/test_bidirectional.py::TestBidirectional",
    ),
    "Stack: only the first layer gets the mask": fault(
        "zoo.layers.stack:Stack.call",
        "x, mask=mask,",
        "x, mask=mask if layer is self.layers[0] else None,",
        "tests/zoo/layers/test_stack.py::TestStack",
    ),
    **LAYER_FAULTS,
}
