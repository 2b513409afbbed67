"""Recordings of every kind as arrays: files, integers, channels, rates, long ones."""

import io
import struct
import wave

import numpy as np
import pytest

from tasks.data.audio import recording_array, recording_digest, recording_name
from tasks.data.files import PackedFile
from tasks.data.pieces import quiet_pieces
from tasks.data.wav import sound_of

RATE = 8000
TONE = 0.5 * np.sin(2 * np.pi * 300 * np.arange(2000) / RATE)


def wav(samples, width=2, channels=1, rate=RATE):
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        if width == 1:
            raw = np.round(samples * 128 + 128).astype("u1").tobytes()
        else:
            whole = np.round(samples * 2.0 ** (8 * width - 1)).astype("<i4")
            raw = whole[:, None].view("u1")[:, :width].tobytes()
        file.writeframes(raw)
    return stream.getvalue()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_whole_numbers_of_any_size_are_read(width):
    samples, rate = sound_of(wav(TONE, width))
    assert rate == RATE and samples.shape == (2000, 1) and samples.dtype == np.float32
    np.testing.assert_allclose(samples[:, 0], TONE, atol=2.0 ** (1 - 8 * width) + 1e-7)


@pytest.mark.parametrize(
    "dtype, scale", [("int8", 2**7), ("int16", 2**15), ("int32", 2**31)]
)
def test_arrays_of_integers_are_fractions_of_full_scale(dtype, scale):
    whole = np.round(TONE * scale).astype(dtype)
    found = recording_array(whole, RATE, RATE)
    np.testing.assert_allclose(found, TONE, atol=1 / scale + 1e-7)


def test_channels_are_mixed_whichever_axis_they_are():
    left, right = np.random.default_rng(0).normal(size=(2, 500)) * 0.1
    wanted = (left + right) / 2
    for both in (np.stack([left, right], 1), np.stack([left, right])):
        found = recording_array((both, RATE), RATE)
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    interleaved = np.stack([left, right], 1).ravel()
    found = recording_array(wav(interleaved, channels=2), RATE)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_file_is_brought_to_the_rate_that_is_asked_for():
    assert len(recording_array(wav(TONE), 16_000)) == 4000
    assert len(recording_array((TONE, 16_000), RATE)) == 1000


def test_a_stream_that_did_not_know_its_length_is_read_to_its_end():
    data = bytearray(wav(TONE))
    for place in (4, 40):  # sizes of the file and of its samples
        data[place : place + 4] = struct.pack("<I", 0xFFFFFFFF)
    samples, _ = sound_of(bytes(data))
    np.testing.assert_allclose(samples[:, 0], TONE, atol=1e-4)


@pytest.mark.parametrize("form", ["FLAC", "OGG", "WAV"])
def test_other_files_are_read_by_soundfile(form):
    soundfile = pytest.importorskip("soundfile")
    stream = io.BytesIO()
    kind = "FLOAT" if form == "WAV" else None
    soundfile.write(stream, TONE, RATE, format=form, subtype=kind)
    samples, rate = sound_of(stream.getvalue())
    assert rate == RATE
    np.testing.assert_allclose(samples[:2000, 0], TONE, atol=0.05)


def test_without_soundfile_other_files_say_what_to_install(monkeypatch):
    from zoo.lazy import Lazy

    missing = Lazy("no_such_module", "pip install 'recurrent-zoo[audio]'")
    monkeypatch.setattr("tasks.data.wav.soundfile", missing)
    with pytest.raises(ImportError, match=r"recurrent-zoo\[audio\]"):
        recording_array(b"fLaC" + bytes(40), RATE)
    assert recording_array(wav(TONE), RATE).size  # WAV needs nothing


def test_a_part_of_an_archive_is_read(tmp_path):
    (tmp_path / "a.tar").write_bytes(b"before" + wav(TONE) + b"after")
    packed = PackedFile(str(tmp_path / "a.tar"), "a.wav", 6, len(wav(TONE)))
    np.testing.assert_allclose(recording_array(packed, RATE), TONE, atol=1e-4)


def test_recordings_are_told_apart_by_content(tmp_path):
    (tmp_path / "a.wav").write_bytes(wav(TONE))
    assert recording_digest(tmp_path / "a.wav") == recording_digest(wav(TONE))
    one, other = ((TONE, rate) for rate in (8000, 16_000))
    assert recording_digest(one) != recording_digest(other)
    assert recording_name((TONE, 8000)) == "<ndarray (2000,)>"
    assert recording_name("data:audio/wav;base64,UklG").startswith("<recording in")


# === Pieces ===


def test_pieces_are_cut_where_it_is_quiet():
    random = np.random.default_rng(0)
    sound = random.normal(size=10 * 1000)
    for pause in (1700, 3600, 5500, 7400):
        sound[pause : pause + 120] = 0
    pieces = quiet_pieces(sound, 1000, 2.0)
    ends = [end for _, end in pieces]
    assert len(pieces) == 6 and ends[-1] == len(sound)
    for pause, end in zip((1700, 3600, 5500, 7400), ends, strict=False):
        assert pause < end < pause + 120


@pytest.mark.parametrize("length", [0, 1, 1999, 2000, 2001, 7777])
def test_pieces_follow_each_other_and_are_not_too_long(length):
    sound = np.random.default_rng(1).normal(size=length)
    pieces = quiet_pieces(sound, 1000, 2.0)
    assert pieces[0][0] == 0 and pieces[-1][1] == length
    for (_, end), (start, _) in zip(pieces, pieces[1:], strict=False):
        assert start == end
    assert max(end - start for start, end in pieces) <= 2000


def test_silence_is_cut_as_late_as_can_be():
    pieces = quiet_pieces(np.zeros(5000), 1000, 2.0)
    assert len(pieces) == 3
