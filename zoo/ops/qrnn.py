"""The convolution windows of quasi-recurrent networks, over valid steps alone."""

from keras import ops

from zoo.ops.linear_scan import hold, shift


def windows(inputs, before, after, *, mask=None, reverse=False, engine="loop"):
    """Puts the valid steps around each step beside it.

    A masked step is as if absent: the neighbours of a valid step are the nearest
    valid ones. What stands at masked steps has no meaning.

    Args:
        inputs: `(time, batch, features)`.
        before: List of tensors `(batch, features)`: the inputs before the first step,
            the oldest first. There are as many as steps looked back at.
        after: Number of steps looked ahead at; zeros follow the last one.
        mask: Boolean `(time, batch)` or `None`.
        reverse: Whether time runs backwards: what comes before is then at the end.
        engine: As of `zoo.ops.linear_scan`.

    Returns:
        `(time, batch, (len(before) + 1 + after) * features)`, the oldest step first,
        and the list of tensors that is `before` for steps that follow these.
    """
    firsts = [ops.cast(x, inputs.dtype) for x in reversed(before)]
    older, ends = _neighbours(inputs, firsts, mask, reverse, engine)
    zeros = ops.zeros_like(inputs[0])
    newer, _ = _neighbours(inputs, after * [zeros], mask, not reverse, engine)
    columns = [*reversed(older), inputs, *newer]
    joined = columns[0] if len(columns) == 1 else ops.concatenate(columns, -1)
    return joined, list(reversed(ends))


def _neighbours(x, firsts, mask, reverse, engine):
    """The valid step before each one, that before it, and so on.

    The neighbour of a step is what was last seen before it, and the neighbour's
    neighbour is what that step had as its neighbour: each is a linear recurrence that
    holds what it saw, so gradients come back without scattering them.
    """
    found, ends = [], []
    for first in firsts:
        seen = hold(x, mask, first, reverse=reverse, engine=engine)
        ends.append(seen[0 if reverse else -1])
        x = shift(seen, first, reverse)
        found.append(x)
    return found, ends
