"""What a task answers: results that print for a person and keep their arrays."""

import html
import re
import zlib
from dataclasses import asdict, dataclass, field

from tasks.data import tags as tag_tools

# Hues of common labels lie apart; every other label draws its own from its name.
_HUES = {
    "person": 210,
    "per": 210,
    "location": 130,
    "loc": 130,
    "organization": 30,
    "org": 30,
    "corporation": 30,
    "group": 275,
    "product": 350,
    "creative-work": 180,
    "misc": 60,
}
# Control characters would hide or rewrite what a page or a terminal shows, and lone
# surrogates cannot be encoded at all.
_UNSHOWABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_SHOWN_IN_PLOT = 60  # tokens


def _showable(text):
    return _UNSHOWABLE.sub("\ufffd", text)


def _escape(text):
    return html.escape(_showable(text))


def label_hue(label):
    """Returns the hue in degrees in which a label is shown, always the same one."""
    key = label.lower()
    hue = _HUES.get(key)
    return zlib.crc32(key.encode("utf-8", "replace")) % 360 if hue is None else hue


@dataclass(frozen=True)
class Entity:
    """One entity of a text.

    Args:
        text: string, as it stands in the text.
        label: string, such as `"person"`.
        start: int, its first character.
        end: int, the one after its last character: `text[start:end]` is `text`.
        score: float in [0, 1], how sure the model is.
    """

    text: str
    label: str
    start: int
    end: int
    score: float = 1.0

    def __str__(self):
        return f"{' '.join(_showable(self.text).split())} [{_showable(self.label)}]"


@dataclass(frozen=True)
class Entities:
    """The entities of one text: a sequence of `Entity`, and what led to it.

    Args:
        text: string.
        entities: tuple of `Entity`, in order and without overlap.
        tokens: tuple of strings.
        tags: tuple of BIO tags, one a token.
        scores: tuple of floats in [0, 1], one a token.

    Raises:
        ValueError: if tokens, tags and scores differ in number.

    Example:

    >>> print(Entities.from_tags(["Ada", "in", "Rome"], ["B-per", "O", "B-loc"]))
    Ada [per] · Rome [loc]
    """

    text: str
    entities: tuple = ()
    tokens: tuple = field(default=(), repr=False)
    tags: tuple = field(default=(), repr=False)
    scores: tuple = field(default=(), repr=False)

    def __post_init__(self):
        for name in ("entities", "tokens", "tags", "scores"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if not len(self.tokens) == len(self.tags) == len(self.scores):
            raise ValueError(
                f"Got {len(self.tokens)} tokens, {len(self.tags)} tags and "
                f"{len(self.scores)} scores: expected as many of each."
            )

    @classmethod
    def from_tags(cls, tokens, tags, scores=None, text=None, offsets=None):
        """Makes the result from a tagger's answer.

        Args:
            tokens: list of strings.
            tags: list of BIO tags, one a token.
            scores: list of floats, one a token; None for 1.0. An entity is as sure
                as its least sure token.
            text: string, the text the tokens are from; None for the tokens joined
                with spaces.
            offsets: list of `(start, end)` of the tokens in `text`; needed with it.

        Returns:
            An `Entities`.

        Raises:
            ValueError: if the arguments differ in length, a tag is malformed, or
                only one of `text` and `offsets` is given.
        """
        if (text is None) != (offsets is None):
            raise ValueError("`text` and `offsets` go together: got only one of them.")
        if text is None:
            text, offsets = " ".join(tokens), _joined_offsets(tokens)
        scores = [1.0] * len(tokens) if scores is None else [float(s) for s in scores]
        for name, values in (("tags", tags), ("scores", scores), ("offsets", offsets)):
            if len(values) != len(tokens):
                raise ValueError(f"Got {len(tokens)} tokens, but {len(values)} {name}.")
        entities = []
        for first, after, label in tag_tools.spans(tags):
            start, end = int(offsets[first][0]), int(offsets[after - 1][1])
            score = min(scores[first:after])
            entities.append(Entity(text[start:end], label, start, end, score))
        return cls(text, entities, tokens, tags, scores)

    def __len__(self):
        return len(self.entities)

    def __iter__(self):
        return iter(self.entities)

    def __getitem__(self, index):
        return self.entities[index]

    def __str__(self):
        return " · ".join(map(str, self.entities)) or "(no entities)"

    def to_dict(self):
        """Returns a dict of plain lists, strings and numbers, ready for JSON."""
        return {
            "text": self.text,
            "entities": [asdict(entity) for entity in self.entities],
            "tokens": list(self.tokens),
            "tags": list(self.tags),
            "scores": list(self.scores),
        }

    def to_html(self):
        """Returns the text as a fragment of HTML with its entities marked.

        Everything is escaped; what cannot be shown becomes U+FFFD. Every script runs
        in its own direction.
        """
        parts, position = [], 0
        for entity in self.entities:
            parts.append(_escape(self.text[position : entity.start]))
            parts.append(_mark(entity))
            position = entity.end
        parts.append(_escape(self.text[position:]))
        style = "white-space:pre-wrap;overflow-wrap:anywhere;line-height:2"
        return f'<div dir="auto" style="{style}">{"".join(parts)}</div>'

    def _repr_html_(self):
        return self.to_html()

    def plot(self):
        """Plots the text with its entities highlighted, and the score of every token.

        Shows the first 60 tokens of a longer text.

        Returns:
            A `matplotlib.figure.Figure`: show it in a notebook, or `savefig` it.

        Raises:
            ImportError: if matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError(
                "A plot needs matplotlib: pip install matplotlib"
            ) from error
        return _bars(self, Figure)


def _joined_offsets(tokens):
    offsets, position = [], 0
    for token in tokens:
        offsets.append((position, position + len(token)))
        position += len(token) + 1
    return offsets


def _mark(entity):
    # Both colours are set, so the mark reads alike on a light and on a dark page.
    hue = label_hue(entity.label)
    mark = f"background:hsl({hue} 75% 85%);color:#111;padding:.1em .25em;"
    label = f"background:hsl({hue} 70% 25%);color:#fff;padding:0 .35em;"
    return (
        f'<mark dir="auto" style="{mark}border-radius:.3em" '
        f'title="{_escape(entity.label)} {entity.score:.2f}">{_escape(entity.text)} '
        f'<small dir="auto" style="{label}border-radius:.3em">'
        f"{_escape(entity.label)}</small></mark>"
    )


def _bars(result, figure_class):
    from matplotlib.colors import hsv_to_rgb

    shown = min(len(result.tokens), _SHOWN_IN_PLOT)
    figure = figure_class(figsize=(max(4.0, 0.35 * shown), 3.2), layout="constrained")
    axes = figure.add_subplot()
    by_label = {}
    for position, tag in enumerate(result.tags[:shown]):
        by_label.setdefault(tag_tools.split_tag(tag)[1], []).append(position)
    for label, positions in by_label.items():
        axes.bar(
            positions,
            [result.scores[position] for position in positions],
            color="0.75"
            if label is None
            else hsv_to_rgb((label_hue(label) / 360, 0.7, 0.8)),
            label="no entity" if label is None else _showable(label),
        )
    # A dollar sign in a tweet is no formula.
    names = [" ".join(_showable(token).split())[:20] for token in result.tokens[:shown]]
    axes.set_xticks(range(shown), names, rotation=60, ha="right", parse_math=False)
    for name, tag in zip(axes.get_xticklabels(), result.tags, strict=False):
        label = tag_tools.split_tag(tag)[1]
        if label is not None:
            colour = hsv_to_rgb((label_hue(label) / 360, 0.3, 1.0))
            name.set_bbox({"facecolor": colour, "edgecolor": "none", "pad": 2})
    axes.set_ylim(0, 1)
    axes.set_ylabel("score")
    if shown < len(result.tokens):
        axes.set_xlabel(f"first {shown} of {len(result.tokens)} tokens")
    if by_label:
        legend = figure.legend(loc="outside upper center", ncols=4, frameon=False)
        for entry in legend.get_texts():
            entry.set_parse_math(False)
    return figure


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ font: 1rem/1.6 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto;
       padding: 0 1rem; }}
li {{ margin: 1rem 0; }}
</style>
</head>
<body>
<h1 dir="auto">{title}</h1>
<ol>
{items}
</ol>
</body>
</html>
"""


def entities_html(results, title="Entities"):
    """Writes a page of results: a whole HTML document that needs no other file.

    Args:
        results: list of `Entities`, or of what other tasks answer.
        title: string.

    Returns:
        A string that encodes as UTF-8.
    """
    items = "\n".join(f"<li>{_html_of(result)}</li>" for result in results)
    return _PAGE.format(title=_escape(title), items=items)


def _html_of(result):
    if hasattr(result, "to_html"):
        return result.to_html()
    return f'<div dir="auto" style="white-space:pre-wrap">{_escape(str(result))}</div>'
