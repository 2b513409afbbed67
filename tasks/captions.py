"""What a captioner answers: text, how sure it is, and where it looked."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.data.pictures import picture_array, picture_name
from tasks.results import _showable

_COLUMNS = 4
_PIXELS = 320  # of each picture that is drawn


@dataclass(frozen=True)
class Caption:
    """The caption of one picture.

    Args:
        picture: What was asked about: a path, bytes, an array or a PIL image.
        text: string, the best caption.
        score: float, what the search ranked it by, see `BeamSearch`.
        log_probability: float, of the caption by the model, in nats.
        words: tuple of strings, as they were written.
        attention: array `(words, rows, columns)`: where in the picture the model looked
            when it wrote a word. The numbers of each word sum to 1. `None` for a model
            without attention.
        candidates: tuple of `Caption`, all that the search found, the best first.
    """

    picture: Any = field(repr=False, compare=False)
    text: str
    score: float = 0.0
    log_probability: float = 0.0
    words: tuple = field(default=(), repr=False)
    attention: np.ndarray | None = field(default=None, repr=False, compare=False)
    candidates: tuple = field(default=(), repr=False)

    def __str__(self):
        return self.text

    def to_dict(self):
        """Plain values, ready for JSON; of the picture its name alone."""
        attention = [] if self.attention is None else self.attention.tolist()
        return {
            "picture": picture_name(self.picture),
            "text": self.text,
            "score": self.score,
            "log_probability": self.log_probability,
            "words": list(self.words),
            "attention": attention,
            "candidates": [{"text": c.text, "score": c.score} for c in self.candidates],
        }

    def plot(self):
        """Draws the picture, and beside it where each word looked.

        Returns:
            A `matplotlib.figure.Figure`: show it in a notebook, or `savefig` it.

        Raises:
            ImportError: If matplotlib is not installed.
            FileNotFoundError: If the picture's file is no longer there.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("Pictures need it: pip install matplotlib") from error

        image = picture_array(self.picture, _PIXELS)
        maps = [] if self.attention is None else list(self.attention)
        columns = min(_COLUMNS, 1 + len(maps))
        rows = math.ceil((1 + len(maps)) / columns)
        # Room for a caption's first line, however few pictures there are.
        size = (max(4.0, 2.2 * columns), 0.5 + 2.4 * rows)
        figure = Figure(size, layout="constrained")
        figure.suptitle(_showable(self.text), wrap=True, parse_math=False)
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for place in axes:
            place.set_axis_off()
        axes[0].imshow(image)
        for place, word, seen in zip(axes[1:], self.words, maps, strict=False):
            _draw_attention(place, image, seen)
            place.set_title(_showable(word), parse_math=False)
        return figure


def _draw_attention(axes, image, seen):
    """A picture in grey, lit where it was looked at."""
    height, width = image.shape[:2]
    axes.imshow(image.mean(2), cmap="gray", vmin=0, vmax=255)
    axes.imshow(
        seen,
        cmap="inferno",
        vmin=0,
        vmax=max(float(seen.max()), 1e-6),
        alpha=0.6,
        interpolation="bilinear",
        extent=(-0.5, width - 0.5, height - 0.5, -0.5),
    )
