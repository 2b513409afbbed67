"""What a classifier of texts answers: a label, how sure it is, and why."""

import html
import itertools
from dataclasses import dataclass, field

from tasks.results import _showable


@dataclass(frozen=True)
class Classification:
    """The label of one text.

    Args:
        text: string.
        label: string, the likeliest one.
        probabilities: dict from label to float, the likeliest first.
        tokens: tuple of strings that were read.
        attention: tuple of floats, how much each token mattered; their sum is 1, or
            0 for a text without tokens.
    """

    text: str
    label: str
    probabilities: dict
    tokens: tuple = field(default=(), repr=False)
    attention: tuple = field(default=(), repr=False)

    def __post_init__(self):
        for name in ("tokens", "attention"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.tokens) != len(self.attention):
            raise ValueError(
                f"Got {len(self.tokens)} tokens, but attention to "
                f"{len(self.attention)}."
            )

    @property
    def probability(self):
        """Probability of the label."""
        return self.probabilities[self.label]

    def highlights(self, count=3):
        """The tokens that mattered most, in the order of the text."""
        order = sorted(range(len(self.tokens)), key=lambda i: -self.attention[i])
        return [self.tokens[i] for i in sorted(order[:count])]

    def __str__(self):
        words = ", ".join(_showable(word) for word in self.highlights())
        because = f" · {words}" if words else ""
        return f"{_showable(self.label)} ({self.probability:.2f}){because}"

    def to_dict(self):
        """Plain values, ready for JSON."""
        return {
            "text": self.text,
            "label": self.label,
            "probabilities": dict(self.probabilities),
            "tokens": list(self.tokens),
            "attention": list(self.attention),
        }

    def to_html(self):
        """The words, the more marked the more they mattered."""
        most = max(self.attention, default=0) or 1
        marked = " ".join(
            f'<span title="{weight:.3f}" style="background:'
            f'rgba(66,133,244,{0.85 * weight / most:.2f})">'
            f"{html.escape(_showable(token))}</span>"
            for token, weight in zip(self.tokens, self.attention, strict=True)
        )
        label = html.escape(_showable(self.label))
        return (
            f'<div style="line-height:1.8"><b>{label}</b> '
            f"{self.probability:.2f}<br>{marked}</div>"
        )

    def _repr_html_(self):
        return self.to_html()

    def plot(self, most=40):
        """Draws how much each word mattered; returns a matplotlib figure.

        Args:
            most: How many words to show: of a longer text, those in a row that mattered
                most.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("Pictures need it: pip install matplotlib") from error

        first = self._first_shown(most)
        tokens = [_showable(token) for token in self.tokens[first : first + most]]
        figure = Figure((max(4, 0.32 * len(tokens)), 2.6), layout="constrained")
        axes = figure.subplots()
        places = range(len(tokens))
        axes.bar(places, self.attention[first : first + most], color="#4285f4")
        if len(tokens) < len(self.tokens):
            last, count = first + len(tokens), len(self.tokens)
            axes.set_xlabel(f"words {first + 1} to {last} of {count}")
        axes.set_xticks(places, tokens, rotation=60, ha="right", parse_math=False)
        axes.set_ylabel("attention")
        title = f"{_showable(self.label)} ({self.probability:.2f})"
        axes.set_title(title, fontsize=10, parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
        return figure

    def _first_shown(self, most):
        """Where the `most` words in a row begin that mattered most together."""
        before = [0.0, *itertools.accumulate(self.attention)]
        starts = range(max(1, len(self.tokens) - most + 1))
        sums = [before[min(i + most, len(before) - 1)] - before[i] for i in starts]
        return sums.index(max(sums))
