"""Sound files: WAV by the standard library, all others by libsndfile where it is."""

import io
import wave

import numpy as np

from zoo.lazy import Lazy

soundfile = Lazy("soundfile", "pip install 'recurrent-zoo[audio]'")

# What other files begin with that libsndfile reads.
_OTHERS = (b"fLaC", b"OggS", b"FORM", b"ID3", b"caff", b".snd", b"RF64", b"riff")
_UNKNOWN = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # sizes that streams have, which do not know it


def sound_of(data):
    """Samples of a sound file.

    Args:
        data: Its bytes: WAV of whole numbers; or with soundfile installed any kind that
            it reads, such as WAV of floats, FLAC, Ogg and MP3.

    Returns:
        float32 `(time, channels)` from -1 to 1, and samples per second.

    Raises:
        ImportError: If soundfile is needed and not installed.
        ValueError: If it is no sound, or ends before it should.
    """
    if not data:
        raise ValueError("the file is empty")
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _wav(data)
    if data[:4] in _OTHERS or data[:3] == b"ID3" or _is_mp3(data):
        return _other(data)
    raise ValueError("it is neither WAV, FLAC, Ogg, MP3 nor AIFF")


def _is_mp3(data):
    return data[0] == 0xFF and len(data) > 1 and data[1] & 0xE0 == 0xE0


def _wav(data):
    try:
        with wave.open(io.BytesIO(data)) as file:
            width, channels = file.getsampwidth(), file.getnchannels()
            rate, promised = file.getframerate(), file.getnframes()
            raw = file.readframes(promised)
    except EOFError:
        raise ValueError("it ends before its samples begin") from None
    except wave.Error as error:
        if "unknown format" in str(error):
            return _other(data)
        raise ValueError(str(error)) from None
    size = width * channels
    found = len(raw) // size
    if found < promised and promised * size not in _near_unknown(size):
        raise ValueError(
            f"it ends too early: {promised} samples are announced, {found} are there"
        )
    numbers = _numbers(raw[: found * size], width)
    return numbers.reshape(found, channels), rate


def _near_unknown(size):
    return {unknown // size * size for unknown in _UNKNOWN}


def _numbers(raw, width):
    if width == 1:  # the only unsigned ones
        return (np.frombuffer(raw, "u1").astype("float32") - 128) / 128
    if width == 3:
        parts = np.frombuffer(raw, "u1").reshape(-1, 3)
        wide = np.zeros((len(parts), 4), "u1")
        wide[:, 1:] = parts
        return wide.view("<i4")[:, 0].astype("float32") / 2**31
    if width not in (2, 4):
        raise ValueError(f"its samples have {8 * width} bits, not 8, 16, 24 or 32")
    return np.frombuffer(raw, f"<i{width}").astype("float32") / 2 ** (8 * width - 1)


def _other(data):
    read, error_class = soundfile.read, soundfile.SoundFileError
    try:
        samples, rate = read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (error_class, RuntimeError, TypeError) as error:
        raise ValueError(str(error).rstrip(".")) from None
    return samples, rate
