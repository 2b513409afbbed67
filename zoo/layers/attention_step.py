"""One step of a cell with attention: its equations."""

from keras import ops

from zoo.ops.lstm import tanh


class AttentionStep:
    """One step of `AttentionCell`, as `zoo.ops.bulk_scan` runs it.

    Args:
        cell: `zoo.layers.cell_steps.CellStep`.
        attention: Attention layer.
        memory: `zoo.layers.memory_reader.PreparedMemory`.
        mask: Boolean `(time, batch)` or `None`.
        kernel: Matrix that makes the attentional vector of context and output, if the
            cell attends after its step; `None` if before.
        feeds: Whether the cell is fed the context, or the attentional vector.

    Attributes:
        matrices, vectors: Dictionaries of tensors.
        streams: Tuple of tensors `(time, ...)` or `None`, inputs of each step.
    """

    def __init__(self, cell, attention, memory, mask, kernel, feeds):
        self.cell, self.attention, self.feeds = cell, attention, feeds
        self.mask, self.after = memory.mask, kernel is not None
        self.streams = (*cell.streams, mask)
        self.matrices = {
            **cell.matrices,
            **attention.matrices(),
            "values": memory.values,
        }
        self.vectors = {**cell.vectors, **attention.vectors()}
        keys = self.matrices if attention.multiplies_keys else self.vectors
        keys["keys"] = memory.keys
        if self.after:
            self.matrices["output_kernel"] = kernel

    def __call__(self, multiply, vectors, state, now):
        """New state, and output, weights and context of this step."""
        n, own = len(self.cell.cell.state_sizes), int(self.after)
        inside, alignments = state[:n], state[n + own :]
        *now, mask = now
        if self.after:
            before = state[n]
            fed = before if self.feeds else None
            output, inside = self.cell(multiply, vectors, now, fed, inside)
            context, weights = self._attend(multiply, vectors, output, alignments)
            joined = ops.concatenate([context, output], -1)
            output = _hold(mask, tanh(multiply("output_kernel", joined)), before)
            inside = (*inside, output)
        else:
            context, weights = self._attend(multiply, vectors, inside[0], alignments)
            output, inside = self.cell(multiply, vectors, now, context, inside)
        later = self.attention.next_alignments(alignments, weights)
        later = [_hold(mask, *pair) for pair in zip(later, alignments, strict=True)]
        weights = _hold(mask, weights, ops.zeros_like(weights))
        context = _hold(mask, context, ops.zeros_like(context))
        return (*inside, *later), (output, weights, context)

    def _attend(self, multiply, vectors, query, alignments):
        keys = vectors.get("keys")
        return self.attention.attend(
            multiply, vectors, query, keys, self.mask, alignments
        )


def _hold(mask, new, old):
    """The new value at valid steps, the old one at masked ones."""
    return new if mask is None else ops.where(ops.expand_dims(mask, -1), new, old)
