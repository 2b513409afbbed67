"""Recordings, in every form in which they may come, as one channel at one rate."""

import os
from pathlib import Path

import numpy as np

from tasks.data.files import PackedFile, content_digest, file_bytes, thing_name
from tasks.data.resampling import resampled
from tasks.data.wav import sound_of

SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".mp3", ".aif", ".aiff", ".au", ".caf")
RATES = (1000, 768_000)  # samples per second
_MOST_CHANNELS = 8
# Over full scale, as mixes are; more than this are whole numbers stored as floats.
_LOUDEST = 4.0
_KINDS = "a path, the bytes of a file, an array of samples, or (samples, rate)"


def recording_array(recording, sample_rate, rate=None):
    """Reads one recording: channels are mixed, and it is brought to one rate.

    Args:
        recording: Path; bytes of a file, or these as `data:audio/...;base64,...`;
            `tasks.data.files.PackedFile`; an array `(time,)`, `(time, channels)` or
            `(channels, time)`, of floats from -1 to 1 or of integers of 8, 16 or 32
            bits (unsigned ones of 8 bits are silent at 128); or a pair of an array and
            its samples per second.
        sample_rate: Samples per second of the result.
        rate: Those of an array that comes without.

    Returns:
        float32 `(time,)`; empty for a recording without samples.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If it is none of these.
        ValueError: If it cannot be read, has numbers that are not finite, or an array
            has no rate; the message names it.
    """
    try:
        samples, own_rate = _opened(recording, rate)
        if not RATES[0] <= own_rate <= RATES[1] or own_rate != int(own_rate):
            raise ValueError(
                f"its rate must be a whole number from {RATES[0]} to {RATES[1]} "
                f"samples per second, not {own_rate}"
            )
        return resampled(_mixed(samples), int(own_rate), sample_rate)
    except ValueError as error:
        raise ValueError(
            f"{recording_name(recording)} cannot be read as a recording: {error}."
        ) from error


def recording_name(recording):
    """What to call a recording in messages and results."""
    if _with_rate(recording):
        recording = recording[0]
    return thing_name(recording, "recording")


def recording_digest(recording):
    """Checksum of a recording's content, as bytes.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not _with_rate(recording):
        return content_digest(recording)
    return content_digest(recording[0]) + str(recording[1]).encode()


def recordings_from(inputs):
    """Reads what `SpeechRecognizer.predict` takes.

    Args:
        inputs: A recording, see `recording_array`; the path of a folder with
            recordings, which are taken by name; or a list of recordings.

    Returns:
        Whether it was a single recording, and a list of recordings.

    Raises:
        ValueError: If a folder has no recordings.
    """
    if isinstance(inputs, (str, os.PathLike)) and os.path.isdir(inputs):
        paths = sorted(Path(inputs).iterdir(), key=lambda path: path.name)
        found = [path for path in paths if path.suffix.lower() in SUFFIXES]
        if not found:
            raise ValueError(
                f"{inputs} holds no recordings: files that end in "
                f"{', '.join(SUFFIXES)}."
            )
        return False, found
    if isinstance(inputs, list):
        return False, inputs
    # A named tuple is one recording, as is a pair with a rate; others are lists.
    plain = isinstance(inputs, tuple) and not isinstance(inputs, PackedFile)
    if plain and not _with_rate(inputs):
        return False, list(inputs)
    return True, [inputs]


def _with_rate(thing):
    return (
        isinstance(thing, tuple)
        and len(thing) == 2
        and isinstance(thing[1], (int, float, np.integer, np.floating))
        and np.ndim(thing[1]) == 0
        and np.ndim(thing[0]) > 0
    )


def _opened(recording, rate):
    if _with_rate(recording):
        return _floats(np.asarray(recording[0])), recording[1]
    data = file_bytes(recording)
    if data is not None:
        return sound_of(data)
    if not hasattr(recording, "dtype") or not hasattr(recording, "shape"):
        raise TypeError(f"Expected {_KINDS}. Received: {recording!r:.80}")
    if rate is None:
        raise ValueError(
            "an array has no rate: give `rate=`, its samples per second, or the pair "
            "(samples, rate)"
        )
    return _floats(np.asarray(recording)), rate


def _floats(array):
    """An array as floats `(time, channels)` from -1 to 1."""
    if array.ndim not in (1, 2):
        raise ValueError(
            f"an array must be (time,) or (time, channels); this one is {array.shape}"
        )
    if array.dtype.kind == "f":
        array = array.astype("float32")
    elif array.dtype == np.uint8:
        array = (array.astype("float32") - 128) / 128
    elif array.dtype in (np.int8, np.int16, np.int32):
        array = array.astype("float32") / -float(np.iinfo(array.dtype).min)
    else:
        raise ValueError(
            "an array must hold floats from -1 to 1, or integers of 8, 16 or 32 bits; "
            f"this one holds {array.dtype}"
        )
    if array.ndim == 1:
        return array[:, None]
    first, second = array.shape
    if second > _MOST_CHANNELS >= first:
        return array.T
    if second > _MOST_CHANNELS:
        raise ValueError(f"it has {second} channels, more than {_MOST_CHANNELS}")
    return array


def _mixed(samples):
    broken = ~np.isfinite(samples)
    if broken.any():
        raise ValueError(
            f"{int(broken.sum())} of its {samples.size} numbers are not finite"
        )
    loudest = float(np.abs(samples).max(initial=0))
    if loudest > _LOUDEST:
        raise ValueError(
            f"floats must be from -1 to 1, and these reach {loudest:g}: divide them, "
            "or give whole numbers as integers"
        )
    if not samples.shape[1]:
        raise ValueError("it has no channel")
    return samples.mean(1)
