"""Sound at another rate: a windowed sinc, with a phase for each place in between."""

import math

import numpy as np

# Half-width of the filter in zero crossings, and the Kaiser window's shape: what would
# fold over is 80 dB down, and up to 0.85 of the lower Nyquist frequency all passes.
_CROSSINGS = 32
_BETA = 8.0
_ROLL_OFF = 0.945
_BLOCK = 2**22  # numbers that are gathered at once


def resampled(samples, rate, new_rate):
    """Brings sound to another rate.

    The output at time $t$ is a sum over samples near it, weighed by a sinc at most as
    wide as the lower of both rates can hold, so that nothing folds over.

    Args:
        samples: Float array `(time,)`.
        rate, new_rate: Samples per second, positive integers.

    Returns:
        float32 `(ceil(time * new_rate / rate),)`. The sound does not move in time.

    Raises:
        ValueError: If a rate is not a positive integer.

    Reference:
        - Smith, [Digital audio resampling](
          https://ccrma.stanford.edu/~jos/resample/), 2002
    """
    for value in (rate, new_rate):
        if isinstance(value, bool) or value != int(value) or value < 1:
            raise ValueError(f"A rate must be a positive integer. Received: {value!r}")
    samples = np.asarray(samples, "float32")
    if rate == new_rate or not len(samples):
        return samples
    common = math.gcd(int(rate), int(new_rate))
    up, down = int(new_rate) // common, int(rate) // common
    cutoff = _ROLL_OFF * min(1.0, up / down)  # of the old rate's Nyquist frequency
    half = math.ceil(_CROSSINGS / cutoff)
    count = -(-len(samples) * up // down)
    places = np.arange(count, dtype="int64") * down
    before, phases = places // up, places % up
    used, phases = np.unique(phases, return_inverse=True)
    weights = _weights(used / up, half, cutoff)
    padded = np.pad(samples, (half, half))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)
    found = np.empty(count, "float32")
    step = max(1, _BLOCK // (2 * half))
    for start in range(0, count, step):
        part = slice(start, start + step)
        # Windows begin `half - 1` samples before the one at or before the new place.
        near = windows[before[part] + 1]
        found[part] = np.einsum("tk,tk->t", near, weights[phases[part]])
    return found


def _weights(fractions, half, cutoff):
    """The filter for places that lie so far after a sample, `(places, 2 * half)`."""
    distance = np.arange(1 - half, half + 1) - fractions[:, None]
    window = np.i0(_BETA * np.sqrt(np.maximum(1 - (distance / half) ** 2, 0)))
    weights = cutoff * np.sinc(cutoff * distance) * window / np.i0(_BETA)
    # Exactly 1 for what does not change, whatever the phase.
    return (weights / weights.sum(1, keepdims=True)).astype("float32")
