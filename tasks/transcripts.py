"""What a recognizer of speech answers: text, and when each part of it was heard."""

import html
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tasks.data.audio import recording_name
from tasks.results import _showable

_WIDEST = 40.0  # inches


@dataclass(frozen=True)
class Heard:
    """A character or a word of a recording.

    Args:
        text: string.
        start, end: floats, in seconds after the recording begins: from the first to the
            last step at which the model is sure of it. A sound may well go on longer.
    """

    text: str
    start: float
    end: float

    def __str__(self):
        return f"{_showable(self.text)} ({self.start:.2f}-{self.end:.2f} s)"


@dataclass(frozen=True)
class Transcript:
    """What was said in one recording.

    Args:
        recording: What was asked about: a path, bytes, an array.
        text: string, the best transcript; empty if nothing was heard.
        score: float, what it was ranked by: its log-probability in nats, summed over
            the alignments that the search followed.
        seconds: float, how long the recording is.
        characters: tuple of `Heard`, spaces among them.
        candidates: tuple of `Transcript`, all that the search found, the best first; of
            a recording that was read in several pieces, the best alone.
        features: array `(frames, bands)` that was read.
        frame_seconds: float, from one frame to the next.
    """

    recording: Any = field(repr=False, compare=False)
    text: str
    score: float = 0.0
    seconds: float = 0.0
    characters: tuple = field(default=(), repr=False)
    candidates: tuple = field(default=(), repr=False)
    features: np.ndarray | None = field(default=None, repr=False, compare=False)
    frame_seconds: float = field(default=0.01, repr=False)

    @property
    def words(self):
        """Tuple of `Heard`: the words of the text."""
        found, own = [], []
        for character in (*self.characters, None):
            if character is not None and not character.text.isspace():
                own.append(character)
            elif own:
                word = "".join(part.text for part in own)
                found.append(Heard(word, own[0].start, own[-1].end))
                own = []
        return tuple(found)

    def __str__(self):
        return _showable(self.text) or "(nothing heard)"

    def to_dict(self):
        """Plain values, ready for JSON; of the recording its name alone."""
        return {
            "recording": recording_name(self.recording),
            "text": self.text,
            "score": self.score,
            "seconds": self.seconds,
            "words": [asdict(word) for word in self.words],
            "characters": [asdict(character) for character in self.characters],
            "candidates": [{"text": c.text, "score": c.score} for c in self.candidates],
        }

    def to_html(self):
        """The words, each with its time as a title."""
        words = " ".join(
            f'<span title="{word.start:.2f}-{word.end:.2f} s">'
            f"{html.escape(_showable(word.text))}</span>"
            for word in self.words
        )
        return f'<div dir="auto" style="line-height:1.8">{words}</div>'

    def plot(self):
        """Draws what was read, and the characters where they were heard.

        Returns:
            A `matplotlib.figure.Figure`: show it in a notebook, or `savefig` it.

        Raises:
            ImportError: If matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("Pictures need it: pip install matplotlib") from error

        width = min(max(5.0, 3.0 * self.seconds), _WIDEST)
        figure = Figure((width, 3.2), layout="constrained")
        figure.suptitle(str(self), wrap=True, parse_math=False)
        axes = figure.subplots()
        features = self.features
        if features is not None and features.size:
            end = len(features) * self.frame_seconds
            axes.imshow(
                features.T,
                origin="lower",
                aspect="auto",
                cmap="magma",
                extent=(0, end, 0, features.shape[1]),
            )
            # The last window ends behind the last frame, and so may a character.
            axes.set_xlim(0, max(end, self.seconds))
            axes.set_facecolor("black")
            for part in self.characters:
                middle = (part.start + part.end) / 2
                axes.axvline(middle, color="white", alpha=0.3, linewidth=0.8)
                axes.text(
                    middle,
                    0.94 * features.shape[1],
                    _showable(part.text),
                    color="white",
                    ha="center",
                    va="top",
                    parse_math=False,
                )
        axes.set_xlabel("seconds")
        axes.set_ylabel("band (mel)")
        return figure
