"""Zoneout: random parts of a state keep their value for a step."""

import keras
import numpy as np
from keras import ops


def mix(old, new, hold, rate):
    """The old value where `hold`; elsewhere `rate` parts old, the rest new."""
    if rate:
        new = new + rate * (old - new)
    return new if hold is None else ops.where(hold, old, new)


def unmix(gradient, hold, rate):
    """Splits the gradient of a mixture into those of its new and its old part."""
    new = gradient if hold is None else ops.where(hold, 0.0, gradient)
    old = gradient - new
    if rate:
        old = old + rate * new
        new = (1 - rate) * new
    return new, old


def zoneout_mask(rate, shape, seed):
    """Draws which units are held, each with probability `rate`.

    One random byte decides a unit, and four bytes come from one random integer. Each
    step's threshold is rounded at random to a multiple of 1/256, which keeps the
    probability exact.

    Args:
        rate: Number in [0, 1].
        shape: `(time, batch, units)`.
        seed: `keras.random.SeedGenerator`.

    Returns:
        Boolean tensor of that shape.
    """
    time, batch, units = shape
    words = -(-units // 4)
    bits = _random_integers(time, batch, words, seed)
    shifts = ops.convert_to_tensor(np.array([[0], [8], [16], [24]], "int32"))
    octets = ops.bitwise_and(ops.bitwise_right_shift(bits, shifts), 255)
    octets = ops.reshape(octets, (time, batch, 4 * words))[:, :, :units]
    jitter = keras.random.uniform((time, 1, 1), dtype="float32", seed=seed)
    threshold = ops.cast(ops.floor(256.0 * rate + jitter), "int32")
    return octets < threshold


def _random_integers(time, batch, words, seed):
    """32 random bits for each of `(time, batch, 1, words)`.

    Places are numbered, and their numbers scrambled with two random keys. XLA's own
    generator takes a hundred times as long on a CPU, as long as all of an LSTM's
    arithmetic that is no product.
    """
    keys = keras.random.randint((2,), -(2**31), 2**31 - 1, "int32", seed)
    t = ops.reshape(ops.arange(time, dtype="int32"), (-1, 1, 1, 1))
    b = ops.reshape(ops.arange(batch, dtype="int32"), (-1, 1, 1))
    w = ops.arange(words, dtype="int32")
    place = (t * batch + b) * words + w
    return _scramble(ops.bitwise_xor(_scramble(place + keys[0]), keys[1]))


def _scramble(x):
    """Chris Wellons' `lowbias32`, a bijection whose bits look independent.

    Integers wrap around; their right shift copies the sign, which is masked off.
    """
    for bits, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)):
        x = ops.bitwise_xor(x, _shift(x, bits))
        x = x * ops.convert_to_tensor(factor, "int32")
    return ops.bitwise_xor(x, _shift(x, 16))


def _shift(x, bits):
    return ops.bitwise_and(ops.bitwise_right_shift(x, bits), 2 ** (32 - bits) - 1)
