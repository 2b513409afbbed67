"""Sound at another rate, against closed forms and SciPy's resampling."""

import numpy as np
import pytest

from tasks.data.resampling import resampled

PAIRS = [(8000, 16000), (44100, 16000), (16000, 8000), (11025, 8000), (8000, 7999)]


def tone(frequency, rate, seconds=0.5):
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate)


def inside(x):
    """Without the ends, where the sound begins and stops at once."""
    return x[len(x) // 8 : -len(x) // 8]


def level(x, wanted):
    """How loud, in decibels beside another sound."""
    return 20 * np.log10(inside(x).std() / inside(wanted).std())


@pytest.mark.parametrize("rate, new_rate", PAIRS)
def test_a_tone_stays_the_tone_at_its_place_in_time(rate, new_rate):
    found = resampled(tone(440, rate), rate, new_rate)
    assert found.dtype == np.float32
    assert len(found) == -(-int(rate * 0.5) * new_rate // rate)
    wanted = np.sin(2 * np.pi * 440 * np.arange(len(found)) / new_rate)
    np.testing.assert_allclose(inside(found), inside(wanted), atol=2e-5)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8, 0.85])
def test_what_the_new_rate_can_hold_passes(share):
    sound = tone(share * 4000, 44100)
    assert abs(level(resampled(sound, 44100, 8000), sound)) < 0.1


@pytest.mark.parametrize("share", [1.05, 1.3, 2.0, 4.0])
def test_what_it_cannot_hold_does_not_fold_over(share):
    sound = tone(share * 4000, 44100)
    assert level(resampled(sound, 44100, 8000), sound) < -75


def test_silence_and_constants_stay():
    assert not resampled(np.zeros(500), 44100, 8000).any()
    found = resampled(np.full(5000, 0.25), 11025, 8000)
    np.testing.assert_allclose(inside(found), 0.25, atol=1e-6)


def test_it_does_what_scipy_does():
    signal = pytest.importorskip("scipy.signal")
    random = np.random.default_rng(0)
    # Noise without what lies near the edge of the band, where filters differ.
    spectrum = np.fft.rfft(random.normal(size=16000))
    spectrum[3000:] = 0
    sound = np.fft.irfft(spectrum)
    wanted = signal.resample_poly(sound, 1, 2, window=("kaiser", 12.0))
    found = resampled(sound, 16000, 8000)
    assert np.abs(inside(found - wanted)).max() < 2e-3 * np.abs(wanted).max()


def test_long_recordings_are_done_in_blocks_with_the_same_result(monkeypatch):
    sound = np.random.default_rng(0).normal(size=4000)
    whole = resampled(sound, 11025, 8000)
    monkeypatch.setattr("tasks.data.resampling._BLOCK", 1000)
    np.testing.assert_array_equal(resampled(sound, 11025, 8000), whole)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_very_short_sounds_have_the_right_length(length):
    assert len(resampled(np.ones(length), 8000, 16000)) == 2 * length


@pytest.mark.parametrize("rate", [0, -8000, 8000.5, True])
def test_a_rate_must_be_a_positive_integer(rate):
    with pytest.raises(ValueError, match="positive integer"):
        resampled(np.zeros(5), rate, 8000)
