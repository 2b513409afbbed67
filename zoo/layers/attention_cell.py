"""A recurrent layer that attends to a memory at every step."""

import keras
from keras import initializers, ops, regularizers

from zoo.eager import mask_tensor
from zoo.layers.attention import Attention
from zoo.layers.attention_step import AttentionStep
from zoo.layers.cell_steps import cell_step, check_cell
from zoo.layers.memory_reader import MemoryReader, PreparedMemory
from zoo.layers.recurrent import Recurrent
from zoo.ops.attention import Products
from zoo.ops.bulk_scan import bulk_scan

BEFORE, AFTER = "before", "after"


@keras.saving.register_keras_serializable(package="zoo")
class AttentionCell(MemoryReader, Recurrent):
    r"""A recurrent layer as a cell that attends to a memory at every step.

    `attends="before"` (Bahdanau et al.) looks with the state, and feeds the cell what
    it saw; `attends="after"` (Luong et al.) looks with the cell's output, and shows
    both, joined to the attentional vector $a_t$:

    $$
    \begin{aligned}
    \text{before:} \quad
    c_t &= \mathrm{attend}(s_{t-1}) & s_t &= \mathrm{cell}([x_t; c_t], s_{t-1}) \\
    \text{after:} \quad
    s_t &= \mathrm{cell}([x_t; a_{t-1}], s_{t-1}) &
    a_t &= \tanh([\mathrm{attend}(s_t); s_t] W)
    \end{aligned}
    $$

    The query $s$ is the cell's first state in the first, its output in the second.
    The keys of the memory are made once, the products of the inputs at once, and
    gradients of the cell's and the attention's matrices in one product for all
    steps. Masked steps hold all states; their weights and context are 0.

    Args:
        cell: Recurrent layer of the zoo, such as `ZoneoutLSTM`, `GRU` or `IndRNN`.
            Variational dropout of the cell works with the first two.
        attention: `BahdanauAttention`, `LuongAttention` or
            `LocationSensitiveAttention`.
        units: Size of the output. `None` for that of the cell, which is the only
            choice if it attends before.
        attends: `"before"` or `"after"`.
        input_feeding: Whether $a_{t-1}$ is fed to the cell, if it attends after.
            A cell that attends before is fed the context always.
        return_attention: Whether to return the weights of all steps too.
        return_context: Whether to return the contexts of all steps too.
        kernel_initializer, kernel_regularizer: Initialiser and regulariser of $W$.
        seed: Integer, makes all random masks reproducible, those of the cell too.
        return_sequences, return_state, reverse, engine, **kwargs: See `Recurrent`.

    Call arguments:
        inputs: `(batch, time, features)`, such as embedded target words.
        memory: `(batch, source, features)`, such as the outputs of an encoder; or what
            `prepare(memory, memory_mask)` returned.
        mask: Boolean `(batch, time)`; a masked step holds all states.
        memory_mask: Boolean `(batch, source)`, true for valid places. What stands in
            padding is not read; a row without a valid place has context 0.
        initial_state: List of states: those of the cell; if it attends after, the
            attentional vector `(batch, units)`; and the earlier alignments
            `(batch, source)` that the attention reads. `None` for zeros.
        training: Whether the cell is random.

    Returns:
        Outputs `(batch, time, units)`, or without `return_sequences` the last one,
        `(batch, units)`. With options, a tuple of that, the weights `(batch, time,
        source)`, the contexts `(batch, time, features)` and each final state.

    Raises:
        ValueError: If an option or a shape does not fit; the message names the layer,
            what came and what would work.

    Example:

    >>> import numpy as np
    >>> from zoo.layers import BahdanauAttention, ZoneoutLSTM
    >>> layer = AttentionCell(ZoneoutLSTM(8), BahdanauAttention(8), seed=1)
    >>> x, memory = np.zeros((2, 5, 3), "float32"), np.ones((2, 7, 4), "float32")
    >>> tuple(layer(x, memory).shape)
    (2, 8)
    >>> prepared = layer.prepare(memory)
    >>> output, state = layer.step(x[:, 0], None, prepared)
    >>> tuple(output.shape)
    (2, 8)

    References:
        - Bahdanau, Cho and Bengio, [Neural machine translation by jointly learning to
          align and translate](https://arxiv.org/abs/1409.0473), 2015
        - Luong, Pham and Manning, [Effective approaches to attention-based neural
          machine translation](https://arxiv.org/abs/1508.04025), 2015
    """

    def __init__(
        self,
        cell,
        attention,
        units=None,
        *,
        attends=BEFORE,
        input_feeding=True,
        kernel_initializer="glorot_uniform",
        kernel_regularizer=None,
        **kwargs,
    ):
        name = kwargs.get("name") or "attention_cell"
        check_cell(name, cell)
        super().__init__(cell.output_size if units is None else units, **kwargs)
        if not isinstance(attention, Attention):
            raise ValueError(
                f"{self._who} takes an attention layer of the zoo, such as "
                f"BahdanauAttention(64). Received: {attention!r}"
            )
        if attends not in (BEFORE, AFTER):
            raise ValueError(
                f"`attends` of layer '{self.name}' must be 'before' or 'after'. "
                f"Received: {attends!r}"
            )
        if attends == BEFORE and self.units != cell.output_size:
            raise ValueError(
                f"{self._who} that attends before shows the output of its cell, of "
                f"size {cell.output_size}. Received: units={units}"
            )
        if attends == BEFORE and not input_feeding:
            raise ValueError(
                f"{self._who} that attends before always feeds the context to its "
                "cell; input_feeding=False is for attends='after'."
            )
        for layer in (cell, attention):
            if layer.state_dtype != self.state_dtype:
                raise ValueError(
                    f"{self._who} and its parts must share the dtype of states, "
                    f"{self.state_dtype}. Received: '{layer.name}' with dtype="
                    f"{layer.dtype_policy.name!r}"
                )
        self.cell, self.attention = cell, attention
        self.attends, self.input_feeding = attends, bool(input_feeding)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)

    @property
    def _after(self):
        return self.attends == AFTER

    @property
    def state_sizes(self):
        """Sizes of the states; `None` for alignments, as long as the memory."""
        own = (self.units,) if self._after else ()
        alignments = (None,) * len(self.attention.alignment_names)
        return (*self.cell.state_sizes, *own, *alignments)

    def build(self, inputs_shape, memory_shape):
        if isinstance(memory_shape, PreparedMemory):
            memory_shape = memory_shape.values
        self.input_features, self.memory_features = inputs_shape[-1], memory_shape[-1]
        query = self.cell.output_size if self._after else self.cell.state_sizes[0]
        if not self.cell.built:
            self.cell.build((None, None, self.input_features + self._fed_size))
        if not self.attention.built:
            self.attention.build((None, query), tuple(memory_shape))
        if self._after:
            self.output_kernel = self.add_weight(
                shape=(self.memory_features + self.cell.output_size, self.units),
                name="output_kernel",
                initializer=self.kernel_initializer,
                regularizer=self.kernel_regularizer,
            )
        self.built = True

    @property
    def _fed_size(self):
        """How many features the cell is fed beside the inputs."""
        if self._after:
            return self.units if self.input_feeding else 0
        return self.memory_features

    def call(
        self,
        inputs,
        memory,
        mask=None,
        memory_mask=None,
        initial_state=None,
        training=None,
    ):
        inputs, mask = ops.convert_to_tensor(inputs), mask_tensor(mask)
        memory = self.prepare(memory, memory_mask)
        self._check(inputs, mask, initial_state)
        state = self._state(initial_state, memory)
        if mask is not None:
            # What stands in padding, NaN too, must not reach a product.
            inputs = ops.where(ops.expand_dims(mask, -1), inputs, 0)
            mask = ops.transpose(mask)
        steps = ops.transpose(inputs, (1, 0, 2))
        outputs, weights, contexts, state = self._run(
            steps, memory, mask, state, bool(training)
        )
        if not self.return_sequences:
            # Masked steps hold, so the end of the scan is the last valid output.
            outputs = outputs[0 if self.reverse else -1]
        else:
            outputs = ops.transpose(outputs, (1, 0, 2))
        weights, contexts = (ops.transpose(x, (1, 0, 2)) for x in (weights, contexts))
        shown = self._shown(outputs, weights, contexts)
        if self.return_state:
            shown = (*shown, *state)
        return shown if len(shown) > 1 else shown[0]

    def step(self, inputs, state=None, memory=None, memory_mask=None, training=False):
        """Runs one time step, for decoding.

        Args:
            inputs: `(batch, features)`.
            state: List of states as this method returns them; `None` to start.
            memory, memory_mask: As in the call. In a loop, `prepare` it once.
            training: Whether the cell is random.

        Returns:
            Output `(batch, units)` and the list of new states. With
            `return_attention` and `return_context`, the output is a tuple of that,
            the weights `(batch, source)` and the context `(batch, features)`.

        Raises:
            ValueError: If a shape does not fit, or there is no memory.
        """
        inputs = ops.convert_to_tensor(inputs)
        if memory is None:
            raise ValueError(f"`step` of {self._who} needs a `memory` to attend to.")
        if len(inputs.shape) != 2:
            raise ValueError(
                f"`step` of {self._who} takes inputs of shape (batch, features). "
                f"Received shape: {tuple(inputs.shape)}"
            )
        if not self.built:
            shape = memory[0].shape if isinstance(memory, tuple) else memory.shape
            self.build((inputs.shape[0], None, inputs.shape[1]), shape)
        memory = self.prepare(memory, memory_mask)
        steps = ops.expand_dims(inputs, 0)
        self._check(ops.expand_dims(inputs, 1), None, state)
        state = self._state(state, memory)
        run = self._begin(steps, memory, None, bool(training))
        multiply = Products(run.matrices, self._product_dtype)
        now = tuple(None if x is None else x[0] for x in run.streams)
        state, shown = run(multiply, run.vectors, tuple(state), now)
        shown = self._shown(*shown)
        return (shown if len(shown) > 1 else shown[0]), list(state)

    def _run(self, steps, memory, mask, state, training):
        """All steps: outputs, weights and contexts, time first, and the last state."""
        run = self._begin(steps, memory, mask, training)
        batch, source, features = ops.shape(memory.values)
        dtype = self.state_dtype
        state, emitted = bulk_scan(
            run,
            run.matrices,
            run.vectors,
            tuple(state),
            run.streams,
            (
                ((batch, self.units), dtype),
                ((batch, source), dtype),
                ((batch, features), dtype),
            ),
            self.reverse,
            self._product_dtype,
        )
        return (*emitted, state)

    def _begin(self, steps, memory, mask, training):
        """The step function, and all that it multiplies or reads."""
        generator = self.seed_generator if training else None
        cell = cell_step(self.cell, steps, mask, self._fed_size, generator)
        kernel = None
        if self._after:
            kernel = ops.convert_to_tensor(self.output_kernel)
            kernel = ops.cast(kernel, self.state_dtype)
        feeds = self._fed_size > 0
        return AttentionStep(cell, self.attention, memory, mask, kernel, feeds)

    @property
    def _product_dtype(self):
        same = self.compute_dtype == self.state_dtype
        return None if same else self.compute_dtype

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "cell": serialize(self.cell),
            "attention": serialize(self.attention),
            "attends": self.attends,
            "input_feeding": self.input_feeding,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        for part in ("cell", "attention"):
            config[part] = keras.saving.deserialize_keras_object(config[part])
        return cls(**config)
