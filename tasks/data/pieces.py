"""Long recordings in pieces, cut where it is quiet."""

import numpy as np

_WINDOW = 0.05  # seconds over which loudness is measured


def quiet_pieces(samples, rate, most):
    """Cuts a recording into pieces that are not too long.

    Each piece ends at the quietest moment of its last third.

    Args:
        samples: Float array `(time,)`.
        rate: Samples per second.
        most: Most seconds of a piece.

    Returns:
        List of pairs of integers: the first sample of each piece, and the one after
        its last. A recording without samples is one empty piece.
    """
    longest, window = int(most * rate), max(1, int(_WINDOW * rate))
    pieces, start = [], 0
    while len(samples) - start > longest:
        low, high = start + longest - longest // 3, start + longest
        power = np.cumsum(samples[low:high].astype("float64") ** 2)
        # Of windows that are equally quiet, the last one: long pieces are better.
        power = (power[window:] - power[:-window])[::-1]
        quietest = len(power) - 1 - int(np.argmin(power)) if len(power) else 0
        end = min(low + quietest + window // 2 + 1, high)
        pieces.append((start, end))
        start = end
    return [*pieces, (start, len(samples))]
