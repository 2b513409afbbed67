"""Linear-chain CRF: partition function, path score, marginals, best path.

Everything here is time first and computes in the float dtype it is given:

    logits       (time, batch, tags)   score of each tag at each step
    mask         (time, batch)         1.0 at a step of the chain, 0.0 at a skipped one
    transitions  (tags, tags)          score of a move from tag i to tag j
    start, end   (tags,)               score of the first and of the last tag

A skipped step holds the state, so holes and left padding need no special case, and
what stands at a skipped step is never read. The gradient of the partition function
is written by hand: it is the posterior of the chain, found by sampling's recursion
(from the last step to the first, each step given its successor), which stays within
[0, 1] whatever the scores are.
"""

from keras import ops

from zoo.ops.activation import at_least
from zoo.ops.scan import custom_gradient, time_scan

# Sums over moves multiply probabilities if the transitions span less than this: then
# a tag too unlikely for exp() adds at most exp(-87 + 60) to any sum of the next step.
# Wider transitions, as of forbidden moves, are summed in the log domain.
_NARROW = 60.0


def log_partition(logits, mask, transitions, start, end, offsets=None):
    """Logarithm of the sum of the exponentiated scores of all paths.

    Args:
        logits, mask, transitions, start, end: As in the module's docstring.
        offsets: `(time, batch)`, subtracted step by step, `None` for zeros. With the
            scores of the true path the result is its negative log-likelihood, and
            long chains do not lose it in the difference of two large sums.

    Returns:
        `(batch,)`. The empty chain has one path, of score 0.
    """
    offsets = ops.zeros_like(mask) if offsets is None else offsets
    return _partition(logits, mask, transitions, start, end, offsets)[0]


@custom_gradient
def _partition(logits, mask, transitions, start, end, offsets):
    messages, last, total = _forward_sum(logits, mask, transitions, start, offsets)
    total = total + _any_step(mask) * ops.logsumexp(last + end, axis=-1)

    def gradient(upstream):
        weight = upstream[0]
        final = _final_posterior(last, end, mask) * weight[:, None]
        steps, moves = _backward(messages, final, mask, transitions)
        firsts = ops.sum(steps * _first_step(mask)[:, :, None], axis=(0, 1))
        return (
            steps,
            ops.zeros_like(mask),
            moves,
            firsts,
            ops.sum(final, axis=0),
            ops.zeros_like(mask) - weight,
        )

    return (total,), gradient


def marginals(logits, mask, transitions, start, end):
    """Posterior probability of each tag at each step.

    Returns:
        `(time, batch, tags)`; each step's sum is 1, at skipped steps 0. It has no
        gradient.
    """
    logits, transitions, start, end = _constants(logits, transitions, start, end)
    zeros = ops.zeros_like(mask)
    messages, last, _ = _forward_sum(logits, mask, transitions, start, zeros)
    final = _final_posterior(last, end, mask)
    return _backward(messages, final, mask, transitions)[0]


def best_path(logits, mask, transitions, start, end):
    """The path of the highest score (Viterbi).

    Transitions and boundaries of minus infinity forbid a move for good.

    Returns:
        Tags `(time, batch)` int32, 0 at skipped steps, and the scores `(batch,)`.
        Neither has a gradient.
    """
    logits, transitions, start, end = _constants(logits, transitions, start, end)

    def arrive(before):
        return ops.max(before[:, :, None] + transitions, axis=1)

    zeros = ops.zeros_like(mask)
    messages, last, total = _forward(logits, mask, start, zeros, arrive)
    score = total + _any_step(mask) * ops.max(last + end, axis=-1)
    into = ops.transpose(transitions)

    # The best predecessor is found again from the stored messages, for the one tag
    # that was chosen, instead of for all tags on the way forward.
    def step(state, inputs):
        (tag,), (before, inside, moved) = state, inputs
        emitted = ops.where(inside > 0, tag, ops.zeros_like(tag))
        scores = before + ops.take(into, tag, axis=0)
        previous = ops.cast(ops.argmax(scores, axis=-1), "int32")
        return (ops.where(moved > 0, previous, tag),), (emitted,)

    tag = ops.cast(ops.argmax(last + end, axis=-1), "int32")
    inputs = (_before(messages), mask, _moved(mask))
    outputs = ((ops.shape(tag), "int32"),)
    _, (tags,) = time_scan(step, (tag,), inputs, outputs, reverse=True)
    return tags, score


def path_scores(logits, tags, mask, transitions, start, end):
    """Score of the given path, in parts that sum to it: `(time, batch)`.

    Emissions stand at their steps. Moves stand where they are once the holes of the
    mask are closed: only sums over time mean something.

    Args:
        tags: `(time, batch)` int32 in `[0, number of tags)`, also at skipped steps.
        logits, mask, transitions, start, end: As in the module's docstring.
    """
    num_tags = transitions.shape[0]
    chosen = tags[:, :, None] == ops.arange(num_tags, dtype="int32")
    chosen = ops.logical_and(chosen, mask[:, :, None] > 0)
    emitted = ops.sum(ops.where(chosen, logits, ops.zeros_like(logits)), axis=-1)

    length = ops.shape(mask)[0]
    steps = ops.arange(length, dtype="int32")[:, None]
    order = ops.argsort(ops.where(mask > 0, steps, steps + length), axis=0)
    tags = ops.take_along_axis(tags, order, axis=0)
    count = ops.cast(ops.sum(mask, axis=0), "int32")
    before = ops.concatenate([tags[:1], tags[:-1]], axis=0)
    moves = ops.take(ops.reshape(transitions, (-1,)), before * num_tags + tags)
    entered = ops.where(steps == 0, ops.take(start, tags), moves)
    left = ops.take(end, tags)
    zeros = ops.zeros_like(mask)
    return (
        emitted
        + ops.where(steps < count, entered, zeros)
        + ops.where(steps == count - 1, left, zeros)
    )


def _forward_sum(logits, mask, transitions, start, offsets):
    peak = ops.max(transitions)
    odds = ops.exp(transitions - peak)

    def multiplied(before):
        # A matmul would be computed in TF32 or bfloat16 on accelerators.
        odd = ops.sum(ops.exp(before)[:, :, None] * odds, axis=1)
        return ops.log(odd) + peak

    def exact(before):
        return ops.logsumexp(before[:, :, None] + transitions, axis=1)

    return ops.cond(
        _is_narrow(transitions),
        lambda: _forward(logits, mask, start, offsets, multiplied),
        lambda: _forward(logits, mask, start, offsets, exact),
    )


def _forward(logits, mask, start, offsets, arrive):
    """Messages `(time, batch, tags)` with maximum 0, the last one, and the total.

    The maxima, less the offsets, are summed apart: in one float, long chains would
    lose the differences between tags.
    """

    def step(state, inputs):
        (before, total), (logit, inside, first, offset) = state, inputs
        score = ops.where(first[:, None] > 0, start, arrive(before)) + logit
        peak = ops.max(score, axis=-1)
        after = ops.where(inside[:, None] > 0, score - peak[:, None], before)
        gained = ops.where(inside > 0, peak, ops.zeros_like(peak))
        return (after, total + (gained - offset)), (after,)

    batch, num_tags = ops.shape(mask)[1], start.shape[0]
    state = (ops.zeros((batch, num_tags), mask.dtype), ops.zeros((batch,), mask.dtype))
    inputs = (logits, mask, _first_step(mask), offsets)
    outputs = (((batch, num_tags), mask.dtype),)
    (last, total), (messages,) = time_scan(step, state, inputs, outputs)
    return messages, last, total


def _backward(messages, final, mask, transitions):
    odds = ops.exp(transitions - ops.max(transitions))

    def multiplied(before):
        joint = ops.exp(before)[:, :, None] * odds
        return joint / ops.sum(joint, axis=1, keepdims=True)

    def exact(before):
        joint = before[:, :, None] + transitions
        total = ops.logsumexp(joint, axis=1, keepdims=True)
        # A tag that no move leads to has a total of minus infinity.
        return ops.exp(joint - at_least(total, -1e30))

    return ops.cond(
        _is_narrow(transitions),
        lambda: _backward_loop(messages, final, mask, transitions, multiplied),
        lambda: _backward_loop(messages, final, mask, transitions, exact),
    )


def _backward_loop(messages, final, mask, transitions, came_from):
    """Posteriors of tags `(time, batch, tags)`, of moves `(tags, tags)` summed.

    `came_from(message)` is the distribution `(batch, tags, tags)` of the previous
    tag (axis 1) given the next one (axis 2). `final` is the posterior of the last
    tag, or any multiple of it.
    """

    def step(state, inputs):
        (after, moves), (before, inside, moved) = state, inputs
        joint = came_from(before) * after[:, None, :]
        moves = moves + ops.sum(joint * moved[:, None, None], axis=0)
        earlier = ops.where(moved[:, None] > 0, ops.sum(joint, axis=2), after)
        return (earlier, moves), (after * inside[:, None],)

    state = (final, ops.zeros_like(transitions))
    inputs = (_before(messages), mask, _moved(mask))
    outputs = ((ops.shape(final), final.dtype),)
    (_, moves), (steps,) = time_scan(step, state, inputs, outputs, reverse=True)
    return steps, moves


def _is_narrow(transitions):
    # False for NaN and infinite spans.
    return ops.max(transitions) - ops.min(transitions) < _NARROW


def _final_posterior(last, end, mask):
    return ops.softmax(last + end, axis=-1) * _any_step(mask)[:, None]


def _before(messages):
    """The message each step was entered with; the first step's is never used."""
    return ops.concatenate([messages[:1], messages[:-1]], axis=0)


def _any_step(mask):
    return ops.cast(ops.any(mask > 0, axis=0), mask.dtype)


def _first_step(mask):
    """1.0 at the first valid step of each row."""
    return mask * ops.cast(ops.cumsum(mask, axis=0) == 1, mask.dtype)


def _moved(mask):
    """1.0 at the steps that were entered by a move from another step."""
    return mask - _first_step(mask)


def _constants(*tensors):
    return [ops.stop_gradient(tensor) for tensor in tensors]
