"""Recordings of the Free Spoken Digit Dataset: speakers apart, strings joined."""

import base64
import io
import tarfile
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tasks.data.wav import sound_of

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
DIGITS = "zero one two three four five six seven eight nine".split()
RATE = 8000
HELD_TAKES = 5  # of each digit and training speaker, to choose the epoch by
LENGTHS = (2, 5)  # digits of a string
PAUSES = (0.02, 0.35)  # seconds between them


class Take(NamedTuple):
    """One recording of a digit.

    Attributes:
        speaker: Name.
        word: The digit in letters.
        number: From 0 to 49, of this digit and speaker.
        samples: float32 `(time,)`.
    """

    speaker: str
    word: str
    number: int
    samples: np.ndarray


def read_takes(path):
    """All recordings of the archive, sorted by name."""
    takes = []
    with tarfile.open(path) as archive:
        members = [m for m in archive if m.name.endswith(".wav")]
        for member in sorted(members, key=lambda m: m.name):
            digit, speaker, number = Path(member.name).stem.split("_")
            samples, rate = sound_of(archive.extractfile(member).read())
            if rate != RATE:
                raise ValueError(f"{member.name} has {rate} samples a second.")
            word = DIGITS[int(digit)]
            takes.append(Take(speaker, word, int(number), samples[:, 0]))
    return takes


def split(takes, held_out, strings):
    """The parts of a fold: dict of dicts of lists of `((samples, rate), text)`.

    `"train"` and `"dev"` are of the other speakers, `"test"` is all of the one who is
    held out; each has `"single"` digits and `"joined"` strings.

    Args:
        takes: List of `Take`.
        held_out: Name of a speaker.
        strings: Dict of the numbers of joined strings of each part.
    """
    parts = {"train": [], "dev": [], "test": []}
    for take in takes:
        held = "dev" if take.number < HELD_TAKES else "train"
        parts["test" if take.speaker == held_out else held].append(take)
    return {
        name: {
            "single": [((take.samples, RATE), take.word) for take in own],
            "joined": joined(own, strings[name], seed),
        }
        for seed, (name, own) in enumerate(parts.items())
    }


def joined(takes, count, seed):
    """Strings of digits of one speaker each, with pauses of faint noise between."""
    random, found = np.random.default_rng(seed), []
    speakers = sorted({take.speaker for take in takes})
    own = {s: [take for take in takes if take.speaker == s] for s in speakers}
    for number in range(count):
        pool = own[speakers[number % len(speakers)]]
        chosen = random.choice(len(pool), random.integers(LENGTHS[0], LENGTHS[1] + 1))
        parts, words = [], []
        for index in chosen:
            pause = int(random.uniform(*PAUSES) * RATE)
            parts += [pool[index].samples, random.normal(0, 3e-4, pause)]
            words.append(pool[index].word)
        samples = np.concatenate(parts[:-1]).astype("float32")
        found.append(((samples, RATE), " ".join(words)))
    return found


def in_text(samples):
    """Samples as a WAV file in a text, `data:audio/wav;base64,...`."""
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(np.round(samples * 32768).astype("<i2").tobytes())
    return f"data:audio/wav;base64,{base64.b64encode(stream.getvalue()).decode()}"
