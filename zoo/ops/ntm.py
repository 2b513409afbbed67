"""Addressing, reading and writing of the Neural Turing Machine's memory.

All heads are computed at once: a weighting is `(batch, heads, slots)`, a memory
`(batch, slots, width)`.
"""

from keras import ops

from zoo.ops.activation import at_least

# Added to a product of norms, so that rows of zeros have a similarity, of zero.
COSINE_EPSILON = 1e-8
# Added where a logarithm is taken; far below what a weighting can tell from zero.
SMALLEST = 1e-30


def cosine_similarity(keys, memory):
    """Cosine of the angle between each key and each row of the memory.

    Args:
        keys: `(batch, heads, width)`.
        memory: `(batch, slots, width)`.

    Returns:
        `(batch, heads, slots)`, in [-1, 1].
    """
    products = keys @ ops.transpose(memory, (0, 2, 1))
    norms = ops.expand_dims(_norm(keys), 2) * ops.expand_dims(_norm(memory), 1)
    return products / (norms + COSINE_EPSILON)


def _norm(x):
    # The root of zero has no finite gradient.
    return ops.sqrt(ops.sum(x * x, -1) + SMALLEST)


def circular_shift(weighting, shifts):
    """Moves a weighting along the slots; what leaves at one end enters at the other.

    Args:
        weighting: `(batch, heads, slots)`.
        shifts: `(batch, heads, 2 * n + 1)`, the parts that move by -n ... n slots.

    Returns:
        `(batch, heads, slots)`.
    """
    slots, count = weighting.shape[-1], shifts.shape[-1]
    n = count // 2
    ring = weighting
    if n:
        ring = [weighting[..., slots - n :], weighting, weighting[..., :n]]
        ring = ops.concatenate(ring, -1)
    # What moves by k - n slots comes from n - k slots further on.
    parts = [
        shifts[..., k : k + 1] * ring[..., count - 1 - k : count - 1 - k + slots]
        for k in range(count)
    ]
    return sum(parts[1:], parts[0])


def sharpen(weighting, gamma):
    r"""$w_i^\gamma / \sum_j w_j^\gamma$, as a softmax of logarithms.

    Powers of small weights would all be zero, and their sum no divisor.

    Args:
        weighting: `(batch, heads, slots)`, not negative.
        gamma: `(batch, heads, 1)`, at least 1.
    """
    return ops.softmax(gamma * ops.log(at_least(weighting, 0.0) + SMALLEST), -1)


def address(memory, before, keys, strength, gate, shifts, gamma):
    """Where the heads look: by content, by place, or by both.

    Args:
        memory: `(batch, slots, width)`.
        before: Weightings of the step before, `(batch, heads, slots)`.
        keys: `(batch, heads, width)`, what to look for.
        strength: `(batch, heads, 1)`, positive: how exactly.
        gate: `(batch, heads, 1)` in [0, 1]: how much of what was found is used; the
            rest is the weighting before.
        shifts: `(batch, heads, 2 * n + 1)`, which sum up to one: how to move on.
        gamma: `(batch, heads, 1)`, at least 1: how much to sharpen.

    Returns:
        Weightings `(batch, heads, slots)`, which sum up to one.
    """
    found = ops.softmax(strength * cosine_similarity(keys, memory), -1)
    mixed = gate * found + (1 - gate) * before
    return sharpen(circular_shift(mixed, shifts), gamma)


def change(memory, weighting, erase, add):
    """What writing changes in a memory.

    All heads erase before any of them adds, so their order does not matter.

    Args:
        memory: `(batch, slots, width)`.
        weighting: `(batch, heads, slots)`.
        erase: `(batch, heads, width)`, in [0, 1].
        add: `(batch, heads, width)`.

    Returns:
        The new memory without the old one: what is added to a row that no head looks
        at is then exactly zero, and nothing wears off in a hundred thousand steps.
    """
    added = ops.transpose(weighting, (0, 2, 1)) @ add
    kept = erased = None
    for head in range(weighting.shape[1]):
        rows = ops.expand_dims(weighting[:, head], 2)
        part = rows * ops.expand_dims(erase[:, head], 1)
        # 1 - (1 - a) (1 - b) = a + (1 - a) b
        erased = part if erased is None else erased + kept * part
        kept = 1 - erased
    return added - memory * erased
