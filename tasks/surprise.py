"""How surprising a text was to a language model, to read and to look at."""

import html
from dataclasses import dataclass, field

import numpy as np

from tasks.results import _showable

_PER_ROW = 80
_MOST_BITS = 10.0


@dataclass(frozen=True)
class Surprise:
    """What each token of a text cost a language model.

    Args:
        text: string.
        tokens: tuple of strings.
        token_bits: array `(tokens,)`, bits of surprise.
    """

    text: str
    tokens: tuple = field(repr=False)
    token_bits: np.ndarray = field(repr=False)

    def __post_init__(self):
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "token_bits", np.asarray(self.token_bits, "float64"))
        if len(self.tokens) != len(self.token_bits):
            raise ValueError(
                f"Got {len(self.tokens)} tokens and {len(self.token_bits)} numbers."
            )

    @property
    def bits(self):
        """Bits of all tokens together."""
        return float(np.sum(self.token_bits))

    @property
    def bits_per_character(self):
        """Bits for each character of the text; 0 for an empty one."""
        return self.bits / max(1, len(self.text))

    @property
    def perplexity(self):
        """Two to the bits per token: among how many equal choices the model chose."""
        return float(2 ** np.minimum(self.bits / max(1, len(self.tokens)), 1000))

    def __str__(self):
        short = " ".join(_showable(self.text).split())
        short = short if len(short) <= 60 else short[:57] + "..."
        return (
            f"{short!r}: {self.bits_per_character:.2f} bits per character, "
            f"perplexity {self.perplexity:.1f}"
        )

    def to_dict(self):
        """Plain values, ready for JSON."""
        return {
            "text": self.text,
            "bits_per_character": self.bits_per_character,
            "perplexity": self.perplexity,
            "tokens": list(self.tokens),
            "token_bits": self.token_bits.tolist(),
        }

    def to_html(self):
        """The text, the more marked the more surprising it was."""
        parts = []
        for token, bits in zip(self._spaced(), self.token_bits, strict=True):
            share = min(bits / _MOST_BITS, 1.0)
            shown = html.escape(_showable(token)).replace("\n", "↵<br>")
            parts.append(
                f'<span title="{bits:.1f} bits" style="background:'
                f'rgba(214,69,65,{share:.2f})">{shown}</span>'
            )
        return (
            '<div style="font-family:monospace;line-height:1.6;white-space:pre-wrap">'
            f"{''.join(parts)}</div>"
        )

    def _repr_html_(self):
        return self.to_html()

    def _spaced(self):
        """Tokens with the spaces between them, where the tokens have none."""
        if "".join(self.tokens) == self.text:
            return self.tokens
        return [f"{t} " if not t.startswith("▁") else f" {t[1:]}" for t in self.tokens]

    def plot(self, characters=800):
        """Draws the text in colours; returns a matplotlib figure.

        Args:
            characters: How many to show at most.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        try:
            from matplotlib import colormaps, colors
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("Pictures need it: pip install matplotlib") from error

        rows = self._rows(characters)
        longest = max(map(len, rows), default=1)
        size = (1.5 + 8.5 * max(20, longest) / _PER_ROW, 0.6 + 0.26 * max(1, len(rows)))
        figure = Figure(size, layout="constrained")
        axes = figure.subplots()
        colormap = colormaps["OrRd"]
        for y, row in enumerate(rows):
            for x, (character, bits) in enumerate(row):
                share = min(bits / _MOST_BITS, 1.0)
                axes.add_patch(_square(x, y, colormap(share)))
                ink = "white" if share > 0.7 else "black"
                axes.text(
                    x + 0.5,
                    y + 0.52,
                    character,
                    family="monospace",
                    fontsize=9,
                    color=ink,
                    ha="center",
                    va="center",
                    parse_math=False,
                )
        axes.set_xlim(0, longest)
        axes.set_ylim(max(1, len(rows)), 0)
        axes.set_axis_off()
        scale = colors.Normalize(0, _MOST_BITS)
        figure.colorbar(
            _mappable(scale, colormap), ax=axes, label="bits", shrink=0.8, aspect=12
        )
        figure.suptitle(
            f"{self.bits_per_character:.2f} bits per character", fontsize=10
        )
        return figure

    def _rows(self, characters):
        """Rows of `(character, bits of its token)`."""
        rows, row = [], []
        shown = 0
        for token, bits in zip(self._spaced(), self.token_bits, strict=True):
            for character in token:
                if shown == characters:
                    break
                shown += 1
                broken = character == "\n"
                row.append(("↵" if broken else _showable(character), float(bits)))
                if broken or len(row) == _PER_ROW:
                    rows.append(row)
                    row = []
        return [*rows, row] if row else rows


def _square(x, y, color):
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), 1, 1, facecolor=color, linewidth=0)


def _mappable(scale, colormap):
    from matplotlib.cm import ScalarMappable

    return ScalarMappable(scale, colormap)
