"""The Neural Turing Machine: a recurrent network with a memory it reads and writes."""

import keras
from keras import initializers, ops

from zoo.eager import mask_tensor
from zoo.layers.recurrent import Recurrent
from zoo.ops.activation import bounded
from zoo.ops.checkpointed_scan import checkpointed_scan
from zoo.ops.lstm import tanh
from zoo.ops.ntm_step import Machine, ntm_step

CONTROLLERS = ("lstm", "feed_forward")


@keras.saving.register_keras_serializable(package="zoo")
class NTM(Recurrent):
    r"""Neural Turing Machine: a controller with heads on a memory of its own.

    At each step the controller reads the input and what the read heads $r_{t-1}$
    read before. Each head has from its output $h_t$ a key $k$, a strength $\beta$, a
    gate $g$, shifts $s$ and an exponent $\gamma$, and looks at the slots $M(i)$ of
    the memory with the weighting $w_t$:

    $$
    \begin{aligned}
    w^c(i) &= \text{softmax}_i\left(\beta \cos(k, M_{t-1}(i))\right) \\
    w^g &= g\, w^c + (1 - g)\, w_{t-1} \\
    \tilde w(i) &= \textstyle\sum_j w^g(j)\, s(i - j) \\
    w_t(i) &= \tilde w(i)^\gamma / \textstyle\sum_j \tilde w(j)^\gamma
    \end{aligned}
    $$

    with $\beta$ a softplus, $g$ a sigmoid, $s$ a softmax, $k$ a tanh, and
    $\gamma = 1 + \text{softplus}$. Then read heads read and write heads write, with
    their erase ($e$, a sigmoid) and add vectors ($a$, a tanh):

    $$
    \begin{aligned}
    r_t &= \textstyle\sum_i w_t(i)\, M_{t-1}(i) \\
    M_t(i) &= M_{t-1}(i) \odot (1 - w_t(i)\, e_t) + w_t(i)\, a_t \\
    y_t &= [h_t; r_t]\, W_y + b_y
    \end{aligned}
    $$

    The memory starts as a constant, and the first $r$ and $w$ are learned, as Collier
    and Beel found best. What the heads get, and $y$, is clipped. The size of the
    memory depends neither on the batch nor on the length of the sequence.

    The states are, for each row of the batch, `[memory, weightings, read, h, c]`,
    flat, without `c` for a feed-forward controller: what differs from the learned
    start, so that zeros start a sequence. `weightings` gives the weightings of all
    steps as they are. They are computed in float32 (float64 in a float64 layer)
    whatever the layer's policy.

    Args:
        units: Size of the output.
        controller: `"lstm"` or `"feed_forward"` (one layer with tanh), which remembers
            nothing itself: more seeds of it learned to copy, in fewer steps, and with
            four heads associative recall, see `benchmarks/results/papers`.
        controller_units: Size of the controller.
        memory_slots: Number of rows of the memory.
        memory_width: Size of a row.
        read_heads: Number of heads that read.
        write_heads: Number of heads that write.
        shift_range: How many slots a weighting can move in one step, either way.
        initial_memory: Value of all of the memory at the start. Not zero, which has
            no direction to compare a key with.
        clip: Largest absolute value of what the heads get and of the output; `None`
            does not clip.
        kernel_initializer: Initialiser of all matrices but one, and of the start.
        recurrent_initializer: Initialiser of the LSTM's recurrent kernel.
        return_sequences, return_state, reverse, seed, engine, **kwargs: See
            `Recurrent`.

    Call arguments:
        inputs: `(batch, time, features)`.
        mask: Boolean `(batch, time)`; a masked step holds all states, and reads and
            writes nothing.
        initial_state: List of states as the layer returns them.
        training: Changes nothing.

    Raises:
        ValueError: If a shape or an option does not fit; the message names the layer,
            what came and what would work.

    Example:

    >>> import numpy as np
    >>> layer = NTM(8, memory_slots=16, memory_width=4, return_sequences=True)
    >>> inputs = np.zeros((2, 5, 3), "float32")
    >>> tuple(layer(inputs).shape)
    (2, 5, 8)
    >>> read, write = layer.weightings(inputs)
    >>> tuple(read.shape)
    (2, 5, 1, 16)

    References:
        - Graves, Wayne and Danihelka, [Neural Turing machines](
          https://arxiv.org/abs/1410.5401), 2014
        - Collier and Beel, [Implementing neural Turing machines](
          https://arxiv.org/abs/1807.08518), 2018
    """

    def __init__(
        self,
        units,
        *,
        controller="lstm",
        controller_units=100,
        memory_slots=128,
        memory_width=20,
        read_heads=1,
        write_heads=1,
        shift_range=1,
        initial_memory=1e-6,
        clip=20.0,
        kernel_initializer="glorot_uniform",
        recurrent_initializer="orthogonal",
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        if controller not in CONTROLLERS:
            self._refuse("controller", f"one of {CONTROLLERS}", controller)
        self.controller = controller
        self.controller_units = self._count("controller_units", controller_units)
        self.memory_slots = self._count("memory_slots", memory_slots, least=2)
        self.memory_width = self._count("memory_width", memory_width)
        self.read_heads = self._count("read_heads", read_heads)
        self.write_heads = self._count("write_heads", write_heads)
        self.shift_range = self._count("shift_range", shift_range, least=0)
        if 2 * self.shift_range >= self.memory_slots:
            wanted = f"less than half of the {memory_slots} slots"
            self._refuse("shift_range", wanted, shift_range)
        if not _is_number(initial_memory):
            self._refuse("initial_memory", "a number", initial_memory)
        self.initial_memory = float(initial_memory)
        if clip is not None and not (_is_number(clip) and clip > 0):
            self._refuse("clip", "a positive number or `None`", clip)
        self.clip = None if clip is None else float(clip)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)

    def _count(self, name, value, least=1):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self._refuse(name, f"an integer of at least {least}", value)
        return value

    def _refuse(self, option, wanted, value):
        raise ValueError(
            f"`{option}` of layer '{self.name}' (NTM) must be {wanted}. "
            f"Received: {value!r}"
        )

    @property
    def machine(self):
        """Sizes of controller, heads and memory."""
        return Machine(
            recurrent=self.controller == "lstm",
            units=self.controller_units,
            slots=self.memory_slots,
            width=self.memory_width,
            read_heads=self.read_heads,
            write_heads=self.write_heads,
            shifts=2 * self.shift_range + 1,
            initial_memory=self.initial_memory,
            clip=self.clip,
        )

    @property
    def state_sizes(self):
        return self.machine.state_sizes

    def build(self, input_shape):
        self.input_features = input_shape[-1]
        machine, n = self.machine, self.controller_units
        gates = 4 * n if machine.recurrent else n
        read, size = machine.state_sizes[2], sum(machine.head_sizes)
        self.kernel = self._matrix("kernel", self.input_features, gates)
        self.read_kernel = self._matrix("read_kernel", read, gates)
        if machine.recurrent:
            self.recurrent_kernel = self.add_weight(
                shape=(n, gates),
                name="recurrent_kernel",
                initializer=self._initial_recurrent_kernel,
            )
        self.bias = self.add_weight(
            shape=(gates,), name="bias", initializer=self._initial_bias
        )
        self.head_kernel = self._matrix("head_kernel", n, size)
        self.head_bias = self._zeros("head_bias", size)
        self.output_kernel = self._matrix("output_kernel", n + read, self.units)
        self.output_bias = self._zeros("output_bias", self.units)
        # Random, not zeros: slots that all start alike would stay so for ever.
        self.first_weightings = self._matrix(
            "first_weightings", machine.heads, machine.slots
        )
        self.first_read = self._matrix("first_read", machine.read_heads, machine.width)
        self.built = True

    def _matrix(self, name, rows, columns):
        return self.add_weight(
            shape=(rows, columns), name=name, initializer=self.kernel_initializer
        )

    def _zeros(self, name, size):
        return self.add_weight(shape=(size,), name=name, initializer="zeros")

    def _initial_recurrent_kernel(self, shape, dtype=None):
        # "orthogonal" decomposes a matrix, which TensorFlow cannot in bfloat16.
        kernel = self.recurrent_initializer(shape, dtype=self.state_dtype)
        return ops.cast(kernel, dtype)

    def _initial_bias(self, shape, dtype=None):
        if self.controller != "lstm":
            return ops.zeros(shape, dtype)
        n = self.controller_units
        parts = [ops.zeros((n,), dtype), ops.ones((n,), dtype)]
        return ops.concatenate([*parts, ops.zeros((2 * n,), dtype)], 0)

    def scan(self, inputs, mask, state, training):
        outputs, state = self._run(inputs, mask, state)
        return outputs, state

    def weightings(self, inputs, mask=None, initial_state=None):
        """Where the heads look at each step, for plots.

        Args:
            inputs: `(batch, time, features)`.
            mask: Boolean `(batch, time)` or `None`; masked steps show the weightings
                of the step before.
            initial_state: List of states as the layer returns them, or `None`.

        Returns:
            Weightings of the read heads `(batch, time, read_heads, slots)` and of the
            write heads `(batch, time, write_heads, slots)`; each sums up to one.
        """
        inputs, mask = ops.convert_to_tensor(inputs), mask_tensor(mask)
        if not self.built:
            self.build(inputs.shape)
        self._check(inputs, mask, initial_state)
        if mask is not None:
            inputs = ops.where(ops.expand_dims(mask, -1), inputs, 0)
            mask = ops.transpose(mask)
        if initial_state is None:
            initial_state = self.get_initial_state(ops.shape(inputs)[0])
        state = tuple(ops.cast(s, self.state_dtype) for s in initial_state)
        steps = ops.transpose(ops.cast(inputs, self.compute_dtype), (1, 0, 2))
        *_, found = self._run(steps, mask, state, return_weightings=True)
        time, batch, _ = ops.shape(found)
        found = found + self._start()[0]
        found = ops.reshape(found, (time, batch, -1, self.memory_slots))
        found = ops.transpose(found, (1, 0, 2, 3))
        return found[:, :, : self.read_heads], found[:, :, self.read_heads :]

    def _start(self):
        """First weightings and first vectors read, flat and with one row."""
        weightings = ops.softmax(self._weight(self.first_weightings), -1)
        read = tanh(self._weight(self.first_read))
        return ops.reshape(weightings, (1, -1)), ops.reshape(read, (1, -1))

    def _weight(self, variable):
        return ops.cast(ops.convert_to_tensor(variable), self.state_dtype)

    def _run(self, inputs, mask, state, return_weightings=False):
        """Outputs, final states and, if asked for, weightings of all steps."""
        weight, dtype, machine = self._weight, self.state_dtype, self.machine
        time, batch, features = ops.shape(inputs)
        flat = ops.reshape(ops.cast(inputs, dtype), (-1, features))
        projected = flat @ weight(self.kernel) + weight(self.bias)
        projected = ops.reshape(projected, (time, batch, projected.shape[-1]))
        kernel = weight(self.read_kernel)
        if machine.recurrent:
            kernel = ops.concatenate([kernel, weight(self.recurrent_kernel)], 0)
        heads = weight(self.head_kernel), weight(self.head_bias)
        weightings, first_read = self._start()
        places = (2, 3, 1) if return_weightings else (2, 3)

        def step(weights, state, now):
            state = ntm_step(machine, weights, state, now)
            return state, tuple(state[i] for i in places)

        state, (read, h, *found) = checkpointed_scan(
            step,
            (kernel, *heads, weightings, first_read),
            state,
            (projected, mask),
            tuple(((batch, machine.state_sizes[i]), dtype) for i in places),
            self.reverse,
        )
        shown = ops.concatenate([h, read + first_read], -1)
        shown = ops.reshape(shown, (-1, shown.shape[-1]))
        outputs = shown @ weight(self.output_kernel) + weight(self.output_bias)
        outputs = bounded(outputs, self.clip)
        outputs = ops.reshape(outputs, (time, batch, self.units))
        return outputs, state, *found

    def get_config(self):
        config = super().get_config()
        return {
            **config,
            "controller": self.controller,
            "controller_units": self.controller_units,
            "memory_slots": self.memory_slots,
            "memory_width": self.memory_width,
            "read_heads": self.read_heads,
            "write_heads": self.write_heads,
            "shift_range": self.shift_range,
            "initial_memory": self.initial_memory,
            "clip": self.clip,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
        }


def _is_number(value):
    # NaN, which equals nothing, is no number here.
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < float("inf")
    )
