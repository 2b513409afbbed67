"""Recurrent layers as cells: one step inside of the loop of another layer.

A cell's inputs are joined from two parts: what is known before the loop, whose
products are made for all steps at once, and what the loop itself feeds. The gated
layers give their equations here, so that their matrices get their gradients after the
loop; any other layer of the zoo runs its own step.
"""

import keras
from keras import ops

from zoo.layers.gru import GRU
from zoo.layers.zoneout_lstm import ZoneoutLSTM
from zoo.ops.attention import product
from zoo.ops.dropout import dropout_mask
from zoo.ops.lstm import tanh
from zoo.ops.zoneout import mix, zoneout_mask


def cell_step(cell, *args):
    """The fastest of the steps below that a layer allows; arguments as `CellStep`."""
    if type(cell) is ZoneoutLSTM and not (
        cell.layer_norm or cell.peepholes or cell.projection
    ):
        return LSTMStep(cell, *args)
    return GRUStep(cell, *args) if type(cell) is GRU else CellStep(cell, *args)


def check_cell(name, cell):
    """Raises if a layer cannot be a cell; the message says what would work."""
    who = f"Layer '{name}' (AttentionCell)"
    if not hasattr(cell, "state_sizes") or not hasattr(cell, "scan"):
        raise ValueError(
            f"{who} takes a recurrent layer of the zoo as its cell, such as "
            f"ZoneoutLSTM(64). Received: {cell!r}"
        )
    for option in ("reverse", "return_sequences", "return_state"):
        if getattr(cell, option):
            raise ValueError(
                f"{who} takes `{option}` itself, not its cell. Received a cell with "
                f"{option}=True"
            )
    if type(cell) in (ZoneoutLSTM, GRU):
        return
    for option, value in cell.get_config().items():
        if "drop" in option and isinstance(value, (int, float)) and value:
            raise ValueError(
                f"{who} cannot keep one mask of `{option}` for all steps of a "
                f"{type(cell).__name__}; ZoneoutLSTM and GRU can. Received a cell "
                f"with {option}={value}"
            )


class CellStep:
    """One step of any recurrent layer, by the layer itself.

    Args:
        cell: Built layer.
        inputs: `(time, batch, features)`, the part known before the loop.
        mask: Boolean `(time, batch)` or `None`.
        fed_size: Number of features that the loop feeds, which come second; or 0.
        generator: `keras.random.SeedGenerator` of all random masks in training;
            `None` at inference.

    Attributes:
        matrices, vectors: Dictionaries of tensors, as `zoo.ops.bulk_scan` takes them.
        streams: Tuple of tensors `(time, ...)` or `None`, inputs of each step.
    """

    def __init__(self, cell, inputs, mask, fed_size, generator):
        self.cell, self.generator = cell, generator
        self.dtype = cell.state_dtype
        half = cell.compute_dtype in ("bfloat16", "float16")
        self.product_dtype = cell.compute_dtype if half else None
        self.prepare(ops.cast(inputs, self.dtype), mask, fed_size)

    def prepare(self, inputs, mask, fed_size):
        cell, self.matrices = self.cell, {}
        self.variables = [v for v in cell.variables if "float" in v.dtype]
        # `convert_to_tensor` alone leaves TensorFlow's variables what they are.
        self.vectors = {
            f"cell_{i}": ops.cast(ops.convert_to_tensor(v), v.dtype)
            for i, v in enumerate(self.variables)
        }
        layers = cell._flatten_layers()
        found = (getattr(layer, "seed_generator", None) for layer in layers)
        self.generators = [g for g in found if g is not None]
        seeds = []
        if self.training:
            seeds = [self._seeds(g, ops.shape(inputs)[0]) for g in self.generators]
        self.streams = (inputs, mask, *seeds)

    @property
    def training(self):
        return self.generator is not None

    def _seeds(self, generator, time):
        """A seed for each step, which draws the same masks again in the adjoint.

        Seeds that follow each other would not do: Keras on torch adds up the two parts
        of one, so that a step would draw what the next one draws in the next call.
        """
        seeds = keras.random.randint((time, 2), 0, 2**31 - 1, "int32", self.generator)
        return ops.cast(seeds, generator.state.dtype)

    def __call__(self, multiply, vectors, now, fed, state):
        """Output and state after one step.

        Args:
            multiply, vectors: As `zoo.ops.bulk_scan` hands them over.
            now: The slices of `streams`.
            fed: `(batch, fed_size)` or `None`.
            state: Tuple of the cell's states.
        """
        inputs, mask, *seeds = now
        if fed is not None:
            inputs = ops.concatenate([inputs, fed], -1)
        inputs = ops.cast(inputs, self.cell.compute_dtype)
        values = [vectors[f"cell_{i}"] for i in range(len(self.variables))]
        mapping = list(zip(self.variables, values, strict=True))
        mapping += [(g.state, s) for g, s in zip(self.generators, seeds, strict=False)]
        with keras.StatelessScope(mapping, initialize_variables=False):
            steps = ops.expand_dims(inputs, 0)
            mask = None if mask is None else ops.expand_dims(mask, 0)
            output, state = self.cell.scan(steps, mask, state, self.training)
        return ops.cast(output[0], self.dtype), tuple(state)


class GatedStep(CellStep):
    """What the steps of LSTM and GRU share: kernels in two parts, noise in advance."""

    def prepare(self, inputs, mask, fed_size):
        cell, self.vectors = self.cell, {}
        time, batch, features = ops.shape(inputs)
        self.units, self.fed_mask, self.state_mask = cell.units, None, None
        if self.training and cell.dropout:
            kept = self._dropout_mask(cell.dropout, batch, features + fed_size)
            inputs, self.fed_mask = inputs * kept[:, :features], kept[:, features:]
        if self.training and cell.recurrent_dropout:
            self.state_mask = self._dropout_mask(
                cell.recurrent_dropout, batch, self.units
            )
        kernel = self.weight(cell.kernel)
        flat = ops.reshape(inputs, (-1, inputs.shape[-1]))
        z = product(flat, kernel[: inputs.shape[-1]], compute_dtype=self.product_dtype)
        z = ops.reshape(z, (time, batch, kernel.shape[-1]))
        self.matrices = self.split_kernels(kernel[inputs.shape[-1] :])
        held = None if mask is None else ops.expand_dims(~mask, -1)
        rates = self.rates
        holds = [held] * len(rates)
        if self.training:
            shape = (time, batch, self.units)
            holds = [self._hold(rate, shape, held) for rate in rates]
            self.rates = (0.0,) * len(rates)
        self.streams = (z + self.input_bias(), *holds)

    def split_kernels(self, fed_kernel):
        """Dictionary of the matrices of a step, given the kernel of what is fed."""
        who = type(self).__name__
        raise NotImplementedError(f"{who} must implement `split_kernels`.")

    def weight(self, variable):
        return ops.cast(ops.convert_to_tensor(variable), self.dtype)

    def _dropout_mask(self, rate, batch, size):
        return dropout_mask(rate, (batch, size), self.generator, self.dtype)

    def _hold(self, rate, shape, held):
        if not rate:
            return held
        hold = zoneout_mask(rate, shape, self.generator)
        return hold if held is None else ops.logical_or(hold, held)

    def _dropped(self, x, mask):
        return x if mask is None or x is None else x * mask


class LSTMStep(GatedStep):
    """One step of `ZoneoutLSTM`; see there for the equations."""

    def prepare(self, inputs, mask, fed_size):
        self.rates = (self.cell.zoneout_h, self.cell.zoneout_c)
        super().prepare(inputs, mask, fed_size)

    def input_bias(self):
        return 0 if self.cell.bias is None else self.weight(self.cell.bias)

    def split_kernels(self, fed_kernel):
        recurrent, rate = self.weight(self.cell.recurrent_kernel), 0.0
        if self.training:
            rate = self.cell.recurrent_dropconnect
        if rate:
            recurrent = recurrent * dropout_mask(
                rate, recurrent.shape, self.generator, self.dtype
            )
        return {"cell": ops.concatenate([fed_kernel, recurrent], 0)}

    def __call__(self, multiply, vectors, now, fed, state):
        z, hold_h, hold_c = now
        h, c = state
        parts = [self._dropped(fed, self.fed_mask), self._dropped(h, self.state_mask)]
        parts = [x for x in parts if x is not None]
        z = z + multiply("cell", ops.concatenate(parts, -1))
        i, f, g, o = ops.split(z, 4, -1)
        new_c = ops.sigmoid(f) * c + ops.sigmoid(i) * tanh(g)
        new_h = mix(h, ops.sigmoid(o) * tanh(new_c), hold_h, self.rates[0])
        return new_h, (new_h, mix(c, new_c, hold_c, self.rates[1]))


class GRUStep(GatedStep):
    """One step of `GRU`; see there for the equations."""

    def prepare(self, inputs, mask, fed_size):
        self.rates = (self.cell.zoneout_h,)
        self.bias, candidate_bias = self.cell._biases()
        super().prepare(inputs, mask, fed_size)
        if candidate_bias is not None:
            self.vectors = {"candidate_bias": candidate_bias}

    def input_bias(self):
        return self.bias

    def split_kernels(self, fed_kernel):
        recurrent = self.weight(self.cell.recurrent_kernel)
        matrices = {"cell_fed": fed_kernel} if fed_kernel.shape[0] else {}
        if self.cell.reset_after:
            return {**matrices, "cell": recurrent}
        gates = 2 * self.units
        return {**matrices, "cell": recurrent[:, :gates], "g": recurrent[:, gates:]}

    def __call__(self, multiply, vectors, now, fed, state):
        (x, hold), (h,), n = now, state, self.units
        if fed is not None:
            x = x + multiply("cell_fed", self._dropped(fed, self.fed_mask))
        seen = self._dropped(h, self.state_mask)
        recurrent = multiply("cell", seen)
        gates = ops.sigmoid(x[:, : 2 * n] + recurrent[:, : 2 * n])
        z, r = gates[:, :n], gates[:, n:]
        if self.cell.reset_after:
            part = r * (recurrent[:, 2 * n :] + vectors["candidate_bias"])
        else:
            part = multiply("g", r * seen)
        new_h = z * h + (1 - z) * tanh(x[:, 2 * n :] + part)
        new_h = mix(h, new_h, hold, self.rates[0])
        return new_h, (new_h,)
