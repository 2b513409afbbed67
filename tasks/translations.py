"""What a translator answers: text, how sure it is, and where it looked."""

from dataclasses import dataclass, field

import numpy as np

from tasks.results import _showable


@dataclass(frozen=True)
class Translation:
    """The translation of one text.

    Args:
        source: string.
        text: string, the best translation.
        score: float, what the search ranked it by, see `BeamSearch`.
        log_probability: float, of the translation by the model, in nats.
        source_tokens, tokens: tuples of strings, the pieces that were read and written.
        attention: array `(tokens, source_tokens)`: where the model looked when it wrote
            a token. Each row sums to 1.
        candidates: tuple of `Translation`, all that the search found, the best first.
    """

    source: str
    text: str
    score: float = 0.0
    log_probability: float = 0.0
    source_tokens: tuple = field(default=(), repr=False)
    tokens: tuple = field(default=(), repr=False)
    attention: np.ndarray | None = field(default=None, repr=False, compare=False)
    candidates: tuple = field(default=(), repr=False)

    def __post_init__(self):
        for name in ("source_tokens", "tokens", "candidates"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def __str__(self):
        return self.text

    def to_dict(self):
        """Plain values, ready for JSON."""
        attention = [] if self.attention is None else self.attention.tolist()
        return {
            "source": self.source,
            "text": self.text,
            "score": self.score,
            "log_probability": self.log_probability,
            "source_tokens": list(self.source_tokens),
            "tokens": list(self.tokens),
            "attention": attention,
            "candidates": [{"text": c.text, "score": c.score} for c in self.candidates],
        }

    def plot(self):
        """Draws where each word of the translation looked; a matplotlib figure.

        Raises:
            ImportError: If matplotlib is not installed.
            ValueError: If there is nothing to show.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("Pictures need it: pip install matplotlib") from error

        if self.attention is None or not self.attention.size:
            raise ValueError("This translation has no attention to draw.")
        rows, columns = self.attention.shape
        size = (1.5 + 0.42 * columns, 1.2 + 0.32 * rows)
        figure = Figure(size, layout="constrained")
        axes = figure.subplots()
        axes.imshow(self.attention, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        source = [_showable(token) for token in self.source_tokens]
        written = [_showable(token) for token in self.tokens]
        axes.set_xticks(
            range(columns), source, rotation=60, ha="left", parse_math=False
        )
        axes.set_yticks(range(rows), written, parse_math=False)
        axes.xaxis.tick_top()
        return figure
