"""Sound as a picture: the energy in bands of pitch, step by step."""

import math

import numpy as np
from keras import ops

NORMALIZATIONS = ("utterance", "corpus")
# Added to energies: below the noise of 16 bits, and the logarithm of silence is finite.
_FLOOR = 1e-6
# Few shapes, for backends that compile each anew.
_BUCKET, _ROWS = 4000, 16  # samples, and recordings


class LogMel:
    r"""Logarithms of mel energies of windows of sound.

    A window $w$ (Hann) of samples is brought to frequencies $X_f$; triangles $M_{mf}$,
    evenly spaced on the mel scale $2595 \log_{10}(1 + f / 700)$, gather their power:

    $$x_m = \log(\epsilon + \sum_f M_{mf} |X_f|^2 / \sum w^2)$$

    Window $i$ begins $i$ steps after the recording. A recording that is shorter than a
    window is filled up with zeros; else a last window that is not full is left out.

    Args:
        sample_rate: Samples per second.
        window, step: In seconds.
        num_mels: Number of bands.
        normalization: `"utterance"`, mean 0 and deviation 1 of each band over one
            recording; or `"corpus"`, over those that `scaler` was learned from.
        scaler: For the latter, float array `(2, num_mels)`: means and deviations.

    Raises:
        ValueError: If an option is out of range.

    Example:

    >>> import numpy as np
    >>> (features,) = LogMel(8000, num_mels=40).of([np.zeros(8000, "float32")])
    >>> features.shape
    (98, 40)
    """

    def __init__(
        self,
        sample_rate,
        window=0.025,
        step=0.01,
        num_mels=80,
        normalization="utterance",
        scaler=None,
    ):
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"`normalization` must be one of {NORMALIZATIONS}. "
                f"Received: {normalization!r}"
            )
        for name, value in (("sample_rate", sample_rate), ("num_mels", num_mels)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {value!r}"
                )
        self.sample_rate, self.num_mels = sample_rate, num_mels
        self.window, self.step = (round(x * sample_rate) for x in (window, step))
        if not 0 < self.step <= self.window:
            raise ValueError(
                "`window` and `step` are seconds, with 0 < step <= window. "
                f"Received: {window!r} and {step!r}"
            )
        self.normalization, self.scaler = normalization, scaler
        self.fft_length = 2 ** math.ceil(math.log2(self.window))
        # Periodic, as for a transform.
        angle = 2 * np.pi * np.arange(self.window) / self.window
        self._shape = (0.5 - 0.5 * np.cos(angle)).astype("float32")
        bank = mel_bank(sample_rate, self.fft_length, num_mels)
        if not bank.any(0).all():
            raise ValueError(
                f"{num_mels} bands are more than windows of {window} s can tell apart "
                f"at {sample_rate} samples per second; give fewer, or longer windows."
            )
        self._bank = (bank / (self._shape**2).sum()).astype("float32")

    def frames(self, length):
        """Number of windows of so many samples; an integer, an array or a tensor."""
        more = (length - self.window) // self.step + 1
        if isinstance(length, int):
            return max(more, min(length, 1))
        return ops.maximum(more, ops.minimum(length, 1))

    def seconds(self, frame):
        """When the middle of the step that belongs to a window begins."""
        return (frame * self.step + (self.window - self.step) / 2) / self.sample_rate

    def __call__(self, samples, lengths):
        """The features of a batch, in `keras.ops`.

        Args:
            samples: `(batch, time)`, float32 from -1 to 1.
            lengths: Integers `(batch,)`, how many samples are the recording's.

        Returns:
            `(batch, frames, num_mels)`, 0 where there is nothing, and a boolean mask
            `(batch, frames)`.
        """
        lengths = ops.cast(lengths, "int32")
        time = ops.shape(samples)[1]
        inside = ops.arange(time, dtype="int32") < lengths[:, None]
        samples = ops.where(inside, ops.cast(samples, "float32"), 0.0)
        samples = ops.pad(samples, ((0, 0), (0, self.window)))
        count = time // self.step + 1
        starts = ops.arange(count, dtype="int32")[:, None] * self.step
        places = starts + ops.arange(self.window, dtype="int32")
        # The last ones would begin after the end; they are no windows of a recording.
        places = ops.minimum(places, time + self.window - 1)
        windows = ops.take(samples, places, axis=1) * self._shape
        real, imaginary = ops.rfft(windows, self.fft_length)
        energy = ops.matmul(real**2 + imaginary**2, self._bank)
        mask = ops.arange(count, dtype="int32") < self.frames(lengths)[:, None]
        return self._normal(ops.log(energy + _FLOOR), mask), mask

    def _normal(self, x, mask):
        valid = ops.cast(mask, "float32")[:, :, None]
        if self.normalization == "corpus":
            if self.scaler is not None:
                x = (x - self.scaler[0]) / self.scaler[1]
            return x * valid
        total = ops.maximum(ops.sum(valid, 1, keepdims=True), 1.0)
        x = x - ops.sum(x * valid, 1, keepdims=True) / total
        spread = ops.sum(x**2 * valid, 1, keepdims=True) / total
        # Silence stays 0, whatever its last bits are.
        return x * valid / ops.sqrt(ops.maximum(spread, 1e-4))

    def of(self, recordings):
        """The features of recordings: list of float32 arrays `(frames, num_mels)`.

        Args:
            recordings: List of arrays `(time,)`, see
                `tasks.data.audio.recording_array`.
        """
        groups, found = {}, [None] * len(recordings)
        for number, samples in enumerate(recordings):
            length = max(1, -(-len(samples) // _BUCKET)) * _BUCKET
            groups.setdefault(length, []).append(number)
        for length, members in groups.items():
            for start in range(0, len(members), _ROWS):
                few = members[start : start + _ROWS]
                arrays = self._few([recordings[n] for n in few], length)
                for number, array in zip(few, arrays, strict=True):
                    found[number] = array
        return found

    def _few(self, recordings, length):
        rows = 1 if len(recordings) == 1 else _ROWS
        padded, lengths = np.zeros((rows, length), "float32"), np.zeros(rows, "int32")
        for row, samples in enumerate(recordings):
            padded[row, : len(samples)], lengths[row] = samples, len(samples)
        features = ops.convert_to_numpy(self(padded, lengths)[0])
        counts = [self.frames(len(samples)) for samples in recordings]
        # Copies, as a view would keep all of them.
        return [features[row, :count].copy() for row, count in enumerate(counts)]


def learn_scaler(features):
    """Means and deviations of each band over recordings, `(2, num_mels)`.

    Args:
        features: List of arrays `(frames, num_mels)`, as they are without a scaler.
    """
    count = max(1, sum(map(len, features)))
    mean = sum(x.sum(0, dtype="float64") for x in features) / count
    square = sum(((x - mean) ** 2).sum(0) for x in features) / count
    return np.stack([mean, np.sqrt(np.maximum(square, 1e-4))]).astype("float32")


def mel_bank(sample_rate, fft_length, num_mels, lowest=20.0):
    """Triangles over frequencies, `(fft_length // 2 + 1, num_mels)`, 1 at their peaks.

    They reach from `lowest` to half of the rate; each begins at the peak of the one
    before it and ends at that of the one after it.

    Reference:
        - Davis and Mermelstein, [Comparison of parametric representations for
          monosyllabic word recognition](https://doi.org/10.1109/TASSP.1980.1163420),
          1980
    """

    def mel(frequency):
        return 2595 * np.log10(1 + np.asarray(frequency) / 700)

    ends = np.linspace(mel(lowest), mel(sample_rate / 2), num_mels + 2)
    edges = 700 * (10 ** (ends / 2595) - 1)
    frequencies = np.arange(fft_length // 2 + 1) * sample_rate / fft_length
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising = (frequencies[:, None] - low) / (middle - low)
    falling = (high - frequencies[:, None]) / (high - middle)
    return np.maximum(np.minimum(rising, falling), 0)
