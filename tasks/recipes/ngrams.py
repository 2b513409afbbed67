"""A naive language model: how often did this follow that?"""

import math
from collections import Counter, defaultdict

import numpy as np


def ngram_scores(train, test, order, vocabulary_size, characters):
    """Scores of an interpolated n-gram model (Witten and Bell, 1991).

    Args:
        train, test: Integer arrays of ids.
        order: Tokens of an n-gram, the foretold one among them.
        vocabulary_size: Number of ids.
        characters: Number of characters of the test text.

    Returns:
        Dict of `"perplexity"` and `"bits_per_character"`.
    """
    after = defaultdict(Counter)
    train = [int(i) for i in train]
    for length in range(order):
        for at in range(length, len(train)):
            after[tuple(train[at - length : at])][train[at]] += 1
    totals = {context: sum(counts.values()) for context, counts in after.items()}
    loss, past = 0.0, tuple(train[-(order - 1) :]) if order > 1 else ()
    for token in map(int, test):
        chance = 1 / vocabulary_size
        for length in range(order):
            context = past[len(past) - length :]
            counts = after.get(context)
            if counts is None:
                break
            kinds, total = len(counts), totals[context]
            chance = (counts[token] + kinds * chance) / (total + kinds)
        loss -= math.log(chance)
        past = (*past, token)[-(order - 1) :] if order > 1 else ()
    return {
        "perplexity": float(np.exp(loss / len(test))),
        "bits_per_character": loss / math.log(2) / characters,
    }
