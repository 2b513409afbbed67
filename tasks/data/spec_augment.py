"""Features as other speakers might have spoken them, and with parts of them missing."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SpecAugment:
    """Changes features at random, for training.

    Args:
        masks: Number of masks over time, and of as many over bands.
        time_mask: Largest part of the frames that one mask hides.
        mel_mask: Largest part of the bands that one mask hides.
        stretch: Most by which a recording becomes longer or shorter, as a part of it.
        warp: Most by which pitches move up or down, in bands at the middle of all: as
            in mouths that are smaller or larger.

    Raises:
        ValueError: If a number is out of range.

    References:
        - Park et al., [SpecAugment](https://arxiv.org/abs/1904.08779), 2019
        - Jaitly and Hinton, [Vocal tract length perturbation (VTLP) improves speech
          recognition](https://www.cs.toronto.edu/~hinton/absps/perturb.pdf), 2013
    """

    masks: int = 2
    time_mask: float = 0.1
    mel_mask: float = 0.15
    stretch: float = 0.0
    warp: float = 0.0

    def __post_init__(self):
        for name, most in (("time_mask", 1), ("mel_mask", 1), ("stretch", 0.9)):
            value = getattr(self, name)
            if isinstance(value, bool) or not 0 <= value <= most:
                raise ValueError(
                    f"`{name}` must be from 0 to {most}. Received: {value!r}"
                )
        for name in ("masks", "warp"):
            value = getattr(self, name)
            if isinstance(value, bool) or not 0 <= value < float("inf"):
                raise ValueError(f"`{name}` must be at least 0. Received: {value!r}")

    def __call__(self, features, random, least=1, most=None):
        """Other features of the same words; the ones given stay as they are.

        Args:
            features: Array `(frames, bands)`, normalised: 0 is what hides.
            random: NumPy generator; as many numbers are drawn from it whatever the
                features are.
            least, most: Frames that the result must have, and may have.
        """
        frames, bands = features.shape
        stretch, warp = random.uniform(-1, 1, 2) * (self.stretch, self.warp)
        drawn = random.random((2, int(self.masks), 2))
        if not frames:
            return features
        most = max(frames, least) if most is None else most
        count = round(np.clip(round(frames * (1 + stretch)), least, most))
        if count != frames:
            features = _interpolated(
                features, (np.arange(count) + 0.5) * frames / count
            )
        if warp:
            places = np.arange(bands) + 0.5
            # Ends stay where they are.
            moved = places + warp * np.sin(np.pi * places / bands)
            features = _interpolated(features.T, moved).T
        features = np.array(features, "float32")
        for (width, start), (wide, low) in zip(*drawn, strict=True):
            features[_part(width * self.time_mask, start, count)] = 0
            features[:, _part(wide * self.mel_mask, low, bands)] = 0
        return features


def _part(share, start, count):
    width = int(share * count)
    first = int(start * (count - width + 1))
    return slice(first, first + width)


def _interpolated(x, places):
    """Rows of `x` at places between them, where row `i` is at `i + 0.5`."""
    places = np.clip(places - 0.5, 0, len(x) - 1)
    low = np.minimum(places.astype(int), max(len(x) - 2, 0))
    high = np.minimum(low + 1, len(x) - 1)
    share = (places - low)[:, None]
    return x[low] * (1 - share) + x[high] * share
