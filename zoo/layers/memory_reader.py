"""A memory that a recurrent layer attends to, and what the layer shows of that."""

from typing import Any, NamedTuple

import keras
from keras import ops

from zoo.eager import check_finite, mask_tensor


class PreparedMemory(NamedTuple):
    """What is attended to, with its keys made: `(batch, ...)` all of it.

    Attributes:
        values: `(batch, source, features)`, 0 in padding.
        keys: `(batch, source, units)`.
        mask: Boolean `(batch, source)`, or `None`.
    """

    values: Any
    keys: Any
    mask: Any


class MemoryReader:
    """For classes that derive from `Recurrent` too, and attend to a memory.

    They have the layer that attends as `self.attention`, and `None` among their
    `state_sizes` for alignments, which are as long as the memory.

    Args:
        units: Size of the output.
        return_attention: Whether to return the weights of all steps too.
        return_context: Whether to return the contexts of all steps too.
        **kwargs: Options of `Recurrent`.
    """

    def __init__(
        self, units, *, return_attention=False, return_context=False, **kwargs
    ):
        super().__init__(units, **kwargs)
        self.return_attention = bool(return_attention)
        self.return_context = bool(return_context)

    @property
    def _who(self):
        return f"Layer '{self.name}' ({type(self).__name__})"

    def prepare(self, memory, memory_mask=None):
        """Makes the keys of a memory, for many steps or calls.

        Args:
            memory: `(batch, source, features)`.
            memory_mask: Boolean `(batch, source)`, or `None`.

        Returns:
            `PreparedMemory`; `memory` itself, if it is one.
        """
        if isinstance(memory, PreparedMemory):
            # Keras hands over a mask of the memory's structure, if none was given.
            if not isinstance(memory_mask, (PreparedMemory, type(None))):
                raise ValueError(f"{self._who}: a prepared memory has its mask.")
            return memory
        memory, memory_mask = ops.convert_to_tensor(memory), mask_tensor(memory_mask)
        self._check_memory(memory, memory_mask)
        return PreparedMemory(*self.attention.prepare(memory, mask=memory_mask))

    def get_initial_state(self, batch_size, source_time=None):
        """Zeros: list of `(batch_size, size)`; `source_time` is that of the memory."""
        if source_time is None and None in self.state_sizes:
            raise ValueError(
                f"{self._who} keeps alignments: `get_initial_state` needs "
                "`source_time`, the length of the memory."
            )
        sizes = [source_time if n is None else n for n in self.state_sizes]
        return [ops.zeros((batch_size, n), self.state_dtype) for n in sizes]

    def _state(self, state, memory):
        batch, source, _ = ops.shape(memory.values)
        if state is None:
            return self.get_initial_state(batch, source)
        return [ops.cast(s, self.state_dtype) for s in state]

    def _check_memory(self, memory, mask):
        self.attention.check_memory(self._who, memory, mask)
        built = getattr(self, "memory_features", None)
        if built is not None and memory.shape[-1] != built:
            raise ValueError(
                f"{self._who} was built for a memory with {built} features. "
                f"Received shape: {tuple(memory.shape)}"
            )
        check_finite(self._who, "memory", memory, mask)

    def _shown(self, output, weights, contexts):
        """Tuple of the output and, if asked for, weights and contexts."""
        shown = [ops.cast(output, self.compute_dtype)]
        shown += [weights] if self.return_attention else []
        if self.return_context:
            shown.append(ops.cast(contexts, self.compute_dtype))
        return tuple(shown)

    def compute_output_spec(
        self,
        inputs,
        memory,
        mask=None,
        memory_mask=None,
        initial_state=None,
        training=None,
    ):
        if isinstance(memory, PreparedMemory):
            memory = memory.values
        self._check(inputs, mask, initial_state)
        self._check_memory(memory, memory_mask)
        batch, time, _ = inputs.shape
        lead = (batch, time) if self.return_sequences else (batch,)
        source, features = memory.shape[1:]
        shown = [keras.KerasTensor((*lead, self.units), self.compute_dtype)]
        if self.return_attention:
            shape = (batch, time, source)
            shown.append(keras.KerasTensor(shape, self.state_dtype))
        if self.return_context:
            shape = (batch, time, features)
            shown.append(keras.KerasTensor(shape, self.compute_dtype))
        if self.return_state:
            sizes = [source if n is None else n for n in self.state_sizes]
            shapes = [(batch, n) for n in sizes]
            shown += [keras.KerasTensor(s, self.state_dtype) for s in shapes]
        return tuple(shown) if len(shown) > 1 else shown[0]

    def compute_mask(self, inputs, mask=None):
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        masks = [mask if self.return_sequences else None]
        masks += [mask] * (self.return_attention + self.return_context)
        masks += [None] * (len(self.state_sizes) if self.return_state else 0)
        return tuple(masks) if len(masks) > 1 else masks[0]

    def get_config(self):
        return {
            **super().get_config(),
            "return_attention": self.return_attention,
            "return_context": self.return_context,
        }
